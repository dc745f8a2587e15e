/*
 * connection.c - one TCP connection: bytes to messages and messages to bytes.
 */
#include "node/net/connection.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/net/connection_internal.h"
#include "node/wire/codec.h"

enum {
    READ_SIZE_MIN = 32 << 10, /* some hundred small requests */
    READ_SIZE_MAX = 1 << 20,  /* memory follows what arrived, not what a header promises */
    BUFFER_KEEP_MAX = 1 << 20,
    KEEPALIVE_SECONDS = 15,
};

static void mark_dirty(struct connection *connection)
{
    if (connection->dirty) {
        return;
    }
    connection->dirty = true;
    connection->next_dirty = connection->options.group->first;
    connection->options.group->first = connection;
}

static void unmark_dirty(struct connection *connection)
{
    struct connection **link = &connection->options.group->first;

    while (connection->dirty) {
        assert(*link);
        if (*link == connection) {
            *link = connection->next_dirty;
            connection->dirty = false;
        } else {
            link = &(*link)->next_dirty;
        }
    }
}

static size_t output_waiting(const struct connection *connection)
{
    return connection->output.size + (connection->writing ? connection->written_waiting : 0);
}

/* Large buffers are for large messages only. */
static void buffer_empty(struct buffer *buffer)
{
    if (buffer->capacity > BUFFER_KEEP_MAX) {
        buffer_release(buffer);
    } else {
        buffer_reset(buffer);
    }
}

static void on_close(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    assert(connection->state == CONNECTION_CLOSING);
    connection->options.on_closed(connection->options.context, connection->close_status,
                                  connection->close_text);
    unmark_dirty(connection);
    connection_leave_room(connection);
    frame_splitter_release(&connection->input);
    buffer_release(&connection->output);
    buffer_release(&connection->written);
    free(connection);
}

static void on_shutdown(uv_shutdown_t *request, int uv_status)
{
    (void)request;
    /* A failure means that the connection is gone: the read callback tells. */
    (void)uv_status;
}

static void keep_reason(struct connection *connection, enum status status, const char *text)
{
    connection->close_status = status;
    snprintf(connection->close_text, sizeof connection->close_text, "%s", text);
}

void connection_close(struct connection *connection, enum status status, const char *text)
{
    assert(connection);
    assert(text);
    if (connection->state == CONNECTION_CLOSING) {
        return;
    }
    /* The reason of finishing is the one worth telling. */
    if (connection->state != CONNECTION_FINISHING) {
        keep_reason(connection, status, text);
    }
    connection->state = CONNECTION_CLOSING;
    uv_close((uv_handle_t *)&connection->tcp, on_close);
}

static void on_write(uv_write_t *write, int uv_status);

static void write_rest_later(struct connection *connection, size_t done)
{
    struct buffer empty = connection->written;

    assert(!connection->writing && connection->written.size == 0);
    assert(done < connection->output.size);
    connection->written = connection->output;
    connection->output = empty;
    connection->written_waiting = connection->written.size - done;
    uv_buf_t rest = uv_buf_init((char *)connection->written.data + done,
                                (unsigned)connection->written_waiting);
    int failure =
        uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &rest, 1, on_write);
    if (failure != 0) {
        connection_close(connection, STATUS_CLOSED, uv_strerror(failure));
        return;
    }
    connection->writing = true;
}

static void write_output(struct connection *connection)
{
    struct buffer *output = &connection->output;

    assert(!connection->writing);
    assert(output->size > 0 && output->size <= UINT32_MAX);
    uv_buf_t all = uv_buf_init((char *)output->data, (unsigned)output->size);
    int written = uv_try_write((uv_stream_t *)&connection->tcp, &all, 1);
    if (written < 0 && written != UV_EAGAIN) {
        connection_close(connection, STATUS_CLOSED, uv_strerror(written));
        return;
    }
    size_t done = written > 0 ? (size_t)written : 0;
    if (done < output->size) {
        write_rest_later(connection, done);
    } else {
        buffer_empty(output);
    }
    connection_recount(connection);
}

static bool can_write(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN || connection->state == CONNECTION_FINISHING;
}

static void flush(struct connection *connection)
{
    if (can_write(connection) && !connection->writing && connection->output.size > 0) {
        write_output(connection);
    }
    if (connection->state == CONNECTION_FINISHING && !connection->shutting_down &&
        connection_is_flushed(connection)) {
        connection->shutting_down = true;
        int failure =
            uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shutdown);
        if (failure != 0) {
            connection_close(connection, STATUS_CLOSED, uv_strerror(failure));
        }
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *connection = handle->data;
    size_t wanted = frame_splitter_wanted(&connection->input);
    size_t room = 0;

    (void)suggested;
    if (wanted < READ_SIZE_MIN) {
        wanted = READ_SIZE_MIN;
    } else if (wanted > READ_SIZE_MAX) {
        wanted = READ_SIZE_MAX;
    }
    uint8_t *space = frame_splitter_space(&connection->input, wanted, &room);
    if (!space) {
        room = 0;
    }
    *ret_buffer = uv_buf_init((char *)space, (unsigned)(room < INT32_MAX ? room : INT32_MAX));
}

static void update_reading(struct connection *connection)
{
    /* Also when nothing more is taken: the end must be seen. What comes then waits, and the
     * next piece is left to the kernel. */
    bool is_held_back = (connection->paused || connection->stalled || connection->starved) &&
                        frame_splitter_begun(&connection->input) > 0;
    bool wanted =
        connection->state == CONNECTION_FINISHING ||
        (connection->state == CONNECTION_OPEN && !is_held_back && !connection->malformed);

    if (wanted == connection->reading || connection->state == CONNECTION_CLOSING) {
        return;
    }
    connection->reading = wanted;
    /* What was not read for our sake did not come late. */
    connection->begun_ms = 0;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    int failure = wanted ? uv_read_start(stream, on_alloc, on_read) : uv_read_stop(stream);
    if (failure != 0) {
        connection_close(connection, STATUS_CLOSED, uv_strerror(failure));
    }
}

static void report_malformed(struct connection *connection, enum status status)
{
    char text[CONNECTION_TEXT_SIZE];

    assert(!connection->malformed && status != STATUS_OK);
    connection->malformed = true;
    if (status == STATUS_BAD_VERSION) {
        snprintf(text, sizeof text, "another protocol version than %d", PROTOCOL_VERSION);
    } else if (status == STATUS_NO_MEMORY) {
        snprintf(text, sizeof text, "no memory for a message");
    } else {
        snprintf(text, sizeof text, "not a message of this protocol, or over a limit");
    }
    connection->options.on_malformed(connection->options.context, status, text);
}

static bool must_stall(const struct connection *connection)
{
    return connection->options.throttled &&
           output_waiting(connection) > CONNECTION_OUTPUT_PAUSE;
}

/* Hands out the next message; false if there is none, or it is no message. */
static bool hand_out(struct connection *connection)
{
    struct slice payload;
    struct message message = {.type = 0};

    assert(connection->state == CONNECTION_OPEN && !connection->malformed);
    enum status status = frame_splitter_next(&connection->input, &payload);
    if (status == STATUS_NOT_FOUND) {
        return false;
    }
    if (status == STATUS_OK) {
        status = codec_decode(payload, &message);
    }
    if (status != STATUS_OK) {
        report_malformed(connection, status);
        return false;
    }
    connection->reserved = 0;
    connection->begun_ms = 0;
    connection->message_size = payload.size;
    connection->options.on_message(connection->options.context, &message);
    message_release(&message);
    return true;
}

/* The clock of a message that has begun; it runs only while the rest is read. */
static void note_begun(struct connection *connection)
{
    if (!connection->reading || frame_splitter_begun(&connection->input) == 0) {
        connection->begun_ms = 0;
        return;
    }
    if (connection->begun_ms == 0) {
        connection->begun_ms = uv_now(connection->options.loop) + 1; /* 0 is none */
        connection->begun_bytes = 0;
        if (connection->options.on_begun) {
            connection->options.on_begun(connection->options.context);
        }
    }
}

/* Hands out the whole messages that have arrived, as far as they are wanted. */
static void dispatch(struct connection *connection)
{
    bool goes_on = true;

    while (goes_on && connection->state == CONNECTION_OPEN && !connection->paused &&
           !connection->malformed) {
        connection->stalled = must_stall(connection);
        if (!connection->stalled && !connection->starved) {
            connection_reserve(connection);
        }
        goes_on = !connection->stalled && !connection->starved && hand_out(connection);
    }
    if (connection->state != CONNECTION_CLOSING) {
        frame_splitter_trim(&connection->input);
        connection_recount(connection);
    }
    update_reading(connection);
    note_begun(connection);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    assert(connection->state != CONNECTION_NEW);
    (void)buffer;
    if (size == UV_EOF) {
        connection_close(connection, STATUS_CLOSED, "closed by the other side");
    } else if (size == UV_ENOBUFS) {
        connection_close(connection, STATUS_NO_MEMORY, "no memory to receive into");
    } else if (size < 0) {
        connection_close(connection, STATUS_CLOSED, uv_strerror((int)size));
    } else if (connection->state == CONNECTION_OPEN && size > 0) {
        frame_splitter_received(&connection->input, (size_t)size);
        connection->begun_bytes += (size_t)size;
        dispatch(connection);
    }
}

static void on_write(uv_write_t *write, int uv_status)
{
    struct connection *connection = write->handle->data;

    assert(connection->writing);
    connection->writing = false;
    connection->written_waiting = 0;
    buffer_empty(&connection->written);
    connection_recount(connection);
    if (uv_status < 0) {
        connection_close(connection, STATUS_CLOSED, uv_strerror(uv_status));
        return;
    }
    flush(connection);
    if (connection->stalled) {
        dispatch(connection);
    }
}

enum status connection_new(const struct connection_options *options,
                           struct connection **ret_connection)
{
    assert(options && ret_connection);
    assert(options->loop && options->group);
    assert(options->on_message && options->on_malformed && options->on_closed);
    struct connection *connection = calloc(1, sizeof *connection);

    if (!connection) {
        return STATUS_NO_MEMORY;
    }
    connection->options = *options;
    connection->input.size_max = FRAME_SIZE_MAX_GREETING;
    if (uv_tcp_init(options->loop, &connection->tcp) != 0) {
        free(connection);
        return STATUS_IO;
    }
    connection->tcp.data = connection;
    *ret_connection = connection;
    return STATUS_OK;
}

uv_tcp_t *connection_tcp(struct connection *connection)
{
    return &connection->tcp;
}

/* Options of comfort: a kernel without one of them serves as well. */
static void set_socket_options(struct connection *connection)
{
    int descriptor = -1;
    unsigned timeout_ms = connection->options.stall_timeout_ms;

    (void)uv_tcp_nodelay(&connection->tcp, 1);
    (void)uv_tcp_keepalive(&connection->tcp, 1, KEEPALIVE_SECONDS);
    if (uv_fileno((uv_handle_t *)&connection->tcp, &descriptor) == 0) {
        (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
                         sizeof timeout_ms);
    }
}

enum status connection_start(struct connection *connection)
{
    assert(connection && connection->state == CONNECTION_NEW);
    set_socket_options(connection);
    connection->state = CONNECTION_OPEN;
    update_reading(connection);
    return connection->state == CONNECTION_OPEN ? STATUS_OK : STATUS_CLOSED;
}

void connection_trust(struct connection *connection, bool is_node)
{
    assert(connection && connection->state != CONNECTION_NEW);
    connection_change_share(connection, is_node);
    connection->input.size_max = is_node ? FRAME_SIZE_MAX : FRAME_SIZE_MAX_CLIENT;
}

void connection_hold(struct connection *connection, size_t held)
{
    assert(connection);
    connection->held = held;
    if (connection->state != CONNECTION_CLOSING) {
        connection_recount(connection);
    }
}

size_t connection_message_size(const struct connection *connection)
{
    return connection->message_size;
}

size_t connection_waiting(const struct connection *connection)
{
    return output_waiting(connection);
}

bool connection_has_room(const struct connection *connection, size_t more)
{
    return memory_has_room(&connection->options.group->memory, connection->is_node, more);
}

bool connection_is_midway(const struct connection *connection)
{
    return frame_splitter_begun(&connection->input) > 0;
}

bool connection_is_stuck(struct connection *connection)
{
    assert(connection);

    uint64_t now_ms = uv_now(connection->options.loop) + 1;

    if (connection->state != CONNECTION_OPEN || connection->begun_ms == 0 ||
        now_ms - connection->begun_ms < CONNECTION_PROGRESS_MS) {
        return false;
    }
    bool goes_on = connection->begun_bytes >= CONNECTION_PROGRESS_BYTES;
    connection->begun_ms = now_ms;
    connection->begun_bytes = 0;
    return !goes_on;
}

uint64_t connection_unread_ms(struct connection *connection)
{
    assert(connection);

    uint64_t now_ms = uv_now(connection->options.loop) + 1;
    size_t waiting = connection->output.size +
                     uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);

    if (waiting == 0) {
        connection->unread_ms = 0;
        return 0;
    }
    if (connection->unread_ms == 0 || waiting != connection->unread_bytes) {
        connection->unread_ms = now_ms;
        connection->unread_bytes = waiting;
    }
    return now_ms - connection->unread_ms;
}

enum status connection_send(struct connection *connection, const struct message *message)
{
    assert(connection && message);
    if (connection->state != CONNECTION_OPEN) {
        return STATUS_CLOSED;
    }
    if (output_waiting(connection) > CONNECTION_OUTPUT_MAX) {
        connection_close(connection, STATUS_BUSY, "too much output waits to be read");
        return STATUS_CLOSED;
    }
    enum status status = frame_append(message, &connection->output);
    if (status == STATUS_OK) {
        mark_dirty(connection);
    }
    connection_recount(connection);
    return status;
}

bool connection_is_flushed(const struct connection *connection)
{
    return connection->state == CONNECTION_CLOSING || output_waiting(connection) == 0;
}

void connection_pause(struct connection *connection)
{
    assert(connection);
    connection->paused = true;
}

void connection_resume(struct connection *connection)
{
    assert(connection);
    if (connection->paused) {
        connection->paused = false;
        mark_dirty(connection);
    }
}

void connection_finish(struct connection *connection, enum status status, const char *text)
{
    assert(connection && text);
    if (connection->state != CONNECTION_OPEN) {
        connection_close(connection, status, text);
        return;
    }
    keep_reason(connection, status, text);
    connection->state = CONNECTION_FINISHING;
    mark_dirty(connection);
}

/* There may be room again. */
static void feed(struct connection_queue *queue)
{
    for (;;) {
        struct connection *connection = connection_take_starved(queue);

        if (!connection) {
            return;
        }
        dispatch(connection);
    }
}

void connections_flush(struct connection_group *group)
{
    assert(group);
    while (group->first) {
        struct connection *connection = group->first;

        group->first = connection->next_dirty;
        connection->dirty = false;
        flush(connection);
        dispatch(connection);
    }
    feed(&group->starved_nodes);
    feed(&group->starved_clients);
}
