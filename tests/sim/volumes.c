/*
 * volumes.c - directories that are away for a while.
 */
#include "tests/sim/volumes.h"

#include <assert.h>

#include "tests/sim/world.h"

enum {
    AWAY_MIN_US = 2000000,
    JOIN_MAX_US = 8000000, /* after that a place was given away, or was not */
    GIVES_MIN_US = 500000, /* a source has so long to hand over, and up to ten times that */
};

bool volumes_is_mounted(const struct volumes *volumes, int node)
{
    return volumes->node[node].state == VOLUME_MOUNTED;
}

void volumes_unmount(struct volumes *volumes, int node)
{
    struct world *world = volumes->world;
    assert(volumes_is_mounted(volumes, node));
    world_kill(world, node);
    world_exchange_disks(world, node);
    world_wipe(world, node);
    world_start(world, node);
    volumes->node[node].state = VOLUME_AWAY;
    volumes->node[node].was_away = true;
    volumes->node[node].until_us =
        world_now(world) + AWAY_MIN_US + world_random(world) % volumes->away_max_us;
}

static void exchange(struct volumes *volumes, int node)
{
    world_kill(volumes->world, node);
    world_exchange_disks(volumes->world, node);
    world_start(volumes->world, node);
}

/* By the latest ring that any node has. */
static bool is_place_taken(const struct volumes *volumes, int node)
{
    struct world *world = volumes->world;
    const struct ring *latest = NULL;
    for (int i = 0; i < volumes->nodes; i++) {
        const struct ring *ring =
            world_is_up(world, i) ? core_ring(world_core(world, i)) : NULL;
        if (ring && (!latest || ring->epoch > latest->epoch)) {
            latest = ring;
        }
    }
    return latest && ring_find(latest, world_store(world, node)->node) < 0;
}

static void step(struct volumes *volumes, int node)
{
    struct world *world = volumes->world;
    if (volumes->node[node].state == VOLUME_AWAY) {
        exchange(volumes, node);
        volumes->node[node].state = VOLUME_BACK;
        volumes->node[node].until_us = world_now(world) + GIVES_MIN_US +
                                       world_random(world) % (UINT64_C(10) * GIVES_MIN_US);
        return;
    }
    /* Nobody took the place, or its heir goes on. */
    if (is_place_taken(volumes, node)) {
        exchange(volumes, node);
    }
    volumes->node[node].state = VOLUME_MOUNTED;
}

void volumes_step(struct volumes *volumes)
{
    for (int node = 0; node < volumes->nodes; node++) {
        if (!volumes_is_mounted(volumes, node) && world_is_up(volumes->world, node) &&
            volumes->node[node].until_us <= world_now(volumes->world)) {
            step(volumes, node);
        }
    }
}

void volumes_heal(struct volumes *volumes)
{
    bool was_away = false;
    for (int node = 0; node < volumes->nodes; node++) {
        was_away |= volumes->node[node].was_away;
        if (volumes->node[node].state == VOLUME_AWAY) {
            step(volumes, node);
        }
    }
    if (was_away) {
        world_run(volumes->world, JOIN_MAX_US);
    }
    for (int node = 0; node < volumes->nodes; node++) {
        if (volumes->node[node].was_away && is_place_taken(volumes, node)) {
            exchange(volumes, node);
        }
        volumes->node[node].state = VOLUME_MOUNTED;
    }
}
