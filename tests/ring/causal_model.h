/*
 * causal_model.h - random histories of one key on a small cluster, run on the shipping
 * object_update and object_merge.
 *
 * Primaries and fallbacks each keep a copy of the key. Clients read, and put or delete with
 * contexts as old as they like; retries go through other coordinators under one write id;
 * replica writes arrive late, twice or never; hints are handed off and dropped; nodes go down,
 * crash back to what their disk had, or lose it; wall clocks disagree by minutes; contexts
 * carry pairs from the far future. Superseding some reads a quorum first or does not.
 *
 * Promise:  an acknowledged version lives until a put or delete was handed it; all orders of
 *           exchange end in one state; what a put was handed is gone from its coordinator's
 *           copy; every copy keeps the rules of object.h; and where nothing was truncated or
 *           rolled back, exactly the versions live that no one superseded.
 */
#ifndef TESTS_RING_CAUSAL_MODEL_H
#define TESTS_RING_CAUSAL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Promises that a history broke, as bits. */
enum causal_outcome {
    CAUSAL_KEPT = 0,
    CAUSAL_LOST = 1,         /* an acknowledged version is gone, and nobody superseded it */
    CAUSAL_DIVERGED = 2,     /* the order of exchange mattered */
    CAUSAL_STILL_THERE = 4,  /* a put left a version that it was handed */
    CAUSAL_BROKEN_RULES = 8, /* a copy that object_new would refuse */
    CAUSAL_NOT_EXACT = 16,   /* a version came back, or an unacknowledged one went */
};
enum { CAUSAL_PROMISES = 5 };

/* How much the histories have exercised, so that a model that does nothing is noticed. */
struct causal_counts {
    uint64_t histories;
    uint64_t writes;
    uint64_t acknowledged;
    uint64_t retries;
    uint64_t deletes;
    uint64_t some;      /* puts and deletes that superseded named siblings */
    uint64_t truncated; /* updates that truncated */
    uint64_t rolled_back;
    uint64_t reopened; /* new pairs because of a counter in the future */
    uint64_t handed_off;
    uint64_t exact; /* histories held to the exact set of versions */
    uint64_t siblings_most;
};

/*
 * Runs the history of `seed`. Returns the promises that it broke, as bits of causal_outcome.
 * `singly`: senders break rule 4 and send each version by itself.
 */
unsigned causal_run(uint64_t seed, bool singly, struct causal_counts *counts);
/* What the promise of bit `index` being broken means. */
const char *causal_promise_text(unsigned index);

#endif
