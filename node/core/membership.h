/*
 * membership.h - greeting, forming a cluster, taking up new rings.
 */
#ifndef NODE_CORE_MEMBERSHIP_H
#define NODE_CORE_MEMBERSHIP_H

#include "node/core/request.h"

extern const struct request_kind adopt_kind;

void membership_start(struct core *core);
void membership_on_hello(struct core *core, struct event *event);
void membership_on_peer_up(struct core *core, struct event *event);
void membership_on_peer_down(struct core *core, struct event *event);
/* MESSAGE_RING_PUSH of a node. */
void membership_on_push(struct core *core, struct event *event);
void membership_on_response(struct core *core, struct event *event);
void membership_on_tick(struct core *core);
/* A peer knows a newer ring: fetch it. */
void membership_fetch(struct core *core, uint16_t peer);

#endif
