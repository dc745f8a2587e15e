/*
 * apply.c - a group of requests, carried out in order with one batch of writes.
 */
#include "node/store/apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/batch.h"

enum {
    QUICK_ROWS_MAX = 64,          /* rows of a listing */
    QUICK_INTENTS_MAX = 64,       /* intents to be dropped */
    QUICK_HINTS_MAX = 64,         /* hints to be dropped */
    QUICK_SIZE_MAX = 32 << 10,    /* bytes to be hashed and copied: below 0.1 ms */
    REQUEST_OVERHEAD_SIZE = 1024, /* keys, clock, row and intents beside the contents */
};

/* How a request of the group stands to the batch. */
enum tie {
    TIE_NONE,  /* it neither wrote to the batch nor read from it */
    TIE_BATCH, /* its result is true only if the batch is committed */
};

struct group {
    struct store_state *state;
    const struct store_request *requests;
    struct store_result *results;
    enum tie *ties;
    size_t count;
    size_t committed; /* requests before this one are done */
    bool sync;        /* one of the others asks for it */
    struct batch batch;
};

bool store_request_is_read(const struct store_request *request)
{
    switch (request->operation) {
    case STORE_GET:
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
    case STORE_LIST_INTENTS:
    case STORE_HOLDS_DATA:
    case STORE_LIST_HINTS:
    case STORE_HINT_OWNERS:
    case STORE_TREE:
    case STORE_TREE_KEYS:
        return true;
    case STORE_COORDINATE:
    case STORE_MERGE:
    case STORE_CLEAR_INTENTS:
    case STORE_SAVE_RING:
    case STORE_HINT:
    case STORE_CLEAR_HINTS:
    case STORE_SCRUB:
    case STORE_SALVAGE:
    case STORE_PROJECT:
    case STORE_REAP:
    case STORE_VOUCH:
    case STORE_TRUST:
    case STORE_SYNC:
    case STORE_SET_COMPLETE:
        return false;
    }
    return false;
}

size_t store_request_size(const struct store_request *request)
{
    size_t size = REQUEST_OVERHEAD_SIZE + 2 * blob_slice(request->key).size;

    if (request->put != NULL) {
        size += blob_slice(request->put->value.content).size;
        size += blob_slice(request->put->value.xattrs).size;
    }
    if (request->object != NULL) {
        size += object_content_size(request->object);
    }
    return size;
}

static bool is_quick_hint(const struct store_state *state, const struct store_request *request,
                          size_t size)
{
    size_t copies = request->owner_count > 0 ? request->owner_count : 1;

    return !request->sync && size * copies <= QUICK_SIZE_MAX &&
           (state->hints == NULL ||
            state->hints->engine->operations->is_quick(state->hints->engine, size * copies));
}

bool store_request_is_quick(const struct store_state *state,
                            const struct store_request *request)
{
    size_t size = store_request_size(request);

    switch (request->operation) {
    case STORE_GET:
    case STORE_TREE:
        return true;
    case STORE_LIST:
        return request->list.limit <= QUICK_ROWS_MAX && !request->list.live_only;
    case STORE_HINT:
        return is_quick_hint(state, request, size);
    case STORE_CLEAR_HINTS:
        return request->hint_count <= QUICK_HINTS_MAX && is_quick_hint(state, request, size);
    case STORE_COORDINATE:
        if (request->owner_count > 0 && !is_quick_hint(state, request, size)) {
            return false;
        }
        /* fall through */
    case STORE_MERGE:
        return !request->sync && size <= QUICK_SIZE_MAX &&
               store_state_has_lease(state, request->wall_us) &&
               state->engine->operations->is_quick(state->engine, size);
    case STORE_CLEAR_INTENTS:
        return request->intent_count <= QUICK_INTENTS_MAX &&
               state->engine->operations->is_quick(state->engine, size);
    case STORE_FIND_LIVE_ROW:
    case STORE_LIST_INTENTS:
    case STORE_HOLDS_DATA:
    case STORE_SAVE_RING:
    case STORE_LIST_HINTS:
    case STORE_HINT_OWNERS:
    case STORE_TREE_KEYS:
    case STORE_SCRUB:
    case STORE_SALVAGE:
    case STORE_PROJECT:
    case STORE_REAP:
    case STORE_VOUCH:
    case STORE_TRUST:
    case STORE_SYNC:
    case STORE_SET_COMPLETE:
        return false;
    }
    return false;
}

/* See store_state.directories. */
static bool needs_to_be_alone(const struct store_request *request)
{
    switch (request->operation) {
    case STORE_CLEAR_INTENTS:
    case STORE_CLEAR_HINTS:
    case STORE_SCRUB:
    case STORE_SALVAGE:
    case STORE_REAP:
    case STORE_SET_COMPLETE:
    case STORE_VOUCH:
    case STORE_TRUST:
        return true;
    case STORE_COORDINATE:
        return key_is_directory(blob_slice(request->key));
    case STORE_MERGE:
        return (request->parts & REPLICA_OBJECT) != 0 &&
               key_is_directory(blob_slice(request->key));
    case STORE_GET:
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
    case STORE_LIST_INTENTS:
    case STORE_SAVE_RING:
    case STORE_HOLDS_DATA:
    case STORE_HINT:
    case STORE_LIST_HINTS:
    case STORE_HINT_OWNERS:
    case STORE_TREE:
    case STORE_TREE_KEYS:
    case STORE_PROJECT:
    case STORE_SYNC:
        return false;
    }
    return false;
}

/* Takes the lock that the group needs; false if it needs none. */
static bool lock_directories(const struct group *group)
{
    bool writes = false;
    bool alone = false;

    for (size_t i = 0; i < group->count; i++) {
        writes = writes || !store_request_is_read(&group->requests[i]);
        alone = alone || needs_to_be_alone(&group->requests[i]);
    }
    if (alone) {
        pthread_rwlock_wrlock(&group->state->directories);
    } else if (writes) {
        pthread_rwlock_rdlock(&group->state->directories);
    }
    return writes;
}

/* Leaves nothing in the result but what is said about the failure. */
static void fail_result(struct store_result *result, enum status status)
{
    enum store_operation operation = result->operation;
    uint64_t token = result->token;
    struct blob *text = blob_ref(result->text);
    bool is_bad_copy = result->is_bad_copy;

    store_result_release(result);
    result->operation = operation;
    result->token = token;
    result->status = status;
    result->text = text;
    result->is_bad_copy = is_bad_copy;
}

/* Is it the hints' database that is damaged, not that of the own copies? */
static bool is_hint_damage(const struct group *group, const struct store_request *request)
{
    const struct store_state *state = group->state;
    char text[DAMAGE_TEXT_SIZE] = "";

    switch ((int)request->operation) {
    case STORE_HINT:
    case STORE_LIST_HINTS:
    case STORE_CLEAR_HINTS:
    case STORE_HINT_OWNERS:
        return true;
    case STORE_GET:
    case STORE_COORDINATE:
        return request->owner_count > 0;
    case STORE_REAP:
        state->engine->operations->last_corruption(state->engine, text, sizeof text);
        return state->hints != NULL && atomic_load(&state->hints->is_damaged) &&
               group->batch.damage[0] == '\0' && text[0] == '\0';
    default:
        return false;
    }
}

/* Where it was corrupt: a record, or a file of the engine. */
static void say_where(const struct group *group, const struct store_request *request,
                      struct store_result *result)
{
    char text[DAMAGE_TEXT_SIZE] = "";
    struct engine *engine = group->state->engine;

    if (result->status != STATUS_CORRUPT) {
        return;
    }
    if (is_hint_damage(group, request)) {
        result->is_hint_damage = true;
        engine = group->state->hints->engine;
    }
    if (result->text != NULL) {
        return;
    }
    if (group->batch.damage[0] != '\0') {
        memcpy(text, group->batch.damage, sizeof text);
    } else {
        engine->operations->last_corruption(engine, text, sizeof text);
    }
    if (text[0] == '\0' && group->state->hints != NULL) {
        engine = group->state->hints->engine;
        engine->operations->last_corruption(engine, text, sizeof text);
    }
    result->text = text[0] == '\0' ? NULL : blob_new(slice_of_string(text));
}

/* Commits what the requests up to `end` (left out) have written. */
static void commit(struct group *group, size_t end)
{
    enum status status = batch_commit(&group->batch, group->sync);

    for (size_t i = group->committed; i < end; i++) {
        struct store_result *result = &group->results[i];
        if (status != STATUS_OK && group->ties[i] == TIE_BATCH && result->status == STATUS_OK) {
            fail_result(result, status);
            say_where(group, &group->requests[i], result);
        }
    }
    group->committed = end;
    group->sync = false;
}

static enum status apply_scan(struct group *group, const struct store_request *request,
                              struct store_result *result)
{
    if (request->operation == STORE_LIST && request->list.live_only) {
        return apply_list_live(group->state, request, result);
    }
    if (request->operation == STORE_LIST) {
        return apply_list(group->state, request, result);
    }
    return apply_find_live_row(group->state, request, result);
}

static enum status apply_to_hints(struct store_state *state,
                                  const struct store_request *request,
                                  struct store_result *result)
{
    if (request->operation == STORE_LIST_HINTS) {
        return apply_list_hints(state, request, result);
    }
    if (request->operation == STORE_CLEAR_HINTS) {
        return apply_clear_hints(state, request);
    }
    return apply_hint_owners(state, result);
}

static enum status apply_to_trees(struct store_state *state,
                                  const struct store_request *request,
                                  struct store_result *result)
{
    if (request->operation == STORE_TREE) {
        return apply_tree(state, request, result);
    }
    if (request->operation == STORE_TREE_KEYS) {
        return apply_tree_keys(state, request, result);
    }
    return apply_scrub(state, request, result);
}

static enum status set_complete(struct store_state *state, const struct store_request *request)
{
    enum status status = STATUS_OK;

    if (request->is_complete) {
        status = aside_end(state, request->brings_back);
    }
    return status == STATUS_OK ? store_state_set_complete(state, request->is_complete) : status;
}

/* Both databases. Of several in a row the first does it for all. */
static enum status sync_all(const struct group *group, size_t i)
{
    if (i > 0 && group->requests[i - 1].operation == STORE_SYNC) {
        return group->results[i - 1].status;
    }
    enum status status = store_state_sync(group->state);
    return status == STATUS_OK ? hint_store_sync(group->state) : status;
}

/* One request, with its tie to the batch. */
static enum status apply_one(struct group *group, size_t i)
{
    struct store_state *state = group->state;
    const struct store_request *request = &group->requests[i];
    struct store_result *result = &group->results[i];
    struct batch *batch = &group->batch;
    bool has_ring = state->partition_count > 0;
    bool is_ready = has_ring && state->hints != NULL;

    batch->trees = has_ring ? state->trees : NULL;
    switch (request->operation) {
    case STORE_GET:
        if (request->owner_count > 0) {
            return is_ready ? apply_get_hints(state, request, result) : STATUS_NOT_READY;
        }
        return has_ring ? apply_get(state, batch, request, result) : STATUS_NOT_READY;
    case STORE_COORDINATE:
        if (request->owner_count > 0 && !is_ready) {
            return STATUS_NOT_READY;
        }
        return has_ring ? apply_coordinate(state, batch, request, result) : STATUS_NOT_READY;
    case STORE_MERGE:
        return has_ring ? apply_merge(state, batch, request, result) : STATUS_NOT_READY;
    case STORE_CLEAR_INTENTS:
        return apply_clear_intents(batch, request);
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
        commit(group, i);
        return has_ring ? apply_scan(group, request, result) : STATUS_NOT_READY;
    case STORE_LIST_INTENTS:
        commit(group, i);
        return apply_list_intents(state, request, result);
    case STORE_HOLDS_DATA:
        commit(group, i);
        return apply_holds_data(state, result);
    case STORE_SAVE_RING:
        commit(group, i);
        return store_state_save_ring(state, request->ring, request->mark_incomplete);
    case STORE_HINT:
        return is_ready ? apply_hint(state, request) : STATUS_NOT_READY;
    case STORE_LIST_HINTS:
    case STORE_CLEAR_HINTS:
    case STORE_HINT_OWNERS:
        return state->hints == NULL ? STATUS_NOT_READY : apply_to_hints(state, request, result);
    case STORE_TREE:
    case STORE_TREE_KEYS:
    case STORE_SCRUB:
        commit(group, i);
        return has_ring ? apply_to_trees(state, request, result) : STATUS_NOT_READY;
    case STORE_PROJECT:
        return has_ring ? apply_project(state, batch, request, result) : STATUS_NOT_READY;
    case STORE_REAP:
        return has_ring ? apply_reap(state, batch, request) : STATUS_NOT_READY;
    case STORE_VOUCH:
        commit(group, i);
        return apply_vouch(state, request, result);
    case STORE_TRUST:
        commit(group, i);
        return store_state_trust(state, request->incarnation);
    case STORE_SYNC:
        commit(group, i);
        return sync_all(group, i);
    case STORE_SET_COMPLETE:
    case STORE_SALVAGE:
        commit(group, i);
        /* What it has read may not be so any more. */
        batch_release(batch);
        return request->operation == STORE_SALVAGE ? apply_salvage(state, request, result)
                                                   : set_complete(state, request);
    }
    return STATUS_BAD_MESSAGE;
}

/* Hints and settings are written at once, and so are trees that a scrub has built. */
static bool writes_to_batch(const struct store_request *request)
{
    switch (request->operation) {
    case STORE_COORDINATE:
        return request->owner_count == 0 || request->with_row;
    case STORE_MERGE:
    case STORE_CLEAR_INTENTS:
    case STORE_PROJECT:
    case STORE_REAP:
        return true;
    case STORE_HINT:
    case STORE_CLEAR_HINTS:
    case STORE_SAVE_RING:
    case STORE_SCRUB:
    case STORE_SALVAGE:
    case STORE_VOUCH:
    case STORE_TRUST:
    case STORE_SYNC:
    case STORE_SET_COMPLETE:
    case STORE_GET:
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
    case STORE_LIST_INTENTS:
    case STORE_HOLDS_DATA:
    case STORE_LIST_HINTS:
    case STORE_HINT_OWNERS:
    case STORE_TREE:
    case STORE_TREE_KEYS:
        return false;
    }
    return false;
}

static bool has_versions(const struct object *object)
{
    return object != NULL && object->version_count > 0;
}

/*
 * Is there room for what the request adds? On a full disk deletes go on, and so does what
 * resolves siblings or empties a file, as long as the room kept for it lasts.
 */
static bool has_room(const struct store_state *state, const struct store_request *request)
{
    const struct message_put *put = request->put;
    struct engine *engine = state->engine;
    bool is_vital = false;

    if (request->owner_count > 0 && state->hints != NULL) {
        engine = state->hints->engine;
    }
    if (request->operation == STORE_COORDINATE && put->has_value) {
        is_vital = put->mode == UPDATE_SOME || blob_slice(put->value.content).size == 0;
    } else if (request->operation == STORE_MERGE && has_versions(request->object)) {
        is_vital = (request->parts & REPLICA_OBJECT) == 0;
    } else if (request->operation != STORE_HINT || !has_versions(request->object)) {
        return true;
    }
    return engine_has_room(engine, store_request_size(request), is_vital);
}

/* STATUS_NO_SPACE for a write that the disk has no room for. */
static enum status may_apply(struct store_state *state, const struct store_request *request)
{
    if (store_request_is_read(request)) {
        return STATUS_OK;
    }
    enum status status = store_state_mark(state, request->wall_us);
    bool fits = status != STATUS_OK || has_room(state, request);
    return fits ? status : STATUS_NO_SPACE;
}

static void apply_all(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct store_request *request = &group->requests[i];
        struct store_result *result = &group->results[i];

        group->batch.has_read_pending = false;
        group->batch.damage[0] = '\0';
        enum status status = may_apply(group->state, request);
        status = status == STATUS_OK ? apply_one(group, i) : status;
        if (status != STATUS_OK) {
            fail_result(result, status);
            say_where(group, request, result);
        }
        bool writes = writes_to_batch(request);
        bool is_tied = writes || group->batch.has_read_pending;
        group->ties[i] = is_tied ? TIE_BATCH : TIE_NONE;
        group->sync = group->sync || (status == STATUS_OK && request->sync && writes);
    }
    commit(group, group->count);
}

void store_apply(struct store_state *state, const struct store_request *requests, size_t count,
                 struct store_result *ret_results)
{
    assert(state != NULL && count > 0);

    struct group group = {
        .state = state,
        .requests = requests,
        .results = ret_results,
        .ties = calloc(count, sizeof(enum tie)),
        .count = count,
        .batch = {.engine = state->engine},
    };

    for (size_t i = 0; i < count; i++) {
        ret_results[i] = (struct store_result){
            .operation = requests[i].operation,
            .token = requests[i].token,
            .status = group.ties == NULL ? STATUS_NO_MEMORY : STATUS_OK,
        };
    }
    if (group.ties == NULL) {
        return;
    }
    bool is_locked = lock_directories(&group);
    apply_all(&group);
    if (is_locked) {
        pthread_rwlock_unlock(&state->directories);
    }
    batch_release(&group.batch);
    free(group.ties);
}
