/*
 * apply_write.c - what is done with one key: read, merge, project; intents are dropped.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/load.h"
#include "node/store/plan.h"
#include "node/wire/payload.h"
#include "node/wire/record.h"
#include "ring/mark.h"
#include "ring/planted.h"

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
    assert(!plan->object && !plan->has_object);

    struct object *copy = NULL;
    enum status status = object_is_acceptable(request->merge.object);

    if (status == STATUS_OK) {
        status =
            load_part(plan->state, plan->batch, MERKLE_OBJECT, plan->key, &plan->object_index);
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
    enum status status = load_part(state, batch, MERKLE_OBJECT, plan.key, &plan.object_index);

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
    assert(!ret_result->object);

    struct slice key = blob_slice(request->key);
    size_t names = 0;
    size_t index = 0;
    enum status status = STATUS_OK;

    if (key_is_directory(key)) {
        status = load_names(state, batch, key, &names);
    }
    if (status == STATUS_OK) {
        status = load_part(state, batch, MERKLE_OBJECT, key, &index);
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

enum status apply_clear_intents(struct batch *batch, const struct store_request *request)
{
    assert(request->clear_intents.intents || request->clear_intents.count == 0);

    size_t index = 0;
    uint64_t stamp = 0;

    for (size_t i = 0; i < request->clear_intents.count; i++) {
        enum status status =
            load_intent(batch, request->clear_intents.intents[i].kind,
                        blob_slice(request->clear_intents.intents[i].key), &index);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < request->clear_intents.count; i++) {
        const struct intent *intent = &request->clear_intents.intents[i];
        /* It was loaded above; what can still fail is memory for its key. The intent stays. */
        bool is_there =
            load_intent(batch, intent->kind, blob_slice(intent->key), &index) == STATUS_OK &&
            batch_stamp(batch, index, &stamp);
        mark_if(is_there && stamp != intent->stamp, MARK_INTENT_LEFT_ANEW);
        if (is_there && (stamp == intent->stamp || planted(PLANTED_INTENT_UNSTAMPED))) {
            batch_delete(batch, index);
        }
    }
    return STATUS_OK;
}
