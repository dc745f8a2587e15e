/*
 * tree_check.c - are the trees of a store what its data says?
 */
#include "tests/store/tree_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/wire/record.h"

enum { KEYS = 60 };

static uint64_t random_state = 88172645463325252u;

uint32_t draw_below(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

/* Files at the top and below directories, and the directories. */
static void key_text(uint32_t number, char text[32])
{
    if (number % 6 == 0) {
        (void)snprintf(text, 32, "d%u/", number % 18 / 6);
    } else if (number % 3 == 0) {
        (void)snprintf(text, 32, "top%u", number);
    } else {
        (void)snprintf(text, 32, "d%u/f%u", number % 4, number);
    }
}

/* A request of any kind that changes data. Some are for the root. */
static struct store_request any_change(struct fixture *fixture)
{
    char text[32];
    char content[32];
    struct object *seen = NULL;
    struct store_request request;
    uint32_t kind = draw_below(10);

    key_text(draw_below(KEYS), text);
    (void)snprintf(content, sizeof content, "%u", draw_below(1000000));
    if (draw_below(40) == 0) {
        (void)snprintf(text, sizeof text, "/");
    }
    switch (kind) {
    case 0:
    case 1:
        return merge_request(text, object_of(20 + draw_below(3), 1 + draw_below(500), content),
                             REPLICA_OBJECT | REPLICA_ROW);
    case 2:
        return merge_request(text, object_of(20 + draw_below(3), 1 + draw_below(500), NULL),
                             draw_below(2) == 0 ? REPLICA_ROW : REPLICA_OBJECT);
    case 3:
        request = plain_request(STORE_PROJECT);
        request.key = key_of(text);
        return request;
    case 4:
        return put_request(text, NULL, content);
    default:
        seen = stored_object(fixture, text);
        request = put_request(text, seen, kind == 9 ? NULL : content);
        request.coordinate.with_row = draw_below(4) > 0;
        object_unref(seen);
        return request;
    }
}

void change_some(struct fixture *fixture, int groups)
{
    for (int group = 0; group < groups; group++) {
        struct store_request requests[8];
        struct store_result results[8];
        size_t count = 1 + draw_below(8);
        for (size_t i = 0; i < count; i++) {
            requests[i] = any_change(fixture);
        }
        apply_group(fixture, requests, count, results);
        for (size_t i = 0; i < count; i++) {
            bool is_expected =
                results[i].status == STATUS_OK || results[i].status == STATUS_TOO_MANY_VERSIONS;
            assert_true(is_expected);
            store_result_release(&results[i]);
        }
    }
}

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

    request.tree.partition = partition;
    request.tree.bucket = bucket;
    return request;
}

struct store_request tree_keys_request(uint16_t partition, uint16_t limit)
{
    struct store_request request = plain_request(STORE_TREE_KEYS);

    request.entries.partition = partition;
    request.entries.limit = limit;
    memset(&request.entries.leaves, 0xff, sizeof request.entries.leaves);
    return request;
}

struct store_request scrub_request(uint16_t partition, uint16_t limit)
{
    struct store_request request = plain_request(STORE_SCRUB);

    request.entries.partition = partition;
    request.entries.limit = limit;
    return request;
}

void continue_behind(struct store_request *request, const struct store_result *result)
{
    assert_true(result->entries.count > 0);
    const struct tree_entry *last = &result->entries.scrubbed[result->entries.count - 1].entry;

    request->entries.part = last->part;
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
