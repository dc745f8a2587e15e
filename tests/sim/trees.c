/*
 * trees.c - does a node's Merkle tree say what its data does?
 */
#include "tests/sim/trees.h"

#include <string.h>

#include "tests/sim/check.h"

enum { ENTRIES_AT_ONCE = 64 };

/* Adds a page of the partition's entries to the tree. False if it cannot be read. */
static bool add_page(struct merkle_tree *tree, const struct store_result *result)
{
    for (uint16_t i = 0; i < result->entries.count; i++) {
        const struct tree_entry *entry = &result->entries.scrubbed[i].entry;
        struct slice key = blob_slice(entry->key);
        tree->leaf[merkle_leaf_of(key)] ^= merkle_entry_hash(entry->part, key, entry->digest);
    }
    return result->status == STATUS_OK;
}

static bool tree_of_data(struct world *world, int node, uint16_t partition,
                         struct merkle_tree *ret_tree)
{
    struct blob *after = NULL;
    enum merkle_part after_part = (enum merkle_part)0;
    bool good = true;
    bool more = true;
    memset(ret_tree, 0, sizeof *ret_tree);
    while (good && more) {
        struct store_request request = {
            .operation = STORE_TREE_KEYS,
            .key = after,
            .entries = {.partition = partition, .part = after_part, .limit = ENTRIES_AT_ONCE}};
        memset(&request.entries.leaves, 0xff, sizeof request.entries.leaves);
        struct store_result result = check_look(world, node, &request);
        good = add_page(ret_tree, &result);
        more = result.entries.more && result.entries.count > 0;
        if (more) {
            const struct tree_entry *last =
                &result.entries.scrubbed[result.entries.count - 1].entry;
            after = blob_ref(last->key);
            after_part = last->part;
        }
        store_result_release(&result);
    }
    return good;
}

bool tree_is_true(struct world *world, int node, uint16_t partition)
{
    struct merkle_tree tree;
    uint64_t hashes[MERKLE_BUCKETS];
    struct store_request request = {.operation = STORE_TREE,
                                    .tree = {.partition = partition, .bucket = MERKLE_BUCKETS}};
    struct store_result result = check_look(world, node, &request);
    bool good = result.status == STATUS_OK && tree_of_data(world, node, partition, &tree);
    if (good) {
        merkle_bucket_hashes(&tree, hashes);
        good = memcmp(hashes, result.hashes, sizeof hashes) == 0;
    }
    store_result_release(&result);
    return good;
}
