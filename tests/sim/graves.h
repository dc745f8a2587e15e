/*
 * graves.h - what was deleted stays dead: looked at while faults go on, before any healer has
 * hidden what another did.
 */
#ifndef TESTS_SIM_GRAVES_H
#define TESTS_SIM_GRAVES_H

#include "tests/sim/history.h"
#include "tests/sim/world.h"

struct graves;

/* `world` and `history` are borrowed; the keys are those of load.h. `are_clocks_right`: no wall
 * clock jumps in this run, so that ages tell something. */
struct graves *graves_new(struct world *world, struct history *history, int nodes, int keys,
                          bool are_clocks_right);
void graves_free(struct graves *graves);

/*
 * Looks at every copy, of objects and of rows: a version that a node dropped and that its clock
 * covered does not come back to that node, unless a clock was truncated; and a row's tombstone
 * does not go before its object's. Demanded where no disk forgets. False, and `why`, if one
 * did.
 */
bool graves_look(struct graves *graves, char *why, size_t size);

/*
 * A directory is about to be deleted. If it is known to be empty for good (its rows are dead at
 * so many replicas that each quorum sees it, all that was written below is covered by deletes
 * that were acknowledged, and nobody is about to revive it), it must not be revived unless
 * somebody writes below it later.
 */
void graves_note_removal(struct graves *graves, struct slice directory);
/* After settling. */
bool graves_check(struct graves *graves, char *why, size_t size);

#endif
