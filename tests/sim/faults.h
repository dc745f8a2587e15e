/*
 * faults.h - what goes wrong, drawn per seed: each run has its own mix (swarm testing).
 *
 * The budget: a run has one or two victims, the only nodes that lose data for good, be it by
 * power cuts, a lost disk or a damaged block (of hints too). In some runs power cuts hit any
 * node, and all at once. A second disk is not lost or damaged before the first one's node has
 * refilled. Everything else may hit any node at any time.
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/load.h"
#include "tests/sim/world.h"

enum fault {
    FAULT_KILL,      /* kill -9; the disk stays */
    FAULT_PAUSE,     /* SIGSTOP */
    FAULT_CUT,       /* links from a node, in one direction */
    FAULT_ISOLATE,   /* a node from all others */
    FAULT_SPLIT,     /* two groups from each other */
    FAULT_LOSS,      /* single messages vanish; connections stay */
    FAULT_DUPLICATE, /* messages arrive twice */
    FAULT_REORDER,   /* messages overtake one another */
    FAULT_SLOW_LINK, /* links take 10 to 1,000 times as long */
    FAULT_SLOW_DISK,
    FAULT_CLOCK,     /* a wall clock jumps, by up to ten minutes either way, or drifts */
    FAULT_FULL,      /* a disk is full for a while */
    FAULT_CLIENT,    /* a client dies */
    FAULT_POWER,     /* kill, and what was not synced is lost */
    FAULT_LOST,      /* a node comes back with an empty disk */
    FAULT_DAMAGED,   /* some keys of a disk cannot be read any more */
    FAULT_HINTS,     /* the same of what is kept for others */
    FAULT_UNMOUNTED, /* a node starts with an empty disk in the place of its own, which comes
                        back later; in lives that name it */
    FAULT_PUT_BACK,  /* a node's disks are put back from a backup, or one is made; so, too */
    FAULT_COUNT,
};

struct faults;

struct faults_options {
    int nodes;
    int victims;             /* 0: no disk forgets anything */
    bool power_anywhere;     /* power cuts hit any node, not just victims */
    uint64_t outage_us;      /* nodes are down and links are cut at most so long */
    uint32_t kinds;          /* 1 << FAULT_...; 0: drawn */
    uint64_t mean_us;        /* between faults; 0: drawn */
    uint8_t cuts_after_sync; /* of a hundred synced puts: the power fails everywhere once it was
                                acknowledged */
    uint8_t strikes;    /* of a hundred puts: the coordinator dies once its own copy is stored,
                           by power where it is a victim, or is killed, as kinds allow */
    uint64_t strike_us; /* ... at most so long after */
    bool drops_intents; /* row intents are forgotten all the time */
    uint64_t away_max_us;   /* until a disk that was not mounted is back */
    bool holds_hints;       /* none is handed over before everything is mended */
    bool one_at_a_time;     /* none begins before the last one is over */
    uint8_t lost_behind;    /* of a hundred times that a node is isolated: a victim's disk is
                                lost meanwhile; what both missed is in one place then */
    uint8_t hidden_sources; /* of a hundred refills: that place is out of reach as soon as the
                                victim is let in */
    uint8_t forgets;        /* of a hundred puts through a victim: that forgets at once, and
                                clients come back to it first */
};

/* Draws which faults this run has and how often, from the world's seed. */
struct faults *faults_new(struct world *world, struct load *load,
                          const struct faults_options *options);
void faults_free(struct faults *faults);
/* Begins and ends faults that are due; call it after each step of the world. */
void faults_step(struct faults *faults);
/* Mends everything: links, pauses, clocks; starts what is down. */
void faults_heal(struct faults *faults);
/* With everything mended: what a victim kept for others is damaged, and a start meets it. */
void faults_damage_late(struct faults *faults);
/* Mends all but `dead` nodes, drawn at random, which stay away: down, stopped or cut off. Which
 * (bits). */
uint32_t faults_heal_core(struct faults *faults, int dead);
/* How often a node or the links were mended so far. */
uint64_t faults_mended(const struct faults *faults);
uint64_t faults_count(const struct faults *faults, enum fault fault);
const char *fault_name(enum fault fault);

#endif
