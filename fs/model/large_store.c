/*
 * large_store.c - storing edited blocks, behind the writer's back.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/errno_map.h"
#include "fs/model/large_internal.h"
#include "node/base/now.h"

/* A set that was empty for long may have lost what was noted of it: then it is noted anew. */
static void forget_announced(struct large *large)
{
    if (large->announced_count > 0 && large_is_old(large, large->announced_ns)) {
        memset(large->announced, 0, large->announced_count);
        large->announced_ns = now_elapsed_ns();
    }
}

int large_announce(struct large *large, uint32_t index)
{
    uint32_t stripe = index / STRIPE_BLOCKS;
    int failed = 0;

    while (large->is_busy && failed == 0) {
        failed = large_wait(large);
    }
    forget_announced(large);
    if (failed == 0 && stripe >= large->announced_count) {
        uint8_t *announced = realloc(large->announced, stripe + 1);
        if (!announced) {
            return ENOMEM;
        }
        if (large->announced_count == 0) {
            large->announced_ns = now_elapsed_ns();
        }
        memset(announced + large->announced_count, 0, stripe + 1 - large->announced_count);
        large->announced = announced;
        large->announced_count = stripe + 1;
    }
    /* The head goes first: through it all others are found. */
    const uint32_t both[2] = {0, stripe};
    for (unsigned i = 0; failed == 0 && i < 2; i++) {
        uint32_t next = both[i];
        if (large->announced[next] != 0) {
            continue;
        }
        large->is_busy = true;
        pthread_mutex_unlock(&large->lock);
        failed = errno_of_status(
            block_set_announce(large->blocks->kv, &large->set, next, &large->blocks->options));
        pthread_mutex_lock(&large->lock);
        large->is_busy = false;
        large->announced[next] = failed == 0 ? 1 : 0;
        pthread_cond_broadcast(&large->changed);
    }
    return failed;
}

static int list_append(struct block_list *list, uint32_t index)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        uint32_t *items = realloc(list->items, room * sizeof *items);
        if (!items) {
            return ENOMEM;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = index;
    return 0;
}

/* Remembers that nobody names the block yet. */
static int note_stored(struct large *large, uint32_t index)
{
    if (large->unnamed.count == 0) {
        large->unnamed_since_ns = now_elapsed_ns();
    }
    return list_append(&large->unnamed, index);
}

/* What the block holds up to its last byte that is not zero; NULL when memory is short. */
static struct blob *block_content(const struct edited *edited)
{
    size_t size = edited->used;

    while (size > 0 && edited->bytes[size - 1] == 0) {
        size--;
    }
    return blob_new(slice_of(edited->bytes, size));
}

/* Stores one block whose content differs from what its entry names. The lock is held, and
 * dropped meanwhile. */
static int store_content(struct large *large, const struct edited *edited, struct blob *content)
{
    struct block_place place = large_place(large, edited->index);
    struct block_entry entry = {{0}, {0}};
    int failed = 0;

    if (content->size > 0) {
        failed = large_announce(large, edited->index);
        if (failed != 0) {
            return failed;
        }
        pthread_mutex_unlock(&large->lock);
        failed = errno_of_status(
            block_put(large->blocks->kv, &place, content, &large->blocks->options, &entry));
        if (failed == 0) {
            block_cache_add(&large->blocks->cache, &entry, content);
        }
        pthread_mutex_lock(&large->lock);
        failed = failed != 0 ? failed : note_stored(large, edited->index);
    }
    return failed != 0 ? failed : large_set_entry(large, edited->index, &entry);
}

static int store(struct large *large, const struct edited *edited)
{
    assert(edited->state == EDITED_STORING);

    struct block_entry old;
    uint8_t hash[BLOCK_HASH_SIZE];
    struct blob *content = block_content(edited);
    int failed = !content ? ENOMEM : large_entry(large, edited->index, &old);

    if (failed == 0) {
        pthread_mutex_unlock(&large->lock);
        block_hash(blob_slice(content), hash);
        pthread_mutex_lock(&large->lock);
        bool is_same = content->size > 0 && !block_entry_is_hole(&old) &&
                       memcmp(hash, old.hash, BLOCK_HASH_SIZE) == 0;
        if (!is_same && content->size > 0 && large_base_has(large, edited->index, hash, &old)) {
            failed = large_set_entry(large, edited->index, &old);
        } else if (!is_same) {
            failed = store_content(large, edited, content);
        }
    }
    blob_unref(content);
    return failed;
}

static void run_store(struct job *job)
{
    struct edited *edited = (struct edited *)job;
    struct large *large = edited->large;

    pthread_mutex_lock(&large->lock);
    edited->failed = store(large, edited);
    if (edited->failed == 0) {
        large_drop_edited(large, edited);
    } else {
        edited->state = EDITED_OPEN;
        pthread_cond_broadcast(&large->changed);
    }
    pthread_mutex_unlock(&large->lock);
    large_unref(large);
}

void large_store(struct large *large, struct edited *edited)
{
    assert(edited->state == EDITED_OPEN);

    edited->state = EDITED_STORING;
    edited->failed = 0;
    edited->job.run = run_store;
    large_ref(large);
    if (!workers_submit(&large->blocks->workers, &edited->job)) {
        edited->state = EDITED_OPEN;
        edited->failed = ENOMEM;
        large_unref(large);
    }
}
