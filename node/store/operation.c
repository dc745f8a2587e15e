/*
 * operation.c - the table of operations.
 */
#include "node/store/operation.h"

#include <assert.h>

#include "node/store/apply_internal.h"

enum {
    QUICK_ROWS_MAX = 64,       /* rows of a listing */
    QUICK_INTENTS_MAX = 64,    /* intents to be dropped */
    QUICK_HINTS_MAX = 64,      /* hints to be dropped */
    QUICK_SIZE_MAX = 32 << 10, /* bytes to be hashed and copied: below 0.1 ms */
};

static bool is_always_quick(const struct store_state *state,
                            const struct store_request *request, size_t size)
{
    (void)state;
    (void)request;
    (void)size;
    return true;
}

static bool is_quick_list(const struct store_state *state, const struct store_request *request,
                          size_t size)
{
    (void)state;
    (void)size;
    return request->list.limit <= QUICK_ROWS_MAX && !request->list.live_only;
}

static bool is_quick_write(const struct store_state *state, const struct store_request *request,
                           size_t size)
{
    return !request->sync && size <= QUICK_SIZE_MAX &&
           store_state_has_lease(state, request->wall_us) &&
           state->engine->operations->is_quick(state->engine, size);
}

/* `size`: of all hints that are written. */
static bool is_quick_on_hints(const struct store_state *state,
                              const struct store_request *request, size_t size)
{
    return !request->sync && size <= QUICK_SIZE_MAX &&
           (!state->hints ||
            state->hints->engine->operations->is_quick(state->hints->engine, size));
}

static bool is_quick_hint(const struct store_state *state, const struct store_request *request,
                          size_t size)
{
    return is_quick_on_hints(state, request, size * request->hint.owners.count);
}

static bool is_quick_coordinate_hint(const struct store_state *state,
                                     const struct store_request *request, size_t size)
{
    size_t copies = request->coordinate.owners.count;

    return is_quick_on_hints(state, request, size * copies) &&
           is_quick_write(state, request, size);
}

static bool is_quick_clear_hints(const struct store_state *state,
                                 const struct store_request *request, size_t size)
{
    return request->clear_hints.count <= QUICK_HINTS_MAX &&
           is_quick_on_hints(state, request, size);
}

static bool is_quick_clear_intents(const struct store_state *state,
                                   const struct store_request *request, size_t size)
{
    return request->clear_intents.count <= QUICK_INTENTS_MAX &&
           state->engine->operations->is_quick(state->engine, size);
}

static bool always(const struct store_request *request)
{
    (void)request;
    return true;
}

static bool is_of_directory(const struct store_request *request)
{
    return key_is_directory(blob_slice(request->key));
}

static bool has_directory_object(const struct store_request *request)
{
    return (request->merge.parts & REPLICA_OBJECT) != 0 && is_of_directory(request);
}

static bool has_row(const struct store_request *request)
{
    return request->coordinate.with_row;
}

static bool has_versions(const struct object *object)
{
    return object && object->version_count > 0;
}

static size_t content_size_of_put(const struct store_request *request)
{
    assert(request->coordinate.put);

    const struct version *value = &request->coordinate.put->value;

    return blob_slice(value->content).size + blob_slice(value->xattrs).size;
}

static size_t content_size_of_merge(const struct store_request *request)
{
    return object_content_size(request->merge.object);
}

static size_t content_size_of_hint(const struct store_request *request)
{
    return request->hint.object ? object_content_size(request->hint.object) : 0;
}

/* Deletes go on, and so does what resolves siblings or empties a file. */
static enum room room_of_put(const struct store_request *request)
{
    assert(request->coordinate.put);

    const struct message_put *put = request->coordinate.put;

    if (!put->has_value) {
        return ROOM_NONE;
    }
    bool is_small = put->mode == UPDATE_SOME || blob_slice(put->value.content).size == 0;
    return is_small ? ROOM_VITAL : ROOM_ORDINARY;
}

static enum room room_of_merge(const struct store_request *request)
{
    if (!has_versions(request->merge.object)) {
        return ROOM_NONE;
    }
    return (request->merge.parts & REPLICA_OBJECT) == 0 ? ROOM_VITAL : ROOM_ORDINARY;
}

static enum room room_of_hint(const struct store_request *request)
{
    return has_versions(request->hint.object) ? ROOM_ORDINARY : ROOM_NONE;
}

/* What follows fits functions that need less into the table. */

static enum status run_get_hints(struct store_state *state, struct batch *batch,
                                 const struct store_request *request,
                                 struct store_result *ret_result)
{
    (void)batch;
    return apply_get_hints(state, request, ret_result);
}

static enum status run_list(struct store_state *state, struct batch *batch,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    (void)batch;
    return request->list.live_only ? apply_list_live(state, request, ret_result)
                                   : apply_list(state, request, ret_result);
}

static enum status run_find_live_row(struct store_state *state, struct batch *batch,
                                     const struct store_request *request,
                                     struct store_result *ret_result)
{
    (void)batch;
    return apply_find_live_row(state, request, ret_result);
}

static enum status run_list_intents(struct store_state *state, struct batch *batch,
                                    const struct store_request *request,
                                    struct store_result *ret_result)
{
    (void)batch;
    return apply_list_intents(state, request, ret_result);
}

static enum status run_clear_intents(struct store_state *state, struct batch *batch,
                                     const struct store_request *request,
                                     struct store_result *ret_result)
{
    (void)state;
    (void)ret_result;
    return apply_clear_intents(batch, request);
}

static enum status run_save_ring(struct store_state *state, struct batch *batch,
                                 const struct store_request *request,
                                 struct store_result *ret_result)
{
    (void)batch;
    (void)ret_result;
    return store_state_save_ring(state, request->save_ring.ring,
                                 request->save_ring.mark_incomplete);
}

static enum status run_holds_data(struct store_state *state, struct batch *batch,
                                  const struct store_request *request,
                                  struct store_result *ret_result)
{
    (void)batch;
    (void)request;
    return apply_holds_data(state, ret_result);
}

static enum status run_hint(struct store_state *state, struct batch *batch,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    (void)batch;
    (void)ret_result;
    return apply_hint(state, request);
}

static enum status run_list_hints(struct store_state *state, struct batch *batch,
                                  const struct store_request *request,
                                  struct store_result *ret_result)
{
    (void)batch;
    return apply_list_hints(state, request, ret_result);
}

static enum status run_clear_hints(struct store_state *state, struct batch *batch,
                                   const struct store_request *request,
                                   struct store_result *ret_result)
{
    (void)batch;
    (void)ret_result;
    return apply_clear_hints(state, request);
}

static enum status run_hint_owners(struct store_state *state, struct batch *batch,
                                   const struct store_request *request,
                                   struct store_result *ret_result)
{
    (void)batch;
    (void)request;
    return apply_hint_owners(state, ret_result);
}

static enum status run_tree(struct store_state *state, struct batch *batch,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    (void)batch;
    return apply_tree(state, request, ret_result);
}

static enum status run_tree_keys(struct store_state *state, struct batch *batch,
                                 const struct store_request *request,
                                 struct store_result *ret_result)
{
    (void)batch;
    return apply_tree_keys(state, request, ret_result);
}

static enum status run_scrub(struct store_state *state, struct batch *batch,
                             const struct store_request *request,
                             struct store_result *ret_result)
{
    (void)batch;
    return apply_scrub(state, request, ret_result);
}

static enum status run_salvage(struct store_state *state, struct batch *batch,
                               const struct store_request *request,
                               struct store_result *ret_result)
{
    (void)batch;
    return apply_salvage(state, request, ret_result);
}

static enum status run_reap(struct store_state *state, struct batch *batch,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    (void)ret_result;
    return apply_reap(state, batch, request);
}

/* Both databases. */
static enum status run_sync(struct store_state *state, struct batch *batch,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    (void)batch;
    (void)request;
    (void)ret_result;
    enum status status = store_state_sync(state);
    return status == STATUS_OK ? hint_store_sync(state) : status;
}

static enum status run_vouch(struct store_state *state, struct batch *batch,
                             const struct store_request *request,
                             struct store_result *ret_result)
{
    (void)batch;
    return apply_vouch(state, request, ret_result);
}

static enum status run_trust(struct store_state *state, struct batch *batch,
                             const struct store_request *request,
                             struct store_result *ret_result)
{
    (void)batch;
    (void)ret_result;
    return store_state_trust(state, request->trust.incarnation);
}

static enum status run_set_complete(struct store_state *state, struct batch *batch,
                                    const struct store_request *request,
                                    struct store_result *ret_result)
{
    bool is_complete = request->set_complete.is_complete;
    enum status status = STATUS_OK;

    (void)batch;
    (void)ret_result;
    if (is_complete) {
        status = aside_end(state, request->set_complete.brings_back);
    }
    return status == STATUS_OK ? store_state_set_complete(state, is_complete) : status;
}

/* clang-format off */
static const struct operation operations[] = {
    [STORE_GET] = {.is_read = true, .needs_ring = true,
        .is_quick = is_always_quick, .apply = apply_get},
    [STORE_GET_HINTS] = {.is_read = true, .needs_ring = true, .needs_hints = true,
        .damaged = DAMAGED_HINTS, .is_quick = is_always_quick, .apply = run_get_hints},
    [STORE_COORDINATE] = {.needs_ring = true,
        .is_quick = is_quick_write, .is_alone = is_of_directory, .writes_batch = always,
        .content_size = content_size_of_put, .room = room_of_put, .apply = apply_coordinate},
    [STORE_COORDINATE_HINT] = {.needs_ring = true, .needs_hints = true, .is_on_hints = true,
        .damaged = DAMAGED_HINTS, .is_quick = is_quick_coordinate_hint, .is_alone = is_of_directory,
        .writes_batch = has_row, .content_size = content_size_of_put, .room = room_of_put,
        .apply = apply_coordinate_hint},
    [STORE_MERGE] = {.needs_ring = true,
        .is_quick = is_quick_write, .is_alone = has_directory_object, .writes_batch = always,
        .content_size = content_size_of_merge, .room = room_of_merge, .apply = apply_merge},
    [STORE_LIST] = {.is_read = true, .needs_ring = true, .reads_engine = true,
        .is_quick = is_quick_list, .apply = run_list},
    [STORE_FIND_LIVE_ROW] = {.is_read = true, .needs_ring = true, .reads_engine = true,
        .apply = run_find_live_row},
    [STORE_LIST_INTENTS] = {.is_read = true, .reads_engine = true, .apply = run_list_intents},
    [STORE_CLEAR_INTENTS] = {
        .is_quick = is_quick_clear_intents, .is_alone = always, .writes_batch = always,
        .apply = run_clear_intents},
    [STORE_SAVE_RING] = {.reads_engine = true, .apply = run_save_ring},
    [STORE_HOLDS_DATA] = {.is_read = true, .reads_engine = true, .apply = run_holds_data},
    [STORE_HINT] = {.needs_ring = true, .needs_hints = true, .is_on_hints = true,
        .damaged = DAMAGED_HINTS, .is_quick = is_quick_hint, .content_size = content_size_of_hint,
        .room = room_of_hint, .apply = run_hint},
    [STORE_LIST_HINTS] = {.is_read = true, .needs_hints = true, .damaged = DAMAGED_HINTS,
        .apply = run_list_hints},
    [STORE_CLEAR_HINTS] = {.needs_hints = true, .damaged = DAMAGED_HINTS,
        .is_quick = is_quick_clear_hints, .is_alone = always, .apply = run_clear_hints},
    [STORE_HINT_OWNERS] = {.is_read = true, .needs_hints = true, .damaged = DAMAGED_HINTS,
        .apply = run_hint_owners},
    [STORE_TREE] = {.is_read = true, .needs_ring = true, .reads_engine = true,
        .is_quick = is_always_quick, .apply = run_tree},
    [STORE_TREE_KEYS] = {.is_read = true, .needs_ring = true, .reads_engine = true,
        .apply = run_tree_keys},
    [STORE_SCRUB] = {.needs_ring = true, .reads_engine = true, .is_alone = always,
        .apply = run_scrub},
    [STORE_SALVAGE] = {.reads_engine = true, .resets_batch = true, .is_alone = always,
        .apply = run_salvage},
    [STORE_PROJECT] = {.needs_ring = true, .writes_batch = always, .apply = apply_project},
    [STORE_REAP] = {.needs_ring = true, .damaged = DAMAGED_EITHER, .is_alone = always,
        .writes_batch = always, .apply = run_reap},
    [STORE_SYNC] = {.reads_engine = true, .once_in_row = true, .apply = run_sync},
    [STORE_VOUCH] = {.reads_engine = true, .is_alone = always, .apply = run_vouch},
    [STORE_TRUST] = {.reads_engine = true, .is_alone = always, .apply = run_trust},
    [STORE_SET_COMPLETE] = {.reads_engine = true, .resets_batch = true, .is_alone = always,
        .apply = run_set_complete},
};
/* clang-format on */

const struct operation *operation_of(const struct store_request *request)
{
    assert(request);
    size_t index = (size_t)request->operation;

    return index < sizeof operations / sizeof *operations ? &operations[index] : NULL;
}
