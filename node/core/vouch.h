/*
 * vouch.h - a node asks the others whether it is who it was.
 */
#ifndef NODE_CORE_VOUCH_H
#define NODE_CORE_VOUCH_H

#include "node/core/state.h"

/* The members are others than before. */
void vouch_on_ring(struct core *core);
/* A member can be asked now. */
void vouch_wanted(struct core *core);
void vouch_on_tick(struct core *core);
void vouch_on_reply(struct core *core, struct event *event);
/* An object knows of writes by this node that this node knows nothing of. */
void vouch_on_outdone(struct core *core);

#endif
