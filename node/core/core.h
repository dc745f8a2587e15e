/*
 * core.h - the storage node as a pure step function.
 *
 *  1. core_step never calls out: it never blocks, reads a clock, socket, file or random source,
 *     or logs.
 *  2. It is not re-entrant. If carrying out an action fails at once, the pump queues an event.
 *  3. Time is event.now_us, monotonic. The wall clock enters only as a reading for counters.
 *  4. Every request has a deadline when it is created. There is no other way to wait.
 *  5. Every table is bounded; when full the answer is STATUS_BUSY, at once.
 *  6. Request ids carry a generation; a late answer finds no request and is only counted.
 *  7. A step emits at most OUTBOX_ACTIONS_MAX actions.
 *  8. Randomness comes from the generator seeded in core_config.
 *  9. event.h says who owns what.
 * 10. core_check verifies all invariants; tests call it after every step.
 */
#ifndef NODE_CORE_CORE_H
#define NODE_CORE_CORE_H

#include "node/core/event.h"

struct core;

struct core_config {
    node_id node;
    uint64_t incarnation;              /* of the store; 0: never started before (tests) */
    char address[ADDRESS_SIZE];        /* where others reach this node */
    uint16_t seed_count;               /* --join: nodes to start with or to join */
    const char (*seeds)[ADDRESS_SIZE]; /* borrowed during core_new */
    const struct ring *ring;           /* the stored ring, or NULL; borrowed during core_new */
    uint16_t partition_count;          /* for a new cluster */
    uint16_t replica_count;
    uint64_t random_seed;
    uint64_t disk_total; /* bytes, told in status until core_set_disk */
    uint64_t disk_free;
    bool is_source;     /* its place was given away: only hands over what it holds */
    bool is_incomplete; /* the node's copies are not complete: it re-entered with a lost disk,
                           or its store was salvaged, and has not refilled yet */
    /* For anti-entropy; 0 is the default in each. Microseconds. */
    uint64_t repair_interval_us;
    uint64_t scrub_interval_us;
    uint64_t confirm_after_us;
    uint64_t grace_us;
    uint64_t foreground_p99_us;
    /* Contents that requests in flight may hold, bytes; beyond it they are answered BUSY. 0:
     * the default. */
    size_t request_bytes_max;
};

/* A new core, or NULL when memory is short. Nothing happens before the first step. */
struct core *core_new(const struct core_config *config);
void core_free(struct core *core);

/* Takes one event; fills the outbox, which must be empty. */
void core_step(struct core *core, struct event *event, struct outbox *outbox);
/* When EVENT_TICK is next due, on the scale of now_us; UINT64_MAX: never. */
uint64_t core_deadline(const struct core *core);
/* Asserts every invariant. */
void core_check(const struct core *core);

/* The ring state, or NULL while there is none. Valid until the next step. */
const struct ring *core_ring(const struct core *core);
/* What tells the ring from all others, for the HELLO of outgoing connections (its ring_epoch);
 * 0: there is none. */
uint64_t core_ring_mark(const struct core *core);
/* Client requests in flight: what a clean stop waits for. */
uint32_t core_requests_in_flight(const struct core *core);
/* From now on new client requests are answered STATUS_CLOSED. */
void core_drain(struct core *core);
/* Figures for status that only the driver knows. */
void core_set_disk(struct core *core, uint64_t total, uint64_t free_bytes);
void core_set_disk_state(struct core *core, enum disk_state state);
/* Adds to a counter of the driver's, shown in status under `name` (static, at most 31 bytes).
 */
void core_count(struct core *core, const char *name, uint64_t add);

#endif
