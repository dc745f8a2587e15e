/*
 * test_put_some.c - puts that supersede versions by name, on whole clusters under virtual time.
 *
 * A version that is dropped by name is gone from every replica, or the put is refused.
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
#include "tests/ring/make.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

/* A delete of the version under `dot`. */
static int drop_later(struct world *world, int node, const char *key, const char *dot,
                      uint8_t w)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_new(slice_of_string(key));
    message.put.mode = UPDATE_SOME;
    message.put.w = w;
    message.put.deadline_ms = 5000;
    message.put.dots = calloc(1, sizeof *message.put.dots);
    assert_non_null(message.put.dots);
    message.put.dots[0] = make_dot(dot);
    message.put.dot_count = 1;
    return world_ask(world, node, &message);
}

static const char ONE[] = "50.1:5 | 50.1:5";

static const char BOTH_VERSIONS[] = "50.1:5 60.1:6 | 50.1:5 60.1:6";

/* The sibling is dropped by a coordinator that does not know it, nor does its neighbour, with
 * that W; then it is gone everywhere. */
static void check_dropped_everywhere(uint8_t count, uint8_t w)
{
    struct world *world = cluster_still(count, count);
    int nodes[WORLD_NODES_MAX];
    assert_int_equal(nodes_of_key(world, "a", nodes), count);
    for (int i = 0; i < count; i++) {
        copy_write(world, nodes[i], "a", i < 2 ? ONE : BOTH_VERSIONS, BOTH);
    }

    assert_int_equal(ask_outcome(world, drop_later(world, nodes[0], "a", "60.1:6", w)),
                     STATUS_OK);

    world_run(world, 2 * SECOND);
    for (int i = 0; i < count; i++) {
        assert_copy(world, nodes[i], "a", "50.1:5 60.1:6 | 50.1:5");
    }
    world_free(world);
}

/* A put of W = 3 reached three of five: the coordinator and its neighbour are not among them.
 */
static void test_put_some__sibling_on_the_far_replicas__is_dropped_everywhere(void **state)
{
    (void)state;
    check_dropped_everywhere(5, 3);
}

static void test_put_some__w_is_1_and_one_replica_knows_it__is_dropped(void **state)
{
    (void)state;
    check_dropped_everywhere(3, 1);
}

static void test_put_some__the_one_that_knows_it_is_cut_off__is_not_acknowledged(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "a", nodes);
    for (int i = 0; i < 3; i++) {
        copy_write(world, nodes[i], "a", i < 2 ? ONE : BOTH_VERSIONS, BOTH);
    }
    for (int i = 0; i < 2; i++) {
        world_cut(world, nodes[i], nodes[2], true);
        world_cut(world, nodes[2], nodes[i], true);
    }
    world_run(world, SECOND);

    enum status status = ask_outcome(world, drop_later(world, nodes[0], "a", "60.1:6", 1));
    assert_true(status == STATUS_NO_QUORUM || status == STATUS_TIMEOUT);
    /* Where it is known, one node is enough. */
    status = ask_outcome(world, drop_later(world, nodes[2], "a", "60.1:6", 1));
    assert_int_equal(status, STATUS_OK);
    world_free(world);
}

static void test_put_some__nobody_knows_it__is_refused(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    for (int i = 0; i < 3; i++) {
        copy_write(world, i, "a", ONE, BOTH);
    }

    assert_int_equal(ask_outcome(world, drop_later(world, 0, "a", "60.1:6", 2)),
                     STATUS_UNKNOWN_VERSION);
    assert_int_equal(ask_outcome(world, drop_later(world, 1, "nothing", "60.1:6", 2)),
                     STATUS_UNKNOWN_VERSION);

    for (int i = 0; i < 3; i++) {
        assert_copy(world, i, "a", ONE);
        assert_copy(world, i, "nothing", "none");
    }
    world_free(world);
}

/* Nothing is named: a client may ask for that, and adds a sibling. */
static void test_put_some__names_nothing__is_one_more_sibling(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    assert_int_equal(ask_put(world, 0, "k", "a", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put_some(world, 0, "k", "b", NULL, 0), STATUS_OK);
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 1, "k", &object), STATUS_OK);
    assert_int_equal(object->version_count, 2);
    object_unref(object);
    world_free(world);
}

/* Others know what is named: it is no unknown version, and another node may be asked. */
static void test_put_some__coordinator_has_no_room_for_what_it_read__says_that(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    struct object *seen = NULL;
    /* Node 2 has counters left when its disk is full. */
    assert_int_equal(ask_put(world, 2, "other", "-", NULL, NULL), STATUS_OK);
    world_fill_disk(world, 2, true);
    assert_int_equal(ask_put(world, 0, "k", "a", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 0, "k", "b", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_get(world, 0, "k", &seen), STATUS_OK);
    assert_int_equal(seen->version_count, 2);

    const struct version *named = &seen->versions[0];
    assert_int_equal(ask_put_some(world, 2, "k", "c", named, 1), STATUS_NO_SPACE);
    assert_int_equal(ask_put_some(world, 1, "k", "c", named, 1), STATUS_OK);
    object_unref(seen);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_some__sibling_on_the_far_replicas__is_dropped_everywhere),
        cmocka_unit_test(test_put_some__w_is_1_and_one_replica_knows_it__is_dropped),
        cmocka_unit_test(test_put_some__the_one_that_knows_it_is_cut_off__is_not_acknowledged),
        cmocka_unit_test(test_put_some__nobody_knows_it__is_refused),
        cmocka_unit_test(test_put_some__names_nothing__is_one_more_sibling),
        cmocka_unit_test(test_put_some__coordinator_has_no_room_for_what_it_read__says_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
