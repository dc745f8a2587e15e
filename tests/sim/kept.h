/*
 * kept.h - what all disks hold together of files in blocks: what a live version names is there,
 * and in the end nothing else is.
 */
#ifndef TESTS_SIM_KEPT_H
#define TESTS_SIM_KEPT_H

#include "tests/sim/check.h"
#include "tests/sim/mounts.h"

/* False, and `why`, if a live version names a block that nobody holds any more, or another than
 * was written. Who is down may hold it, so then nothing is known. */
bool kept_look(struct check *check, const struct mounts *mounts);
/* After settling, long enough after the last version was put: false, and `why`, if a node holds a
 * block that no version names, or a note of a path that has no such version, or of a holder. */
bool kept_is_clean(struct check *check, const struct mounts *mounts);

#endif
