/*
 * test_client.c - a blocking client that speaks the protocol, well or badly, for tests.
 */

#include "tests/server/test_client.h"

#include <errno.h>
#include <poll.h>
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
#include "node/base/registry.h"
#include "node/net/socket_address.h"
#include "node/wire/greeting.h"

bool client_connect(struct test_client *client, const char *address)
{
    struct address parsed;
    struct sockaddr_storage socket_address;
    struct error error;

    memset(client, 0, sizeof *client);
    client->splitter.size_max = FRAME_SIZE_MAX;
    snprintf(client->address, sizeof client->address, "%s", address);
    assert_int_equal(address_parse(address, &parsed, &error), STATUS_OK);
    assert_true(socket_address_is_numeric(&parsed, &socket_address));
    client->descriptor = socket(socket_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->descriptor >= 0);
    socklen_t size = socket_address.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                         : sizeof(struct sockaddr_in6);
    if (connect(client->descriptor, (struct sockaddr *)&socket_address, size) != 0) {
        client_close(client);
        return false;
    }
    return true;
}

void client_close(struct test_client *client)
{
    if (client->descriptor >= 0) {
        close(client->descriptor);
    }
    client->descriptor = -1;
    frame_splitter_release(&client->splitter);
}

bool client_send_bytes(struct test_client *client, const void *bytes, size_t size)
{
    const uint8_t *rest = bytes;

    while (size > 0) {
        ssize_t sent = send(client->descriptor, rest, size, MSG_NOSIGNAL);
        if (sent < 0) {
            return false;
        }
        rest += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool client_send(struct test_client *client, const struct message *message)
{
    struct buffer buffer = {.data = NULL};

    assert_int_equal(frame_append(message, &buffer), STATUS_OK);
    bool is_sent = client_send_bytes(client, buffer.data, buffer.size);
    buffer_release(&buffer);
    return is_sent;
}

/* One piece of input: STATUS_OK, STATUS_CLOSED, STATUS_TIMEOUT. */
static enum status receive_some(struct test_client *client, uint64_t until_ms)
{
    struct pollfd poll_descriptor = {.fd = client->descriptor, .events = POLLIN};
    size_t room = 0;
    uint64_t now = now_monotonic_ms();

    if (now >= until_ms || poll(&poll_descriptor, 1, (int)(until_ms - now)) <= 0) {
        return STATUS_TIMEOUT;
    }
    uint8_t *space = frame_splitter_space(&client->splitter, 4096, &room);
    assert_non_null(space);
    ssize_t size = recv(client->descriptor, space, room, 0);
    if (size <= 0) {
        return STATUS_CLOSED;
    }
    frame_splitter_received(&client->splitter, (size_t)size);
    return STATUS_OK;
}

enum status client_receive(struct test_client *client, struct message *ret_message)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    for (;;) {
        struct slice payload;
        enum status status = frame_splitter_next(&client->splitter, &payload);
        if (status == STATUS_OK) {
            return codec_decode(payload, ret_message);
        }
        if (status == STATUS_NOT_FOUND) {
            status = receive_some(client, until_ms);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
}

bool client_wait_closed(struct test_client *client)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        status = receive_some(client, until_ms);
    }
    return status == STATUS_CLOSED;
}

/* Proves the secret that the node left for this user. */
static enum status prove(struct test_client *client, struct greeting *said,
                         const struct message *hello_reply)
{
    struct secret secret;
    struct message proof = {.type = MESSAGE_PROOF};
    struct message reply = {.type = 0};

    assert_int_equal(greeting_note_reply(said, hello_reply), STATUS_OK);
    if (registry_find(client->address, true, &secret) != STATUS_OK ||
        !greeting_is_proved(said, &secret, GREETING_OTHER_END, hello_reply->hello.proof)) {
        return STATUS_DENIED; /* or it has just taken up another one */
    }
    greeting_prove(said, &secret, GREETING_OPENER, proof.proof.proof);
    proof.proof.proof[0] ^= client->lies;
    enum status status = client_call(client, &proof, &reply);
    if (status == STATUS_OK) {
        status = reply.status;
    }
    message_release(&reply);
    return status;
}

enum status client_greet(struct test_client *client, enum role role)
{
    struct message hello = {.type = MESSAGE_HELLO, .request_id = client->last_id + 1};
    struct message reply = {.type = 0};
    struct greeting said;

    hello.hello.protocol = PROTOCOL_VERSION;
    hello.hello.role = role;
    if (role == ROLE_NODE) {
        hello.hello.node = 4713;
        memcpy(hello.hello.address, "127.0.0.1:4713", 15);
    }
    assert_int_equal(greeting_note_hello(&said, &hello), STATUS_OK);
    enum status status = client_call(client, &hello, &reply);
    if (status == STATUS_OK) {
        assert_int_equal(reply.type, MESSAGE_HELLO_REPLY);
        status = reply.status;
    }
    if (status == STATUS_OK && reply.hello.has_proof) {
        status = prove(client, &said, &reply);
    }
    message_release(&reply);
    return status;
}

void client_open(struct test_client *client, const char *address)
{
    assert_true(client_connect(client, address));
    assert_int_equal(client_greet(client, ROLE_CLIENT), STATUS_OK);
}

enum status client_call(struct test_client *client, struct message *request,
                        struct message *ret_reply)
{
    request->request_id = ++client->last_id;
    bool is_sent = client_send(client, request);
    message_release(request);
    if (!is_sent) {
        return STATUS_CLOSED;
    }
    enum status status = client_receive(client, ret_reply);
    if (status == STATUS_OK && ret_reply->request_id != 0) { /* 0: the node's last word */
        assert_int_equal(ret_reply->request_id, client->last_id);
    }
    return status;
}

void client_make_put(struct message *message, const char *key, const char *text)
{
    struct slice content = slice_of_string(text);

    memset(message, 0, sizeof *message);
    message->type = MESSAGE_PUT;
    message->put.key = blob_new(slice_of_string(key));
    message->put.mode = UPDATE_ALL;
    message->put.has_value = true;
    message->put.value.attributes.type = VERSION_FILE;
    message->put.value.attributes.mode = 0644;
    message->put.value.attributes.size = content.size;
    message->put.value.content = blob_new(content);
    /* Different texts are different writes. */
    memcpy(message->put.value.write_id, text,
           content.size < WRITE_ID_SIZE ? content.size : WRITE_ID_SIZE);
    message->put.deadline_ms = CLIENT_TIMEOUT_MS;
}

void client_make_get(struct message *message, const char *key)
{
    memset(message, 0, sizeof *message);
    message->type = MESSAGE_GET;
    message->get.key = blob_new(slice_of_string(key));
    message->get.deadline_ms = CLIENT_TIMEOUT_MS;
}

struct object *client_make_object(const char *text)
{
    struct dot dot = {.actor = {.node = 1, .birth = 1}, .counter = 1};
    struct clock clock = {.count = 1, .pair = &dot};
    struct version version = {.dot = dot, .attributes = {.type = VERSION_FILE}};
    struct object *object = NULL;

    version.content = blob_new(slice_of_string(text));
    assert_non_null(version.content);
    version.attributes.size = strlen(text);
    content_hash(blob_slice(version.content), version.content_hash);
    assert_int_equal(object_new(&clock, &version, 1, (struct actor){.node = 0}, &object),
                     STATUS_OK);
    blob_unref(version.content);
    return object;
}

enum status client_put(struct test_client *client, const char *key, const char *text)
{
    struct message put;
    struct message reply = {.type = 0};

    client_make_put(&put, key, text);
    enum status status = client_call(client, &put, &reply);
    if (status == STATUS_OK) {
        assert_int_equal(reply.type, MESSAGE_PUT_REPLY);
        status = reply.status;
    }
    message_release(&reply);
    return status;
}

enum status client_get(struct test_client *client, const char *key, char **ret_text)
{
    struct message get;
    struct message reply = {.type = 0};

    client_make_get(&get, key);
    enum status status = client_call(client, &get, &reply);
    if (status == STATUS_OK) {
        assert_int_equal(reply.type, MESSAGE_GET_REPLY);
        status = reply.status;
    }
    if (status == STATUS_OK) {
        const struct version *newest = object_newest(reply.get_reply.object);
        assert_non_null(newest);
        struct slice content = blob_slice(newest->content);
        *ret_text = strndup((const char *)content.data, content.size);
        assert_non_null(*ret_text);
    }
    message_release(&reply);
    return status;
}

uint64_t client_figure(struct test_client *client, const char *name)
{
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply = {.type = 0};
    uint64_t value = 0;

    assert_int_equal(client_call(client, &request, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_STATUS_REPLY);
    for (uint16_t i = 0; i < reply.status_reply.stat_count; i++) {
        if (strcmp(reply.status_reply.stats[i].name, name) == 0) {
            value = reply.status_reply.stats[i].value;
        }
    }
    message_release(&reply);
    return value;
}

uint64_t client_ring_epoch(const char *address, char ret_member_address[ADDRESS_SIZE])
{
    struct test_client client;
    struct message request = {.type = MESSAGE_RING};
    struct message reply = {.type = 0};

    client_open(&client, address);
    assert_int_equal(client_call(&client, &request, &reply), STATUS_OK);
    assert_int_equal(reply.status, STATUS_OK);
    uint64_t epoch = reply.ring->epoch;
    memcpy(ret_member_address, reply.ring->members[0].address, ADDRESS_SIZE);
    message_release(&reply);
    client_close(&client);
    return epoch;
}

static size_t members_of(const char *address)
{
    struct test_client client;
    struct message request = {.type = MESSAGE_RING};
    struct message reply = {.type = 0};
    size_t members = 0;

    if (!client_connect(&client, address)) {
        return 0;
    }
    if (client_greet(&client, ROLE_CLIENT) == STATUS_OK &&
        client_call(&client, &request, &reply) == STATUS_OK && reply.status == STATUS_OK) {
        members = reply.ring->member_count;
    }
    message_release(&reply);
    client_close(&client);
    return members;
}

bool client_wait_members(const char *address, size_t members)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    while (members_of(address) != members) {
        if (now_monotonic_ms() >= until_ms) {
            return false;
        }
        usleep(5000);
    }
    return true;
}

void client_put_text(const char *address, const char *key, const char *text)
{
    struct test_client client;

    client_open(&client, address);
    assert_int_equal(client_put(&client, key, text), STATUS_OK);
    client_close(&client);
}

void client_assert_text(const char *address, const char *key, const char *wanted)
{
    struct test_client client;
    char *text = NULL;

    client_open(&client, address);
    assert_int_equal(client_get(&client, key, &text), STATUS_OK);
    assert_string_equal(text, wanted);
    free(text);
    client_close(&client);
}

bool client_put_until_ok(const char *address, const char *key, const char *text)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;
    enum status status = STATUS_CLOSED;

    while (status != STATUS_OK && now_monotonic_ms() < until_ms) {
        struct test_client client;
        client_open(&client, address);
        status = client_put(&client, key, text);
        client_close(&client);
    }
    return status == STATUS_OK;
}

void client_ask_status(struct test_client *client)
{
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply = {.type = 0};

    assert_int_equal(client_call(client, &request, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_STATUS_REPLY);
    message_release(&reply);
}

void client_send_gets(struct test_client *client, const char *key, size_t count)
{
    struct buffer buffer = {.data = NULL};

    for (size_t i = 0; i < count; i++) {
        struct message get;
        client_make_get(&get, key);
        get.request_id = 1000 + i;
        assert_int_equal(frame_append(&get, &buffer), STATUS_OK);
        message_release(&get);
    }
    assert_true(client_send_bytes(client, buffer.data, buffer.size));
    buffer_release(&buffer);
}

void client_send_header(struct test_client *client, uint32_t size)
{
    uint8_t header[FRAME_HEADER_SIZE] = {'D',
                                         'y',
                                         'n',
                                         PROTOCOL_VERSION,
                                         (uint8_t)(size >> 24),
                                         (uint8_t)(size >> 16),
                                         (uint8_t)(size >> 8),
                                         (uint8_t)size};

    assert_true(client_send_bytes(client, header, sizeof header));
}

void client_assert_last_word(struct test_client *client, enum status status)
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
