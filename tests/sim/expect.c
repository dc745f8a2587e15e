/*
 * expect.c - counts who could be reached.
 */
#include "tests/sim/expect.h"

#include <string.h>

#include "node/core/detector.h"
#include "node/core/request.h"
#include "ring/preference_list.h"

/* Above the longest suspicion, and the time that connections take. */
enum { SETTLED_US = SUSPECT_MAX_US + 1500000 };

/* What a request needs. */
struct wanted {
    struct slice placed; /* the key whose primaries count, for a read */
    uint8_t count;
    bool is_read;
};

static uint32_t nodes_that(const struct world *world, bool (*is_so)(const struct world *, int))
{
    uint32_t nodes = 0;
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        nodes |= is_so(world, i) ? UINT32_C(1) << i : 0;
    }
    return nodes;
}

static bool is_member(const struct world *world, int node)
{
    const struct core *core = world_core(world, node);
    return world_is_up(world, node) && core_ring(core) && !source_is_on(core);
}

struct expect expect_begin(struct world *world)
{
    uint64_t now_us = world_now(world);
    return (struct expect){
        .world = world,
        .since_us = now_us > SETTLED_US ? now_us - SETTLED_US : 0,
        .complete = nodes_that(world, world_is_complete),
        .members = nodes_that(world, is_member),
    };
}

static uint32_t primaries_of(const struct world *world, int node, struct slice key)
{
    const struct ring *ring = core_ring(world_core(world, node));
    struct preference_list list;
    uint32_t nodes = 0;
    preference_list_build(ring, ring_partition(ring, key), &list);
    for (uint16_t i = 0; i < list.primary; i++) {
        int at = world_node_at(world, ring->members[list.member[i]].address);
        nodes |= UINT32_C(1) << at;
    }
    return nodes;
}

/* So many nodes can be reached through this one: primaries that are complete for a read, else
 * any. */
static bool is_near_enough(const struct expect *expect, int node, const struct wanted *wanted)
{
    struct world *world = expect->world;
    uint32_t near = world_near(world, node, expect->since_us) & expect->members;
    if (wanted->is_read) {
        near &= primaries_of(world, node, wanted->placed) & expect->complete &
                nodes_that(world, world_is_complete);
    }
    return __builtin_popcount(near) >= wanted->count;
}

/* A node that is no primary forwards, and coordinates by itself what no primary has done. */
static bool is_good(const struct expect *expect, int node, const struct wanted *wanted)
{
    struct world *world = expect->world;
    uint32_t near = world_near(world, node, expect->since_us) & expect->members;
    return (near >> node & 1) != 0 && is_member(world, node) &&
           is_near_enough(expect, node, wanted);
}

static bool is_due(const struct expect *expect, int node, const struct wanted *wanted)
{
    if (node != EXPECT_ANY_NODE) {
        return is_good(expect, node, wanted);
    }
    bool found = false;
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        bool is_asked = world_is_up(expect->world, i) && world_can_answer(expect->world, i);
        if (is_asked && !is_good(expect, i, wanted)) {
            return false; /* it may answer before a better one is asked */
        }
        found |= is_asked;
    }
    return found;
}

bool expect_put(const struct expect *expect, int node, struct slice key, uint8_t w)
{
    struct wanted wanted = {.placed = key, .count = w};
    return is_due(expect, node, &wanted);
}

bool expect_read(const struct expect *expect, int node, struct slice key, uint8_t count)
{
    struct wanted wanted = {.placed = key, .count = count, .is_read = true};
    return is_due(expect, node, &wanted);
}
