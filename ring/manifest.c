/*
 * manifest.c - reading and writing manifests.
 */
#include "ring/manifest.h"

#include <assert.h>
#include <string.h>

#include "ring/hash.h"

static const uint8_t magic[4] = {'D', 'F', 'M', 1};
enum { HEAD_SIZE = sizeof magic + 1 + BLOCK_SET_SIZE + 8 };

uint32_t manifest_block_count(uint64_t size)
{
    assert(size <= FILE_SIZE_MAX);

    return (uint32_t)((size + BLOCK_SIZE - 1) >> BLOCK_SIZE_LOG2);
}

uint32_t manifest_map_count(uint32_t block_count)
{
    return block_count <= MAP_BLOCKS ? 0 : (block_count + MAP_BLOCKS - 1) / MAP_BLOCKS;
}

static uint32_t entry_count(uint64_t size)
{
    uint32_t blocks = manifest_block_count(size);
    uint32_t maps = manifest_map_count(blocks);

    return maps > 0 ? maps : blocks;
}

void manifest_append(struct buffer *buffer, const struct manifest *manifest)
{
    assert(buffer && manifest && manifest->size <= FILE_SIZE_MAX);
    assert(manifest->entries.size == (size_t)entry_count(manifest->size) * BLOCK_ENTRY_SIZE);

    bool has_maps = manifest_map_count(manifest_block_count(manifest->size)) > 0;
    buffer_append(buffer, magic, sizeof magic);
    buffer_append_byte(buffer, has_maps ? 1 : 0);
    buffer_append(buffer, manifest->set.byte, BLOCK_SET_SIZE);
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        buffer_append_byte(buffer, (uint8_t)(manifest->size >> (shift - 8)));
    }
    buffer_append_slice(buffer, manifest->entries);
}

enum status manifest_parse(struct slice bytes, struct manifest *ret_manifest)
{
    assert(ret_manifest);

    struct manifest manifest = {0};
    if (bytes.size < HEAD_SIZE || memcmp(bytes.data, magic, sizeof magic) != 0) {
        return STATUS_BAD_MESSAGE;
    }
    const uint8_t *at = bytes.data + sizeof magic;
    uint8_t depth = *at++;
    memcpy(manifest.set.byte, at, BLOCK_SET_SIZE);
    at += BLOCK_SET_SIZE;
    for (unsigned i = 0; i < 8; i++) {
        manifest.size = manifest.size << 8 | *at++;
    }
    if (manifest.size > FILE_SIZE_MAX) {
        return STATUS_BAD_MESSAGE;
    }
    manifest.has_maps = manifest_map_count(manifest_block_count(manifest.size)) > 0;
    manifest.count = entry_count(manifest.size);
    manifest.entries = slice_of(at, bytes.size - HEAD_SIZE);
    if (depth != (manifest.has_maps ? 1 : 0) ||
        manifest.entries.size != (size_t)manifest.count * BLOCK_ENTRY_SIZE) {
        return STATUS_BAD_MESSAGE;
    }
    *ret_manifest = manifest;
    return STATUS_OK;
}

bool manifest_has_size(struct slice bytes, uint64_t size)
{
    struct manifest manifest;

    return manifest_parse(bytes, &manifest) == STATUS_OK && manifest.size == size;
}

struct block_entry manifest_entry(struct slice entries, uint32_t index)
{
    assert(index < entries.size / BLOCK_ENTRY_SIZE);

    struct block_entry entry;
    const uint8_t *at = entries.data + (size_t)index * BLOCK_ENTRY_SIZE;
    memcpy(entry.id, at, BLOCK_ID_SIZE);
    memcpy(entry.hash, at + BLOCK_ID_SIZE, BLOCK_HASH_SIZE);
    return entry;
}

bool block_entry_is_hole(const struct block_entry *entry)
{
    static const uint8_t none[BLOCK_ID_SIZE];

    return memcmp(entry->id, none, BLOCK_ID_SIZE) == 0;
}

bool block_entry_equal(const struct block_entry *a, const struct block_entry *b)
{
    return memcmp(a->id, b->id, BLOCK_ID_SIZE) == 0 &&
           memcmp(a->hash, b->hash, BLOCK_HASH_SIZE) == 0;
}

void block_hash(struct slice content, uint8_t ret_hash[BLOCK_HASH_SIZE])
{
    uint8_t hash[CONTENT_HASH_SIZE];

    content_hash(content, hash);
    memcpy(ret_hash, hash, BLOCK_HASH_SIZE);
}
