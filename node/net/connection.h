/*
 * connection.h - one TCP connection: bytes to messages and messages to bytes.
 *
 * Threads:  the loop's.
 * Order:    messages are handed to the owner in the order in which they came; what is sent goes
 *           out in the order in which it was sent.
 * Bounds:   output waits in memory up to CONNECTION_OUTPUT_MAX and one frame; past that the
 *           connection is closed. All connections of a group share its memory (memory.h): a
 *           long message is read on only where there is room for the whole of it; till then the
 *           connection is *starved*, first come first served. A message that has begun must go
 *           on (connection_is_stuck).
 * Never:    an owner's callback runs inside one of the owner's own calls: callbacks come from
 *           the loop or from connections_flush, so that the owner need not be re-entrant.
 */
#ifndef NODE_NET_CONNECTION_H
#define NODE_NET_CONNECTION_H

#include <uv.h>

#include "node/net/memory.h"
#include "node/wire/frame.h"

struct connection;

enum {
    CONNECTION_OUTPUT_MAX = 64 << 20,
    /* A throttled connection is not read from while this much output waits to be taken by the
       other side: about what a large reply needs. */
    CONNECTION_OUTPUT_PAUSE = 1 << 20,
    /* A message that has begun goes on at no less than so many bytes in so many milliseconds,
       or ends within them: 16 KiB/s, a slow line. */
    CONNECTION_PROGRESS_MS = 10000,
    CONNECTION_PROGRESS_BYTES = 160 << 10,
    CONNECTION_TEXT_SIZE = 160,
};

/* Connections that wait for room in memory, the one that waits longest first. */
struct connection_queue {
    struct connection *first;
    struct connection *last;
};

/* The connections of a node; zeroed is none. */
struct connection_group {
    struct connection *first; /* of those that have something to flush */
    struct memory memory;
    struct connection_queue starved_clients;
    struct connection_queue starved_nodes;
};

struct connection_options {
    uv_loop_t *loop;
    struct connection_group *group; /* outlives the connection */
    uint32_t stall_timeout_ms; /* unacknowledged bytes close the connection after this long */
    bool throttled;            /* stop reading while much output waits */

    void *context;
    /* A whole message. The owner may move parts out; the connection releases what is left. */
    void (*on_message)(void *context, struct message *message);
    /* A message has begun, the rest of which is still to come; may be NULL. */
    void (*on_begun)(void *context);
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
/* The greeting is over: longer frames are believed from now on, of a node up to FRAME_SIZE_MAX,
 * of a client up to FRAME_SIZE_MAX_CLIENT. */
void connection_trust(struct connection *connection, bool is_node);

/* The size of the message that is being handed out. */
size_t connection_message_size(const struct connection *connection);
/* Requests of so many bytes in all were handed out and not answered yet: they count as the
 * connection's memory. */
void connection_hold(struct connection *connection, size_t held);
/* Bytes that wait to be taken by the other side. */
size_t connection_waiting(const struct connection *connection);
/* True if so much more may be kept for the connection. */
bool connection_has_room(const struct connection *connection, size_t more);
/* True if a message has begun and not ended, or input waits to be handed out. */
bool connection_is_midway(const struct connection *connection);
/* True if a message that has begun did not go on as it must. Ask now and then. */
bool connection_is_stuck(struct connection *connection);
/* For how many milliseconds the other side took nothing of what waits for it, between this call
 * and earlier ones; 0 if nothing waits. Ask now and then. */
uint64_t connection_unread_ms(struct connection *connection);

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

/* Writes what was sent on the group's connections and hands out what resumed ones have kept.
 * Call it before the loop waits. */
void connections_flush(struct connection_group *group);

#endif
