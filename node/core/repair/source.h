/*
 * source.h - a node whose place was given to another hands over what it holds.
 */
#ifndef NODE_CORE_REPAIR_SOURCE_H
#define NODE_CORE_REPAIR_SOURCE_H

#include "node/core/request.h"

extern const struct request_kind source_walk_kind;

/* A ring that this node is no member of. Takes it. */
void source_take_ring(struct core *core, struct ring *ring);
void source_on_tick(struct core *core);

#endif
