/*
 * places.h - the table of inbound connections: who has a place, and who must leave it.
 *
 *   places.c     this
 *   inbound.c    what is said on one of them
 *   listener.c   accepts them, and watches how long each takes
 */
#ifndef NODE_NET_PLACES_H
#define NODE_NET_PLACES_H

#include "node/net/listener.h"

/*
 * One inbound connection; a slot of the table.
 *
 *   FREE --accept--> GREETING --HELLO_REPLY ok--> PROVING --PROOF--> GREETED
 *                        |                           |                  |
 *                        +------> FINISHING <--------+------------------+
 *
 * and from each of them back to FREE when the connection has closed; without a secret from
 * GREETING straight to GREETED. FINISHING: the last word is sent, bounded by a deadline.
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
    size_t held;          /* bytes of the requests in flight */
    size_t reply_size;    /* what a reply may be expected to have; 0: not known yet */
    uint64_t idle_ms;     /* loop time when it last was let in or answered */
    bool is_counted;      /* among the clients */
    uint64_t deadline_ms; /* loop time; of GREETING, PROVING and FINISHING */
    char remote[ADDRESS_SIZE];
    char address[ADDRESS_SIZE]; /* where it says that it listens, if it is a node */
};

struct listener {
    uv_tcp_t tcp;
    uv_timer_t sweep; /* looks after deadlines */
    uv_timer_cb on_sweep;
    struct listener_options options;
    uint16_t port;
    uint32_t handles; /* tcp and sweep, until closed */
    bool is_closing;
    bool is_pending; /* one waits to be accepted until a slot is free */
    uint32_t connections_max;
    uint32_t client_count;
    uint32_t free_count;
    uint32_t free_slots[LISTENER_CONNECTIONS_MAX];
    struct inbound inbound[LISTENER_CONNECTIONS_MAX];
};

/* The sweep runs only while there is something to watch: an idle node sleeps. */
void places_watch(struct listener *listener);
/* True if one more client may stay. */
bool places_count_client(struct inbound *inbound);
/* Closes the connection that can best be done without, of all or of those that are let in and
 * idle; false if there is none. */
bool places_close_spare(struct listener *listener, bool only_idle);

#endif
