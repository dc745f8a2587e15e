/*
 * peer.c - the outgoing connection to one other node: kept open, greeted, opened again.
 */
#include "node/net/peer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/numeric.h"
#include "node/net/socket_address.h"

/*
 *   WAITING --backoff over--> RESOLVING --> CONNECTING --> GREETING --HELLO_REPLY ok-->
 *      ^                          |             |              |
 *      +------ failed ------------+---- connection closed -----+--------------- ...
 *   ... --> PROVING --PROOF_REPLY--> UP; without a secret straight to UP.
 */
enum peer_state {
    PEER_WAITING,
    PEER_RESOLVING, /* no deadline of ours: the name service has its own */
    PEER_CONNECTING,
    PEER_GREETING,
    PEER_PROVING,
    PEER_UP,
};

struct peer {
    struct peer_options options;
    char text[ADDRESS_SIZE];
    struct address address;
    enum peer_state state;
    uv_timer_t timer;
    bool timer_is_closed;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct greeting said;
    struct message hello_reply;    /* while PROVING */
    struct connection *connection; /* NULL while WAITING and RESOLVING */
    uint32_t backoff_ms;
    uint64_t random;
    bool is_abandoned; /* peer_close was called */
};

static void free_if_done(struct peer *peer)
{
    bool is_idle = !peer->connection && peer->state != PEER_RESOLVING;

    if (peer->is_abandoned && peer->timer_is_closed && is_idle) {
        free(peer);
    }
}

/* xorshift64: spreads the attempts of nodes that lost one peer together. */
static uint32_t next_random(struct peer *peer, uint32_t below)
{
    peer->random ^= peer->random << 13;
    peer->random ^= peer->random >> 7;
    peer->random ^= peer->random << 17;
    return (uint32_t)(peer->random >> 32) % below;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct peer *peer, uint64_t timeout_ms)
{
    (void)uv_timer_start(&peer->timer, on_timer, timeout_ms, 0);
}

static void wait_for_next_attempt(struct peer *peer)
{
    uint32_t half = peer->backoff_ms / 2;

    assert(!peer->connection);
    assert(peer->backoff_ms >= PEER_BACKOFF_MIN_MS && peer->backoff_ms <= PEER_BACKOFF_MAX_MS);
    peer->state = PEER_WAITING;
    if (peer->is_abandoned) {
        free_if_done(peer);
        return;
    }
    set_timer(peer, half + next_random(peer, half + 1));
    peer->backoff_ms *= 2;
    if (peer->backoff_ms > PEER_BACKOFF_MAX_MS) {
        peer->backoff_ms = PEER_BACKOFF_MAX_MS;
    }
}

static void report(struct peer *peer, bool was_up, enum status status, const char *text)
{
    const struct peer_options *options = &peer->options;

    if (peer->is_abandoned) {
        return;
    }
    if (was_up) {
        options->on_down(options->context, options->number, text);
    } else {
        options->on_failed(options->context, options->number, status, text);
    }
}

/* What follows happens in on_closed. */
static void drop(struct peer *peer, enum status status, const char *text)
{
    assert(peer->connection);
    connection_close(peer->connection, status, text);
}

static void on_closed(void *context, enum status status, const char *text)
{
    struct peer *peer = context;
    bool was_up = peer->state == PEER_UP;

    peer->connection = NULL;
    message_release(&peer->hello_reply);
    report(peer, was_up, status, text);
    wait_for_next_attempt(peer);
}

static void on_malformed(void *context, enum status status, const char *text)
{
    drop(context, status, text);
}

static void drop_with_text_of(struct peer *peer, const struct message *message)
{
    char text[CONNECTION_TEXT_SIZE];
    struct slice given = blob_slice(message->text);

    if (given.size > 0) {
        snprintf(text, sizeof text, "%.*s", (int)given.size, (const char *)given.data);
    } else {
        snprintf(text, sizeof text, "%s", status_text(message->status));
    }
    drop(peer, message->status == STATUS_DENIED ? STATUS_DENIED : STATUS_REFUSED, text);
}

static void come_up(struct peer *peer, struct message *hello_reply)
{
    assert(peer->connection);
    assert(peer->state == PEER_GREETING || peer->state == PEER_PROVING);
    (void)uv_timer_stop(&peer->timer);
    connection_trust(peer->connection, true);
    peer->state = PEER_UP;
    peer->backoff_ms = PEER_BACKOFF_MIN_MS;
    peer->options.on_up(peer->options.context, peer->options.number, hello_reply);
}

/* True if the other end knows the secret; ret_proof is this node's proof for it. */
static bool take_proof(struct peer *peer, const struct message *reply,
                       uint8_t ret_proof[PROOF_SIZE])
{
    const struct peer_options *options = &peer->options;
    struct peer_greeting greeting = {.said = &peer->said, .reply = reply, .descriptor = -1};

    assert(options->prove && peer->connection);
    if (!reply->hello.has_proof || greeting_note_reply(&peer->said, reply) != STATUS_OK) {
        return false;
    }
    (void)uv_fileno((const uv_handle_t *)connection_tcp(peer->connection),
                    &greeting.descriptor);
    return options->prove(options->context, options->number, &greeting, ret_proof);
}

static void exchange_proofs(struct peer *peer, struct message *reply)
{
    struct message proof = {.type = MESSAGE_PROOF, .request_id = 2};

    assert(peer->state == PEER_GREETING);
    if (numeric_differ(reply->hello.address, peer->text)) {
        /* Someone passes our greeting on to another node. */
        drop(peer, STATUS_DENIED, "it answers as a node at another address");
        return;
    }
    if (!take_proof(peer, reply, proof.proof.proof)) {
        drop(peer, STATUS_DENIED, status_text(STATUS_DENIED));
        return;
    }
    enum status status = connection_send(peer->connection, &proof);
    if (status != STATUS_OK) {
        drop(peer, status, status_text(status));
        return;
    }
    peer->state = PEER_PROVING;
    peer->hello_reply = *reply;
    memset(reply, 0, sizeof *reply);
}

static void on_proved(struct peer *peer, const struct message *message)
{
    if (message->type == MESSAGE_HELLO_REPLY) {
        drop_with_text_of(peer, message);
    } else if (message->type != MESSAGE_PROOF_REPLY || message->status != STATUS_OK) {
        drop(peer, STATUS_BAD_MESSAGE, "something else than a reply to the proof");
    } else {
        come_up(peer, &peer->hello_reply);
        message_release(&peer->hello_reply);
    }
}

static void on_greeting(struct peer *peer, struct message *message)
{
    if (message->type != MESSAGE_HELLO_REPLY) {
        drop(peer, STATUS_BAD_MESSAGE, "something else than a reply to hello");
        return;
    }
    if (message->status != STATUS_OK) {
        drop_with_text_of(peer, message);
        return;
    }
    if (peer->options.prove) {
        exchange_proofs(peer, message);
    } else {
        come_up(peer, message);
    }
}

static void on_message(void *context, struct message *message)
{
    struct peer *peer = context;
    const struct peer_options *options = &peer->options;

    if (peer->is_abandoned) {
        return;
    }
    if (peer->state == PEER_GREETING) {
        on_greeting(peer, message);
    } else if (peer->state == PEER_PROVING) {
        on_proved(peer, message);
    } else if (message->type == MESSAGE_HELLO_REPLY) {
        drop_with_text_of(peer, message);
    } else if (message_type_is_request(message->type)) {
        drop(peer, STATUS_BAD_MESSAGE, "a request where a reply is expected");
    } else {
        options->on_reply(options->context, options->number, message);
    }
}

static void greet(struct peer *peer)
{
    struct message hello = {.type = MESSAGE_HELLO, .request_id = 1};

    assert(peer->state == PEER_CONNECTING && peer->connection);
    peer->options.fill_hello(peer->options.context, &hello);
    struct error error;
    enum status status = greeting_begin(&peer->said, &hello, &error);
    if (status == STATUS_OK) {
        status = connection_send(peer->connection, &hello);
    }
    message_release(&hello);
    if (status != STATUS_OK) {
        drop(peer, status, status_text(status));
        return;
    }
    peer->state = PEER_GREETING;
}

static void on_connect(uv_connect_t *connect, int uv_status)
{
    struct peer *peer = connect->data;

    if (peer->is_abandoned || uv_status == UV_ECANCELED) {
        return;
    }
    if (uv_status < 0) {
        drop(peer, STATUS_UNREACHABLE, uv_strerror(uv_status));
    } else if (connection_start(peer->connection) != STATUS_OK) {
        drop(peer, STATUS_CLOSED, "closed before it began");
    } else {
        greet(peer);
    }
}

static void connect_to(struct peer *peer, const struct sockaddr *socket_address)
{
    struct connection_options options = {
        .loop = peer->options.loop,
        .group = peer->options.group,
        .stall_timeout_ms = PEER_STALL_MS,
        .throttled = false, /* or two nodes with much to tell would wait for each other */
        .context = peer,
        .on_message = on_message,
        .on_malformed = on_malformed,
        .on_closed = on_closed,
    };

    assert(peer->state == PEER_WAITING && !peer->connection);
    enum status status = connection_new(&options, &peer->connection);
    if (status != STATUS_OK) {
        report(peer, false, status, status_text(status));
        wait_for_next_attempt(peer);
        return;
    }
    peer->state = PEER_CONNECTING;
    peer->connect.data = peer;
    set_timer(peer, PEER_GREETING_MS);
    int failure = uv_tcp_connect(&peer->connect, connection_tcp(peer->connection),
                                 socket_address, on_connect);
    if (failure != 0) {
        drop(peer, STATUS_UNREACHABLE, uv_strerror(failure));
    }
}

static void on_resolved(uv_getaddrinfo_t *resolve, int uv_status, struct addrinfo *list)
{
    struct peer *peer = resolve->data;

    assert(peer->state == PEER_RESOLVING);
    peer->state = PEER_WAITING;
    if (peer->is_abandoned) {
        free_if_done(peer);
    } else if (uv_status != 0) {
        report(peer, false, STATUS_UNREACHABLE, uv_strerror(uv_status));
        wait_for_next_attempt(peer);
    } else {
        connect_to(peer, list->ai_addr);
    }
    uv_freeaddrinfo(list);
}

static void begin_attempt(struct peer *peer)
{
    struct sockaddr_storage socket_address;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];

    assert(peer->state == PEER_WAITING);
    if (socket_address_is_numeric(&peer->address, &socket_address)) {
        connect_to(peer, (const struct sockaddr *)&socket_address);
        return;
    }
    snprintf(service, sizeof service, "%u", (unsigned)peer->address.port);
    peer->resolve.data = peer;
    int failure = uv_getaddrinfo(peer->options.loop, &peer->resolve, on_resolved,
                                 peer->address.host, service, &hints);
    if (failure != 0) {
        report(peer, false, STATUS_UNREACHABLE, uv_strerror(failure));
        wait_for_next_attempt(peer);
        return;
    }
    peer->state = PEER_RESOLVING;
}

static void on_timer(uv_timer_t *timer)
{
    struct peer *peer = timer->data;

    switch (peer->state) {
    case PEER_WAITING:
        begin_attempt(peer);
        break;
    case PEER_CONNECTING:
    case PEER_GREETING:
    case PEER_PROVING:
        drop(peer, STATUS_TIMEOUT, "no answer in time");
        break;
    case PEER_RESOLVING:
    case PEER_UP:
        break;
    }
}

enum status peer_new(const struct peer_options *options, struct peer **ret_peer)
{
    assert(options && ret_peer);
    assert(options->loop && options->group);
    assert(options->fill_hello && options->on_up);
    assert(options->on_reply && options->on_down);
    assert(options->on_failed && options->address);
    struct error ignored;
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer) {
        return STATUS_NO_MEMORY;
    }
    enum status status = address_parse(options->address, &peer->address, &ignored);
    if (status != STATUS_OK) {
        free(peer);
        return status;
    }
    peer->options = *options;
    snprintf(peer->text, sizeof peer->text, "%s", options->address);
    peer->options.address = peer->text;
    peer->backoff_ms = PEER_BACKOFF_MIN_MS;
    peer->random = options->random_seed | 1; /* xorshift needs a bit */
    peer->state = PEER_WAITING;
    (void)uv_timer_init(options->loop, &peer->timer);
    peer->timer.data = peer;
    /* From the loop, so that no callback runs inside this call. */
    set_timer(peer, 0);
    *ret_peer = peer;
    return STATUS_OK;
}

const char *peer_address(const struct peer *peer)
{
    return peer->text;
}

bool peer_is_up(const struct peer *peer)
{
    return peer->state == PEER_UP;
}

enum status peer_send(struct peer *peer, const struct message *message)
{
    assert(peer && message);
    if (peer->state != PEER_UP) {
        return STATUS_CLOSED;
    }
    return connection_send(peer->connection, message);
}

void peer_hurry(struct peer *peer)
{
    assert(peer);
    if (peer->state == PEER_WAITING && !peer->is_abandoned) {
        set_timer(peer, 0);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;

    peer->timer_is_closed = true;
    free_if_done(peer);
}

void peer_close(struct peer *peer)
{
    if (!peer) {
        return;
    }
    assert(!peer->is_abandoned);
    peer->is_abandoned = true;
    if (peer->connection) {
        connection_close(peer->connection, STATUS_CLOSED, "shutting down");
    }
    if (peer->state == PEER_RESOLVING) {
        /* If it cannot be cancelled any more, it ends by itself. */
        (void)uv_cancel((uv_req_t *)&peer->resolve);
    }
    uv_close((uv_handle_t *)&peer->timer, on_timer_closed);
}
