/*
 * planted.h - bugs that tests switch on to prove that they would be found.
 *
 * In the shipping build `planted(X)` is the constant false and the compiler removes the branch.
 * Test builds compile ring/ and node/core/ a second time with -DDYNAMOFS_PLANTED and choose
 * one.
 */
#ifndef RING_PLANTED_H
#define RING_PLANTED_H

#include <stdbool.h>

enum planted_bug {
    PLANTED_NONE = 0,
    /* Each breaks one rule of causality; named as in the model that checks the design. */
    PLANTED_NO_DOTS,   /* rule 1: one version per actor */
    PLANTED_BIRTH,     /* rule 2: every copy writes under (node, 0) */
    PLANTED_TRUST,     /* rule 2: extends a pair opened before an unclean start */
    PLANTED_NAME_DOTS, /* rule 3: superseding some adds the context to the clock */
    PLANTED_SINGLY,    /* rule 4: versions travel one by one (applied by the test's sender) */
    PLANTED_PRUNE_IN_MERGE, /* rule 5: merges truncate */
    PLANTED_PRUNE_LIVE,     /* rule 5: truncation takes a pair that a live version needs */
    /* Each breaks a rule of requests; for the simulator. */
    PLANTED_SEND_SINGLY,          /* rule 4: a coordinator sends the newest version alone */
    PLANTED_ACK_EARLY,            /* a put is answered before W copies are acknowledged */
    PLANTED_UNSYNCED,             /* a put with sync counts copies that were not synced */
    PLANTED_INTENT_EARLY,         /* a row intent is dropped before its row has a quorum */
    PLANTED_NO_INTENT,            /* a coordinator leaves no row intent */
    PLANTED_LATE_ANSWER,          /* a late answer is matched to a new request */
    PLANTED_DIGEST_BLIND,         /* a get believes a digest that differs */
    PLANTED_COUNTER_REUSE,        /* counters begin anew at a restart, without their lease */
    PLANTED_FALLBACK_TWICE,       /* a fallback may take several places of one put */
    PLANTED_HINT_EARLY,           /* a hint is dropped before its owner has acknowledged it */
    PLANTED_NOT_FOUND_INCOMPLETE, /* an incomplete copy's "not found" counts */
    PLANTED_REAP_EARLY,           /* a tombstone goes though only its first primary was asked */
    PLANTED_TREE_SINGLY,          /* anti-entropy sends the newest version alone */
    PLANTED_COUNT,
};

#ifdef DYNAMOFS_PLANTED
extern enum planted_bug planted_bug; /* set by the test */
extern unsigned planted_pairs_kept; /* truncation limit for tests; CLOCK_PAIRS_KEPT otherwise */
#define planted(bug) (planted_bug == (bug))
#else
#define planted(bug) false
#endif

#endif
