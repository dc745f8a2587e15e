/*
 * test_hand_round.c - requests while nodes follow different rings, as one is handed round.
 *
 * - who asks and who is asked tell each other of the newer ring, and the read is made again
 * - the copies of a put are sent again: it is coordinated once, and has one version
 * - also when the newer ring comes before the refusal of who had it sooner
 * - two rings of one epoch are not waited for
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/state.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"

#define SECOND UINT64_C(1000000)

static struct world *three_nodes(void)
{
    struct world_options options = cluster_options(5, 3);
    options.partition_count = 16;
    return cluster_start(&options);
}

/* The node has taken up a ring that the others have not heard of yet. */
static void take_later_ring(struct world *world, int node)
{
    struct core *core = (struct core *)world_core(world, node);
    core->ring->epoch++;
    core->ring_mark = ring_mark(core->ring);
}

static void assert_reads_work(struct world *world, int node)
{
    struct object *object = NULL;
    char names[32];
    assert_int_equal(ask_get(world, node, "d/k", &object), STATUS_OK);
    object_unref(object);
    assert_int_equal(ask_list(world, node, "d/", names, sizeof names), STATUS_OK);
    assert_string_equal(names, "k ");
}

static void test_reads__ring_is_handed_round__are_asked_again(void **state)
{
    (void)state;
    /* Bits: nodes that have the newer ring when node 0 is asked. */
    for (unsigned newer = 1; newer < 7; newer++) {
        for (int is_list = 0; is_list < 2; is_list++) {
            struct world *world = three_nodes();
            assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_OK);
            world_run(world, 2 * SECOND);
            for (int node = 0; node < 3; node++) {
                if ((newer >> node & 1) != 0) {
                    take_later_ring(world, node);
                }
            }
            struct object *object = NULL;
            char names[32];
            uint64_t before_us = world_now(world);
            enum status status = is_list ? ask_list(world, 0, "d/", names, sizeof names)
                                         : ask_get(world, 0, "d/k", &object);
            assert_int_equal(status, STATUS_OK);
            object_unref(object);
            assert_true(world_now(world) - before_us < SECOND);
            assert_reads_work(world, 1);
            world_free(world);
        }
    }
}

/* The refusal comes when this node has taken up the newer ring already. */
static void test_reads__ring_comes_before_the_refusal__are_asked_again(void **state)
{
    (void)state;
    struct world *world = three_nodes();
    assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_OK);
    for (uint64_t delay_us = 0; delay_us < 4000; delay_us += 100) {
        struct message message = {.type = MESSAGE_GET, .request_id = 1};
        struct message reply = {0};
        message.get.key = blob_new(slice_of_string("d/k"));
        message.get.r = 3;
        take_later_ring(world, 1);
        take_later_ring(world, 2);
        int call = world_ask(world, 0, &message);
        world_run(world, delay_us);
        take_later_ring(world, 0);
        assert_true(world_wait(world, call, 20 * SECOND, &reply));
        assert_int_equal(reply.status, STATUS_OK);
        message_release(&reply);
    }
    world_free(world);
}

/* Nothing is fetched between two halves: it is said at once. */
static void test_reads__rings_of_one_epoch__end_at_once(void **state)
{
    (void)state;
    struct world *world = three_nodes();
    assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_OK);
    for (int node = 1; node < 3; node++) {
        struct core *core = (struct core *)world_core(world, node);
        uint16_t first = core->ring->owner[0];
        core->ring->owner[0] = core->ring->owner[1];
        core->ring->owner[1] = first;
        core->ring_mark = ring_mark(core->ring);
    }
    struct object *object = NULL;
    uint64_t before_us = world_now(world);
    assert_int_equal(ask_get(world, 0, "d/k", &object), STATUS_NO_QUORUM);
    assert_true(world_now(world) - before_us < SECOND);
    object_unref(object);
    world_free(world);
}

static void assert_one_version(struct world *world, int node, const char *key, const char *text)
{
    struct object *object = NULL;
    assert_int_equal(ask_get(world, node, key, &object), STATUS_OK);
    assert_int_equal(object->version_count, 1);
    assert_true(slice_equal(blob_slice(object->versions[0].content), slice_of_string(text)));
    object_unref(object);
}

static void test_put__ring_is_handed_round__copies_are_sent_again(void **state)
{
    (void)state;
    for (unsigned newer = 1; newer < 7; newer++) {
        struct world *world = three_nodes();
        for (int node = 0; node < 3; node++) {
            if ((newer >> node & 1) != 0) {
                take_later_ring(world, node);
            }
        }
        uint64_t before_us = world_now(world);
        assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_OK);
        assert_true(world_now(world) - before_us < SECOND);
        for (int node = 0; node < 3; node++) {
            assert_one_version(world, node, "d/k", "v");
        }
        world_free(world);
    }
}

/* Any node is asked: some forward, and those to whom they do may go by another ring. */
static void test_put__forwarded_while_a_ring_is_handed_round__is_done_once(void **state)
{
    (void)state;
    for (unsigned newer = 1; newer < 31; newer++) {
        struct world_options options = cluster_options(newer, 5);
        struct world *world = cluster_start(&options);
        for (int node = 0; node < 5; node++) {
            if ((newer >> node & 1) != 0) {
                take_later_ring(world, node);
            }
        }
        int asked = (int)(newer % 5);
        assert_int_equal(ask_put(world, asked, "d/k", "v", NULL, NULL), STATUS_OK);
        world_run(world, 10 * SECOND);
        assert_one_version(world, asked, "d/k", "v");
        world_free(world);
    }
}

/* Two halves do not come together by waiting. */
static void test_put__rings_of_one_epoch__ends_at_once(void **state)
{
    (void)state;
    struct world *world = three_nodes();
    for (int node = 1; node < 3; node++) {
        struct core *core = (struct core *)world_core(world, node);
        uint16_t first = core->ring->owner[0];
        core->ring->owner[0] = core->ring->owner[1];
        core->ring->owner[1] = first;
        core->ring_mark = ring_mark(core->ring);
    }
    uint64_t before_us = world_now(world);
    assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_NO_QUORUM);
    assert_true(world_now(world) - before_us < SECOND);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads__ring_is_handed_round__are_asked_again),
        cmocka_unit_test(test_reads__ring_comes_before_the_refusal__are_asked_again),
        cmocka_unit_test(test_reads__rings_of_one_epoch__end_at_once),
        cmocka_unit_test(test_put__ring_is_handed_round__copies_are_sent_again),
        cmocka_unit_test(test_put__forwarded_while_a_ring_is_handed_round__is_done_once),
        cmocka_unit_test(test_put__rings_of_one_epoch__ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
