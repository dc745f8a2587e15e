/*
 * clock.h - actors, dots, and the vector clock that is a key's context.
 *
 * Shape:    a sorted array of pairs, ascending by actor; each actor once.
 * Source:   DeCandia et al., section 4.4; Preguica et al., "Dotted version vectors", 2010;
 *           docs/design.md, The model.
 */
#ifndef RING_CLOCK_H
#define RING_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/ring.h"

/* Under this name a node writes to one copy of a key: the node, and when that copy began. */
struct actor {
    node_id node;
    uint64_t birth; /* of all that the node opened for one key each has another */
};

/* The event that made one version. A counter is a hybrid logical clock reading, microseconds.
 */
struct dot {
    struct actor actor;
    uint64_t counter;
};

/* A clock: `pair[i]` says that all events of its actor up to its counter are known. */
struct clock {
    uint32_t count;
    const struct dot *pair; /* ascending by actor; borrowed or owned as its holder says */
};

enum {
    /* The paper's threshold, section 4.4: beyond it the least recently updated pair goes. */
    CLOCK_PAIRS_KEPT = 10,
    /* A merge that comes out longer keeps the newer half of this: see decision 12. */
    CLOCK_PAIRS_MERGED_MAX = 1024,
    /* Above what any honest copy holds (kept pairs and one for each live version). */
    CLOCK_PAIRS_MAX = 2048,
};

int actor_compare(struct actor a, struct actor b);
bool actor_equal(struct actor a, struct actor b);
/* By counter first, then actor: older dots first. This is the order of siblings. */
int dot_compare(struct dot a, struct dot b);
bool dot_equal(struct dot a, struct dot b);

/* Counter of `actor` in the clock, 0 if it has no pair (counters start at 1). */
uint64_t clock_counter(const struct clock *clock, struct actor actor);
/* covers(clock, dot): clock[dot.actor] >= dot.counter. A NULL clock covers nothing. */
bool clock_covers(const struct clock *clock, struct dot dot);
bool clock_equal(const struct clock *a, const struct clock *b);
/* True if every pair of `b` is covered by `a`. */
bool clock_descends(const struct clock *a, const struct clock *b);
/* Greatest counter that is at most `limit`; 0 if none. */
uint64_t clock_greatest_counter(const struct clock *clock, uint64_t limit);
/* True if the pairs ascend strictly by actor, no counter is 0 and no node is 0. */
bool clock_is_valid(const struct clock *clock);

/*
 * Pairwise maximum into `ret_pairs`, which has room for a->count + b->count. Returns the count.
 * NULL stands for the empty clock.
 */
uint32_t clock_merge(const struct clock *a, const struct clock *b, struct dot *ret_pairs);

#endif
