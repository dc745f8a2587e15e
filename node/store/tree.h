/*
 * tree.h - the Merkle trees of a store: one for each partition, kept with the data.
 *
 * Shape:    every leaf is a record of the engine (node/store/layout.h), written in the batch
 *           that writes the data, and a number in memory, changed once that batch is written.
 * Threads:  leaves may be read at any time. One leaf is changed by one thread at a time (the
 *           executor's lanes are chosen by the leaf); what a scrub does is done alone.
 * Source:   DeCandia et al., section 4.7.
 */
#ifndef NODE_STORE_TREE_H
#define NODE_STORE_TREE_H

#include "node/store/engine.h"
#include "node/store/layout.h"
#include "ring/merkle.h"
#include "ring/object.h"

struct tree_store;

struct tree_store *tree_store_new(void); /* NULL when memory is short; without partitions */
void tree_store_free(struct tree_store *trees); /* NULL is allowed */

/*
 * Makes the trees of `partition_count` partitions: as they are kept, or, in a store that keeps
 * none yet or whose leaves cannot be read, by one scan of all data.
 */
MUST_CHECK enum status tree_store_open(struct tree_store *trees, struct engine *engine,
                                       uint16_t partition_count);
/* Builds all trees from the data, and writes them, synced. Records that cannot be read are left
 * out. Drops what a scrub has built. */
MUST_CHECK enum status tree_store_rebuild(struct tree_store *trees, struct engine *engine);

/* Notes, synced, that the leaves in the engine are no trees: the next open builds them. */
MUST_CHECK enum status tree_store_forget(struct engine *engine);

/* The tree as it is in memory. */
void tree_store_read(const struct tree_store *trees, uint16_t partition,
                     struct merkle_tree *ret_tree);

/* What one batch changes about the leaves: zeroed is nothing. */
struct tree_change {
    uint16_t partition;
    uint16_t leaf;
    uint64_t toggle;            /* for the kept leaf */
    uint64_t mirrored;          /* for the leaf that a scrub is building */
    uint8_t key[LEAF_KEY_SIZE]; /* of the leaf's record, and its new value */
    uint8_t value[8];
};

struct tree_digest {
    const struct object *object; /* borrowed for the life of the changes */
    uint8_t digest[DIGEST_SIZE];
};

struct tree_changes {
    struct tree_change *changes; /* owned; each leaf once */
    size_t count;
    size_t capacity;
    struct buffer key;         /* scratch */
    struct tree_digest before; /* computed last: a row has the digest of its object */
    struct tree_digest after;
};

/*
 * Adds that the object or row under the engine's key `key` changes from `before` to `after`
 * (NULL: none). Both stay as they are until the changes are released.
 */
MUST_CHECK enum status tree_changes_add(struct tree_changes *changes,
                                        const struct tree_store *trees, struct slice key,
                                        const struct object *before,
                                        const struct object *after);
/* Fills key and value of each change, and with them `ret_writes`, one write for each. */
void tree_changes_encode(struct tree_changes *changes, const struct tree_store *trees,
                         struct engine_write *ret_writes);
/* The writes are in the engine: changes the leaves in memory. */
void tree_changes_carry_out(const struct tree_changes *changes, struct tree_store *trees);
void tree_changes_release(struct tree_changes *changes);

/* The entry behind which the next slice of a scrub begins. */
struct tree_cursor {
    enum merkle_part part;
    struct slice key; /* the object's; empty: the beginning of the partition */
};

/*
 * A slice of a scrub of `partition` begins at `from`: true if what has been built so far ends
 * there. From the beginning it is always true, and what was built before is dropped.
 */
bool tree_scrub_begin(struct tree_store *trees, uint16_t partition,
                      const struct tree_cursor *from);
void tree_scrub_add(struct tree_store *trees, enum merkle_part part, struct slice object_key,
                    const uint8_t digest[DIGEST_SIZE]);
/* The slice ended behind `to`. STATUS_NO_MEMORY: the tree is dropped. */
MUST_CHECK enum status tree_scrub_pause(struct tree_store *trees, const struct tree_cursor *to);
/* The partition is done: what was built becomes the kept tree, in the engine too. */
MUST_CHECK enum status tree_scrub_finish(struct tree_store *trees, struct engine *engine,
                                         bool *ret_differed);
void tree_scrub_drop(struct tree_store *trees);

#endif
