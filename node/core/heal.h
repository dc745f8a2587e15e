/*
 * heal.h - a bad own copy is fetched anew.
 */
#ifndef NODE_CORE_HEAL_H
#define NODE_CORE_HEAL_H

#include "node/core/state.h"

/* The own copy of the key has a content that does not match its hash. */
void heal_start(struct core *core, struct blob *key);

#endif
