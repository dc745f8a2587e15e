/*
 * large_state.c - a large content's life, and what its files wait for and fetch.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/errno_map.h"
#include "fs/model/large_internal.h"
#include "node/base/condition.h"
#include "node/base/now.h"

void blocks_init(struct blocks *blocks, struct kv *kv, const struct kv_options *options)
{
    assert(kv && options);

    blocks->kv = kv;
    blocks->options = *options;
    blocks->grace_us = BLOCK_GRACE_US;
    blocks->first = NULL;
    memset(blocks->holder, 0, sizeof blocks->holder);
    pthread_mutex_init(&blocks->lock, NULL);
    atomic_init(&blocks->edited, 0);
    workers_init(&blocks->workers,
                 options->deadline_ms > 0 ? options->deadline_ms : KV_DEADLINE_DEFAULT_MS);
    block_cache_init(&blocks->cache);
}

void blocks_release(struct blocks *blocks)
{
    workers_release(&blocks->workers);
    assert(atomic_load(&blocks->edited) == 0 && !blocks->first);
    pthread_mutex_destroy(&blocks->lock);
    block_cache_release(&blocks->cache);
}

bool large_is_old(const struct large *large, uint64_t since_ns)
{
    return now_elapsed_ns() - since_ns > large->blocks->grace_us * 1000 / 2;
}

struct large *large_allocate(struct blocks *blocks, const struct block_set *set)
{
    assert(blocks && set);

    struct large *large = calloc(1, sizeof *large);

    if (!large) {
        return NULL;
    }
    large->blocks = blocks;
    large->set = *set;
    large->held_ns = now_elapsed_ns();
    atomic_init(&large->references, 1);
    pthread_mutex_init(&large->lock, NULL);
    condition_init(&large->changed);
    pthread_mutex_lock(&blocks->lock);
    large->next = blocks->first;
    large->link = &blocks->first;
    if (large->next) {
        large->next->link = &large->next;
    }
    blocks->first = large;
    pthread_mutex_unlock(&blocks->lock);
    return large;
}

struct edited *large_find_edited(struct large *large, uint32_t index)
{
    for (unsigned i = 0; i < large->edited_count; i++) {
        if (large->edited[i]->index == index) {
            return large->edited[i];
        }
    }
    return NULL;
}

void large_drop_edited(struct large *large, struct edited *edited)
{
    unsigned at = 0;

    while (large->edited[at] != edited) {
        at++;
    }
    large->edited[at] = large->edited[--large->edited_count];
    atomic_fetch_sub(&large->blocks->edited, 1);
    free(edited);
    pthread_cond_broadcast(&large->changed);
}

struct large *large_ref(struct large *large)
{
    assert(atomic_load(&large->references) > 0);

    atomic_fetch_add(&large->references, 1);
    return large;
}

void large_unref(struct large *large)
{
    if (!large) {
        return;
    }
    struct blocks *blocks = large->blocks;
    pthread_mutex_lock(&blocks->lock);
    bool is_last = atomic_fetch_sub(&large->references, 1) == 1;
    if (is_last) {
        *large->link = large->next;
        if (large->next) {
            large->next->link = large->link;
        }
    }
    pthread_mutex_unlock(&blocks->lock);
    if (!is_last) {
        return;
    }
    while (large->edited_count > 0) {
        large_drop_edited(large, large->edited[0]);
    }
    for (uint32_t i = 0; i < large->map_count; i++) {
        free(large->maps[i].entries);
    }
    free(large->maps);
    free(large->announced);
    free(large->unnamed.items);
    blob_unref(large->base);
    blob_unref(large->given);
    pthread_cond_destroy(&large->changed);
    pthread_mutex_destroy(&large->lock);
    free(large);
}

int large_wait(struct large *large)
{
    enum { WAIT_MS = 1000 };
    uint64_t wait_ns = kv_limits_wait_ms(WAIT_MS) * UINT64_C(1000000);

    (void)condition_wait_until(&large->changed, &large->lock, now_monotonic_ns() + wait_ns);
    if (kv_limits_is_interrupted()) {
        return EINTR;
    }
    return kv_limits_are_over() ? ETIMEDOUT : 0;
}

struct block_place large_place(const struct large *large, uint32_t index)
{
    return (struct block_place){.set = large->set, .index = index};
}

int large_fetch(struct blocks *blocks, const struct block_place *place,
                const struct block_entry *entry, struct blob **ret_content)
{
    assert(!block_entry_is_hole(entry));

    enum { TRIES = 3 };
    enum block_lookup found = BLOCK_GIVEN_UP;

    for (int tries = 0; tries < TRIES && found == BLOCK_GIVEN_UP; tries++) {
        found = block_cache_find(&blocks->cache, entry, true, ret_content);
        if (kv_limits_is_interrupted() || kv_limits_are_over()) {
            break;
        }
    }
    if (found == BLOCK_HAD) {
        return 0;
    }
    if (found != BLOCK_MISSING) {
        int why = kv_limits_are_over() ? ETIMEDOUT : EIO;
        return kv_limits_is_interrupted() ? EINTR : why;
    }
    struct blob *content = NULL;
    enum status status = block_get(blocks->kv, place, entry, &blocks->options, &content);
    block_cache_fetched(&blocks->cache, entry, content);
    if (status == STATUS_OK) {
        *ret_content = content;
    }
    return errno_of_status(status);
}
