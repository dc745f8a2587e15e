/*
 * background.h - how much background work may go on.
 */
#ifndef NODE_CORE_BACKGROUND_H
#define NODE_CORE_BACKGROUND_H

#include "node/core/state.h"

enum { TURN_AFTER_US = 50000 }; /* whoever got no slice asks again after this */

/* One slice of background work may be done now; false: a tick will come when to ask again. */
bool background_take(struct core *core);
/* A slice was used that could not be put off. */
void background_charge(struct core *core);
/* A client's request was answered after this long. */
void background_note(struct core *core, uint64_t latency_us);

#endif
