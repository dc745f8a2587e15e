/*
 * anti_entropy.h - passes: every pair of a partition and another of its primaries compared.
 */
#ifndef NODE_CORE_REPAIR_ANTI_ENTROPY_H
#define NODE_CORE_REPAIR_ANTI_ENTROPY_H

#include "node/core/request.h"

extern const struct request_kind complete_kind;

void pass_on_tick(struct core *core);
/* A pass begins soon, though not too soon after the last. */
void pass_wake(struct core *core);
/* What the running pass found does not hold for the copies as they are now. */
void pass_invalidate(struct core *core);

#endif
