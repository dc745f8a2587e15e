/*
 * plan.c - what a COORDINATE, MERGE or PROJECT is about to write for one key.
 */
#include "node/store/plan.h"

#include <assert.h>
#include <string.h>

#include "node/store/load.h"
#include "node/store/reclaim.h"
#include "ring/mark.h"
#include "ring/planted.h"

void plan_release(struct plan *plan)
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

enum status plan_load(const struct plan *plan, enum merkle_part part, size_t *ret_index)
{
    enum status status = load_part(plan->state, plan->batch, part, plan->key, ret_index);

    mark_if(status == STATUS_CORRUPT, MARK_COPY_DAMAGED);
    return status == STATUS_CORRUPT && plan->over_damage
               ? load_none(plan->state, plan->batch, part, plan->key, ret_index)
               : status;
}

/* Is the directory's object live on this copy? The root always counts as live, and
 * so does what is internal, which has no objects. */
static enum status directory_is_live(const struct plan *plan, struct slice directory,
                                     bool *ret_live)
{
    struct live_directories *live = &plan->state->live;
    size_t index = 0;

    if (key_is_root(directory) || key_is_internal(directory)) {
        *ret_live = true;
        return STATUS_OK;
    }
    struct position position = position_of(directory);
    if (live_has(live, &position)) {
        *ret_live = true;
        return STATUS_OK;
    }
    enum status status = load_part(plan->state, plan->batch, MERKLE_OBJECT, directory, &index);
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

/*
 * What the row that is about to be written says of its directory's times. Only ever later, from
 * what equal rows say alike, so that replicas agree as their rows do; a row that is reaped
 * leaves its trace.
 */
static enum status plan_names(struct plan *plan)
{
    assert(plan->has_row && plan->row);

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

enum status plan_row(struct plan *plan, struct object *incoming)
{
    assert(incoming && !plan->has_row);
    assert(!key_is_root(plan->key));

    enum status status = plan_load(plan, MERKLE_ROW, &plan->row_index);

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

enum status plan_row_intent(struct plan *plan)
{
    assert(!plan->has_row_intent && !key_is_root(plan->key));

    enum status status = take_stamp(plan);

    if (status == STATUS_OK) {
        plan->has_row_intent = true;
        status = touch_intent(plan->batch, INTENT_ROW, plan->key, &plan->row_intent_index);
    }
    return status;
}

enum status plan_revival(struct plan *plan)
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

static void note_deleted(const struct plan *plan)
{
    const struct object *before = batch_object(plan->batch, plan->object_index);
    size_t size = before ? object_content_size(before) : 0;
    size_t left = size > 0 ? object_content_size(plan->object) : 0;

    if (left < size) {
        store_reclaim_note(plan->state, plan->key, size - left);
    }
}

void plan_carry_out(const struct plan *plan, struct store_result *result)
{
    assert(!result->object);
    assert(plan->stamp > 0 ||
           !(plan->has_row_intent || plan->revives_self || plan->revives_parent));

    if (plan->has_object && plan->object) {
        if (key_is_directory(plan->key)) {
            live_remove(&plan->state->live, plan->key);
        }
        note_deleted(plan);
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
