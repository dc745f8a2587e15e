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
    PLANTED_ALWAYS_NO_QUORUM,     /* a put is answered NO_QUORUM whatever became of it */
    PLANTED_FALLBACK_UNUSED,      /* no fallback ever takes the place of a primary */
    PLANTED_FORWARD_LOOPS,        /* what was forwarded is forwarded again */
    PLANTED_STALE_RING,           /* an older ring is believed when a peer has it */
    PLANTED_LIST_DROPS_LAST,      /* a listing leaves out its last row */
    PLANTED_LIST_ONE_ANSWER,      /* a listing believes the first answer */
    PLANTED_LIST_INCOMPLETE,      /* a listing counts a copy that is not complete */
    PLANTED_HINT_UNSYNCED,        /* hints that count for a sync are not synced */
    PLANTED_LEASE_UNPERSISTED,    /* a renewed lease of counters is not written */
    PLANTED_SALVAGE_TRUSTS,       /* rule 2: pairs are trusted after a salvage */
    PLANTED_SYNC_NEWEST_LOG,    /* a sync does not cover older log files (the simulated disk) */
    PLANTED_SCRUB_NO_ROWS,      /* a scrub never brings rows up to their objects */
    PLANTED_COMPLETE_EARLY,     /* a refill counts as done though pairs failed */
    PLANTED_LEAF_MISSES_DELETE, /* a tombstone does not change its leaf */
    PLANTED_NO_MARKER,          /* who was missed by a put gets no marker */
    PLANTED_EMPTY_COUNTS,       /* a fallback that holds nothing counts as an answer */
    PLANTED_REAP_BESIDE_HINT,   /* a tombstone goes though a hint is kept for its key */
    PLANTED_REAP_PRIMARIES,     /* only primaries are asked before a tombstone goes */
    PLANTED_REAP_ROW_FIRST,     /* a row's tombstone goes before its object's */
    PLANTED_REVIVE_ALONE,       /* a directory is revived without a quorum read of the row */
    PLANTED_REVIVE_UNASKED,     /* a directory deleted over a live row leaves no intent */
    PLANTED_SOME_WITHOUT_READ,  /* named siblings are dropped without a read before */
    PLANTED_INTENT_UNSTAMPED,   /* an intent is cleared though it was left anew */
    PLANTED_HINT_UNSTAMPED,     /* a hint is dropped though it was written anew */
    PLANTED_OWN_FOUND,          /* rule 2: a pair that another copy opened here is extended */
    PLANTED_OLD_TRUSTS,         /* rule 2: what was put back from a backup trusts its pairs */
    PLANTED_LIVES_ALIKE,        /* rule 2: two lives of one backup open the same pairs */
    PLANTED_ROW_EARLY,          /* a row alone is sent before its object has W copies */
    PLANTED_NEVER_PROBED,       /* a suspected peer is never asked again */
    PLANTED_SOURCE_REVIVES,     /* a source hands over what may have been deleted and reaped */
    PLANTED_HINT_REVIVES,       /* a salvage of hints gives back what may have been reaped */
    /* Each breaks a rule of block sets. */
    PLANTED_PARTIAL_LOOK,   /* who cannot be asked about a set is taken to know nothing */
    PLANTED_FORGET_SIBLING, /* of a path only the newest version is looked at */
    PLANTED_HOLD_IGNORED,   /* a set is looked at although somebody holds it */
    PLANTED_DELETE_AT_ONCE, /* what is unnamed is deleted by the pass that finds it */
    PLANTED_AGE_OF_BLOCK,   /* the grace time counts from when a block was stored */
    PLANTED_NAMED_LATE,     /* a version is put before its set knows of the path */
    PLANTED_BLOCK_EARLY,    /* a block counts as stored before it is acknowledged */
    PLANTED_BLOCK_UNSYNCED, /* blocks are not synced */
    PLANTED_UNTOUCHED,      /* what is old is named without being touched */
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
