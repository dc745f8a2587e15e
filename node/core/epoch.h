/*
 * epoch.h - messages that were placed by another ring.
 */
#ifndef NODE_CORE_EPOCH_H
#define NODE_CORE_EPOCH_H

#include "node/core/state.h"

/* True if a node's request was placed by another ring; counted, and by a ring of the same epoch
 * told. */
bool epoch_is_other(struct core *core, const struct event *event);
/* After core_reply: closes the connection of a node of the other half. */
void epoch_close_split(struct core *core, const struct event *event);
/* There are two rings of one epoch: tells it, once a minute. */
void epoch_note_split(struct core *core);

#endif
