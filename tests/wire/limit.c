/*
 * limit.c - see limit.h.
 */
#include "tests/wire/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "node/wire/record.h"
#include "tests/wire/edit.h"

static struct buffer element;

struct writer limit_writer(void)
{
    buffer_reset(&element);
    return writer_over(&element);
}

struct slice limit_element(void)
{
    return buffer_slice(&element);
}

struct slice number(uint64_t value)
{
    struct writer writer = limit_writer();

    writer_uint(&writer, value);
    return limit_element();
}

struct slice nil(void)
{
    struct writer writer = limit_writer();

    writer_nil(&writer);
    return limit_element();
}

struct slice yes(void)
{
    struct writer writer = limit_writer();

    writer_bool(&writer, true);
    return limit_element();
}

struct slice bytes_of(const char *text)
{
    struct writer writer = limit_writer();

    writer_bytes(&writer, slice_of_string(text));
    return limit_element();
}

struct slice string_of(const char *text)
{
    struct writer writer = limit_writer();

    writer_string(&writer, slice_of_string(text));
    return limit_element();
}

struct slice filler(size_t size, bool is_string)
{
    struct writer writer = limit_writer();
    uint8_t *fill = malloc(size + 1);

    assert_non_null(fill);
    memset(fill, 'x', size);
    if (is_string) {
        writer_string(&writer, slice_of(fill, size));
    } else {
        writer_bytes(&writer, slice_of(fill, size));
    }
    free(fill);
    return limit_element();
}

struct blob *blob_of(const char *text)
{
    struct blob *blob = blob_new(slice_of_string(text));

    assert_non_null(blob);
    return blob;
}

static bool is_accepted(struct slice bytes)
{
    struct message message;
    enum status status = codec_decode(bytes, &message);

    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_BAD_MESSAGE);
        return false;
    }
    message_release(&message);
    return true;
}

bool plain(struct message message)
{
    struct buffer bytes = {0};
    bool accepted;

    codec_encode(&message, &bytes);
    assert_false(bytes.failed);
    accepted = is_accepted(buffer_slice(&bytes));
    buffer_release(&bytes);
    message_release(&message);
    return accepted;
}

bool with(struct message message, const char *path, struct slice raw)
{
    struct buffer bytes = {0};
    struct buffer edited = {0};
    bool accepted;

    codec_encode(&message, &bytes);
    assert_true(is_accepted(buffer_slice(&bytes)));
    assert_true(
        edit_nth(buffer_slice(&bytes), edit_find(buffer_slice(&bytes), path), raw, &edited));
    accepted = is_accepted(buffer_slice(&edited));
    buffer_release(&bytes);
    buffer_release(&edited);
    message_release(&message);
    return accepted;
}

bool with_more(struct message message, const char *path, struct slice raw)
{
    struct buffer bytes = {0};
    struct buffer edited = {0};
    bool accepted;

    codec_encode(&message, &bytes);
    assert_true(is_accepted(buffer_slice(&bytes)));
    edit_prepend(buffer_slice(&bytes), edit_find(buffer_slice(&bytes), path), raw, &edited);
    accepted = is_accepted(buffer_slice(&edited));
    buffer_release(&bytes);
    buffer_release(&edited);
    message_release(&message);
    return accepted;
}

int limit_release(void **state)
{
    (void)state;
    buffer_release(&element);
    return 0;
}

struct object *object_of(enum version_type type, bool has_content, uint64_t size)
{
    struct dot pair = {.actor = {.node = 7, .birth = 8}, .counter = 9};
    struct clock clock = {.count = 1, .pair = &pair};
    struct version version = {.dot = pair, .attributes = {.type = type, .size = size}};
    struct object *object = NULL;

    if (has_content) {
        version.content = blob_new_uninitialised(size);
        assert_non_null(version.content);
        memset(version.content->data, 'x', size);
    }
    assert_int_equal(object_new(&clock, &version, 1, pair.actor, &object), STATUS_OK);
    blob_unref(version.content);
    return object;
}

struct slice record_of(enum version_type type, bool has_content, uint64_t size, bool with_own)
{
    struct object *object = object_of(type, has_content, size);
    struct buffer record = {0};
    struct writer writer = limit_writer();

    record_encode(object, with_own, &record);
    writer_bytes(&writer, buffer_slice(&record));
    buffer_release(&record);
    object_unref(object);
    return limit_element();
}
