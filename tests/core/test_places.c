/*
 * test_places.c - whose place in the ring it is, on whole clusters under virtual time.
 *
 * - a lost member's place is given away by itself only while every other member is there and
 *   complete; else the empty node waits, and says so, until somebody replaces by hand
 * - two nodes that refill never complete each other
 * - a ring is believed only from whom this node connected to, and only if it follows
 * - two rings of one epoch are noticed and never mixed
 * - an old directory whose place was given away hands over what it holds, but for what may have
 *   been deleted meanwhile
 * - hints are kept for members that hold the key, and can be dropped by hand
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"
#include "tests/ring/make.h"

#define SECOND UINT64_C(1000000)

static struct world *nodes_with(int nodes, uint16_t replicas)
{
    struct world_options options = cluster_options(5, nodes);
    options.replica_count = replicas;
    options.partition_count = 16;
    return cluster_start(&options);
}

static void lose_disk(struct world *world, int node)
{
    world_kill(world, node);
    world_wipe(world, node);
    world_start(world, node);
}

static node_id id_at(struct world *world, int of, int node)
{
    const struct ring *ring = core_ring(world_core(world, of));
    assert_non_null(ring);
    int member = ring_find_address(ring, world_address(world, node));
    assert_true(member >= 0);
    return ring->members[member].id;
}

static bool is_member(struct world *world, int node)
{
    return core_ring(world_core(world, node));
}

/* The answer to a request; its text, if it has one, into `text`. */
static enum status answer_to(struct world *world, int node, struct message *request, char *text,
                             size_t size)
{
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, node, request), 20 * SECOND, &reply));
    struct slice words = blob_slice(reply.text);
    (void)snprintf(text, size, "%.*s", (int)words.size,
                   words.size > 0 ? (char *)words.data : "");
    enum status status = reply.status;
    message_release(&reply);
    return status;
}

static enum status replace(struct world *world, int node, node_id member)
{
    char text[TEXT_SIZE_MAX + 1];
    struct message message = {.type = MESSAGE_REPLACE, .request_id = 1};
    message.replace.member = member;
    return answer_to(world, node, &message, text, sizeof text);
}

static void await_complete(struct world *world, int node)
{
    for (int i = 0; i < 1200 && !world_is_complete(world, node); i++) {
        world_run(world, SECOND / 10);
    }
    assert_true(world_is_complete(world, node));
}

static void assert_value(struct world *world, int node, const char *key, const char *expected)
{
    struct object *object = NULL;
    char text[64];
    assert_int_equal(ask_get(world, node, key, &object), STATUS_OK);
    object_text(object, text, sizeof text);
    assert_string_equal(text, expected);
    object_unref(object);
}

static void test_place__two_of_three_are_empty__none_is_given_away(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    char text[TEXT_SIZE_MAX + 1];
    uint64_t epoch = core_ring(world_core(world, 2))->epoch;
    world_kill(world, 2);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_kill(world, 0);
    world_kill(world, 1);
    world_wipe(world, 0);
    world_wipe(world, 1);
    for (int i = 0; i < 3; i++) {
        world_start(world, i);
    }

    world_run(world, 60 * SECOND);

    assert_true(core_ring(world_core(world, 2))->epoch == epoch);
    assert_false(is_member(world, 0));
    assert_false(is_member(world, 1));
    struct message message = {.type = MESSAGE_STATUS, .request_id = 1};
    assert_int_equal(answer_to(world, 0, &message, text, sizeof text), STATUS_OK);
    assert_non_null(strstr(text, "dynamoctl replace"));
    world_free(world);
}

static void test_place__one_is_empty_and_one_is_away__waits_until_it_is_back(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_run(world, 2 * SECOND);
    world_kill(world, 1);
    lose_disk(world, 0);

    world_run(world, 30 * SECOND);
    assert_false(is_member(world, 0));
    world_start(world, 1);

    await_complete(world, 0);
    assert_value(world, 0, "k", "v,");
    world_free(world);
}

static void test_place__another_refills__waits_until_it_is_complete(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_run(world, 2 * SECOND);
    /* Node 1 cannot end its refill while it does not reach node 0. */
    lose_disk(world, 1);
    for (int i = 0; i < 100 && !is_member(world, 1); i++) {
        world_run(world, SECOND / 100);
    }
    assert_true(is_member(world, 1) && !world_is_complete(world, 1));
    world_cut(world, 1, 0, true);
    world_cut(world, 0, 1, true);
    lose_disk(world, 0);
    world_run(world, 5 * SECOND);
    world_cut(world, 1, 0, false);
    world_cut(world, 0, 1, false);

    world_run(world, 30 * SECOND);

    assert_false(is_member(world, 0));
    assert_false(world_is_complete(world, 1));
    world_free(world);
}

static void
test_replace__two_of_three_are_lost__by_hand_both_refill_from_the_third(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_run(world, 3 * SECOND);
    lose_disk(world, 0);
    lose_disk(world, 1);
    world_run(world, 5 * SECOND);

    assert_int_equal(replace(world, 2, id_at(world, 2, 2) + 1), STATUS_REFUSED);
    assert_int_equal(replace(world, 2, id_at(world, 2, 2)), STATUS_REFUSED);
    assert_int_equal(replace(world, 2, id_at(world, 2, 0)), STATUS_OK);
    world_run(world, 5 * SECOND);
    assert_true(is_member(world, 0));
    /* The other primary is not there to be compared with. */
    assert_false(world_is_complete(world, 0));
    assert_int_equal(replace(world, 2, id_at(world, 2, 1)), STATUS_OK);

    await_complete(world, 0);
    await_complete(world, 1);
    world_kill(world, 2);
    world_run(world, SECOND);
    assert_value(world, 0, "k", "v,");
    world_free(world);
}

static void exchange_and_start(struct world *world, int node)
{
    world_kill(world, node);
    world_exchange_disks(world, node);
    world_start(world, node);
}

static void status_text_of(struct world *world, int node, char *text, size_t size)
{
    struct message message = {.type = MESSAGE_STATUS, .request_id = 1};
    assert_int_equal(answer_to(world, node, &message, text, size), STATUS_OK);
}

static void test_place__old_disk_is_mounted_again__is_the_member_as_before(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    world_kill(world, 2);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    exchange_and_start(world, 0);
    exchange_and_start(world, 1);
    world_start(world, 2);
    world_run(world, 30 * SECOND);

    exchange_and_start(world, 0);
    exchange_and_start(world, 1);
    world_run(world, 10 * SECOND);

    assert_value(world, 0, "k", "v,");
    assert_value(world, 2, "k", "v,");
    world_free(world);
}

/* Node 0 has what nobody else has, and its place is given to an empty node by hand. */
static struct world *replaced_node(void)
{
    struct world *world = nodes_with(3, 3);
    world_kill(world, 2);
    world_run(world, SECOND);
    assert_int_equal(ask_put(world, 0, "d/k", "v", NULL, NULL), STATUS_OK);
    world_run(world, SECOND);
    /* Node 1, which has the other copy, has lost its disk as well. */
    lose_disk(world, 1);
    exchange_and_start(world, 0);
    world_start(world, 2);
    world_run(world, 5 * SECOND);
    assert_int_equal(replace(world, 2, id_at(world, 2, 0)), STATUS_OK);
    world_run(world, 5 * SECOND);
    assert_int_equal(replace(world, 2, id_at(world, 2, 1)), STATUS_OK);
    await_complete(world, 0);
    await_complete(world, 1);
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 1, "d/k", &object), STATUS_NOT_FOUND);
    return world;
}

static void test_source__place_was_given_away__its_objects_are_merged_in(void **state)
{
    (void)state;
    struct world *world = replaced_node();
    char text[TEXT_SIZE_MAX + 1] = "";

    exchange_and_start(world, 0);
    for (int i = 0; i < 600 && !strstr(text, "all that it held is handed over"); i++) {
        world_run(world, SECOND / 10);
        status_text_of(world, 0, text, sizeof text);
    }

    assert_non_null(strstr(text, "all that it held is handed over"));
    assert_value(world, 1, "d/k", "v,");
    assert_value(world, 2, "d/k", "v,");
    /* It serves nobody. */
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 0, "d/k", &object), STATUS_CLOSED);
    exchange_and_start(world, 0);
    world_run(world, 10 * SECOND);
    assert_value(world, 0, "d/k", "v,");
    world_free(world);
}

static void test_source__object_is_old_and_unknown__is_kept_back(void **state)
{
    (void)state;
    struct world *world = replaced_node();
    char text[TEXT_SIZE_MAX + 1] = "";

    for (int node = 0; node < 3; node++) {
        world_set_clock(world, node, (int64_t)(8 * 24 * 3600 * SECOND), 0);
    }
    exchange_and_start(world, 0);
    for (int i = 0; i < 600 && !strstr(text, "all that it held is handed over"); i++) {
        world_run(world, SECOND / 10);
        status_text_of(world, 0, text, sizeof text);
    }

    assert_non_null(strstr(text, "all that it held is handed over"));
    assert_null(strstr(text, " 0 older than"));
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 1, "d/k", &object), STATUS_NOT_FOUND);
    world_free(world);
}

/* The name was deleted and reaped, for all that the source knows, and is another file now. */
static void test_source__name_has_begun_anew__old_object_is_kept_back(void **state)
{
    (void)state;
    struct world *world = replaced_node();
    char text[TEXT_SIZE_MAX + 1] = "";

    for (int node = 0; node < 3; node++) {
        world_set_clock(world, node, (int64_t)(8 * 24 * 3600 * SECOND), 0);
    }
    assert_int_equal(ask_put(world, 1, "d/k", "new", NULL, NULL), STATUS_OK);
    exchange_and_start(world, 0);
    for (int i = 0; i < 600 && !strstr(text, "all that it held is handed over"); i++) {
        world_run(world, SECOND / 10);
        status_text_of(world, 0, text, sizeof text);
    }

    assert_non_null(strstr(text, "all that it held is handed over"));
    assert_null(strstr(text, " 0 older than"));
    assert_value(world, 1, "d/k", "new,");
    assert_value(world, 2, "d/k", "new,");
    world_free(world);
}

static void set_links(struct world *world, int node, bool cut)
{
    for (int other = 0; other < 3; other++) {
        if (other != node) {
            world_cut(world, node, other, cut);
            world_cut(world, other, node, cut);
        }
    }
}

/* It takes a put before it learns that its place is another's. */
static void test_source__old_object_was_touched_today__is_kept_back(void **state)
{
    (void)state;
    struct world *world = replaced_node();
    char text[TEXT_SIZE_MAX + 1] = "";

    for (int node = 0; node < 3; node++) {
        world_set_clock(world, node, (int64_t)(8 * 24 * 3600 * SECOND), 0);
    }
    set_links(world, 0, true);
    exchange_and_start(world, 0);
    assert_int_equal(ask_put(world, 0, "d/k", "new", NULL, NULL), STATUS_NO_QUORUM);
    set_links(world, 0, false);
    for (int i = 0; i < 600 && !strstr(text, "all that it held is handed over"); i++) {
        world_run(world, SECOND / 10);
        status_text_of(world, 0, text, sizeof text);
    }

    assert_non_null(strstr(text, "all that it held is handed over"));
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 1, "d/k", &object), STATUS_NOT_FOUND);
    world_free(world);
}

static void test_replace__member_is_there__is_refused(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);

    assert_int_equal(replace(world, 0, id_at(world, 0, 1)), STATUS_REFUSED);
    world_kill(world, 1);
    world_run(world, SECOND);
    assert_int_equal(replace(world, 0, id_at(world, 0, 1)), STATUS_REFUSED);

    world_free(world);
}

static void forget_completeness(struct world *world, int node)
{
    struct store_request request = {.operation = STORE_SET_COMPLETE,
                                    .set_complete = {.is_complete = false}};
    struct store_result result = {0};
    world_kill(world, node);
    world_start(world, node);
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    world_kill(world, node);
    world_start(world, node);
}

static void test_refill__two_that_refill__never_complete_each_other(void **state)
{
    (void)state;
    struct world *world = nodes_with(2, 2);
    forget_completeness(world, 0);
    forget_completeness(world, 1);

    world_run(world, 60 * SECOND);
    assert_false(world_is_complete(world, 0));
    assert_false(world_is_complete(world, 1));

    /* Nothing better will come: somebody says so. */
    assert_int_equal(replace(world, 0, id_at(world, 0, 0)), STATUS_OK);
    await_complete(world, 0);
    await_complete(world, 1);
    world_free(world);
}

static void push_ring(struct world *world, int node, uint64_t epoch, node_id from)
{
    struct message message = {.type = MESSAGE_RING_PUSH, .request_id = 1};
    message.ring_push.epoch = epoch;
    message.ring_push.node = from;
    struct message reply = {0};
    assert_true(
        world_wait(world, world_ask_as_node(world, node, &message), 20 * SECOND, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    message_release(&reply);
}

static void test_ring_push__from_a_stranger__changes_nothing(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    uint64_t mark = core_ring_mark(world_core(world, 0));

    push_ring(world, 0, 1000, 12345);
    push_ring(world, 0, 1000, id_at(world, 0, 1));
    world_run(world, 5 * SECOND);

    assert_true(core_ring_mark(world_core(world, 0)) == mark);
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_free(world);
}

/* Saves a ring on a node's disk as if it had been agreed upon. */
static void save_ring(struct world *world, int node, const struct ring *ring)
{
    struct store_request request = {.operation = STORE_SAVE_RING,
                                    .save_ring = {.ring = malloc(sizeof *ring)}};
    struct store_result result = {0};
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *ring;
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    store_request_release(&request);
    world_kill(world, node);
    world_start(world, node);
}

static void test_ring__two_of_one_epoch__are_noticed_and_not_mixed(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    struct ring other = *core_ring(world_core(world, 2));
    uint16_t first = other.owner[0];
    other.owner[0] = other.owner[1];
    other.owner[1] = first;
    assert_true(ring_is_valid(&other));

    save_ring(world, 2, &other);
    world_run(world, 10 * SECOND);

    assert_true(node_figure(world, 0, "ring_splits") > 0);
    assert_true(node_figure(world, 2, "ring_splits") > 0);
    struct message put = {.type = MESSAGE_REPLICA_PUT, .request_id = 1};
    put.replica_put.key = blob_new(slice_of_string("k"));
    put.replica_put.object = make_object("1.1:1700000000000004 | 1.1:1700000000000004", NULL);
    put.replica_put.parts = REPLICA_OBJECT;
    put.ring_epoch = core_ring_mark(world_core(world, 2));
    struct message reply = {0};
    assert_true(world_wait(world, world_ask_as_node(world, 0, &put), 20 * SECOND, &reply));
    assert_int_equal(reply.status, STATUS_STALE_RING);
    message_release(&reply);
    /* Two nodes still agree with each other. */
    assert_int_equal(ask_put(world, 0, "k", "v", NULL, NULL), STATUS_OK);
    world_free(world);
}

static void test_ring__shares_too_few_members__is_not_taken(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    const struct ring *ring = core_ring(world_core(world, 0));
    struct ring next;
    struct ring last;
    /* Two members exchanged in one epoch: no sequence of changes leads there. */
    assert_int_equal(ring_replace_member(ring, id_at(world, 0, 0), 77, &next), STATUS_OK);
    assert_int_equal(ring_replace_member(&next, id_at(world, 0, 1), 78, &last), STATUS_OK);
    last.epoch = ring->epoch + 1;
    uint64_t mark = core_ring_mark(world_core(world, 0));

    save_ring(world, 2, &last);
    world_run(world, 10 * SECOND);

    assert_true(core_ring_mark(world_core(world, 0)) == mark);
    assert_true(node_figure(world, 0, "rings_refused") > 0);
    world_free(world);
}

static enum status keep_hint(struct world *world, int node, const char *key, node_id owner)
{
    struct message put = {.type = MESSAGE_REPLICA_PUT, .request_id = 1};
    put.replica_put.key = blob_new(slice_of_string(key));
    put.replica_put.object = make_object("1.1:1700000000000004 | 1.1:1700000000000004", NULL);
    put.replica_put.parts = REPLICA_OBJECT;
    put.replica_put.hint_for = owner;
    put.ring_epoch = core_ring_mark(world_core(world, node));
    struct message reply = {0};
    assert_true(world_wait(world, world_ask_as_node(world, node, &put), 20 * SECOND, &reply));
    enum status status = reply.status;
    message_release(&reply);
    return status;
}

static void test_hint__owner_does_not_hold_the_key__is_refused(void **state)
{
    (void)state;
    struct world *world = nodes_with(5, 3);
    int nodes[WORLD_NODES_MAX];
    assert_int_equal(nodes_of_key(world, "k", nodes), 3);

    assert_int_equal(keep_hint(world, nodes[3], "k", 12345), STATUS_REFUSED);
    assert_int_equal(keep_hint(world, nodes[3], "k", id_at(world, 0, nodes[4])),
                     STATUS_REFUSED);

    world_free(world);
}

static void test_hints__dropped_by_hand__are_gone(void **state)
{
    (void)state;
    struct world *world = nodes_with(3, 3);
    world_kill(world, 2);
    for (int i = 0; i < 40; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(ask_put(world, 0, key, "v", NULL, NULL), STATUS_OK);
    }
    world_run(world, 5 * SECOND);
    node_id owner = id_at(world, 0, 2);
    uint64_t dropped = 0;

    for (int node = 0; node < 2; node++) {
        struct message drop = {.type = MESSAGE_DROP_HINTS, .request_id = 1};
        drop.drop_hints.owner = owner;
        struct message reply = {0};
        assert_true(world_wait(world, world_ask(world, node, &drop), 20 * SECOND, &reply));
        assert_int_equal(reply.status, STATUS_OK);
        dropped += reply.drop_hints_reply.count;
        message_release(&reply);
    }

    assert_true(dropped >= 40);
    world_run(world, SECOND);
    assert_int_equal(node_figure(world, 0, "hints_kept"), 0);
    assert_int_equal(node_figure(world, 1, "hints_kept"), 0);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place__two_of_three_are_empty__none_is_given_away),
        cmocka_unit_test(test_place__one_is_empty_and_one_is_away__waits_until_it_is_back),
        cmocka_unit_test(test_place__another_refills__waits_until_it_is_complete),
        cmocka_unit_test(
            test_replace__two_of_three_are_lost__by_hand_both_refill_from_the_third),
        cmocka_unit_test(test_place__old_disk_is_mounted_again__is_the_member_as_before),
        cmocka_unit_test(test_source__place_was_given_away__its_objects_are_merged_in),
        cmocka_unit_test(test_source__object_is_old_and_unknown__is_kept_back),
        cmocka_unit_test(test_source__name_has_begun_anew__old_object_is_kept_back),
        cmocka_unit_test(test_source__old_object_was_touched_today__is_kept_back),
        cmocka_unit_test(test_replace__member_is_there__is_refused),
        cmocka_unit_test(test_refill__two_that_refill__never_complete_each_other),
        cmocka_unit_test(test_ring_push__from_a_stranger__changes_nothing),
        cmocka_unit_test(test_ring__two_of_one_epoch__are_noticed_and_not_mixed),
        cmocka_unit_test(test_ring__shares_too_few_members__is_not_taken),
        cmocka_unit_test(test_hint__owner_does_not_hold_the_key__is_refused),
        cmocka_unit_test(test_hints__dropped_by_hand__are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
