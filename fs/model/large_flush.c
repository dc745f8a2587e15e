/*
 * large_flush.c - from the blocks that are edited to the cluster.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/errno_map.h"
#include "fs/model/large_internal.h"
#include "node/base/now.h"
#include "ring/planted.h"

/* Appends the map's entries without the holes at its end. */
static void append_entries(struct buffer *buffer, const struct map *map, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct block_entry none = {{0}, {0}};
        const struct block_entry *entry = map->entries ? &map->entries[i] : &none;
        buffer_append(buffer, entry->id, BLOCK_ID_SIZE);
        buffer_append(buffer, entry->hash, BLOCK_HASH_SIZE);
    }
}

static uint32_t used_entries(const struct map *map)
{
    uint32_t count = MAP_BLOCKS;

    while (count > 0 && block_entry_is_hole(&map->entries[count - 1])) {
        count--;
    }
    return count;
}

static int put_map(struct large *large, uint32_t number)
{
    struct map *map = &large->maps[number];
    struct buffer bytes = {0};
    struct block_place place = large_place(large, number * MAP_BLOCKS);
    struct block_entry entry = {{0}, {0}};
    uint8_t hash[BLOCK_HASH_SIZE];
    int failed = 0;
    uint32_t count = used_entries(map);

    append_entries(&bytes, map, count);
    struct blob *content = bytes.failed ? NULL : blob_new(buffer_slice(&bytes));
    buffer_release(&bytes);
    if (!content) {
        return ENOMEM;
    }
    block_hash(blob_slice(content), hash);
    if (count > 0 && !large_base_has_map(large, number, hash, &entry)) {
        failed = large_announce(large, number * MAP_BLOCKS);
        if (failed == 0) {
            pthread_mutex_unlock(&large->lock);
            failed = errno_of_status(
                block_put(large->blocks->kv, &place, content, &large->blocks->options, &entry));
            pthread_mutex_lock(&large->lock);
        }
    }
    blob_unref(content);
    if (failed == 0) {
        large->maps[number].stored = entry;
        large->maps[number].is_changed = false;
    }
    return failed;
}

static int put_maps(struct large *large, struct buffer *manifest)
{
    uint32_t blocks = manifest_block_count(large->size);
    uint32_t maps = manifest_map_count(blocks);
    struct buffer entries = {0};
    int failed = 0;

    assert(large->is_flushing);
    if (maps == 0 && blocks > 0) {
        struct block_entry first;
        failed = large_entry(large, 0, &first); /* a file that was cut may have a stored map */
    }
    for (uint32_t i = 0; failed == 0 && i < maps; i++) {
        bool is_only_listed = large->maps[i].entries && !large->maps[i].is_changed &&
                              block_entry_is_hole(&large->maps[i].stored);
        if (large->maps[i].is_changed || is_only_listed) {
            kv_limits_renew();
            failed = put_map(large, i);
        }
        buffer_append(&entries, large->maps[i].stored.id, BLOCK_ID_SIZE);
        buffer_append(&entries, large->maps[i].stored.hash, BLOCK_HASH_SIZE);
    }
    if (failed == 0 && maps == 0 && blocks > 0) {
        append_entries(&entries, &large->maps[0], blocks);
        /* Nobody names a map of an earlier version any more: it may be collected. */
        large->maps[0].stored = (struct block_entry){{0}, {0}};
    }
    if (failed == 0 && !entries.failed) {
        struct manifest parts = {
            .set = large->set, .size = large->size, .entries = buffer_slice(&entries)};
        manifest_append(manifest, &parts);
    }
    failed = failed == 0 && (entries.failed || manifest->failed) ? ENOMEM : failed;
    buffer_release(&entries);
    return failed;
}

/* Stores every block that is open, each once, and waits for all that are under way. */
static int store_all(struct large *large)
{
    unsigned left = large->edited_count;
    int failed = 0;

    for (unsigned i = 0; i < large->edited_count; i++) {
        if (large->edited[i]->state == EDITED_OPEN) {
            large_store(large, large->edited[i]);
        }
    }
    for (;;) {
        bool is_under_way = false;
        failed = 0;
        for (unsigned i = 0; i < large->edited_count; i++) {
            is_under_way |= large->edited[i]->state != EDITED_OPEN;
            failed = large->edited[i]->failed != 0 ? large->edited[i]->failed : failed;
        }
        if (!is_under_way) {
            return failed;
        }
        if (large->edited_count < left) {
            left = large->edited_count;
            kv_limits_renew();
        }
        failed = large_wait(large);
        if (failed != 0) {
            return failed;
        }
    }
}

/* Stores the copies of a block, or of a map, again. EIO if it is gone. */
static int touch_entry(struct large *large, uint32_t index, const struct block_entry *entry)
{
    struct block_place place = large_place(large, index);

    kv_limits_renew();
    pthread_mutex_unlock(&large->lock);
    int failed =
        errno_of_status(block_touch(large->blocks->kv, &place, entry, &large->blocks->options));
    pthread_mutex_lock(&large->lock);
    return failed == ENOENT ? EIO : failed;
}

/* The same of a block, if it is none that was cleared since. */
static int touch(struct large *large, uint32_t index)
{
    struct block_entry entry;
    int failed = large_entry(large, index, &entry);

    return failed != 0 || block_entry_is_hole(&entry) ? failed
                                                      : touch_entry(large, index, &entry);
}

/* The blocks of one map, and it. */
static int touch_map(struct large *large, uint32_t number)
{
    struct block_entry stored = large->maps[number].stored;
    bool is_stored = !block_entry_is_hole(&stored);
    int failed = is_stored ? touch_entry(large, number * MAP_BLOCKS, &stored) : 0;

    if (!is_stored && !large->maps[number].entries) {
        return 0;
    }
    for (uint32_t i = 0; failed == 0 && i < MAP_BLOCKS; i++) {
        failed = touch(large, number * MAP_BLOCKS + i);
    }
    return failed;
}

/*
 * A file that was opened long ago may have been replaced since, and what it was made of be
 * unnamed ever since: then a manifest that names it again may come too late.
 */
static int touch_all(struct large *large)
{
    int failed = 0;

    for (uint32_t i = 0; failed == 0 && i < large->map_count; i++) {
        failed = touch_map(large, i);
    }
    if (failed == 0) {
        large->based_ns = now_elapsed_ns();
        large->unnamed_since_ns = large->based_ns;
        large->was_unheld = false;
        large_set_base(large, NULL); /* what of it is not used was not touched */
    }
    return failed;
}

/* What nobody names yet is not collected for another while. */
static int touch_unnamed(struct large *large)
{
    int failed = 0;

    for (size_t i = 0; failed == 0 && i < large->unnamed.count; i++) {
        failed = touch(large, large->unnamed.items[i]);
    }
    if (failed == 0) {
        large->unnamed_since_ns = now_elapsed_ns();
        large->was_unheld = false;
    }
    return failed;
}

static int flush(struct large *large, struct buffer *manifest)
{
    assert(large->is_flushing);

    int failed = store_all(large);

    if (failed == 0 && (large->based_ns == 0 || large_is_old(large, large->based_ns))) {
        /* Of holes alone no block was stored, and yet the set will be told of a path. */
        failed = large_announce(large, 0);
    }
    /* While it is held nothing is collected. */
    bool is_held = large_is_held(large) || planted(PLANTED_UNTOUCHED);
    if (failed == 0 && !is_held && large->based_ns > 0 &&
        large_is_old(large, large->based_ns)) {
        failed = touch_all(large);
    }
    if (failed == 0 && !is_held && large->unnamed.count > 0 &&
        large_is_old(large, large->unnamed_since_ns)) {
        failed = touch_unnamed(large);
    }
    return failed != 0 ? failed : put_maps(large, manifest);
}

int large_flush(struct large *large, struct blob **ret_manifest)
{
    assert(large && ret_manifest);

    struct buffer manifest = {0};
    int failed = 0;

    pthread_mutex_lock(&large->lock);
    while (large->is_flushing && failed == 0) {
        failed = large_wait(large);
    }
    if (failed != 0) {
        pthread_mutex_unlock(&large->lock);
        return failed;
    }
    large->is_flushing = true; /* no further writer begins */
    while (large->is_changing && failed == 0) {
        failed = large_wait(large);
    }
    failed = failed != 0 ? failed : flush(large, &manifest);
    large->is_flushing = false;
    blob_unref(large->given);
    large->given = failed == 0 ? blob_new(buffer_slice(&manifest)) : NULL;
    failed = failed == 0 && !large->given ? ENOMEM : failed;
    if (failed == 0) {
        *ret_manifest = blob_ref(large->given);
        large->flushed = large->unnamed.count;
        large->flushed_ns = now_elapsed_ns();
    }
    pthread_cond_broadcast(&large->changed);
    pthread_mutex_unlock(&large->lock);
    buffer_release(&manifest);
    return failed;
}

void large_was_put(struct large *large)
{
    assert(large && large->flushed <= large->unnamed.count);
    pthread_mutex_lock(&large->lock);
    /* Writers may have stored more since. */
    struct block_list *unnamed = &large->unnamed;
    unnamed->count -= large->flushed;
    if (unnamed->count > 0) {
        memmove(unnamed->items, unnamed->items + large->flushed,
                unnamed->count * sizeof *unnamed->items);
    }
    large->flushed = 0;
    large->unnamed_since_ns = large->flushed_ns;
    large->based_ns = large->flushed_ns;
    large_set_base(large, large->given);
    pthread_mutex_unlock(&large->lock);
}
