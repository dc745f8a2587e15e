/*
 * apply_internal.h - the parts of apply.c: one function for each kind of request.
 *
 * All take the request and fill its result, but for status, operation and token. A function
 * that fails has set nothing in the batch.
 */
#ifndef NODE_STORE_APPLY_INTERNAL_H
#define NODE_STORE_APPLY_INTERNAL_H

#include "node/store/apply.h"
#include "node/store/batch.h"

/* apply_write.c: these work on the group's batch. */
MUST_CHECK enum status apply_get(struct store_state *state, struct batch *batch,
                                 const struct store_request *request,
                                 struct store_result *ret_result);
MUST_CHECK enum status apply_coordinate(struct store_state *state, struct batch *batch,
                                        const struct store_request *request,
                                        struct store_result *ret_result);
MUST_CHECK enum status apply_merge(struct store_state *state, struct batch *batch,
                                   const struct store_request *request,
                                   struct store_result *ret_result);
MUST_CHECK enum status apply_clear_intents(struct batch *batch,
                                           const struct store_request *request);

/* apply_scan.c: these read the engine, so nothing may be pending. */
MUST_CHECK enum status apply_list(const struct store_state *state,
                                  const struct store_request *request,
                                  struct store_result *ret_result);
MUST_CHECK enum status apply_find_live_row(const struct store_state *state,
                                           const struct store_request *request,
                                           struct store_result *ret_result);
MUST_CHECK enum status apply_list_intents(const struct store_state *state,
                                          const struct store_request *request,
                                          struct store_result *ret_result);
MUST_CHECK enum status apply_holds_data(const struct store_state *state,
                                        struct store_result *ret_result);

#endif
