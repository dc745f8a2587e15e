/*
 * test_hints_disk.c - hints over restarts, synced, and on a full disk.
 *
 * Rules: what is kept is counted for each owner, also after a restart; a hint is as durable as
 *        its request asks; what fails leaves nothing half done.
 */
#include <string.h>

#include "tests/store/house.h"

static void assert_owner(struct house *house, node_id owner, uint64_t count, uint64_t bytes,
                         uint64_t oldest_us)
{
    struct hint_owner found = stored_owner(house, owner);

    assert_int_equal(found.count, count);
    assert_int_equal(found.bytes, bytes);
    assert_int_equal(found.oldest_us, oldest_us);
}

static void test_owners__hints_come_and_go__are_counted_also_after_a_restart(void **state)
{
    struct house *house = *state;
    /* Owner, kind, key of one letter, stamp, creation. */
    const uint64_t marker_bytes = 8 + 1 + 1 + 8 + 8;

    assert_owner(house, ANNA, 0, 0, 0);
    house_keep(house, "a", NULL, ANNA);
    house->fixture->wall_us += 1000;
    house_keep(house, "b", "one", ANNA);
    house->fixture->wall_us += 1000;
    house_keep(house, "a", NULL, ANNA);
    house_keep(house, "c", NULL, ANNA);
    house_keep(house, "c", NULL, BERT);
    struct hint_owner anna = stored_owner(house, ANNA);
    assert_int_equal(anna.count, 3);
    assert_int_equal(anna.oldest_us, FIXTURE_WALL_US);
    assert_true(anna.bytes > 3 * marker_bytes);

    for (int clean = 0; clean <= 1; clean++) {
        house_restart(house, clean);
        assert_owner(house, ANNA, 3, anna.bytes, FIXTURE_WALL_US);
        assert_owner(house, BERT, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    }
    house_drop(house, ANNA, HINT_MARKER, "a");
    assert_owner(house, ANNA, 2, anna.bytes - marker_bytes, FIXTURE_WALL_US + 1000);
    house_drop(house, ANNA, HINT_OBJECT, "b");
    assert_owner(house, ANNA, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    house_drop(house, BERT, HINT_MARKER, "c");
    assert_owner(house, BERT, 0, 0, 0);
    house_restart(house, false);
    assert_owner(house, ANNA, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    assert_owner(house, BERT, 0, 0, 0);
}

static void test_owners__object_grows_and_is_merged__bytes_follow(void **state)
{
    struct house *house = *state;

    house_keep(house, "a", "one", ANNA);
    struct hint_owner before = stored_owner(house, ANNA);
    apply_expect(house->fixture,
                 hint_request("a", object_of(4, 20, "a longer content"), ANNA, 0), STATUS_OK);
    struct hint_owner after = stored_owner(house, ANNA);
    house_restart(house, true);
    struct hint_owner counted = stored_owner(house, ANNA);

    assert_int_equal(after.count, 1);
    assert_true(after.bytes > before.bytes + strlen("a longer content"));
    assert_int_equal(counted.bytes, after.bytes);
}

static void test_owners__more_than_a_cluster_has__are_busy_until_one_is_served(void **state)
{
    struct house *house = *state;

    for (node_id owner = 1; owner <= MEMBERS_MAX; owner++) {
        house_keep(house, "k", NULL, owner);
    }
    apply_expect(house->fixture, hint_request("k", NULL, MEMBERS_MAX + 1, 5), STATUS_BUSY);
    house_keep(house, "l", NULL, 5);
    house_drop(house, 77, HINT_MARKER, "k");
    apply_expect(house->fixture, hint_request("k", NULL, MEMBERS_MAX + 1, 0), STATUS_OK);

    struct store_result result = apply(house->fixture, plain_request(STORE_HINT_OWNERS));
    assert_int_equal(result.owners.count, MEMBERS_MAX);
    store_result_release(&result);
    assert_int_equal(stored_owner(house, 77).count, 0);
    assert_int_equal(stored_owner(house, 5).count, 2);
    assert_int_equal(stored_owner(house, MEMBERS_MAX + 1).count, 1);
}

static void test_stamps__after_a_restart__go_on_above_all_that_are_stored(void **state)
{
    struct house *house = *state;

    for (int i = 0; i < 10; i++) {
        house_keep(house, "a", NULL, ANNA);
    }
    uint64_t before = stored_stamp(house, ANNA, HINT_MARKER, "a");
    house_restart(house, false);
    house_keep(house, "b", NULL, ANNA);

    assert_true(stored_stamp(house, ANNA, HINT_MARKER, "b") > before);
    assert_int_equal(stored_stamp(house, ANNA, HINT_MARKER, "a"), before);
}

static void test_sync__is_passed_on_to_the_hints_and_costs_the_others_nothing(void **state)
{
    struct house *house = *state;
    struct store_request requests[] = {
        put_request("main", NULL, "one"),
        hint_request("k", object_of(3, 10, "one"), ANNA, BERT),
        fallback_request("l", NULL, "one", ANNA, BERT),
        hint_request("m", NULL, ANNA, 0),
    };
    struct store_result results[4];

    requests[1].sync = true;
    requests[2].sync = true;
    apply_group(house->fixture, requests, 4, results);

    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(status_name(results[i].status), "ok");
        store_result_release(&results[i]);
    }
    assert_int_equal(house->spy.batches, 3);
    assert_int_equal(house->spy.synced_batches, 2);
    assert_int_equal(house->fixture->spy.batches, 1);
    assert_int_equal(house->fixture->spy.synced_batches, 0);
}

static void test_sync__fallback_with_row__reaches_both_engines(void **state)
{
    struct house *house = *state;
    struct store_request request = fallback_request("d/k", NULL, "one", ANNA, BERT);

    request.coordinate.with_row = true;
    request.sync = true;
    apply_expect(house->fixture, request, STATUS_OK);

    assert_int_equal(house->spy.synced_batches, 1);
    assert_int_equal(house->fixture->spy.synced_batches, 1);
}

/* The clean mark says that nothing was lost: so the hints must be on the disk before it. */
static void test_sync__clean_stop__syncs_the_hints_before_the_clean_mark(void **state)
{
    struct house *house = *state;

    house_keep(house, "k", "one", ANNA);
    assert_int_equal(house->spy.synced_batches, 0);
    atomic_store(&house->fixture->spy.write_failure, STATUS_IO);
    assert_int_equal(store_state_close(&house->fixture->state), STATUS_IO);
    assert_int_equal(house->spy.synced_batches, 1);
}

static void test_sync__hints_fail_at_a_clean_stop__leaves_no_clean_mark(void **state)
{
    struct house *house = *state;

    atomic_store(&house->spy.write_failure, STATUS_IO);
    assert_int_equal(store_state_close(&house->fixture->state), STATUS_IO);
    house_restart(house, false);

    assert_false(house->fixture->identity.was_clean);
}

static void test_no_space__hints_are_full__nothing_is_half_done(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request requests[] = {
        put_request("main", NULL, "one"),
        hint_request("k", object_of(3, 10, "one"), ANNA, BERT),
        fallback_request("d/l", NULL, "one", ANNA, BERT),
        clear_hint_request(CARL, HINT_MARKER, "k", 0),
    };
    struct store_result results[4];

    house_keep(house, "k", NULL, CARL);
    requests[2].coordinate.with_row = true;
    requests[3].clear_hints.hints[0].stamp = stored_stamp(house, CARL, HINT_MARKER, "k");
    atomic_store(&house->spy.write_failure, STATUS_NO_SPACE);
    apply_group(fixture, requests, 4, results);
    atomic_store(&house->spy.write_failure, STATUS_OK);

    assert_string_equal(status_name(results[0].status), "ok");
    for (size_t i = 1; i < 4; i++) {
        assert_string_equal(status_name(results[i].status), "no_space");
        assert_null(results[i].object);
    }
    for (size_t i = 0; i < 4; i++) {
        store_result_release(&results[i]);
    }
    assert_int_equal(stored_owner(house, ANNA).count, 0);
    assert_int_equal(stored_owner(house, BERT).count, 0);
    assert_int_equal(stored_owner(house, CARL).count, 1);
    assert_null(stored_row(fixture, "d/", "l"));
    assert_int_equal(stored_intent(fixture, INTENT_REVIVE, "d/"), 0);
    house_keep(house, "k", "one", ANNA);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    house_restart(house, false);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    assert_int_equal(stored_owner(house, BERT).count, 0);
}

/* The put is indeterminate: its object is kept for the owners, but no answer says so. */
static void test_no_space__data_are_full__fallback_with_row_fails_others_do_not(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request requests[] = {
        hint_request("k", object_of(3, 10, "one"), ANNA, 0),
        fallback_request("d/l", NULL, "one", BERT, 0),
        fallback_request("m", NULL, "one", CARL, 0),
        for_owners(get_request("k"), ANNA, 0),
    };
    struct store_result results[4];

    requests[1].coordinate.with_row = true;
    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    apply_group(fixture, requests, 4, results);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);

    assert_string_equal(status_name(results[0].status), "ok");
    assert_string_equal(status_name(results[1].status), "no_space");
    assert_string_equal(status_name(results[2].status), "ok");
    assert_content(results[3].object, "one");
    for (size_t i = 0; i < 4; i++) {
        store_result_release(&results[i]);
    }
    assert_null(stored_row(fixture, "d/", "l"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_BOTH(test_owners__hints_come_and_go__are_counted_also_after_a_restart),
        HOUSE_ON_BOTH(test_owners__object_grows_and_is_merged__bytes_follow),
        HOUSE_ON_MEMORY(test_owners__more_than_a_cluster_has__are_busy_until_one_is_served),
        HOUSE_ON_BOTH(test_stamps__after_a_restart__go_on_above_all_that_are_stored),
        HOUSE_ON_MEMORY(test_sync__is_passed_on_to_the_hints_and_costs_the_others_nothing),
        HOUSE_ON_MEMORY(test_sync__fallback_with_row__reaches_both_engines),
        HOUSE_ON_MEMORY(test_sync__clean_stop__syncs_the_hints_before_the_clean_mark),
        HOUSE_ON_MEMORY(test_sync__hints_fail_at_a_clean_stop__leaves_no_clean_mark),
        HOUSE_ON_MEMORY(test_no_space__hints_are_full__nothing_is_half_done),
        HOUSE_ON_MEMORY(test_no_space__data_are_full__fallback_with_row_fails_others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
