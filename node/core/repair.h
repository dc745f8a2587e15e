/*
 * repair.h - replicas are brought to agree in the background, for the files of node/core/ only.
 *
 *   background.c    how much of it may go on: slices by the foreground's latency (DeCandia et
 *                   al., section 6.5)
 *   anti_entropy.c  passes: the Merkle trees of all partitions compared with all other
 * primaries tree_pair.c     one partition and one other primary: which entries differ?
 *   repair_key.c    one entry that differs: both copies read, merged, written to whoever lacks
 *   scrub.c         the own disk read anew: bit rot, trees, rows that lag
 *   reap.c          tombstones that all replicas hold are dropped after the grace time
 *   source.c        a node whose place was given away hands over what it holds
 *   repair.c        which of these runs when; messages in, requests' events to the right one
 *
 * What these files share with each other is in repair_tasks.h.
 */
#ifndef NODE_CORE_REPAIR_H
#define NODE_CORE_REPAIR_H

#include "node/core/event.h"

struct core;
struct request;
struct child_result;

enum {
    PAIRS_MAX = 64,               /* pairs under way; most of them wait to be confirmed */
    PAIRS_ACTIVE_MAX = 4,         /* ... that send and read */
    REPAIR_KEYS_MAX = 16,         /* entries being repaired at a time, over all pairs */
    REPAIR_KEYS_PASS_MAX = 65536, /* a pass that repaired so many ends, and the next goes on */
    LATENCY_BUCKETS = 128,        /* four for each doubling, up to over an hour */
};

/* From core_config; 0 stands for the default in each. Microseconds. */
struct repair_config {
    uint64_t repair_interval_us; /* between passes of anti-entropy */
    uint64_t scrub_interval_us;  /* between passes over the own disk */
    uint64_t confirm_after_us;   /* a difference must still be there after this */
    uint64_t grace_us;           /* a tombstone is kept at least so long */
    uint64_t foreground_p99_us;  /* background work yields while requests take longer */
};

/* The budget of background work, and the latencies it is set by. */
struct background {
    uint64_t interval_end_us;
    uint32_t budget; /* slices an interval */
    uint32_t left;   /* ... of this one */
    uint32_t debt;   /* slices used beyond it, which the next ones pay */
    uint64_t p99_us; /* of the requests of the last seconds; 0: there were none */
    uint64_t window_end_us;
    uint8_t window; /* which of two is being filled; the other is the one before it */
    uint32_t count[2];
    uint32_t bucket[2][LATENCY_BUCKETS];
};

struct repair {
    /* Passes of anti-entropy. */
    bool is_running;
    bool is_resuming;        /* the pass before was cut short: this one is its continuation */
    bool is_wanted;          /* someone asked for a pass, which has not begun */
    bool is_cut;             /* this pass did as much as one may */
    bool is_spoiled;         /* the ring or the own copies changed under it */
    uint64_t due_us;         /* when the next one begins; 0: no ring yet */
    uint64_t wake_us;        /* an early one: a node came back; UINT64_MAX: none */
    uint64_t early_after_us; /* no early one before this */
    uint64_t retry_us;       /* pause after a pass in which a pair failed */
    uint64_t epoch;
    uint16_t first_partition; /* where the pass began, and how far it is: */
    uint16_t offset, primary; /* the next pair */
    uint16_t pairs_open;
    uint16_t pair_slot[PAIRS_MAX]; /* their requests, NO_SLOT between them */
    uint16_t keys_in_flight;
    uint32_t keys_left;
    uint64_t passes, pairs_done, pairs_total, pairs_failed;
    uint8_t vouched[PARTITIONS_MAX / 8]; /* compared, in this pass, with a complete primary */
    bool is_completing;                  /* that the copies are complete is being saved */

    bool is_salvaging;
    bool salvages_hints; /* ... only; the own copies are sound */
    uint64_t salvage_after_us;

    bool is_scrubbing;
    uint16_t scrub_slot;
    uint64_t scrub_due_us;
    bool is_scrub_wanted; /* someone asked for one, which has not begun */
    bool is_scrub_first;  /* a pass that was asked for begins after it */
};

enum source_phase { SOURCE_NONE, SOURCE_WAITING, SOURCE_LEAVING, SOURCE_GIVING, SOURCE_DONE };

/* A node whose place was given to another. */
struct source {
    enum source_phase phase;
    struct ring *ring; /* LEAVING: owned, the one without this node */
    uint64_t leave_by_us;
    uint64_t due_us; /* GIVING: when the next walk begins */
    bool is_walking;
    uint16_t slot;
    uint64_t given, kept_back, unreadable, waiting; /* objects, by this walk */
};

/* True if this node is no member any more, or starts as such. */
bool source_is_on(const struct core *core);
/* True if it is handing over. */
bool source_gives(const struct core *core);
/* A ring that this node is no member of. Takes it. */
void source_take_ring(struct core *core, struct ring *ring);
void source_on_tick(struct core *core);

/* One slice of background work may be done now; false: a tick will come when to ask again. */
bool background_take(struct core *core);
/* A client's request was answered after this long. */
/* A slice was used that could not be put off. */
void background_charge(struct core *core);
void background_note(struct core *core, uint64_t latency_us);

/* MESSAGE_REPAIR (clients may ask), TREE, TREE_KEYS, REAP. */
void repair_on_request(struct core *core, struct event *event);
void repair_on_tick(struct core *core);
/* The store met bytes that cannot be read. */
/* `in_hints`: it is the hints' database, and the own copies go on to count. */
void repair_on_corrupt(struct core *core, bool in_hints);
/* The ring is in force, or a new one. */
void repair_on_ring(struct core *core);
/* A member can be reached (again): what it missed is looked for soon. */
void repair_on_peer_up(struct core *core);
/* Brings the gauges of core->stats up to date. */
void repair_fill_stats(struct core *core);
/* Asserts the invariants of core->repair. */
void repair_verify(const struct core *core);

#endif
