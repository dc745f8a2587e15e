/*
 * load.h - what the database holds under one key, loaded into the batch of a group.
 */
#ifndef NODE_STORE_LOAD_H
#define NODE_STORE_LOAD_H

#include "node/store/apply.h"
#include "node/store/batch.h"

/* The key's object, or its row. The root has no row. */
MUST_CHECK enum status load_part(const struct store_state *state, struct batch *batch,
                                 enum merkle_part part, struct slice key, size_t *ret_index);
/* Takes it for nothing, without a look: what is there cannot be read. */
MUST_CHECK enum status load_none(const struct store_state *state, struct batch *batch,
                                 enum merkle_part part, struct slice key, size_t *ret_index);
/* When a name in the directory appeared or vanished last. */
MUST_CHECK enum status load_names(const struct store_state *state, struct batch *batch,
                                  struct slice directory, size_t *ret_index);
MUST_CHECK enum status load_intent(struct batch *batch, enum intent_kind kind, struct slice key,
                                   size_t *ret_index);
/* To be set, whatever was there. */
MUST_CHECK enum status touch_intent(struct batch *batch, enum intent_kind kind,
                                    struct slice key, size_t *ret_index);

#endif
