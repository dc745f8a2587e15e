/*
 * salvage.h - what can be read of a damaged database is kept.
 */
#ifndef NODE_CORE_REPAIR_SALVAGE_H
#define NODE_CORE_REPAIR_SALVAGE_H

#include "node/core/request.h"

extern const struct request_kind salvage_kind;

/* The store met bytes that cannot be read. `in_hints`: it is the hints' database, and the own
 * copies go on to count. */
void salvage_on_corrupt(struct core *core, bool in_hints);

#endif
