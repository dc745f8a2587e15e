/*
 * tree_check.c - are the trees of a store what its data says?
 */
#include "tests/store/tree_check.h"

#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/layout.h"
#include "node/wire/record.h"

static bool on_record(void *context, struct slice key, struct slice value)
{
    struct forest *forest = context;
    struct layout_entry entry;
    struct buffer scratch = {0};
    struct object *object = NULL;
    uint8_t digest[DIGEST_SIZE];

    assert_int_equal(layout_parse_entry(key, &scratch, &entry), STATUS_OK);
    assert_int_equal(record_decode(value, &object), STATUS_OK);
    assert_true(entry.partition < FIXTURE_PARTITIONS);
    object_digest(object, digest);
    forest->tree[entry.partition].leaf[merkle_leaf_of(entry.object_key)] ^=
        merkle_entry_hash(entry.part, entry.object_key, digest);
    object_unref(object);
    buffer_release(&scratch);
    return true;
}

static bool on_leaf(void *context, struct slice key, struct slice value)
{
    struct forest *forest = context;
    uint16_t partition = 0;
    uint16_t leaf = 0;
    uint64_t number = 0;

    assert_true(layout_parse_leaf(key, &partition, &leaf));
    assert_true(number_decode(value, &number));
    assert_true(partition < FIXTURE_PARTITIONS && number != 0);
    forest->tree[partition].leaf[leaf] = number;
    return true;
}

static void scan_into(struct fixture *fixture, const char *start, const char *end,
                      engine_visit *visit, struct forest *forest)
{
    assert_int_equal(fixture->disk->operations->scan(fixture->disk, slice_of_string(start),
                                                     slice_of_string(end), true, visit, forest),
                     STATUS_OK);
}

void forest_of_data(struct fixture *fixture, struct forest *ret_forest)
{
    memset(ret_forest, 0, sizeof *ret_forest);
    scan_into(fixture, "o", "p", on_record, ret_forest);
    scan_into(fixture, "r", "s", on_record, ret_forest);
}

void forest_of_answers(struct fixture *fixture, struct forest *ret_forest)
{
    uint64_t hashes[MERKLE_BUCKETS];

    for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
        struct merkle_tree *tree = &ret_forest->tree[partition];
        struct store_result result;
        for (uint16_t bucket = 0; bucket < MERKLE_BUCKETS; bucket++) {
            result = apply(fixture, tree_request(partition, bucket));
            assert_int_equal(result.status, STATUS_OK);
            memcpy(&tree->leaf[bucket * MERKLE_FANOUT], result.hashes,
                   MERKLE_FANOUT * sizeof *result.hashes);
            store_result_release(&result);
        }
        result = apply(fixture, tree_request(partition, MERKLE_BUCKETS));
        assert_int_equal(result.status, STATUS_OK);
        merkle_bucket_hashes(tree, hashes);
        assert_memory_equal(hashes, result.hashes, sizeof hashes);
        store_result_release(&result);
    }
}

void assert_trees_true(struct fixture *fixture)
{
    struct forest *data = malloc(sizeof *data);
    struct forest *other = calloc(1, sizeof *other);

    assert_true(data != NULL && other != NULL);
    forest_of_data(fixture, data);
    scan_into(fixture, "t", "u", on_leaf, other);
    assert_memory_equal(data, other, sizeof *data);
    forest_of_answers(fixture, other);
    assert_memory_equal(data, other, sizeof *data);
    free(data);
    free(other);
}

struct store_request tree_request(uint16_t partition, uint16_t bucket)
{
    struct store_request request = plain_request(STORE_TREE);

    request.partition = partition;
    request.bucket = bucket;
    return request;
}

struct store_request tree_keys_request(uint16_t partition, uint16_t limit)
{
    struct store_request request = plain_request(STORE_TREE_KEYS);

    request.partition = partition;
    request.limit = limit;
    memset(&request.leaves, 0xff, sizeof request.leaves);
    return request;
}

struct store_request scrub_request(uint16_t partition, uint16_t limit)
{
    struct store_request request = plain_request(STORE_SCRUB);

    request.partition = partition;
    request.limit = limit;
    return request;
}

void continue_behind(struct store_request *request, const struct store_result *result)
{
    assert_true(result->entry_count > 0);
    const struct tree_entry *last = &result->entries[result->entry_count - 1].entry;

    request->part = last->part;
    request->key = blob_ref(last->key);
}

uint16_t partition_of(enum merkle_part part, const char *key)
{
    struct slice placed = slice_of_string(key);

    if (part == MERKLE_ROW) {
        placed = key_directory(placed);
    }
    struct position position = position_of(placed);
    return position_partition(&position, FIXTURE_PARTITIONS);
}
