/*
 * inbound.c - what is said on one inbound connection: greeting, requests, replies.
 */
#include "node/net/inbound.h"

#include <assert.h>
#include <string.h>

enum {
    /* A handle's low half: the slot, whether a node asked, the size of the request in units. */
    INDEX_BITS = 10,
    SIZE_SHIFT = INDEX_BITS + 1,
    SIZE_UNIT = 4096,
    /* What replies are expected to have is told by the last ones; a large one is forgotten
     * slowly. */
    REPLY_FALL = 4,
};

static_assert(LISTENER_CONNECTIONS_MAX <= 1 << INDEX_BITS, "a slot fits into a handle");
static_assert((FRAME_SIZE_MAX / SIZE_UNIT + 1) < 1 << (32 - SIZE_SHIFT),
              "the size of a request fits into a handle");

static uint32_t units_of(size_t size)
{
    return (uint32_t)((size + SIZE_UNIT - 1) / SIZE_UNIT);
}

/* The size of the request that a handle stands for, as it was counted. */
static size_t handle_size(uint64_t handle)
{
    return (size_t)((uint32_t)handle >> SIZE_SHIFT) * SIZE_UNIT;
}

static uint64_t inbound_handle(const struct inbound *inbound, size_t size)
{
    uint32_t is_node = inbound->role == ROLE_NODE;

    assert(size <= FRAME_SIZE_MAX);
    return (uint64_t)inbound->generation << 32 | units_of(size) << SIZE_SHIFT |
           is_node << INDEX_BITS | inbound->index;
}

static struct inbound *inbound_find(struct listener *listener, uint64_t handle)
{
    uint32_t index = (uint32_t)handle & ((1u << INDEX_BITS) - 1);

    assert(index < LISTENER_CONNECTIONS_MAX);
    struct inbound *inbound = &listener->inbound[index];
    bool is_same = inbound->generation == (uint32_t)(handle >> 32);
    return is_same && inbound->state != INBOUND_FREE ? inbound : NULL;
}

void inbound_set_deadline(struct inbound *inbound, uint64_t timeout_ms)
{
    inbound->deadline_ms = uv_now(inbound->listener->options.loop) + timeout_ms;
    places_watch(inbound->listener);
}

void inbound_on_begun(void *context)
{
    const struct inbound *inbound = context;

    places_watch(inbound->listener);
}

static void finish(struct inbound *inbound, enum status status, const char *text)
{
    assert(inbound->state != INBOUND_FREE && inbound->connection);
    inbound->state = INBOUND_FINISHING;
    inbound_set_deadline(inbound, LISTENER_LINGER_MS);
    connection_finish(inbound->connection, status, text);
}

static void finish_with_word(struct inbound *inbound, enum status status, const char *text)
{
    struct message word = {.type = MESSAGE_HELLO_REPLY, .status = status};

    word.hello.protocol = PROTOCOL_VERSION;
    word.text = blob_new(slice_of_string(text));
    /* If it cannot be told the closing alone must do. */
    (void)!connection_send(inbound->connection, &word);
    message_release(&word);
    finish(inbound, status, text);
}

void inbound_misbehaved(struct inbound *inbound, enum status status, const char *text)
{
    struct listener_options *options = &inbound->listener->options;

    assert(inbound->state != INBOUND_FREE);
    assert(status != STATUS_OK && text);
    if (inbound->state == INBOUND_FINISHING) {
        return;
    }
    options->on_misbehaviour(options->context, inbound->remote, status, text);
    finish_with_word(inbound, status, text);
}

void inbound_on_malformed(void *context, enum status status, const char *text)
{
    inbound_misbehaved(context, status, text);
}

static bool is_over_limit(const struct inbound *inbound)
{
    if (inbound->state == INBOUND_GREETING) {
        return inbound->in_flight > 0;
    }
    if (inbound->role != ROLE_CLIENT) {
        return false;
    }
    if (inbound->reply_size == 0) {
        return inbound->in_flight > 0;
    }
    size_t window = LISTENER_WINDOW_BYTES / inbound->reply_size;
    if (window > LISTENER_IN_FLIGHT_MAX) {
        window = LISTENER_IN_FLIGHT_MAX;
    }
    return inbound->in_flight > 0 &&
           (inbound->in_flight >= window || inbound->held > LISTENER_HELD_MAX);
}

static const struct secret *current_secret(const struct listener *listener)
{
    const struct listener_options *options = &listener->options;

    return options->secret ? options->secret(options->context) : NULL;
}

/* It is what it says; it may still be one too many. */
static bool let_in(struct inbound *inbound)
{
    assert(inbound->state == INBOUND_GREETING || inbound->state == INBOUND_PROVING);
    if (inbound->role == ROLE_CLIENT && !places_count_client(inbound)) {
        inbound_misbehaved(inbound, STATUS_BUSY, "too many clients are at work here");
        return false;
    }
    inbound->state = INBOUND_GREETED;
    inbound->idle_ms = uv_now(inbound->listener->options.loop);
    connection_trust(inbound->connection, inbound->role == ROLE_NODE);
    if (inbound->role == ROLE_NODE && inbound->listener->options.on_node) {
        inbound->listener->options.on_node(inbound->listener->options.context,
                                           inbound->address);
    }
    return true;
}

/* Nothing that it says of itself is believed before this. */
static void on_proof(struct inbound *inbound, const struct message *message)
{
    const struct secret *secret = current_secret(inbound->listener);
    struct message reply = {.type = MESSAGE_PROOF_REPLY, .request_id = message->request_id};

    assert(inbound->state == INBOUND_PROVING);
    if (!secret || !greeting_is_proved(&inbound->greeting, secret, GREETING_OPENER,
                                       message->proof.proof)) {
        inbound_misbehaved(inbound, STATUS_DENIED, "the proof of the secret is wrong");
        return;
    }
    if (let_in(inbound) && connection_send(inbound->connection, &reply) == STATUS_NO_MEMORY) {
        connection_close(inbound->connection, STATUS_NO_MEMORY, "no memory for a reply");
    }
}

/* Why a request of this type does not belong here; NULL if it does. */
static const char *is_out_of_turn(const struct inbound *inbound, enum message_type type)
{
    if (!message_type_is_request(type)) {
        return "a reply where a request is expected";
    }
    if (type == MESSAGE_HELLO) {
        return inbound->state == INBOUND_GREETING ? NULL : "a second hello";
    }
    if (inbound->state == INBOUND_GREETING) {
        return "a request before hello";
    }
    if (type == MESSAGE_PROOF) {
        return inbound->state == INBOUND_PROVING ? NULL : "a second proof";
    }
    return inbound->state == INBOUND_PROVING ? "a request before the proof" : NULL;
}

void inbound_on_message(void *context, struct message *message)
{
    struct inbound *inbound = context;
    struct listener_options *options = &inbound->listener->options;
    const char *why = is_out_of_turn(inbound, message->type);

    assert(inbound->state != INBOUND_FREE);
    if (why) {
        inbound_misbehaved(inbound, STATUS_BAD_MESSAGE, why);
        return;
    }
    if (message->type == MESSAGE_PROOF) {
        on_proof(inbound, message);
        return;
    }
    if (message->type == MESSAGE_HELLO) {
        inbound->role = message->hello.role;
        memcpy(inbound->address, message->hello.address, sizeof inbound->address);
        if (greeting_note_hello(&inbound->greeting, message) != STATUS_OK) {
            connection_close(inbound->connection, STATUS_NO_MEMORY, "no memory for a hello");
            return;
        }
    }
    size_t size = connection_message_size(inbound->connection);
    inbound->in_flight++;
    inbound->held += (size_t)units_of(size) * SIZE_UNIT;
    connection_hold(inbound->connection, inbound->held);
    if (is_over_limit(inbound)) {
        connection_pause(inbound->connection);
    }
    options->on_request(options->context, inbound_handle(inbound, size), inbound->role,
                        message);
}

/* What could not be sent whole is told by its status alone: the requester must not wait. */
static enum status send_status_instead(struct inbound *inbound, const struct message *message,
                                       enum status status)
{
    struct message instead = {.type = message->type,
                              .request_id = message->request_id,
                              .status = status,
                              .ring_epoch = message->ring_epoch};

    return connection_send(inbound->connection, &instead);
}

/* Answers a HELLO that the node accepts: with this node's proof, and asking for the other's. */
static void greet(struct inbound *inbound, const struct message *message)
{
    const struct secret *secret = current_secret(inbound->listener);
    struct message reply = *message; /* what it refers to stays the caller's */
    struct error error = {.code = STATUS_OK};
    enum status status = STATUS_OK;

    assert(inbound->state == INBOUND_GREETING);
    if (secret) {
        status = secret_random(reply.hello.nonce, NONCE_SIZE, &error);
        if (status == STATUS_OK) {
            status = greeting_note_reply(&inbound->greeting, &reply);
        }
        greeting_prove(&inbound->greeting, secret, GREETING_OTHER_END, reply.hello.proof);
        reply.hello.has_proof = true;
    }
    if (status == STATUS_OK) {
        status = connection_send(inbound->connection, &reply);
    }
    if (status != STATUS_OK) {
        connection_close(inbound->connection, status, "no greeting could be sent");
    } else if (secret) {
        inbound->state = INBOUND_PROVING;
    } else {
        (void)let_in(inbound);
    }
}

/* A large reply is expected again at once, a small one only after some. */
static void expect_like(struct inbound *inbound, size_t size)
{
    size_t fallen = inbound->reply_size - inbound->reply_size / REPLY_FALL;

    inbound->reply_size = size > fallen ? size : fallen;
}

/* What was read may be asked for again; what was done must be told. */
static bool can_be_refused(enum message_type type)
{
    return type == MESSAGE_GET_REPLY || type == MESSAGE_LIST_REPLY ||
           type == MESSAGE_REPLICA_GET_REPLY || type == MESSAGE_REPLICA_LIST_REPLY ||
           type == MESSAGE_TREE_KEYS_REPLY;
}

/* Sends a reply, or where memory is short its status alone. */
static enum status send_reply(struct inbound *inbound, const struct message *message)
{
    struct connection *connection = inbound->connection;
    size_t before = connection_waiting(connection);

    if (can_be_refused(message->type) && !connection_has_room(connection, 0)) {
        return send_status_instead(inbound, message, STATUS_BUSY);
    }
    enum status status = connection_send(connection, message);
    if (status == STATUS_TOO_LARGE || status == STATUS_NO_MEMORY) {
        status = send_status_instead(inbound, message, status);
    }
    expect_like(inbound, connection_waiting(connection) - before);
    if (connection_waiting(connection) > CONNECTION_OUTPUT_PAUSE) {
        places_watch(inbound->listener); /* is it read? */
    }
    return status;
}

void listener_reply(struct listener *listener, uint64_t handle, const struct message *message,
                    bool close)
{
    assert(listener && message);

    struct inbound *inbound = inbound_find(listener, handle);

    if (!inbound) {
        bool is_node = (handle >> INDEX_BITS & 1) != 0;
        memory_change(&listener->options.group->memory, is_node, handle_size(handle), 0);
        return;
    }
    assert(inbound->in_flight > 0 && inbound->held >= handle_size(handle));
    inbound->in_flight--;
    inbound->held -= handle_size(handle);
    connection_hold(inbound->connection, inbound->held);
    inbound->idle_ms = uv_now(listener->options.loop);
    if (inbound->state == INBOUND_FINISHING) {
        return;
    }
    bool is_greeting = message->type == MESSAGE_HELLO_REPLY && message->status == STATUS_OK;
    if (is_greeting) {
        greet(inbound, message);
        connection_resume(inbound->connection);
        return;
    }
    enum status status = send_reply(inbound, message);
    if (status == STATUS_NO_MEMORY) {
        connection_close(inbound->connection, status, "no memory for a reply");
    }
    if (close) {
        finish(inbound, STATUS_REFUSED, status_text(message->status));
        return;
    }
    if (!is_over_limit(inbound)) {
        connection_resume(inbound->connection);
    }
}
