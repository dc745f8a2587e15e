/*
 * check.h - what must be so once everything is mended and some time has passed, by itself: no
 * request of the checker helps the nodes along.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/history.h"
#include "tests/sim/world.h"

struct check {
    struct world *world;
    const struct history *history;
    int nodes, keys;
    uint8_t w;        /* of all puts */
    bool was_damaged; /* some disk lost a part of what it held */
    struct demand demand;
    char why[200]; /* when something is not as it must be */
};

/*
 * Lets time pass, within bounds, until the replicas of every object and row are equal, as are
 * their trees, rows are the projections of their objects, all hints were delivered, all intents
 * carried out, and no node is incomplete. False if the time is over.
 */
bool check_settles(struct check *check);
/* On how many nodes the version of this number is now, be it as a hint; one that is down
 * counts.
 */
int check_copies(struct world *world, int nodes, int key, uint32_t number);
/* Compares what is stored then with the history. */
bool check_history(struct check *check);

#endif
