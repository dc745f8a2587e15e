/*
 * collector.h - deletes the blocks of large files that no version names.
 *
 * Shape:    passes over all block sets, one at a step. What a pass finds unnamed (survey.h) it
 *           marks, in memory, with the clock of its row. A later pass that finds it unnamed
 *           still, at least the grace time on and with the same clock, deletes it, with that
 *           clock as the context: who stored or touched it meanwhile made an event that the
 *           delete does not cover, so that it stays. While a member of the cluster does not
 *           answer, or keeps hints for another, nothing is deleted: versions may be there that
 *           the others do not know of.
 * Threads:  a collector belongs to one thread. Any number of them may work on one cluster.
 * Source:   docs/design.md, Large files.
 */
#ifndef NODE_CLIENT_COLLECTOR_H
#define NODE_CLIENT_COLLECTOR_H

#include "node/client/kv.h"

enum { MARKS_MAX = 1 << 16 };

struct collector;

struct collector_options {
    struct kv *kv;            /* borrowed */
    uint32_t deadline_ms;     /* of one call; 0: the default of kv.h */
    uint8_t w;                /* of deletes; 0: the default quorum */
    uint64_t grace_us;        /* how long a block may be unnamed */
    size_t marks_max;         /* 0: MARKS_MAX; what is beyond is left for a later pass */
    uint64_t (*now_us)(void); /* a monotonic clock */
};

struct collector_stats {
    uint64_t passes;          /* that came to their end */
    uint64_t sets;            /* looked at */
    uint64_t sets_busy;       /* left alone: a path changed meanwhile */
    uint64_t sets_left_alone; /* something could not be read, or makes no sense */
    uint64_t shards_left_alone;
    uint64_t sets_unsettled; /* looked at, but what is due is kept: see collector_unsettled */
    uint64_t marked;
    uint64_t blocks_deleted;
    uint64_t notes_deleted; /* of paths, holders, stripes and sets */
    uint64_t unmarked;      /* times that a set had more than there was room to mark */
};

/* NULL when memory is short. */
struct collector *collector_new(const struct collector_options *options);
/*
 * Looks at the next set, or for the next ones. *ret_over: a pass has come to its end with it.
 * A status that is not STATUS_OK says why something was left alone, and counts; the next step
 * goes on behind it.
 */
enum status collector_step(struct collector *collector, bool *ret_over);
const struct collector_stats *collector_stats(const struct collector *collector);
/* Why nothing was deleted from a set that had something due, the last time; for people. */
const struct error *collector_unsettled(const struct collector *collector);
void collector_free(struct collector *collector); /* NULL is allowed */

#endif
