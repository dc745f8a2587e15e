/*
 * repair.h - the door to background repair.
 */
#ifndef NODE_CORE_REPAIR_REPAIR_H
#define NODE_CORE_REPAIR_REPAIR_H

#include "node/core/request.h"

extern const struct request_kind answer_kind;

/* MESSAGE_REPAIR (clients may ask), TREE, TREE_KEYS, REAP, VOUCH. */
void repair_on_request(struct core *core, struct event *event);
void repair_on_tick(struct core *core);
/* The ring is in force, or a new one. */
void repair_on_ring(struct core *core);
/* A member can be reached (again): what it missed is looked for soon. */
void repair_on_peer_up(struct core *core);
/* Brings the gauges of core->stats up to date. */
void repair_fill_stats(struct core *core);
/* Asserts the invariants of core->repair. */
void repair_verify(const struct core *core);

#endif
