/*
 * writer.c - see writer.h.
 */
#include "node/wire/writer.h"

#include <assert.h>
#include <string.h>

/* The longest head of a byte string: its kind and 4 bytes of length. */
enum { BYTES_HEAD_MAX = 5 };

static int append(void *data, const char *bytes, size_t size)
{
    struct buffer *buffer = data;

    buffer_append(buffer, bytes, size);
    return buffer->failed ? -1 : 0;
}

struct writer writer_over(struct buffer *buffer)
{
    struct writer writer = {.buffer = buffer};

    assert(buffer);
    msgpack_packer_init(&writer.packer, buffer, append);
    return writer;
}

/* The packer's results are what `append` returned, which buffer->failed keeps. */

void writer_nil(struct writer *writer)
{
    (void)msgpack_pack_nil(&writer->packer);
}

void writer_bool(struct writer *writer, bool value)
{
    if (value) {
        (void)msgpack_pack_true(&writer->packer);
    } else {
        (void)msgpack_pack_false(&writer->packer);
    }
}

void writer_uint(struct writer *writer, uint64_t value)
{
    (void)msgpack_pack_uint64(&writer->packer, value);
}

void writer_int(struct writer *writer, int64_t value)
{
    (void)msgpack_pack_int64(&writer->packer, value);
}

void writer_bytes(struct writer *writer, struct slice bytes)
{
    assert(bytes.size <= UINT32_MAX);
    (void)msgpack_pack_bin(&writer->packer, bytes.size);
    buffer_append_slice(writer->buffer, bytes);
}

void writer_blob(struct writer *writer, const struct blob *blob)
{
    if (!blob) {
        writer_nil(writer);
    } else {
        writer_bytes(writer, blob_slice(blob));
    }
}

void writer_string(struct writer *writer, struct slice text)
{
    assert(text.size <= UINT32_MAX);
    (void)msgpack_pack_str(&writer->packer, text.size);
    buffer_append_slice(writer->buffer, text);
}

void writer_array(struct writer *writer, size_t count)
{
    assert(count <= UINT32_MAX);
    (void)msgpack_pack_array(&writer->packer, count);
}

void writer_dot(struct writer *writer, struct dot dot)
{
    writer_array(writer, 3);
    writer_uint(writer, dot.actor.node);
    writer_uint(writer, dot.actor.birth);
    writer_uint(writer, dot.counter);
}

void writer_attributes(struct writer *writer, const struct attributes *attributes)
{
    writer_uint(writer, attributes->type);
    writer_uint(writer, attributes->mode);
    writer_uint(writer, attributes->user);
    writer_uint(writer, attributes->group);
    writer_int(writer, attributes->accessed_ns);
    writer_int(writer, attributes->modified_ns);
    writer_int(writer, attributes->changed_ns);
    writer_uint(writer, attributes->size);
    writer_uint(writer, attributes->file_id);
    writer_int(writer, attributes->named_ns);
    writer_int(writer, attributes->modified_set_ns);
    writer_int(writer, attributes->mode_set_ns);
    writer_int(writer, attributes->owner_set_ns);
}

size_t writer_bytes_begin(struct writer *writer)
{
    static const uint8_t room[BYTES_HEAD_MAX];
    size_t begin = writer->buffer->size;

    buffer_append(writer->buffer, room, sizeof room);
    return begin;
}

void writer_bytes_end(struct writer *writer, size_t begin)
{
    struct buffer *buffer = writer->buffer;
    size_t body = begin + BYTES_HEAD_MAX;
    size_t size;
    size_t head_size;

    if (buffer->failed) {
        return;
    }
    assert(buffer->size >= body);
    size = buffer->size - body;
    assert(size <= UINT32_MAX);
    head_size = size <= UINT8_MAX ? 2 : size <= UINT16_MAX ? 3 : BYTES_HEAD_MAX;
    memmove(buffer->data + begin + head_size, buffer->data + body, size);
    buffer->size = begin;
    /* The head fits into the room that it replaces, so this cannot fail. */
    (void)msgpack_pack_bin(&writer->packer, size);
    assert(!buffer->failed && buffer->size == begin + head_size);
    buffer->size += size;
}
