/*
 * fuzz_codec.c - any bytes as a message: never a crash, and what is accepted has one encoding.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/codec.h"
#include "tests/wire/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    struct message back;
    struct buffer again = {0};
    enum status status = codec_decode(slice_of(data, size), &message);

    if (status != STATUS_OK) {
        check(status == STATUS_BAD_MESSAGE);
        return 0;
    }
    codec_encode(&message, &again);
    check(!again.failed);
    check(slice_equal(buffer_slice(&again), slice_of(data, size)));
    check(codec_decode(buffer_slice(&again), &back) == STATUS_OK);
    check(sample_same_message(&message, &back));
    message_release(&message);
    message_release(&back);
    buffer_release(&again);
    return 0;
}
