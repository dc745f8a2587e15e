/*
 * fuzz_record.c - any bytes as an object on disk: never a crash, one encoding, and an object
 * whose rules hold, so that it merges with itself to itself.
 */
#include <stdint.h>
#include <stdlib.h>

#include "node/wire/record.h"
#include "tests/wire/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* What is local to a copy or left out of a row does not come back; the rest does. */
static void check_row(const struct object *object)
{
    struct object *row = object_project(object);
    struct object *back = NULL;
    struct buffer bytes = {0};

    check(row);
    record_encode(row, false, &bytes);
    check(record_decode(buffer_slice(&bytes), &back) == STATUS_OK);
    check(object_equal(back, object));
    check(sample_same_object(back, row));
    object_unref(row);
    object_unref(back);
    buffer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct object *object = NULL;
    struct object *merged;
    struct buffer again = {0};
    enum status status = record_decode(slice_of(data, size), &object);

    if (status != STATUS_OK) {
        check(status == STATUS_BAD_MESSAGE || status == STATUS_BAD_VERSION);
        return 0;
    }
    record_encode(object, true, &again);
    check(!again.failed);
    check(slice_equal(buffer_slice(&again), slice_of(data, size)));
    status = record_verify(object);
    check(status == STATUS_OK || status == STATUS_CORRUPT);
    merged = object_merge(object, object);
    check(sample_same_object(merged, object));
    check_row(object);
    object_unref(merged);
    object_unref(object);
    buffer_release(&again);
    return 0;
}
