/*
 * world_reach.c - since when each node and each link has been well: what may be asked of the
 * cluster while other nodes are not.
 */
#include <string.h>

#include "tests/sim/world_internal.h"

static bool is_fair(const struct world *world, int from, int to)
{
    static const struct world_weather fair = {0};
    const struct world_weather *weather = &world->weather[from][to];
    bool is_slow = weather->slow > 1;
    return !is_slow && weather->loss == fair.loss && weather->duplicate == fair.duplicate &&
           weather->reorder == fair.reorder;
}

static bool is_node_well(const struct world *world, int index)
{
    const struct world_node *node = &world->nodes[index];
    return node->up && !node->paused && node->store_slow <= 1 && !disk_is_full(node->disk) &&
           disk_damaged(node->disk) == 0 && disk_damaged(node->hints) == 0;
}

static void note(uint64_t *since_us, bool is_well, uint64_t now_us)
{
    if (!is_well) {
        *since_us = UINT64_MAX;
    } else if (*since_us == UINT64_MAX) {
        *since_us = now_us;
    }
}

void world_note_reach(struct world *world)
{
    int nodes = world->options.nodes;
    for (int from = 0; from < nodes; from++) {
        note(&world->well_us[from], is_node_well(world, from), world->now_us);
        note(&world->fair_us[from][WORLD_CLIENTS],
             is_fair(world, from, WORLD_CLIENTS) && is_fair(world, WORLD_CLIENTS, from),
             world->now_us);
        for (int to = 0; to < nodes; to++) {
            note(&world->fair_us[from][to],
                 !world->cut[from][to] && !world->cut[to][from] && is_fair(world, from, to) &&
                     is_fair(world, to, from),
                 world->now_us);
        }
    }
}

uint32_t world_near(struct world *world, int node, uint64_t since_us)
{
    uint32_t near = 0;
    world_note_reach(world);
    if (world->well_us[node] > since_us || world->fair_us[node][WORLD_CLIENTS] > since_us) {
        return 0;
    }
    for (int i = 0; i < world->options.nodes; i++) {
        bool is_near =
            world->well_us[i] <= since_us && (i == node || world->fair_us[node][i] <= since_us);
        near |= is_near ? UINT32_C(1) << i : 0;
    }
    return near;
}

bool world_can_answer(const struct world *world, int node)
{
    return world->nodes[node].up && !world->nodes[node].paused;
}
