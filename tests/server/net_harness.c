/*
 * net_harness.c - a loop on a thread of its own, with a listener and perhaps a peer, for tests.
 */

#include "tests/server/net_harness.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/test_client.h"

static void answer(struct harness *harness, uint64_t handle, enum message_type type,
                   uint64_t request_id)
{
    struct message reply = {.type = type, .request_id = request_id};

    if (type == MESSAGE_HELLO_REPLY) {
        reply.hello.protocol = PROTOCOL_VERSION;
        reply.hello.role = ROLE_NODE;
        reply.hello.node = 4710;
        memcpy(reply.hello.address, harness->address, ADDRESS_SIZE);
        reply.status = harness->refuse_hello ? STATUS_REFUSED : STATUS_OK;
        reply.text = harness->refuse_hello ? blob_new(slice_of_string("not one of us")) : NULL;
    }
    if (type == MESSAGE_STATUS_REPLY) {
        reply.status_reply.node = 4710;
        memcpy(reply.status_reply.address, harness->address, ADDRESS_SIZE);
    }
    listener_reply(harness->listener, handle, &reply, harness->refuse_hello);
    message_release(&reply);
}

static void on_request(void *context, uint64_t handle, enum role role, struct message *message)
{
    struct harness *harness = context;

    (void)role;
    if (message->type == MESSAGE_HELLO && !harness->keep_hello) {
        answer(harness, handle, MESSAGE_HELLO_REPLY, message->request_id);
    } else if (message->type == MESSAGE_STATUS) {
        answer(harness, handle, MESSAGE_STATUS_REPLY, message->request_id);
    } else if (harness->held_count < HELD_MAX) {
        size_t index = harness->held_count;
        harness->held[index] = handle;
        harness->held_id[index] = message->request_id;
        harness->held_type[index] = message->type;
        harness->held_count++;
    }
}

void harness_answer_next(struct harness *harness)
{
    size_t index = harness->answered++;

    assert(index < harness->held_count);
    if (harness->held_type[index] == MESSAGE_HELLO) {
        answer(harness, harness->held[index], MESSAGE_HELLO_REPLY, harness->held_id[index]);
        return;
    }
    struct message reply = {.type = MESSAGE_GET_REPLY,
                            .request_id = harness->held_id[index],
                            .status = STATUS_NOT_FOUND};
    if (harness->answer_object) {
        reply.status = STATUS_OK;
        reply.get_reply.object = object_ref(harness->answer_object);
    }
    listener_reply(harness->listener, harness->held[index], &reply, false);
    message_release(&reply);
}

void harness_answer_all(struct harness *harness)
{
    while (harness->answered < harness->held_count) {
        harness_answer_next(harness);
    }
}

static void on_misbehaviour(void *context, const char *remote, enum status status,
                            const char *text)
{
    struct harness *harness = context;

    (void)remote;
    (void)text;
    harness->misbehaviour = status;
    harness->misbehaved++;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct harness *harness = prepare->data;

    connections_flush(&harness->group);
}

static void on_command(uv_async_t *async)
{
    struct harness *harness = async->data;

    harness->function(harness);
    sem_post(&harness->done);
}

void harness_do(struct harness *harness, void (*function)(struct harness *harness))
{
    harness->function = function;
    assert_int_equal(uv_async_send(&harness->command), 0);
    assert_int_equal(sem_wait(&harness->done), 0);
}

static void fill_hello(void *context, struct message *ret_hello)
{
    (void)context;
    ret_hello->hello.protocol = PROTOCOL_VERSION;
    ret_hello->hello.role = ROLE_NODE;
    ret_hello->hello.node = 4711;
    memcpy(ret_hello->hello.address, "127.0.0.1:4711", 15);
}

static void on_up(void *context, uint16_t number, struct message *hello_reply)
{
    struct harness *harness = context;

    (void)number;
    assert(hello_reply->type == MESSAGE_HELLO_REPLY);
    harness->ups++;
}

static void on_reply(void *context, uint16_t number, struct message *reply)
{
    struct harness *harness = context;

    (void)number;
    (void)reply;
    harness->replies++;
}

static void on_down(void *context, uint16_t number, const char *text)
{
    struct harness *harness = context;

    (void)number;
    assert(strlen(text) > 0);
    harness->downs++;
}

static void on_failed(void *context, uint16_t number, enum status status, const char *text)
{
    struct harness *harness = context;

    (void)number;
    harness->failure = status;
    snprintf(harness->failure_text, sizeof harness->failure_text, "%s", text);
    harness->failures++;
}

void harness_connect_peer(struct harness *harness)
{
    struct peer_options options = {
        .loop = &harness->loop,
        .group = &harness->group,
        .address = harness->peer_address,
        .random_seed = 1,
        .context = harness,
        .fill_hello = fill_hello,
        .on_up = on_up,
        .on_reply = on_reply,
        .on_down = on_down,
        .on_failed = on_failed,
    };

    enum status status = peer_new(&options, &harness->peer);
    assert(status == STATUS_OK);
}

static void *run_loop(void *context)
{
    struct harness *harness = context;

    uv_run(&harness->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void stop_on_loop(struct harness *harness)
{
    listener_close(harness->listener);
    peer_close(harness->peer);
    uv_close((uv_handle_t *)&harness->prepare, NULL);
    uv_close((uv_handle_t *)&harness->command, NULL);
}

int harness_setup(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    struct sockaddr_storage socket_address;
    struct address address = {.host = "127.0.0.1"};
    struct error error;

    assert_non_null(harness);
    assert_int_equal(uv_loop_init(&harness->loop), 0);
    assert_int_equal(uv_prepare_init(&harness->loop, &harness->prepare), 0);
    assert_int_equal(uv_async_init(&harness->loop, &harness->command, on_command), 0);
    harness->prepare.data = harness;
    harness->command.data = harness;
    assert_int_equal(uv_prepare_start(&harness->prepare, on_prepare), 0);
    assert_int_equal(sem_init(&harness->done, 0, 0), 0);
    struct listener_options options = {
        .loop = &harness->loop,
        .group = &harness->group,
        .context = harness,
        .on_request = on_request,
        .on_misbehaviour = on_misbehaviour,
    };
    assert_true(socket_address_is_numeric(&address, &socket_address));
    assert_int_equal(listener_new(&options, &socket_address, &harness->listener, &error),
                     STATUS_OK);
    address.port = listener_port(harness->listener);
    assert_true(address_format(&address, harness->address));
    assert_int_equal(pthread_create(&harness->thread, NULL, run_loop, harness), 0);
    *state = harness;
    return 0;
}

int harness_teardown(void **state)
{
    struct harness *harness = *state;

    harness_do(harness, stop_on_loop);
    pthread_join(harness->thread, NULL);
    assert_int_equal(uv_loop_close(&harness->loop), 0);
    sem_destroy(&harness->done);
    free(harness);
    return 0;
}

void harness_look(struct harness *harness)
{
    harness->memory_seen = harness->group.memory;
}

bool harness_wait(struct harness *harness, const atomic_size_t *value, size_t wanted)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    for (;;) {
        harness_do(harness, harness_look);
        if (*value >= wanted) {
            return true;
        }
        if (now_monotonic_ms() >= until_ms) {
            return false;
        }
        usleep(1000);
    }
}

static void count_connected(struct harness *harness)
{
    harness->connected = listener_connections(harness->listener);
}

static size_t connected(struct harness *harness)
{
    harness_do(harness, count_connected);
    return harness->connected;
}

void harness_wait_connected(struct harness *harness, size_t wanted)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    while (connected(harness) != wanted && now_monotonic_ms() < until_ms) {
        usleep(1000);
    }
    assert_int_equal(connected(harness), wanted);
}

void harness_assert_misbehaved(struct harness *harness, enum status status)
{
    assert_true(harness_wait(harness, &harness->misbehaved, 1));
    assert_int_equal(harness->misbehaviour, status);
}
