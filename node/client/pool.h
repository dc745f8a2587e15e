/*
 * pool.h - requests to named nodes over pooled blocking connections.
 *
 * Shape:    for each address a stack of idle connections. A call takes one, sends its request,
 *           receives the reply on the caller's own thread, and puts the connection back.
 * Threads:  every function from any thread, several at once; no lock is held while one waits.
 * Never:    a connection with an unanswered request is used again; a second request on a
 *           connection before the first one is answered.
 */
#ifndef NODE_CLIENT_POOL_H
#define NODE_CLIENT_POOL_H

#include "node/wire/message.h"

enum {
    POOL_IDLE_MAX = 64, /* connections kept for one node: as many threads as a mount may have */
    /* Every member, and as many addresses that people named. */
    POOL_NODES_MAX = 2 * MEMBERS_MAX,
};

struct pool;

struct pool_call {
    const char *address;     /* HOST:PORT, borrowed */
    struct message *request; /* borrowed; its request_id is filled in */
    uint64_t deadline_ns;    /* CLOCK_MONOTONIC */
    /* Set by pool_call: on failure, whether the node may have got the whole request and acted
     * upon it, and why it failed, for people. */
    bool is_open;
    struct error error;
};

MUST_CHECK enum status pool_new(struct pool **ret_pool);
void pool_free(struct pool *pool); /* no call may be under way; NULL is allowed */

/*
 * The file that holds the cluster's secret; copied. NULL, or never called: the one that
 * DYNAMOFS_SECRET_FILE names, or what the node left for this user (node/base/registry.h). It is
 * read for each new connection. STATUS_NO_MEMORY. Before any call.
 */
MUST_CHECK enum status pool_use_secret_file(struct pool *pool, const char *path);
/* Nodes of another cluster are refused from now on; 0: any will do. */
void pool_expect_cluster(struct pool *pool, uint64_t cluster_id);

/*
 * Asks the node at call->address. STATUS_OK: *ret_reply is a reply of the type that belongs to
 * the request, whatever its own status; the caller releases it. Else it is untouched:
 * UNREACHABLE (no connection), TIMEOUT, CLOSED (the connection broke), BAD_MESSAGE,
 * BAD_VERSION, REFUSED (no node of the cluster that is expected), DENIED (one of the two sides
 * does not know the other's secret), BUSY, TOO_LARGE, NO_MEMORY.
 *
 * An idle connection that turns out to be closed, as after a restart of the node, is replaced
 * and the request sent once more: so a request that is sent must be safe to be sent twice.
 */
MUST_CHECK enum status pool_call(struct pool *pool, struct pool_call *call,
                                 struct message *ret_reply);

#endif
