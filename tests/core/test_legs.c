/*
 * test_legs.c - who gets which part of a put, on whole clusters under virtual time.
 *
 * - a put is answered when W nodes hold its object and W its row, each counted once
 * - who holds just the row gets no copy of the object, nor does anybody in its place
 * - a fallback that coordinates and holds the directory keeps the row for good
 * - a primary that is slow costs one hint, not several
 * - a suspect that is asked after all gets its row with the object, if it holds it
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
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

static const uint64_t SECOND = 1000000;

/* Nothing repairs anything within the time of a test. */
static struct world *nodes_of(int nodes)
{
    struct world_options options = cluster_options(13, nodes);
    options.repair_interval_us = 36000 * SECOND;
    options.scrub_interval_us = 36000 * SECOND;
    return cluster_start(&options);
}

/* A key, and the nodes in the order of its preference list and of its directory's. */
struct placed {
    char key[32];
    int of_key[WORLD_NODES_MAX];
    int of_row[WORLD_NODES_MAX];
};

static struct placed place(struct world *world, int number)
{
    struct placed placed;
    char directory[16];
    (void)snprintf(directory, sizeof directory, "d%d/", number);
    (void)snprintf(placed.key, sizeof placed.key, "%sf", directory);
    assert_int_equal(nodes_of_key(world, placed.key, placed.of_key), 3);
    assert_int_equal(nodes_of_key(world, directory, placed.of_row), 3);
    return placed;
}

/* Else the first name in it would bring it to life, with puts and hints of its own. */
static void make_directory(struct world *world, const struct placed *placed)
{
    char directory[32];
    (void)snprintf(directory, sizeof directory, "%.*s", (int)strlen(placed->key) - 1,
                   placed->key);
    assert_int_equal(ask_put(world, 0, directory, "", NULL, NULL), STATUS_OK);
    world_run(world, 2 * SECOND);
}

static bool is_primary(const int nodes[WORLD_NODES_MAX], int node)
{
    return nodes[0] == node || nodes[1] == node || nodes[2] == node;
}

/* The first whose n-th node is (or is none) of those that hold the row. */
static struct placed find(struct world *world, int n, bool holds_row)
{
    int number = 0;
    struct placed placed = place(world, number);
    while (is_primary(placed.of_row, placed.of_key[n]) != holds_row) {
        assert_true(number < 1000);
        placed = place(world, ++number);
    }
    return placed;
}

static enum status put(struct world *world, int node, const char *key, uint8_t w)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_new(slice_of_string(key));
    message.put.mode = UPDATE_ALL;
    message.put.w = w;
    message.put.deadline_ms = 5000;
    message.put.has_value = true;
    message.put.value.content = blob_new(slice_of_string("text"));
    message.put.value.attributes =
        (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = 4};
    message.put.value.write_id[0] = 1;
    struct message reply = {0};
    bool answered = world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply);
    enum status status = answered ? reply.status : STATUS_TIMEOUT;
    message_release(&reply);
    return status;
}

static bool has_object(struct world *world, int node, const char *key)
{
    char text[256];
    copy_read(world, node, key, text, sizeof text);
    return strcmp(text, "none") != 0;
}

static bool has_row(struct world *world, int node, const char *key)
{
    char text[256];
    copy_read_row(world, node, key, text, sizeof text);
    return strcmp(text, "none") != 0;
}

static void test_put__w_is_3__answered_when_three_hold_object_and_row(void **state)
{
    (void)state;
    enum { NODES = 7, KEYS = 30 };
    struct world *world = nodes_of(NODES);
    for (int number = 0; number < KEYS; number++) {
        struct placed placed = place(world, number);
        assert_int_equal(put(world, placed.of_key[0], placed.key, 3), STATUS_OK);
        for (int i = 0; i < 3; i++) {
            assert_true(has_object(world, placed.of_key[i], placed.key));
            assert_true(has_row(world, placed.of_row[i], placed.key));
        }
    }
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(node_figure(world, i, "rows_left_to_intent"), 0);
        assert_int_equal(node_figure(world, i, "hints_stored"), 0);
    }
    world_free(world);
}

static void test_put__row_holder_is_dead__gets_a_marker_and_no_copy_is_kept(void **state)
{
    (void)state;
    enum { NODES = 7 };
    struct world *world = nodes_of(NODES);
    struct placed placed = place(world, 0);
    int away = -1;
    for (int number = 0; away < 0; number++) {
        placed = place(world, number);
        for (int i = 0; i < 3; i++) {
            away = is_primary(placed.of_key, placed.of_row[i]) ? away : placed.of_row[i];
        }
    }
    make_directory(world, &placed);
    world_kill(world, away);
    world_run(world, SECOND);

    assert_int_equal(put(world, placed.of_key[0], placed.key, 2), STATUS_OK);
    world_run(world, 5 * SECOND);

    for (int i = 0; i < NODES; i++) {
        bool is_there = i == away || is_primary(placed.of_key, i);
        assert_int_equal(has_object(world, i, placed.key), is_there && i != away);
        assert_true(i == away || node_figure(world, i, "hints_stored") == 0);
    }
    world_start(world, away);
    for (int i = 0; i < 600 && !has_row(world, away, placed.key); i++) {
        world_run(world, SECOND / 10);
    }
    assert_true(has_row(world, away, placed.key));
    assert_false(has_object(world, away, placed.key));
    world_free(world);
}

static void test_put__fallback_that_holds_the_directory__keeps_the_row(void **state)
{
    (void)state;
    struct world *world = nodes_of(6);
    struct placed placed = find(world, 3, true);
    make_directory(world, &placed);
    for (int i = 0; i < 3; i++) {
        world_kill(world, placed.of_key[i]);
    }
    world_run(world, SECOND);

    assert_int_equal(put(world, placed.of_key[3], placed.key, 1), STATUS_OK);

    assert_true(has_row(world, placed.of_key[3], placed.key));
    world_run(world, 2 * SECOND);
    assert_int_equal(node_figure(world, placed.of_key[3], "rows_left_to_intent"), 0);
    assert_false(has_object(world, placed.of_key[3], placed.key));
    world_free(world);
}

static void test_put__primary_is_slow__one_fallback_keeps_one_hint(void **state)
{
    (void)state;
    enum { NODES = 7 };
    struct world *world = nodes_of(NODES);
    struct placed placed = place(world, 0);
    make_directory(world, &placed);
    world_pause(world, placed.of_key[1], true);

    assert_int_equal(put(world, placed.of_key[0], placed.key, 3), STATUS_OK);
    world_run(world, 3 * SECOND);

    assert_int_equal(node_figure(world, placed.of_key[0], "hints_stored"), 1);
    world_free(world);
}

/* One primary is dead, one suspected; the only fallback took the place of one of them. */
static void test_put__suspect_is_asked_after_all__gets_its_row_too(void **state)
{
    (void)state;
    for (int holds_row = 0; holds_row < 2; holds_row++) {
        struct world *world = nodes_of(5);
        struct placed placed = find(world, 1, holds_row);
        world_kill(world, placed.of_key[2]);
        world_kill(world, placed.of_key[4]);
        world_run(world, SECOND / 2);
        make_suspect(world, placed.of_key[0], placed.of_key[1]);

        assert_int_equal(put(world, placed.of_key[0], placed.key, 3), STATUS_OK);
        world_run(world, 2 * SECOND);

        assert_true(has_object(world, placed.of_key[1], placed.key));
        assert_int_equal(has_row(world, placed.of_key[1], placed.key), holds_row);
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__w_is_3__answered_when_three_hold_object_and_row),
        cmocka_unit_test(test_put__row_holder_is_dead__gets_a_marker_and_no_copy_is_kept),
        cmocka_unit_test(test_put__fallback_that_holds_the_directory__keeps_the_row),
        cmocka_unit_test(test_put__primary_is_slow__one_fallback_keeps_one_hint),
        cmocka_unit_test(test_put__suspect_is_asked_after_all__gets_its_row_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
