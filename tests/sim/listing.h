/*
 * listing.h - what a listing answered, and whether it is what it must be.
 */
#ifndef TESTS_SIM_LISTING_H
#define TESTS_SIM_LISTING_H

#include "ring/row.h"
#include "tests/sim/history.h"

enum { LISTING_ROWS_MAX = 64 };

/* All pages of one listing, one after the other. */
struct listing {
    struct slice directory; /* borrowed */
    size_t count;
    struct row rows[LISTING_ROWS_MAX];
    bool is_overfull; /* more rows than there are names */
};

/* Takes the rows out of a page; the caller frees the array. False if one is no row. */
bool listing_take(struct listing *listing, struct row *rows, size_t count);
void listing_release(struct listing *listing);
/* Each name once, in order. */
bool listing_is_in_order(const struct listing *listing);

/*
 * Always: each name once, in order, and nothing in it that nobody wrote. `is_current`: it shows
 * each write acknowledged before it began that nothing superseded since, each name whose write
 * was acknowledged then and that nobody removed since, and no version that an acknowledged put
 * or delete had in its context by then. On a breach fills `why` and returns false.
 */
bool listing_check(const struct listing *listing, const struct history *history,
                   uint32_t before, bool is_current, char *why, size_t size);

#endif
