/*
 * large.h - the content of an open file that is kept in blocks.
 *
 * Shape:    what the cluster has of it (entries of a manifest, fetched map by map), and the few
 *           blocks that are being edited here. Those are stored behind the writer's back by the
 *           mount's workers: as soon as they are full, or when there are too many; a writer
 *           that is faster than the cluster waits for a place. large_flush stores the rest and
 *           gives the manifest that names them all; what is stored and never named by a version
 *           is collected.
 * Threads:  every function from any thread, with no lock of the model held: they ask the
 *           cluster. Errors are errnos, EINTR if the thread's call is interrupted.
 * Source:   docs/design.md, Large files.
 */
#ifndef FS_MODEL_LARGE_H
#define FS_MODEL_LARGE_H

#include "fs/model/block_cache.h"
#include "fs/model/workers.h"
#include "node/client/block_set.h"

/* What all large files of a mount share. */
struct blocks {
    struct kv *kv; /* borrowed */
    struct kv_options options;
    uint64_t grace_us;             /* what is named by no version for so long is deleted */
    uint8_t holder[BLOCK_ID_SIZE]; /* the mount's; zeroes: none yet */
    pthread_mutex_t lock;          /* of the list */
    struct large *first;           /* of all contents; linked by `next` */
    struct workers workers;
    struct block_cache cache;
    atomic_uint edited; /* blocks that are being edited, of all files */
};

void blocks_init(struct blocks *blocks, struct kv *kv, const struct kv_options *options);
/* All large contents are gone. */
void blocks_release(struct blocks *blocks);

/* Holds the sets of all contents that have been there for a while, so that nothing that they
 * have, or have stored and not put yet, is collected. From one thread, every quarter of the grace
 * time. */
void blocks_hold(struct blocks *blocks);

struct large;

/* An empty file with a new block set. ENOMEM, EIO. */
int large_new(struct blocks *blocks, struct large **ret_large);
/* What the manifest says. ENOMEM, EIO if it is none. */
int large_open(struct blocks *blocks, struct blob *manifest, struct large **ret_large);
/* An empty file in place of the old one, with its set: what it stores that the last version of
 * the old one had at the same place is not stored again. ENOMEM. */
int large_again(struct large *old, struct large **ret_large);
struct large *large_ref(struct large *large);
/* What is still being stored has references of its own. NULL is allowed. */
void large_unref(struct large *large);

uint64_t large_size(struct large *large);
void large_get_set(struct large *large, struct block_set *ret_set);
/* Copies what is there of `size` bytes from `offset`; *ret_got says how much. */
int large_read(struct large *large, uint64_t offset, uint8_t *place, size_t size,
               size_t *ret_got);
/* Writes all, at `offset` or at the end. EFBIG, and the errors of earlier writes that could not
 * be stored. */
int large_write(struct large *large, struct slice bytes, uint64_t offset, bool append);
int large_resize(struct large *large, uint64_t size);
/* The bytes read as zeroes from now on. Within the size of the file. */
int large_clear(struct large *large, uint64_t offset, uint64_t size);
/* A block of `from` becomes one of `to`, which is `end` bytes long by then or longer.
 * *ret_shared is false if its bytes must be copied instead: it is of another set or stripe, a
 * hole, or being edited. Both may be the same. */
int large_share(struct large *from, uint32_t from_index, struct large *to, uint32_t to_index,
                uint64_t end, bool *ret_shared);
/* Stores what is not stored yet. *ret_manifest names all that was written before the call, all of
 * which survives a power cut; the caller unrefs. What failed stays, and is tried again by the next
 * one. */
int large_flush(struct large *large, struct blob **ret_manifest);
/* The manifest of the last flush has been put. */
void large_was_put(struct large *large);
/* The next byte from `offset` on that is (no) data, or the size of the file. A hole is what was
 * never written, by whole blocks. */
int large_seek(struct large *large, uint64_t offset, bool data, uint64_t *ret_offset);

#endif
