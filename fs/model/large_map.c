/*
 * large_map.c - which block of a large content is stored under which entry.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/errno_map.h"
#include "fs/model/large_internal.h"

int large_reserve(struct large *large, uint64_t size)
{
    uint32_t count = (manifest_block_count(size) + MAP_BLOCKS - 1) / MAP_BLOCKS;

    if (count <= large->map_count) {
        return 0;
    }
    struct map *maps = realloc(large->maps, count * sizeof *maps);
    if (!maps) {
        return ENOMEM;
    }
    memset(maps + large->map_count, 0, (count - large->map_count) * sizeof *maps);
    large->maps = maps;
    large->map_count = count;
    return 0;
}

/* Makes the entries of a map: holes, or what was stored. ENOMEM, EIO. */
static int fill_map(struct large *large, uint32_t number, struct slice stored)
{
    assert(!large->maps[number].entries);

    struct block_entry *entries = calloc(MAP_BLOCKS, sizeof *entries);

    if (!entries) {
        return ENOMEM;
    }
    /* Zeroes at its end, which are holes, may be left out. */
    if (stored.size % BLOCK_ENTRY_SIZE != 0 || stored.size > MAP_BLOCKS * BLOCK_ENTRY_SIZE) {
        free(entries);
        return EIO;
    }
    for (uint32_t i = 0; i < stored.size / BLOCK_ENTRY_SIZE; i++) {
        entries[i] = manifest_entry(stored, i);
    }
    large->maps[number].entries = entries;
    return 0;
}

static int load_map(struct large *large, uint32_t number)
{
    assert(number < large->map_count);

    struct blob *content = NULL;
    int failed = 0;

    while (large->is_busy && failed == 0) {
        failed = large_wait(large);
    }
    if (failed != 0 || large->maps[number].entries) {
        return failed;
    }
    struct block_place place = large_place(large, number * MAP_BLOCKS);
    struct block_entry stored = large->maps[number].stored;
    if (block_entry_is_hole(&stored)) {
        return fill_map(large, number, slice_of(NULL, 0));
    }
    large->is_busy = true;
    pthread_mutex_unlock(&large->lock);
    failed = large_fetch(large->blocks, &place, &stored, &content);
    pthread_mutex_lock(&large->lock);
    large->is_busy = false;
    pthread_cond_broadcast(&large->changed);
    if (failed == 0 && !large->maps[number].entries) {
        /* It may have become a hole meanwhile, under a reader. */
        bool is_same = block_entry_equal(&large->maps[number].stored, &stored);
        failed = fill_map(large, number, is_same ? blob_slice(content) : slice_of(NULL, 0));
    }
    blob_unref(content);
    return failed;
}

int large_entry(struct large *large, uint32_t index, struct block_entry *ret_entry)
{
    uint32_t number = index / MAP_BLOCKS;
    int failed = 0;

    assert(number < large->map_count);
    if (!large->maps[number].entries) {
        failed = load_map(large, number);
    }
    if (failed == 0) {
        *ret_entry = large->maps[number].entries[index % MAP_BLOCKS];
    }
    return failed;
}

int large_set_entry(struct large *large, uint32_t index, const struct block_entry *entry)
{
    struct map *map = &large->maps[index / MAP_BLOCKS];

    assert(index / MAP_BLOCKS < large->map_count);
    if (!map->entries) {
        assert(block_entry_is_hole(&map->stored));
        int failed = fill_map(large, index / MAP_BLOCKS, slice_of(NULL, 0));
        if (failed != 0) {
            return failed;
        }
    }
    map->entries[index % MAP_BLOCKS] = *entry;
    map->is_changed = true;
    return 0;
}
