/*
 * plan.h - what a run is: sizes, clients, faults, all drawn from its seed.
 *
 * A life is a way to draw them. Which one a seed has is drawn too, unless it is forced.
 */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "tests/sim/faults.h"
#include "tests/sim/load.h"
#include "tests/sim/world.h"

enum life {
    LIFE_SWARM,  /* anything goes */
    LIFE_CUTS,   /* kills and power cuts at a steady pace, half of all requests delete */
    LIFE_CALM,   /* nothing fails: what is promised of a quiet cluster holds for any size */
    LIFE_SINGLE, /* one fault at a time: all else goes on */
    LIFE_DARK,   /* the power fails everywhere, mostly when a synced put was acknowledged */
    LIFE_HINTS,  /* links fail, and hints, markers and intents alone mend it */
    LIFE_ROWS,   /* row intents are forgotten: scrubbing alone brings rows up */
    LIFE_COUNT,
    LIFE_DRAWN = LIFE_COUNT,
};

struct plan {
    enum life life;
    struct world_options world;
    struct load_options load;
    struct faults_options faults;
    bool reaps_after; /* looks again when tombstones have been reaped */
    int dead;         /* after the faults so many nodes stay away for good, for a while */
};

struct plan plan_draw(uint64_t seed, enum life life);
const char *life_name(enum life life);
/* LIFE_COUNT if there is none of that name. */
enum life life_of_name(const char *name);

#endif
