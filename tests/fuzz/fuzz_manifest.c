/*
 * fuzz_manifest.c - any bytes as a manifest, and as names of block sets and blocks: never a
 * crash, and what is taken is written again just so.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ring/block_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_manifest(struct slice bytes)
{
    struct manifest manifest;
    struct buffer again = {0};

    if (manifest_parse(bytes, &manifest) != STATUS_OK) {
        return;
    }
    uint32_t blocks = manifest_block_count(manifest.size);
    uint32_t maps = manifest_map_count(blocks);
    check(manifest.size <= FILE_SIZE_MAX);
    check(manifest.has_maps == (maps > 0));
    check(manifest.count == (maps > 0 ? maps : blocks));
    check(manifest_has_size(bytes, manifest.size));
    for (uint32_t i = 0; i < manifest.count; i++) {
        struct block_entry entry = manifest_entry(manifest.entries, i);
        check(block_entry_equal(&entry, &entry));
    }
    manifest_append(&again, &manifest);
    check(again.failed || slice_equal(buffer_slice(&again), bytes));
    buffer_release(&again);
}

/* A name that is taken is the one that is written for what was read. */
static void check_names(struct slice name)
{
    struct block_set set;
    struct block_entry entry = {{0}, {0}};
    struct buffer key = {0};
    uint32_t stripe;

    if (block_key_parse_set(name, &set)) {
        block_key_head(&key, &set);
        check(key.failed || slice_equal(key_name(buffer_slice(&key)), name));
        check(key.failed || key_is_valid(buffer_slice(&key)));
        buffer_reset(&key);
    }
    memset(&set, 7, sizeof set);
    if (block_key_parse_mark(name, &stripe)) {
        block_key_mark(&key, &set, stripe);
        check(key.failed || slice_equal(key_name(buffer_slice(&key)), name));
        buffer_reset(&key);
    }
    if (block_key_parse_id(name, entry.id) && !block_entry_is_hole(&entry)) {
        block_key_block(&key, &set, 0, &entry);
        check(key.failed || slice_equal(key_name(buffer_slice(&key)), name));
    }
    buffer_release(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_manifest(slice_of(data, size));
    check_names(slice_of(data, size));
    return 0;
}
