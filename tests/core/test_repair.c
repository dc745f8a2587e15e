/*
 * test_repair.c - anti-entropy on whole clusters under virtual time.
 *
 * - copies that differ become equal without any read: objects and rows, siblings kept
 * - a difference that is gone when it is looked at again costs no keys
 * - a pass that is asked for is one that began after the question; `passes` tells
 * - a node that was away catches up by itself
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/core/state.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

/* As old as the world: an old tombstone would be reaped. */
#define YOUNG_VERSION "1.1:1700000000000004 | 1.1:1700000000000004"

#define YOUNG_TOMBSTONE "1.1:1700000000000005 |"

static void test_anti_entropy__copies_differ__become_equal_without_a_read(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    copy_write(world, 0, "only-here", "1.1:5 | 1.1:5", BOTH);
    copy_write(world, 0, "siblings", "1.1:5 | 1.1:5", BOTH);
    copy_write(world, 1, "siblings", "2.1:7 | 2.1:7", BOTH);
    copy_write(world, 1, "superseded", "1.1:5 2.1:7 | 2.1:7", BOTH);
    copy_write(world, 2, "superseded", "1.1:5 | 1.1:5", BOTH);
    copy_write(world, 2, "deleted", YOUNG_TOMBSTONE, BOTH);
    copy_write(world, 0, "deleted", YOUNG_VERSION, BOTH);

    for (int node = 0; node < 3; node++) {
        await_pass(world, node);
    }

    assert_true(trees_are_equal(world, 3));
    for (int node = 0; node < 3; node++) {
        assert_copy(world, node, "only-here", "1.1:5 | 1.1:5");
        assert_row(world, node, "only-here", "1.1:5 | 1.1:5");
        assert_copy(world, node, "siblings", "1.1:5 2.1:7 | 1.1:5 2.1:7");
        assert_row(world, node, "siblings", "1.1:5 2.1:7 | 1.1:5 2.1:7");
        assert_copy(world, node, "superseded", "1.1:5 2.1:7 | 2.1:7");
        assert_copy(world, node, "deleted", YOUNG_TOMBSTONE);
        assert_row(world, node, "deleted", YOUNG_TOMBSTONE);
        assert_int_equal(node_figure(world, node, "gets"), 0);
    }
    world_free(world);
}

static void test_anti_entropy__nobody_asks__comes_by_itself(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(5);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "alone", nodes);
    copy_write(world, nodes[1], "alone", "1.1:5 | 1.1:5", REPLICA_OBJECT);

    world_run(world, 800 * SECOND);

    assert_true(trees_are_equal(world, 5));
    assert_copy(world, nodes[0], "alone", "1.1:5 | 1.1:5");
    assert_copy(world, nodes[2], "alone", "1.1:5 | 1.1:5");
    world_free(world);
}

static void test_anti_entropy__nothing_differs__exchanges_hashes_alone(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 20);
    world_run(world, 5 * SECOND);
    uint64_t keys = world_sent(world, MESSAGE_TREE_KEYS);

    await_pass(world, 0);

    assert_true(ask_repair(world, 0, false).pairs_total == 128);
    assert_true(ask_repair(world, 0, false).pairs_done == 128);
    assert_true(ask_repair(world, 0, false).pairs_failed == 0);
    assert_true(ask_repair(world, 0, false).keys_repaired == 0);
    assert_true(world_sent(world, MESSAGE_TREE_KEYS) == keys);
    world_free(world);
}

static void test_anti_entropy__difference_vanishes__costs_no_keys(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    uint64_t keys = world_sent(world, MESSAGE_TREE_KEYS);
    uint64_t trees = world_sent(world, MESSAGE_TREE);
    copy_write(world, 0, "late", "1.1:5 | 1.1:5", BOTH);
    (void)ask_repair(world, 0, true);
    world_run(world, SECOND);
    assert_true(world_sent(world, MESSAGE_TREE) > trees);
    assert_true(ask_repair(world, 0, false).is_running);

    copy_write(world, 1, "late", "1.1:5 | 1.1:5", BOTH);
    copy_write(world, 2, "late", "1.1:5 | 1.1:5", BOTH);
    world_run(world, 5 * SECOND);

    assert_false(ask_repair(world, 0, false).is_running);
    assert_true(world_sent(world, MESSAGE_TREE_KEYS) == keys);
    world_free(world);
}

static void test_anti_entropy__row_lost_beside_its_object__is_restored(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    copy_write(world, 0, "file", "1.1:5 | 1.1:5", BOTH);
    copy_write(world, 1, "file", "1.1:5 | 1.1:5", REPLICA_OBJECT);
    copy_write(world, 2, "file", "1.1:5 | 1.1:5", BOTH);

    await_pass(world, 2);

    assert_row(world, 1, "file", "1.1:5 | 1.1:5");
    assert_true(trees_are_equal(world, 3));
    world_free(world);
}

static void test_anti_entropy__peer_away__pairs_fail_and_are_reported(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    copy_write(world, 0, "file", "1.1:5 | 1.1:5", BOTH);
    world_kill(world, 2);

    await_pass(world, 0);

    struct message_repair_reply reply = ask_repair(world, 0, false);
    assert_true(reply.pairs_failed == 64 && reply.pairs_done == 128);
    assert_copy(world, 1, "file", "1.1:5 | 1.1:5");
    world_free(world);
}

static void test_anti_entropy__peer_stopped_in_the_middle__the_pass_ends(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    for (int i = 0; i < 40; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        copy_write(world, 0, key, "1.1:5 | 1.1:5", BOTH);
    }
    (void)ask_repair(world, 0, true);
    world_run(world, 2 * SECOND);
    world_pause(world, 1, true);

    world_run(world, 30 * SECOND);

    struct message_repair_reply reply = ask_repair(world, 0, false);
    assert_false(reply.is_running);
    assert_true(reply.pairs_failed > 0);
    assert_copy(world, 2, "k7", "1.1:5 | 1.1:5");
    world_pause(world, 1, false);
    await_equal_trees(world, 3, 120 * SECOND);
    world_free(world);
}

static void test_anti_entropy__pass_has_done_its_share__the_next_goes_on(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    char key[16];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        copy_write(world, 0, key, "1.1:5 | 1.1:5", BOTH);
    }
    uint64_t passes = ask_repair(world, 0, true).passes;
    world_run(world, SECOND);
    /* As if it had repaired nearly as much as a pass may. */
    struct core *core = (struct core *)(uintptr_t)world_core(world, 0);
    core->repair.keys_left = 10;

    /* It is over, and does not count. */
    while (!core->repair.is_resuming) {
        world_run(world, 1000);
    }
    assert_true(ask_repair(world, 0, false).is_running);
    assert_true(ask_repair(world, 0, false).passes == passes);
    assert_true(ask_repair(world, 0, false).keys_repaired == 10);
    for (int i = 0; i < 100 && ask_repair(world, 0, false).is_running; i++) {
        world_run(world, SECOND);
    }

    assert_true(ask_repair(world, 0, false).passes == passes + 1);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_copy(world, 1, key, "1.1:5 | 1.1:5");
        assert_copy(world, 2, key, "1.1:5 | 1.1:5");
    }
    world_free(world);
}

static void test_repair__asked_for_during_a_pass__another_one_follows(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    copy_write(world, 0, "slow", "1.1:5 | 1.1:5", BOTH);
    uint64_t passes = ask_repair(world, 0, false).passes;
    (void)ask_repair(world, 0, true);
    world_run(world, SECOND);
    assert_true(ask_repair(world, 0, true).is_running);
    assert_true(ask_repair(world, 0, false).passes == passes);

    world_run(world, 20 * SECOND);

    struct message_repair_reply reply = ask_repair(world, 0, false);
    assert_false(reply.is_running);
    assert_true(reply.passes == passes + 2);
    world_free(world);
}

static void test_repair__before_there_is_a_ring__is_not_ready(void **state)
{
    (void)state;
    struct world_options options = {.seed = 5,
                                    .nodes = 3,
                                    .replica_count = 3,
                                    .partition_count = 64,
                                    .latency_min_us = 100,
                                    .latency_max_us = 900,
                                    .store_min_us = 10,
                                    .store_max_us = 200};
    struct world *world = world_new(&options);
    world_start(world, 0);
    struct message message = {.type = MESSAGE_REPAIR, .request_id = 1};
    message.repair.start = true;
    struct message reply = {0};

    assert_true(world_wait(world, world_ask(world, 0, &message), ASK_LIMIT_US, &reply));

    assert_int_equal(reply.status, STATUS_NOT_READY);
    message_release(&reply);
    world_free(world);
}

static void test_repair__lone_node__has_nothing_to_compare(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(1);
    await_pass(world, 0);
    struct message_repair_reply reply = ask_repair(world, 0, false);
    assert_true(reply.is_complete && reply.pairs_total == 0 && reply.pairs_failed == 0);
    world_free(world);
}

static void test_tree__asked_by_a_client__is_refused(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    struct message message = {.type = MESSAGE_TREE, .request_id = 1};
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, 0, &message), ASK_LIMIT_US, &reply));
    assert_int_equal(reply.status, STATUS_REFUSED);
    message_release(&reply);
    world_free(world);
}

static void test_anti_entropy__node_was_away__catches_up_soon(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    world_kill(world, 2);
    for (int i = 0; i < 30; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        copy_write(world, 0, key, "1.1:5 | 1.1:5", BOTH);
    }
    world_start(world, 2);

    await_equal_trees(world, 3, 60 * SECOND);

    assert_copy(world, 2, "k29", "1.1:5 | 1.1:5");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anti_entropy__copies_differ__become_equal_without_a_read),
        cmocka_unit_test(test_anti_entropy__nobody_asks__comes_by_itself),
        cmocka_unit_test(test_anti_entropy__nothing_differs__exchanges_hashes_alone),
        cmocka_unit_test(test_anti_entropy__difference_vanishes__costs_no_keys),
        cmocka_unit_test(test_anti_entropy__row_lost_beside_its_object__is_restored),
        cmocka_unit_test(test_anti_entropy__peer_away__pairs_fail_and_are_reported),
        cmocka_unit_test(test_anti_entropy__peer_stopped_in_the_middle__the_pass_ends),
        cmocka_unit_test(test_anti_entropy__node_was_away__catches_up_soon),
        cmocka_unit_test(test_anti_entropy__pass_has_done_its_share__the_next_goes_on),
        cmocka_unit_test(test_repair__asked_for_during_a_pass__another_one_follows),
        cmocka_unit_test(test_repair__before_there_is_a_ring__is_not_ready),
        cmocka_unit_test(test_repair__lone_node__has_nothing_to_compare),
        cmocka_unit_test(test_tree__asked_by_a_client__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
