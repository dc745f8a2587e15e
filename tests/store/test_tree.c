/*
 * test_tree.c - Merkle trees are what the data says, whatever happens to either.
 *
 * Rules: leaves follow every put, merge, delete and reap, in memory and on the disk; a batch
 *        that fails changes none; a restart, clean or not, keeps them; a store that has none is
 *        given them; a scrubbed tree takes the writes in between; entries come in pages, each
 *        once; a tombstone goes only where nothing needs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/layout.h"
#include "tests/store/tree_check.h"

static void test_tree__random_changes__equal_what_the_data_says(void **state)
{
    struct fixture *fixture = *state;

    assert_trees_true(fixture);
    for (int i = 0; i < 20; i++) {
        change_some(fixture, 20);
        assert_trees_true(fixture);
    }
}

static void test_tree__write_fails__is_unchanged(void **state)
{
    struct fixture *fixture = *state;
    struct forest before;
    struct forest after;

    change_some(fixture, 50);
    forest_of_answers(fixture, &before);
    for (int i = 0; i < 20; i++) {
        struct object *seen = stored_object(fixture, "d1/f1");
        atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
        apply_expect(fixture, put_request("d1/f1", seen, "new"), STATUS_NO_SPACE);
        atomic_store(&fixture->spy.write_failure, STATUS_OK);
        object_unref(seen);
    }
    forest_of_answers(fixture, &after);
    assert_memory_equal(&before, &after, sizeof before);
    change_some(fixture, 5);
    assert_trees_true(fixture);
}

static void test_tree__restarted__is_kept(void **state)
{
    struct fixture *fixture = *state;

    for (int clean = 0; clean <= 1; clean++) {
        change_some(fixture, 50);
        spy_engine_reset(&fixture->spy);
        fixture_restart(fixture, clean);
        assert_trees_true(fixture);
        change_some(fixture, 5);
        assert_trees_true(fixture);
    }
}

static void delete_key(struct fixture *fixture, struct slice key)
{
    struct engine_write write = {.key = key, .is_delete = true};

    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
}

static void write_value(struct fixture *fixture, struct slice key, const char *value)
{
    struct engine_write write = {.key = key, .value = slice_of_string(value)};

    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
}

/* As a store was before there were trees. */
static void drop_trees(struct fixture *fixture)
{
    for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
        for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
            uint8_t key[LEAF_KEY_SIZE];
            layout_leaf(partition, leaf, key);
            delete_key(fixture, slice_of(key, sizeof key));
        }
    }
    delete_key(fixture, slice_of_string("mtrees"));
}

static void test_tree__store_without_trees__is_given_them(void **state)
{
    struct fixture *fixture = *state;

    change_some(fixture, 60);
    drop_trees(fixture);
    fixture_restart(fixture, true);
    assert_trees_true(fixture);
    fixture_restart(fixture, false);
    assert_trees_true(fixture);
}

static void test_tree__leaves_unreadable__are_built_anew(void **state)
{
    static const char *const bad_keys[] = {"t", "t12345", "t1234"};
    struct fixture *fixture = *state;
    uint8_t key[LEAF_KEY_SIZE];

    change_some(fixture, 60);
    for (size_t i = 0; i < 3; i++) {
        write_value(fixture, slice_of_string(bad_keys[i]), "12345678");
        fixture_restart(fixture, true);
        assert_trees_true(fixture);
    }
    layout_leaf(1, 1, key);
    write_value(fixture, slice_of(key, sizeof key), "short");
    fixture_restart(fixture, true);
    assert_trees_true(fixture);
}

static void test_tree__partition_or_bucket_that_cannot_be__is_refused(void **state)
{
    struct fixture *fixture = *state;

    apply_expect(fixture, tree_request(FIXTURE_PARTITIONS, 0), STATUS_BAD_MESSAGE);
    apply_expect(fixture, tree_request(0, MERKLE_BUCKETS + 1), STATUS_BAD_MESSAGE);
    apply_expect(fixture, tree_keys_request(FIXTURE_PARTITIONS, 1), STATUS_BAD_MESSAGE);
    apply_expect(fixture, tree_keys_request(0, 0), STATUS_BAD_MESSAGE);
    apply_expect(fixture, scrub_request(FIXTURE_PARTITIONS, 1), STATUS_BAD_MESSAGE);
    struct store_request request = tree_keys_request(0, 1);
    request.key = key_of("a//b");
    request.entries.part = MERKLE_OBJECT;
    apply_expect(fixture, request, STATUS_BAD_MESSAGE);
    request = tree_keys_request(partition_of(MERKLE_OBJECT, "a") ^ 1, 1);
    request.key = key_of("a");
    request.entries.part = MERKLE_OBJECT;
    apply_expect(fixture, request, STATUS_BAD_MESSAGE);
    request = tree_keys_request(partition_of(MERKLE_OBJECT, "/"), 1);
    request.key = key_of("/");
    request.entries.part = MERKLE_ROW;
    apply_expect(fixture, request, STATUS_BAD_MESSAGE);
}

/* A page at a time, in order, each entry once; gives how many there were. */
static size_t read_keys(struct fixture *fixture, uint16_t partition, uint16_t limit,
                        const struct merkle_leaves *leaves, struct merkle_tree *ret_tree)
{
    struct store_request request = tree_keys_request(partition, limit);
    struct tree_entry last = {0};
    size_t count = 0;
    bool more = true;

    memset(ret_tree, 0, sizeof *ret_tree);
    while (more) {
        request.entries.leaves = *leaves;
        struct store_result result = apply(fixture, request);
        assert_int_equal(result.status, STATUS_OK);
        assert_true(result.entries.count <= limit);
        assert_true(result.entries.count > 0 || !result.entries.more);
        for (size_t i = 0; i < result.entries.count; i++) {
            struct tree_entry *entry = &result.entries.scrubbed[i].entry;
            struct slice key = blob_slice(entry->key);
            assert_true(merkle_leaves_has(leaves, merkle_leaf_of(key)));
            assert_true(!last.key || merkle_entry_compare(last.part, blob_slice(last.key),
                                                          entry->part, key) < 0);
            ret_tree->leaf[merkle_leaf_of(key)] ^=
                merkle_entry_hash(entry->part, key, entry->digest);
            blob_unref(last.key);
            last = *entry;
            blob_ref(last.key);
            count++;
        }
        more = result.entries.more;
        request = tree_keys_request(partition, limit);
        if (more) {
            continue_behind(&request, &result);
        }
        store_result_release(&result);
    }
    blob_unref(last.key);
    return count;
}

static void test_tree_keys__paged__give_every_entry_once_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct forest forest;
    struct merkle_leaves all;
    struct merkle_tree tree;
    static const uint16_t limits[] = {1, 2, 7, 1024};

    memset(&all, 0xff, sizeof all);
    change_some(fixture, 100);
    forest_of_data(fixture, &forest);
    for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
        size_t count = read_keys(fixture, partition, 1, &all, &tree);
        assert_memory_equal(&tree, &forest.tree[partition], sizeof tree);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(read_keys(fixture, partition, limits[i], &all, &tree), count);
            assert_memory_equal(&tree, &forest.tree[partition], sizeof tree);
        }
    }
}

static void test_tree_keys__some_leaves__give_just_their_entries(void **state)
{
    struct fixture *fixture = *state;
    struct forest forest;
    struct merkle_tree tree;

    change_some(fixture, 100);
    forest_of_data(fixture, &forest);
    for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
        struct merkle_leaves leaves = {0};
        for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
            if (forest.tree[partition].leaf[leaf] != 0 && draw_below(2) == 0) {
                merkle_leaves_add(&leaves, leaf);
            } else {
                forest.tree[partition].leaf[leaf] = 0;
            }
        }
        (void)read_keys(fixture, partition, 3, &leaves, &tree);
        assert_memory_equal(&tree, &forest.tree[partition], sizeof tree);
    }
}

/* One partition with far more rows than a call looks at. */
static void test_tree_keys__few_among_many__are_found_in_bounded_pages(void **state)
{
    struct fixture *fixture = *state;
    enum { ROWS = 7000 };
    uint16_t partition = partition_of(MERKLE_ROW, "big/x");
    struct merkle_leaves leaves = {0};
    struct merkle_tree tree;
    char text[32];
    size_t expected = 0;

    for (int i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "big/%d", i * 3000);
        merkle_leaves_add(&leaves, merkle_leaf_of(slice_of_string(text)));
    }
    for (int i = 0; i < ROWS; i += 50) {
        struct store_request requests[50];
        struct store_result results[50];
        for (int j = 0; j < 50; j++) {
            (void)snprintf(text, sizeof text, "big/%d", i + j);
            requests[j] = merge_request(text, object_of(20, 1, ""), REPLICA_ROW);
            expected += merkle_leaves_has(&leaves, merkle_leaf_of(slice_of_string(text)));
        }
        apply_group(fixture, requests, 50, results);
        for (int j = 0; j < 50; j++) {
            assert_int_equal(results[j].status, STATUS_OK);
            store_result_release(&results[j]);
        }
    }
    struct store_request request = tree_keys_request(partition, 1000);
    request.entries.leaves = leaves;
    struct store_result result = apply(fixture, request);
    assert_int_equal(result.status, STATUS_OK);
    assert_in_range(result.entries.count, 1, expected - 1);
    assert_true(result.entries.more);
    store_result_release(&result);
    assert_int_equal(read_keys(fixture, partition, 1000, &leaves, &tree), expected);
}

static void test_project__row_lags__is_merged_into_it(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = put_request("a", NULL, "one");

    request.coordinate.with_row = false;
    apply_expect(fixture, request, STATUS_OK);
    for (int round = 0; round < 2; round++) {
        request = plain_request(STORE_PROJECT);
        request.key = key_of("a");
        spy_engine_reset(&fixture->spy);
        apply_expect(fixture, request, STATUS_OK);
        assert_int_equal(atomic_load(&fixture->spy.batches), round == 0 ? 1 : 0);
        struct object *object = stored_object(fixture, "a");
        struct object *row = stored_row(fixture, "/", "a");
        assert_non_null(row);
        assert_true(object_equal(object, row));
        assert_null(row->versions[0].content);
        object_unref(object);
        object_unref(row);
    }
    request = plain_request(STORE_PROJECT);
    request.key = key_of("missing");
    apply_expect(fixture, request, STATUS_OK);
    assert_null(stored_row(fixture, "/", "missing"));
    assert_trees_true(fixture);
}

/* The row that comes to be may be live under a directory that is not. */
static void test_project__directory_missing__leaves_an_intent_to_revive_it(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = put_request("gone/a", NULL, "one");

    request.coordinate.with_row = false;
    apply_expect(fixture, request, STATUS_OK);
    request = plain_request(STORE_PROJECT);
    request.key = key_of("gone/a");
    struct store_result result = apply(fixture, request);
    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.revive);
    store_result_release(&result);
    assert_true(stored_intent(fixture, INTENT_REVIVE, "gone/") != 0);
}

static struct store_request reap_request(const char *key, enum merkle_part part,
                                         const struct object *object, bool drop)
{
    struct store_request request = plain_request(STORE_REAP);

    request.key = key_of(key);
    request.reap.part = part;
    request.reap.drop = drop;
    object_digest(object, request.reap.digest);
    return request;
}

static void test_reap__tombstone_that_is_meant__goes_and_its_row_after_it(void **state)
{
    struct fixture *fixture = *state;
    struct object *tombstone = object_of(20, 5, NULL);
    struct object *row = NULL;

    apply_expect(fixture,
                 merge_request("a", object_ref(tombstone), REPLICA_OBJECT | REPLICA_ROW),
                 STATUS_OK);

    apply_expect(fixture, reap_request("a", MERKLE_ROW, tombstone, false), STATUS_REFUSED);
    apply_expect(fixture, reap_request("a", MERKLE_ROW, tombstone, true), STATUS_REFUSED);
    apply_expect(fixture, reap_request("a", MERKLE_OBJECT, tombstone, false), STATUS_OK);
    struct object *object = stored_object(fixture, "a");
    assert_non_null(object);
    object_unref(object);

    apply_expect(fixture, reap_request("a", MERKLE_OBJECT, tombstone, true), STATUS_OK);
    assert_null(stored_object(fixture, "a"));
    row = stored_row(fixture, "/", "a");
    assert_non_null(row);
    object_unref(row);
    assert_trees_true(fixture);
    apply_expect(fixture, reap_request("a", MERKLE_OBJECT, tombstone, true), STATUS_OK);

    apply_expect(fixture, reap_request("a", MERKLE_ROW, tombstone, true), STATUS_OK);
    assert_null(stored_row(fixture, "/", "a"));
    assert_trees_true(fixture);
    struct forest forest;
    static const struct forest nothing;
    forest_of_answers(fixture, &forest);
    assert_memory_equal(&forest, &nothing, sizeof forest);
    object_unref(tombstone);
}

static void test_reap__live_or_another_tombstone__is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct object *tombstone = object_of(20, 5, NULL);
    struct object *live = object_of(20, 6, "x");

    apply_expect(fixture, merge_request("a", object_of(20, 7, NULL), REPLICA_OBJECT),
                 STATUS_OK);
    apply_expect(fixture, merge_request("b", object_ref(live), REPLICA_OBJECT), STATUS_OK);
    for (int drop = 0; drop <= 1; drop++) {
        apply_expect(fixture, reap_request("a", MERKLE_OBJECT, tombstone, drop),
                     STATUS_REFUSED);
        apply_expect(fixture, reap_request("b", MERKLE_OBJECT, live, drop), STATUS_REFUSED);
        apply_expect(fixture, reap_request("c", MERKLE_OBJECT, tombstone, drop), STATUS_OK);
        apply_expect(fixture, reap_request("c", MERKLE_ROW, tombstone, drop), STATUS_OK);
        apply_expect(fixture, reap_request("a", 0, tombstone, drop), STATUS_OK);
    }
    struct object *object = stored_object(fixture, "a");
    assert_non_null(object);
    object_unref(object);
    object_unref(live);
    object_unref(tombstone);
}

/* Its row may be live elsewhere, and the tombstone here alone. */
static void test_reap__row_still_to_be_pushed__is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_result put = apply(fixture, put_request("a", NULL, "x"));
    struct store_result result = apply(fixture, put_request("a", put.object, NULL));

    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&put);
    apply_expect(fixture, reap_request("a", MERKLE_OBJECT, result.object, true),
                 STATUS_REFUSED);
    apply_expect(fixture, clear_request(INTENT_ROW, "a", result.intent_stamp), STATUS_OK);
    apply_expect(fixture, reap_request("a", MERKLE_OBJECT, result.object, true), STATUS_OK);
    store_result_release(&result);
}

static void test_complete__marked__survives_restarts(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = plain_request(STORE_SAVE_RING);

    assert_true(fixture->identity.is_complete);
    fixture_restart(fixture, true);
    assert_true(fixture->identity.is_complete);

    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(2);
    request.save_ring.mark_incomplete = true;
    spy_engine_reset(&fixture->spy);
    apply_expect(fixture, request, STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.batches), 1);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);
    for (int clean = 0; clean <= 1; clean++) {
        fixture_restart(fixture, clean);
        assert_false(fixture->identity.is_complete);
        assert_int_equal(fixture->identity.ring.member_count, 2);
    }

    request = plain_request(STORE_SET_COMPLETE);
    request.set_complete.is_complete = true;
    spy_engine_reset(&fixture->spy);
    apply_expect(fixture, request, STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);
    fixture_restart(fixture, false);
    assert_true(fixture->identity.is_complete);
    apply_expect(fixture, plain_request(STORE_SET_COMPLETE), STATUS_OK);
    fixture_restart(fixture, false);
    assert_false(fixture->identity.is_complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_tree__random_changes__equal_what_the_data_says),
        ON_BOTH_ENGINES(test_tree__write_fails__is_unchanged),
        ON_BOTH_ENGINES(test_tree__restarted__is_kept),
        ON_BOTH_ENGINES(test_tree__store_without_trees__is_given_them),
        ON_BOTH_ENGINES(test_tree__leaves_unreadable__are_built_anew),
        ON_MEMORY(test_tree__partition_or_bucket_that_cannot_be__is_refused),
        ON_BOTH_ENGINES(test_tree_keys__paged__give_every_entry_once_in_order),
        ON_MEMORY(test_tree_keys__some_leaves__give_just_their_entries),
        ON_MEMORY(test_tree_keys__few_among_many__are_found_in_bounded_pages),
        ON_BOTH_ENGINES(test_project__row_lags__is_merged_into_it),
        ON_MEMORY(test_project__directory_missing__leaves_an_intent_to_revive_it),
        ON_BOTH_ENGINES(test_reap__tombstone_that_is_meant__goes_and_its_row_after_it),
        ON_MEMORY(test_reap__live_or_another_tombstone__is_refused),
        ON_MEMORY(test_reap__row_still_to_be_pushed__is_refused),
        ON_BOTH_ENGINES(test_complete__marked__survives_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
