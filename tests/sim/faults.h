/*
 * faults.h - what goes wrong, drawn per seed: each run has its own mix (swarm testing).
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/world.h"

enum fault {
    FAULT_KILL,    /* kill -9; the disk stays */
    FAULT_PAUSE,   /* SIGSTOP */
    FAULT_CUT,     /* a link, in one direction */
    FAULT_ISOLATE, /* a node from all others */
    FAULT_CLOCK,   /* a wall clock jumps, by up to ten minutes either way */
    FAULT_POWER,   /* kill, and what was not synced is lost: of one node in a run, or of any */
    FAULT_FULL,    /* a disk is full for a while */
    FAULT_COUNT,
};

struct faults;

/* Draws which faults this run has and how often, from the world's seed. `power_anywhere`: power
 * cuts hit any node, not just one. */
struct faults *faults_new(struct world *world, int nodes, bool power_anywhere);
void faults_free(struct faults *faults);
/* Begins and ends faults that are due; call it after each step of the world. */
void faults_step(struct faults *faults);
/* Mends everything: links, pauses, clocks; starts what is down. */
void faults_heal(struct faults *faults);
uint64_t faults_count(const struct faults *faults, enum fault fault);
const char *fault_name(enum fault fault);

#endif
