/*
 * cluster.h - the clusters that tests of the core run: small delays, N = 3, and what a test needs
 * to be otherwise.
 */
#ifndef TESTS_CORE_CLUSTER_H
#define TESTS_CORE_CLUSTER_H

#include "tests/sim/world.h"

/* Below 1 ms for links, below 0.2 ms for disks. */
struct world_options cluster_options(uint64_t seed, int nodes);
/* A world in which all nodes were started and have had five seconds. */
struct world *cluster_start(const struct world_options *options);
/* The same with the usual options. */
struct world *cluster_of(uint64_t seed, int nodes);
/* One in which nothing repairs anything within the time of a test. */
struct world_options cluster_still_options(int nodes, uint16_t replicas);
struct world *cluster_still(int nodes, uint16_t replicas);
/* One whose passes of anti-entropy after the start are over: the next come in minutes. Tombstones
 * stay. */
struct world *cluster_at_rest(int nodes);
/* The node passes over another, and does not look whether it is well. */
void make_suspect(struct world *world, int node, int other);

#endif
