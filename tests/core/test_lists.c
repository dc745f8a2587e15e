/*
 * test_lists.c - listings of directories with many tombstones, on whole clusters under virtual
 * time.
 *
 * - tombstones that all replicas hold cost no messages, however many they are
 * - a delete that one replica has not heard of hides the row all the same, and reaches it
 * - every live name is given once, in order, whatever the replicas differ in and whatever the
 *   page size
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

enum { NODES = 3, BOTH = REPLICA_OBJECT | REPLICA_ROW, NAME_LENGTH = 5 };

static const uint64_t SECOND = 1000000;
static const char LIVE[] = "50.1:5 | 50.1:5";
static const char DELETED[] = "50.1:5 |";

static struct world *cluster(uint64_t seed)
{
    struct world_options options = cluster_options(seed, NODES);
    options.repair_interval_us = 36000 * SECOND;
    options.scrub_interval_us = 36000 * SECOND;
    return cluster_start(&options);
}

static void write_name(struct world *world, int node, int number, const char *state)
{
    char key[16];
    (void)snprintf(key, sizeof key, "d/%05d", number);
    copy_write(world, node, key, state, BOTH);
}

static void write_everywhere(struct world *world, int number, const char *state)
{
    for (int i = 0; i < NODES; i++) {
        write_name(world, i, number, state);
    }
}

/* Numbers of the names that a listing gives, -1 behind the last. Fails if they do not ascend.
 */
struct listed {
    int number[4096];
    int count, pages;
};

static void take_page(const struct message_list_reply *reply, struct listed *listed)
{
    for (uint16_t i = 0; i < reply->row_count; i++) {
        char name[16] = "";
        assert_int_equal(reply->rows[i].name->size, NAME_LENGTH);
        memcpy(name, reply->rows[i].name->data, NAME_LENGTH);
        int number = (int)strtol(name, NULL, 10);
        assert_true(listed->count == 0 || number > listed->number[listed->count - 1]);
        listed->number[listed->count++] = number;
    }
    listed->pages++;
}

static struct listed list_all(struct world *world, int node, uint16_t limit, uint8_t r)
{
    struct listed listed = {0};
    struct blob *cursor = NULL;
    bool more = true;
    while (more) {
        struct message message = {.type = MESSAGE_LIST, .request_id = 3};
        struct message reply = {0};
        message.list.directory = blob_new(slice_of_string("d/"));
        message.list.start = cursor;
        message.list.after_start = cursor;
        message.list.limit = limit;
        message.list.live_only = true;
        message.list.r = r;
        message.list.deadline_ms = 5000;
        assert_true(world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply));
        assert_int_equal(reply.status, STATUS_OK);
        assert_true(reply.list_reply.row_count <= limit || limit == 1);
        take_page(&reply.list_reply, &listed);
        more = reply.list_reply.more;
        cursor = more ? blob_ref(reply.list_reply.resume) : NULL;
        message_release(&reply);
    }
    return listed;
}

static uint64_t differed(struct world *world)
{
    uint64_t count = 0;
    for (int i = 0; i < NODES; i++) {
        count += node_figure(world, i, "lists_differed");
    }
    return count;
}

static void test_list__thousands_of_tombstones__cost_no_messages(void **state)
{
    (void)state;
    enum { NAMES = 3000 };
    struct world *world = cluster(3);
    for (int i = 0; i < NAMES; i++) {
        write_everywhere(world, i, DELETED);
    }
    uint64_t before = world_sent(world, MESSAGE_REPLICA_LIST);

    struct listed listed = list_all(world, 0, 1, 0);

    assert_int_equal(listed.count, 0);
    assert_int_equal(listed.pages, 1);
    assert_int_equal(world_sent(world, MESSAGE_REPLICA_LIST) - before, 1);
    write_everywhere(world, 1234, "50.1:5 60.1:6 | 60.1:6");
    listed = list_all(world, 1, 100, 0);
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.number[0], 1234);
    assert_int_equal(differed(world), 0);
    world_free(world);
}

static void test_list__one_replica_lags__the_delete_hides_the_row_and_reaches_it(void **state)
{
    (void)state;
    struct world *world = cluster(4);
    for (int i = 0; i < 1000; i++) {
        write_everywhere(world, i, i % 50 == 0 ? LIVE : DELETED);
    }
    /* Node 1 has not heard of one delete, node 2 not of one create. */
    write_everywhere(world, 1500, LIVE);
    write_name(world, 0, 1500, DELETED);
    write_name(world, 2, 1500, DELETED);
    write_name(world, 0, 1600, LIVE);
    write_name(world, 1, 1600, LIVE);

    for (int i = 0; i < NODES; i++) {
        struct listed listed = list_all(world, i, 1000, 3);
        assert_int_equal(listed.count, 21);
        assert_int_equal(listed.number[20], 1600);
        world_run(world, SECOND);
    }

    assert_copy(world, 1, "d/01500", DELETED);
    assert_copy(world, 2, "d/01600", LIVE);
    /* What was found once is repaired: from then on they agree. */
    uint64_t before = differed(world);
    assert_true(before > 0);
    (void)list_all(world, 0, 1000, 3);
    assert_int_equal(differed(world), before);
    world_free(world);
}

/* A delete that only the node which is not asked has heard of: R = 2 of 3 may miss it; all
 * three must not. */
static void check_random(uint64_t seed, uint16_t limit)
{
    enum { NAMES = 700 };
    struct world *world = cluster(seed);
    bool is_live[NAMES] = {0};
    int expected = 0;
    uint64_t lag = 1 + world_random(world) % 40;
    for (int i = 0; i < NAMES; i++) {
        bool is_made = world_random(world) % 8 != 0;
        bool is_deleted = is_made && world_random(world) % 4 != 0;
        bool is_heard = false;
        for (int node = 0; is_made && node < NODES; node++) {
            bool lags = world_random(world) % lag == 0;
            if (!lags || node == NODES - 1) {
                write_name(world, node, i, is_deleted ? DELETED : LIVE);
                is_heard = true;
            } else if (world_random(world) % 2 == 0) {
                write_name(world, node, i, LIVE);
            }
        }
        is_live[i] = is_heard && !is_deleted;
        expected += is_live[i] ? 1 : 0;
    }
    for (int round = 0; round < 2; round++) {
        struct listed listed = list_all(world, round, limit, 3);
        assert_int_equal(listed.count, expected);
        for (int i = 0; i < listed.count; i++) {
            assert_true(is_live[listed.number[i]]);
        }
    }
    world_free(world);
}

static void test_list__replicas_differ_at_random__each_live_name_once(void **state)
{
    (void)state;
    static const uint16_t limits[] = {1, 2, 7, 64, 300, 1024};
    for (uint64_t seed = 1; seed <= 24; seed++) {
        check_random(seed, limits[seed % (sizeof limits / sizeof limits[0])]);
    }
}

static bool has_same_list(struct world *world, int number, const int *nodes, int count)
{
    char key[16];
    int others[WORLD_NODES_MAX];
    (void)snprintf(key, sizeof key, "d/%05d", number);
    (void)nodes_of_key(world, key, others);
    return memcmp(nodes, others, (size_t)count * sizeof *nodes) == 0;
}

/* Eight replicas, six of them stopped: each repair asks all of them and their fallbacks. */
static void test_list__many_rows_differ_and_most_replicas_are_slow__it_is_answered(void **state)
{
    (void)state;
    enum { MANY = 16, REPLICAS = 8 };
    struct world_options options = {.seed = 5,
                                    .nodes = MANY,
                                    .replica_count = REPLICAS,
                                    .partition_count = 64,
                                    .latency_min_us = 100,
                                    .latency_max_us = 900,
                                    .store_min_us = 10,
                                    .store_max_us = 200};
    struct world *world = world_new(&options);
    for (int i = 0; i < MANY; i++) {
        world_start(world, i);
    }
    world_run(world, 5 * SECOND);
    int nodes[WORLD_NODES_MAX];
    (void)nodes_of_key(world, "d/", nodes);
    int names = 0;
    for (int i = 0; names < 50; i++) {
        /* Whoever holds the row holds the object: it is read before the row is repaired. */
        if (has_same_list(world, i, nodes, MANY)) {
            write_name(world, nodes[names++ % 2], i, LIVE);
        }
    }
    for (int i = 2; i < REPLICAS; i++) {
        world_pause(world, nodes[i], true);
    }
    /* From now on they are suspects. */
    struct object *object = NULL;
    (void)ask_get(world, nodes[0], "d/", &object);
    object_unref(object);

    struct listed listed = list_all(world, nodes[0], 1000, 2);

    assert_int_equal(listed.count, names);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list__thousands_of_tombstones__cost_no_messages),
        cmocka_unit_test(test_list__one_replica_lags__the_delete_hides_the_row_and_reaches_it),
        cmocka_unit_test(
            test_list__many_rows_differ_and_most_replicas_are_slow__it_is_answered),
        cmocka_unit_test(test_list__replicas_differ_at_random__each_live_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
