/*
 * list.h - a listing at its coordinator.
 */
#ifndef NODE_CORE_LIST_H
#define NODE_CORE_LIST_H

#include "node/core/request.h"

extern const struct request_kind list_kind;

void list_on_request(struct core *core, struct event *event);
/* The row of one name, by a quorum. */
bool list_start_child(struct core *core, struct request *parent, struct blob *directory,
                      struct blob *name);

#endif
