/*
 * join.h - a node asks to be let in.
 */
#ifndef NODE_CORE_JOIN_H
#define NODE_CORE_JOIN_H

#include "node/core/request.h"

extern const struct request_kind join_kind, prepare_kind;

/* MESSAGE_JOIN and MESSAGE_PREPARE of a node. */
void join_on_request(struct core *core, struct event *event);
void prepare_on_request(struct core *core, struct event *event);
/* MESSAGE_REPLACE: the same by hand. */
void replace_on_request(struct core *core, struct event *event);

#endif
