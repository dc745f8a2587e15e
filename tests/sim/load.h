/*
 * load.h - clients that read, write, delete and resolve, one request at a time each.
 */
#ifndef TESTS_SIM_LOAD_H
#define TESTS_SIM_LOAD_H

#include "tests/sim/graves.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

enum { LOAD_CLIENTS_MAX = 12 };

struct load_options {
    int clients;
    int keys;
    int nodes;
    int replicas;      /* N */
    uint32_t requests; /* in all */
    uint64_t think_us; /* at most so long between a client's requests */
    uint8_t r, w;
    /* Gets show what was acknowledged before: R + W > N, no fallbacks, nothing lost that a read
     * does not notice. */
    bool reads_are_current;
    bool
        platters_are_kept; /* no disk loses what was synced: W hold it when a synced put returns */
    bool copies_are_kept; /* no disk forgets anything: W copies are there when a put returns */
    /* Of a hundred requests; the rest are puts. */
    uint8_t gets, lists, rmdirs;
    uint8_t tree_removals; /* `rm -r` of a directory */
    uint8_t stay; /* so many requests are for two neighbouring keys, before the next two; 0: any
                     key at any time */
    /* Of a hundred puts: how many delete, wait for the disk, supersede one sibling of several.
     */
    uint8_t deletes, syncs, ones;
    /* Of a hundred other puts: how many are synced later by the node that coordinated them.
     * Where all nodes are primaries alone. */
    uint8_t late_syncs;
};

/* Requests that had to succeed, for enough nodes could be reached. */
struct load_due {
    uint64_t puts, gets, lists;
};

struct load;

/* `graves`: where removals of directories are noted; borrowed. */
struct load *load_new(struct world *world, struct history *history, struct graves *graves,
                      const struct load_options *options);
void load_free(struct load *load);
/* Collects answers and sends what is due; call it after each step of the world. */
void load_step(struct load *load);
/* True once all requests were sent and answered or given up. */
bool load_is_done(const struct load *load);
/* Some client dies in the middle of what it does; another takes its place, and has seen
 * nothing. */
void load_kill_client(struct load *load);
/* The name of key number `key`, below load_keys(), inside. Each run has other names, and so
 * other places for them. */
const char *load_key(int key);
int load_keys(void);
/* What a client saw that must not be, or NULL. */
const char *load_breach(const struct load *load);
/* What failed though enough nodes could be reached, or was promised to survive power cuts and
 * would not, or NULL. */
const char *load_refused(const struct load *load);
struct load_due load_due(const struct load *load);
/* True once after some synced put was acknowledged. */
bool load_take_synced(struct load *load);
/* True once after a put was acknowledged by a client that chose the node it asked: which key,
 * which node. */
bool load_take_put(struct load *load, int *ret_key, int *ret_node);
/* The next requests of clients that choose their nodes are about this key, through this node. */
void load_focus(struct load *load, int key, int node, uint32_t requests);
/* From now on clients send so many requests more. */
void load_go_on(struct load *load, uint32_t requests);
uint32_t load_acknowledged(const struct load *load);

#endif
