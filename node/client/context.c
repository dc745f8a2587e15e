/*
 * context.c - a context as one word of text.
 *
 * `c1.` and, in the alphabet for names, the head of a digest and a tombstone's record. The
 * digest is there because a context that was mistyped would supersede what its user never saw.
 */
#include <assert.h>
#include <string.h>

#include "node/client/base64.h"
#include "node/client/kv.h"
#include "node/wire/record.h"

enum { CHECK_SIZE = 6 };

static const char prefix[] = "c1.";

enum status kv_context_format(const struct clock *context, struct buffer *ret_text)
{
    assert(context && ret_text);
    struct object *tombstone = NULL;
    enum status status = object_new(context, NULL, 0, (struct actor){0}, &tombstone);
    if (status != STATUS_OK) {
        return status;
    }
    struct buffer record = {0};
    struct buffer bytes = {0};
    record_encode(tombstone, false, &record);
    object_unref(tombstone);
    uint8_t digest[DIGEST_SIZE];
    digest_of(buffer_slice(&record), digest);
    buffer_append(&bytes, digest, CHECK_SIZE);
    buffer_append_slice(&bytes, buffer_slice(&record));
    buffer_append_slice(ret_text, slice_of_string(prefix));
    base64_name_encode(buffer_slice(&bytes), ret_text);
    bool failed = record.failed || bytes.failed || ret_text->failed;
    buffer_release(&record);
    buffer_release(&bytes);
    return failed ? STATUS_NO_MEMORY : STATUS_OK;
}

/* The record in `bytes`, if the digest before it is its own. */
static enum status read_record(struct slice bytes, struct object **ret_object)
{
    uint8_t digest[DIGEST_SIZE];
    if (bytes.size < CHECK_SIZE) {
        return STATUS_BAD_MESSAGE;
    }
    struct slice record = slice_of(bytes.data + CHECK_SIZE, bytes.size - CHECK_SIZE);
    digest_of(record, digest);
    if (memcmp(digest, bytes.data, CHECK_SIZE) != 0) {
        return STATUS_BAD_MESSAGE;
    }
    struct object *object = NULL;
    enum status status = record_decode(record, &object);
    if (status != STATUS_OK) {
        return status == STATUS_NO_MEMORY ? status : STATUS_BAD_MESSAGE;
    }
    if (object_is_live(object)) {
        object_unref(object);
        return STATUS_BAD_MESSAGE;
    }
    *ret_object = object;
    return STATUS_OK;
}

enum status kv_context_parse(struct slice text, struct object **ret_object)
{
    assert(ret_object);
    struct slice start = slice_of_string(prefix);
    if (!slice_has_prefix(text, start)) {
        return STATUS_BAD_MESSAGE;
    }
    struct buffer bytes = {0};
    enum status status = STATUS_BAD_MESSAGE;
    if (base64_name_decode(slice_of(text.data + start.size, text.size - start.size), &bytes)) {
        status = read_record(buffer_slice(&bytes), ret_object);
    } else if (bytes.failed) {
        status = STATUS_NO_MEMORY;
    }
    buffer_release(&bytes);
    return status;
}
