/*
 * test_puts.c - puts and what they rest upon, on whole clusters under virtual time.
 *
 * - the default quorum is a majority of N
 * - a connection that breaks in the middle of a put or a get costs no quorum that fallbacks
 *   could make up
 * - a copy whose content does not match its hash is refused; one that is there already takes
 *   nothing else out of reads, and is fetched anew
 * - whoever a put missed gets a marker, however many they are; a row is never ahead of its
 *   object's quorum; what everybody holds is not sent again
 * - requests in flight hold a bounded number of bytes
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

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t SECOND = 1000000;

static const char ONE[] = "50.1:5 | 50.1:5";
static const char BOTH_VERSIONS[] = "50.1:5 60.1:6 | 50.1:5 60.1:6";

static struct blob *blob_of(const char *text)
{
    return blob_new(slice_of_string(text));
}

static int put_later(struct world *world, int node, const char *key, uint8_t w)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_of(key);
    message.put.mode = UPDATE_ALL;
    message.put.w = w;
    message.put.deadline_ms = 5000;
    message.put.has_value = true;
    message.put.value.content = blob_of("text");
    message.put.value.attributes =
        (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = 4};
    message.put.value.write_id[0] = 1;
    return world_ask(world, node, &message);
}

/* Quorums -------------------------------------------------------------------------------- */

/* Three of five must have heard of it: with three away it is not acknowledged. */
static void test_quorum__not_asked_for__is_a_majority(void **state)
{
    (void)state;
    static const struct {
        uint16_t replicas;
        int dead;
        enum status expected;
    } cases[] = {{5, 2, STATUS_OK},        {5, 3, STATUS_NO_QUORUM}, {4, 1, STATUS_OK},
                 {4, 2, STATUS_NO_QUORUM}, {3, 1, STATUS_OK},        {3, 2, STATUS_NO_QUORUM},
                 {1, 0, STATUS_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int nodes = cases[i].replicas;
        struct object *object = NULL;
        struct world *world = cluster_still(nodes, cases[i].replicas);
        assert_int_equal(ask_outcome(world, put_later(world, 0, "a", 0)), STATUS_OK);
        world_run(world, SECOND);
        for (int j = 0; j < cases[i].dead; j++) {
            world_kill(world, nodes - 1 - j);
        }
        world_run(world, SECOND);
        assert_int_equal(ask_outcome(world, put_later(world, 0, "b", 0)), cases[i].expected);
        assert_int_equal(ask_get(world, 0, "a", &object), cases[i].expected);
        object_unref(object);
        world_free(world);
    }
}

/* Broken connections --------------------------------------------------------------------- */

static void test_put__primaries_killed_in_the_middle__fallbacks_take_over(void **state)
{
    (void)state;
    struct world *world = cluster_still(5, 3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "a", nodes);
    /* What is sent to a stopped node waits, until the connection breaks. */
    world_pause(world, nodes[1], true);
    world_pause(world, nodes[2], true);
    uint64_t before_us = world_now(world);
    int call = put_later(world, nodes[0], "a", 3);
    world_run(world, 10000);
    world_kill(world, nodes[1]);
    world_kill(world, nodes[2]);

    assert_int_equal(ask_outcome(world, call), STATUS_OK);

    /* At once: nobody's patience is waited for. */
    assert_true(world_now(world) - before_us < PATIENCE_MIN_US);
    world_free(world);
}

/* The fallback goes as well: the next one takes its place. */
static void test_put__fallback_killed_in_the_middle__the_next_takes_over(void **state)
{
    (void)state;
    struct world *world = cluster_still(6, 3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "a", nodes);
    world_kill(world, nodes[1]);
    world_run(world, SECOND);
    world_pause(world, nodes[3], true);
    int call = put_later(world, nodes[0], "a", 3);
    world_run(world, 10000);
    world_kill(world, nodes[3]);

    assert_int_equal(ask_outcome(world, call), STATUS_OK);
    world_free(world);
}

static void test_get__primaries_killed_in_the_middle__fallbacks_are_asked(void **state)
{
    (void)state;
    struct world *world = cluster_still(5, 3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "a", nodes);
    copy_write(world, nodes[0], "a", ONE, BOTH);
    copy_keep_hint(world, nodes[3], nodes[1], "a", BOTH_VERSIONS);
    world_pause(world, nodes[1], true);
    world_pause(world, nodes[2], true);
    struct message message = {.type = MESSAGE_GET, .request_id = 2};
    message.get.key = blob_of("a");
    message.get.deadline_ms = 5000;
    int call = world_ask(world, nodes[0], &message);
    world_run(world, 10000);
    world_kill(world, nodes[1]);
    world_kill(world, nodes[2]);

    struct message reply = {0};
    assert_true(world_wait(world, call, ASK_LIMIT_US, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    assert_int_equal(reply.get_reply.object->version_count, 2);
    message_release(&reply);
    world_free(world);
}

/* Bad copies ----------------------------------------------------------------------------- */

/* Nobody's copies but this key's are doubted. */
static void assert_sound(struct world *world, int nodes)
{
    for (int i = 0; i < nodes; i++) {
        assert_int_equal(node_figure(world, i, "complete"), 1);
        assert_int_equal(node_figure(world, i, "salvages"), 0);
    }
}

static void test_replica_put__content_differs_from_its_hash__is_refused(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    struct object *object = NULL;
    assert_int_equal(ask_outcome(world, put_later(world, 1, "other", 3)), STATUS_OK);
    copy_write(world, 0, "a", ONE, BOTH);
    copy_damage(world, 0, "a");

    /* A sibling comes beside it, and the whole object goes to the others. */
    assert_int_equal(ask_outcome(world, put_later(world, 0, "a", 2)), STATUS_NO_QUORUM);

    world_run(world, 5 * SECOND);
    assert_true(node_figure(world, 1, "copies_refused") > 0);
    assert_true(node_figure(world, 2, "copies_refused") > 0);
    assert_copy(world, 1, "a", "none");
    assert_copy(world, 2, "a", "none");
    assert_sound(world, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_get(world, i, "other", &object), STATUS_OK);
        object_unref(object);
        object = NULL;
    }
    world_free(world);
}

static enum status get_with(struct world *world, int node, const char *key, uint8_t r)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 2};
    message.get.key = blob_of(key);
    message.get.r = r;
    message.get.deadline_ms = 5000;
    return ask_outcome(world, world_ask(world, node, &message));
}

static void assert_healed(struct world *world, int node)
{
    world_run(world, 5 * SECOND);
    assert_sound(world, 3);
    assert_int_equal(node_figure(world, node, "copies_healed"), 1);
    char text[256];
    copy_read(world, node, "a", text, sizeof text);
    assert_string_not_equal(text, "none");
}

static void test_get__bad_copy__others_answer_and_it_is_healed(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    assert_int_equal(ask_outcome(world, put_later(world, 0, "a", 3)), STATUS_OK);

    copy_damage(world, 0, "a");
    assert_int_equal(get_with(world, 0, "a", 2), STATUS_OK);
    assert_healed(world, 0);
    /* A replica finds it too, and tells that it cannot answer. */
    copy_damage(world, 1, "a");
    assert_int_equal(get_with(world, 0, "a", 3), STATUS_NO_QUORUM);
    assert_healed(world, 1);
    assert_int_equal(get_with(world, 0, "a", 3), STATUS_OK);
    world_free(world);
}

/* What is left to do --------------------------------------------------------------------- */

static uint64_t markers_on(struct world *world, int node)
{
    struct store_request request = {.operation = STORE_HINT_OWNERS};
    struct store_result result = {0};
    uint64_t count = 0;
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    for (uint16_t i = 0; i < result.owners.count; i++) {
        count += result.owners.owner[i].count;
    }
    store_result_release(&result);
    return count;
}

static void await_no_markers(struct world *world, int node)
{
    for (int i = 0; i < 600 && markers_on(world, node) > 0; i++) {
        world_run(world, SECOND / 10);
    }
    assert_int_equal(markers_on(world, node), 0);
}

/* True if the directory's primaries are so that `only_rows` of them do not hold the key. */
static bool find_key(struct world *world, int only_rows, char *key, size_t size, int *ret_row)
{
    for (int i = 0; i < 2000; i++) {
        int of_key[WORLD_NODES_MAX];
        int of_row[WORLD_NODES_MAX];
        char directory[16];
        (void)snprintf(directory, sizeof directory, "d%d/", i);
        (void)snprintf(key, size, "%sf", directory);
        int objects = nodes_of_key(world, key, of_key);
        int rows = nodes_of_key(world, directory, of_row);
        int apart = 0;
        for (int r = 0; r < rows; r++) {
            bool is_both = false;
            for (int o = 0; o < objects; o++) {
                is_both = is_both || of_key[o] == of_row[r];
            }
            apart += is_both ? 0 : 1;
            *ret_row = is_both ? *ret_row : of_row[r];
        }
        if (apart == only_rows) {
            return true;
        }
    }
    return false;
}

/* Seven others hold the object and six more the row: all away, all of them get a marker. */
static void test_put__more_than_eight_are_missed__all_get_a_marker(void **state)
{
    (void)state;
    enum { NODES = 14 };
    struct world *world = cluster_still(NODES, 8);
    char key[32];
    int row = 0;
    assert_true(find_key(world, 6, key, sizeof key, &row));
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, key, nodes);
    for (int i = 0; i < NODES; i++) {
        if (i != nodes[0]) {
            world_kill(world, i);
        }
    }
    world_run(world, SECOND);

    assert_int_equal(ask_outcome(world, put_later(world, nodes[0], key, 1)), STATUS_OK);
    world_run(world, 5 * SECOND);

    assert_true(markers_on(world, nodes[0]) >= 13);
    world_free(world);
}

/* The own copy has changed since the marker was left, and nobody else has what it is now. */
static void test_marker__object_lacks_its_quorum__row_is_not_pushed(void **state)
{
    (void)state;
    enum { NODES = 7, REPLICAS = 5 };
    struct world *world = cluster_still(NODES, REPLICAS);
    char key[32];
    int row = 0;
    assert_true(find_key(world, 1, key, sizeof key, &row));
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, key, nodes);
    world_kill(world, row);
    world_run(world, SECOND);
    assert_int_equal(ask_outcome(world, put_later(world, nodes[0], key, REPLICAS)), STATUS_OK);
    world_run(world, 3 * SECOND);
    assert_true(markers_on(world, nodes[0]) > 0);
    for (int i = 0; i < NODES; i++) {
        if (i != nodes[0] && i != row) {
            world_kill(world, i);
        }
    }
    copy_write(world, nodes[0], key, ONE, REPLICA_OBJECT);

    world_start(world, row);
    /* Until anti-entropy comes, which has rules of its own. */
    world_run(world, 3 * SECOND);
    assert_row(world, row, key, "none");

    for (int i = 0; i < NODES; i++) {
        if (i != nodes[0] && i != row) {
            world_start(world, i);
        }
    }
    await_no_markers(world, nodes[0]);
    char own[512];
    copy_read(world, nodes[0], key, own, sizeof own);
    for (int i = 1; i < REPLICAS; i++) {
        assert_copy(world, nodes[i], key, own);
    }
    assert_row(world, row, key, own);
    world_free(world);
}

/* A fallback took the writes; each of three owners is told to push their rows. */
static void test_handed_over__everybody_holds_it__no_object_is_sent_again(void **state)
{
    (void)state;
    enum { KEYS = 20 };
    struct world *world = cluster_still(6, 3);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "d/0", nodes);
    for (int i = 0; i < 3; i++) {
        world_kill(world, nodes[i]);
    }
    world_run(world, SECOND);
    for (int i = 0; i < KEYS; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "d/%d", i);
        assert_int_equal(ask_outcome(world, put_later(world, nodes[3], key, 1)), STATUS_OK);
    }
    for (int i = 0; i < 3; i++) {
        world_start(world, nodes[i]);
    }
    world_run(world, 60 * SECOND);

    uint64_t pushed = 0;
    uint64_t retried = 0;
    for (int i = 0; i < 6; i++) {
        pushed += node_figure(world, i, "objects_pushed");
        retried += node_figure(world, i, "intents_retried");
        assert_int_equal(markers_on(world, i), 0);
    }
    char names[256];
    assert_int_equal(ask_list(world, 0, "d/", names, sizeof names), STATUS_OK);
    assert_non_null(strstr(names, "19 "));
    assert_true(retried >= 3);
    /* Only a push that comes before the other owners have their hints sends anything. */
    assert_true(pushed <= retried);
    world_free(world);
}

/* Bounds --------------------------------------------------------------------------------- */

static int large_put(struct world *world, int node, const char *key, size_t size)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    message.put.key = blob_of(key);
    message.put.mode = UPDATE_ALL;
    message.put.w = 2;
    message.put.deadline_ms = 3000;
    message.put.has_value = true;
    message.put.value.content = blob_new(slice_of(bytes, size));
    message.put.value.attributes =
        (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = size};
    message.put.value.write_id[0] = 1;
    free(bytes);
    return world_ask(world, node, &message);
}

static struct world *world_that_holds(size_t request_bytes)
{
    struct world_options options = cluster_still_options(3, 3);
    options.request_bytes_max = request_bytes;
    return cluster_start(&options);
}

/* With the others stopped every put stays in flight: clients' have three quarters of 1 MiB. */
static void test_requests__hold_as_many_bytes_as_they_may__the_next_is_refused(void **state)
{
    (void)state;
    enum { PUTS = 8, SIZE = 200 << 10, FIT = 3 };
    struct world *world = world_that_holds(1 << 20);
    int calls[PUTS];
    unsigned busy = 0;
    world_pause(world, 1, true);
    world_pause(world, 2, true);
    for (int i = 0; i < PUTS; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        calls[i] = large_put(world, 0, key, SIZE);
    }
    for (int i = 0; i < PUTS; i++) {
        enum status status = ask_outcome(world, calls[i]);
        assert_true(status == STATUS_BUSY || status == STATUS_TIMEOUT ||
                    status == STATUS_NO_QUORUM);
        busy += status == STATUS_BUSY ? 1 : 0;
    }
    assert_int_equal(busy, PUTS - FIT);

    /* What has ended holds nothing, and one is let in however large it is. */
    world_pause(world, 1, false);
    world_pause(world, 2, false);
    world_run(world, 20 * SECOND);
    for (int i = 0; i < PUTS; i++) {
        assert_int_equal(ask_outcome(world, large_put(world, 0, "k", SIZE)), STATUS_OK);
    }
    world_run(world, 2 * SECOND);
    assert_int_equal(ask_outcome(world, large_put(world, 0, "l", 1 << 20)), STATUS_OK);
    world_free(world);
}

/* Beside much else in one step: those that find no room are probed in the next one. */
static void test_detector__more_suspects_than_there_is_room_for__some_wait(void **state)
{
    (void)state;
    enum { SUSPECTS = 200, ROOM = 100 };
    struct core_config config = {
        .node = 1, .address = "10.0.0.1:7000", .partition_count = 64, .replica_count = 3};
    struct core *core = core_new(&config);
    struct outbox *outbox = calloc(1, sizeof *outbox);
    assert_true(core && outbox);
    core->peer_count = SUSPECTS;
    for (int i = 0; i < SUSPECTS; i++) {
        core->peers[i].connected = true;
        core->peers[i].is_suspect = true;
    }
    core->now_us = SECOND;
    core->outbox = outbox;
    int probed = 0;
    int steps = 0;
    while (probed < SUSPECTS) {
        assert_true(++steps < SUSPECTS);
        outbox->count = OUTBOX_ACTIONS_MAX - ROOM;
        core->due_us = UINT64_MAX;
        detector_on_tick(core);
        for (uint32_t i = OUTBOX_ACTIONS_MAX - ROOM; i < outbox->count; i++) {
            probed++;
            action_release(&outbox->actions[i]);
        }
        assert_true(probed == SUSPECTS || core->due_us <= core->now_us);
    }
    core->outbox = NULL;
    core->peer_count = 0;
    core_free(core);
    free(outbox);
}

/* A node that has not heard of what is to be synced reads it first: else its copy would count. */
static void test_sync__coordinator_lags__it_reads_what_is_to_survive(void **state)
{
    (void)state;
    struct world *world = cluster_still(3, 3);
    copy_write(world, 0, "k", "7.1:5 | 7.1:5", REPLICA_OBJECT | REPLICA_ROW);
    copy_write(world, 1, "k", "7.1:5 | 7.1:5", REPLICA_OBJECT | REPLICA_ROW);
    copy_write(world, 2, "k", "7.1:3 | 7.1:3", REPLICA_OBJECT | REPLICA_ROW);
    world_cut(world, 2, 1, true);
    world_cut(world, 1, 2, true);
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_new(slice_of_string("k"));
    message.put.mode = UPDATE_NONE;
    message.put.sync = true;
    message.put.deadline_ms = 5000;
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, 2, &message), ASK_LIMIT_US, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    message_release(&reply);
    assert_copy(world, 2, "k", "7.1:5 | 7.1:5");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum__not_asked_for__is_a_majority),
        cmocka_unit_test(test_put__primaries_killed_in_the_middle__fallbacks_take_over),
        cmocka_unit_test(test_put__fallback_killed_in_the_middle__the_next_takes_over),
        cmocka_unit_test(test_get__primaries_killed_in_the_middle__fallbacks_are_asked),
        cmocka_unit_test(test_replica_put__content_differs_from_its_hash__is_refused),
        cmocka_unit_test(test_get__bad_copy__others_answer_and_it_is_healed),
        cmocka_unit_test(test_put__more_than_eight_are_missed__all_get_a_marker),
        cmocka_unit_test(test_marker__object_lacks_its_quorum__row_is_not_pushed),
        cmocka_unit_test(test_handed_over__everybody_holds_it__no_object_is_sent_again),
        cmocka_unit_test(test_requests__hold_as_many_bytes_as_they_may__the_next_is_refused),
        cmocka_unit_test(test_detector__more_suspects_than_there_is_room_for__some_wait),
        cmocka_unit_test(test_sync__coordinator_lags__it_reads_what_is_to_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
