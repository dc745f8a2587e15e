/*
 * listener.c - the inbound connections of a node.
 */
#include "node/net/listener.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEP_INTERVAL_MS = 100, /* how late a deadline may be noticed */
};

/*
 * One inbound connection; a slot of the table.
 *
 *   FREE --accept--> GREETING --HELLO_REPLY ok--> PROVING --PROOF--> GREETED
 *                        |                           |                  |
 *                        +------> FINISHING <--------+------------------+
 *
 *   FINISHING: the last word is sent; bounded by a deadline. Without a secret from GREETING
 *   straight to GREETED;
 *   and from each of them back to FREE when the connection has closed.
 */
enum inbound_state {
    INBOUND_FREE,
    INBOUND_GREETING,
    INBOUND_PROVING,
    INBOUND_GREETED,
    INBOUND_FINISHING,
};

struct inbound {
    struct listener *listener;
    struct connection *connection;
    enum inbound_state state;
    uint32_t index;
    uint32_t generation; /* tells a handle's connection from a later one in the same slot */
    enum role role;      /* from its HELLO; 0 before */
    struct greeting greeting;
    uint32_t in_flight;
    uint64_t deadline_ms; /* loop time; of GREETING, PROVING and FINISHING */
    char remote[ADDRESS_SIZE];
};

struct listener {
    uv_tcp_t tcp;
    uv_timer_t sweep;
    struct listener_options options;
    uint16_t port;
    uint32_t handles; /* tcp and sweep, until closed */
    bool is_closing;
    uint32_t free_count;
    uint32_t free_slots[LISTENER_CONNECTIONS_MAX];
    struct inbound inbound[LISTENER_CONNECTIONS_MAX];
};

static uint64_t inbound_handle(const struct inbound *inbound)
{
    return (uint64_t)inbound->generation << 32 | inbound->index;
}

static struct inbound *inbound_find(struct listener *listener, uint64_t handle)
{
    uint32_t index = (uint32_t)handle;

    assert(index < LISTENER_CONNECTIONS_MAX);
    struct inbound *inbound = &listener->inbound[index];
    bool is_same = inbound->generation == (uint32_t)(handle >> 32);
    return is_same && inbound->state != INBOUND_FREE ? inbound : NULL;
}

static void free_if_done(struct listener *listener)
{
    if (listener->is_closing && listener->handles == 0 &&
        listener->free_count == LISTENER_CONNECTIONS_MAX) {
        free(listener);
    }
}

static void on_sweep(uv_timer_t *timer);

/* The sweep runs only while some connection has a deadline: an idle node sleeps. */
static void set_deadline(struct inbound *inbound, uint64_t timeout_ms)
{
    struct listener *listener = inbound->listener;

    inbound->deadline_ms = uv_now(listener->options.loop) + timeout_ms;
    if (!listener->is_closing && !uv_is_active((uv_handle_t *)&listener->sweep)) {
        (void)uv_timer_start(&listener->sweep, on_sweep, SWEEP_INTERVAL_MS, SWEEP_INTERVAL_MS);
    }
}

static void finish(struct inbound *inbound, enum status status, const char *text)
{
    inbound->state = INBOUND_FINISHING;
    set_deadline(inbound, LISTENER_LINGER_MS);
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

static void misbehaved(struct inbound *inbound, enum status status, const char *text)
{
    struct listener_options *options = &inbound->listener->options;

    if (inbound->state == INBOUND_FINISHING) {
        return;
    }
    options->on_misbehaviour(options->context, inbound->remote, status, text);
    finish_with_word(inbound, status, text);
}

static void on_malformed(void *context, enum status status, const char *text)
{
    misbehaved(context, status, text);
}

static bool is_over_limit(const struct inbound *inbound)
{
    if (inbound->state == INBOUND_GREETING) {
        return inbound->in_flight > 0;
    }
    return inbound->role == ROLE_CLIENT && inbound->in_flight >= LISTENER_IN_FLIGHT_MAX;
}

static const struct secret *current_secret(const struct listener *listener)
{
    const struct listener_options *options = &listener->options;

    return options->secret != NULL ? options->secret(options->context) : NULL;
}

static void let_in(struct inbound *inbound)
{
    inbound->state = INBOUND_GREETED;
    connection_trust(inbound->connection);
}

/* Nothing that it says of itself is believed before this. */
static void on_proof(struct inbound *inbound, const struct message *message)
{
    const struct secret *secret = current_secret(inbound->listener);
    struct message reply = {.type = MESSAGE_PROOF_REPLY, .request_id = message->request_id};

    if (secret == NULL || !greeting_is_proved(&inbound->greeting, secret, GREETING_OPENER,
                                              message->proof.proof)) {
        misbehaved(inbound, STATUS_DENIED, "the proof of the secret is wrong");
        return;
    }
    let_in(inbound);
    if (connection_send(inbound->connection, &reply) == STATUS_NO_MEMORY) {
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

static void on_message(void *context, struct message *message)
{
    struct inbound *inbound = context;
    struct listener_options *options = &inbound->listener->options;
    const char *why = is_out_of_turn(inbound, message->type);

    if (why != NULL) {
        misbehaved(inbound, STATUS_BAD_MESSAGE, why);
        return;
    }
    if (message->type == MESSAGE_PROOF) {
        on_proof(inbound, message);
        return;
    }
    if (message->type == MESSAGE_HELLO) {
        inbound->role = message->hello.role;
        if (greeting_note_hello(&inbound->greeting, message) != STATUS_OK) {
            connection_close(inbound->connection, STATUS_NO_MEMORY, "no memory for a hello");
            return;
        }
    }
    inbound->in_flight++;
    if (is_over_limit(inbound)) {
        connection_pause(inbound->connection);
    }
    options->on_request(options->context, inbound_handle(inbound), inbound->role, message);
}

static void on_closed(void *context, enum status status, const char *text)
{
    struct inbound *inbound = context;
    struct listener *listener = inbound->listener;

    if (inbound->state == INBOUND_PROVING && !listener->is_closing) {
        /* It could not prove the secret, or found that this node could not. */
        status = STATUS_DENIED;
        text = "left without a proof of the secret";
    }
    if (status != STATUS_CLOSED && inbound->state != INBOUND_FINISHING) {
        listener->options.on_misbehaviour(listener->options.context, inbound->remote, status,
                                          text);
    }
    inbound->state = INBOUND_FREE;
    inbound->connection = NULL;
    inbound->generation++;
    listener->free_slots[listener->free_count++] = inbound->index;
    free_if_done(listener);
}

static void name_remote(struct inbound *inbound)
{
    struct sockaddr_storage remote;
    int size = (int)sizeof(remote);
    struct address address = {.port = 0};

    if (uv_tcp_getpeername(connection_tcp(inbound->connection), (struct sockaddr *)&remote,
                           &size) != 0) {
        return;
    }
    address.port = address_port(&remote);
    if (remote.ss_family == AF_INET) {
        (void)uv_ip4_name((struct sockaddr_in *)&remote, address.host, sizeof(address.host));
    } else {
        (void)uv_ip6_name((struct sockaddr_in6 *)&remote, address.host, sizeof(address.host));
    }
    (void)!address_format(&address, inbound->remote);
}

static enum status inbound_new(struct listener *listener, struct inbound **ret_inbound)
{
    assert(listener->free_count > 0);
    uint32_t index = listener->free_slots[listener->free_count - 1];
    struct inbound *inbound = &listener->inbound[index];
    struct connection_options options = {
        .loop = listener->options.loop,
        .flush_list = listener->options.flush_list,
        .stall_timeout_ms = LISTENER_STALL_MS,
        .throttled = true,
        .context = inbound,
        .on_message = on_message,
        .on_malformed = on_malformed,
        .on_closed = on_closed,
    };

    enum status status = connection_new(&options, &inbound->connection);
    if (status != STATUS_OK) {
        return status;
    }
    listener->free_count--;
    inbound->listener = listener;
    inbound->state = INBOUND_GREETING;
    inbound->index = index;
    inbound->role = 0;
    inbound->in_flight = 0;
    set_deadline(inbound, LISTENER_GREETING_MS);
    snprintf(inbound->remote, sizeof(inbound->remote), "unknown");
    *ret_inbound = inbound;
    return STATUS_OK;
}

static void on_discard_closed(uv_handle_t *handle)
{
    free(handle);
}

/* libuv accepts no further connection until this one was taken from it. */
static void accept_and_discard(struct listener *listener, const char *why)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    listener->options.on_misbehaviour(listener->options.context, "unknown", STATUS_BUSY, why);
    if (tcp == NULL || uv_tcp_init(listener->options.loop, tcp) != 0) {
        free(tcp);
        return;
    }
    (void)uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_discard_closed);
}

static void on_connection(uv_stream_t *stream, int uv_status)
{
    struct listener *listener = stream->data;
    struct inbound *inbound = NULL;

    if (uv_status < 0) {
        listener->options.on_misbehaviour(listener->options.context, "unknown", STATUS_BUSY,
                                          uv_strerror(uv_status));
        return;
    }
    if (listener->free_count == 0) {
        accept_and_discard(listener, "too many connections");
        return;
    }
    if (inbound_new(listener, &inbound) != STATUS_OK) {
        accept_and_discard(listener, "no memory for a connection");
        return;
    }
    int failure = uv_accept(stream, (uv_stream_t *)connection_tcp(inbound->connection));
    if (failure != 0) {
        connection_close(inbound->connection, STATUS_CLOSED, uv_strerror(failure));
        return;
    }
    name_remote(inbound);
    if (connection_start(inbound->connection) != STATUS_OK) {
        connection_close(inbound->connection, STATUS_CLOSED, "closed before it began");
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uint64_t now_ms = uv_now(listener->options.loop);
    size_t waiting = 0;

    for (uint32_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        struct inbound *inbound = &listener->inbound[i];

        if (inbound->state == INBOUND_FREE || inbound->state == INBOUND_GREETED) {
            continue;
        }
        waiting++;
        if (now_ms < inbound->deadline_ms) {
            continue;
        }
        if (inbound->state == INBOUND_GREETING) {
            misbehaved(inbound, STATUS_TIMEOUT, "no complete hello in time");
        } else if (inbound->state == INBOUND_PROVING) {
            misbehaved(inbound, STATUS_DENIED, "no proof of the secret in time");
        } else {
            connection_close(inbound->connection, STATUS_TIMEOUT, "last word not read in time");
        }
    }
    if (waiting == 0) {
        (void)uv_timer_stop(timer);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    listener->handles--;
    free_if_done(listener);
}

static int bind_and_listen(struct listener *listener,
                           const struct sockaddr_storage *socket_address)
{
    struct sockaddr_storage bound;
    int size = (int)sizeof(bound);

    int failure = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)socket_address, 0);
    if (failure == 0) {
        failure = uv_listen((uv_stream_t *)&listener->tcp, LISTENER_BACKLOG, on_connection);
    }
    if (failure == 0) {
        failure = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound, &size);
    }
    if (failure == 0) {
        listener->port = address_port(&bound);
    }
    return failure;
}

enum status listener_new(const struct listener_options *options,
                         const struct sockaddr_storage *socket_address,
                         struct listener **ret_listener, struct error *error)
{
    assert(options->on_request != NULL && options->on_misbehaviour != NULL);
    struct listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL || uv_tcp_init(options->loop, &listener->tcp) != 0) {
        free(listener);
        error->code = STATUS_NO_MEMORY;
        snprintf(error->text, sizeof(error->text), "%s", status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    (void)uv_timer_init(options->loop, &listener->sweep);
    listener->options = *options;
    listener->tcp.data = listener;
    listener->sweep.data = listener;
    listener->handles = 2;
    listener->free_count = LISTENER_CONNECTIONS_MAX;
    for (uint32_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        listener->free_slots[i] = LISTENER_CONNECTIONS_MAX - 1 - i;
        listener->inbound[i].generation = 1;
    }
    int failure = bind_and_listen(listener, socket_address);
    if (failure != 0) {
        error->code = STATUS_IO;
        snprintf(error->text, sizeof(error->text), "%s", uv_strerror(failure));
        listener_close(listener);
        return STATUS_IO;
    }
    *ret_listener = listener;
    return STATUS_OK;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
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

    if (secret != NULL) {
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
    } else if (secret != NULL) {
        inbound->state = INBOUND_PROVING;
    } else {
        let_in(inbound);
    }
}

void listener_reply(struct listener *listener, uint64_t handle, const struct message *message,
                    bool close)
{
    struct inbound *inbound = inbound_find(listener, handle);

    if (inbound == NULL || inbound->state == INBOUND_FINISHING) {
        return;
    }
    assert(inbound->in_flight > 0);
    inbound->in_flight--;
    bool is_greeting = message->type == MESSAGE_HELLO_REPLY && message->status == STATUS_OK;
    if (is_greeting) {
        greet(inbound, message);
        connection_resume(inbound->connection);
        return;
    }
    enum status status = connection_send(inbound->connection, message);
    if (status == STATUS_TOO_LARGE || status == STATUS_NO_MEMORY) {
        status = send_status_instead(inbound, message, status);
    }
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

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, on_handle_closed);
    }
}

void listener_stop(struct listener *listener)
{
    close_handle((uv_handle_t *)&listener->tcp);
}

void listener_disconnect(struct listener *listener, const char *why)
{
    for (uint32_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        struct inbound *inbound = &listener->inbound[i];
        if (inbound->state != INBOUND_FREE) {
            inbound->state = INBOUND_FINISHING;
            connection_close(inbound->connection, STATUS_CLOSED, why);
        }
    }
}

bool listener_is_flushed(const struct listener *listener)
{
    for (uint32_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        const struct inbound *inbound = &listener->inbound[i];
        if (inbound->state != INBOUND_FREE && !connection_is_flushed(inbound->connection)) {
            return false;
        }
    }
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    assert(!listener->is_closing);
    listener->is_closing = true;
    for (uint32_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
        struct inbound *inbound = &listener->inbound[i];
        if (inbound->state != INBOUND_FREE) {
            connection_close(inbound->connection, STATUS_CLOSED, "shutting down");
        }
    }
    close_handle((uv_handle_t *)&listener->tcp);
    close_handle((uv_handle_t *)&listener->sweep);
}

size_t listener_connections(const struct listener *listener)
{
    return LISTENER_CONNECTIONS_MAX - listener->free_count;
}
