/*
 * block_set.h - the blocks of large files, stored and fetched one by one.
 *
 * Shape:    a writer makes a set (block_set_new, block_set_announce), stores blocks, and at last
 *           notes the path and puts a version with the manifest (block_set_put). So whoever
 *           collects what nobody names (node/client/collector.h) finds what a dead writer left.
 *           All of it survives a power cut once it is acknowledged: a version that does must
 *           never name a block that did not, or lack the note of its path.
 * Threads:  as kv.h.
 * Source:   docs/design.md, Large files.
 */
#ifndef NODE_CLIENT_BLOCK_SET_H
#define NODE_CLIENT_BLOCK_SET_H

#include "node/client/kv.h"
#include "ring/block_key.h"

/* A block that no version names for so long is deleted, unless a mount was told of another time.
 * A writer whose oldest block is half as old, by its own clock, touches what it stored before it
 * puts the manifest. */
#define BLOCK_GRACE_US (UINT64_C(3600) * 1000000)

/* Where a block lies: `index` of its file; of a map, that of its first block. */
struct block_place {
    struct block_set set;
    uint32_t index;
};

/* A random one. STATUS_IO if the kernel has no randomness. */
MUST_CHECK enum status block_set_new(struct block_set *ret_set);
/* Notes that the set exists, and that `stripe` of it may have blocks. Before the first block of
 * a stripe is stored. As kv_put. */
MUST_CHECK enum status block_set_announce(struct kv *kv, const struct block_set *set,
                                          uint32_t stripe, const struct kv_options *options);
/* Notes that versions at `path`, a key, may name the set. Before such a version is put. As
 * kv_put. */
MUST_CHECK enum status block_set_name(struct kv *kv, const struct block_set *set,
                                      struct slice path, const struct kv_options *options);
/* Puts at a path. Before a version that is kept in blocks its set is told of the path: else what
 * it names could be collected. As kv_put. */
MUST_CHECK enum status block_set_put(struct kv *kv, const struct kv_put *put,
                                     const struct kv_options *options, struct object **ret_row);
/* A random name for whoever holds sets. STATUS_IO. */
MUST_CHECK enum status block_holder_new(uint8_t ret_holder[BLOCK_ID_SIZE]);
/* Nothing of the set is deleted until this was not done for a grace time. As kv_put. */
MUST_CHECK enum status block_set_hold(struct kv *kv, const struct block_set *set,
                                      const uint8_t holder[BLOCK_ID_SIZE],
                                      const struct kv_options *options);
/* Stores `content` (at most BLOCK_SIZE bytes) under a new id, which *ret_entry names. As kv_put; a
 * failure leaves at most a block that nobody names. */
MUST_CHECK enum status block_put(struct kv *kv, const struct block_place *place,
                                 struct blob *content, const struct kv_options *options,
                                 struct block_entry *ret_entry);
/*
 * Fetches a block, or a map, whose entry is no hole. The content is the one that the entry's hash
 * is of: what does not match is asked for again, of more replicas. As kv_get, and STATUS_CORRUPT
 * if no replica that answers has it. The caller unrefs.
 */
MUST_CHECK enum status block_get(struct kv *kv, const struct block_place *place,
                                 const struct block_entry *entry,
                                 const struct kv_options *options, struct blob **ret_content);
/* Stores the copies of a block again, so that its collection, if it was planned, does not concern
 * them. STATUS_NOT_FOUND if the block is gone. As kv_put. */
MUST_CHECK enum status block_touch(struct kv *kv, const struct block_place *place,
                                   const struct block_entry *entry,
                                   const struct kv_options *options);

#endif
