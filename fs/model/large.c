/*
 * large.c - a large content as a whole: its life, and reading it.
 */
#include "fs/model/large.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/model/errno_map.h"
#include "fs/model/large_internal.h"
#include "node/base/now.h"

int large_new(struct blocks *blocks, struct large **ret_large)
{
    assert(blocks && ret_large);

    struct block_set set;
    enum status status = block_set_new(&set);

    if (status != STATUS_OK) {
        return errno_of_status(status);
    }
    *ret_large = large_allocate(blocks, &set);
    return *ret_large ? 0 : ENOMEM;
}

/* The entries of the manifest become those of one map, or the maps'. */
static int take_entries(struct large *large, const struct manifest *manifest)
{
    int failed = large_reserve(large, manifest->size);

    for (uint32_t i = 0; failed == 0 && i < manifest->count; i++) {
        struct block_entry entry = manifest_entry(manifest->entries, i);
        if (manifest->has_maps) {
            large->maps[i].stored = entry;
        } else {
            failed = large_set_entry(large, i, &entry);
        }
    }
    if (failed == 0 && !manifest->has_maps && large->map_count > 0) {
        large->maps[0].is_changed = false;
    }
    return failed;
}

int large_open(struct blocks *blocks, struct blob *bytes, struct large **ret_large)
{
    assert(blocks && ret_large);

    struct manifest manifest;

    if (manifest_parse(blob_slice(bytes), &manifest) != STATUS_OK) {
        return EIO;
    }
    struct large *large = large_allocate(blocks, &manifest.set);
    if (!large) {
        return ENOMEM;
    }
    large->size = manifest.size;
    large->based_ns = now_elapsed_ns();
    pthread_mutex_lock(&large->lock);
    large_set_base(large, bytes);
    int failed = take_entries(large, &manifest);
    pthread_mutex_unlock(&large->lock);
    if (failed != 0) {
        large_unref(large);
        return failed;
    }
    *ret_large = large;
    return 0;
}

uint64_t large_size(struct large *large)
{
    assert(large);
    pthread_mutex_lock(&large->lock);
    uint64_t size = large->size;
    pthread_mutex_unlock(&large->lock);
    return size;
}

void large_get_set(struct large *large, struct block_set *ret_set)
{
    assert(large && ret_set);
    *ret_set = large->set;
}

/* Copies a part of a block that is not edited; the lock is not held. */
static int read_stored(struct large *large, uint32_t index, const struct block_entry *entry,
                       size_t from, uint8_t *bytes, size_t size)
{
    struct blob *content = NULL;

    memset(bytes, 0, size);
    if (block_entry_is_hole(entry)) {
        return 0;
    }
    struct block_place place = large_place(large, index);
    int failed = large_fetch(large->blocks, &place, entry, &content);
    if (failed == 0 && from < content->size) {
        size_t there = content->size - from;
        memcpy(bytes, content->data + from, there < size ? there : size);
    }
    blob_unref(content);
    return failed;
}

/* Copies a part of one block. The lock is held, and dropped meanwhile. */
static int read_block(struct large *large, uint32_t index, size_t from, uint8_t *place,
                      size_t size)
{
    struct block_entry entry;
    struct edited *edited = large_find_edited(large, index);
    int failed = 0;

    while (edited && edited->state == EDITED_LOADING && failed == 0) {
        failed = large_wait(large);
        edited = large_find_edited(large, index);
    }
    if (failed == 0 && edited) {
        memcpy(place, edited->bytes + from, size);
        return 0;
    }
    failed = failed != 0 ? failed : large_entry(large, index, &entry);
    if (failed != 0) {
        return failed;
    }
    pthread_mutex_unlock(&large->lock);
    failed = read_stored(large, index, &entry, from, place, size);
    pthread_mutex_lock(&large->lock);
    return failed;
}

/* Fetching one block ahead of its reader. */
struct ahead {
    struct job job;
    struct large *large; /* referenced */
    uint32_t index;
    struct block_entry entry;
};

static void run_ahead(struct job *job)
{
    struct ahead *ahead = (struct ahead *)job;
    struct blocks *blocks = ahead->large->blocks;
    struct block_place place = large_place(ahead->large, ahead->index);
    struct blob *content = NULL;

    if (block_cache_find(&blocks->cache, &ahead->entry, false, &content) == BLOCK_MISSING) {
        enum status status =
            block_get(blocks->kv, &place, &ahead->entry, &blocks->options, &content);
        assert(status == STATUS_OK || !content);
        block_cache_fetched(&blocks->cache, &ahead->entry, content);
    }
    blob_unref(content);
    large_unref(ahead->large);
    free(ahead);
}

static void fetch_ahead(struct large *large, uint32_t index)
{
    const struct map *map = &large->maps[index / MAP_BLOCKS];

    if (!map->entries || block_entry_is_hole(&map->entries[index % MAP_BLOCKS]) ||
        large_find_edited(large, index)) {
        return;
    }
    struct ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead) {
        return;
    }
    ahead->job.run = run_ahead;
    ahead->large = large_ref(large);
    ahead->index = index;
    ahead->entry = map->entries[index % MAP_BLOCKS];
    if (!workers_submit(&large->blocks->workers, &ahead->job)) {
        large_unref(large);
        free(ahead);
    }
}

/* Who reads on where the last read ended gets more ahead each time; who does not, nothing. */
static void read_ahead(struct large *large, uint64_t offset, uint64_t end)
{
    /* The kernel's own reading ahead arrives in parallel, and so not quite in order. */
    bool is_next = offset <= large->read_end + 2 * BLOCK_SIZE &&
                   offset + 4 * (uint64_t)BLOCK_SIZE >= large->read_end && large->read_end > 0;
    uint32_t before = (uint32_t)(large->read_end >> BLOCK_SIZE_LOG2);
    uint32_t block = (uint32_t)(end >> BLOCK_SIZE_LOG2);

    if (!is_next && offset != 0) {
        large->read_ahead = 0;
        large->read_end = end;
        return;
    }
    if (end <= large->read_end && offset != 0) {
        return;
    }
    large->read_end = end;
    if (block == before && large->read_ahead > 0) {
        return;
    }
    uint32_t old = large->read_ahead;
    uint32_t count = manifest_block_count(large->size);
    large->read_ahead = old == 0 ? 1 : old < READ_AHEAD_MAX ? 2 * old : READ_AHEAD_MAX;
    for (uint32_t i = 1; i <= large->read_ahead && block + i < count; i++) {
        fetch_ahead(large, block + i);
    }
}

int large_read(struct large *large, uint64_t offset, uint8_t *place, size_t size,
               size_t *ret_got)
{
    assert(large && place && ret_got);

    int failed = 0;

    pthread_mutex_lock(&large->lock);
    uint64_t end = offset < large->size ? large->size : offset;
    size = size < end - offset ? size : (size_t)(end - offset);
    size_t done = 0;
    if (size > 0) {
        read_ahead(large, offset, offset + size);
    }
    while (failed == 0 && done < size) {
        uint64_t at = offset + done;
        size_t from = (size_t)(at & (BLOCK_SIZE - 1));
        size_t part = BLOCK_SIZE - from < size - done ? BLOCK_SIZE - from : size - done;
        failed = read_block(large, (uint32_t)(at >> BLOCK_SIZE_LOG2), from, place + done, part);
        done += part;
    }
    pthread_mutex_unlock(&large->lock);
    if (failed == 0) {
        *ret_got = size;
    }
    return failed;
}

/* True if the block, or all of its map, was never written. */
static int is_hole(struct large *large, uint32_t index, bool *ret_hole, uint32_t *ret_next)
{
    const struct map *map = &large->maps[index / MAP_BLOCKS];
    struct block_entry entry;

    if (!map->entries && block_entry_is_hole(&map->stored) && large->edited_count == 0) {
        *ret_hole = true;
        *ret_next = (index / MAP_BLOCKS + 1) * MAP_BLOCKS;
        return 0;
    }
    int failed = large_entry(large, index, &entry);
    if (failed == 0) {
        *ret_hole = block_entry_is_hole(&entry) && !large_find_edited(large, index);
        *ret_next = index + 1;
    }
    return failed;
}

int large_seek(struct large *large, uint64_t offset, bool data, uint64_t *ret_offset)
{
    assert(large && ret_offset);
    pthread_mutex_lock(&large->lock);
    int failed = offset >= large->size ? ENXIO : 0;
    uint32_t count = manifest_block_count(large->size);
    uint32_t index = (uint32_t)(offset >> BLOCK_SIZE_LOG2);
    bool is_found = false;

    while (failed == 0 && !is_found && index < count) {
        bool hole = false;
        uint32_t next = 0;
        failed = is_hole(large, index, &hole, &next);
        is_found = failed == 0 && hole != data;
        index = is_found ? index : next;
    }
    uint64_t at = (uint64_t)index << BLOCK_SIZE_LOG2;
    if (failed == 0 && is_found) {
        *ret_offset = at > offset ? at : offset;
    } else if (failed == 0 && data) {
        failed = ENXIO;
    } else if (failed == 0) {
        *ret_offset = large->size;
    }
    pthread_mutex_unlock(&large->lock);
    return failed;
}
