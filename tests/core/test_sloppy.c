/*
 * test_sloppy.c - sloppy quorum, hinted handoff and suspicion, on whole clusters under virtual
 * time.
 *
 * - W reachable nodes, whichever they are, take a write; a single one suffices with W = 1
 * - so it does at a fallback that has started with damaged hints
 * - it is read from the fallbacks; "nothing" from a fallback is never "not found"
 * - once the primaries are back they hold it, without a read, and no hint is left
 * - a stopped replica costs no put and no get more than a moment, from the first one on
 * - a suspected fallback is asked before a put fails for want of it, and so is a primary whose
 *   place a fallback took; what that one keeps is for another then
 * - who forwards asks another primary, and in the end coordinates, where one fails by itself
 * - a row that only suspects could take is left to its intent, not waited for
 * - a node whose disk was lost takes its old place under a new identity
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/request.h"
#include "ring/preference_list.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"

/* The node that lives at a member's address. */
static int node_of_member(const struct ring *ring, int member)
{
    int node = 0;
    assert_int_equal(sscanf(ring->members[member].address, "10.0.0.%d:", &node), 1);
    return node - 1;
}

/* Nodes in the order of the key's preference list; the number of primaries. */
static int nodes_of_key(struct world *world, const char *key, int ret_nodes[WORLD_NODES_MAX])
{
    const struct ring *ring = NULL;
    for (int i = 0; i < WORLD_NODES_MAX && !ring; i++) {
        ring = world_is_up(world, i) ? core_ring(world_core(world, i)) : NULL;
    }
    assert_non_null(ring);
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, slice_of_string(key)), &list);
    for (uint16_t i = 0; i < list.count; i++) {
        ret_nodes[i] = node_of_member(ring, list.member[i]);
    }
    return list.primary;
}

static enum status put_within(struct world *world, int node, const char *key, const char *text,
                              uint8_t w, uint32_t deadline_ms)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_new(slice_of_string(key));
    message.put.mode = UPDATE_ALL;
    message.put.has_value = true;
    message.put.value.content = blob_new(slice_of_string(text));
    message.put.value.attributes =
        (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = strlen(text)};
    for (int i = 0; i < WRITE_ID_SIZE; i++) {
        message.put.value.write_id[i] = (uint8_t)world_random(world);
    }
    message.put.w = w;
    message.put.deadline_ms = deadline_ms;
    struct message reply = {0};
    bool answered = world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply);
    enum status status = answered ? reply.status : STATUS_TIMEOUT;
    message_release(&reply);
    return status;
}

static enum status put_with(struct world *world, int node, const char *key, const char *text,
                            uint8_t w)
{
    return put_within(world, node, key, text, w, 5000);
}

static enum status get_with(struct world *world, int node, const char *key, uint8_t r,
                            char *text, size_t size)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 1};
    message.get.key = blob_new(slice_of_string(key));
    message.get.r = r;
    message.get.deadline_ms = 5000;
    struct message reply = {0};
    bool answered = world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply);
    enum status status = answered ? reply.status : STATUS_TIMEOUT;
    object_text(answered ? reply.get_reply.object : NULL, text, size);
    message_release(&reply);
    return status;
}

static void copy_text(struct world *world, int node, const char *key, char *text, size_t size)
{
    struct store_request request = {.operation = STORE_GET,
                                    .key = blob_new(slice_of_string(key))};
    struct store_result result = {0};
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    object_text(result.object, text, size);
    store_result_release(&result);
    store_request_release(&request);
}

static uint64_t hints_on(struct world *world, int node)
{
    struct store_request request = {.operation = STORE_HINT_OWNERS};
    struct store_result result = {0};
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    uint64_t count = 0;
    for (uint16_t i = 0; i < result.owners.count; i++) {
        count += result.owners.owner[i].count;
    }
    store_result_release(&result);
    return count;
}

static uint64_t hints_in_all(struct world *world, int nodes)
{
    uint64_t count = 0;
    for (int i = 0; i < nodes; i++) {
        count += world_is_up(world, i) ? hints_on(world, i) : 0;
    }
    return count;
}

/* At most a minute of virtual time. */
static void await_no_hints(struct world *world, int nodes)
{
    for (int i = 0; i < 600 && hints_in_all(world, nodes) > 0; i++) {
        world_run(world, 100000);
    }
    assert_int_equal(hints_in_all(world, nodes), 0);
}

static void test_put__all_primaries_dead__fallbacks_take_it_and_hand_it_over(void **state)
{
    (void)state;
    enum { NODES = 6 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    char text[64];
    int primaries = nodes_of_key(world, "dir/key", nodes);
    for (int i = 0; i < primaries; i++) {
        world_kill(world, nodes[i]);
    }
    world_run(world, 500000);

    assert_int_equal(put_with(world, nodes[3], "dir/key", "kept", 2), STATUS_OK);
    assert_int_equal(get_with(world, nodes[4], "dir/key", 2, text, sizeof text), STATUS_OK);
    assert_string_equal(text, "kept,");
    /* Two fallbacks, and none of them knows of another key. */
    assert_int_equal(get_with(world, nodes[5], "dir/key", 3, text, sizeof text), STATUS_OK);
    assert_true(hints_in_all(world, NODES) >= 3);

    for (int i = 0; i < primaries; i++) {
        world_start(world, nodes[i]);
    }
    await_no_hints(world, NODES);
    for (int i = 0; i < primaries; i++) {
        copy_text(world, nodes[i], "dir/key", text, sizeof text);
        assert_string_equal(text, "kept,");
    }
    for (int i = primaries; i < NODES; i++) {
        copy_text(world, nodes[i], "dir/key", text, sizeof text);
        assert_string_equal(text, "");
    }
    char names[64] = "";
    for (int i = 0; i < 100 && strcmp(names, "key ") != 0; i++) {
        world_run(world, 100000);
        (void)ask_list(world, 0, "dir/", names, sizeof names);
    }
    assert_string_equal(names, "key ");
    world_free(world);
}

static void test_put__one_node_left__takes_it_with_w_1(void **state)
{
    (void)state;
    enum { NODES = 5 };
    for (int left = 0; left < NODES; left++) {
        struct world *world = cluster_of(11, NODES);
        char text[64];
        for (int i = 0; i < NODES; i++) {
            if (i != left) {
                world_kill(world, i);
            }
        }
        world_run(world, 500000);
        assert_int_equal(put_with(world, left, "a", "1", 2), STATUS_NO_QUORUM);
        assert_int_equal(put_with(world, left, "b", "2", 1), STATUS_OK);
        assert_int_equal(get_with(world, left, "b", 1, text, sizeof text), STATUS_OK);
        assert_string_equal(text, "2,");
        int nodes[WORLD_NODES_MAX];
        int primaries = nodes_of_key(world, "c", nodes);
        bool is_primary = false;
        for (int i = 0; i < primaries; i++) {
            is_primary = is_primary || nodes[i] == left;
        }
        /* A primary knows that there is nothing; a fallback cannot. */
        assert_int_equal(get_with(world, left, "c", 1, text, sizeof text),
                         is_primary ? STATUS_NOT_FOUND : STATUS_NO_QUORUM);
        for (int i = 0; i < NODES; i++) {
            if (i != left) {
                world_start(world, i);
            }
        }
        await_no_hints(world, NODES);
        (void)nodes_of_key(world, "b", nodes);
        for (int i = 0; i < primaries; i++) {
            copy_text(world, nodes[i], "b", text, sizeof text);
            assert_string_equal(text, "2,");
        }
        world_free(world);
    }
}

static void test_put__fallback_writes_twice__second_supersedes_nothing_unseen(void **state)
{
    (void)state;
    enum { NODES = 4 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    char text[64];
    int primaries = nodes_of_key(world, "k", nodes);
    assert_int_equal(put_with(world, nodes[0], "k", "old", 3), STATUS_OK);
    for (int i = 0; i < primaries; i++) {
        world_kill(world, nodes[i]);
    }
    world_run(world, 500000);
    assert_int_equal(put_with(world, nodes[3], "k", "one", 1), STATUS_OK);
    assert_int_equal(put_with(world, nodes[3], "k", "two", 1), STATUS_OK);
    for (int i = 0; i < primaries; i++) {
        world_start(world, nodes[i]);
    }
    await_no_hints(world, NODES);
    for (int i = 0; i < primaries; i++) {
        copy_text(world, nodes[i], "k", text, sizeof text);
        assert_string_equal(text, "old,one,two,");
    }
    world_free(world);
}

/* Nobody knows yet how old the hints are that a salvage gave back. No client has to pay for it. */
static void test_put__fallback_started_with_damaged_hints__has_judged_them(void **state)
{
    (void)state;
    struct world *world = cluster_of(11, 4);
    int nodes[WORLD_NODES_MAX];
    int primaries = nodes_of_key(world, "k", nodes);
    int fallback = nodes[3];
    for (int i = 0; i < primaries; i++) {
        world_kill(world, nodes[i]);
    }
    world_run(world, 500000);
    assert_int_equal(put_with(world, fallback, "k", "one", 1), STATUS_OK);
    world_kill(world, fallback);
    assert_true(world_damage_hints(world, fallback) > 0);
    world_meet_damage(world, fallback);
    world_start(world, fallback);
    world_run(world, 500000);

    assert_int_equal(put_with(world, fallback, "k", "two", 1), STATUS_OK);
    world_free(world);
}

static void test_put__one_of_three_dead__it_catches_up_without_a_read(void **state)
{
    (void)state;
    struct world *world = cluster_of(11, 3);
    char text[64];
    world_kill(world, 2);
    world_run(world, 500000);
    for (int i = 0; i < 20; i++) {
        char key[] = "dir/a";
        key[4] = (char)('a' + i);
        assert_int_equal(put_with(world, i % 2, key, "v", 2), STATUS_OK);
    }
    world_run(world, 1000000);
    assert_true(hints_in_all(world, 3) >= 20);
    world_start(world, 2);
    await_no_hints(world, 3);
    for (int i = 0; i < 20; i++) {
        char key[] = "dir/a";
        key[4] = (char)('a' + i);
        copy_text(world, 2, key, text, sizeof text);
        assert_string_equal(text, "v,");
    }
    world_free(world);
}

static void test_requests__one_of_three_stopped__cost_little_from_the_first_on(void **state)
{
    (void)state;
    struct world *world = cluster_of(11, 3);
    char text[64];
    assert_int_equal(put_with(world, 0, "k", "v", 2), STATUS_OK);
    world_pause(world, 2, true);
    for (int i = 0; i < 50; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        uint64_t before_us = world_now(world);
        assert_int_equal(put_with(world, i % 2, key, "v", 2), STATUS_OK);
        assert_true(world_now(world) - before_us < 100000);
        before_us = world_now(world);
        assert_int_equal(get_with(world, i % 2, key, 2, text, sizeof text), STATUS_OK);
        assert_true(world_now(world) - before_us < 100000);
        world_run(world, 20000);
    }
    world_pause(world, 2, false);
    await_no_hints(world, 3);
    copy_text(world, 2, "k49", text, sizeof text);
    assert_string_equal(text, "v,");
    world_free(world);
}

static void test_hints__holder_killed_before_delivery__are_found_at_its_start(void **state)
{
    (void)state;
    struct world *world = cluster_of(11, 3);
    char text[64];
    world_kill(world, 2);
    world_run(world, 500000);
    assert_int_equal(put_with(world, 0, "k", "v", 2), STATUS_OK);
    world_run(world, 2000000);
    world_kill(world, 0);
    world_kill(world, 1);
    world_start(world, 2);
    world_start(world, 1);
    world_start(world, 0);
    await_no_hints(world, 3);
    copy_text(world, 2, "k", text, sizeof text);
    assert_string_equal(text, "v,");
    world_free(world);
}

static void test_membership__lost_disk__takes_its_place_under_a_new_identity(void **state)
{
    (void)state;
    struct world *world = cluster_of(11, 3);
    char text[64];
    assert_int_equal(put_with(world, 0, "k", "v", 3), STATUS_OK);
    uint64_t epoch = core_ring(world_core(world, 0))->epoch;
    node_id old = world_store(world, 2)->node;
    world_kill(world, 2);
    world_wipe(world, 2);
    assert_int_equal(put_with(world, 1, "l", "w", 2), STATUS_OK);
    world_start(world, 2);
    world_run(world, 5000000);

    assert_true(world_store(world, 2)->node != old);
    for (int i = 0; i < 3; i++) {
        const struct ring *ring = core_ring(world_core(world, i));
        assert_non_null(ring);
        assert_true(ring->epoch == epoch + 1);
        assert_int_equal(ring->member_count, 3);
        assert_int_equal(ring_find(ring, old), -1);
        assert_true(ring_find(ring, world_store(world, 2)->node) >= 0);
    }
    assert_int_equal(put_with(world, 2, "m", "x", 2), STATUS_OK);
    /* Asked with R = 2 the other two answer; the empty copy is no reason for "not found". */
    assert_int_equal(get_with(world, 2, "k", 2, text, sizeof text), STATUS_OK);
    assert_string_equal(text, "v,");
    world_free(world);
}

/* Each of them waits for both others, which never answer and then are gone. */
static void test_gets__nodes_die_that_many_wait_for__all_are_told_at_once(void **state)
{
    (void)state;
    enum { GETS = 5 };
    struct world *world = cluster_of(11, 3);
    int calls[GETS];
    world_pause(world, 1, true);
    world_pause(world, 2, true);
    for (int i = 0; i < GETS; i++) {
        struct message message = {.type = MESSAGE_GET, .request_id = 1};
        message.get.key = blob_new(slice_of_string("a"));
        message.get.r = 3;
        message.get.deadline_ms = 5000;
        calls[i] = world_ask(world, 0, &message);
    }
    world_run(world, 20000);
    world_kill(world, 1);
    world_kill(world, 2);
    world_run(world, 20000);
    for (int i = 0; i < GETS; i++) {
        struct message reply = {0};
        assert_true(world_answered(world, calls[i]));
        world_take(world, calls[i], &reply);
        assert_int_equal(reply.status, STATUS_NO_QUORUM);
        message_release(&reply);
    }
    world_free(world);
}

/* The first node that could take it has a full disk: the others take it. */
static void test_forward__primary_fails__another_is_asked(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    int primaries = nodes_of_key(world, "dir/key", nodes);
    for (int full = 0; full <= primaries; full++) {
        for (int i = 0; i < primaries; i++) {
            world_fill_disk(world, nodes[i], full == primaries ? i < 2 : i == full);
        }
        assert_int_equal(put_with(world, nodes[3], "dir/key", "v", 2), STATUS_OK);
    }
    /* With none left it is coordinated here, and what it lacks is said as well as can be. */
    for (int i = 0; i < NODES; i++) {
        world_fill_disk(world, i, i != nodes[3]);
    }
    assert_int_equal(put_with(world, nodes[3], "dir/key", "v", 1), STATUS_OK);
    assert_int_equal(put_with(world, nodes[3], "dir/key", "v", 2), STATUS_NO_SPACE);
    world_free(world);
}

/* No primary may take all of the time. */
static void test_forward__primaries_are_stopped__there_is_time_for_others(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    int primaries = nodes_of_key(world, "k", nodes);
    for (int i = 0; i < primaries; i++) {
        world_pause(world, nodes[i], true);
    }
    assert_int_equal(put_within(world, nodes[3], "k", "v", 2, 600), STATUS_OK);
    world_free(world);
}

/* Primaries that reach nobody but who forwards to them are no reason for a listing to fail. */
static void test_forward__primary_is_cut_off__reads_pass_it_by(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    char names[64];
    int primaries = nodes_of_key(world, "dir/", nodes);
    assert_int_equal(ask_put(world, nodes[3], "dir/key", "v", NULL, NULL), STATUS_OK);
    world_run(world, 1000000);
    for (int i = 0; i < primaries; i++) {
        for (int j = 0; j < NODES; j++) {
            bool is_cut = i != j && j != 3;
            world_cut(world, nodes[i], nodes[j], is_cut);
            world_cut(world, nodes[j], nodes[i], is_cut);
        }
    }
    world_run(world, 200000);
    assert_int_equal(ask_list(world, nodes[3], "dir/", names, sizeof names), STATUS_OK);
    assert_string_equal(names, "key ");
    world_free(world);
}

/* Whom a stopped node is asked to take the rest from: all that are left are suspected. */
static void test_put__fallbacks_are_suspected__are_asked_before_it_fails(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "k", nodes);
    world_kill(world, nodes[1]);
    world_kill(world, nodes[2]);
    world_run(world, 500000);
    make_suspect(world, nodes[0], nodes[3]);
    make_suspect(world, nodes[0], nodes[4]);
    assert_int_equal(put_with(world, nodes[0], "k", "v", 3), STATUS_OK);
    world_free(world);
}

/* One primary is dead, one suspected: its place was taken by the only fallback. */
static void test_put__primary_was_replaced__is_asked_before_it_fails(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "k", nodes);
    world_kill(world, nodes[2]);
    world_kill(world, nodes[4]);
    world_run(world, 500000);
    make_suspect(world, nodes[0], nodes[1]);
    assert_int_equal(put_with(world, nodes[0], "k", "v", 3), STATUS_OK);
    char text[16];
    copy_text(world, nodes[1], "k", text, sizeof text);
    assert_string_equal(text, "v,");
    /* The third copy lasts: what was kept for that one was handed over, and what is for the one
     * that is dead stays. */
    world_run(world, 60000000);
    assert_int_equal(hints_on(world, nodes[3]), 1);
    world_free(world);
}

/* The only primary left is suspected by who coordinates in its place. */
static void test_put__fallback_coordinates__asks_the_last_primary_too(void **state)
{
    (void)state;
    enum { NODES = 5 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "k", nodes);
    for (int last = 0; last < 3; last++) {
        for (int i = 0; i < 3; i++) {
            world_pause(world, nodes[i], i != last);
            make_suspect(world, nodes[3], nodes[i]);
        }
        assert_int_equal(put_with(world, nodes[3], "k", "v", 3), STATUS_OK);
    }
    world_free(world);
}

/* Two of the three that hold the directory are stopped, and none of those of the file. */
static void test_put__row_has_only_suspects__is_left_to_its_intent(void **state)
{
    (void)state;
    enum { NODES = 7 };
    struct world *world = cluster_of(11, NODES);
    int nodes[WORLD_NODES_MAX];
    int holders[WORLD_NODES_MAX];
    char key[16];
    bool is_apart = false;
    (void)nodes_of_key(world, "dir/", holders);
    for (int i = 0; i < 1000 && !is_apart; i++) {
        (void)snprintf(key, sizeof key, "dir/%d", i);
        (void)nodes_of_key(world, key, nodes);
        is_apart = true;
        for (int j = 0; j < 6; j++) {
            is_apart = is_apart && nodes[j % 3] != holders[1 + j / 3];
        }
    }
    assert_true(is_apart);
    world_pause(world, holders[1], true);
    world_pause(world, holders[2], true);
    uint64_t before_us = world_now(world);
    assert_int_equal(put_with(world, nodes[0], key, "v", 2), STATUS_OK);
    assert_true(world_now(world) - before_us < 1500000);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__all_primaries_dead__fallbacks_take_it_and_hand_it_over),
        cmocka_unit_test(test_put__one_node_left__takes_it_with_w_1),
        cmocka_unit_test(test_put__fallback_writes_twice__second_supersedes_nothing_unseen),
        cmocka_unit_test(test_put__fallback_started_with_damaged_hints__has_judged_them),
        cmocka_unit_test(test_put__one_of_three_dead__it_catches_up_without_a_read),
        cmocka_unit_test(test_requests__one_of_three_stopped__cost_little_from_the_first_on),
        cmocka_unit_test(test_gets__nodes_die_that_many_wait_for__all_are_told_at_once),
        cmocka_unit_test(test_hints__holder_killed_before_delivery__are_found_at_its_start),
        cmocka_unit_test(test_forward__primary_fails__another_is_asked),
        cmocka_unit_test(test_forward__primaries_are_stopped__there_is_time_for_others),
        cmocka_unit_test(test_forward__primary_is_cut_off__reads_pass_it_by),
        cmocka_unit_test(test_put__fallbacks_are_suspected__are_asked_before_it_fails),
        cmocka_unit_test(test_put__primary_was_replaced__is_asked_before_it_fails),
        cmocka_unit_test(test_put__fallback_coordinates__asks_the_last_primary_too),
        cmocka_unit_test(test_put__row_has_only_suspects__is_left_to_its_intent),
        cmocka_unit_test(test_membership__lost_disk__takes_its_place_under_a_new_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
