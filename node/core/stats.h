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
    X(intents_retried)     /* rows pushed again */                                             \
    X(directories_revived)                                                                     \
    X(busy)         /* requests refused because a table was full */                            \
    X(late_answers) /* replies that no request waited for any more */                          \
    X(stale_ring)   /* requests placed by another ring epoch */                                \
    X(corrupt)      /* copies that failed their checksum */                                    \
    X(clocks_ahead) /* objects received with a clock over a minute ahead */

#define CORE_STAT_FIELD(name) uint64_t name;
struct core_stats {
    CORE_STATS(CORE_STAT_FIELD)
};
#undef CORE_STAT_FIELD

#endif
