/*
 * gather.h - what all disks hold together of a key, own copies and hints: what the cluster would
 * agree upon if it had the time.
 */
#ifndef TESTS_SIM_GATHER_H
#define TESTS_SIM_GATHER_H

#include "tests/sim/check.h"

/* True if all nodes are up: of who is down nothing is known. */
bool gather_is_possible(const struct check *check);
/* The caller unrefs; NULL: nobody holds anything. */
struct object *gather_object(struct check *check, struct slice key);
/* Merges `copy` into `*merged`; takes it. */
void gather_merge(struct object **merged, struct object *copy);

#endif
