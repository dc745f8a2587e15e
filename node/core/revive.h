/*
 * revive.h - a live row revives its directory.
 */
#ifndef NODE_CORE_REVIVE_H
#define NODE_CORE_REVIVE_H

#include "node/core/request.h"

extern const struct request_kind revive_kind;

bool revive_start(struct core *core, struct request *scan, const struct intent *intent);

#endif
