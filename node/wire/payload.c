/*
 * payload.c - the parts that several messages share.
 */
#include "node/wire/payload.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/record.h"

enum { RING_FIELDS = 6, MEMBER_FIELDS = 2 };

struct blob *payload_read_key(struct reader *reader)
{
    struct slice key = reader_bytes(reader, 1, KEY_SIZE_MAX);
    struct blob *blob;

    if (reader_failed(reader) || !key_is_valid(key)) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return NULL;
    }
    blob = blob_new(key);
    if (!blob) {
        reader_fail(reader, STATUS_NO_MEMORY);
    }
    return blob;
}

void payload_write_object(struct writer *writer, const struct object *object)
{
    size_t begin;

    if (!object) {
        writer_nil(writer);
        return;
    }
    begin = writer_bytes_begin(writer);
    record_encode(object, false, writer->buffer);
    writer_bytes_end(writer, begin);
}

struct object *payload_read_object(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, 1, UINT32_MAX);
    struct object *object = NULL;
    enum status status;

    if (reader_failed(reader)) {
        return NULL;
    }
    status = record_decode(bytes, &object);
    if (status != STATUS_OK) {
        reader_fail(reader, status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_BAD_MESSAGE);
        return NULL;
    }
    if (object->own.node != 0) { /* local to a copy, never sent */
        object_unref(object);
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return NULL;
    }
    return object;
}

struct object *payload_read_object_or_nil(struct reader *reader)
{
    return reader_skip_nil(reader) ? NULL : payload_read_object(reader);
}

bool payload_is_row(const struct object *object)
{
    for (uint32_t i = 0; i < object->version_count; i++) {
        if (object->versions[i].content || object->versions[i].xattrs) {
            return false;
        }
    }
    return true;
}

bool payload_is_whole(const struct object *object)
{
    for (uint32_t i = 0; i < object->version_count; i++) {
        const struct version *version = &object->versions[i];

        if (!version->content &&
            !attributes_fit_content(&version->attributes, slice_of(NULL, 0))) {
            return false;
        }
    }
    return true;
}

bool payload_fits_kind(const struct object *object, enum row_kind kind)
{
    for (uint32_t i = 0; i < object->version_count; i++) {
        bool is_directory = object->versions[i].attributes.type == VERSION_DIRECTORY;

        if (is_directory != (kind == ROW_DIRECTORY)) {
            return false;
        }
    }
    return true;
}

void payload_write_dots(struct writer *writer, const struct dot *dots, uint32_t count)
{
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_dot(writer, dots[i]);
    }
}

struct dot *payload_read_dots(struct reader *reader, uint32_t max, uint32_t *ret_count)
{
    struct reader array = reader_array(reader, 0, max);
    uint32_t count = array.left;
    struct dot *dots;

    if (count == 0) {
        return NULL;
    }
    dots = calloc(count, sizeof *dots);
    if (!dots) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return NULL;
    }
    for (uint32_t i = 0; i < count && !reader_failed(&array); i++) {
        dots[i] = reader_dot(&array);
    }
    *ret_count = count;
    return dots;
}

void payload_write_text(struct writer *writer, const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max);

    assert(size < size_max); /* it ends inside its array */
    writer_string(writer, slice_of(text, size));
}

static void write_ring(struct writer *writer, const struct ring *ring)
{
    assert(ring->member_count <= MEMBERS_MAX && ring->partition_count <= PARTITIONS_MAX);
    writer_array(writer, RING_FIELDS);
    writer_uint(writer, ring->cluster_id);
    writer_uint(writer, ring->epoch);
    writer_uint(writer, ring->partition_count);
    writer_uint(writer, ring->replica_count);
    writer_array(writer, ring->member_count);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        writer_array(writer, MEMBER_FIELDS);
        writer_uint(writer, ring->members[i].id);
        payload_write_text(writer, ring->members[i].address, ADDRESS_SIZE);
    }
    writer_array(writer, ring->partition_count);
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        writer_uint(writer, ring->owner[i]);
    }
}

/* Into a zeroed ring. */
static void read_ring(struct reader *reader, struct ring *ring)
{
    struct reader fields = reader_array(reader, RING_FIELDS, RING_FIELDS);
    struct reader array;

    ring->cluster_id = reader_uint(&fields, 1, UINT64_MAX);
    ring->epoch = reader_uint(&fields, 0, UINT64_MAX);
    ring->partition_count = (uint16_t)reader_uint(&fields, 1, PARTITIONS_MAX);
    ring->replica_count = (uint16_t)reader_uint(&fields, 1, REPLICAS_MAX);
    array = reader_array(&fields, 1, MEMBERS_MAX);
    ring->member_count = (uint16_t)array.left;
    for (uint16_t i = 0; i < ring->member_count; i++) {
        struct reader member = reader_array(&array, MEMBER_FIELDS, MEMBER_FIELDS);

        ring->members[i].id = reader_uint(&member, 1, UINT64_MAX);
        reader_address(&member, false, ring->members[i].address);
    }
    array = reader_array(&fields, ring->partition_count, ring->partition_count);
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        ring->owner[i] = (uint16_t)reader_uint(&array, 0, MEMBERS_MAX - 1);
    }
    if (!reader_failed(reader)) {
        reader_require(reader, ring_is_valid(ring));
    }
}

void payload_encode_ring(const struct message *message, struct writer *writer)
{
    if (!message->ring) {
        writer_nil(writer);
    } else {
        write_ring(writer, message->ring);
    }
}

void payload_decode_ring(struct reader *reader, struct message *message)
{
    if (reader_skip_nil(reader)) {
        return;
    }
    message->ring = calloc(1, sizeof *message->ring);
    if (!message->ring) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    read_ring(reader, message->ring);
}
