/*
 * codec.c - see codec.h: what all messages begin with, and the choice of the payload.
 */
#include "node/wire/codec.h"

#include <assert.h>
#include <string.h>

#include "node/wire/payload.h"

enum { REQUEST_HEAD_FIELDS = 3, REPLY_HEAD_FIELDS = 5 };

static const struct payload *find_in(const struct payload *table, size_t count, uint64_t type)
{
    for (size_t i = 0; i < count; i++) {
        if ((uint64_t)table[i].type == type) {
            return &table[i];
        }
    }
    return NULL;
}

/* The entry of a type number, or NULL for a foreign one. */
static const struct payload *find_payload(uint64_t type)
{
    const struct payload *payload = find_in(payload_client, PAYLOAD_CLIENT_COUNT, type);

    if (!payload) {
        payload = find_in(payload_node, PAYLOAD_NODE_COUNT, type);
    }
    if (!payload) {
        payload = find_in(payload_repair, PAYLOAD_REPAIR_COUNT, type);
    }
    return payload;
}

static bool is_control(uint8_t byte)
{
    return byte < ' ' || byte == 0x7f;
}

/* Text for people, fit to be printed on a terminal; nil for none. */
static void write_text(struct writer *writer, const struct blob *text)
{
    uint8_t clean[TEXT_SIZE_MAX];
    struct slice bytes = blob_slice(text);
    size_t size = bytes.size < TEXT_SIZE_MAX ? bytes.size : TEXT_SIZE_MAX;

    if (size == 0) {
        writer_nil(writer);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        clean[i] = is_control(bytes.data[i]) ? '?' : bytes.data[i];
    }
    writer_string(writer, slice_of(clean, size));
}

static struct blob *read_text(struct reader *reader)
{
    struct slice bytes;
    struct blob *text;

    if (reader_skip_nil(reader)) {
        return NULL;
    }
    bytes = reader_string(reader, 1, TEXT_SIZE_MAX);
    for (size_t i = 0; i < bytes.size; i++) {
        reader_require(reader, !is_control(bytes.data[i]));
    }
    if (reader_failed(reader)) {
        return NULL;
    }
    text = blob_new(bytes);
    if (!text) {
        reader_fail(reader, STATUS_NO_MEMORY);
    }
    return text;
}

void codec_encode(const struct message *message, struct buffer *buffer)
{
    const struct payload *payload = find_payload((uint64_t)message->type);
    struct writer writer = writer_over(buffer);
    bool is_request = message_type_is_request(message->type);

    assert(payload);
    assert((unsigned)message->status < STATUS_COUNT);
    writer_array(&writer,
                 payload->field_count + (is_request ? REQUEST_HEAD_FIELDS : REPLY_HEAD_FIELDS));
    writer_uint(&writer, message->type);
    writer_uint(&writer, message->request_id);
    writer_uint(&writer, message->ring_epoch);
    if (!is_request) {
        writer_uint(&writer, message->status);
        write_text(&writer, message->text);
    }
    if (payload->encode) {
        payload->encode(message, &writer);
    }
}

/* Into a zeroed message, to be released also after a failure. */
static void decode_fields(struct reader *reader, struct message *message)
{
    const struct payload *payload = find_payload(reader_uint(reader, 0, UINT64_MAX));

    if (!payload) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return;
    }
    message->type = payload->type;
    message->request_id = reader_uint(reader, 0, UINT64_MAX);
    message->ring_epoch = reader_uint(reader, 0, UINT64_MAX);
    if (!message_type_is_request(message->type)) {
        message->status = (enum status)reader_uint(reader, 0, STATUS_COUNT - 1);
        message->text = read_text(reader);
    }
    reader_expect(reader, payload->field_count);
    if (payload->decode && !reader_failed(reader)) {
        payload->decode(reader, message);
    }
    assert(reader_failed(reader) || reader->left == 0);
}

enum status codec_decode(struct slice bytes, struct message *ret_message)
{
    struct message message;
    struct tree tree;
    struct reader reader;
    enum status status = tree_open(bytes, &tree);

    if (status != STATUS_OK) {
        return status;
    }
    memset(&message, 0, sizeof message);
    reader = reader_over(&tree, &status);
    decode_fields(&reader, &message);
    tree_close(&tree);
    if (status != STATUS_OK) {
        message_release(&message);
        return status;
    }
    *ret_message = message;
    return STATUS_OK;
}
