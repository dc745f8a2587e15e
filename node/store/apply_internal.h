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
#include "node/store/hints.h"

/* apply_write.c, apply_coordinate.c: these work on the group's batch. */
MUST_CHECK enum status apply_get(struct store_state *state, struct batch *batch,
                                 const struct store_request *request,
                                 struct store_result *ret_result);
MUST_CHECK enum status apply_coordinate(struct store_state *state, struct batch *batch,
                                        const struct store_request *request,
                                        struct store_result *ret_result);
MUST_CHECK enum status apply_coordinate_hint(struct store_state *state, struct batch *batch,
                                             const struct store_request *request,
                                             struct store_result *ret_result);
MUST_CHECK enum status apply_merge(struct store_state *state, struct batch *batch,
                                   const struct store_request *request,
                                   struct store_result *ret_result);
MUST_CHECK enum status apply_clear_intents(struct batch *batch,
                                           const struct store_request *request);
MUST_CHECK enum status apply_project(struct store_state *state, struct batch *batch,
                                     const struct store_request *request,
                                     struct store_result *ret_result);

/* The hints of one kind for the owners of a request, and what they are to become. */
struct hint_set {
    struct hint_store *hints;
    struct hint_change changes[OWNERS_MAX]; /* as they are stored; in the owners' order */
    struct object *objects[OWNERS_MAX];     /* what they become; a reference each */
    size_t count;
};

/* apply_hints.c: an object that came from elsewhere may be stored: STATUS_BAD_MESSAGE if contents
 * are left out, without which it would pass for a copy, or do not match their hash. */
MUST_CHECK enum status object_is_acceptable(const struct object *object);

/* apply_hints.c: hints of several owners at once. Nothing is kept after a failed load. */
MUST_CHECK enum status hint_set_load(struct hint_set *set, struct store_state *state,
                                     struct slice key, const struct owner_list *owners,
                                     enum hint_kind kind);
/* What all of them know, with the first one's own pair; NULL if there is none. */
MUST_CHECK enum status hint_set_merge(const struct hint_set *set, struct object **ret_object);
/* Merges `incoming` into those from `first` on. */
MUST_CHECK enum status hint_set_add(struct hint_set *set, size_t first,
                                    struct object *incoming);
/* Writes what has changed; with `sync` all. Objects that were not set are markers. */
MUST_CHECK enum status hint_set_write(struct hint_set *set, uint64_t wall_us, bool sync);
void hint_set_release(struct hint_set *set);

/* apply_hints.c: these work on the hints' engine alone, at once. state->hints is there. */
MUST_CHECK enum status apply_hint(struct store_state *state,
                                  const struct store_request *request);
MUST_CHECK enum status apply_get_hints(struct store_state *state,
                                       const struct store_request *request,
                                       struct store_result *ret_result);
MUST_CHECK enum status apply_list_hints(struct store_state *state,
                                        const struct store_request *request,
                                        struct store_result *ret_result);
MUST_CHECK enum status apply_clear_hints(struct store_state *state,
                                         const struct store_request *request);
MUST_CHECK enum status apply_hint_owners(struct store_state *state,
                                         struct store_result *ret_result);

/* apply_scan.c: these read the engine, so nothing may be pending. */
MUST_CHECK enum status apply_list(const struct store_state *state,
                                  const struct store_request *request,
                                  struct store_result *ret_result);
/* The range of keys for a listing; `end` holds the directory's prefix. False when memory is
 * short.
 */
MUST_CHECK bool list_range(const struct message_list *list, struct buffer *start,
                           struct buffer *end);
/* apply_list_live.c: a listing of live rows alone, with marks. */
MUST_CHECK enum status apply_list_live(const struct store_state *state,
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

/* apply_tree.c: the first three read the engine, so nothing may be pending. There is a ring.
 * STATUS_BAD_MESSAGE for a partition or cursor that cannot be. */
MUST_CHECK enum status apply_tree(const struct store_state *state,
                                  const struct store_request *request,
                                  struct store_result *ret_result);
MUST_CHECK enum status apply_tree_keys(const struct store_state *state,
                                       const struct store_request *request,
                                       struct store_result *ret_result);
MUST_CHECK enum status apply_scrub(struct store_state *state,
                                   const struct store_request *request,
                                   struct store_result *ret_result);
MUST_CHECK enum status apply_reap(struct store_state *state, struct batch *batch,
                                  const struct store_request *request);

/* aside.c: puts objects and rows aside that are older than `before_us` (UINT64_MAX: all),
 * unless there is no other replica. Their trees are to be built anew. */
MUST_CHECK enum status aside_put_old(struct store_state *state, uint64_t before_us);
/* Is all of the object older? */
bool aside_is_old(const struct object *object, uint64_t before_us);
/* Has anybody else a copy of what this node has? */
bool aside_has_others(const struct store_state *state);
/* The node's copies are complete: drops what was put aside, or merges it in again. Nothing else
 * may use the state. */
MUST_CHECK enum status aside_end(struct store_state *state, bool merges);

/* vouch.c: takes a member's incarnation down, at once. */
MUST_CHECK enum status apply_vouch(struct store_state *state,
                                   const struct store_request *request,
                                   struct store_result *ret_result);

/* apply_salvage.c: keeps what can be read of a damaged database, drops the rest, puts aside
 * what is older than `before_us` (UINT64_MAX: all). Nothing else may use the state. The node's
 * copies are incomplete afterwards. */
MUST_CHECK enum status store_salvage(struct store_state *state, uint64_t before_us,
                                     uint64_t *ret_dropped, struct error *error);
MUST_CHECK enum status apply_salvage(struct store_state *state,
                                     const struct store_request *request,
                                     struct store_result *ret_result);

/* state.c: a copy to be freed; NULL when memory is short. */
struct ring *state_ring_copy(const struct ring *ring);
/* state.c: the partitions are known: makes their trees. */
MUST_CHECK enum status state_begin_partitions(struct store_state *state,
                                              uint16_t partition_count);
/* state.c: from now on no own pair that was opened so far is extended. */
void state_forget_pairs(struct store_state *state);
/* state.c: no own pair that was opened before is extended any more (docs/design.md, rule
 * 2), synced. Nothing else may use the state. */
MUST_CHECK enum status store_state_distrust(struct store_state *state);
/* state.c: writes all settings anew from memory, with the node's copies incomplete, synced. */
MUST_CHECK enum status store_state_restore(struct store_state *state, bool is_salvaging);

#endif
