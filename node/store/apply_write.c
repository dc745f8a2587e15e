/*
 * apply_write.c - requests for one key: read, merge and write.
 *
 * Each makes a plan first: it loads what it needs and computes what the key's object, its row
 * and the intents will be. Only a plan that is whole is set in the batch.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/birth.h"
#include "node/store/layout.h"
#include "node/wire/payload.h"
#include "node/wire/record.h"
#include "ring/mark.h"
#include "ring/planted.h"

/* What a COORDINATE or MERGE is about to write. */
struct plan {
    struct store_state *state;
    struct batch *batch;
    struct slice key;
    uint64_t wall_us;
    struct object *object; /* the copy after it, one reference; NULL if there is none */
    struct object *row;    /* the same for its row */
    uint64_t stamp;        /* for all intents of this request; 0: none taken yet */
    size_t object_index;   /* entries of the batch, each with the flag below */
    size_t row_index;
    size_t names_index;
    size_t row_intent_index;
    size_t self_index;
    size_t parent_index;
    bool sync;        /* what is merged is written even if it is unchanged */
    bool over_damage; /* what cannot be read is taken for nothing */
    bool has_object;
    bool has_row;
    bool has_row_intent;
    uint64_t names_us;   /* what the directory's record is to be; 0: it stays */
    bool revives_self;   /* the key is a directory that is not live */
    bool revives_parent; /* a live row under a directory that is not live */
};

static void plan_release(struct plan *plan)
{
    object_unref(plan->object);
    object_unref(plan->row);
}

static struct position *live_slot(struct live_directories *live,
                                  const struct position *position)
{
    unsigned slot = (unsigned)position->byte[0] << 8 | position->byte[1];

    return &live->entry[slot % LIVE_DIRECTORIES_MAX];
}

static bool live_has(struct live_directories *live, const struct position *position)
{
    pthread_mutex_lock(&live->lock);
    bool has = memcmp(live_slot(live, position), position, sizeof *position) == 0;
    pthread_mutex_unlock(&live->lock);
    return has;
}

static void live_add(struct live_directories *live, const struct position *position)
{
    pthread_mutex_lock(&live->lock);
    *live_slot(live, position) = *position;
    pthread_mutex_unlock(&live->lock);
}

static void live_remove(struct live_directories *live, struct slice directory)
{
    struct position position = position_of(directory);

    pthread_mutex_lock(&live->lock);
    struct position *slot = live_slot(live, &position);
    if (memcmp(slot, &position, sizeof position) == 0) {
        memset(slot, 0, sizeof *slot);
    }
    pthread_mutex_unlock(&live->lock);
}

static enum status load_object(struct store_state *state, struct batch *batch, struct slice key,
                               size_t *ret_index)
{
    struct buffer buffer = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_object(&buffer, state->partition_count, key);
    if (!buffer.failed) {
        status = batch_load_object(batch, buffer_slice(&buffer), ret_index);
    }
    buffer_release(&buffer);
    return status;
}

static enum status load_row(struct store_state *state, struct batch *batch, struct slice key,
                            size_t *ret_index)
{
    struct buffer buffer = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_row_of(&buffer, state->partition_count, key);
    if (!buffer.failed) {
        status = batch_load_object(batch, buffer_slice(&buffer), ret_index);
    }
    buffer_release(&buffer);
    return status;
}

static enum status touch_intent(struct batch *batch, enum intent_kind kind, struct slice key,
                                size_t *ret_index)
{
    struct buffer buffer = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_intent(&buffer, (char)kind, key);
    if (!buffer.failed) {
        status = batch_touch(batch, buffer_slice(&buffer), ret_index);
    }
    buffer_release(&buffer);
    return status;
}

/* Loads an object (or its row) for a write, which may go over what cannot be read. */
static enum status load_for_write(const struct plan *plan, bool is_row, size_t *ret_index)
{
    struct buffer key = {0};
    enum status status = is_row ? load_row(plan->state, plan->batch, plan->key, ret_index)
                                : load_object(plan->state, plan->batch, plan->key, ret_index);

    mark_if(status == STATUS_CORRUPT, MARK_COPY_DAMAGED);
    if (status != STATUS_CORRUPT || !plan->over_damage) {
        return status;
    }
    if (is_row) {
        layout_row_of(&key, plan->state->partition_count, plan->key);
    } else {
        layout_object(&key, plan->state->partition_count, plan->key);
    }
    status = key.failed ? STATUS_NO_MEMORY
                        : batch_assume_none(plan->batch, buffer_slice(&key), ret_index);
    buffer_release(&key);
    return status;
}

/* Is the directory's object live on this copy? The root always counts as live. */
static enum status directory_is_live(const struct plan *plan, struct slice directory,
                                     bool *ret_live)
{
    struct live_directories *live = &plan->state->live;
    size_t index = 0;

    if (key_is_root(directory)) {
        *ret_live = true;
        return STATUS_OK;
    }
    struct position position = position_of(directory);
    if (live_has(live, &position)) {
        *ret_live = true;
        return STATUS_OK;
    }
    enum status status = load_object(plan->state, plan->batch, directory, &index);
    if (status == STATUS_CORRUPT && plan->over_damage) {
        *ret_live = true; /* as far as anyone can tell */
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    *ret_live = object_is_live(batch_object(plan->batch, index));
    if (*ret_live && !batch_is_pending(plan->batch, index)) {
        live_add(live, &position);
    }
    return STATUS_OK;
}

static enum status load_names(struct store_state *state, struct batch *batch,
                              struct slice directory, size_t *ret_index)
{
    struct buffer buffer = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_names(&buffer, state->partition_count, directory);
    if (!buffer.failed) {
        status = batch_load_stamp(batch, buffer_slice(&buffer), ret_index);
    }
    buffer_release(&buffer);
    return status;
}

/*
 * What the row that is about to be written says of its directory's times. Only ever later, from
 * what equal rows say alike, so that replicas agree as their rows do; a row that is reaped
 * leaves its trace.
 */
static enum status plan_names(struct plan *plan)
{
    uint64_t known_us = 0;
    uint64_t names_us = row_names_us(plan->row);
    enum status status =
        load_names(plan->state, plan->batch, key_directory(plan->key), &plan->names_index);

    if (status == STATUS_OK) {
        (void)batch_stamp(plan->batch, plan->names_index, &known_us);
        plan->names_us = names_us > known_us ? names_us : 0;
    }
    return status;
}

/* Merges the projection of `incoming` into the key's row. */
static enum status plan_row(struct plan *plan, struct object *incoming)
{
    enum status status = load_for_write(plan, true, &plan->row_index);

    if (status != STATUS_OK) {
        return status;
    }
    struct object *projection = object_project(incoming);
    if (!projection) {
        return STATUS_NO_MEMORY;
    }
    plan->row = object_merge(batch_object(plan->batch, plan->row_index), projection);
    object_unref(projection);
    plan->has_row = true;
    return !plan->row ? STATUS_NO_MEMORY : plan_names(plan);
}

static enum status take_stamp(struct plan *plan)
{
    if (plan->stamp != 0) {
        return STATUS_OK;
    }
    return store_state_counter(plan->state, 0, plan->wall_us, &plan->stamp);
}

/* The duty to push the key's row. */
static enum status plan_row_intent(struct plan *plan)
{
    enum status status = take_stamp(plan);

    if (status == STATUS_OK) {
        plan->has_row_intent = true;
        status = touch_intent(plan->batch, INTENT_ROW, plan->key, &plan->row_intent_index);
    }
    return status;
}

/*
 * A live row revives its directory, in whichever order the two arrive: so both the row that
 * meets a directory that is not live, and the directory that stops being live, leave an intent.
 * The root is always there.
 */
static enum status plan_revival(struct plan *plan)
{
    enum status status = STATUS_OK;

    if (key_is_root(plan->key)) {
        return STATUS_OK;
    }
    if (plan->has_row && object_is_live(plan->row)) {
        struct slice directory = key_directory(plan->key);
        bool is_live = false;

        status = directory_is_live(plan, directory, &is_live);
        if (status == STATUS_OK && !is_live) {
            plan->revives_parent = true;
            mark(MARK_DIRECTORY_DELETED_OVER_ROW);
            status = touch_intent(plan->batch, INTENT_REVIVE, directory, &plan->parent_index);
        }
    }
    if (status == STATUS_OK && plan->has_object && plan->object &&
        key_is_directory(plan->key) && !object_is_live(plan->object)) {
        plan->revives_self = !planted(PLANTED_REVIVE_UNASKED);
        status = touch_intent(plan->batch, INTENT_REVIVE, plan->key, &plan->self_index);
    }
    if (status == STATUS_OK && (plan->revives_parent || plan->revives_self)) {
        status = take_stamp(plan);
    }
    return status;
}

static void set_if_changed(const struct plan *plan, size_t index, struct object *object)
{
    if (plan->sync || object != batch_object(plan->batch, index)) {
        batch_set_object(plan->batch, index, object);
    }
}

/* Sets what was planned, and says so in the result. */
static void plan_carry_out(const struct plan *plan, struct store_result *result)
{
    if (plan->has_object && plan->object) {
        if (key_is_directory(plan->key)) {
            live_remove(&plan->state->live, plan->key);
        }
        set_if_changed(plan, plan->object_index, plan->object);
    }
    if (plan->has_row) {
        set_if_changed(plan, plan->row_index, plan->row);
    }
    if (plan->names_us > 0) {
        batch_set_stamp(plan->batch, plan->names_index, plan->names_us);
    }
    if (plan->has_row_intent) {
        batch_set_stamp(plan->batch, plan->row_intent_index, plan->stamp);
        result->intent_stamp = plan->stamp;
    }
    if (plan->revives_self) {
        batch_set_stamp(plan->batch, plan->self_index, plan->stamp);
    }
    if (plan->revives_parent) {
        batch_set_stamp(plan->batch, plan->parent_index, plan->stamp);
    }
    result->revive = plan->revives_self || plan->revives_parent;
    result->object = object_ref(plan->has_object ? plan->object : plan->row);
}

/* The update itself: plan->object from `current`. Its counter becomes the stamp. */
static enum status plan_update(struct plan *plan, struct object *current,
                               const struct message_put *put)
{
    struct version value = put->value;
    struct update update = {
        .mode = put->mode,
        .context = {.count = put->context_count, .pair = put->context},
        .dots = put->dots,
        .dot_count = put->dot_count,
        .value = put->has_value ? &value : NULL,
    };
    uint64_t floor = object_counter_floor(current, &update.context, plan->wall_us);
    enum status status = store_state_counter(plan->state, floor, plan->wall_us, &plan->stamp);

    if (status != STATUS_OK) {
        return status;
    }
    value.attributes.named_ns = row_named_ns(current, &value.attributes, plan->stamp);
    struct coordinator coordinator = {
        .node = plan->state->node,
        .counter = plan->stamp,
        .birth = birth_of(plan->stamp, plan->state->salt),
        .trusted_since = birth_least(atomic_load(&plan->state->trusted_since)),
    };
    return object_update(current, &update, &coordinator, &plan->object);
}

/* The clock that the key's row has, without versions; NULL if there is no row. */
static enum status clock_of_row(struct plan *plan, struct object **ret_object)
{
    enum status status = load_for_write(plan, true, &plan->row_index);

    *ret_object = NULL;
    if (status != STATUS_OK || !batch_object(plan->batch, plan->row_index)) {
        return status;
    }
    const struct object *row = batch_object(plan->batch, plan->row_index);
    return object_new(&row->clock, NULL, 0, (struct actor){0}, ret_object);
}

/* Updates the own copy. One that cannot be read is lost with all its versions; its row still
 * knows what they were, and nothing that is written now may pass for older. */
static enum status plan_own_update(struct plan *plan, const struct store_request *request)
{
    struct object *current = batch_object(plan->batch, plan->object_index);
    struct object *lost = NULL;
    enum status status = STATUS_OK;

    if (!current && plan->over_damage && !key_is_root(plan->key)) {
        status = clock_of_row(plan, &lost);
        current = lost;
    }
    if (status == STATUS_OK) {
        status = plan_update(plan, current, request->coordinate.put);
    }
    object_unref(lost);
    return status;
}

enum status apply_coordinate(struct store_state *state, struct batch *batch,
                             const struct store_request *request,
                             struct store_result *ret_result)
{
    assert(request->coordinate.put);
    struct plan plan = {
        .state = state,
        .batch = batch,
        .key = blob_slice(request->key),
        .wall_us = request->wall_us,
        .sync = request->sync,
        .over_damage =
            request->coordinate.over_damage && request->coordinate.put->mode != UPDATE_NONE,
    };
    bool is_root = key_is_root(plan.key);

    enum status status = load_for_write(&plan, false, &plan.object_index);
    if (status == STATUS_OK) {
        plan.has_object = true;
        status = plan_own_update(&plan, request);
    }
    if (status == STATUS_OK && object_is_nothing(plan.object)) {
        /* A delete of what this copy never heard of: there is nothing to write or to push. */
        ret_result->object = object_ref(plan.object);
        plan_release(&plan);
        return STATUS_OK;
    }
    if (status == STATUS_OK && request->coordinate.with_row && !is_root) {
        status = plan_row(&plan, plan.object);
    }
    if (status == STATUS_OK && request->coordinate.with_intent && !is_root) {
        status = plan_row_intent(&plan);
    }
    if (status == STATUS_OK) {
        status = plan_revival(&plan);
    }
    if (status == STATUS_OK) {
        plan_carry_out(&plan, ret_result);
    }
    plan_release(&plan);
    return status;
}

/*
 * A fallback's put: the update is applied to the hint for the first owner, of which every
 * primary of the key gets one. The hints are written first: a row without its object would be
 * worse than an object whose row is pushed later.
 */
enum status apply_coordinate_hint(struct store_state *state, struct batch *batch,
                                  const struct store_request *request,
                                  struct store_result *ret_result)
{
    assert(request->coordinate.put);
    struct plan plan = {
        .state = state,
        .batch = batch,
        .key = blob_slice(request->key),
        .wall_us = request->wall_us,
        .sync = request->sync,
        .over_damage =
            request->coordinate.over_damage && request->coordinate.put->mode != UPDATE_NONE,
    };
    struct hint_set set;
    struct object *current = NULL;
    enum status status =
        hint_set_load(&set, state, plan.key, &request->coordinate.owners, HINT_OBJECT);

    if (status != STATUS_OK) {
        return status;
    }
    status = hint_set_merge(&set, &current);
    if (status == STATUS_OK) {
        status = plan_update(&plan, current, request->coordinate.put);
    }
    if (status == STATUS_OK && object_is_nothing(plan.object)) {
        ret_result->object = object_ref(plan.object);
        goto out;
    }
    if (status == STATUS_OK && request->coordinate.with_row && !key_is_root(plan.key)) {
        status = plan_row(&plan, plan.object);
    }
    if (status == STATUS_OK) {
        status = plan_revival(&plan);
    }
    if (status == STATUS_OK) {
        set.objects[0] = object_ref(plan.object);
        status = hint_set_add(&set, 1, plan.object);
    }
    if (status == STATUS_OK) {
        status = hint_set_write(&set, plan.wall_us, plan.sync);
    }
    if (status == STATUS_OK) {
        plan_carry_out(&plan, ret_result);
        object_unref(ret_result->object);
        ret_result->object = object_ref(plan.object);
    }
out:
    object_unref(current);
    hint_set_release(&set);
    plan_release(&plan);
    return status;
}

/* The object without contents that do not match their hash, a new reference. NULL when memory
 * is short. */
static struct object *without_bad_contents(const struct object *object)
{
    struct version *versions = calloc(object->version_count + 1, sizeof *versions);
    struct object *sound = NULL;
    uint8_t hash[CONTENT_HASH_SIZE];

    for (uint32_t i = 0; versions && i < object->version_count; i++) {
        versions[i] = object->versions[i];
        content_hash(blob_slice(versions[i].content), hash);
        if (memcmp(hash, versions[i].content_hash, sizeof hash) != 0) {
            versions[i].content = NULL;
            versions[i].xattrs = NULL;
        }
    }
    if (versions && object_new(&object->clock, versions, object->version_count, object->own,
                               &sound) != STATUS_OK) {
        sound = NULL;
    }
    if (sound) {
        object_set_deleted(sound, object->deleted_us);
    }
    free(versions);
    return sound;
}

/* What the own copy is merged with: as it is, or what of it is sound. A new reference. */
static enum status own_copy(const struct plan *plan, bool heals, struct object **ret_copy)
{
    struct object *current = batch_object(plan->batch, plan->object_index);

    if (!heals || !current) {
        *ret_copy = object_ref(current);
        return STATUS_OK;
    }
    *ret_copy = without_bad_contents(current);
    return !*ret_copy ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Verified here and not by the core: hashing takes a while, and this is another thread where it
 * does. */
static enum status plan_merge(struct plan *plan, const struct store_request *request)
{
    struct object *copy = NULL;
    enum status status = object_is_acceptable(request->merge.object);

    if (status == STATUS_OK) {
        status = load_object(plan->state, plan->batch, plan->key, &plan->object_index);
    }
    if (status == STATUS_OK) {
        status = own_copy(plan, request->merge.heals, &copy);
    }
    if (status != STATUS_OK) {
        return status;
    }
    plan->object = object_merge(copy, request->merge.object);
    object_unref(copy);
    if (!plan->object) {
        return STATUS_NO_MEMORY;
    }
    plan->has_object = true;
    return payload_is_whole(plan->object) ? STATUS_OK : STATUS_CORRUPT;
}

/* Looked at before the plan is carried out. */
static bool is_outdone(const struct plan *plan, const struct store_request *request)
{
    struct object *copy = NULL;

    if (plan->has_object) {
        copy = batch_object(plan->batch, plan->object_index);
    } else if (plan->has_row) {
        copy = batch_object(plan->batch, plan->row_index);
    }
    return store_state_is_outdone(plan->state, &request->merge.object->clock,
                                  !copy ? NULL : &copy->clock, plan->wall_us);
}

enum status apply_merge(struct store_state *state, struct batch *batch,
                        const struct store_request *request, struct store_result *ret_result)
{
    struct plan plan = {
        .state = state,
        .batch = batch,
        .key = blob_slice(request->key),
        .wall_us = request->wall_us,
        .sync = request->sync,
    };
    enum status status = STATUS_OK;

    assert(request->merge.object && request->merge.parts != 0);
    if (object_is_nothing(request->merge.object)) {
        ret_result->object = object_ref(request->merge.object);
        return STATUS_OK;
    }
    if ((request->merge.parts & REPLICA_OBJECT) != 0) {
        status = plan_merge(&plan, request);
    }
    if (status == STATUS_OK && (request->merge.parts & REPLICA_ROW) != 0 &&
        !key_is_root(plan.key)) {
        status = plan_row(&plan, request->merge.object);
    }
    if (status == STATUS_OK && request->merge.with_intent && !key_is_root(plan.key)) {
        status = plan_row_intent(&plan);
    }
    if (status == STATUS_OK) {
        status = plan_revival(&plan);
    }
    if (status == STATUS_OK) {
        ret_result->is_outdone = is_outdone(&plan, request);
        plan_carry_out(&plan, ret_result);
    }
    plan_release(&plan);
    return status;
}

enum status apply_project(struct store_state *state, struct batch *batch,
                          const struct store_request *request, struct store_result *ret_result)
{
    struct plan plan = {
        .state = state,
        .batch = batch,
        .key = blob_slice(request->key),
        .wall_us = request->wall_us,
    };
    enum status status = load_object(state, batch, plan.key, &plan.object_index);

    if (status != STATUS_OK) {
        return status;
    }
    /* Loading the row may move the entries, but not the object. */
    struct object *object = object_ref(batch_object(batch, plan.object_index));
    if (object && !key_is_root(plan.key)) {
        status = plan_row(&plan, object);
    }
    if (status == STATUS_OK) {
        status = plan_revival(&plan);
    }
    if (status == STATUS_OK) {
        plan_carry_out(&plan, ret_result);
    }
    object_unref(object);
    plan_release(&plan);
    return status;
}

enum status apply_get(struct store_state *state, struct batch *batch,
                      const struct store_request *request, struct store_result *ret_result)
{
    struct slice key = blob_slice(request->key);
    size_t names = 0;
    size_t index = 0;
    enum status status = STATUS_OK;

    if (key_is_directory(key)) {
        status = load_names(state, batch, key, &names);
    }
    if (status == STATUS_OK) {
        status = load_object(state, batch, key, &index);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (key_is_directory(key)) {
        (void)batch_stamp(batch, names, &ret_result->names_us);
    }
    struct object *object = batch_object(batch, index);
    if (object) {
        status = record_verify(object);
        if (status != STATUS_OK) {
            batch_note_damage(batch, index, "content checksum mismatch");
            ret_result->is_bad_copy = true;
        }
    }
    if (status == STATUS_OK) {
        ret_result->object = object_ref(object);
    }
    return status;
}

static enum status load_intent(struct batch *batch, const struct intent *intent,
                               size_t *ret_index)
{
    struct buffer key = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_intent(&key, (char)intent->kind, blob_slice(intent->key));
    if (!key.failed) {
        status = batch_load_stamp(batch, buffer_slice(&key), ret_index);
    }
    buffer_release(&key);
    return status;
}

enum status apply_clear_intents(struct batch *batch, const struct store_request *request)
{
    size_t index = 0;
    uint64_t stamp = 0;

    for (size_t i = 0; i < request->clear_intents.count; i++) {
        enum status status = load_intent(batch, &request->clear_intents.intents[i], &index);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < request->clear_intents.count; i++) {
        const struct intent *intent = &request->clear_intents.intents[i];
        /* It was loaded above; what can still fail is memory for its key. The intent stays. */
        bool is_there = load_intent(batch, intent, &index) == STATUS_OK &&
                        batch_stamp(batch, index, &stamp);
        mark_if(is_there && stamp != intent->stamp, MARK_INTENT_LEFT_ANEW);
        if (is_there && (stamp == intent->stamp || planted(PLANTED_INTENT_UNSTAMPED))) {
            batch_delete(batch, index);
        }
    }
    return STATUS_OK;
}
