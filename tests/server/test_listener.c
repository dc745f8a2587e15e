/*
 * test_listener.c - the listener and its connections, on loopback, without a core.
 *
 *  - Before HELLO was accepted nothing but HELLO is believed, in small frames, for a short
 * time.
 *  - Bytes that are no message of ours close the connection; the other side is told why.
 *  - Requests are handed out in order, however the bytes arrive.
 *  - A client has a bounded number of requests in flight; connections and output are bounded.
 *  - An answer for a connection that is gone reaches nobody else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/server/net_harness.h"
#include "tests/server/test_client.h"

enum { CONNECTIONS_TRIED = LISTENER_CONNECTIONS_MAX + 1 };

static void ask_status(struct test_client *client)
{
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply = {.type = 0};

    assert_int_equal(client_call(client, &request, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_STATUS_REPLY);
    message_release(&reply);
}

/* The connection must end with a HELLO_REPLY of this status and a text. */
static void assert_last_word(struct test_client *client, enum status status)
{
    struct message word = {.type = 0};

    assert_int_equal(client_receive(client, &word), STATUS_OK);
    assert_int_equal(word.type, MESSAGE_HELLO_REPLY);
    assert_int_equal(word.request_id, 0);
    assert_int_equal(word.status, status);
    assert_true(blob_slice(word.text).size > 10);
    message_release(&word);
    assert_true(client_wait_closed(client));
    client_close(client);
}

static void assert_misbehaved(struct harness *harness, enum status status)
{
    assert_true(harness_wait(harness, &harness->misbehaved, 1));
    assert_int_equal(harness->misbehaviour, status);
}

static void test_listener__greeted_client__is_answered(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    client_open(&client, harness->address);
    ask_status(&client);
    ask_status(&client);
    client_close(&client);
    harness_do(harness, harness_look);
    assert_int_equal(harness->misbehaved, 0);
}

static void test_listener__request_before_hello__closed_with_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message request = {.type = MESSAGE_STATUS, .request_id = 1};

    assert_true(client_connect(&client, harness->address));
    assert_true(client_send(&client, &request));
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__second_hello__closed_with_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message hello = {.type = MESSAGE_HELLO, .request_id = 9};

    hello.hello.protocol = PROTOCOL_VERSION;
    hello.hello.role = ROLE_CLIENT;
    client_open(&client, harness->address);
    assert_true(client_send(&client, &hello));
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__reply_instead_of_request__closed_with_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message reply = {.type = MESSAGE_PUT_REPLY, .request_id = 9, .status = STATUS_BUSY};

    client_open(&client, harness->address);
    assert_true(client_send(&client, &reply));
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__garbage_and_much_after_it__reason_still_arrives(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    static char garbage[100000];

    memset(garbage, 'x', sizeof(garbage));
    assert_true(client_connect(&client, harness->address));
    assert_true(client_send_bytes(&client, garbage, sizeof(garbage)));
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__other_protocol_version__told_bad_version(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message hello = {.type = MESSAGE_HELLO, .request_id = 1};
    struct buffer buffer = {.data = NULL};

    hello.hello.protocol = PROTOCOL_VERSION;
    hello.hello.role = ROLE_CLIENT;
    assert_int_equal(frame_append(&hello, &buffer), STATUS_OK);
    buffer.data[3] = PROTOCOL_VERSION + 1;
    assert_true(client_connect(&client, harness->address));
    assert_true(client_send_bytes(&client, buffer.data, buffer.size));
    buffer_release(&buffer);
    assert_last_word(&client, STATUS_BAD_VERSION);
    assert_misbehaved(harness, STATUS_BAD_VERSION);
}

/* A frame header that promises `size` bytes. */
static void send_header(struct test_client *client, uint32_t size)
{
    uint8_t header[FRAME_HEADER_SIZE] = {'D',
                                         'y',
                                         'n',
                                         PROTOCOL_VERSION,
                                         (uint8_t)(size >> 24),
                                         (uint8_t)(size >> 16),
                                         (uint8_t)(size >> 8),
                                         (uint8_t)size};

    assert_true(client_send_bytes(client, header, sizeof(header)));
}

static void test_listener__long_frame_before_greeting__closed(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    assert_true(client_connect(&client, harness->address));
    send_header(&client, FRAME_SIZE_MAX_GREETING + 1);
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__frame_over_limit_after_greeting__closed(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    client_open(&client, harness->address);
    send_header(&client, FRAME_SIZE_MAX + 1);
    assert_last_word(&client, STATUS_BAD_MESSAGE);
    assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__hello_never_completes__closed_after_deadline(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t begin_ms = test_now_ms();

    assert_true(client_connect(&client, harness->address));
    send_header(&client, 100);
    assert_last_word(&client, STATUS_TIMEOUT);
    assert_true(test_now_ms() - begin_ms >= LISTENER_GREETING_MS - 1);
    assert_misbehaved(harness, STATUS_TIMEOUT);
}

static void test_listener__large_put_byte_by_byte__handed_out_whole(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message put;
    struct buffer buffer = {.data = NULL};
    static char text[200001];

    memset(text, 'v', sizeof(text) - 1);
    client_make_put(&put, "large", text);
    put.request_id = 77;
    assert_int_equal(frame_append(&put, &buffer), STATUS_OK);
    message_release(&put);
    client_open(&client, harness->address);
    for (size_t i = 0; i < 300; i++) {
        assert_true(client_send_bytes(&client, buffer.data + i, 1));
    }
    assert_true(client_send_bytes(&client, buffer.data + 300, buffer.size - 300));
    buffer_release(&buffer);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    assert_int_equal(harness->held_id[0], 77);
    client_close(&client);
}

static void send_gets(struct test_client *client, size_t count)
{
    struct buffer buffer = {.data = NULL};

    for (size_t i = 0; i < count; i++) {
        struct message get;
        client_make_get(&get, "k");
        get.request_id = 1000 + i;
        assert_int_equal(frame_append(&get, &buffer), STATUS_OK);
        message_release(&get);
    }
    assert_true(client_send_bytes(client, buffer.data, buffer.size));
    buffer_release(&buffer);
}

static void test_listener__many_pipelined_requests__in_flight_bounded(void **state)
{
    struct harness *harness = *state;
    struct test_client busy;
    struct test_client other;

    client_open(&busy, harness->address);
    client_open(&other, harness->address);
    send_gets(&busy, LISTENER_IN_FLIGHT_MAX + 50);
    assert_true(harness_wait(harness, &harness->held_count, LISTENER_IN_FLIGHT_MAX));
    /* All bytes have long arrived, and others are still served; two rounds of the loop. */
    ask_status(&other);
    ask_status(&other);
    harness_do(harness, harness_look);
    assert_int_equal(harness->held_count, LISTENER_IN_FLIGHT_MAX);

    harness_do(harness, harness_answer_next);
    assert_true(harness_wait(harness, &harness->held_count, LISTENER_IN_FLIGHT_MAX + 1));
    harness_do(harness, harness_answer_all);
    assert_true(harness_wait(harness, &harness->held_count, LISTENER_IN_FLIGHT_MAX + 50));
    harness_do(harness, harness_answer_all);
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
    send_gets(&node, count);
    assert_true(harness_wait(harness, &harness->held_count, count));
    client_close(&node);
}

static void set_keep_hello(struct harness *harness)
{
    harness->keep_hello = true;
}

static void test_listener__requests_before_hello_is_answered__wait(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct test_client other;
    struct message hello = {.type = MESSAGE_HELLO, .request_id = 1};
    struct message reply = {.type = 0};

    hello.hello.protocol = PROTOCOL_VERSION;
    hello.hello.role = ROLE_CLIENT;
    client_open(&other, harness->address);
    harness_do(harness, set_keep_hello);
    assert_true(client_connect(&client, harness->address));
    assert_true(client_send(&client, &hello));
    send_gets(&client, 1);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    ask_status(&other);
    ask_status(&other);
    harness_do(harness, harness_look);
    assert_int_equal(harness->held_count, 1);

    harness_do(harness, harness_answer_next);
    assert_int_equal(client_receive(&client, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_HELLO_REPLY);
    message_release(&reply);
    assert_true(harness_wait(harness, &harness->held_count, 2));
    client_close(&client);
    client_close(&other);
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

static void test_listener__replies_never_read__closed_at_the_bound(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    size_t too_many = CONNECTION_OUTPUT_MAX / VALUE_SIZE_MAX + 20;

    client_open(&client, harness->address);
    send_gets(&client, too_many);
    assert_true(harness_wait(harness, &harness->held_count, too_many));
    harness->answer_object = make_large_object();
    harness_do(harness, harness_answer_all);
    assert_misbehaved(harness, STATUS_BUSY);
    assert_true(client_wait_closed(&client));
    object_unref(harness->answer_object);
    client_close(&client);
}

static void test_listener__large_replies_read_slowly__all_arrive(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    size_t count = 40;

    client_open(&client, harness->address);
    send_gets(&client, count);
    assert_true(harness_wait(harness, &harness->held_count, count));
    harness->answer_object = make_large_object();
    harness_do(harness, harness_answer_all);
    /* Not read from while so much output waits, and read from again afterwards. */
    send_gets(&client, 1);
    for (size_t i = 0; i < count; i++) {
        struct message reply = {.type = 0};
        assert_int_equal(client_receive(&client, &reply), STATUS_OK);
        assert_int_equal(reply.request_id, 1000 + i);
        message_release(&reply);
    }
    assert_true(harness_wait(harness, &harness->held_count, count + 1));
    object_unref(harness->answer_object);
    client_close(&client);
}

static size_t connected(struct harness *harness)
{
    harness_do(harness, harness_count_connected);
    return harness->connected;
}

static void test_listener__answer_for_a_gone_connection__reaches_nobody(void **state)
{
    struct harness *harness = *state;
    struct test_client first;
    struct test_client second;
    uint64_t until_ms = test_now_ms() + CLIENT_TIMEOUT_MS;

    client_open(&first, harness->address);
    send_gets(&first, 1);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    client_close(&first);
    while (connected(harness) > 0 && test_now_ms() < until_ms) {
        usleep(1000);
    }
    assert_int_equal(connected(harness), 0);
    client_open(&second, harness->address);
    harness_do(harness, harness_answer_all);
    /* In the same slot; the next thing it hears is the answer to its own question. */
    ask_status(&second);
    client_close(&second);
}

static void test_listener__one_connection_too_many__closed_at_once(void **state)
{
    struct harness *harness = *state;
    static struct test_client clients[CONNECTIONS_TRIED];
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * CONNECTIONS_TRIED + 64) {
        print_message("skipped: too few file descriptors are allowed here\n");
        skip();
    }
    for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        client_open(&clients[i], harness->address);
    }
    struct test_client *last = &clients[LISTENER_CONNECTIONS_MAX];
    assert_true(client_connect(last, harness->address));
    assert_true(client_wait_closed(last));
    assert_misbehaved(harness, STATUS_BUSY);
    ask_status(&clients[0]);
    for (size_t i = 0; i < CONNECTIONS_TRIED; i++) {
        client_close(&clients[i]);
    }
}

static void set_refuse_hello(struct harness *harness)
{
    harness->refuse_hello = true;
}

static void test_listener__hello_refused__reply_arrives_and_closed(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    harness_do(harness, set_refuse_hello);
    assert_true(client_connect(&client, harness->address));
    assert_int_equal(client_greet(&client, ROLE_CLIENT), STATUS_REFUSED);
    assert_true(client_wait_closed(&client));
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_listener__greeted_client__is_answered,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__request_before_hello__closed_with_reason,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__second_hello__closed_with_reason,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_listener__reply_instead_of_request__closed_with_reason, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_listener__garbage_and_much_after_it__reason_still_arrives, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__other_protocol_version__told_bad_version,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__long_frame_before_greeting__closed,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__frame_over_limit_after_greeting__closed,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_listener__hello_never_completes__closed_after_deadline, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__large_put_byte_by_byte__handed_out_whole,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_listener__many_pipelined_requests__in_flight_bounded, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__node_with_many_requests__not_held_back,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__requests_before_hello_is_answered__wait,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__replies_never_read__closed_at_the_bound,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__large_replies_read_slowly__all_arrive,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_listener__answer_for_a_gone_connection__reaches_nobody, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__one_connection_too_many__closed_at_once,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_listener__hello_refused__reply_arrives_and_closed,
                                        harness_setup, harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
