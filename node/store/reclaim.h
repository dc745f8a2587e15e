/*
 * reclaim.h - gives the room of what was deleted back to the file system.
 *
 * LevelDB drops old values when it compacts, and it compacts for the sake of reads: after many
 * deletes it may keep what they deleted for long. On a full disk that is asked for.
 */
#ifndef NODE_STORE_RECLAIM_H
#define NODE_STORE_RECLAIM_H

#include "node/store/apply.h"

enum { RECLAIM_STEPS = 18 };

/* Does one step of RECLAIM_STEPS; together they go through the whole database. Takes long. Any
 * thread, beside requests. */
void store_reclaim(struct store_state *state, unsigned step);

#endif
