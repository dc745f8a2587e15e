/*
 * apply.h - store requests carried out on an engine.
 *
 * This is where read, merge and write of a key happen. Single requests of one key must not run
 * side by side: the driver's FIFO threads see to it. The simulator calls it directly.
 */
#ifndef NODE_STORE_APPLY_H
#define NODE_STORE_APPLY_H

#include "node/store/engine.h"
#include "node/store/store.h"

/*
 * The node's source of counters, and what else all requests share. Counters are unique and
 * ascending over the life of the node, across restarts: a mark ahead of every issued counter is
 * kept on disk, synced, and renewed before it is reached.
 */
struct store_state {
    struct engine *engine;
    node_id node;
    uint16_t partition_count;    /* Q; 0 until there is a ring, then fixed for ever */
    uint64_t trusted_since;      /* counter of the last unclean start; 0: never */
    atomic_uint_fast64_t issued; /* greatest counter issued */
    atomic_uint_fast64_t leased; /* counters up to this one may be issued */
};

enum {
    /* A lease reaches this far ahead; a restart after a crash may begin this much ahead of the
       clock. */
    COUNTER_LEASE_US = 10000000,
};

/* What is known when a store is opened. */
struct store_identity {
    node_id node; /* made at random on first open */
    bool has_ring;
    struct ring ring;
    bool was_clean; /* the last stop closed the store properly */
};

/*
 * Reads or makes the node's identity, notes an unclean stop, marks the store as in use
 * (synced), takes the first counter lease. `random_id` is used for a new store.
 * STATUS_BAD_VERSION for a newer format; others as the engine's.
 */
MUST_CHECK enum status store_state_open(struct store_state *state, struct engine *engine,
                                        node_id random_id, uint64_t wall_us,
                                        struct store_identity *ret_identity,
                                        struct error *error);
/* Writes the clean mark, synced. The engine stays open. */
MUST_CHECK enum status store_state_close(struct store_state *state);

/*
 * Carries out `count` requests in order as one group: all reads see the writes of the requests
 * before them, all writes go to the engine in one batch, synced if one of them asks. If the
 * batch fails, every writing request of the group gets its status. Fills one result for each;
 * requests are left as they are (the caller releases them).
 */
void store_apply(struct store_state *state, const struct store_request *requests, size_t count,
                 struct store_result *ret_results);

/* True if the request only reads. */
bool store_request_is_read(const struct store_request *request);

#endif
