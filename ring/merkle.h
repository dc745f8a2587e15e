/*
 * merkle.h - the Merkle tree of one partition: which entries do two replicas disagree on?
 *
 * Shape:    root, 32 buckets, 1,024 leaves. A leaf is the exclusive or of the hashes of its
 *           entries, so that an entry is added and taken out by the same toggle, in any order.
 *           An entry is an object or a row of the partition, under its object's key.
 * Source:   DeCandia et al., section 4.7; docs/design.md, Objects and rows.
 * Never:    a node's own leaf rule: the number of a key's leaf is part of the protocol.
 */
#ifndef RING_MERKLE_H
#define RING_MERKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/hash.h"

enum { MERKLE_BUCKETS = 32, MERKLE_FANOUT = 32, MERKLE_LEAVES = 1024 };

/* What an entry is; the values are in hashes and messages, and order the entries. */
enum merkle_part { MERKLE_OBJECT = 1, MERKLE_ROW = 2 };

struct merkle_tree {
    uint64_t leaf[MERKLE_LEAVES];
};

/* A set of leaves. */
struct merkle_leaves {
    uint32_t bucket[MERKLE_BUCKETS]; /* bit i: leaf i of the bucket */
};

/* The leaf of an object's key (also of its row): below MERKLE_LEAVES. The store's lanes are
 * chosen by the same number, so that a leaf is only ever written by one of them. */
uint16_t merkle_leaf_of(struct slice object_key);
/* The hash of an entry; `digest` is object_digest of the object or row. Never 0. */
uint64_t merkle_entry_hash(enum merkle_part part, struct slice object_key,
                           const uint8_t digest[DIGEST_SIZE]);
/* The hash of each bucket: 0 for one whose leaves are all 0. */
void merkle_bucket_hashes(const struct merkle_tree *tree, uint64_t ret_hash[MERKLE_BUCKETS]);
/* The leaves of one bucket. */
void merkle_bucket_leaves(const struct merkle_tree *tree, uint16_t bucket,
                          uint64_t ret_hash[MERKLE_FANOUT]);

void merkle_leaves_add(struct merkle_leaves *leaves, uint16_t leaf);
bool merkle_leaves_has(const struct merkle_leaves *leaves, uint16_t leaf);
bool merkle_leaves_are_empty(const struct merkle_leaves *leaves);
/* Those in both. */
struct merkle_leaves merkle_leaves_common(const struct merkle_leaves *a,
                                          const struct merkle_leaves *b);

/* The order in which a store lists entries: objects by key, then rows by directory, name and
 * kind. Below, at or above 0. Both keys are valid; rows are not of the root. */
int merkle_entry_compare(enum merkle_part part_a, struct slice key_a, enum merkle_part part_b,
                         struct slice key_b);

#endif
