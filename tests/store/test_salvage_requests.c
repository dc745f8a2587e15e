/*
 * test_salvage_requests.c - a salvage as the store carries it out: what is kept of its records,
 * what counts of old copies, and what goes on beside it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "node/store/layout.h"
#include "tests/store/loop.h"
#include "tests/store/salvaging.h"
#include "tests/store/tree_check.h"

static void write_record(struct fixture *fixture, struct slice key, const char *value)
{
    struct engine_write write = {.key = key, .value = slice_of_string(value)};

    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
}

static void test_salvage__unreadable_records__are_dropped_and_counted(void **state)
{
    static const char text[] = "the database was repaired, 4 records dropped";
    struct fixture *fixture = *state;
    struct buffer key = {0};

    change_some(fixture, 60);
    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string("broken"));
    write_record(fixture, buffer_slice(&key), "no record");
    buffer_release(&key);
    write_record(fixture, slice_of_string("ra"), "no row");
    write_record(fixture, slice_of_string("ix"), "short");
    write_record(fixture, slice_of_string("v//"), "12345678");
    apply_expect(fixture, get_request("broken"), STATUS_CORRUPT);

    struct store_result result = salvage(fixture);
    assert_true(slice_equal(blob_slice(result.text), slice_of_string(text)));
    store_result_release(&result);
    assert_null(stored_object(fixture, "broken"));
    assert_trees_true(fixture);
    change_some(fixture, 20);
    assert_trees_true(fixture);
}

/* An own pair from before may stand for writes that are lost. */
static void test_salvage__own_pair_from_before__is_not_extended(void **state)
{
    struct fixture *fixture = *state;
    struct store_result first = apply(fixture, put_request("a", NULL, "one"));
    struct store_result second = apply(fixture, put_request("a", first.object, "two"));

    assert_true(actor_equal(first.object->own, second.object->own));
    struct store_result result = salvage(fixture);
    store_result_release(&result);
    struct store_result third = apply(fixture, put_request("a", second.object, "three"));
    assert_int_equal(third.status, STATUS_OK);
    assert_false(actor_equal(third.object->own, second.object->own));
    struct store_result fourth = apply(fixture, put_request("a", third.object, "four"));
    assert_true(actor_equal(fourth.object->own, third.object->own));
    store_result_release(&first);
    store_result_release(&second);
    store_result_release(&third);
    store_result_release(&fourth);
}

/* Nothing is believed of the directory that was there. */
/* Three members: others may know better. */
static void share_ring(struct fixture *fixture)
{
    struct store_request request = {.operation = STORE_SAVE_RING,
                                    .save_ring = {.ring = malloc(sizeof(struct ring))}};
    struct ring *ring = request.save_ring.ring;
    assert_non_null(ring);
    *ring = *fixture->state.ring;
    ring->epoch++;
    ring->replica_count = 3;
    ring->member_count = 3;
    for (uint16_t i = 1; i < 3; i++) {
        ring->members[i].id = FIXTURE_NODE + i;
        (void)snprintf(ring->members[i].address, ADDRESS_SIZE, "127.0.0.1:%u", 900U + i);
    }
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        ring->owner[i] = i % 3;
    }
    apply_expect(fixture, request, STATUS_OK);
}

static struct store_request salvage_of(const struct fixture *fixture, uint64_t grace_us)
{
    return (struct store_request){.operation = STORE_SALVAGE,
                                  .wall_us = fixture->wall_us,
                                  .salvage = {.grace_us = grace_us}};
}

/* The state before a deletion that nobody remembers must not count; a young one cannot be. */
static void test_salvage__old_copies__count_when_others_have_them(void **state)
{
    struct fixture *fixture = *state;
    for (int by_hand = 0; by_hand <= 1; by_hand++) {
        share_ring(fixture);
        apply_expect(fixture, put_request("old", NULL, "1"), STATUS_OK);
        fixture->wall_us += 10000000;
        apply_expect(fixture, put_request("young", NULL, "2"), STATUS_OK);

        apply_expect(fixture, salvage_of(fixture, 5000000), STATUS_OK);
        assert_null(stored_object(fixture, "old"));
        assert_null(stored_row(fixture, "/", "old"));
        struct object *young = stored_object(fixture, "young");
        assert_true(object_is_live(young));
        assert_trees_true(fixture);
        object_unref(young);

        struct store_request complete = plain_request(STORE_SET_COMPLETE);
        complete.set_complete.is_complete = true;
        complete.set_complete.brings_back = by_hand;
        apply_expect(fixture, complete, STATUS_OK);
        struct object *old = stored_object(fixture, "old");
        assert_int_equal(object_is_live(old), by_hand);
        object_unref(old);
        assert_trees_true(fixture);
    }
}

static void test_salvage__only_member__keeps_what_is_old(void **state)
{
    struct fixture *fixture = *state;
    apply_expect(fixture, put_request("old", NULL, "1"), STATUS_OK);
    fixture->wall_us += 10000000;

    apply_expect(fixture, salvage_of(fixture, 5000000), STATUS_OK);

    struct object *old = stored_object(fixture, "old");
    assert_true(object_is_live(old));
    object_unref(old);
}

static void test_salvage__directory_dropped__its_next_row_revives_it(void **state)
{
    struct fixture *fixture = *state;
    struct buffer key = {0};

    apply_expect(fixture, put_request("dir/", NULL, ""), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct store_result result = apply(fixture, put_request("dir/a", NULL, "x"));
        assert_int_equal(result.status, STATUS_OK);
        assert_false(result.revive);
        store_result_release(&result);
    }
    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string("dir/"));
    write_record(fixture, buffer_slice(&key), "no record");
    buffer_release(&key);
    struct store_result result = salvage(fixture);
    store_result_release(&result);

    result = apply(fixture, put_request("dir/b", NULL, "x"));
    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.revive);
    store_result_release(&result);
}

static void test_salvage__cannot_write__fails_and_is_finished_later(void **state)
{
    struct fixture *fixture = *state;

    change_some(fixture, 40);
    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    struct store_result result = apply(fixture, plain_request(STORE_SALVAGE));
    assert_int_equal(result.status, STATUS_NO_SPACE);
    assert_non_null(result.text);
    store_result_release(&result);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);
    result = salvage(fixture);
    store_result_release(&result);
    fixture_restart(fixture, true);
    assert_false(fixture->identity.is_complete);
    assert_trees_true(fixture);
}

/* As LevelDB does when a compaction at the start meets a damaged block. */
static void test_salvage__no_write_works_at_the_start__is_done_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    change_some(fixture, 40);
    for (int round = 0; round < 2; round++) {
        uint64_t issued = atomic_load(&fixture->state.issued);
        assert_int_equal(store_state_close(&fixture->state), STATUS_OK);
        atomic_store(&fixture->spy.write_failure, STATUS_CORRUPT);
        assert_int_equal(store_state_open(&fixture->state, &fixture->spy.base, FIXTURE_NODE,
                                          fixture->wall_us, &fixture->identity, &error),
                         STATUS_OK);
        assert_false(fixture->identity.is_complete);
        assert_true(fixture->identity.has_ring);
        assert_true(fixture->state.trusted_since > issued);
        assert_trees_true(fixture);
        change_some(fixture, 10);
        assert_trees_true(fixture);
    }
    fixture_restart(fixture, false);
    assert_false(fixture->identity.is_complete);
    assert_trees_true(fixture);
}

/* Everything at once over the executor's lanes; for ThreadSanitizer too. */
static void test_salvage__other_requests_under_way__none_is_lost(void **state)
{
    enum { ROUNDS = 40, REQUESTS = 12 };
    struct fixture *fixture = *state;
    struct loop loop;
    char text[32];

    put_all(fixture);
    loop_begin(&loop, fixture, true);
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t partition = (uint16_t)(round % FIXTURE_PARTITIONS);
        for (int i = 0; i < REQUESTS; i++) {
            key_text(round * REQUESTS + i, text);
            (void)loop_submit(&loop, put_request(text, NULL, "over"));
            (void)loop_submit(&loop, get_request(text));
        }
        (void)loop_submit(&loop, tree_request(partition, MERKLE_BUCKETS));
        (void)loop_submit(&loop, tree_keys_request(partition, 10));
        (void)loop_submit(&loop, scrub_request(partition, 10));
        if (round % 10 == 5) {
            (void)loop_submit(&loop, plain_request(STORE_SALVAGE));
        }
        while (executor_pending(loop.executor) > 0) {
            struct store_result result = loop_wait(&loop);
            assert_string_equal(status_name(result.status), "ok");
            store_result_release(&result);
        }
    }
    loop_end(&loop);
    assert_trees_true(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_salvage__unreadable_records__are_dropped_and_counted),
        ON_BOTH_ENGINES(test_salvage__own_pair_from_before__is_not_extended),
        ON_BOTH_ENGINES(test_salvage__old_copies__count_when_others_have_them),
        ON_BOTH_ENGINES(test_salvage__only_member__keeps_what_is_old),
        ON_MEMORY(test_salvage__directory_dropped__its_next_row_revives_it),
        ON_BOTH_ENGINES(test_salvage__cannot_write__fails_and_is_finished_later),
        ON_BOTH_ENGINES(test_salvage__no_write_works_at_the_start__is_done_at_once),
        ON_BOTH_ENGINES(test_salvage__other_requests_under_way__none_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
