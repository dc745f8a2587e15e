/*
 * owed.h - no row is forgotten, at any moment: what an object says and its row does not yet is
 * owed by somebody, be it as an intent, a hint or a marker.
 *
 * Looked at in the middle of a run, before another healer has brought the row up. True only
 * where no disk forgets, for an intent is as durable as its object, and no more.
 */
#ifndef TESTS_SIM_OWED_H
#define TESTS_SIM_OWED_H

#include "tests/sim/check.h"

/* False, and `why`, for a row that lags and that nobody owes. Who is down may owe it, so then
 * nothing is known. */
bool owed_check(struct check *check);

#endif
