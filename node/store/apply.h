/*
 * apply.h - store requests carried out on an engine.
 *
 * This is where read, merge and write of a key happen. Single requests of one key must not run
 * side by side: the driver's FIFO threads see to it. The simulator calls it directly.
 */
#ifndef NODE_STORE_APPLY_H
#define NODE_STORE_APPLY_H

#include <pthread.h>

#include "node/store/engine.h"
#include "node/store/store.h"

enum { LIVE_DIRECTORIES_MAX = 1024 };

/* Directories whose object is live on this copy, so that a put need not read it. A directory
 * leaves the table before its object is written. */
struct live_directories {
    pthread_mutex_t lock;
    struct position entry[LIVE_DIRECTORIES_MAX]; /* of the directory's key; zero: empty */
};

/*
 * The node's source of counters, and what else all requests share. Counters are unique and
 * ascending over the life of the node, across restarts: a mark ahead of every issued counter is
 * kept on disk, synced, and renewed before it is reached.
 */
/* How many bytes of contents were deleted of late (reclaim.h). */
struct deleted_bytes {
    atomic_uint_fast64_t deleted[PARTITIONS_MAX];
    atomic_bool is_due;
};

struct store_state {
    struct engine *engine;
    node_id node;
    _Atomic uint16_t partition_count; /* Q; 0 until there is a ring, then fixed for ever */
    uint64_t incarnation; /* how many times this data directory was started; grows with each */
    uint64_t salt;        /* drawn at each start: goes into births */
    /*
     * Own pairs that were opened at or above this counter may be extended (docs/design.md, The
     * model, rule 2). It begins a period of births (birth.h). After each start that is the
     * counter of the start: the directory may be an old copy. STORE_TRUST, when every member has
     * vouched, takes it back to trusted_before: the counter of the last start that nobody
     * vouched for, 0: none.
     */
    atomic_uint_fast64_t trusted_since;
    atomic_uint_fast64_t trusted_before;
    atomic_uint_fast64_t issued; /* greatest counter issued */
    atomic_uint_fast64_t leased; /* counters up to this one may be issued */
    atomic_bool is_marked;       /* the store is marked as in use; a write needs that */
    pthread_mutex_t leasing;     /* one renewal at a time */
    /*
     * Held shared by every group that writes, alone by one that writes a directory's object or
     * drops intents, from its first read to its commit. So whether a directory is live is the
     * same at the commit of a row's write as when it was looked up, and an intent that was
     * written anew is not dropped for its old stamp.
     */
    pthread_rwlock_t directories;
    struct live_directories live;
    struct deleted_bytes reclaim;
    struct hint_store *hints; /* apply_hints.c; NULL: store_hints_open was not called */
    struct tree_store *trees; /* tree.c; NULL until there is a ring */
    struct ring *ring;        /* as it is stored; NULL: none */
};

enum {
    /* A lease reaches this far ahead of the clock: after a crash counters may begin so much
       ahead of it, until it has caught up. */
    COUNTER_LEASE_US = 2000000,
    /* ... and this far ahead of a counter that is ahead of the clock already. */
    COUNTER_STEP_US = 10000,
    STORE_FORMAT = 3,
    /* The one before is taken up: only births were counters then, which are less than all. */
    STORE_FORMAT_BEFORE = 2,
};

/* What is known when a store is opened. */
struct store_identity {
    node_id node; /* made at random on first open */
    uint64_t incarnation;
    bool has_ring;
    struct ring ring;
    bool was_clean;   /* the last stop closed the store properly */
    bool is_complete; /* false: the node has a ring, but refills after a lost disk */
};

/* The node that the data in `engine` are of; 0 if there are none. Changes nothing. */
MUST_CHECK enum status store_state_node(struct engine *engine, node_id *ret_node);

/*
 * Reads or makes the node's identity, notes an unclean stop, marks the store as in use
 * (synced), takes the first counter lease. `random_id`, another one at each start, is the
 * identity of a new store.
 * STATUS_BAD_VERSION for a newer format; others as the engine's.
 */
MUST_CHECK enum status store_state_open(struct store_state *state, struct engine *engine,
                                        node_id random_id, uint64_t wall_us,
                                        struct store_identity *ret_identity,
                                        struct error *error);
/* Opens the node's hints, kept in an engine of their own (borrowed until store_state_close):
 * counts what is there, for each member. Without it operations on hints are NOT_READY. */
MUST_CHECK enum status store_hints_open(struct store_state *state, struct engine *hints,
                                        struct error *error);
/* The ring of a store that is not opened, from the database or from what is kept beside it;
 * false if there is none. Changes nothing. */
bool store_state_peek(struct engine *engine, struct ring *ret_ring);
/* Marks the store as in use, if a full disk did not let it be at the start. STATUS_NO_SPACE. */
MUST_CHECK enum status store_state_mark(struct store_state *state, uint64_t wall_us);
/* Writes the clean mark, synced. The engines stay open. Frees what the state owns. */
MUST_CHECK enum status store_state_close(struct store_state *state);

/* Frees what the state owns and writes nothing, as a crash does. Also after store_state_close,
 * where it does nothing more. */
void store_state_release(struct store_state *state);

/* The next counter: greater than every one issued and than `floor`, and not behind the wall
 * clock. Renews the lease when half of it is used; fails only if that fails and is due. */
MUST_CHECK enum status store_state_counter(struct store_state *state, uint64_t floor,
                                           uint64_t wall_us, uint64_t *ret_counter);
/* True if store_state_counter is sure not to write now. */
bool store_state_has_lease(const struct store_state *state, uint64_t wall_us);
/* Stores the ring, synced, and in the same batch, if asked, that the node's copies are not
 * complete. STATUS_REFUSED if it has another Q than the ring before. */
MUST_CHECK enum status store_state_save_ring(struct store_state *state, const struct ring *ring,
                                             bool mark_incomplete);
/*
 * Called with a clock that came from another node, and the own copy's (NULL: none). True if it
 * has a counter of this node that this node has not issued: the data directory is older than
 * what the node has written. Own pairs that were opened so far are not extended any more, and
 * counters go on above it. Counters over a minute ahead of the wall clock are left out: they
 * come from a broken clock, or from nowhere.
 */
bool store_state_is_outdone(struct store_state *state, const struct clock *clock,
                            const struct clock *own_clock, uint64_t wall_us);
/* STORE_TRUST. */
MUST_CHECK enum status store_state_trust(struct store_state *state, uint64_t incarnation);
/* What was written to the node's database so far survives a power cut. */
MUST_CHECK enum status store_state_sync(struct store_state *state);
/* Notes whether the node's copies are complete, synced. */
MUST_CHECK enum status store_state_set_complete(struct store_state *state, bool is_complete);

/*
 * Carries out `count` requests in order as one group: all reads see the writes of the requests
 * before them, all writes go to the engine in one batch, synced if one of them asks. A request
 * that scans (LIST, FIND_LIVE_ROW, LIST_INTENTS, HOLDS_DATA) or saves the ring cuts the group:
 * what was written before it is committed first. If a batch fails, every request that wrote to
 * it, or read what was to be written, gets its status. Fills one result for each; requests are
 * left as they are (the caller releases them).
 *
 * STATUS_NOT_READY for a key before there is a ring; STATUS_NOT_FOUND for an UPDATE_NONE of a
 * key without a copy; STATUS_BAD_MESSAGE for a MERGE or HINT of an object whose contents are
 * left out or do not match their hash.
 */
void store_apply(struct store_state *state, const struct store_request *requests, size_t count,
                 struct store_result *ret_results);

/* True if the request only reads. */
bool store_request_is_read(const struct store_request *request);
/* True if the request is small, and a write of it is sure not to wait for a sync, a flush or a
 * lease. (A read may still find its block on the disk.) */
bool store_request_is_quick(const struct store_state *state,
                            const struct store_request *request);
/* About how many bytes the request carries. */
size_t store_request_size(const struct store_request *request);

#endif
