/*
 * copies.h - copies whose content does not match its hash are refused.
 */
#ifndef NODE_CORE_COPIES_H
#define NODE_CORE_COPIES_H

#include "node/core/state.h"

/* A note about a key; bytes that would break a line of the log are replaced. */
void note_key(struct core *core, enum note note, struct slice key);
/* A copy of the key came whose content does not match its hash: counted and told. */
void copy_refused(struct core *core, struct slice key);
/* True if the received copy's contents match their hashes; else it was counted as refused. */
bool copy_is_sound(struct core *core, struct slice key, const struct object *object);

#endif
