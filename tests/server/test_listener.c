/*
 * test_listener.c - the listener and its connections, on loopback, without a core: what they
 * believe and in which order.
 *
 *  - Before HELLO was accepted nothing but HELLO is believed, in small frames, for a short
 *    time.
 *  - Bytes that are no message of ours close the connection; the other side is told why.
 *  - Requests are handed out in order, however the bytes arrive.
 *  - An answer for a connection that is gone reaches nobody else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/net_harness.h"
#include "tests/server/test_client.h"

static void test_listener__greeted_client__is_answered(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    client_open(&client, harness->address);
    client_ask_status(&client);
    client_ask_status(&client);
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
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
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
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__reply_instead_of_request__closed_with_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message reply = {.type = MESSAGE_PUT_REPLY, .request_id = 9, .status = STATUS_BUSY};

    client_open(&client, harness->address);
    assert_true(client_send(&client, &reply));
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__garbage_and_much_after_it__reason_still_arrives(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    static char garbage[100000];

    memset(garbage, 'x', sizeof garbage);
    assert_true(client_connect(&client, harness->address));
    assert_true(client_send_bytes(&client, garbage, sizeof garbage));
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
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
    client_assert_last_word(&client, STATUS_BAD_VERSION);
    harness_assert_misbehaved(harness, STATUS_BAD_VERSION);
}

static void test_listener__long_frame_before_greeting__closed(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    assert_true(client_connect(&client, harness->address));
    client_send_header(&client, FRAME_SIZE_MAX_GREETING + 1);
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__frame_over_limit_after_greeting__closed(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    client_open(&client, harness->address);
    client_send_header(&client, FRAME_SIZE_MAX + 1);
    client_assert_last_word(&client, STATUS_BAD_MESSAGE);
    harness_assert_misbehaved(harness, STATUS_BAD_MESSAGE);
}

static void test_listener__hello_never_completes__closed_after_deadline(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t begin_ms = now_monotonic_ms();

    assert_true(client_connect(&client, harness->address));
    client_send_header(&client, 100);
    client_assert_last_word(&client, STATUS_TIMEOUT);
    assert_true(now_monotonic_ms() - begin_ms >= LISTENER_GREETING_MS - 1);
    harness_assert_misbehaved(harness, STATUS_TIMEOUT);
}

static void test_listener__large_put_byte_by_byte__handed_out_whole(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message put;
    struct buffer buffer = {.data = NULL};
    static char text[200001];

    memset(text, 'v', sizeof text - 1);
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
    client_send_gets(&client, "k", 1);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    client_ask_status(&other);
    client_ask_status(&other);
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

static void test_listener__message_does_not_go_on__closed_with_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;

    client_open(&client, harness->address);
    client_send_header(&client, 1 << 20);
    assert_true(client_send_bytes(&client, "x", 1));
    client_assert_last_word(&client, STATUS_TIMEOUT);
    harness_assert_misbehaved(harness, STATUS_TIMEOUT);
}

static void test_listener__answer_for_a_gone_connection__reaches_nobody(void **state)
{
    struct harness *harness = *state;
    struct test_client first;
    struct test_client second;

    client_open(&first, harness->address);
    client_send_gets(&first, "k", 1);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    client_close(&first);
    harness_wait_connected(harness, 0);
    client_open(&second, harness->address);
    harness_do(harness, harness_answer_all);
    /* In the same slot; the next thing it hears is the answer to its own question. */
    client_ask_status(&second);
    client_close(&second);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_listener__greeted_client__is_answered),
        TEST(test_listener__request_before_hello__closed_with_reason),
        TEST(test_listener__second_hello__closed_with_reason),
        TEST(test_listener__reply_instead_of_request__closed_with_reason),
        TEST(test_listener__garbage_and_much_after_it__reason_still_arrives),
        TEST(test_listener__other_protocol_version__told_bad_version),
        TEST(test_listener__long_frame_before_greeting__closed),
        TEST(test_listener__frame_over_limit_after_greeting__closed),
        TEST(test_listener__hello_never_completes__closed_after_deadline),
        TEST(test_listener__large_put_byte_by_byte__handed_out_whole),
        TEST(test_listener__requests_before_hello_is_answered__wait),
        TEST(test_listener__answer_for_a_gone_connection__reaches_nobody),
        TEST(test_listener__message_does_not_go_on__closed_with_reason),
        TEST(test_listener__hello_refused__reply_arrives_and_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
