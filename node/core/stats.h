/*
 * stats.h - what the core counts. Shown by `dynamoctl status`.
 */
#ifndef NODE_CORE_STATS_H
#define NODE_CORE_STATS_H

/* X(name): the name is also the one that users see. */
#define CORE_STATS(X)                                                                          \
    X(puts)        /* client puts and deletes coordinated here */                              \
    X(puts_failed) /* ... that were answered with an error */                                  \
    X(gets)        /* client gets coordinated here */                                          \
    X(gets_failed)                                                                             \
    X(lists)                                                                                   \
    X(lists_differed) /* pages for which tombstones had to be fetched */                       \
    X(lists_failed)                                                                            \
    X(forwards)            /* requests handed to a node of the preference list */              \
    X(siblings_returned)   /* gets that returned two or more shown versions */                 \
    X(read_repairs)        /* stale replicas written back to after a read */                   \
    X(hedged_reads)        /* further replicas asked because one was slow */                   \
    X(peers_suspected)     /* times a peer missed a deadline and was passed over */            \
    X(fallback_puts)       /* puts coordinated here though no primary was reached */           \
    X(hints_stored)        /* copies kept for a member by this coordinator or a fallback */    \
    X(hints_kept)          /* hints on this node when it last looked */                        \
    X(hints_delivered)     /* ... that their owner has acknowledged */                         \
    X(rows_left_to_intent) /* puts answered before their row had its quorum */                 \
    X(objects_pushed)      /* whole objects sent again in the background */                    \
    X(intents_retried)     /* rows pushed again */                                             \
    X(directories_revived)                                                                     \
    X(busy)            /* requests refused because a table was full */                         \
    X(late_answers)    /* replies that no request waited for any more */                       \
    X(stale_ring)      /* requests placed by another ring epoch */                             \
    X(rings_refused)   /* rings that do not follow from this node's own */                     \
    X(ring_splits)     /* times another ring of the same epoch was met */                      \
    X(corrupt)         /* copies that failed their checksum, rows that make no sense */        \
    X(copies_refused)  /* copies received whose content does not match its hash */             \
    X(copies_healed)   /* own copies with such a content, fetched anew from others */          \
    X(clocks_ahead)    /* objects received with a clock over a minute ahead */                 \
    X(old_copies)      /* signs that this data directory is an older copy of itself */         \
    X(complete)        /* 1; 0 while the node refills after a lost disk or a salvage */        \
    X(repair_passes)   /* passes of anti-entropy that were finished */                         \
    X(pairs_failed)    /* pairs of a partition and a replica that could not be compared */     \
    X(keys_repaired)   /* objects and rows that anti-entropy made equal */                     \
    X(scrubs)          /* passes over the own disk */                                          \
    X(trees_corrected) /* Merkle trees that were not what the disk says */                     \
    X(rows_pushed)     /* rows sent by a scrub to those who hold them */                       \
    X(salvages)        /* times a damaged database was salvaged */                             \
    X(tombstones_reaped)                                                                       \
    X(reaps_blocked)     /* tombstones kept because a member was away or did not agree */      \
    X(background_budget) /* slices of background work a tenth of a second */                   \
    X(foreground_p99_us) /* of clients' requests of the last seconds; 0: there were none */

#define CORE_STAT_FIELD(name) uint64_t name;
struct core_stats {
    CORE_STATS(CORE_STAT_FIELD)
};
#undef CORE_STAT_FIELD

#endif
