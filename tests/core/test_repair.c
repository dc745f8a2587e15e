/*
 * test_repair.c - anti-entropy on whole clusters under virtual time.
 *
 * - copies that differ become equal without any read: objects and rows, siblings kept
 * - a difference that is gone when it is looked at again costs no keys
 * - a pass that is asked for is one that began after the question; `passes` tells
 * - a node that was away, or has lost its disk, catches up by itself; until it has, what it
 * lacks is nowhere told as "not found"
 * - refilling needs every other replica
 * - damaged bytes are found, dropped and fetched from the others; a lone node drops nothing
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/request.h"
#include "node/store/hints.h"
#include "node/store/layout.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

/* Runs until the passes that follow the start are over: the next come in minutes. */
static struct world *nodes_of(int nodes)
{
    struct world_options options = cluster_options(5, nodes);
    options.grace_us = UINT64_MAX / 2; /* tombstones stay */
    struct world *world = cluster_start(&options);
    world_run(world, 95 * SECOND);
    return world;
}

static void fill(struct world *world, int node, int from, int to)
{
    char key[32];
    for (int i = from; i < to; i++) {
        (void)snprintf(key, sizeof key, "d/%d", i);
        assert_int_equal(ask_put(world, node, key, key, NULL, NULL), STATUS_OK);
    }
}

static void assert_filled(struct world *world, int node, int from, int to)
{
    char key[32];
    char text[64];
    for (int i = from; i < to; i++) {
        struct object *object = NULL;
        (void)snprintf(key, sizeof key, "d/%d", i);
        assert_int_equal(ask_get(world, node, key, &object), STATUS_OK);
        object_text(object, text, sizeof text);
        text[strlen(text) - 1] = 0;
        assert_string_equal(text, key);
        object_unref(object);
    }
}

static void await_complete(struct world *world, int node, uint64_t limit_us)
{
    for (uint64_t us = 0; us < limit_us && !ask_repair(world, node, false).is_complete;
         us += 100000) {
        world_run(world, 100000);
    }
    assert_true(ask_repair(world, node, false).is_complete);
}

/* As old as the world: an old tombstone would be reaped. */
#define YOUNG_VERSION   "1.1:1700000000000004 | 1.1:1700000000000004"
#define YOUNG_TOMBSTONE "1.1:1700000000000005 |"

static void test_anti_entropy__copies_differ__become_equal_without_a_read(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(5);
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
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 20);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(1);
    await_pass(world, 0);
    struct message_repair_reply reply = ask_repair(world, 0, false);
    assert_true(reply.is_complete && reply.pairs_total == 0 && reply.pairs_failed == 0);
    world_free(world);
}

static void test_tree__asked_by_a_client__is_refused(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
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
    struct world *world = nodes_of(3);
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

static void test_refill__disk_was_lost__all_copies_come_back(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 300);
    world_run(world, 5 * SECOND);
    world_kill(world, 2);
    world_wipe(world, 2);
    world_start(world, 2);
    world_run(world, SECOND / 2);

    await_complete(world, 2, 120 * SECOND);

    assert_true(trees_are_equal(world, 3));
    world_kill(world, 0);
    world_run(world, SECOND);
    assert_filled(world, 2, 0, 300);
    world_free(world);
}

static void test_refill__two_of_three_lost_their_disks__both_come_back(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 60);
    world_run(world, 5 * SECOND);
    for (int node = 1; node < 3; node++) {
        world_kill(world, node);
        world_wipe(world, node);
        world_start(world, node);
        world_run(world, 10 * SECOND);
    }

    await_complete(world, 1, 120 * SECOND);
    await_complete(world, 2, 120 * SECOND);

    assert_true(trees_are_equal(world, 3));
    world_kill(world, 0);
    world_run(world, SECOND);
    assert_filled(world, 2, 0, 60);
    world_free(world);
}

static void test_refill__restart_in_the_middle__goes_on(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 100);
    world_kill(world, 1);
    world_kill(world, 2);
    world_wipe(world, 2);
    world_start(world, 2);
    world_start(world, 1);
    world_run(world, SECOND);
    world_kill(world, 1);
    world_run(world, 3 * SECOND);
    world_kill(world, 2);
    world_start(world, 2);
    world_run(world, 20 * SECOND);
    /* The other replica is away: what it alone may hold is not known. */
    assert_false(ask_repair(world, 2, false).is_complete);

    world_start(world, 1);
    await_complete(world, 2, 120 * SECOND);

    assert_filled(world, 2, 0, 100);
    world_free(world);
}

static void test_refill__until_it_is_over__nothing_is_told_as_not_found(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 50);
    world_kill(world, 2);
    world_wipe(world, 2);
    world_start(world, 2);
    char key[16];
    bool saw_refilling = false;

    for (int i = 0; i < 400; i++) {
        struct object *object = NULL;
        (void)snprintf(key, sizeof key, "d/%d", i % 50);
        const struct ring *ring = core_ring(world_core(world, 2));
        enum status status = ring ? ask_get(world, 2, key, &object) : STATUS_OK;
        assert_int_not_equal(status, STATUS_NOT_FOUND);
        object_unref(object);
        saw_refilling |= ring && !ask_repair(world, 2, false).is_complete;
        world_run(world, 5000);
    }

    assert_true(saw_refilling);
    await_complete(world, 2, 60 * SECOND);
    world_free(world);
}

/* Objects d/... of the node that cannot be read. */
static unsigned corrupt_objects(struct world *world, int node, int count)
{
    unsigned corrupt = 0;
    for (int i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "d/%d", i);
        struct store_request request = {.operation = STORE_GET,
                                        .key = blob_new(slice_of_string(key))};
        struct store_result result = {0};
        store_apply(world_store(world, node), &request, 1, &result);
        corrupt += result.status == STATUS_CORRUPT ? 1U : 0U;
        store_result_release(&result);
        store_request_release(&request);
    }
    return corrupt;
}

static void test_corrupt__on_one_of_three__is_salvaged_and_fetched(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 200);
    world_run(world, 5 * SECOND);
    while (corrupt_objects(world, 1, 200) == 0) {
        (void)world_damage(world, 1);
    }

    /* Reads find it, and are answered by the others. */
    assert_filled(world, 1, 0, 200);
    await_complete(world, 1, 60 * SECOND);

    assert_int_equal(world_damaged(world, 1), 0);
    assert_int_equal(node_figure(world, 1, "salvages"), 1);
    assert_true(trees_are_equal(world, 3));
    world_kill(world, 0);
    assert_filled(world, 1, 0, 200);
    world_free(world);
}

static void test_corrupt__lone_node__drops_nothing(void **state)
{
    (void)state;
    struct world *world = nodes_of(1);
    fill(world, 0, 0, 50);
    size_t hit = 0;
    while (hit == 0) {
        hit = world_damage(world, 0);
    }
    unsigned failed = 0;
    for (int i = 0; i < 50; i++) {
        char key[16];
        struct object *object = NULL;
        (void)snprintf(key, sizeof key, "d/%d", i);
        enum status status = ask_get(world, 0, key, &object);
        assert_int_not_equal(status, STATUS_NOT_FOUND);
        failed += status != STATUS_OK ? 1U : 0U;
        object_unref(object);
    }

    assert_true(failed <= hit);
    assert_int_equal(node_figure(world, 0, "salvages"), 0);
    assert_true(world_damaged(world, 0) == hit);
    assert_true(ask_repair(world, 0, false).is_complete);
    world_free(world);
}

/* Writes what is no hint where one for the node `away` would be. */
static void damage_hint(struct world *world, int node, int away, const char *name)
{
    struct engine *hints = world_store(world, node)->hints->engine;
    struct buffer key = {0};
    const struct ring *ring = core_ring(world_core(world, node));
    int member = ring_find_address(ring, world_address(world, away));
    assert_true(member >= 0);
    layout_hint(&key, ring->members[member].id, HINT_OBJECT, slice_of_string(name));
    struct engine_write write = {.key = buffer_slice(&key), .value = slice_of_string("noise")};
    assert_int_equal(hints->operations->write(hints, &write, 1, true), STATUS_OK);
    buffer_release(&key);
}

/* The database of the hints alone is salvaged; the node's copies are what they were. */
static void test_corrupt__in_the_hints__own_copies_go_on_to_count(void **state)
{
    (void)state;
    struct world *world = nodes_of(4);
    fill(world, 0, 0, 20);
    world_run(world, 5 * SECOND);
    for (int node = 0; node < 3; node++) {
        for (int i = 0; i < 20; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "d/%d", i);
            damage_hint(world, node, 3, key);
        }
    }
    world_kill(world, 3);
    for (int i = 0; i < 20; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "d/%d", i);
        assert_int_equal(ask_put(world, 0, key, "again", NULL, NULL), STATUS_OK);
    }
    uint64_t salvages = 0;
    for (int i = 0; i < 1200 && salvages == 0; i++) {
        for (int node = 0; node < 3; node++) {
            assert_true(ask_repair(world, node, false).is_complete);
            salvages += node_figure(world, node, "salvages");
        }
        world_run(world, 50000);
    }

    assert_true(salvages > 0);
    for (int node = 0; node < 3; node++) {
        assert_true(ask_repair(world, node, false).is_complete);
    }
    world_start(world, 3);
    world_free(world);
}

/* Its deletion was in the damaged block, and the tombstone was reaped everywhere. */
static void test_salvage__what_was_deleted_long_ago__does_not_come_back(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    fill(world, 0, 0, 20);
    world_run(world, 5 * SECOND);
    copy_write(world, 1, "d/ghost", "1.1:5 | 1.1:5", REPLICA_OBJECT | REPLICA_ROW);
    struct store_request salvage = {.operation = STORE_SALVAGE,
                                    .wall_us = UINT64_C(1700000000000000),
                                    .salvage = {.grace_us = 7 * 86400 * SECOND}};
    struct store_result result = {0};
    store_apply(world_store(world, 1), &salvage, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);

    world_kill(world, 1);
    world_start(world, 1);
    world_run(world, SECOND);
    assert_false(ask_repair(world, 1, false).is_complete);
    await_complete(world, 1, 300 * SECOND);

    for (int i = 0; i < 3; i++) {
        assert_copy(world, i, "d/ghost", "none");
        assert_row(world, i, "d/ghost", "none");
        assert_filled(world, i, 0, 20);
    }
    assert_true(trees_are_equal(world, 3));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_salvage__what_was_deleted_long_ago__does_not_come_back),
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
        cmocka_unit_test(test_refill__disk_was_lost__all_copies_come_back),
        cmocka_unit_test(test_refill__two_of_three_lost_their_disks__both_come_back),
        cmocka_unit_test(test_refill__restart_in_the_middle__goes_on),
        cmocka_unit_test(test_refill__until_it_is_over__nothing_is_told_as_not_found),
        cmocka_unit_test(test_corrupt__on_one_of_three__is_salvaged_and_fetched),
        cmocka_unit_test(test_corrupt__lone_node__drops_nothing),
        cmocka_unit_test(test_corrupt__in_the_hints__own_copies_go_on_to_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
