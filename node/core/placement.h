/*
 * placement.h - who holds what, by the ring in force.
 */
#ifndef NODE_CORE_PLACEMENT_H
#define NODE_CORE_PLACEMENT_H

#include "node/core/state.h"

/* True if the peer (or this node) is among the first N of the key. */
bool peer_holds(const struct core *core, uint16_t peer, struct slice key);
/* True if this node is among the first N of the partition. */
bool core_is_primary(const struct core *core, uint16_t partition);
/* The key's primaries, as a store request names them. */
void core_fill_owners(const struct core *core, struct slice key, struct owner_list *owners);
/* How many copies must answer: `wanted`, at most N; 0: a majority. */
uint8_t core_quorum(const struct core *core, uint8_t wanted);

#endif
