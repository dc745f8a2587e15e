/*
 * connection_internal.h - the inside of a connection, and its part in the memory of its group.
 *
 * connection.c moves bytes and messages; connection_room.c counts what is kept for that, and
 * keeps the queues of those for which there is no room. Calls go down, from the former to the
 * latter.
 */
#ifndef NODE_NET_CONNECTION_INTERNAL_H
#define NODE_NET_CONNECTION_INTERNAL_H

#include "node/net/connection.h"

/*
 *   NEW --start--> OPEN --finish--> FINISHING
 *    |               |                  |
 *    +--- close -----+------ close -----+--> CLOSING --> freed
 */
enum connection_state {
    CONNECTION_NEW,
    CONNECTION_OPEN,
    CONNECTION_FINISHING, /* input is dropped, output still goes out */
    CONNECTION_CLOSING,
};

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct connection_options options;
    enum connection_state state;
    bool paused;    /* by the owner */
    bool stalled;   /* by waiting output */
    bool starved;   /* in its queue: there is no room in memory */
    bool is_node;   /* by what it proved */
    bool malformed; /* the input is unusable */
    bool reading;
    bool writing;       /* `write` is under way, with the bytes of `written` */
    bool shutting_down; /* `shutdown` was started */
    bool dirty;         /* on the flush list */
    struct connection *next_dirty;
    struct connection *next_starved;
    size_t charged;      /* what the group's memory counts for it */
    size_t message_size; /* of the one that is handed out */
    size_t held;         /* of `charged`: requests that were handed out */
    size_t reserved;     /* the size of the long frame that there is room for */
    uint64_t begun_ms;   /* loop time when the frame at hand was last seen to go on; 0: none */
    size_t begun_bytes;  /* ... and what came since */
    uint64_t unread_ms;  /* loop time when output was last seen to be taken; 0: none waits */
    size_t unread_bytes;
    struct frame_splitter input;
    struct buffer output; /* not yet given to the kernel or to libuv */
    struct buffer written;
    size_t written_waiting; /* bytes of `written` that libuv was given */
    enum status close_status;
    char close_text[CONNECTION_TEXT_SIZE];
};

/* The memory that the connection keeps has changed: it is counted anew. */
void connection_recount(struct connection *connection);
/* Takes the room that it takes to go on, or has the connection wait for it: it is starved. */
void connection_reserve(struct connection *connection);
/* What it keeps counts for nodes, or for clients, from now on. It waits no more, if it did. */
void connection_change_share(struct connection *connection, bool is_node);
/* The connection ends: it waits no more, and nothing is counted for it. */
void connection_leave_room(struct connection *connection);
/* Takes the connection that waits longest out of the queue if there is room for it to go on; NULL
 * if there is none. Strictly in turn, or a long message would wait for ever. */
struct connection *connection_take_starved(struct connection_queue *queue);

#endif
