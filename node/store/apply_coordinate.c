/*
 * apply_coordinate.c - the update of an object at its coordinator, of the own copy or of a hint.
 */
#include <assert.h>

#include "node/store/apply_internal.h"
#include "node/store/birth.h"
#include "node/store/plan.h"

/* A plan with nothing in it yet. A put that changes nothing writes over no damage. */
static struct plan plan_of_put(struct store_state *state, struct batch *batch,
                               const struct store_request *request)
{
    assert(request->coordinate.put);
    return (struct plan){
        .state = state,
        .batch = batch,
        .key = blob_slice(request->key),
        .wall_us = request->wall_us,
        .sync = request->sync,
        .over_damage =
            request->coordinate.over_damage && request->coordinate.put->mode != UPDATE_NONE,
    };
}

/* The update itself: plan->object from `current`. Its counter becomes the stamp. */
static enum status plan_update(struct plan *plan, struct object *current,
                               const struct message_put *put)
{
    assert(!plan->object);

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
    assert(!key_is_root(plan->key));

    enum status status = plan_load(plan, MERKLE_ROW, &plan->row_index);

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
    assert(plan->has_object);

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

/* What the update makes of the key's row and its directory, and the duty to push the row. */
static enum status plan_row_of_put(struct plan *plan, bool with_row, bool with_intent)
{
    assert(plan->object);

    enum status status = STATUS_OK;
    bool is_root = key_is_root(plan->key);

    if (with_row && !is_root) {
        status = plan_row(plan, plan->object);
    }
    if (status == STATUS_OK && with_intent && !is_root) {
        status = plan_row_intent(plan);
    }
    return status == STATUS_OK ? plan_revival(plan) : status;
}

enum status apply_coordinate(struct store_state *state, struct batch *batch,
                             const struct store_request *request,
                             struct store_result *ret_result)
{
    struct plan plan = plan_of_put(state, batch, request);
    enum status status = plan_load(&plan, MERKLE_OBJECT, &plan.object_index);
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
    if (status == STATUS_OK) {
        status = plan_row_of_put(&plan, request->coordinate.with_row,
                                 request->coordinate.with_intent);
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
    struct plan plan = plan_of_put(state, batch, request);
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
    if (status == STATUS_OK) {
        status = plan_row_of_put(&plan, request->coordinate.with_row, false);
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
