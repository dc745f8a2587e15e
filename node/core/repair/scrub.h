/*
 * scrub.h - the own disk read anew, slice by slice.
 */
#ifndef NODE_CORE_REPAIR_SCRUB_H
#define NODE_CORE_REPAIR_SCRUB_H

#include "node/core/request.h"

extern const struct request_kind scrub_kind;

void scrub_on_ring(struct core *core);
void scrub_on_tick(struct core *core);

#endif
