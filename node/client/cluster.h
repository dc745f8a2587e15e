/*
 * cluster.h - the parts of the cluster client, which share one struct.
 *
 * kv_cluster.c    the operations: requests out of arguments, results out of replies
 * cluster_call.c  one request through as many nodes as it takes
 * cluster_ring.c  what the client knows of the ring and of nodes that fail
 * cluster_settled.c  whether any member keeps what others do not have yet
 *
 * The ring is learnt at open. Every reply tells its sender's epoch; a greater one makes the
 * client ask that very node for the ring before it goes on. A client that asks nothing needs no
 * ring, so that there is no polling.
 *
 * A node that failed is tried last, until it answers something. Once in a pause one call that
 * has its own answer already asks it for its ring, and waits a moment for that.
 */
#ifndef NODE_CLIENT_CLUSTER_H
#define NODE_CLIENT_CLUSTER_H

#include "node/client/kv.h"
#include "node/client/pool.h"

#include <pthread.h>
#include <stdatomic.h>

/* A ring that calls under way may hold while a newer one takes its place. */
struct ring_snapshot {
    atomic_uint references;
    struct ring ring;
};

/* A node that failed, and has not answered since. */
struct node_health {
    node_id id;
    uint64_t failed_ns; /* when the pause was last set */
    uint64_t until_ns;  /* from then on it may be asked again */
    uint32_t pause_ms;  /* how long this time; the next time twice as long */
};

struct cluster {
    struct kv kv; /* first, so that a kv is its cluster */
    struct pool *pool;
    struct kv_options defaults;
    atomic_uint failing_count; /* readable without the lock: 0 is the usual case */
    atomic_uint latency_us;    /* what answers have been taking of late */
    /* No node answered in the whole time of a call: until then operations wait briefly. */
    atomic_uint_fast64_t silent_until_ns;
    pthread_mutex_t lock; /* around all below, never held over a wait */
    struct ring_snapshot *snapshot;
    uint64_t ring_asked_ns;
    struct node_health failing[MEMBERS_MAX]; /* the first failing_count are in use */
};

/* cluster_ring.c */
struct ring_snapshot *cluster_ring_ref(struct cluster *cluster);
void cluster_ring_unref(struct ring_snapshot *snapshot);
/* Asks the node at `address` for its ring, and keeps it if it is of our cluster and newer than
 * what is known. */
MUST_CHECK enum status cluster_ring_fetch(struct cluster *cluster, const char *address,
                                          uint64_t deadline_ns, struct error *error);
/* The node at `address` told of `epoch`: asks it for the ring if that is news, and none was
 * asked a moment ago. True if the known ring is a newer one now. */
bool cluster_ring_learn(struct cluster *cluster, const char *address, uint64_t epoch,
                        uint64_t deadline_ns);
void cluster_node_failed(struct cluster *cluster, node_id id);
void cluster_node_works(struct cluster *cluster, node_id id);
/* How badly a node fails, in ms of its pause: the greater the later it should be tried. 0: it
 * does not fail. */
uint32_t cluster_node_pause_ms(struct cluster *cluster, node_id id);
/* Asks a failing node whose pause is over whether it is well again, unless another call does,
 * and waits a moment for its answer. For a call that has its own. */
void cluster_nodes_probe(struct cluster *cluster, uint64_t deadline_ns);
/*
 * A program makes several operations in a row (`mv` three), and to wait for each as long as for
 * the first, where nobody answers at all, would be in vain. A call of a bounded operation
 * (kv_limits_begin) that waited for at least half of `whole_ns` without any answer is told of
 * by _note; for as long again after it the calls of such operations wait a share of it, until
 * any node answers. Then one waits in full again, so that a cluster that has become slow is
 * found.
 */
uint64_t cluster_silence_deadline(struct cluster *cluster, uint64_t deadline_ns,
                                  uint64_t whole_ns);
void cluster_silence_note(struct cluster *cluster, uint64_t begin_ns, uint64_t whole_ns);
/* What answers have been taking of late: rises fast and falls slowly; 0 in the beginning. */
uint64_t cluster_latency_ns(struct cluster *cluster);
void cluster_latency_learn(struct cluster *cluster, uint64_t took_ns);

/* cluster_settled.c */
/* As kv_settled. */
MUST_CHECK enum status cluster_settled(struct cluster *cluster, uint64_t deadline_ns,
                                       struct error *ret_why);

/* cluster_call.c */
struct cluster_request {
    struct message *message; /* borrowed */
    uint32_t *deadline_ms; /* the message's own deadline, filled in for each attempt, or NULL */
    struct slice placed_by; /* the key whose nodes are asked */
    bool is_put;
    uint64_t deadline_ns;
    uint64_t whole_ns; /* how long a call may last that is not the last one of an operation */
    /* Looks at a reply of OK or NOT_FOUND: STATUS_OK, or why it cannot be believed. */
    enum status (*check)(const struct cluster_request *request, const struct message *reply);
};

/*
 * Asks the nodes of the key's preference list in turn until one answers, a rule forbids it, or
 * the deadline has passed. STATUS_OK and STATUS_NOT_FOUND: *ret_reply is to be released by the
 * caller; else it is untouched, and the status is the most telling one. For a put any failure
 * but TIMEOUT, NO_QUORUM and INTERRUPTED says that surely nothing was written.
 */
MUST_CHECK enum status cluster_call(struct cluster *cluster,
                                    const struct cluster_request *request,
                                    struct message *ret_reply);

#endif
