/*
 * merkle.c - leaves, hashes and the order of entries.
 *
 * The hashes tell replicas of one cluster apart that lost or missed something; they protect
 * nothing. Digests are SHA-256 already, so a cheap hash that mixes well is enough.
 */
#include "ring/merkle.h"

#include <assert.h>

#include "ring/fnv.h"
#include "ring/key.h"

static_assert(MERKLE_BUCKETS * MERKLE_FANOUT == MERKLE_LEAVES, "each leaf in one bucket");
static_assert(MERKLE_FANOUT == 32, "a bucket of struct merkle_leaves has 32 bits");

/* Spreads each bit over all, so that exclusive ors of hashes do not cancel out in families. */
static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

uint16_t merkle_leaf_of(struct slice object_key)
{
    /* The upper half is the better mixed one. */
    return (uint16_t)((fnv32(object_key) >> 16) % MERKLE_LEAVES);
}

uint64_t merkle_entry_hash(enum merkle_part part, struct slice object_key,
                           const uint8_t digest[DIGEST_SIZE])
{
    assert(part == MERKLE_OBJECT || part == MERKLE_ROW);

    uint8_t head = (uint8_t)part;
    uint64_t hash = fnv64(slice_of(&head, 1));
    hash = fnv64_add(hash, slice_of(digest, DIGEST_SIZE));
    hash = mix(fnv64_add(hash, object_key));
    return hash != 0 ? hash : 1;
}

void merkle_bucket_hashes(const struct merkle_tree *tree, uint64_t ret_hash[MERKLE_BUCKETS])
{
    for (uint16_t bucket = 0; bucket < MERKLE_BUCKETS; bucket++) {
        uint64_t hash = 0;
        for (uint16_t i = 0; i < MERKLE_FANOUT; i++) {
            uint16_t leaf = (uint16_t)(bucket * MERKLE_FANOUT + i);
            /* Each under its number, so that two leaves that change places are seen. */
            hash += tree->leaf[leaf] == 0 ? 0 : mix(tree->leaf[leaf] + leaf) | 1;
        }
        ret_hash[bucket] = hash;
    }
}

void merkle_bucket_leaves(const struct merkle_tree *tree, uint16_t bucket,
                          uint64_t ret_hash[MERKLE_FANOUT])
{
    assert(bucket < MERKLE_BUCKETS);

    for (uint16_t i = 0; i < MERKLE_FANOUT; i++) {
        ret_hash[i] = tree->leaf[bucket * MERKLE_FANOUT + i];
    }
}

void merkle_leaves_add(struct merkle_leaves *leaves, uint16_t leaf)
{
    assert(leaf < MERKLE_LEAVES);

    leaves->bucket[leaf / MERKLE_FANOUT] |= UINT32_C(1) << leaf % MERKLE_FANOUT;
}

bool merkle_leaves_has(const struct merkle_leaves *leaves, uint16_t leaf)
{
    assert(leaf < MERKLE_LEAVES);

    return (leaves->bucket[leaf / MERKLE_FANOUT] >> leaf % MERKLE_FANOUT & 1) != 0;
}

bool merkle_leaves_are_empty(const struct merkle_leaves *leaves)
{
    for (int i = 0; i < MERKLE_BUCKETS; i++) {
        if (leaves->bucket[i] != 0) {
            return false;
        }
    }
    return true;
}

struct merkle_leaves merkle_leaves_common(const struct merkle_leaves *a,
                                          const struct merkle_leaves *b)
{
    struct merkle_leaves common;

    for (int i = 0; i < MERKLE_BUCKETS; i++) {
        common.bucket[i] = a->bucket[i] & b->bucket[i];
    }
    return common;
}

static int compare_rows(struct slice key_a, struct slice key_b)
{
    assert(!key_is_root(key_a) && !key_is_root(key_b));

    int order = slice_compare(key_directory(key_a), key_directory(key_b));
    if (order == 0) {
        order = slice_compare(key_name(key_a), key_name(key_b));
    }
    return order != 0 ? order : (int)key_row_kind(key_a) - (int)key_row_kind(key_b);
}

int merkle_entry_compare(enum merkle_part part_a, struct slice key_a, enum merkle_part part_b,
                         struct slice key_b)
{
    if (part_a != part_b) {
        return (int)part_a - (int)part_b;
    }
    return part_a == MERKLE_OBJECT ? slice_compare(key_a, key_b) : compare_rows(key_a, key_b);
}
