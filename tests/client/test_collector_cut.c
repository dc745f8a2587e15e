/*
 * test_collector_cut.c - nothing is deleted while a member of the cluster could know of a version
 *                        that nobody else has: it is away, or keeps hints.
 *
 * The store is what those hold that a collector reads from. What was written on the other side
 * of a cut comes to it when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector_fixture.h"

static void cut(struct fixture *fixture)
{
    fixture->probe.unsettled = STATUS_UNREACHABLE;
}

static void heal(struct fixture *fixture)
{
    fixture->probe.unsettled = STATUS_OK;
}

/* Both sides see `a`. Behind the cut it is renamed, here it is removed. */
static void test_pass__renamed_behind_a_cut_and_removed_here__its_blocks_stay(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 2);
    write_file(fixture, "a", fixture->entries, 2);
    good_pass(fixture);
    cut(fixture);
    remove_file(fixture, "a");

    for (int i = 0; i < 4; i++) {
        (void)pass(fixture);
        grace_passes();
    }
    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_head(fixture));
    write_file(fixture, "b", fixture->entries, 2);
    heal(fixture);
    collect(fixture);
    collect(fixture);

    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_note(fixture, "b"));
    remove_file(fixture, "b");
    collect(fixture);
    assert_false(has_block(fixture, 0) || has_block(fixture, 1));
}

/* Here the file was overwritten; behind the cut it got one block more. */
static void test_pass__overwritten_on_both_sides_of_a_cut__both_keep_their_blocks(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 3);
    write_file(fixture, "a", fixture->entries, 2);
    cut(fixture);
    put_blocks(fixture, "a", &fixture->entries[2], 1, false);

    (void)pass(fixture);
    grace_passes();
    (void)pass(fixture);
    put_blocks(fixture, "a", fixture->entries, 2, true);
    heal(fixture);
    collect(fixture);

    assert_true(has_block(fixture, 0) && has_block(fixture, 1) && has_block(fixture, 2));
}

static void test_pass__hints_wait__what_is_due_goes_when_they_do_not(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 2);
    good_pass(fixture);
    grace_passes();
    fixture->probe.unsettled = STATUS_BUSY;

    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0) && has_block(fixture, 1));
    assert_int_equal(stats(fixture)->sets_unsettled, 1);
    assert_int_equal(stats(fixture)->sets_busy, 0);
    assert_int_equal(stats(fixture)->sets_left_alone, 0);
    assert_string_equal(collector_unsettled(fixture->collector)->text, "somebody is away");
    heal(fixture);
    clock_us += GRACE_US / 4;
    good_pass(fixture);
    assert_false(has_block(fixture, 0) || has_block(fixture, 1));
    assert_int_equal(stats(fixture)->sets_unsettled, 1);
}

static void deliver_rename(struct probe *probe)
{
    (void)probe;
    write_file(current, "b", current->entries, 1);
}

/* The members are asked before the second look: what they handed over is seen by that. */
static void test_pass__hints_come_in_while_it_looks__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    grace_passes();
    fixture->probe.settle = deliver_rename;

    assert_int_equal(pass(fixture), 1);

    fixture->probe.settle = NULL;
    assert_true(has_block(fixture, 0));
    assert_int_equal(stats(fixture)->sets_busy, 1);
    collect(fixture);
    assert_true(has_block(fixture, 0));
}

static void deliver_version(struct probe *probe)
{
    (void)probe;
    put_blocks(current, "b", current->entries, 1, false);
}

static void test_pass__version_at_a_noted_path_comes_in__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    note_path(fixture, "b");
    good_pass(fixture);
    grace_passes();
    fixture->probe.settle = deliver_version;

    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0) && has_note(fixture, "b"));
    assert_int_equal(stats(fixture)->sets_busy, 1);
}

static void test_pass__a_member_is_away__marks_are_made_and_kept(void **state)
{
    struct fixture *fixture = *state;
    cut(fixture);
    store_blocks(fixture, 1);
    good_pass(fixture); /* nothing is due */
    assert_int_equal(fixture->probe.asked, 0);
    assert_int_equal(stats(fixture)->marked, 1);
    grace_passes();
    fixture->entries[1] = store(fixture, 1, slice_of_string("later"));
    assert_int_equal(pass(fixture), 1);
    assert_int_equal(stats(fixture)->marked, 2);
    heal(fixture);
    grace_passes();

    good_pass(fixture);

    assert_int_equal(fixture->probe.asked, 1);
    assert_false(has_block(fixture, 0) || has_block(fixture, 1));
}

static void test_pass__a_member_is_away__it_is_not_asked_for_each_set(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(block_set_new(&fixture->set), STATUS_OK);
        store_blocks(fixture, 1);
    }
    good_pass(fixture);
    grace_passes();
    cut(fixture);

    assert_int_equal(pass(fixture), 3);

    assert_int_equal(fixture->probe.asked, 1);
    assert_int_equal(stats(fixture)->sets_unsettled, 3);
    clock_us += GRACE_US / 4;
    assert_int_equal(pass(fixture), 3);
    assert_int_equal(fixture->probe.asked, 1);
    heal(fixture);
    clock_us += GRACE_US / 4;
    good_pass(fixture);
    assert_int_equal(fixture->probe.asked, 3);
    assert_int_equal(stats(fixture)->blocks_deleted, 3);
}

static void test_pass__a_member_is_away__who_holds_a_set_is_not_forgotten(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    hold(fixture);
    good_pass(fixture);
    grace_passes();
    cut(fixture);

    assert_int_equal(pass(fixture), 1);
    assert_int_equal(stats(fixture)->notes_deleted, 0);
    heal(fixture);
    clock_us += GRACE_US / 4;
    good_pass(fixture);

    assert_int_equal(stats(fixture)->notes_deleted, 1);
    assert_true(has_block(fixture, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_pass__renamed_behind_a_cut_and_removed_here__its_blocks_stay),
        TEST(test_pass__overwritten_on_both_sides_of_a_cut__both_keep_their_blocks),
        TEST(test_pass__hints_wait__what_is_due_goes_when_they_do_not),
        TEST(test_pass__hints_come_in_while_it_looks__set_is_left_alone),
        TEST(test_pass__version_at_a_noted_path_comes_in__set_is_left_alone),
        TEST(test_pass__a_member_is_away__marks_are_made_and_kept),
        TEST(test_pass__a_member_is_away__it_is_not_asked_for_each_set),
        TEST(test_pass__a_member_is_away__who_holds_a_set_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
