/*
 * inbound.h - one inbound connection of a listener: what listener.c and inbound.c share.
 *
 *   listener.c   the table of connections: who has a place, and for how long
 *   inbound.c    what is said on one: greeting, requests, replies
 */
#ifndef NODE_NET_INBOUND_H
#define NODE_NET_INBOUND_H

#include "node/net/listener.h"

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
    uv_timer_t sweep;
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

/* listener.c */
/* The sweep runs only while there is something to watch: an idle node sleeps. */
void listener_start_sweep(struct listener *listener);
/* True if one more client may stay. */
bool listener_count_client(struct inbound *inbound);

/* inbound.c */
void inbound_set_deadline(struct inbound *inbound, uint64_t timeout_ms);
/* Reports it, tells the other side why, and closes once that was read. */
void inbound_misbehaved(struct inbound *inbound, enum status status, const char *text);
/* The callbacks of its connection, but for that of its end. */
void inbound_on_begun(void *context);
void inbound_on_malformed(void *context, enum status status, const char *text);
void inbound_on_message(void *context, struct message *message);

#endif
