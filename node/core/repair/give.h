/*
 * give.h - one object that a source holds goes to its primaries.
 */
#ifndef NODE_CORE_REPAIR_GIVE_H
#define NODE_CORE_REPAIR_GIVE_H

#include "node/core/request.h"

extern const struct request_kind give_kind;

/* The own copy, or what is kept for `owner`. False: not now. The walk hears of the end. */
bool give_start(struct core *core, struct request *walk, struct blob *key, node_id owner);

#endif
