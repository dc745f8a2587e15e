/*
 * reclaim.h - gives the room of what was deleted back to the file system.
 *
 * LevelDB drops old values when it compacts, and it compacts for the sake of reads: after many
 * deletes it may keep what they deleted for long. That is asked for of all on a full disk, and of
 * a partition when much of it was deleted.
 */
#ifndef NODE_STORE_RECLAIM_H
#define NODE_STORE_RECLAIM_H

#include "node/store/apply.h"

enum { RECLAIM_STEPS = 18, RECLAIM_BYTES_MIN = 8 << 20 };

/* Does one step of RECLAIM_STEPS; together they go through the whole database. Takes long. Any
 * thread, beside requests. */
void store_reclaim(struct store_state *state, unsigned step);
/* The key's copy has so many bytes of content less from now on. Any thread. */
void store_reclaim_note(struct store_state *state, struct slice key, uint64_t bytes);
/* True if it may be worth while to call the next one. */
bool store_reclaim_is_due(const struct store_state *state);
/* Gives back the room of one partition of which at least a quarter was deleted, and
 * RECLAIM_BYTES_MIN, if there is one. Takes long. Any thread, beside requests. */
void store_reclaim_deleted(struct store_state *state);

#endif
