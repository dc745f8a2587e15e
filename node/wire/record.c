/*
 * record.c - see record.h, and docs/protocol.md for the bytes.
 */
#include "node/wire/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/bounds.h"
#include "node/wire/reader.h"
#include "node/wire/writer.h"

enum {
    RECORD_FIELDS = 6,
    /* Pair, counter, write id; attributes; content hash, content, user attributes. */
    VERSION_FIELDS = 3 + ATTRIBUTES_FIELDS + 3,
    /* What nearly every object needs, so that decoding it allocates nothing but the object. */
    PAIRS_NEAR = 16,
    VERSIONS_NEAR = 4,
};

/* Index of `actor` in the clock, which by the rules of object.h has it. */
static uint32_t pair_index(const struct clock *clock, struct actor actor)
{
    uint32_t low = 0;
    uint32_t high = clock->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (actor_compare(clock->pair[middle].actor, actor) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert(low < clock->count && actor_equal(clock->pair[low].actor, actor));
    return low;
}

static void encode_version(struct writer *writer, const struct clock *clock,
                           const struct version *version)
{
    writer_array(writer, VERSION_FIELDS);
    writer_uint(writer, pair_index(clock, version->dot.actor));
    writer_uint(writer, version->dot.counter);
    writer_bytes(writer, slice_of(version->write_id, WRITE_ID_SIZE));
    writer_attributes(writer, &version->attributes);
    writer_bytes(writer, slice_of(version->content_hash, CONTENT_HASH_SIZE));
    writer_blob(writer, version->content);
    /* No user attributes are written in one way only. */
    writer_blob(writer, blob_slice(version->xattrs).size > 0 ? version->xattrs : NULL);
}

void record_encode(const struct object *object, bool with_own, struct buffer *buffer)
{
    struct writer writer = writer_over(buffer);
    struct actor own = {0};

    assert(object);
    if (with_own && object->own.node != 0) {
        own = object->own;
    }
    writer_array(&writer, RECORD_FIELDS);
    writer_uint(&writer, RECORD_FORMAT);
    writer_array(&writer, object->clock.count);
    for (uint32_t i = 0; i < object->clock.count; i++) {
        writer_dot(&writer, object->clock.pair[i]);
    }
    writer_array(&writer, object->version_count);
    for (uint32_t i = 0; i < object->version_count; i++) {
        encode_version(&writer, &object->clock, &object->versions[i]);
    }
    writer_uint(&writer, object->deleted_us);
    writer_uint(&writer, own.node);
    writer_uint(&writer, own.birth);
}

/* Into a zeroed version, whose blobs the caller drops, also after a failure. */
static void decode_version(struct reader *reader, const struct clock *clock,
                           struct version *version)
{
    struct reader fields = reader_array(reader, VERSION_FIELDS, VERSION_FIELDS);
    uint64_t index = reader_uint(&fields, 0, UINT32_MAX);

    reader_require(&fields, index < clock->count);
    if (reader_failed(&fields)) {
        return;
    }
    version->dot.actor = clock->pair[index].actor;
    version->dot.counter = reader_uint(&fields, 1, UINT64_MAX);
    reader_copy(&fields, version->write_id, WRITE_ID_SIZE);
    reader_attributes(&fields, &version->attributes);
    reader_copy(&fields, version->content_hash, CONTENT_HASH_SIZE);
    if (!reader_skip_nil(&fields)) {
        version->content = reader_blob(&fields, 0, VALUE_SIZE_MAX);
    }
    if (!reader_skip_nil(&fields)) {
        version->xattrs = reader_blob(&fields, 1, XATTRS_SIZE_MAX);
    }
}

/* The versions, and the object made of all. `versions` is zeroed and has room for the elements
 * of the array. */
static void decode_object(struct reader *array, struct reader *fields,
                          const struct clock *clock, struct version *versions,
                          struct object **ret_object)
{
    uint32_t count = array->left;
    uint64_t deleted_us;
    struct actor own;
    enum status status;

    for (uint32_t i = 0; i < count && !reader_failed(array); i++) {
        decode_version(array, clock, &versions[i]);
    }
    deleted_us = reader_uint(fields, 0, UINT64_MAX);
    own.node = reader_uint(fields, 0, UINT64_MAX);
    own.birth = reader_uint(fields, 0, own.node != 0 ? UINT64_MAX : 0);
    if (!reader_failed(fields)) {
        status = object_new(clock, versions, count, own, ret_object);
        if (status != STATUS_OK) {
            reader_fail(fields, status);
        } else {
            object_set_deleted(*ret_object, deleted_us);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        blob_unref(versions[i].content);
        blob_unref(versions[i].xattrs);
    }
}

/* Memory for `count` things of `size`: what is near if they fit there. */
static void *scratch(struct reader *reader, void *near, uint32_t near_count, uint32_t count,
                     size_t size)
{
    void *far;

    if (count <= near_count) {
        return near;
    }
    far = calloc(count, size);
    if (!far) {
        reader_fail(reader, STATUS_NO_MEMORY);
    }
    return far;
}

static void decode_parts(struct reader *fields, struct object **ret_object)
{
    struct dot pairs_near[PAIRS_NEAR];
    struct version versions_near[VERSIONS_NEAR] = {0};
    struct reader array = reader_array(fields, 0, CLOCK_PAIRS_MAX);
    struct clock clock = {.count = array.left};
    struct dot *pairs = scratch(fields, pairs_near, PAIRS_NEAR, clock.count, sizeof *pairs);
    struct version *versions = NULL;

    for (uint32_t i = 0; i < clock.count && !reader_failed(fields); i++) {
        pairs[i] = reader_dot(&array);
    }
    clock.pair = pairs;
    if (reader_failed(fields) || !clock_is_valid(&clock)) {
        reader_fail(fields, STATUS_BAD_MESSAGE);
        goto out;
    }
    array = reader_array(fields, 0, VERSIONS_MAX);
    versions = scratch(fields, versions_near, VERSIONS_NEAR, array.left, sizeof *versions);
    if (versions) {
        decode_object(&array, fields, &clock, versions, ret_object);
    }
out:
    if (pairs != pairs_near) {
        free(pairs);
    }
    if (versions != versions_near) {
        free(versions);
    }
}

/* A newer format may use kinds of values that this one refuses, so it is told by its head: a
 * short array that begins with a small number. */
static bool is_newer_format(struct slice bytes)
{
    return bytes.size >= 2 && (bytes.data[0] & 0xf0) == 0x90 && bytes.data[1] > RECORD_FORMAT &&
           bytes.data[1] <= INT8_MAX;
}

enum status record_decode(struct slice bytes, struct object **ret_object)
{
    enum status status = STATUS_OK;
    struct tree tree;
    struct reader fields;

    if (is_newer_format(bytes)) {
        return STATUS_BAD_VERSION;
    }
    status = tree_open(bytes, &tree);
    if (status != STATUS_OK) {
        return status;
    }
    fields = reader_over(&tree, &status);
    reader_expect(&fields, RECORD_FIELDS);
    (void)reader_uint(&fields, RECORD_FORMAT, RECORD_FORMAT);
    if (!reader_failed(&fields)) {
        decode_parts(&fields, ret_object);
    }
    tree_close(&tree);
    return status;
}

enum status record_verify(const struct object *object)
{
    return object_is_sound(object) ? STATUS_OK : STATUS_CORRUPT;
}

bool record_is_live(struct slice bytes)
{
    uint32_t fields = 0;
    uint32_t versions = 0;

    return bounds_enter_array(&bytes, &fields) && fields == RECORD_FIELDS &&
           bounds_skip(&bytes) && bounds_skip(&bytes) &&
           bounds_enter_array(&bytes, &versions) && versions > 0;
}
