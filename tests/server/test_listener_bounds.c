/*
 * test_listener_bounds.c - the listener and its connections, on loopback, without a core: what
 * others can take of it.
 *
 *  - A client has a bounded number of requests in flight; a node has not.
 *  - What waits for those who do not read, and what they began to send, is bounded.
 *  - Connections are bounded; whoever has been idle the longest makes room.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/server/net_harness.h"
#include "tests/server/test_client.h"

enum {
    CLIENTS_MAX = LISTENER_CONNECTIONS_MAX - LISTENER_CONNECTIONS_MAX / 8,
    HOGS = 20,
    HOG_GETS = 100,
    /* A socket of loopback takes up to some MiB, then a little more waits. */
    HOG_TAKEN_MAX = 16,
    LITTLE_MEMORY = 4 << 20,
};

/* Answers what comes until so many have come in all. */
static void answer_until(struct harness *harness, size_t count)
{
    for (size_t done = harness->held_count; done < count; done = harness->held_count) {
        harness_do(harness, harness_answer_all);
        assert_true(harness_wait(harness, &harness->held_count, done + 1));
    }
    harness_do(harness, harness_answer_all);
}

static void test_listener__many_pipelined_requests__in_flight_bounded(void **state)
{
    struct harness *harness = *state;
    struct test_client busy;
    struct test_client other;

    client_open(&busy, harness->address);
    client_open(&other, harness->address);
    client_ask_status(&busy); /* its replies are known to be small */
    client_send_gets(&busy, "k", LISTENER_IN_FLIGHT_MAX + 50);
    assert_true(harness_wait(harness, &harness->held_count, LISTENER_IN_FLIGHT_MAX));
    /* All bytes have long arrived, and others are still served; two rounds of the loop. */
    client_ask_status(&other);
    client_ask_status(&other);
    harness_do(harness, harness_look);
    assert_int_equal(harness->held_count, LISTENER_IN_FLIGHT_MAX);

    harness_do(harness, harness_answer_next);
    assert_true(harness_wait(harness, &harness->held_count, LISTENER_IN_FLIGHT_MAX + 1));
    answer_until(harness, LISTENER_IN_FLIGHT_MAX + 50);
    for (size_t i = 0; i < LISTENER_IN_FLIGHT_MAX + 50; i++) {
        struct message reply = {.type = 0};
        assert_int_equal(client_receive(&busy, &reply), STATUS_OK);
        assert_int_equal(reply.request_id, 1000 + i);
        message_release(&reply);
    }
    client_close(&busy);
    client_close(&other);
}

static void test_listener__node_with_many_requests__not_held_back(void **state)
{
    struct harness *harness = *state;
    struct test_client node;

    assert_true(client_connect(&node, harness->address));
    assert_int_equal(client_greet(&node, ROLE_NODE), STATUS_OK);
    size_t count = (size_t)2 * LISTENER_IN_FLIGHT_MAX;
    client_send_gets(&node, "k", count);
    assert_true(harness_wait(harness, &harness->held_count, count));
    client_close(&node);
}

/* When it returns the loop has seen all that was sent before. */
static void ask_status_of(struct harness *harness)
{
    struct test_client client;

    client_open(&client, harness->address);
    client_ask_status(&client);
    client_ask_status(&client);
    client_close(&client);
    harness_do(harness, harness_look);
}

static void set_little_memory(struct harness *harness)
{
    harness->group.memory.clients_max = LITTLE_MEMORY;
    harness->group.memory.max = 2 * LITTLE_MEMORY;
}

static struct object *make_large_object(void)
{
    char *text = calloc(1, VALUE_SIZE_MAX + 1);

    assert_non_null(text);
    memset(text, 'l', VALUE_SIZE_MAX);
    struct object *object = client_make_object(text);
    free(text);
    return object;
}

static void test_listener__node_never_reads__closed_at_the_bound(void **state)
{
    struct harness *harness = *state;
    struct test_client node;
    size_t too_many = CONNECTION_OUTPUT_MAX / VALUE_SIZE_MAX + 20;

    assert_true(client_connect(&node, harness->address));
    assert_int_equal(client_greet(&node, ROLE_NODE), STATUS_OK);
    client_send_gets(&node, "k", too_many);
    assert_true(harness_wait(harness, &harness->held_count, too_many));
    harness->answer_object = make_large_object();
    harness_do(harness, harness_answer_all);
    harness_assert_misbehaved(harness, STATUS_BUSY);
    assert_true(client_wait_closed(&node));
    object_unref(harness->answer_object);
    client_close(&node);
}

static void test_listener__large_replies_read_slowly__all_arrive(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    size_t count = 40;

    client_open(&client, harness->address);
    harness->answer_object = make_large_object();
    client_send_gets(&client, "k", count);
    for (size_t i = 0; i < count; i++) {
        struct message reply = {.type = 0};
        assert_true(harness_wait(harness, &harness->held_count, i + 1));
        /* Large replies come one at a time. */
        assert_int_equal(harness->held_count, i + 1);
        harness_do(harness, harness_answer_all);
        assert_int_equal(client_receive(&client, &reply), STATUS_OK);
        assert_int_equal(reply.request_id, 1000 + i);
        assert_int_equal(reply.status, STATUS_OK);
        message_release(&reply);
    }
    object_unref(harness->answer_object);
    client_close(&client);
}

/* Each has many large replies to come and reads none: few are asked for, and others are
 * answered in between as if nothing were. */
static void test_listener__many_clients_never_read__few_requests_of_each_are_taken(void **state)
{
    struct harness *harness = *state;
    struct test_client hogs[HOGS];
    struct test_client other;
    size_t taken = 0;

    harness->answer_object = make_large_object();
    client_open(&other, harness->address);
    for (size_t i = 0; i < HOGS; i++) {
        client_open(&hogs[i], harness->address);
        client_send_gets(&hogs[i], "k", HOG_GETS);
    }
    assert_true(harness_wait(harness, &harness->held_count, HOGS));
    /* Until answering brings no more: what is sent stays unread. */
    while (taken < harness->held_count) {
        taken = harness->held_count;
        harness_do(harness, harness_answer_all);
        client_ask_status(&other);
        client_ask_status(&other);
    }
    /* What the kernel took of each, and what waits beyond. */
    assert_in_range(taken, HOGS, HOGS * HOG_TAKEN_MAX);
    harness_do(harness, harness_look);
    assert_in_range(harness->memory_seen.used_by_clients, 0, HOGS * (6 << 20));
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
    client_close(&other);
    object_unref(harness->answer_object);
}

/* Where memory is tight they must read or go. */
static void test_listener__memory_is_tight__who_does_not_read_is_closed(void **state)
{
    struct harness *harness = *state;
    struct test_client hogs[HOGS];
    struct test_client other;

    harness_do(harness, set_little_memory);
    harness->answer_object = make_large_object();
    client_open(&other, harness->address);
    for (size_t i = 0; i < HOGS; i++) {
        client_open(&hogs[i], harness->address);
        client_send_gets(&hogs[i], "k", HOG_GETS);
    }
    while (harness->misbehaved == 0) {
        harness_do(harness, harness_answer_all);
        client_ask_status(&other);
        harness_do(harness, harness_look);
        assert_in_range(harness->memory_seen.used, 0, 2 * LITTLE_MEMORY + (2 << 20));
    }
    assert_int_equal(harness->misbehaviour, STATUS_BUSY);
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
    client_close(&other);
    object_unref(harness->answer_object);
}

/* Begins a put of `size` bytes on each and never ends it. */
static void begin_frames(struct harness *harness, struct test_client *clients, uint32_t size)
{
    static char part[64 << 10];

    for (size_t i = 0; i < HOGS; i++) {
        client_open(&clients[i], harness->address);
        client_send_header(&clients[i], size);
        assert_true(client_send_bytes(&clients[i], part, sizeof part));
    }
}

static void test_listener__many_frames_begun__memory_bounded_and_others_served(void **state)
{
    struct harness *harness = *state;
    struct test_client hogs[HOGS];

    harness_do(harness, set_little_memory);
    begin_frames(harness, hogs, 1 << 20);
    ask_status_of(harness);
    harness_do(harness, harness_look);
    /* Those that wait have no more than a first piece each. */
    assert_in_range(harness->memory_seen.used, 1 << 20, LITTLE_MEMORY + HOGS * (128 << 10));
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
}

static void test_listener__clients_have_all_their_memory__nodes_are_heard(void **state)
{
    struct harness *harness = *state;
    struct test_client hogs[HOGS];
    struct test_client node;
    struct message put;
    static char text[800001];

    memset(text, 'v', sizeof text - 1);
    harness_do(harness, set_little_memory);
    begin_frames(harness, hogs, 1 << 20);
    assert_true(client_connect(&node, harness->address));
    assert_int_equal(client_greet(&node, ROLE_NODE), STATUS_OK);
    client_make_put(&put, "large", text);
    assert_true(client_send(&node, &put));
    message_release(&put);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
    client_close(&node);
}

/* Who waits for room gets it when those who had it are gone. */
static void test_listener__room_is_there_again__who_waited_goes_on(void **state)
{
    struct harness *harness = *state;
    struct test_client hogs[HOGS];
    struct test_client other;
    struct message put;
    struct buffer buffer = {.data = NULL};
    static char text[800001];

    memset(text, 'v', sizeof text - 1);
    client_make_put(&put, "large", text);
    assert_int_equal(frame_append(&put, &buffer), STATUS_OK);
    message_release(&put);
    harness_do(harness, set_little_memory);
    begin_frames(harness, hogs, 1 << 20);
    client_open(&other, harness->address);
    assert_true(client_send_bytes(&other, buffer.data, 100000));
    ask_status_of(harness);
    assert_int_equal(harness->held_count, 0);
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
    assert_true(client_send_bytes(&other, buffer.data + 100000, buffer.size - 100000));
    assert_true(harness_wait(harness, &harness->held_count, 1));
    buffer_release(&buffer);
    client_close(&other);
}

/* A put that is in hand counts, also when the one who sent it has gone. */
static void test_listener__request_in_hand__counts_until_it_is_answered(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message put;
    static char text[800001];

    memset(text, 'v', sizeof text - 1);
    client_make_put(&put, "large", text);
    client_open(&client, harness->address);
    assert_true(client_send(&client, &put));
    message_release(&put);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    harness_do(harness, harness_look);
    assert_in_range(harness->memory_seen.used, 800000, 2 << 20);
    client_close(&client);
    harness_wait_connected(harness, 0);
    harness_do(harness, harness_look);
    assert_in_range(harness->memory_seen.used, 800000, 900000);
    harness_do(harness, harness_answer_all);
    harness_do(harness, harness_look);
    assert_int_equal(harness->memory_seen.used, 0);
}

static void raise_descriptors(size_t wanted)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < wanted) {
        print_message("skipped: too few file descriptors are allowed here\n");
        skip();
    }
}

static void test_listener__clients_are_idle__the_oldest_makes_room_for_a_newcomer(void **state)
{
    struct harness *harness = *state;
    static struct test_client clients[CLIENTS_MAX + 2];

    raise_descriptors(2 * CLIENTS_MAX + 64);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        client_open(&clients[i], harness->address);
    }
    usleep(2000); /* the loop's clock counts milliseconds */
    client_ask_status(&clients[0]);
    for (size_t i = CLIENTS_MAX; i < CLIENTS_MAX + 2; i++) {
        client_open(&clients[i], harness->address);
        client_ask_status(&clients[i]);
    }
    harness_wait_connected(harness, CLIENTS_MAX);
    client_ask_status(&clients[0]); /* it has just been at work */
    for (size_t i = 0; i < CLIENTS_MAX + 2; i++) {
        client_close(&clients[i]);
    }
}

static void test_listener__all_clients_are_at_work__newcomer_told_busy_node_let_in(void **state)
{
    struct harness *harness = *state;
    static struct test_client clients[CLIENTS_MAX];
    struct test_client last;
    struct test_client node;

    raise_descriptors(2 * CLIENTS_MAX + 64);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        client_open(&clients[i], harness->address);
        client_send_gets(&clients[i], "k", 1);
    }
    assert_true(harness_wait(harness, &harness->held_count, CLIENTS_MAX));
    assert_true(client_connect(&last, harness->address));
    assert_int_equal(client_greet(&last, ROLE_CLIENT), STATUS_OK);
    client_assert_last_word(&last, STATUS_BUSY);
    harness_assert_misbehaved(harness, STATUS_BUSY);

    assert_true(client_connect(&node, harness->address));
    assert_int_equal(client_greet(&node, ROLE_NODE), STATUS_OK);
    client_ask_status(&node);
    client_close(&node);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        client_close(&clients[i]);
    }
}

/* Connections that say nothing have no place for long where there are none left. */
static void test_listener__strangers_have_all_places__newcomers_come_in(void **state)
{
    struct harness *harness = *state;
    static struct test_client strangers[LISTENER_CONNECTIONS_MAX];
    struct test_client client;

    raise_descriptors(2 * LISTENER_CONNECTIONS_MAX + 64);
    for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        assert_true(client_connect(&strangers[i], harness->address));
    }
    for (size_t i = 0; i < 4; i++) {
        client_open(&client, harness->address);
        client_ask_status(&client);
        client_close(&client);
    }
    for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        client_close(&strangers[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_listener__many_pipelined_requests__in_flight_bounded),
        TEST(test_listener__node_with_many_requests__not_held_back),
        TEST(test_listener__node_never_reads__closed_at_the_bound),
        TEST(test_listener__large_replies_read_slowly__all_arrive),
        TEST(test_listener__clients_are_idle__the_oldest_makes_room_for_a_newcomer),
        TEST(test_listener__all_clients_are_at_work__newcomer_told_busy_node_let_in),
        TEST(test_listener__strangers_have_all_places__newcomers_come_in),
        TEST(test_listener__many_clients_never_read__few_requests_of_each_are_taken),
        TEST(test_listener__memory_is_tight__who_does_not_read_is_closed),
        TEST(test_listener__many_frames_begun__memory_bounded_and_others_served),
        TEST(test_listener__clients_have_all_their_memory__nodes_are_heard),
        TEST(test_listener__room_is_there_again__who_waited_goes_on),
        TEST(test_listener__request_in_hand__counts_until_it_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
