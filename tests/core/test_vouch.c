/*
 * test_vouch.c - which of its own pairs a node extends after a start.
 *
 * - after a clean stop those of before, once every other member has vouched; until then new
 *   ones are opened
 * - a data directory that was put back from a backup is found out: no acknowledged write is
 *   lost to it, it is said, and the node's number goes on above what others have seen
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

static const uint64_t SECOND = 1000000;

static int first_of(struct world *world, const char *key)
{
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, key, nodes);
    return nodes[0];
}

static void restart(struct world *world, int node, uint64_t run_us)
{
    world_stop(world, node);
    world_start(world, node);
    world_run(world, run_us);
}

/* Overwrites the key there; how many pairs its clock has then. */
static uint32_t pairs_after_put(struct world *world, int node, const char *key)
{
    struct object *seen = NULL;
    struct object *row = NULL;
    enum status status = ask_get(world, node, key, &seen);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    assert_int_equal(ask_put(world, node, key, "text", seen, &row), STATUS_OK);
    uint32_t count = row->clock.count;
    object_unref(seen);
    object_unref(row);
    return count;
}

static void test_vouch__clean_restarts__the_pair_of_before_is_extended(void **state)
{
    (void)state;
    struct world *world = cluster_of(31, 5);
    int node = first_of(world, "k");
    assert_int_equal(pairs_after_put(world, node, "k"), 1);
    for (int i = 0; i < 4; i++) {
        restart(world, node, 2 * SECOND);
        assert_int_equal(pairs_after_put(world, node, "k"), 1);
    }
    assert_int_equal(node_figure(world, node, "old_copies"), 0);
    world_free(world);
}

/* Not even one that holds no copy may be missing: it could keep a hint that knows more. */
static void test_vouch__member_is_away__a_new_pair_is_opened(void **state)
{
    (void)state;
    struct world *world = cluster_of(31, 5);
    int nodes[WORLD_NODES_MAX];
    int node = first_of(world, "k");
    char other[8] = "a";
    while (first_of(world, other) != node) {
        other[0]++;
    }
    (void)nodes_of_key(world, "k", nodes);
    assert_int_equal(pairs_after_put(world, node, "k"), 1);
    assert_int_equal(pairs_after_put(world, node, other), 1);
    world_kill(world, nodes[4]);

    restart(world, node, 2 * SECOND);
    assert_int_equal(pairs_after_put(world, node, "k"), 2);

    /* Nobody vouched for that start, and everybody for the next: what was opened since that
     * start is extended, what was opened before is not. */
    restart(world, node, 2 * SECOND);
    world_start(world, nodes[4]);
    world_run(world, 10 * SECOND);
    assert_int_equal(pairs_after_put(world, node, "k"), 2);
    assert_int_equal(pairs_after_put(world, node, other), 2);
    world_free(world);
}

static void test_vouch__put_back_from_a_backup__loses_nothing(void **state)
{
    (void)state;
    for (unsigned seen = 0; seen <= 1; seen++) {
        struct world *world = cluster_of(31, 3);
        int node = first_of(world, "k");
        struct object *object = NULL;
        char text[64];
        assert_int_equal(ask_put(world, node, "k", "one", NULL, NULL), STATUS_OK);
        world_run(world, SECOND);
        world_stop(world, node);
        world_back_up(world, node);
        world_start(world, node);
        world_run(world, 2 * SECOND);
        assert_int_equal(ask_put(world, node, "k", "two", NULL, NULL), STATUS_OK);
        world_run(world, SECOND);

        world_stop(world, node);
        world_put_back(world, node);
        world_start(world, node);
        /* At once, or when it was told that it is an old copy. */
        world_run(world, seen * 10 * SECOND);
        assert_int_equal(ask_put(world, node, "k", "three", NULL, NULL), STATUS_OK);
        world_run(world, 10 * SECOND);

        assert_int_equal(ask_get(world, (node + 1) % 3, "k", &object), STATUS_OK);
        object_text(object, text, sizeof text);
        assert_string_equal(text, "one,two,three,");
        assert_true(node_figure(world, node, "old_copies") > 0);
        object_unref(object);

        /* From here on it is a directory like any other. */
        uint32_t pairs = pairs_after_put(world, node, "k");
        restart(world, node, 2 * SECOND);
        assert_int_equal(pairs_after_put(world, node, "k"), pairs);
        assert_int_equal(node_figure(world, node, "old_copies"), 0);
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vouch__clean_restarts__the_pair_of_before_is_extended),
        cmocka_unit_test(test_vouch__member_is_away__a_new_pair_is_opened),
        cmocka_unit_test(test_vouch__put_back_from_a_backup__loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
