/*
 * listener.c - the inbound connections of a node: who has a place, and for how long.
 */
#include "node/net/listener.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/net/inbound.h"

static void free_if_done(struct listener *listener)
{
    if (listener->is_closing && listener->handles == 0 &&
        listener->free_count == listener->connections_max) {
        free(listener);
    }
}

static void take_pending(struct listener *listener);

static void on_closed(void *context, enum status status, const char *text)
{
    struct inbound *inbound = context;
    struct listener *listener = inbound->listener;

    assert(inbound->state != INBOUND_FREE);
    assert(listener->free_count < listener->connections_max);
    if (inbound->state == INBOUND_PROVING && !listener->is_closing) {
        /* It could not prove the secret, or found that this node could not. */
        status = STATUS_DENIED;
        text = "left without a proof of the secret";
    }
    if (status != STATUS_CLOSED && inbound->state != INBOUND_FINISHING) {
        listener->options.on_misbehaviour(listener->options.context, inbound->remote, status,
                                          text);
    }
    /* What is still in hand counts until it is answered. */
    memory_change(&listener->options.group->memory, inbound->role == ROLE_NODE, 0,
                  inbound->held);
    inbound->state = INBOUND_FREE;
    inbound->connection = NULL;
    inbound->generation++;
    listener->client_count -= inbound->is_counted;
    inbound->is_counted = false;
    listener->free_slots[listener->free_count++] = inbound->index;
    take_pending(listener);
    free_if_done(listener);
}

static void name_remote(struct inbound *inbound)
{
    struct sockaddr_storage remote;
    int size = (int)sizeof remote;
    struct address address = {.port = 0};

    if (uv_tcp_getpeername(connection_tcp(inbound->connection), (struct sockaddr *)&remote,
                           &size) != 0) {
        return;
    }
    address.port = socket_address_port(&remote);
    if (remote.ss_family == AF_INET) {
        (void)uv_ip4_name((struct sockaddr_in *)&remote, address.host, sizeof address.host);
    } else {
        (void)uv_ip6_name((struct sockaddr_in6 *)&remote, address.host, sizeof address.host);
    }
    (void)!address_format(&address, inbound->remote);
}

static enum status inbound_new(struct listener *listener, struct inbound **ret_inbound)
{
    assert(listener->free_count > 0);
    uint32_t index = listener->free_slots[listener->free_count - 1];
    struct inbound *inbound = &listener->inbound[index];
    assert(inbound->state == INBOUND_FREE && !inbound->connection);
    struct connection_options options = {
        .loop = listener->options.loop,
        .group = listener->options.group,
        .stall_timeout_ms = LISTENER_STALL_MS,
        .throttled = true,
        .context = inbound,
        .on_message = inbound_on_message,
        .on_begun = inbound_on_begun,
        .on_malformed = inbound_on_malformed,
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
    inbound->held = 0;
    inbound->reply_size = 0;
    inbound_set_deadline(inbound, LISTENER_GREETING_MS);
    snprintf(inbound->remote, sizeof inbound->remote, "unknown");
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
    uv_tcp_t *tcp = malloc(sizeof *tcp);

    listener->options.on_misbehaviour(listener->options.context, "unknown", STATUS_BUSY, why);
    if (!tcp || uv_tcp_init(listener->options.loop, tcp) != 0) {
        free(tcp);
        return;
    }
    (void)uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, on_discard_closed);
}

/* Accepts the one that waits, or makes a slot free for it: then this is called again. The
 * kernel keeps those that come after it. */
static void take_pending(struct listener *listener)
{
    struct inbound *inbound = NULL;
    uv_stream_t *stream = (uv_stream_t *)&listener->tcp;

    if (!listener->is_pending || listener->is_closing || uv_is_closing((uv_handle_t *)stream)) {
        return;
    }
    if (listener->free_count == 0) {
        /* If all are at work, one of them will end. */
        (void)places_close_spare(listener, false);
        return;
    }
    listener->is_pending = false;
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

static void on_connection(uv_stream_t *stream, int uv_status)
{
    struct listener *listener = stream->data;

    if (uv_status < 0) {
        listener->options.on_misbehaviour(listener->options.context, "unknown", STATUS_BUSY,
                                          uv_strerror(uv_status));
        return;
    }
    listener->is_pending = true;
    take_pending(listener);
}

/* What a connection that was let in may not do: begin a message and not go on with it, or,
 * while memory is tight, have replies wait that it does not take. True if there is something to
 * watch. */
static bool watch_greeted(struct inbound *inbound)
{
    struct connection *connection = inbound->connection;
    const struct memory *memory = &inbound->listener->options.group->memory;

    assert(inbound->state == INBOUND_GREETED);
    if (connection_is_stuck(connection)) {
        inbound_misbehaved(inbound, STATUS_TIMEOUT,
                           "a message that began did not go on in time");
        return true;
    }
    uint64_t unread_ms = connection_unread_ms(connection);
    if (unread_ms >= LISTENER_UNREAD_MS && inbound->role == ROLE_CLIENT &&
        memory_is_tight(memory)) {
        inbound->listener->options.on_misbehaviour(inbound->listener->options.context,
                                                   inbound->remote, STATUS_BUSY,
                                                   "replies wait and are not read");
        inbound->state = INBOUND_FINISHING;
        connection_close(connection, STATUS_BUSY, "replies wait and are not read");
    }
    return connection_is_midway(connection) || connection_waiting(connection) > 0;
}

static void watch(struct inbound *inbound, uint64_t now_ms)
{
    if (now_ms < inbound->deadline_ms) {
        return;
    }
    if (inbound->state == INBOUND_GREETING) {
        inbound_misbehaved(inbound, STATUS_TIMEOUT, "no complete hello in time");
    } else if (inbound->state == INBOUND_PROVING) {
        inbound_misbehaved(inbound, STATUS_DENIED, "no proof of the secret in time");
    } else {
        connection_close(inbound->connection, STATUS_TIMEOUT, "last word not read in time");
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uint64_t now_ms = uv_now(listener->options.loop);
    bool is_wanted = false;

    for (uint32_t i = 0; i < listener->connections_max; i++) {
        struct inbound *inbound = &listener->inbound[i];

        if (inbound->state == INBOUND_GREETED) {
            is_wanted |= watch_greeted(inbound);
        } else if (inbound->state != INBOUND_FREE) {
            is_wanted = true;
            watch(inbound, now_ms);
        }
    }
    if (!is_wanted) {
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
    int size = (int)sizeof bound;

    int failure = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)socket_address, 0);
    if (failure == 0) {
        failure = uv_listen((uv_stream_t *)&listener->tcp, LISTENER_BACKLOG, on_connection);
    }
    if (failure == 0) {
        failure = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound, &size);
    }
    if (failure == 0) {
        listener->port = socket_address_port(&bound);
    }
    return failure;
}

enum status listener_new(const struct listener_options *options,
                         const struct sockaddr_storage *socket_address,
                         struct listener **ret_listener, struct error *error)
{
    assert(options && socket_address && ret_listener && error);
    assert(options->loop && options->group);
    assert(options->on_request && options->on_misbehaviour);
    struct listener *listener = calloc(1, sizeof *listener);

    if (!listener || uv_tcp_init(options->loop, &listener->tcp) != 0) {
        free(listener);
        error->code = STATUS_NO_MEMORY;
        snprintf(error->text, sizeof error->text, "%s", status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    (void)uv_timer_init(options->loop, &listener->sweep);
    listener->options = *options;
    listener->tcp.data = listener;
    listener->sweep.data = listener;
    listener->on_sweep = on_sweep;
    listener->handles = 2;
    listener->connections_max =
        options->connections_max != 0 ? options->connections_max : LISTENER_CONNECTIONS_MAX;
    assert(listener->connections_max <= LISTENER_CONNECTIONS_MAX);
    listener->free_count = listener->connections_max;
    for (uint32_t i = 0; i < listener->connections_max; i++) {
        listener->free_slots[i] = listener->connections_max - 1 - i;
        listener->inbound[i].generation = 1;
    }
    int failure = bind_and_listen(listener, socket_address);
    if (failure != 0) {
        error->code = STATUS_IO;
        snprintf(error->text, sizeof error->text, "%s", uv_strerror(failure));
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
    assert(listener && why);
    for (uint32_t i = 0; i < listener->connections_max; i++) {
        struct inbound *inbound = &listener->inbound[i];
        if (inbound->state != INBOUND_FREE) {
            inbound->state = INBOUND_FINISHING;
            connection_close(inbound->connection, STATUS_CLOSED, why);
        }
    }
}

bool listener_is_flushed(const struct listener *listener)
{
    for (uint32_t i = 0; i < listener->connections_max; i++) {
        const struct inbound *inbound = &listener->inbound[i];
        if (inbound->state != INBOUND_FREE && !connection_is_flushed(inbound->connection)) {
            return false;
        }
    }
    return true;
}

void listener_close(struct listener *listener)
{
    if (!listener) {
        return;
    }
    assert(!listener->is_closing);
    listener->is_closing = true;
    for (uint32_t i = 0; i < listener->connections_max; i++) {
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
    return listener->connections_max - listener->free_count;
}
