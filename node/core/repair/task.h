/*
 * task.h - what the tasks of background repair share.
 */
#ifndef NODE_CORE_REPAIR_TASK_H
#define NODE_CORE_REPAIR_TASK_H

#include "node/core/request.h"

/* How long another node's answer is waited for. */
enum { REPAIR_DEADLINE_US = 5000000 };

/* True if the peer is this node, or can be asked and is not passed over. */
bool repair_may_ask(const struct core *core, uint16_t peer);
/* True if the peer (or this node) is a primary of the entry. */
bool repair_holds(const struct core *core, uint16_t peer, enum merkle_part part,
                  struct slice key);

#endif
