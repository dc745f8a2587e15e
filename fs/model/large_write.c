/*
 * large_write.c - changing a large content, block by block.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/large_internal.h"

/* The open block that was used least recently and has not failed; NULL: none. */
static struct edited *oldest_open(const struct large *large)
{
    struct edited *oldest = NULL;

    for (unsigned i = 0; i < large->edited_count; i++) {
        struct edited *edited = large->edited[i];
        if (edited->state == EDITED_OPEN && edited->failed == 0 &&
            (!oldest || edited->last_use < oldest->last_use)) {
            oldest = edited;
        }
    }
    return oldest;
}

/* The error of what could not be stored, once: it is tried again by the next writer. */
static int take_failure(struct large *large)
{
    int failed = 0;

    for (unsigned i = 0; i < large->edited_count; i++) {
        failed = large->edited[i]->failed != 0 ? large->edited[i]->failed : failed;
        large->edited[i]->failed = 0;
    }
    return failed;
}

static bool has_place(const struct large *large)
{
    bool is_crowded = atomic_load(&large->blocks->edited) >= EDITED_OF_MOUNT_MAX;

    return large->edited_count < (is_crowded ? EDITED_MIN : EDITED_MAX);
}

static bool is_storing(const struct large *large)
{
    for (unsigned i = 0; i < large->edited_count; i++) {
        if (large->edited[i]->state != EDITED_OPEN) {
            return true;
        }
    }
    return false;
}

/* Waits for a place for one more block. */
static int wait_for_place(struct large *large)
{
    while (!has_place(large)) {
        struct edited *oldest = oldest_open(large);
        if (oldest) {
            large_store(large, oldest);
        }
        bool is_under_way = is_storing(large); /* not if there is no thread to store it */
        if (!oldest && !is_under_way) {
            return take_failure(large);
        }
        int failed = is_under_way ? large_wait(large) : 0;
        if (failed != 0) {
            return failed;
        }
    }
    return 0;
}

/* A block that is not edited yet, in state EDITED_LOADING. NULL when memory is short. */
static struct edited *add_edited(struct large *large, uint32_t index)
{
    assert(large->edited_count < EDITED_MAX);

    struct edited *edited = malloc(sizeof *edited);
    if (edited) {
        edited->large = large;
        edited->state = EDITED_LOADING;
        edited->index = index;
        edited->used = 0;
        edited->failed = 0;
        edited->last_use = ++large->uses;
        memset(edited->bytes, 0, BLOCK_SIZE);
        large->edited[large->edited_count++] = edited;
        atomic_fetch_add(&large->blocks->edited, 1);
    }
    return edited;
}

/* What the block holds so far. The lock is dropped while it is fetched. */
static int load_block(struct large *large, struct edited *edited)
{
    struct block_entry entry;
    struct blob *content = NULL;
    struct block_place place = large_place(large, edited->index);
    int failed = large_entry(large, edited->index, &entry);

    if (failed == 0 && !block_entry_is_hole(&entry)) {
        pthread_mutex_unlock(&large->lock);
        failed = large_fetch(large->blocks, &place, &entry, &content);
        pthread_mutex_lock(&large->lock);
    }
    if (failed == 0 && content) {
        memcpy(edited->bytes, content->data, content->size);
        edited->used = content->size;
    }
    blob_unref(content);
    return failed;
}

int large_edit_block(struct large *large, uint32_t index, bool whole, struct edited **ret)
{
    assert(index / MAP_BLOCKS < large->map_count);

    struct edited *edited;
    struct block_entry entry;
    int failed = 0;

    for (;;) {
        edited = large_find_edited(large, index);
        if (edited && edited->state == EDITED_OPEN) {
            edited->last_use = ++large->uses;
            *ret = edited;
            return 0;
        }
        failed = edited ? large_wait(large) : wait_for_place(large);
        if (failed != 0) {
            return failed;
        }
        if (!edited && !large_find_edited(large, index) && has_place(large)) {
            break;
        }
    }
    edited = add_edited(large, index);
    if (!edited) {
        return ENOMEM;
    }
    /* Also of a block that is overwritten the map must be there, for its new entry. */
    failed = whole ? large_entry(large, index, &entry) : load_block(large, edited);
    if (failed != 0) {
        large_drop_edited(large, edited);
        return failed;
    }
    edited->state = EDITED_OPEN;
    pthread_cond_broadcast(&large->changed);
    *ret = edited;
    return 0;
}

/* Writes within one block. */
static int write_block(struct large *large, uint32_t index, size_t from, struct slice bytes)
{
    assert(bytes.size > 0 && from + bytes.size <= BLOCK_SIZE);

    struct edited *edited = NULL;
    int failed = large_edit_block(large, index, bytes.size == BLOCK_SIZE, &edited);

    if (failed != 0) {
        return failed;
    }
    memcpy(edited->bytes + from, bytes.data, bytes.size);
    edited->used = from + bytes.size > edited->used ? from + bytes.size : edited->used;
    uint64_t end = ((uint64_t)index << BLOCK_SIZE_LOG2) + from + bytes.size;
    large->size = end > large->size ? end : large->size;
    if (from + bytes.size == BLOCK_SIZE) {
        large_store(large, edited); /* who writes on goes to the next one */
    }
    return 0;
}

int large_begin_change(struct large *large)
{
    int failed = 0;

    while ((large->is_flushing || large->is_changing) && failed == 0) {
        failed = large_wait(large);
    }
    if (failed == 0) {
        large->is_changing = true;
    }
    return failed;
}

void large_end_change(struct large *large)
{
    large->is_changing = false;
    pthread_cond_broadcast(&large->changed);
}

static int write_blocks(struct large *large, struct slice bytes, uint64_t offset)
{
    int failed = large_reserve(large, offset + bytes.size);
    size_t done = 0;

    while (failed == 0 && done < bytes.size) {
        uint64_t at = offset + done;
        size_t from = (size_t)(at & (BLOCK_SIZE - 1));
        size_t left = bytes.size - done;
        size_t part = BLOCK_SIZE - from < left ? BLOCK_SIZE - from : left;
        failed = write_block(large, (uint32_t)(at >> BLOCK_SIZE_LOG2), from,
                             slice_of(bytes.data + done, part));
        kv_limits_renew();
        done += part;
    }
    return failed;
}

int large_write(struct large *large, struct slice bytes, uint64_t offset, bool append)
{
    assert(large);
    pthread_mutex_lock(&large->lock);
    int failed = large_begin_change(large);
    if (failed == 0) {
        offset = append ? large->size : offset;
        bool is_over = offset > FILE_SIZE_MAX || bytes.size > FILE_SIZE_MAX - offset;
        failed = is_over ? EFBIG : write_blocks(large, bytes, offset);
        large_end_change(large);
    }
    pthread_mutex_unlock(&large->lock);
    return failed;
}

/* Loads a block of which a part is to be cleared; *ret_edited stays NULL if it is a hole. */
static int edit_if_any(struct large *large, uint32_t index, struct edited **ret_edited)
{
    struct block_entry entry;

    if (!large_find_edited(large, index)) {
        int failed = large_entry(large, index, &entry);
        if (failed != 0 || block_entry_is_hole(&entry)) {
            return failed;
        }
    }
    return large_edit_block(large, index, false, ret_edited);
}

/* The part of a block from `from` to `end` reads as zeroes. */
static int clear_part(struct large *large, uint32_t index, size_t from, size_t end)
{
    assert(from < end && end <= BLOCK_SIZE);

    struct edited *edited = NULL;
    int failed = edit_if_any(large, index, &edited);

    if (failed == 0 && edited) {
        memset(edited->bytes + from, 0, end - from);
        edited->used = edited->used <= end && edited->used > from ? from : edited->used;
    }
    return failed;
}

/* Until no block from `first` on is being stored. */
static int wait_for_stores(struct large *large, uint32_t first)
{
    int failed = 0;
    bool is_storing = true;

    while (is_storing && failed == 0) {
        is_storing = false;
        for (unsigned i = 0; i < large->edited_count; i++) {
            const struct edited *edited = large->edited[i];
            is_storing |= edited->index >= first && edited->state != EDITED_OPEN;
        }
        failed = is_storing ? large_wait(large) : 0;
    }
    return failed;
}

int large_replace_block(struct large *large, uint32_t index, const struct block_entry *entry)
{
    struct block_entry old;
    struct edited *edited = large_find_edited(large, index);
    int failed = 0;

    while (edited && edited->state != EDITED_OPEN && failed == 0) {
        failed = large_wait(large);
        edited = large_find_edited(large, index);
    }
    if (failed == 0 && edited) {
        large_drop_edited(large, edited);
    }
    failed = failed != 0 ? failed : large_entry(large, index, &old);
    if (failed == 0 && !block_entry_equal(&old, entry)) {
        failed = large_set_entry(large, index, entry);
    }
    return failed;
}

/* Blocks from `first` on, below `end`. Maps that are holes are passed over. */
static int clear_blocks(struct large *large, uint32_t first, uint32_t end)
{
    static const struct block_entry hole;
    int failed = 0;

    for (uint32_t index = first; failed == 0 && index < end; index++) {
        struct map *map = &large->maps[index / MAP_BLOCKS];
        bool is_whole = index % MAP_BLOCKS == 0 && end - index >= MAP_BLOCKS;
        if (is_whole && !map->entries) { /* then none of its blocks is edited */
            map->stored = (struct block_entry){{0}, {0}};
            index += MAP_BLOCKS - 1;
        } else {
            failed = large_replace_block(large, index, &hole);
        }
    }
    return failed;
}

/* From `offset` to `end`, which is within what maps there are. */
static int clear_range(struct large *large, uint64_t offset, uint64_t end)
{
    assert(large->is_changing && offset < end);

    uint32_t first = (uint32_t)(offset >> BLOCK_SIZE_LOG2);
    uint32_t last = (uint32_t)(end >> BLOCK_SIZE_LOG2);
    size_t from = (size_t)(offset & (BLOCK_SIZE - 1));
    size_t to = (size_t)(end & (BLOCK_SIZE - 1));

    if (first == last) {
        return clear_part(large, first, from, to);
    }
    int failed = 0;
    if (from > 0) {
        failed = clear_part(large, first++, from, BLOCK_SIZE);
    }
    failed = failed != 0 ? failed : clear_blocks(large, first, last);
    return failed == 0 && to > 0 ? clear_part(large, last, 0, to) : failed;
}

int large_clear(struct large *large, uint64_t offset, uint64_t size)
{
    assert(large);
    pthread_mutex_lock(&large->lock);
    int failed = large_begin_change(large);
    if (failed == 0) {
        offset = offset < large->size ? offset : large->size;
        size = size < large->size - offset ? size : large->size - offset;
        failed = size > 0 ? clear_range(large, offset, offset + size) : 0;
        large_end_change(large);
    }
    pthread_mutex_unlock(&large->lock);
    return failed;
}

/* Cuts all from `size` on. What can fail, or be interrupted, comes first: then all is done. */
static int cut(struct large *large, uint64_t size)
{
    uint64_t end = (uint64_t)large->map_count * MAP_BLOCKS << BLOCK_SIZE_LOG2;
    uint32_t first = (uint32_t)(size >> BLOCK_SIZE_LOG2);
    struct edited *edited = NULL;
    int failed = 0;

    if (size >= end) {
        return 0;
    }
    if ((size & (BLOCK_SIZE - 1)) != 0) {
        failed = edit_if_any(large, first++, &edited);
    }
    failed = failed != 0 ? failed : wait_for_stores(large, first);
    /* Of maps only the first can still have to be loaded, before anything is cleared. */
    return failed != 0 ? failed : clear_range(large, size, end);
}

static int resize(struct large *large, uint64_t size)
{
    int failed = size < large->size ? cut(large, size) : large_reserve(large, size);

    if (failed == 0) {
        large->size = size;
    }
    return failed;
}

int large_resize(struct large *large, uint64_t size)
{
    assert(large);
    if (size > FILE_SIZE_MAX) {
        return EFBIG;
    }
    pthread_mutex_lock(&large->lock);
    int failed = large_begin_change(large);
    if (failed == 0) {
        failed = resize(large, size);
        large_end_change(large);
    }
    pthread_mutex_unlock(&large->lock);
    return failed;
}
