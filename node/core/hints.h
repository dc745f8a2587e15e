/*
 * hints.h - what is kept for members that were away is handed over to them.
 */
#ifndef NODE_CORE_HINTS_H
#define NODE_CORE_HINTS_H

#include "node/core/request.h"

extern const struct request_kind hints_kind;

/* MESSAGE_DROP_HINTS */
void hints_on_drop(struct core *core, struct event *event);
void hints_on_tick(struct core *core);

#endif
