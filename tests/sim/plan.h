/*
 * plan.h - what a run is: sizes, clients, faults, all drawn from its seed.
 *
 * A life is a way to draw them. Which one a seed has is drawn too, unless it is forced.
 */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "tests/sim/faults.h"
#include "tests/sim/load.h"
#include "tests/sim/mounts.h"
#include "tests/sim/world.h"

/* Lives are rows of a table in lives.c; 0 is the swarm. */
enum { LIFE_COUNT = 14, LIFE_DRAWN = LIFE_COUNT };

struct plan {
    int life;
    bool is_calm; /* nothing fails but clients */
    struct world_options world;
    struct load_options load;
    struct faults_options faults;
    struct mounts_options mounts; /* in the life blocks */
    bool reaps_after;             /* looks again when tombstones have been reaped */
    bool damages_after;           /* ... and what was kept for others once, then; looks again */
    int dead; /* after the faults so many nodes stay away for good, for a while */
};

/* `life`: an index, or LIFE_DRAWN. */
struct plan plan_draw(uint64_t seed, int life);
/* True if such faults may happen. */
bool plan_may_have(const struct plan *plan, enum fault fault);
/* The next random number below `count`. */
uint64_t plan_number(uint64_t *state, uint64_t count);

/* lives.c */
int life_of_seed(uint64_t seed);
/* Changes the swarm's plan to that of a life. */
void life_draw(int life, uint64_t *state, struct plan *plan);
const char *life_name(int life);
/* LIFE_COUNT if there is none of that name. */
int life_of_name(const char *name);

#endif
