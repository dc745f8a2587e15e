/*
 * state.h - what a node knows: struct core and its parts. For the files of node/core/ alone.
 */
#ifndef NODE_CORE_STATE_H
#define NODE_CORE_STATE_H

#include "node/core/core.h"
#include "node/core/stats.h"

struct request;

enum {
    PEERS_MAX = 2 * MEMBERS_MAX, /* members and seeds */
    PEER_SELF = 0xffff,
    NO_SLOT = 0xffff, /* of the table of requests */
    CLEARED_INTENTS_MAX = 64,
    DRIVER_STATS_MAX = 16,
    PAIRS_MAX = 64,        /* of anti-entropy; most of them wait to be confirmed */
    LATENCY_BUCKETS = 128, /* four for each doubling, up to over an hour */
};

/* A node that this one keeps a connection to. */
struct peer {
    char address[ADDRESS_SIZE];
    bool connected;      /* greeted, and the greeting told what follows */
    bool is_replica;     /* connected, and the member of our ring that lives at this address */
    bool is_suspect;     /* it missed a deadline, and has not answered since */
    uint64_t probe_us;   /* when a suspect is asked again */
    uint64_t pinged_us;  /* when it was last asked; 0: it answered */
    uint64_t backoff_us; /* how long it was left alone last */
    uint64_t well_since_us;
    uint64_t latency_us;   /* smoothed */
    uint64_t deviation_us; /* smoothed */
    node_id node;
    uint64_t cluster_id;
    bool forming;
    bool seeds_equal;       /* while forming: it was told the same set of nodes as we were */
    uint64_t join_after_us; /* when JOIN may be sent to it (again) */
    node_id noted_by;       /* the member here that has taken our incarnation down; 0: none */
    bool has_vouched;       /* ... and had seen an earlier one last */
};

/* May own pairs of earlier incarnations be extended? See vouch.c. */
struct vouch {
    uint64_t incarnation;
    uint64_t nonce; /* 0: not drawn yet */
    uint64_t due_us;
    uint16_t next_member; /* the first to be asked */
    bool is_settled;      /* every member has taken it down */
    bool is_trusted;      /* every member has vouched */
    bool is_old;          /* the data directory is an older copy of itself */
    uint64_t note_after_us;
};

/* When something that was left over is looked after next. */
struct scan_timer {
    uint64_t due_us;
    uint64_t backoff_us;
    bool running;
    bool has_failed; /* hints: something did, since the last look */
};

/* From core_config; 0 stands for the default in each. Microseconds. */
struct repair_config {
    uint64_t repair_interval_us; /* between passes of anti-entropy */
    uint64_t scrub_interval_us;  /* between passes over the own disk */
    uint64_t confirm_after_us;   /* a difference must still be there after this */
    uint64_t grace_us;           /* a tombstone is kept at least so long */
    uint64_t foreground_p99_us;  /* background work yields while requests take longer */
};

/* The budget of background work, and the latencies it is set by. See background.c. */
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

/* See repair/. */
struct repair {
    /* Passes of anti-entropy. */
    bool is_running;
    bool is_resuming;        /* the pass before was cut short: this one is its continuation */
    bool is_wanted;          /* someone asked for a pass, which has not begun */
    bool is_cut;             /* this pass did as much as one may */
    bool is_invalid;         /* the ring or the own copies changed under it */
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

/* A node whose place was given to another. See repair/source.c. */
struct source {
    enum source_phase phase;
    struct ring *ring; /* LEAVING: owned, the one without this node */
    uint64_t leave_by_us;
    uint64_t due_us; /* GIVING: when the next walk begins */
    bool is_walking;
    uint16_t slot;
    uint64_t given, kept_back, unreadable, waiting; /* objects, by this walk */
};

struct core {
    node_id node;
    char address[ADDRESS_SIZE];
    struct ring *ring; /* NULL: none yet */
    int self;          /* index into ring->members */
    uint16_t partition_count, replica_count;
    uint16_t seed_count;
    char (*seeds)[ADDRESS_SIZE]; /* own address included, sorted */

    uint16_t peer_count;
    struct peer peers[PEERS_MAX];
    uint16_t member_peer[MEMBERS_MAX]; /* peer of each ring member; PEER_SELF for this node */

    struct request *requests; /* REQUESTS_MAX */
    uint16_t active_head, free_head;
    uint16_t used_slots; /* those above were never touched: their memory is not there yet */
    uint32_t active_count, client_count;
    size_t bytes_in_flight, bytes_max;

    struct scan_timer scans[2]; /* row intents, revival intents */
    struct scan_timer hints_timer;
    uint32_t hedges; /* tokens, in units of HEDGE_SHARE */
    struct intent cleared[CLEARED_INTENTS_MAX];
    uint16_t cleared_count;
    uint64_t clear_due_us;

    bool started;
    bool draining;
    bool is_adopting;   /* a ring is being saved */
    uint64_t ring_mark; /* of `ring`; 0: none */
    uint64_t split_note_after_us;
    uint64_t refused_epoch; /* of the ring that was refused last */
    uint64_t waits_note_after_us;
    /* Why the node is not let in, or cannot end its refill; or "". */
    char waits[NOTE_TEXT_SIZE];
    bool place_is_new;      /* while joining: the cluster had no member at this address */
    uint64_t hold_until_us; /* the ring is about to change: nobody else may change it */
    bool holds_writes;      /* ... and writes are refused */
    node_id hold_proposer;
    uint64_t due_us;
    uint64_t now_us, wall_us;
    uint64_t random;
    uint64_t clock_note_after_us;
    bool in_step;
    struct outbox *outbox; /* during a step */

    bool completes_alone; /* by hand: a refill may end though no complete copy was met */
    bool is_complete;     /* false: copies may be missing after a lost disk, and do not count */
    struct repair_config repair_config;
    struct repair repair;
    struct background background;
    struct source source;
    struct vouch vouch;

    uint64_t disk_total, disk_free;
    enum disk_state disk_state;
    struct core_stats stats;
    struct statistic driver_stats[DRIVER_STATS_MAX];
    uint16_t driver_stat_count;
};

/* True if this node is no member any more, or starts as such. */
static inline bool source_is_on(const struct core *core)
{
    return core->source.phase != SOURCE_NONE;
}

/* True if it is handing over. */
static inline bool source_gives(const struct core *core)
{
    return core->source.phase == SOURCE_GIVING || core->source.phase == SOURCE_DONE;
}

#endif
