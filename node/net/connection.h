/*
 * connection.h - one TCP connection: bytes to messages and messages to bytes.
 *
 * Threads:  the loop's.
 * Order:    messages are handed to the owner in the order in which they came; what is sent goes
 *           out in the order in which it was sent.
 * Bounds:   output waits in memory up to CONNECTION_OUTPUT_MAX and one frame; past that the
 *           connection is closed.
 * Never:    an owner's callback runs inside one of the owner's own calls: callbacks come from
 *           the loop or from connections_flush, so that the owner need not be re-entrant.
 */
#ifndef NODE_NET_CONNECTION_H
#define NODE_NET_CONNECTION_H

#include <uv.h>

#include "node/wire/frame.h"

struct connection;

enum {
    CONNECTION_OUTPUT_MAX = 64 << 20,
    /* A throttled connection is not read from while this much output waits to be taken by the
       other side: it then holds what a few large replies need. */
    CONNECTION_OUTPUT_PAUSE = 4 << 20,
    CONNECTION_TEXT_SIZE = 160,
};

/* The connections that have something to flush; zeroed is empty. */
struct connection_flush_list {
    struct connection *first;
};

struct connection_options {
    uv_loop_t *loop;
    struct connection_flush_list *flush_list; /* outlives the connection */
    uint32_t stall_timeout_ms; /* unacknowledged bytes close the connection after this long */
    bool throttled;            /* stop reading while much output waits */

    void *context;
    /* A whole message. The owner may move parts out; the connection releases what is left. */
    void (*on_message)(void *context, struct message *message);
    /* The other side sent bytes that are no message of ours: no further input will come. The
     * owner closes the connection. */
    void (*on_malformed)(void *context, enum status status, const char *text);
    /* Exactly once, last; the connection is freed after it. Text: why, for people. */
    void (*on_closed)(void *context, enum status status, const char *text);
};

/* A connection without a remote end yet. STATUS_NO_MEMORY, STATUS_IO. From success on it must
 * be closed with connection_close, and is freed after on_closed. */
MUST_CHECK enum status connection_new(const struct connection_options *options,
                                      struct connection **ret_connection);
/* To accept or connect with. Inside. */
uv_tcp_t *connection_tcp(struct connection *connection);
/* The other end is there: messages are taken from now on. On failure the caller closes. */
MUST_CHECK enum status connection_start(struct connection *connection);
/* Frames up to FRAME_SIZE_MAX are believed from now on: the greeting is over. */
void connection_trust(struct connection *connection);

/*
 * Queues a message; connections_flush writes it. STATUS_TOO_LARGE, STATUS_NO_MEMORY: nothing
 * was queued. STATUS_CLOSED: the connection is closing, perhaps because its output was full.
 */
MUST_CHECK enum status connection_send(struct connection *connection,
                                       const struct message *message);
/* True if all that was sent was handed to the kernel. */
bool connection_is_flushed(const struct connection *connection);

/* No messages are handed out until connection_resume. Both may be called at any time. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);

/* Closes at once, dropping output. Later calls change nothing. The text is copied. */
void connection_close(struct connection *connection, enum status status, const char *text);
/* Sends what is queued, drops what still comes, and closes once the other side has closed, so
 * that it surely reads the last reply. The owner sets a deadline with connection_close. */
void connection_finish(struct connection *connection, enum status status, const char *text);

/* Writes what was sent on the list's connections and hands out what resumed ones have kept.
 * Call it before the loop waits. */
void connections_flush(struct connection_flush_list *list);

#endif
