/*
 * trees.h - does a node's Merkle tree say what its data does?
 *
 * That trees of replicas are equal proves little: a tree that nobody updates is equal everywhere.
 */
#ifndef TESTS_SIM_TREES_H
#define TESTS_SIM_TREES_H

#include "tests/sim/world.h"

/* True if the tree that the node answers with is that of the objects and rows it holds. */
bool tree_is_true(struct world *world, int node, uint16_t partition);

#endif
