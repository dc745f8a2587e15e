/*
 * test_reap.c - scrubbing, reaping, and the share of time that background work takes.
 *
 * - a tombstone that is old enough goes from every replica, objects before rows
 * - it stays while a member is away, keeps a hint for the key, holds another state, or a row of
 * it lives; and while it is young
 * - a scrub pushes the rows that lag behind their objects, also to nodes that hold no object
 * - a scrub corrects trees that are not what the disk says
 * - the budget of background work shrinks while requests are slow, grows while they are quick
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/background.h"
#include "node/core/request.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

/* Scrubs every minute or so, compares trees every hour. */
static struct world *nodes_of(int nodes)
{
    struct world_options options = cluster_options(9, nodes);
    options.repair_interval_us = 3600 * SECOND;
    options.scrub_interval_us = 60 * SECOND;
    return cluster_start(&options);
}

static void write_to_all(struct world *world, int nodes, const char *key, const char *text)
{
    int of_object[WORLD_NODES_MAX];
    int of_row[WORLD_NODES_MAX];
    struct blob *directory = blob_new(key_directory(slice_of_string(key)));
    char name[64] = "";
    memcpy(name, directory->data, directory->size);
    int objects = nodes_of_key(world, key, of_object);
    int rows = nodes_of_key(world, name, of_row);
    assert_true(objects <= nodes);
    for (int i = 0; i < objects; i++) {
        copy_write(world, of_object[i], key, text, REPLICA_OBJECT);
    }
    for (int i = 0; i < rows; i++) {
        copy_write(world, of_row[i], key, text, REPLICA_ROW);
    }
    blob_unref(directory);
}

static bool is_gone(struct world *world, int nodes, const char *key)
{
    bool gone = true;
    for (int i = 0; i < nodes; i++) {
        char text[256];
        copy_read(world, i, key, text, sizeof text);
        gone &= strcmp(text, "none") == 0;
        copy_read_row(world, i, key, text, sizeof text);
        gone &= strcmp(text, "none") == 0;
    }
    return gone;
}

static uint64_t figure_of_all(struct world *world, int nodes, const char *name)
{
    uint64_t sum = 0;
    for (int i = 0; i < nodes; i++) {
        sum += world_is_up(world, i) ? node_figure(world, i, name) : 0;
    }
    return sum;
}

/* Runs until every node has scrubbed so many times more. */
static void await_scrubs(struct world *world, int nodes, unsigned times)
{
    for (int i = 0; i < nodes; i++) {
        uint64_t wanted = world_is_up(world, i) ? node_figure(world, i, "scrubs") + times : 0;
        for (int n = 0;
             n < 600 && world_is_up(world, i) && node_figure(world, i, "scrubs") < wanted;
             n++) {
            world_run(world, SECOND);
        }
        assert_true(!world_is_up(world, i) || node_figure(world, i, "scrubs") >= wanted);
    }
}

static void test_reap__all_hold_it__it_goes(void **state)
{
    (void)state;
    struct world *world = nodes_of(5);
    write_to_all(world, 5, "old", "1.1:5 |");
    write_to_all(world, 5, "dir/old", "1.1:5 |");
    write_to_all(world, 5, "alive", "1.1:5 | 1.1:5");

    await_scrubs(world, 5, 3);

    assert_true(is_gone(world, 5, "old"));
    assert_true(is_gone(world, 5, "dir/old"));
    assert_false(is_gone(world, 5, "alive"));
    assert_int_equal(figure_of_all(world, 5, "tombstones_reaped"), 4);
    assert_true(trees_are_equal(world, 5));
    world_free(world);
}

static void delete_now(struct world *world, const char *key)
{
    struct object *object = NULL;
    assert_int_equal(ask_get(world, 0, key, &object), STATUS_OK);
    assert_int_equal(ask_put(world, 0, key, NULL, object, NULL), STATUS_OK);
    object_unref(object);
}

static void pass_days(struct world *world, int nodes, int64_t days)
{
    for (int i = 0; i < nodes; i++) {
        world_set_clock(world, i, days * 86400 * 1000000, 0);
    }
}

static void test_reap__young_tombstone__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    assert_int_equal(ask_put(world, 0, "young", "text", NULL, NULL), STATUS_OK);
    delete_now(world, "young");

    await_scrubs(world, 3, 2);

    assert_false(is_gone(world, 3, "young"));
    assert_int_equal(figure_of_all(world, 3, "tombstones_reaped"), 0);
    assert_int_equal(figure_of_all(world, 3, "reaps_blocked"), 0);

    /* Eight days later. */
    pass_days(world, 3, 8);
    await_scrubs(world, 3, 3);
    assert_true(is_gone(world, 3, "young"));
    world_free(world);
}

/* The age is that of the delete, not of what was deleted. */
static void test_reap__old_file_deleted_now__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    assert_int_equal(ask_put(world, 0, "old", "text", NULL, NULL), STATUS_OK);
    pass_days(world, 3, 9);
    delete_now(world, "old");

    await_scrubs(world, 3, 3);

    assert_false(is_gone(world, 3, "old"));
    assert_int_equal(figure_of_all(world, 3, "tombstones_reaped"), 0);
    world_free(world);
}

/* Whichever member it is, even the one that proposes: the others judge by their own clocks. */
static void test_reap__one_clock_is_ahead__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "young", nodes);
    assert_int_equal(ask_put(world, 0, "young", "text", NULL, NULL), STATUS_OK);
    delete_now(world, "young");
    world_set_clock(world, nodes[0], INT64_C(8) * 86400 * 1000000, 0);

    await_scrubs(world, 3, 3);

    assert_true(node_figure(world, nodes[0], "reaps_blocked") > 0);
    assert_int_equal(figure_of_all(world, 3, "tombstones_reaped"), 0);
    assert_false(is_gone(world, 3, "young"));
    world_free(world);
}

static void sync_all(struct world *world, int nodes)
{
    for (int i = 0; i < nodes; i++) {
        struct store_request request = {.operation = STORE_SYNC};
        struct store_result result = {0};
        store_apply(world_store(world, i), &request, 1, &result);
        assert_int_equal(result.status, STATUS_OK);
    }
}

/* Nobody synced the delete before the tombstone was reaped; then any of them loses power. */
static void test_reap__power_cut_after_it__brings_nothing_back(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        struct world *world = nodes_of(3);
        int victim = i % 3;
        for (int n = 0; n < i; n++) {
            (void)world_random(world); /* what is lost differs */
        }
        assert_int_equal(ask_put(world, 0, "file", "text", NULL, NULL), STATUS_OK);
        world_run(world, SECOND);
        sync_all(world, 3);
        delete_now(world, "file");
        pass_days(world, 3, 8);
        await_scrubs(world, 3, 3);
        assert_true(is_gone(world, 3, "file"));

        world_power_cut(world, victim);
        world_start(world, victim);
        world_run(world, 30 * SECOND);

        struct object *object = NULL;
        assert_int_equal(ask_get(world, 0, "file", &object), STATUS_NOT_FOUND);
        object_unref(object);
        world_free(world);
    }
}

static void test_reap__member_is_away__stays_until_it_is_back(void **state)
{
    (void)state;
    struct world *world = nodes_of(5);
    int nodes[WORLD_NODES_MAX];
    assert_int_equal(nodes_of_key(world, "old", nodes), 3);
    write_to_all(world, 5, "old", "1.1:5 |");
    /* Not even a replica of it. */
    world_kill(world, nodes[4]);

    await_scrubs(world, 5, 3);
    assert_copy(world, nodes[0], "old", "1.1:5 |");
    assert_true(node_figure(world, nodes[0], "reaps_blocked") > 0);

    world_start(world, nodes[4]);
    world_run(world, 5 * SECOND);
    await_scrubs(world, 5, 3);
    assert_true(is_gone(world, 5, "old"));
    world_free(world);
}

static void test_reap__fallback_keeps_a_hint__stays_until_it_is_delivered(void **state)
{
    (void)state;
    struct world *world = nodes_of(5);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "old", nodes);
    write_to_all(world, 5, "old", "1.1:5 |");
    /* The fallback cannot reach the owner, which all others can. */
    world_cut(world, nodes[4], nodes[1], true);
    copy_keep_hint(world, nodes[4], nodes[1], "old", "1.1:4 | 1.1:4");

    await_scrubs(world, 5, 3);
    assert_copy(world, nodes[0], "old", "1.1:5 |");
    assert_true(node_figure(world, nodes[0], "reaps_blocked") > 0);

    world_cut(world, nodes[4], nodes[1], false);
    world_run(world, 60 * SECOND);
    await_scrubs(world, 5, 3);
    assert_true(is_gone(world, 5, "old"));
    world_free(world);
}

static void test_reap__replica_holds_a_younger_copy__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    int nodes[WORLD_NODES_MAX];
    world_run(world, 90 * SECOND); /* the passes that follow the start are over */
    (void)nodes_of_key(world, "old", nodes);
    write_to_all(world, 3, "old", "1.1:5 |");
    copy_write(world, nodes[2], "old", "2.1:9 | 2.1:9", BOTH);

    await_scrubs(world, 3, 2);
    assert_copy(world, nodes[0], "old", "1.1:5 |");
    assert_true(node_figure(world, nodes[0], "reaps_blocked") > 0);

    await_pass(world, nodes[0]);
    await_pass(world, nodes[0]);
    assert_copy(world, nodes[0], "old", "1.1:5 2.1:9 | 2.1:9");
    assert_copy(world, nodes[1], "old", "1.1:5 2.1:9 | 2.1:9");
    world_free(world);
}

static void test_reap__replica_holds_what_it_deleted__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    int nodes[WORLD_NODES_MAX];
    world_run(world, 90 * SECOND); /* the passes that follow the start are over */
    (void)nodes_of_key(world, "old", nodes);
    copy_write(world, nodes[2], "old", "1.1:4 | 1.1:4", BOTH);
    copy_write(world, nodes[0], "old", "1.1:5 |", BOTH);
    copy_write(world, nodes[1], "old", "1.1:5 |", BOTH);

    await_scrubs(world, 3, 2);
    assert_copy(world, nodes[0], "old", "1.1:5 |");

    await_pass(world, nodes[0]);
    await_pass(world, nodes[0]);
    await_scrubs(world, 3, 3);
    assert_true(is_gone(world, 3, "old"));
    world_free(world);
}

static void test_reap__row_of_it_lives__stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    int nodes[WORLD_NODES_MAX];
    world_run(world, 90 * SECOND); /* the passes that follow the start are over */
    (void)nodes_of_key(world, "old", nodes);
    write_to_all(world, 3, "old", "1.1:5 |");
    copy_write(world, nodes[2], "old", "3.1:9 | 3.1:9", REPLICA_ROW);

    await_scrubs(world, 3, 2);

    for (int i = 0; i < 3; i++) {
        assert_copy(world, i, "old", "1.1:5 |");
    }
    world_free(world);
}

static void test_reap__asked_by_a_client__is_refused(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    struct message message = {.type = MESSAGE_REAP, .request_id = 1};
    message.reap.part = MERKLE_OBJECT;
    message.reap.key = blob_new(slice_of_string("old"));
    message.reap.drop = true;
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, 0, &message), ASK_LIMIT_US, &reply));
    assert_int_equal(reply.status, STATUS_REFUSED);
    message_release(&reply);
    world_free(world);
}

static void test_scrub__row_lags_beside_its_object__is_brought_up(void **state)
{
    (void)state;
    struct world *world = nodes_of(3);
    for (int i = 0; i < 3; i++) {
        copy_write(world, i, "file", "1.1:5 | 1.1:5", REPLICA_OBJECT);
    }

    await_scrubs(world, 3, 1);

    for (int i = 0; i < 3; i++) {
        assert_row(world, i, "file", "1.1:5 | 1.1:5");
    }
    world_free(world);
}

/* A name in the root none of whose replicas holds the root's rows. */
static void find_disjoint_key(struct world *world, char key[16])
{
    int of_row[WORLD_NODES_MAX];
    int rows = nodes_of_key(world, "/", of_row);
    for (int n = 0; n < 1000; n++) {
        int of_object[WORLD_NODES_MAX];
        (void)snprintf(key, 16, "k%d", n);
        int objects = nodes_of_key(world, key, of_object);
        bool disjoint = true;
        for (int i = 0; i < objects * rows; i++) {
            disjoint &= of_object[i / rows] != of_row[i % rows];
        }
        if (disjoint) {
            return;
        }
    }
    fail_msg("no key is placed apart from its row");
}

static void test_scrub__row_lags_elsewhere__is_pushed(void **state)
{
    (void)state;
    struct world *world = nodes_of(7);
    char key[16];
    int of_object[WORLD_NODES_MAX];
    int of_row[WORLD_NODES_MAX];
    find_disjoint_key(world, key);
    (void)nodes_of_key(world, key, of_object);
    (void)nodes_of_key(world, "/", of_row);
    for (int i = 0; i < 3; i++) {
        copy_write(world, of_object[i], key, "1.1:5 | 1.1:5", REPLICA_OBJECT);
    }

    await_scrubs(world, 7, 1);
    world_run(world, SECOND);

    for (int i = 0; i < 3; i++) {
        assert_row(world, of_row[i], key, "1.1:5 | 1.1:5");
    }
    /* By the first of the object's replicas alone. */
    assert_true(node_figure(world, of_object[0], "rows_pushed") > 0);
    assert_true(figure_of_all(world, 7, "rows_pushed") ==
                node_figure(world, of_object[0], "rows_pushed"));
    world_free(world);
}

/* Background ------------------------------------------------------------------------------- */

/* A tenth of a second in which as much as may be is taken, and requests take so long each. */
static unsigned take_all(struct core *core, uint64_t latency_us)
{
    unsigned taken = 0;
    for (int i = 0; i < 20 && latency_us > 0; i++) {
        background_note(core, latency_us);
    }
    while (taken < 10000 && background_take(core)) {
        taken++;
    }
    core->now_us += 100000;
    return taken;
}

static struct core *background_core(uint64_t p99_us)
{
    struct core *core = calloc(1, sizeof *core);
    assert_non_null(core);
    core->now_us = SECOND;
    core->due_us = UINT64_MAX;
    core->repair_config.foreground_p99_us = p99_us;
    return core;
}

static void test_background__nobody_else__has_all_of_it(void **state)
{
    (void)state;
    struct core *core = background_core(0);
    assert_int_equal(take_all(core, 0), 256);
    /* When it is used up, the next interval is waited for. */
    core->now_us -= 100000;
    assert_false(background_take(core));
    assert_true(core->due_us == core->background.interval_end_us);
    core->now_us += 100000;
    assert_int_equal(take_all(core, 0), 256);
    free(core);
}

static void test_background__slow_foreground__shrinks_to_one(void **state)
{
    (void)state;
    struct core *core = background_core(0);
    unsigned last = take_all(core, 60000);
    for (int i = 0; i < 3; i++) {
        unsigned next = take_all(core, 60000);
        assert_int_equal(next, last / 2);
        last = next;
    }
    for (int i = 0; i < 20; i++) {
        last = take_all(core, 60000);
    }
    assert_int_equal(last, 1);
    free(core);
}

static void test_background__quick_foreground__grows_again(void **state)
{
    (void)state;
    struct core *core = background_core(0);
    for (int i = 0; i < 20; i++) {
        (void)take_all(core, 60000);
    }
    unsigned last = 1;
    for (int i = 0; i < 100; i++) {
        unsigned next = take_all(core, 2000);
        assert_true(next >= last);
        last = next;
    }
    assert_int_equal(last, 256);
    free(core);
}

static void test_background__between_the_thresholds__stays(void **state)
{
    (void)state;
    struct core *core = background_core(10000);
    for (int i = 0; i < 60; i++) {
        (void)take_all(core, 11000);
    }
    for (int i = 0; i < 100 && take_all(core, 2000) < 16; i++) {
    }
    (void)take_all(core, 7000);
    unsigned last = take_all(core, 7000);
    assert_true(last > 1 && last < 256);
    assert_int_equal(take_all(core, 7000), last);
    free(core);
}

static void test_background__one_in_a_thousand_is_slow__does_not_count(void **state)
{
    (void)state;
    struct core *core = background_core(0);
    for (int n = 0; n < 30; n++) {
        for (int i = 0; i < 1000; i++) {
            background_note(core, i == 0 ? 900000 : 3000);
        }
        assert_int_equal(take_all(core, 3000), 256);
    }
    assert_true(core->background.p99_us >= 3000 && core->background.p99_us < 4000);
    free(core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reap__all_hold_it__it_goes),
        cmocka_unit_test(test_reap__young_tombstone__stays),
        cmocka_unit_test(test_reap__old_file_deleted_now__stays),
        cmocka_unit_test(test_reap__one_clock_is_ahead__stays),
        cmocka_unit_test(test_reap__power_cut_after_it__brings_nothing_back),
        cmocka_unit_test(test_reap__member_is_away__stays_until_it_is_back),
        cmocka_unit_test(test_reap__fallback_keeps_a_hint__stays_until_it_is_delivered),
        cmocka_unit_test(test_reap__replica_holds_a_younger_copy__stays),
        cmocka_unit_test(test_reap__replica_holds_what_it_deleted__stays),
        cmocka_unit_test(test_reap__row_of_it_lives__stays),
        cmocka_unit_test(test_reap__asked_by_a_client__is_refused),
        cmocka_unit_test(test_scrub__row_lags_beside_its_object__is_brought_up),
        cmocka_unit_test(test_scrub__row_lags_elsewhere__is_pushed),
        cmocka_unit_test(test_background__nobody_else__has_all_of_it),
        cmocka_unit_test(test_background__slow_foreground__shrinks_to_one),
        cmocka_unit_test(test_background__quick_foreground__grows_again),
        cmocka_unit_test(test_background__between_the_thresholds__stays),
        cmocka_unit_test(test_background__one_in_a_thousand_is_slow__does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
