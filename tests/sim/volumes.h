/*
 * volumes.h - data directories that are not mounted when their node starts, and are later.
 *
 * The node starts with an empty one, is given its own place as another, and refills. When the
 * old directory is back it belongs to a node whose place is another's: a source. In the end the
 * directory is in place that the ring knows.
 */
#ifndef TESTS_SIM_VOLUMES_H
#define TESTS_SIM_VOLUMES_H

#include "tests/sim/world.h"

struct volumes {
    struct world *world;
    int nodes;
    uint64_t away_max_us; /* until the old one is back */
    struct {
        enum { VOLUME_MOUNTED, VOLUME_AWAY, VOLUME_BACK } state;
        uint64_t until_us;
        bool was_away; /* there is another directory, of this node or of its heir */
    } node[WORLD_NODES_MAX];
};

/* The node is up, and its directory mounted: it starts again with an empty one. */
void volumes_unmount(struct volumes *volumes, int node);
bool volumes_is_mounted(const struct volumes *volumes, int node);
/* Does what is due; a node that is down is left alone. */
void volumes_step(struct volumes *volumes);
/* All nodes are up: each gets the directory that the ring knows, when it is certain which that
 * is. */
void volumes_heal(struct volumes *volumes);

#endif
