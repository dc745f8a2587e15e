/*
 * apply.c - a group of requests, carried out in order with one batch of writes.
 */
#include "node/store/apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/hints.h"
#include "node/store/operation.h"

enum {
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
    const struct operation *operation = operation_of(request);

    return operation && operation->is_read;
}

size_t store_request_size(const struct store_request *request)
{
    const struct operation *operation = operation_of(request);
    size_t size = REQUEST_OVERHEAD_SIZE + 2 * blob_slice(request->key).size;

    return operation && operation->content_size ? size + operation->content_size(request)
                                                : size;
}

bool store_request_is_quick(const struct store_state *state,
                            const struct store_request *request)
{
    const struct operation *operation = operation_of(request);

    return operation && operation->is_quick &&
           operation->is_quick(state, request, store_request_size(request));
}

static bool needs_to_be_alone(const struct store_request *request)
{
    const struct operation *operation = operation_of(request);

    return operation && operation->is_alone && operation->is_alone(request);
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
    assert(status != STATUS_OK);

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
    const struct operation *operation = operation_of(request);
    char text[DAMAGE_TEXT_SIZE] = "";

    if (!operation || operation->damaged != DAMAGED_EITHER) {
        return operation && operation->damaged == DAMAGED_HINTS;
    }
    state->engine->operations->last_corruption(state->engine, text, sizeof text);
    return state->hints &&
           (atomic_load(&state->hints->is_damaged) ||
            atomic_load(&state->hints->is_unjudged)) &&
           group->batch.damage[0] == '\0' && text[0] == '\0';
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
    if (result->text) {
        return;
    }
    if (group->batch.damage[0] != '\0') {
        memcpy(text, group->batch.damage, sizeof text);
    } else {
        engine->operations->last_corruption(engine, text, sizeof text);
    }
    if (text[0] == '\0' && group->state->hints) {
        engine = group->state->hints->engine;
        engine->operations->last_corruption(engine, text, sizeof text);
    }
    result->text = text[0] == '\0' ? NULL : blob_new(slice_of_string(text));
}

/* Commits what the requests up to `end` (left out) have written. */
static void commit(struct group *group, size_t end)
{
    assert(group->committed <= end && end <= group->count);

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

/* One request. What it wrote or read is in the group's batch. */
static enum status apply_one(struct group *group, size_t i)
{
    assert(group->committed <= i && i < group->count);

    struct store_state *state = group->state;
    const struct store_request *request = &group->requests[i];
    const struct operation *operation = operation_of(request);
    bool has_ring = state->partition_count > 0;

    if (!operation) {
        return STATUS_BAD_MESSAGE;
    }
    group->batch.trees = has_ring ? state->trees : NULL;
    if (operation->reads_engine) {
        commit(group, i);
    }
    if (operation->resets_batch) {
        batch_release(&group->batch);
    }
    if ((operation->needs_ring && !has_ring) || (operation->needs_hints && !state->hints)) {
        return STATUS_NOT_READY;
    }
    if (operation->once_in_row && i > 0 &&
        group->requests[i - 1].operation == request->operation) {
        return group->results[i - 1].status;
    }
    return operation->apply(state, &group->batch, request, &group->results[i]);
}

static bool writes_to_batch(const struct store_request *request)
{
    const struct operation *operation = operation_of(request);

    return operation && operation->writes_batch && operation->writes_batch(request);
}

/*
 * Is there room for what the request adds? On a full disk deletes go on, and so does what
 * resolves siblings or empties a file, as long as the room kept for it lasts.
 */
static bool has_room(const struct store_state *state, const struct store_request *request)
{
    const struct operation *operation = operation_of(request);
    enum room room = !operation || !operation->room ? ROOM_NONE : operation->room(request);
    bool is_on_hints = operation && operation->is_on_hints && state->hints;

    return room == ROOM_NONE ||
           engine_has_room(is_on_hints ? state->hints->engine : state->engine,
                           store_request_size(request), room == ROOM_VITAL);
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
    assert(state && requests && ret_results);
    assert(count > 0);

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
            .status = !group.ties ? STATUS_NO_MEMORY : STATUS_OK,
        };
    }
    if (!group.ties) {
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
