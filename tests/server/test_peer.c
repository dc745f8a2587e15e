/*
 * test_peer.c - outgoing connections: connected, greeted, lost and found again by themselves.
 *
 *  - A peer that nobody answers is tried again and again, with backoff.
 *  - Refusal, silence, nonsense and requests instead of replies each end an attempt.
 *  - Up and down alternate; what is sent while down is refused.
 */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/net_harness.h"
#include "tests/server/test_client.h"

/* A listening socket whose connections are served by the test itself. */
static int listen_somewhere(char ret_address[ADDRESS_SIZE])
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(descriptor, 8), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&any, &size), 0);
    snprintf(ret_address, ADDRESS_SIZE, "127.0.0.1:%u", (unsigned)ntohs(any.sin_port));
    return descriptor;
}

/* The next connection; its HELLO is taken and checked. */
static void accept_hello(int listening, struct test_client *ret_client, uint64_t *ret_hello_id)
{
    struct pollfd poll_descriptor = {.fd = listening, .events = POLLIN};
    struct message hello = {.type = 0};

    memset(ret_client, 0, sizeof *ret_client);
    ret_client->splitter.size_max = FRAME_SIZE_MAX;
    assert_int_equal(poll(&poll_descriptor, 1, CLIENT_TIMEOUT_MS), 1);
    ret_client->descriptor = accept(listening, NULL, NULL);
    assert_true(ret_client->descriptor >= 0);
    assert_int_equal(client_receive(ret_client, &hello), STATUS_OK);
    assert_int_equal(hello.type, MESSAGE_HELLO);
    assert_int_equal(hello.hello.role, ROLE_NODE);
    *ret_hello_id = hello.request_id;
    message_release(&hello);
}

static void reply_hello(struct test_client *client, uint64_t hello_id, enum status status,
                        const char *text)
{
    struct message reply = {
        .type = MESSAGE_HELLO_REPLY, .request_id = hello_id, .status = status};

    reply.hello.protocol = PROTOCOL_VERSION;
    reply.hello.role = ROLE_NODE;
    reply.hello.node = 4712;
    memcpy(reply.hello.address, "127.0.0.1:4712", 15);
    reply.text = text ? blob_new(slice_of_string(text)) : NULL;
    assert_true(client_send(client, &reply));
    message_release(&reply);
}

static enum status sent_status;

static void send_status_request(struct harness *harness)
{
    struct message request = {.type = MESSAGE_STATUS, .request_id = 5};

    sent_status = peer_send(harness->peer, &request);
}

static void test_peer__listener_answers__up_and_request_answered(void **state)
{
    struct harness *harness = *state;

    memcpy(harness->peer_address, harness->address, ADDRESS_SIZE);
    harness_do(harness, harness_connect_peer);
    assert_true(harness_wait(harness, &harness->ups, 1));
    harness_do(harness, send_status_request);
    assert_int_equal(sent_status, STATUS_OK);
    assert_true(harness_wait(harness, &harness->replies, 1));
    assert_int_equal(harness->failures, 0);
}

static void send_get(struct harness *harness)
{
    struct message request;

    client_make_get(&request, "large");
    sent_status = peer_send(harness->peer, &request);
    message_release(&request);
}

static void test_peer__reply_longer_than_a_greeting__taken(void **state)
{
    struct harness *harness = *state;
    static char text[FRAME_SIZE_MAX_GREETING + 2];

    memset(text, 'l', sizeof text - 1);
    memcpy(harness->peer_address, harness->address, ADDRESS_SIZE);
    harness_do(harness, harness_connect_peer);
    assert_true(harness_wait(harness, &harness->ups, 1));
    harness_do(harness, send_get);
    assert_int_equal(sent_status, STATUS_OK);
    assert_true(harness_wait(harness, &harness->held_count, 1));
    harness->answer_object = client_make_object(text);
    harness_do(harness, harness_answer_all);
    assert_true(harness_wait(harness, &harness->replies, 1));
    assert_int_equal(harness->downs, 0);
    object_unref(harness->answer_object);
}

static void test_peer__name_instead_of_number__resolved(void **state)
{
    struct harness *harness = *state;

    snprintf(harness->peer_address, ADDRESS_SIZE, "localhost%s", strchr(harness->address, ':'));
    harness_do(harness, harness_connect_peer);
    assert_true(harness_wait(harness, &harness->ups, 1));
}

static void test_peer__nobody_listens__tried_again_until_somebody_does(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);
    struct sockaddr_in same;
    socklen_t size = sizeof same;
    int yes = 1;

    assert_int_equal(getsockname(listening, (struct sockaddr *)&same, &size), 0);
    close(listening);
    harness_do(harness, harness_connect_peer);
    assert_true(harness_wait(harness, &harness->failures, 1));
    assert_true(harness_wait(harness, &harness->failures, 2));
    assert_int_equal(harness->failure, STATUS_UNREACHABLE);
    harness_do(harness, send_status_request);
    assert_int_equal(sent_status, STATUS_CLOSED);

    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&same, size), 0);
    assert_int_equal(listen(listening, 8), 0);
    accept_hello(listening, &client, &hello_id);
    reply_hello(&client, hello_id, STATUS_OK, NULL);
    assert_true(harness_wait(harness, &harness->ups, 1));
    client_close(&client);
    close(listening);
}

static void test_peer__connection_lost__down_then_up_again(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);

    harness_do(harness, harness_connect_peer);
    for (size_t round = 1; round <= 3; round++) {
        accept_hello(listening, &client, &hello_id);
        assert_int_equal(harness->ups, round - 1);
        reply_hello(&client, hello_id, STATUS_OK, NULL);
        assert_true(harness_wait(harness, &harness->ups, round));
        assert_int_equal(harness->downs, round - 1);
        client_close(&client);
        assert_true(harness_wait(harness, &harness->downs, round));
    }
    assert_int_equal(harness->failures, 0);
    close(listening);
}

static void hurry(struct harness *harness)
{
    peer_hurry(harness->peer);
}

static void test_peer__hurried_then_up_then_lost__waits_shortly_each_time(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);

    /* Refused so often that the wait has grown to its longest. */
    harness_do(harness, harness_connect_peer);
    for (size_t round = 1; round <= 7; round++) {
        accept_hello(listening, &client, &hello_id);
        reply_hello(&client, hello_id, STATUS_REFUSED, "not yet");
        assert_true(harness_wait(harness, &harness->failures, round));
        client_close(&client);
    }
    uint64_t begin_ms = now_monotonic_ms();
    harness_do(harness, hurry);
    accept_hello(listening, &client, &hello_id);
    assert_true(now_monotonic_ms() - begin_ms < PEER_BACKOFF_MAX_MS / 2);
    reply_hello(&client, hello_id, STATUS_OK, NULL);
    assert_true(harness_wait(harness, &harness->ups, 1));

    begin_ms = now_monotonic_ms();
    client_close(&client);
    accept_hello(listening, &client, &hello_id);
    assert_true(now_monotonic_ms() - begin_ms < PEER_BACKOFF_MAX_MS / 2);
    client_close(&client);
    close(listening);
}

static void test_peer__hello_refused__failed_with_the_reason(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);

    harness_do(harness, harness_connect_peer);
    accept_hello(listening, &client, &hello_id);
    reply_hello(&client, hello_id, STATUS_REFUSED, "another cluster");
    assert_true(harness_wait(harness, &harness->failures, 1));
    assert_int_equal(harness->failure, STATUS_REFUSED);
    assert_string_equal(harness->failure_text, "another cluster");
    assert_int_equal(harness->ups, 0);
    client_close(&client);
    close(listening);
}

static void test_peer__hello_never_answered__failed_after_deadline(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);
    uint64_t begin_ms = now_monotonic_ms();

    harness_do(harness, harness_connect_peer);
    accept_hello(listening, &client, &hello_id);
    assert_true(harness_wait(harness, &harness->failures, 1));
    assert_int_equal(harness->failure, STATUS_TIMEOUT);
    assert_true(now_monotonic_ms() - begin_ms >= PEER_GREETING_MS - 1);
    client_close(&client);
    close(listening);
}

static void test_peer__answers_nonsense__attempt_ends(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);

    harness_do(harness, harness_connect_peer);
    accept_hello(listening, &client, &hello_id);
    assert_true(client_send_bytes(&client, "HTTP/1.0 400 Bad Request\r\n\r\n", 28));
    assert_true(harness_wait(harness, &harness->failures, 1));
    assert_int_equal(harness->failure, STATUS_BAD_MESSAGE);
    client_close(&client);
    close(listening);
}

static void test_peer__sends_a_request__dropped(void **state)
{
    struct harness *harness = *state;
    struct test_client client;
    struct message request = {.type = MESSAGE_STATUS, .request_id = 1};
    uint64_t hello_id = 0;
    int listening = listen_somewhere(harness->peer_address);

    harness_do(harness, harness_connect_peer);
    accept_hello(listening, &client, &hello_id);
    reply_hello(&client, hello_id, STATUS_OK, NULL);
    assert_true(harness_wait(harness, &harness->ups, 1));
    assert_true(client_send(&client, &request));
    assert_true(harness_wait(harness, &harness->downs, 1));
    assert_int_equal(harness->replies, 0);
    client_close(&client);
    close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_peer__listener_answers__up_and_request_answered,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__reply_longer_than_a_greeting__taken,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__name_instead_of_number__resolved,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_peer__nobody_listens__tried_again_until_somebody_does, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__connection_lost__down_then_up_again,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            test_peer__hurried_then_up_then_lost__waits_shortly_each_time, harness_setup,
            harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__hello_refused__failed_with_the_reason,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__hello_never_answered__failed_after_deadline,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__answers_nonsense__attempt_ends,
                                        harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(test_peer__sends_a_request__dropped, harness_setup,
                                        harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
