/*
 * sweep.h - drops records of the engine that are not good.
 *
 * Bounded: so many keys at a time are held in memory, however many go.
 */
#ifndef NODE_STORE_SWEEP_H
#define NODE_STORE_SWEEP_H

#include "node/store/engine.h"

/* True if the record may stay. Must not call the engine. */
typedef bool sweep_is_good(void *context, struct slice key, struct slice value);

/* Drops the records whose key begins with `kind` and that are not good, not synced. Adds their
 * number to ret_dropped. STATUS_CORRUPT if some could not be looked at; the others were. */
MUST_CHECK enum status sweep(struct engine *engine, char kind, sweep_is_good *is_good,
                             void *context, uint64_t *ret_dropped);

#endif
