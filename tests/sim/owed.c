/*
 * owed.c - what all disks hold together, for each key, and what is still to be done.
 */
#include "tests/sim/owed.h"

#include <assert.h>
#include <stdio.h>

#include "tests/sim/gather.h"
#include "tests/sim/load.h"

enum { OWED_MAX = 1024 }; /* more than there are keys and directories */

static bool has_intent(struct check *check, int node, struct slice key)
{
    struct store_request request = {
        .operation = STORE_LIST_INTENTS,
        .list_intents = {.kind = INTENT_ROW, .limit = OWED_MAX, .stamp_max = UINT64_MAX}};
    struct store_result result = check_look(check->world, node, &request);
    bool found = result.status != STATUS_OK;
    for (uint16_t i = 0; i < result.intents.count; i++) {
        found |= slice_equal(blob_slice(result.intents.intent[i].key), key);
    }
    store_result_release(&result);
    return found;
}

static bool has_hint_for(struct check *check, int node, struct slice key, node_id owner)
{
    struct store_request request = {.operation = STORE_LIST_HINTS,
                                    .list_hints = {.owner = owner, .limit = OWED_MAX}};
    struct store_result result = check_look(check->world, node, &request);
    bool found = result.status != STATUS_OK;
    for (uint16_t i = 0; i < result.hints.count; i++) {
        found |= slice_equal(blob_slice(result.hints.hint[i].key), key);
    }
    store_result_release(&result);
    return found;
}

static bool is_owed(struct check *check, struct slice key)
{
    bool found = false;
    for (int node = 0; !found && node < check->nodes; node++) {
        const struct ring *ring = core_ring(world_core(check->world, node));
        found = has_intent(check, node, key);
        for (uint16_t i = 0; !found && i < ring->member_count; i++) {
            found = has_hint_for(check, node, key, ring->members[i].id);
        }
    }
    return found;
}

/* What all disks hold of a key together. */
struct held {
    struct object *object; /* as a row shows it */
    struct object *row;
};

static struct held held_of(struct check *check, struct slice key)
{
    struct object *object = gather_object(check, key);
    struct held held = {0};
    for (int node = 0; node < check->nodes; node++) {
        struct object *copy = NULL;
        (void)check_read(check->world, node, key, true, &copy);
        gather_merge(&held.row, copy);
    }
    held.object = object ? object_project(object) : NULL;
    object_unref(object);
    return held;
}

static uint32_t versions_of(const struct object *object)
{
    return object ? object->version_count : 0;
}

/* True if the rows show a version that no object ever knew. */
static bool is_ahead(const struct held *held)
{
    struct object *both = object_merge(held->object, held->row);
    bool is_more = versions_of(both) > versions_of(held->object);
    object_unref(both);
    return is_more;
}

/* True if the rows do not say yet all that the objects do. */
static bool is_behind(const struct held *held)
{
    struct object *both = object_merge(held->row, held->object);
    bool is_less = !object_equal(both, held->row);
    object_unref(both);
    return is_less;
}

static bool is_row_right(struct check *check, int key)
{
    struct slice text = slice_of_string(load_key(key));
    struct held held = held_of(check, text);
    bool is_known = check->reaps || check_may_be_ahead(check, held.row) || !is_ahead(&held);
    bool is_seen_to = !check->owes_rows || !is_behind(&held) || is_owed(check, text);
    object_unref(held.object);
    object_unref(held.row);
    if (!is_known || !is_seen_to) {
        (void)snprintf(check->why, sizeof check->why, "key %d: %s", key,
                       is_known ? "nobody owes its row" : "its row is ahead of its object");
    }
    return is_known && is_seen_to;
}

bool owed_check(struct check *check)
{
    bool good = true;
    if (!gather_is_possible(check)) {
        return true;
    }
    for (int i = 0; good && i < check->keys; i++) {
        good = is_row_right(check, i);
    }
    return good;
}
