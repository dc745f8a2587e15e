/*
 * members.h - the ring in force, and the connections that it asks for.
 */
#ifndef NODE_CORE_MEMBERS_H
#define NODE_CORE_MEMBERS_H

#include "node/core/state.h"

int peer_find(const struct core *core, const char *address);
/* The peer of that address; a new one is connected to. */
uint16_t peer_add(struct core *core, const char *address);
/* A peer counts as a replica only if our ring knows this very node at this address. */
void peer_judge(struct core *core, uint16_t index);
/* Whoever takes up a ring that others made before may lack what they hold for its keys; but for
 * one whose place is new: nobody is added to a cluster that holds data. */
bool members_must_refill(const struct core *core, const struct ring *ring);
/* core->ring is another than before. */
void members_map_peers(struct core *core);
/* The ring is on the disk: from now on keys are placed by it. */
void members_ring_in_force(struct core *core, const struct ring *ring);
/* Tells all members of it. */
void members_push_ring(struct core *core);

#endif
