/*
 * listener.h - the inbound connections of a node.
 *
 * Protocol: the first message on a connection is a HELLO, answered by a HELLO_REPLY; until one
 *           with STATUS_OK went out nothing else is believed and frames are small.
 *           With a secret the reply carries this node's proof, and a PROOF must follow
 *           (greeting.h) before anything else is believed. A
 *           HELLO_REPLY with a failure and request id 0 may come at any time: the node's last
 *           word on a connection that it closes, with the reason.
 * Threads:  the loop's.
 * Bounds:   LISTENER_CONNECTIONS_MAX connections, of which clients may have seven of eight.
 *           Where these are had, a client that comes takes the place of the one that has been
 *           idle for longest, or is told BUSY; where all are had, one that has not been let in
 *           yet goes. Memory is bounded for all together (memory.h): while clients have used up
 *           their share their replies are BUSY.
 * Turns:    a client has a window of requests in flight, as many as its replies are small:
 *           those of 1 MiB come one at a time, those of 64 KiB and less sixteen. So no one
 *           fills the queues that all share. Nodes are not held back so: two nodes that wait
 *           for each other's replicas would wait for ever.
 * Never:    an unread reply is kept for ever: while memory is tight, a client that takes
 *           nothing of what waits for it for LISTENER_UNREAD_MS is closed.
 */
#ifndef NODE_NET_LISTENER_H
#define NODE_NET_LISTENER_H

#include "node/net/connection.h"
#include "node/net/socket_address.h"
#include "node/wire/greeting.h"

struct listener;

enum {
    LISTENER_CONNECTIONS_MAX = 1024,
    LISTENER_IN_FLIGHT_MAX = 16,
    LISTENER_WINDOW_BYTES = 1 << 20, /* of replies, as large as the last ones */
    LISTENER_HELD_MAX = 4 << 20,     /* bytes of requests of one client in flight */
    LISTENER_UNREAD_MS = 2000,
    LISTENER_GREETING_MS = 5000,
    LISTENER_LINGER_MS = 1000, /* for the last word to be read */
    LISTENER_STALL_MS = 30000,
    LISTENER_BACKLOG = 512,
};

struct listener_options {
    uv_loop_t *loop;
    struct connection_group *group;
    uint32_t connections_max; /* 0: LISTENER_CONNECTIONS_MAX; never more */
    void *context;
    /* A request, to be answered with listener_reply, once. The callee may move parts out. */
    void (*on_request)(void *context, uint64_t handle, enum role role, struct message *message);
    /* The secret that must be proved; inside. The callback may be NULL, or return it: then
     * nothing need be proved. */
    const struct secret *(*secret)(void *context);
    /* A node, which listens at `address`, was let in; may be NULL. */
    void (*on_node)(void *context, const char *address);
    /* A connection was refused or closed for what the other side did (not for its end). */
    void (*on_misbehaviour)(void *context, const char *remote, enum status status,
                            const char *text);
};

/* Binds and listens. Nothing is accepted before the loop runs. On failure `error` says why,
 * without the address. */
MUST_CHECK enum status listener_new(const struct listener_options *options,
                                    const struct sockaddr_storage *socket_address,
                                    struct listener **ret_listener, struct error *error);
/* The port it listens on. */
uint16_t listener_port(const struct listener *listener);

/*
 * Answers a request; dropped if its connection is gone. A HELLO_REPLY with STATUS_OK ends the
 * greeting. A reply that does not fit into a frame goes out as its status alone. `close`: it is
 * the last one.
 */
void listener_reply(struct listener *listener, uint64_t handle, const struct message *message,
                    bool close);

/* Closes every connection there is: the secret has changed, under which they were let in. */
void listener_disconnect(struct listener *listener, const char *why);
/* No further connections; those that exist stay. */
void listener_stop(struct listener *listener);
/* True if every reply was handed to the kernel. */
bool listener_is_flushed(const struct listener *listener);
/* Closes all; the listener frees itself once the loop has closed every connection. NULL is
 * allowed. */
void listener_close(struct listener *listener);
size_t listener_connections(const struct listener *listener);

#endif
