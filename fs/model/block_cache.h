/*
 * block_cache.h - blocks that were fetched or stored lately, of all files of the mount.
 *
 * Shape:    by block id; a block never changes, so that what is kept is always right. The least
 *           recently used goes first. Who fetches a block that another thread is fetching waits
 *           for that one.
 * Threads:  every function from any thread, but for init and release.
 */
#ifndef FS_MODEL_BLOCK_CACHE_H
#define FS_MODEL_BLOCK_CACHE_H

#include <pthread.h>

#include "ring/manifest.h"

enum {
    BLOCK_CACHE_MAX = 256, /* blocks: 64 MiB */
    BLOCK_CACHE_BUCKETS = 512,
};

struct cached_block;

struct block_cache {
    pthread_mutex_t lock;
    pthread_cond_t fetched; /* or given up */
    struct cached_block *buckets[BLOCK_CACHE_BUCKETS];
    struct cached_block *newest; /* the last one to be used */
    struct cached_block *oldest;
    unsigned count; /* blocks, with those that are being fetched */
};

void block_cache_init(struct block_cache *cache);
/* Nobody uses it any more. */
void block_cache_release(struct block_cache *cache);

enum block_lookup {
    BLOCK_HAD,      /* *ret_content is a new reference */
    BLOCK_MISSING,  /* the caller fetches it, and calls block_cache_fetched */
    BLOCK_FETCHING, /* another thread does; only if the caller does not wait */
    BLOCK_GIVEN_UP, /* another thread did, and failed: try again, or the wait was interrupted */
};
/* Waits, if `waits`, as long as another thread fetches the block. */
enum block_lookup block_cache_find(struct block_cache *cache, const struct block_entry *entry,
                                   bool waits, struct blob **ret_content);
/* After BLOCK_MISSING: the content, of which a reference is taken, or NULL if it failed. */
void block_cache_fetched(struct block_cache *cache, const struct block_entry *entry,
                         struct blob *content);
/* Keeps a block that was just stored. */
void block_cache_add(struct block_cache *cache, const struct block_entry *entry,
                     struct blob *content);

#endif
