/*
 * test_refill.c - disks that were lost or damaged, on whole clusters under virtual time.
 *
 * - a node that has lost its disk catches up by itself, from every other replica; until it has,
 *   what it lacks is nowhere told as "not found"
 * - damaged bytes are found, dropped and fetched from the others; a lone node drops nothing
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/hints.h"
#include "node/store/layout.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

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

static void test_refill__disk_was_lost__all_copies_come_back(void **state)
{
    (void)state;
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 300);
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
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 60);
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
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 100);
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
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 50);
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
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 200);
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
    struct world *world = cluster_at_rest(1);
    ask_fill(world, 0, 0, 50);
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
    struct world *world = cluster_at_rest(4);
    ask_fill(world, 0, 0, 20);
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
    struct world *world = cluster_at_rest(3);
    ask_fill(world, 0, 0, 20);
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
