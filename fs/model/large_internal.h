/*
 * large_internal.h - what the files of large contents share.
 */
#ifndef FS_MODEL_LARGE_INTERNAL_H
#define FS_MODEL_LARGE_INTERNAL_H

#include <pthread.h>

#include "fs/model/large.h"

enum {
    EDITED_MAX = 16,           /* blocks of one file: 4 MiB */
    EDITED_OF_MOUNT_MAX = 128, /* then each file may have only ... */
    EDITED_MIN = 2,
    READ_AHEAD_MAX = 8, /* blocks */
};

/* The entries of MAP_BLOCKS blocks. */
struct map {
    struct block_entry *entries; /* NULL: as stored; holes if that is one */
    struct block_entry stored;
    bool is_changed;
};

/* Numbers of blocks. */
struct block_list {
    uint32_t *items; /* owned array */
    size_t count;
    size_t room;
};

enum edited_state {
    EDITED_LOADING, /* by the writer who needs it */
    EDITED_OPEN,    /* may be written to, and stored */
    EDITED_STORING,
};

/* A block that differs from what its entry says. */
struct edited {
    struct job job;
    struct large *large; /* referenced while it is stored */
    enum edited_state state;
    uint32_t index;
    size_t used; /* zeroes follow */
    int failed;  /* errno of the last try to store it */
    uint64_t last_use;
    uint8_t bytes[BLOCK_SIZE];
};

struct large {
    struct blocks *blocks;
    atomic_uint references; /* the last one is dropped with the list's lock held */
    struct large *next;     /* in the list of all */
    struct large **link;    /* what points here */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of anything below */
    struct block_set set;
    uint64_t held_ns; /* elapsed: it is held since; at first, when it was made */
    bool was_unheld;  /* it was not for long, and what nobody names may be marked */
    uint64_t size;
    struct map *maps; /* owned array */
    uint32_t map_count;
    struct edited *edited[EDITED_MAX];
    unsigned edited_count;
    uint64_t uses;
    bool is_changing;   /* one writer at a time: each may wait in the middle */
    bool is_flushing;   /* writers wait */
    bool is_busy;       /* somebody loads a map, or announces a stripe */
    uint8_t *announced; /* owned array: of each stripe, whether it was */
    uint32_t announced_count;
    uint64_t announced_ns;     /* since when (elapsed); each of them is younger */
    struct block_list unnamed; /* stored since the last put: no version names them yet */
    uint64_t based_ns;  /* elapsed: a version named all the rest of it; 0: none ever did */
    struct blob *base;  /* the manifest of that version; NULL: none, or parts may be gone */
    struct blob *given; /* the manifest of the last flush */
    uint64_t unnamed_since_ns; /* elapsed: the oldest one was stored */
    size_t flushed;            /* so many of them are named by the last manifest ... */
    uint64_t flushed_ns;       /* ... since (elapsed) */
    uint64_t read_end;         /* where the last read ended */
    uint32_t read_ahead;       /* blocks */
};

/* All with the lock held. */

/* Waits until something has changed, for a second at most: who waits looks again. EINTR if the
 * thread's call is interrupted. */
int large_wait(struct large *large);
/* The entry of a block; drops the lock while its map is fetched. */
int large_entry(struct large *large, uint32_t index, struct block_entry *ret_entry);
/* Sets it; its map is loaded. ENOMEM. */
int large_set_entry(struct large *large, uint32_t index, const struct block_entry *entry);
/* Room for the maps of a file of `size` bytes. ENOMEM. */
int large_reserve(struct large *large, uint64_t size);
/* Notes the stripe of a block in the cluster, once. Drops the lock. */
int large_announce(struct large *large, uint32_t index);
struct edited *large_find_edited(struct large *large, uint32_t index);
/* The block, loaded and open, for the caller to change at once; `whole` if all of it will be
 * overwritten. Waits for a place, if need be. */
int large_edit_block(struct large *large, uint32_t index, bool whole, struct edited **ret);
/* The manifest, or NULL, is what the content is compared with when it is stored. */
void large_set_base(struct large *large, struct blob *manifest);
/* True if the base has a block, or a map, of this content at this place, and it is surely still
 * there. The first drops the lock while it fetches. */
bool large_base_has(struct large *large, uint32_t index, const uint8_t hash[BLOCK_HASH_SIZE],
                    struct block_entry *ret_entry);
bool large_base_has_map(const struct large *large, uint32_t number,
                        const uint8_t hash[BLOCK_HASH_SIZE], struct block_entry *ret_entry);
/* Nobody else changes or flushes it until large_end_change. A writer drops the lock where it
 * waits, and a manifest with half of what it writes would be one of another size than its
 * entries. */
int large_begin_change(struct large *large);
void large_end_change(struct large *large);
/* Within a change: the block is what the entry names, or a hole; what is being stored of it is
 * waited for. */
int large_replace_block(struct large *large, uint32_t index, const struct block_entry *entry);
/* Hands an open block to the workers; if there are none, it stays open and has failed. */
void large_store(struct large *large, struct edited *edited);
void large_drop_edited(struct large *large, struct edited *edited);

/* True if what was stored or noted then (monotonic) could soon be deleted, should nobody name
 * it. */
bool large_is_old(const struct large *large, uint64_t since_ns);
/* True if nothing of its set can have been deleted, nor will soon. */
bool large_is_held(const struct large *large);
/* One reference. NULL when memory is short. */
struct large *large_allocate(struct blocks *blocks, const struct block_set *set);
/* Without the lock: from the cache, or fetched. */
int large_fetch(struct blocks *blocks, const struct block_place *place,
                const struct block_entry *entry, struct blob **ret_content);
/* Where a block of this content lies. */
struct block_place large_place(const struct large *large, uint32_t index);

#endif
