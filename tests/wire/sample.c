/*
 * sample.c - see sample.h: chance, and the parts of messages.
 */
#include "tests/wire/sample.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring/manifest.h"

enum {
    SAMPLE_VERSIONS_MAX = 5,
    SAMPLE_CONTENT_MAX = 400, /* over 255, so that two widths of length are met */
    SAMPLE_NAME_MAX = 12,
};

struct sample sample_seeded(void)
{
    const char *text = getenv("DYNAMOFS_TEST_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (text) {
        seed = strtoull(text, NULL, 10);
    }
    printf("DYNAMOFS_TEST_SEED=%" PRIu64 "\n", seed);
    return (struct sample){.state = seed};
}

/* splitmix64, by Steele, Lea and Flood, "Fast splittable pseudorandom number generators". */
uint64_t sample_bits(struct sample *sample)
{
    uint64_t mixed = sample->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

uint64_t sample_below(struct sample *sample, uint64_t max)
{
    assert(max > 0);
    return sample_bits(sample) % max;
}

uint64_t sample_number(struct sample *sample)
{
    return sample_bits(sample) >> sample_below(sample, 64);
}

bool sample_chance(struct sample *sample, unsigned percent)
{
    return sample_below(sample, 100) < percent;
}

struct blob *sample_bytes(struct sample *sample, size_t size)
{
    struct blob *blob = blob_new_uninitialised(size);

    assert(blob);
    for (size_t i = 0; i < size; i++) {
        blob->data[i] = (uint8_t)sample_bits(sample);
    }
    return blob;
}

/* A name of letters and of bytes that are no text; never `.` or `..`. */
static void append_name(struct sample *sample, struct buffer *buffer)
{
    uint64_t size = 1 + sample_below(sample, SAMPLE_NAME_MAX);

    buffer_append_byte(buffer, (uint8_t)('a' + sample_below(sample, 26)));
    for (uint64_t i = 1; i < size; i++) {
        uint8_t byte = (uint8_t)sample_bits(sample);

        buffer_append_byte(buffer, byte == '/' || byte == '\0' ? '.' : byte);
    }
}

static struct blob *blob_of(struct buffer *buffer)
{
    struct blob *blob = blob_new(buffer_slice(buffer));

    assert(blob && !buffer->failed);
    buffer_release(buffer);
    return blob;
}

struct blob *sample_name(struct sample *sample)
{
    struct buffer buffer = {0};

    append_name(sample, &buffer);
    return blob_of(&buffer);
}

struct blob *sample_key(struct sample *sample, enum row_kind kind)
{
    struct buffer buffer = {0};
    uint64_t depth = 1 + sample_below(sample, 4);

    for (uint64_t i = 0; i < depth; i++) {
        if (i > 0) {
            buffer_append_byte(&buffer, '/');
        }
        append_name(sample, &buffer);
    }
    if (kind == ROW_DIRECTORY) {
        buffer_append_byte(&buffer, '/');
    }
    return blob_of(&buffer);
}

enum row_kind sample_kind(struct sample *sample)
{
    return sample_chance(sample, 30) ? ROW_DIRECTORY : ROW_FILE;
}

void sample_address(struct sample *sample, char ret_address[ADDRESS_SIZE])
{
    memset(ret_address, 0, ADDRESS_SIZE);
    snprintf(ret_address, ADDRESS_SIZE, "host-%" PRIx64 ".example:%u",
             sample_bits(sample) & 0xffffffff, (unsigned)(1 + sample_below(sample, 65535)));
}

struct blob *sample_text(struct sample *sample)
{
    struct blob *text;

    if (sample_chance(sample, 50)) {
        return NULL;
    }
    text = sample_bytes(sample, 1 + sample_below(sample, 300));
    for (size_t i = 0; i < text->size; i++) {
        text->data[i] = (uint8_t)(' ' + text->data[i] % ('~' - ' '));
    }
    return text;
}

/* Ascending by actor, for the lowest nodes come first. */
struct dot *sample_pairs(struct sample *sample, uint32_t count)
{
    struct dot *pairs = calloc(count + 1, sizeof *pairs);
    uint64_t node = 0;

    assert(pairs);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || sample_chance(sample, 70)) {
            node += 1 + (sample_number(sample) >> 12);
            pairs[i].actor.birth = sample_number(sample) >> 8;
        } else { /* another copy of the same node */
            pairs[i].actor.birth = pairs[i - 1].actor.birth + 1 + sample_below(sample, 9);
        }
        pairs[i].actor.node = node;
        pairs[i].counter = 1 + (sample_number(sample) >> 1);
    }
    return pairs;
}

static struct attributes sample_attributes(struct sample *sample, enum row_kind kind)
{
    struct attributes attributes = {
        .mode = (uint32_t)sample_below(sample, 010000),
        .user = (uint32_t)(sample_number(sample) >> 33),
        .group = (uint32_t)(sample_number(sample) >> 32),
        .accessed_ns = (int64_t)sample_number(sample),
        .modified_ns = -(int64_t)(sample_number(sample) >> 1),
        .changed_ns = (int64_t)sample_number(sample),
        .file_id = sample_number(sample),
        .named_ns = -(int64_t)(sample_number(sample) >> 1),
        .modified_set_ns = (int64_t)sample_number(sample),
        .mode_set_ns = (int64_t)sample_number(sample),
        .owner_set_ns = -(int64_t)(sample_number(sample) >> 1),
    };

    if (kind == ROW_DIRECTORY) {
        attributes.type = VERSION_DIRECTORY;
    } else {
        static const enum version_type others[] = {VERSION_SYMLINK, VERSION_LARGE_FILE};
        attributes.type =
            sample_chance(sample, 70) ? VERSION_FILE : others[sample_below(sample, 2)];
    }
    return attributes;
}

struct blob *sample_manifest(struct sample *sample, uint32_t blocks, uint64_t *ret_size)
{
    uint64_t cut = blocks > 0 ? sample_below(sample, BLOCK_SIZE) : 0;
    bool has_maps = blocks >= 2 && sample_chance(sample, 30);
    uint64_t unit = has_maps ? (uint64_t)MAP_BLOCKS * BLOCK_SIZE : BLOCK_SIZE;
    struct blob *entries = sample_bytes(sample, (size_t)blocks * BLOCK_ENTRY_SIZE);
    struct manifest manifest = {.size = blocks * unit - cut, .entries = blob_slice(entries)};
    struct buffer bytes = {0};

    memset(manifest.set.byte, (int)sample_below(sample, 256), BLOCK_SET_SIZE);
    if (blocks > 0 && sample_chance(sample, 30)) {
        memset(entries->data, 0, BLOCK_ENTRY_SIZE);
    }
    manifest_append(&bytes, &manifest);
    assert(!bytes.failed);
    struct blob *result = blob_new(buffer_slice(&bytes));
    assert(result);
    buffer_release(&bytes);
    blob_unref(entries);
    *ret_size = manifest.size;
    return result;
}

struct version sample_version(struct sample *sample, bool is_row, enum row_kind kind)
{
    struct version version = {.attributes = sample_attributes(sample, kind)};

    for (size_t i = 0; i < WRITE_ID_SIZE; i++) {
        version.write_id[i] = (uint8_t)sample_bits(sample);
    }
    for (size_t i = 0; i < CONTENT_HASH_SIZE; i++) {
        version.content_hash[i] = (uint8_t)sample_bits(sample);
    }
    if (is_row) {
        version.attributes.size = sample_number(sample) >> 1;
        return version;
    }
    if (version.attributes.type == VERSION_LARGE_FILE) {
        version.content = sample_manifest(sample, (uint32_t)sample_below(sample, 4),
                                          &version.attributes.size);
    } else {
        version.content = sample_bytes(sample, sample_below(sample, SAMPLE_CONTENT_MAX));
        version.attributes.size = version.content->size;
    }
    content_hash(blob_slice(version.content), version.content_hash);
    if (sample_chance(sample, 30)) {
        version.xattrs = sample_bytes(sample, 1 + sample_below(sample, 64));
    }
    return version;
}

static int compare_versions(const void *a, const void *b)
{
    return dot_compare(((const struct version *)a)->dot, ((const struct version *)b)->dot);
}

struct object *sample_object(struct sample *sample, uint32_t pair_max, bool is_row,
                             enum row_kind kind)
{
    uint32_t pair_count = (uint32_t)sample_below(sample, pair_max + 1);
    struct dot *pairs = sample_pairs(sample, pair_count);
    struct clock clock = {.count = pair_count, .pair = pairs};
    struct version versions[SAMPLE_VERSIONS_MAX];
    uint32_t wanted = (uint32_t)sample_below(sample, SAMPLE_VERSIONS_MAX + 1);
    uint32_t count = 0;
    struct object *object;
    enum status status;

    for (uint32_t i = 0; i < pair_count && count < wanted; i++) {
        uint64_t back = sample_below(sample, 3);

        versions[count] = sample_version(sample, is_row, kind);
        versions[count].dot = pairs[i];
        if (pairs[i].counter > back) {
            versions[count].dot.counter -= back;
        }
        count++;
    }
    qsort(versions, count, sizeof versions[0], compare_versions);
    status = object_new(&clock, versions, count, (struct actor){0}, &object);
    assert(status == STATUS_OK);
    object_set_deleted(object,
                       sample_below(sample, 2) == 0 ? 0 : sample_below(sample, UINT64_MAX));
    for (uint32_t i = 0; i < count; i++) {
        blob_unref(versions[i].content);
        blob_unref(versions[i].xattrs);
    }
    free(pairs);
    return object;
}

struct object *sample_whole(struct sample *sample)
{
    return sample_object(sample, 20, false, sample_kind(sample));
}

struct ring *sample_ring(struct sample *sample)
{
    struct ring *ring = calloc(1, sizeof *ring);
    struct member members[MEMBERS_MAX];
    uint16_t count = (uint16_t)(1 + sample_below(sample, 12));
    enum status status;

    assert(ring);
    for (uint16_t i = 0; i < count; i++) {
        members[i].id = 1 + sample_below(sample, 1 << 20) * MEMBERS_MAX + i;
        snprintf(members[i].address, ADDRESS_SIZE, "10.0.0.%d:%d", i, 7450 + i);
    }
    status =
        ring_create(1 + sample_number(sample) / 2, PARTITIONS_DEFAULT,
                    (uint16_t)(1 + sample_below(sample, REPLICAS_MAX)), members, count, ring);
    assert(status == STATUS_OK);
    ring->epoch = 1 + sample_number(sample) / 2;
    return ring;
}
