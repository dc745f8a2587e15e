/*
 * block_cache.c - see block_cache.h.
 */
#include "fs/model/block_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/condition.h"
#include "node/base/now.h"
#include "node/client/kv.h"

struct cached_block {
    struct block_entry entry;
    struct blob *content; /* NULL while it is fetched */
    struct cached_block *next_in_bucket;
    struct cached_block *newer;
    struct cached_block *older;
};

void block_cache_init(struct block_cache *cache)
{
    *cache = (struct block_cache){.count = 0};
    pthread_mutex_init(&cache->lock, NULL);
    condition_init(&cache->fetched);
}

static struct cached_block **bucket_of(struct block_cache *cache,
                                       const struct block_entry *entry)
{
    unsigned hash = (unsigned)entry->id[0] | (unsigned)entry->id[1] << 8;

    return &cache->buckets[hash % BLOCK_CACHE_BUCKETS];
}

static struct cached_block *find(struct block_cache *cache, const struct block_entry *entry)
{
    struct cached_block *block = *bucket_of(cache, entry);

    while (block && !block_entry_equal(&block->entry, entry)) {
        block = block->next_in_bucket;
    }
    return block;
}

static void unlink_age(struct block_cache *cache, struct cached_block *block)
{
    *(block->newer ? &block->newer->older : &cache->newest) = block->older;
    *(block->older ? &block->older->newer : &cache->oldest) = block->newer;
}

static void make_newest(struct block_cache *cache, struct cached_block *block)
{
    block->newer = NULL;
    block->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = block;
    cache->newest = block;
}

static void drop(struct block_cache *cache, struct cached_block *block)
{
    struct cached_block **link = bucket_of(cache, &block->entry);

    while (*link != block) {
        link = &(*link)->next_in_bucket;
    }
    *link = block->next_in_bucket;
    unlink_age(cache, block);
    cache->count--;
    blob_unref(block->content);
    free(block);
}

/* What is being fetched is waited for, and stays. */
static void make_room(struct block_cache *cache)
{
    struct cached_block *block = cache->oldest;

    while (block && cache->count > BLOCK_CACHE_MAX) {
        struct cached_block *newer = block->newer;
        if (block->content) {
            drop(cache, block);
        }
        block = newer;
    }
}

/* NULL when memory is short. */
static struct cached_block *add(struct block_cache *cache, const struct block_entry *entry,
                                struct blob *content)
{
    assert(!find(cache, entry));

    struct cached_block *block = calloc(1, sizeof *block);
    if (block) {
        struct cached_block **bucket = bucket_of(cache, entry);
        block->entry = *entry;
        block->content = blob_ref(content);
        block->next_in_bucket = *bucket;
        *bucket = block;
        make_newest(cache, block);
        cache->count++;
        make_room(cache);
    }
    return block;
}

/* Until something was fetched; false if this thread waits no longer. The lock is held. */
static bool wait_for_fetch(struct block_cache *cache)
{
    enum { WAIT_MS = 1000 };
    uint64_t wait_ns = kv_limits_wait_ms(WAIT_MS) * UINT64_C(1000000);

    (void)condition_wait_until(&cache->fetched, &cache->lock, now_monotonic_ns() + wait_ns);
    return !kv_limits_is_interrupted() && !kv_limits_are_over();
}

enum block_lookup block_cache_find(struct block_cache *cache, const struct block_entry *entry,
                                   bool waits, struct blob **ret_content)
{
    assert(cache && entry && ret_content);

    enum block_lookup result = BLOCK_HAD;
    bool has_waited = false;

    pthread_mutex_lock(&cache->lock);
    struct cached_block *block = find(cache, entry);
    while (block && !block->content && waits) {
        has_waited = true;
        if (!wait_for_fetch(cache)) {
            pthread_mutex_unlock(&cache->lock);
            return BLOCK_GIVEN_UP;
        }
        block = find(cache, entry);
    }
    if (block && block->content) {
        unlink_age(cache, block);
        make_newest(cache, block);
        *ret_content = blob_ref(block->content);
    } else if (block) {
        result = BLOCK_FETCHING;
    } else if (has_waited) {
        result = BLOCK_GIVEN_UP;
    } else {
        (void)add(cache, entry, NULL);
        result = BLOCK_MISSING;
    }
    pthread_mutex_unlock(&cache->lock);
    return result;
}

void block_cache_fetched(struct block_cache *cache, const struct block_entry *entry,
                         struct blob *content)
{
    assert(cache && entry);
    pthread_mutex_lock(&cache->lock);
    struct cached_block *block = find(cache, entry);
    if (block && !content) {
        drop(cache, block);
    } else if (block && !block->content) {
        block->content = blob_ref(content);
        make_room(cache);
    }
    pthread_cond_broadcast(&cache->fetched);
    pthread_mutex_unlock(&cache->lock);
}

void block_cache_add(struct block_cache *cache, const struct block_entry *entry,
                     struct blob *content)
{
    assert(cache && entry && content);
    pthread_mutex_lock(&cache->lock);
    if (!find(cache, entry)) {
        (void)add(cache, entry, content);
    }
    pthread_mutex_unlock(&cache->lock);
}

void block_cache_release(struct block_cache *cache)
{
    while (cache->newest) {
        drop(cache, cache->newest);
    }
    pthread_cond_destroy(&cache->fetched);
    pthread_mutex_destroy(&cache->lock);
}
