/*
 * test_scrub.c - a scrub reads every entry again, and makes trees true.
 *
 * Rules: a scrub gives each entry once, with its digest, and a tombstone's time; a tree that is
 *        not what the disk says is replaced, on the disk too, and that is told; writes between
 *        two slices are in the new tree; a slice is bounded; what cannot be read is told by
 *        name, and no tree is made of the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/wire/record.h"
#include "tests/store/tree_check.h"

struct scrubbed {
    struct merkle_tree tree; /* of what was given */
    size_t slices;
    size_t tombstones;
    bool differed;
};

static void take_slice(const struct store_result *result, struct scrubbed *scrubbed)
{
    assert_int_equal(result->status, STATUS_OK);
    for (size_t i = 0; i < result->entries.count; i++) {
        const struct scrubbed_entry *scrubbed_entry = &result->entries.scrubbed[i];
        const struct tree_entry *entry = &scrubbed_entry->entry;
        scrubbed->tree.leaf[merkle_leaf_of(blob_slice(entry->key))] ^=
            merkle_entry_hash(entry->part, blob_slice(entry->key), entry->digest);
        scrubbed->tombstones += scrubbed_entry->tombstone_us != 0;
    }
    assert_false(result->entries.more && result->entries.tree_differed);
    scrubbed->slices++;
    scrubbed->differed = result->entries.tree_differed;
}

/* Slice by slice, with `changes` groups of writes before each but the first. */
static struct scrubbed scrub(struct fixture *fixture, uint16_t partition, uint16_t limit,
                             int changes)
{
    struct scrubbed scrubbed = {0};
    struct store_request request = scrub_request(partition, limit);
    bool more = true;

    while (more) {
        struct store_result result = apply(fixture, request);
        take_slice(&result, &scrubbed);
        more = result.entries.more;
        request = scrub_request(partition, limit);
        if (more) {
            continue_behind(&request, &result);
            change_some(fixture, changes);
        }
        store_result_release(&result);
    }
    return scrubbed;
}

static void test_scrub__nothing_wrong__gives_every_entry_and_keeps_the_tree(void **state)
{
    struct fixture *fixture = *state;
    static const uint16_t limits[] = {1, 3, 500};
    struct forest forest;

    change_some(fixture, 100);
    forest_of_data(fixture, &forest);
    for (size_t i = 0; i < 3; i++) {
        for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
            spy_engine_reset(&fixture->spy);
            struct scrubbed scrubbed = scrub(fixture, partition, limits[i], 0);
            assert_false(scrubbed.differed);
            assert_memory_equal(&scrubbed.tree, &forest.tree[partition], sizeof scrubbed.tree);
            assert_int_equal(atomic_load(&fixture->spy.batches), 0);
        }
    }
    assert_trees_true(fixture);
}

static void test_scrub__tombstones__are_given_with_their_time(void **state)
{
    struct fixture *fixture = *state;
    uint16_t partition = partition_of(MERKLE_OBJECT, "a");
    struct object *tombstone = object_of(20, 777, NULL);

    object_set_deleted(tombstone, 999);
    apply_expect(fixture, merge_request("a", tombstone, REPLICA_OBJECT), STATUS_OK);
    struct store_result result = apply(fixture, scrub_request(partition, 10));
    assert_int_equal(result.entries.count, 1);
    assert_int_equal(result.entries.scrubbed[0].tombstone_us, 999);
    assert_int_equal(result.entries.scrubbed[0].entry.part, MERKLE_OBJECT);
    store_result_release(&result);

    apply_expect(fixture, merge_request("a", object_of(20, 778, "x"), REPLICA_OBJECT),
                 STATUS_OK);
    result = apply(fixture, scrub_request(partition, 10));
    assert_int_equal(result.entries.count, 1);
    assert_int_equal(result.entries.scrubbed[0].tombstone_us, 0);
    store_result_release(&result);
}

static void write_leaf(struct fixture *fixture, uint16_t partition, uint16_t leaf,
                       uint64_t value)
{
    uint8_t key[LEAF_KEY_SIZE];
    uint8_t number[NUMBER_SIZE];

    layout_leaf(partition, leaf, key);
    number_encode(value, number);
    struct engine_write write = {.key = slice_of(key, sizeof key),
                                 .value = slice_of(number, sizeof number)};
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
}

static void test_scrub__leaves_wrong__are_found_and_made_true(void **state)
{
    struct fixture *fixture = *state;

    change_some(fixture, 60);
    for (int round = 0; round < 10; round++) {
        uint16_t partition = (uint16_t)draw_below(FIXTURE_PARTITIONS);
        write_leaf(fixture, partition, (uint16_t)draw_below(MERKLE_LEAVES), 1 + draw_below(9));
        fixture_restart(fixture, round % 2 == 0);
        for (uint16_t i = 0; i < FIXTURE_PARTITIONS; i++) {
            assert_int_equal(scrub(fixture, i, 3, 0).differed, i == partition);
        }
        assert_trees_true(fixture);
    }
    fixture_restart(fixture, true);
    assert_trees_true(fixture);
}

static void test_scrub__writes_between_slices__are_in_the_new_tree(void **state)
{
    struct fixture *fixture = *state;
    size_t slices = 0;

    change_some(fixture, 60);
    for (int round = 0; round < 3; round++) {
        for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
            struct scrubbed scrubbed = scrub(fixture, partition, 1, 4);
            assert_false(scrubbed.differed);
            slices += scrubbed.slices;
        }
        assert_trees_true(fixture);
    }
    assert_true(slices > 100);
}

/* The same, with the kept tree wrong all the while. */
static void test_scrub__wrong_leaf_and_writes__is_made_true(void **state)
{
    struct fixture *fixture = *state;
    uint16_t partition = partition_of(MERKLE_ROW, "d1/f1");

    change_some(fixture, 60);
    write_leaf(fixture, partition, 5, 12345);
    fixture_restart(fixture, true);
    struct scrubbed scrubbed = scrub(fixture, partition, 1, 4);
    assert_true(scrubbed.slices > 5);
    assert_true(scrubbed.differed);
    assert_trees_true(fixture);
}

static void test_scrub__begun_again__forgets_what_it_had(void **state)
{
    struct fixture *fixture = *state;
    uint16_t partition = partition_of(MERKLE_ROW, "d1/f1");

    change_some(fixture, 60);
    struct store_result result = apply(fixture, scrub_request(partition, 2));
    assert_true(result.entries.more);
    store_result_release(&result);
    change_some(fixture, 20);
    assert_false(scrub(fixture, partition, 2, 1).differed);
    assert_trees_true(fixture);
}

/* After a restart, or when another partition came in between, there is no half-built tree: the
 * rest is read, and nothing is made of it. */
static void test_scrub__goes_on_where_nothing_was_begun__leaves_the_tree(void **state)
{
    struct fixture *fixture = *state;
    uint16_t partition = partition_of(MERKLE_ROW, "d1/f1");

    change_some(fixture, 60);
    for (int round = 0; round < 3; round++) {
        struct store_request request = scrub_request(partition, 2);
        struct store_result result = apply(fixture, request);
        assert_true(result.entries.more);
        request = scrub_request(partition, 100);
        continue_behind(&request, &result);
        store_result_release(&result);
        if (round == 0) {
            fixture_restart(fixture, false);
        } else if (round == 1) {
            (void)scrub(fixture, partition ^ 1, 100, 0);
        } else {
            apply_expect(fixture, scrub_request(partition, 1), STATUS_OK);
        }
        result = apply(fixture, request);
        assert_int_equal(result.status, STATUS_OK);
        assert_true(result.entries.count > 0);
        assert_false(result.entries.more);
        assert_false(result.entries.tree_differed);
        store_result_release(&result);
        assert_trees_true(fixture);
    }
}

static void test_scrub__large_contents__come_in_small_slices(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 40, SIZE = 100000 };
    char *content = malloc(SIZE + 1);
    char text[32];
    size_t entries = 0;
    size_t slices = 0;

    assert_non_null(content);
    memset(content, 'x', SIZE);
    content[SIZE] = '\0';
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "k%d", i);
        apply_expect(fixture, merge_request(text, object_of(20, 1, content), REPLICA_OBJECT),
                     STATUS_OK);
    }
    free(content);
    for (uint16_t partition = 0; partition < FIXTURE_PARTITIONS; partition++) {
        struct store_request request = scrub_request(partition, 1000);
        bool more = true;
        while (more) {
            struct store_result result = apply(fixture, request);
            assert_int_equal(result.status, STATUS_OK);
            assert_true(result.entries.count <= 3);
            entries += result.entries.count;
            slices++;
            more = result.entries.more;
            request = scrub_request(partition, 1000);
            if (more) {
                continue_behind(&request, &result);
            }
            store_result_release(&result);
        }
    }
    assert_int_equal(entries, COUNT);
    assert_true(slices > FIXTURE_PARTITIONS);
}

static void test_scrub__new_tree_cannot_be_written__keeps_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct forest before;
    struct forest after;

    change_some(fixture, 60);
    write_leaf(fixture, 3, 5, 12345);
    fixture_restart(fixture, true);
    forest_of_answers(fixture, &before);
    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    apply_expect(fixture, scrub_request(3, 1000), STATUS_NO_SPACE);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);
    forest_of_answers(fixture, &after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_true(scrub(fixture, 3, 1000, 0).differed);
    assert_trees_true(fixture);
}

/* Overwrites the record of an object. */
static void write_record(struct fixture *fixture, const char *key, struct slice value)
{
    struct buffer buffer = {0};

    layout_object(&buffer, FIXTURE_PARTITIONS, slice_of_string(key));
    struct engine_write write = {.key = buffer_slice(&buffer), .value = value};
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
    buffer_release(&buffer);
}

static void expect_damage(struct fixture *fixture, struct store_request request,
                          const char *name, const char *what)
{
    struct store_result result = apply(fixture, request);

    assert_string_equal(status_name(result.status), "corrupt");
    assert_non_null(result.text);
    char text[256] = "";
    assert_true(result.text->size < sizeof text);
    memcpy(text, result.text->data, result.text->size);
    if (!strstr(text, name) || !strstr(text, what)) {
        fail_msg("\"%s\" does not tell of %s and %s", text, name, what);
    }
    assert_null(result.entries.scrubbed);
    store_result_release(&result);
}

static void test_scrub__record_unreadable__is_reported_by_name(void **state)
{
    struct fixture *fixture = *state;
    uint16_t partition = partition_of(MERKLE_OBJECT, "d1/f1");

    change_some(fixture, 60);
    write_record(fixture, "d1/f1", slice_of_string("no record"));
    expect_damage(fixture, scrub_request(partition, 1000), "d1/f1", "unreadable");
    expect_damage(fixture, tree_keys_request(partition, 1000), "d1/f1", "unreadable");
    expect_damage(fixture, get_request("d1/f1"), "d1/f1", "unreadable");
}

static void test_scrub__content_changed__is_reported_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct object *object = object_of(20, 5, "some content");
    struct buffer value = {0};
    uint16_t partition = partition_of(MERKLE_OBJECT, "d1/f1");
    bool was_hit = false;

    record_encode(object, true, &value);
    for (size_t i = 0; i + 4 < value.size; i++) {
        if (memcmp(value.data + i, "cont", 4) == 0) {
            value.data[i] = 'k';
            was_hit = true;
        }
    }
    assert_true(was_hit);
    change_some(fixture, 60);
    write_record(fixture, "d1/f1", buffer_slice(&value));
    struct store_result result = apply(fixture, scrub_request(partition, 1000));
    assert_int_equal(result.status, STATUS_OK);
    bool is_reported = false;
    for (uint16_t i = 0; i < result.entries.count; i++) {
        struct slice name = blob_slice(result.entries.scrubbed[i].entry.key);
        bool is_it = slice_equal(name, slice_of_string("d1/f1"));
        bool is_object = result.entries.scrubbed[i].entry.part == MERKLE_OBJECT;
        assert_int_equal(result.entries.scrubbed[i].is_bad_copy, is_it && is_object);
        is_reported = is_reported || result.entries.scrubbed[i].is_bad_copy;
    }
    assert_true(is_reported);
    store_result_release(&result);
    expect_damage(fixture, get_request("d1/f1"), "d1/f1", "checksum");
    buffer_release(&value);
    object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_scrub__nothing_wrong__gives_every_entry_and_keeps_the_tree),
        ON_MEMORY(test_scrub__tombstones__are_given_with_their_time),
        ON_BOTH_ENGINES(test_scrub__leaves_wrong__are_found_and_made_true),
        ON_BOTH_ENGINES(test_scrub__writes_between_slices__are_in_the_new_tree),
        ON_BOTH_ENGINES(test_scrub__wrong_leaf_and_writes__is_made_true),
        ON_MEMORY(test_scrub__begun_again__forgets_what_it_had),
        ON_BOTH_ENGINES(test_scrub__goes_on_where_nothing_was_begun__leaves_the_tree),
        ON_BOTH_ENGINES(test_scrub__large_contents__come_in_small_slices),
        ON_MEMORY(test_scrub__new_tree_cannot_be_written__keeps_the_old_one),
        ON_BOTH_ENGINES(test_scrub__record_unreadable__is_reported_by_name),
        ON_MEMORY(test_scrub__content_changed__is_reported_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
