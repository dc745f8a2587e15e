/*
 * check.h - what must be so once everything is mended and some time has passed, by itself: no
 * request of the checker helps the nodes along.
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/graves.h"
#include "tests/sim/history.h"
#include "tests/sim/listing.h"
#include "tests/sim/world.h"

struct check {
    struct world *world;
    const struct history *history;
    int nodes, keys;
    uint8_t w;        /* of all puts */
    bool was_damaged; /* some disk lost a part of what it held */
    bool reaps;       /* tombstones go: what lags has nobody left to say so */
    bool owes_rows;   /* nothing makes a node forget what it owes */
    bool was_jumped;  /* some wall clock was: ages tell nothing */
    struct demand demand;
    bool keeps_copies; /* no disk forgets anything */
    struct graves *graves;
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
/* How many nodes that are up have heard of the version: what was put twice under one write id
 * has a dot for each, and only one of them may have been acknowledged. */
int check_knowing(struct world *world, int nodes, int key, struct dot dot);
/* One node's copy or hints hold it now. */
bool check_holds(struct world *world, int node, int key, uint32_t number);
/* The same of those on which it would be if the power failed now. */
int check_platters(struct world *world, int nodes, int key, uint32_t number);
/* True if all primaries of the key are up and hold a live version of it now. */
bool check_is_known(struct world *world, int nodes, struct slice key);
/* The most versions of the key that a node holds now. */
uint32_t check_versions(struct world *world, int nodes, int key);
/* Carries out a request at the store of a node. Takes it; the caller releases the result. */
struct store_result check_look(struct world *world, int node, struct store_request *request);
/* The own copy of a node that is up, of an object or of its row; the caller unrefs it. False if
 * it cannot be read. */
bool check_read(struct world *world, int node, struct slice key, bool is_row,
                struct object **ret_object);
/* True if a row may know of versions that its object has lost. */
bool check_may_be_ahead(const struct check *check, const struct object *row);
bool check_is_primary(const struct check *check, int node, struct slice key);
/* Merges the copies of an object or row of all its primaries; false, and `why`, if they differ
 * or cannot be read. The caller unrefs. */
bool check_collect(struct check *check, struct slice key, bool is_row,
                   struct object **ret_merged);
/* Compares what is stored then with the history. */
bool check_history(struct check *check);

#endif
