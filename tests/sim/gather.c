/*
 * gather.c - what all disks hold together of a key.
 */
#include "tests/sim/gather.h"

#include <assert.h>

void gather_merge(struct object **merged, struct object *copy)
{
    struct object *both = object_merge(*merged, copy);
    assert(both || (!*merged && !copy));
    object_unref(*merged);
    object_unref(copy);
    *merged = both;
}

static void merge_hints(struct check *check, int node, struct slice key, struct object **merged)
{
    const struct ring *ring = core_ring(world_core(check->world, node));
    struct store_request hints = {.operation = STORE_GET_HINTS, .key = blob_new(key)};
    for (uint16_t i = 0; i < ring->member_count && hints.get_hints.owners.count < OWNERS_MAX;
         i++) {
        hints.get_hints.owners.id[hints.get_hints.owners.count++] = ring->members[i].id;
    }
    struct store_result result = check_look(check->world, node, &hints);
    gather_merge(merged, object_ref(result.object));
    store_result_release(&result);
}

struct object *gather_object(struct check *check, struct slice key)
{
    struct object *object = NULL;
    for (int node = 0; node < check->nodes; node++) {
        struct object *copy = NULL;
        (void)check_read(check->world, node, key, false, &copy);
        gather_merge(&object, copy);
        merge_hints(check, node, key, &object);
    }
    return object;
}

bool gather_is_possible(const struct check *check)
{
    bool are_all_up = true;
    for (int node = 0; are_all_up && node < check->nodes; node++) {
        are_all_up =
            world_is_up(check->world, node) && core_ring(world_core(check->world, node));
    }
    return are_all_up;
}
