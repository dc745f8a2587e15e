/*
 * intents.h - intents that are done are dropped from the disk.
 */
#ifndef NODE_CORE_INTENTS_H
#define NODE_CORE_INTENTS_H

#include "node/core/state.h"

/* The intent is done: dropped from the disk soon, in company. Takes a reference to key. */
void intents_clear(struct core *core, enum intent_kind kind, struct blob *key, uint64_t stamp);
void intents_on_tick(struct core *core);

#endif
