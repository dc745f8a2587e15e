/*
 * refills.h - a node that says that it is complete is looked at there and then: whatever another
 * node has had since before the refill began, it has heard of.
 */
#ifndef TESTS_SIM_REFILLS_H
#define TESTS_SIM_REFILLS_H

#include "tests/sim/check.h"

struct refills;

struct refills *refills_new(struct check *check);
void refills_free(struct refills *refills);
/* Call it after each step of the world. */
void refills_step(struct refills *refills);
/* What a node lacked, the first time, or NULL. */
const char *refills_breach(const struct refills *refills);

#endif
