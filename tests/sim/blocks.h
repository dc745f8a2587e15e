/*
 * blocks.h - after a run with mounts: all files can be read, and space comes back.
 */
#ifndef TESTS_SIM_BLOCKS_H
#define TESTS_SIM_BLOCKS_H

#include "tests/sim/check.h"
#include "tests/sim/mounts.h"

/* In the middle: what the mounts saw, and what all disks hold. False, and `why`, if something is
 * not as it must be. */
bool blocks_look(struct check *check, const struct mounts *mounts);
/*
 * The mounts are gone, everything is mended and has settled. Each file is read; then collectors
 * alone run, and what no version names must be gone, and nothing else.
 */
bool blocks_check(struct check *check, struct mounts *mounts, uint64_t grace_us);

#endif
