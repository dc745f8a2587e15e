/*
 * copies.h - the copies on each node's disk, looked at and changed behind the cores' backs.
 *
 * Objects are written as in tests/ring/make.h: a clock, " | " and the versions' dots.
 */
#ifndef TESTS_CORE_COPIES_H
#define TESTS_CORE_COPIES_H

#include "tests/sim/world.h"

/* Merges the object that `text` describes into a node's copy: REPLICA_OBJECT, REPLICA_ROW. */
void copy_write(struct world *world, int node, const char *key, const char *text,
                uint8_t parts);
/* Spoils the newest content of the node's copy of the object: it is not what its hash says. */
void copy_damage(struct world *world, int node, const char *key);
/* The node's copy of the object, as text; "none" if it has none. */
void copy_read(struct world *world, int node, const char *key, char *text, size_t size);
/* The same of the row that belongs to the key. */
void copy_read_row(struct world *world, int node, const char *key, char *text, size_t size);
/* Fails the test unless the node's object (row) reads so. */
void assert_copy(struct world *world, int node, const char *key, const char *expected);
void assert_row(struct world *world, int node, const char *key, const char *expected);
/* Keeps a hint for the member that lives on another node. */
void copy_keep_hint(struct world *world, int node, int owner, const char *key,
                    const char *text);
/* True if all nodes that are primaries of a partition have the same tree of it, for each. */
bool trees_are_equal(struct world *world, int nodes);
/* Runs until they are, at most `limit_us` of virtual time; fails the test if they are not. */
void await_equal_trees(struct world *world, int nodes, uint64_t limit_us);

/* Nodes in the order of the key's preference list; the number of primaries. */
int nodes_of_key(struct world *world, const char *key, int ret_nodes[WORLD_NODES_MAX]);
/* A figure of the node's status. */
uint64_t node_figure(struct world *world, int node, const char *name);
/* What the node tells of its passes; `start`: and has it begin one. */
struct message_repair_reply ask_repair(struct world *world, int node, bool start);
/* A full pass from now on, at most a minute. */
void await_pass(struct world *world, int node);

#endif
