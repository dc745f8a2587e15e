/*
 * test_collector.c - what no version names goes after two passes a grace time apart; what one
 *                    names never goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector_fixture.h"

static const struct kv_options options;

static void test_pass__interrupted_write__blocks_go_a_grace_time_later(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 2);

    clock_us +=
        100 * GRACE_US; /* nobody knows how old a block is that is seen the first time */
    good_pass(fixture);
    good_pass(fixture);
    clock_us += GRACE_US - 1;
    good_pass(fixture);
    assert_true(has_block(fixture, 0) && has_block(fixture, 1));
    assert_int_equal(stats(fixture)->marked, 2);
    clock_us += 1;
    good_pass(fixture);

    assert_false(has_block(fixture, 0) || has_block(fixture, 1));
    assert_int_equal(stats(fixture)->blocks_deleted, 2);
    assert_int_equal(stats(fixture)->notes_deleted, 0);
}

static void test_pass__named_blocks__stay_while_others_go(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 4);
    write_file(fixture, "d/file", fixture->entries, 3);

    for (int i = 0; i < 4; i++) {
        collect(fixture);
    }

    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_block(fixture, 2));
    assert_false(has_block(fixture, 3));
    assert_true(has_note(fixture, "d/file") && has_head(fixture));
    assert_int_equal(stats(fixture)->blocks_deleted, 1);
    assert_int_equal(stats(fixture)->sets_left_alone, 0);
    assert_int_equal(stats(fixture)->passes, 8);
}

static void test_pass__named_again__its_mark_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    grace_passes();
    write_file(fixture, "file", fixture->entries, 1);
    good_pass(fixture);
    remove_file(fixture, "file");

    good_pass(fixture);

    assert_true(has_block(fixture, 0));
    grace_passes();
    good_pass(fixture);
    assert_false(has_block(fixture, 0));
}

static void test_pass__file_removed__all_of_its_set_goes(void **state)
{
    struct fixture *fixture = *state;
    fixture->entries[0] = store(fixture, 0, slice_of_string("block"));
    struct block_entry far = store(fixture, STRIPE_BLOCKS, slice_of_string("far"));
    write_file(fixture, "file", fixture->entries, 1);
    remove_file(fixture, "file");

    collect(fixture);
    assert_false(has_block(fixture, 0));
    assert_false(has_block_at(fixture, STRIPE_BLOCKS, far));
    assert_false(has_note(fixture, "file"));
    assert_true(has_head(fixture));
    collect(fixture); /* the stripe's mark */
    assert_true(has_head(fixture));
    collect(fixture);

    assert_false(has_head(fixture));
    assert_int_equal(stats(fixture)->blocks_deleted, 2);
    assert_int_equal(stats(fixture)->notes_deleted, 3);
    uint64_t sets = stats(fixture)->sets;
    good_pass(fixture);
    assert_int_equal(stats(fixture)->sets, sets);
}

static void test_pass__blocks_named_by_a_map__stay(void **state)
{
    struct fixture *fixture = *state;
    struct block_entry block;
    struct block_entry map = write_mapped(fixture, "file", &block);
    struct block_entry unnamed = store(fixture, MAP_BLOCKS, slice_of_string("unnamed"));

    collect(fixture);

    assert_true(has_block_at(fixture, MAP_BLOCKS, map));
    assert_true(has_block_at(fixture, MAP_BLOCKS + 1, block));
    assert_false(has_block_at(fixture, MAP_BLOCKS, unnamed));
}

static void test_pass__map_is_missing__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct block_entry block;
    struct block_entry map = write_mapped(fixture, "file", &block);
    struct buffer key = {0};
    block_key_block(&key, &fixture->set, MAP_BLOCKS, &map);
    remove_key(fixture, buffer_slice(&key));
    buffer_release(&key);

    assert_int_equal(pass(fixture), 1);
    grace_passes();
    assert_int_equal(pass(fixture), 1);

    assert_true(has_block_at(fixture, MAP_BLOCKS + 1, block));
    assert_int_equal(stats(fixture)->sets_left_alone, 2);
    assert_int_equal(stats(fixture)->marked, 0);
}

static void test_pass__file_renamed__its_blocks_stay_and_the_old_path_goes(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 2);
    write_file(fixture, "old", fixture->entries, 2);
    good_pass(fixture);
    write_file(fixture, "new", fixture->entries, 2);
    remove_file(fixture, "old");

    grace_passes();
    collect(fixture);

    assert_true(has_block(fixture, 0) && has_block(fixture, 1));
    assert_true(has_note(fixture, "new"));
    assert_false(has_note(fixture, "old"));
}

static void test_pass__set_at_two_paths__each_keeps_its_blocks(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 3);
    write_file(fixture, "one", &fixture->entries[0], 2);
    write_file(fixture, "two", &fixture->entries[1], 2);

    collect(fixture);
    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_block(fixture, 2));
    remove_file(fixture, "one");
    collect(fixture);

    assert_false(has_block(fixture, 0));
    assert_true(has_block(fixture, 1) && has_block(fixture, 2));
}

static void test_pass__siblings__each_keeps_its_blocks_and_the_shared_one(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 3);
    struct block_entry other[2] = {fixture->entries[0], fixture->entries[2]};
    write_file(fixture, "file", fixture->entries, 2);
    put_blocks(fixture, "file", other, 2, true);

    collect(fixture);
    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_block(fixture, 2));
    struct object *seen = NULL;
    assert_int_equal(kv_get(fixture->kv, slice_of_string("file"), &options, &seen), STATUS_OK);
    assert_int_equal(seen->version_count, 2);
    struct kv_put drop = {.key = slice_of_string("file"),
                          .mode = UPDATE_SOME,
                          .dots = &seen->versions[0].dot,
                          .dot_count = 1};
    assert_int_equal(kv_put(fixture->kv, &drop, &options, NULL), STATUS_OK);
    object_unref(seen);
    collect(fixture);

    assert_true(has_block(fixture, 0) && has_block(fixture, 2));
    assert_false(has_block(fixture, 1));
}

static void test_pass__set_is_held__all_stays_until_that_was_long_ago(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 2);
    good_pass(fixture);
    hold(fixture);

    for (int i = 0; i < 3; i++) {
        grace_passes();
        good_pass(fixture);
        hold(fixture);
    }
    assert_true(has_block(fixture, 0) && has_block(fixture, 1));
    assert_int_equal(stats(fixture)->notes_deleted, 0);
    collect(fixture); /* the holder */
    assert_true(has_block(fixture, 0) && has_block(fixture, 1));
    assert_int_equal(stats(fixture)->notes_deleted, 1);
    good_pass(fixture);
    assert_true(has_block(fixture, 0)); /* its first mark is forgotten */
    grace_passes();
    good_pass(fixture);

    assert_false(has_block(fixture, 0) || has_block(fixture, 1));
}

static void test_pass__more_than_can_be_marked__the_rest_goes_later(void **state)
{
    struct fixture *fixture = *state;
    start_collector(fixture, 3);
    store_blocks(fixture, 4);

    collect(fixture);
    assert_int_equal(stats(fixture)->blocks_deleted, 3);
    assert_true(stats(fixture)->unmarked > 0);
    collect(fixture);

    assert_int_equal(stats(fixture)->blocks_deleted, 4);
}

static void test_pass__more_sets_than_can_be_marked__the_rest_goes_later(void **state)
{
    struct fixture *fixture = *state;
    start_collector(fixture, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(block_set_new(&fixture->set), STATUS_OK);
        store_blocks(fixture, 2);
    }

    collect(fixture);
    assert_int_equal(stats(fixture)->blocks_deleted, 3);
    collect(fixture);

    assert_int_equal(stats(fixture)->blocks_deleted, 4);
}

static void test_pass__file_of_holes__its_set_stays(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    const struct block_entry holes[2] = {{{0}, {0}}};
    write_file(fixture, "file", holes, 2);

    for (int i = 0; i < 4; i++) {
        collect(fixture);
    }

    assert_false(has_block(fixture, 0));
    assert_true(has_head(fixture) && has_note(fixture, "file"));
}

/* Its file is open for long and nothing of it was stored yet; then its mount dies. */
static void test_pass__held_set_without_blocks__nothing_of_it_is_left(void **state)
{
    struct fixture *fixture = *state;
    hold(fixture);

    collect(fixture); /* the holder */
    assert_int_equal(stats(fixture)->notes_deleted, 1);
    collect(fixture); /* the head */

    assert_int_equal(stats(fixture)->notes_deleted, 2);
    assert_false(has_head(fixture));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_pass__interrupted_write__blocks_go_a_grace_time_later),
        TEST(test_pass__named_blocks__stay_while_others_go),
        TEST(test_pass__named_again__its_mark_is_forgotten),
        TEST(test_pass__file_removed__all_of_its_set_goes),
        TEST(test_pass__blocks_named_by_a_map__stay),
        TEST(test_pass__map_is_missing__set_is_left_alone),
        TEST(test_pass__file_renamed__its_blocks_stay_and_the_old_path_goes),
        TEST(test_pass__set_at_two_paths__each_keeps_its_blocks),
        TEST(test_pass__siblings__each_keeps_its_blocks_and_the_shared_one),
        TEST(test_pass__set_is_held__all_stays_until_that_was_long_ago),
        TEST(test_pass__more_than_can_be_marked__the_rest_goes_later),
        TEST(test_pass__more_sets_than_can_be_marked__the_rest_goes_later),
        TEST(test_pass__file_of_holes__its_set_stays),
        TEST(test_pass__held_set_without_blocks__nothing_of_it_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
