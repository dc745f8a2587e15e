/*
 * cluster.c - the clusters that tests of the core run.
 */
#include "tests/core/cluster.h"

#include <string.h>

#include "node/core/state.h"

static const uint64_t REST_US = 95000000;
static const uint64_t STILL_US = UINT64_C(36000000000);

struct world_options cluster_options(uint64_t seed, int nodes)
{
    return (struct world_options){.seed = seed,
                                  .nodes = nodes,
                                  .replica_count = 3,
                                  .partition_count = 64,
                                  .latency_min_us = 100,
                                  .latency_max_us = 900,
                                  .store_min_us = 10,
                                  .store_max_us = 200};
}

struct world *cluster_start(const struct world_options *options)
{
    struct world *world = world_new(options);
    for (int i = 0; i < options->nodes; i++) {
        world_start(world, i);
    }
    world_run(world, 5000000);
    return world;
}

struct world *cluster_of(uint64_t seed, int nodes)
{
    struct world_options options = cluster_options(seed, nodes);
    return cluster_start(&options);
}

struct world_options cluster_still_options(int nodes, uint16_t replicas)
{
    struct world_options options = cluster_options(12, nodes);
    options.replica_count = replicas;
    options.repair_interval_us = STILL_US;
    options.scrub_interval_us = STILL_US;
    return options;
}

struct world *cluster_still(int nodes, uint16_t replicas)
{
    struct world_options options = cluster_still_options(nodes, replicas);
    return cluster_start(&options);
}

struct world *cluster_at_rest(int nodes)
{
    struct world_options options = cluster_options(5, nodes);
    options.grace_us = UINT64_MAX / 2;
    struct world *world = cluster_start(&options);
    world_run(world, REST_US);
    return world;
}

void make_suspect(struct world *world, int node, int other)
{
    struct core *core = (struct core *)world_core(world, node);
    for (uint16_t peer = 0; peer < core->peer_count; peer++) {
        if (strcmp(core->peers[peer].address, world_address(world, other)) == 0) {
            core->peers[peer].is_suspect = true;
            core->peers[peer].probe_us = UINT64_MAX;
        }
    }
}
