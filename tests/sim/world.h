/*
 * world.h - a cluster in one process under virtual time: the shipping core, store rules and
 * codec.
 *
 * Everything that happens is an event in one queue, taken in order of (time, sequence): the
 * same seed gives the same run. Messages travel as bytes through the codec. A node's disk is an
 * in-memory engine that outlives the node. The real pump is node/server/server.c; this is the other
 * one.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdio.h>

#include "node/core/core.h"
#include "node/store/apply.h"

enum {
    WORLD_NODES_MAX = 16,
    WORLD_CALLS_MAX = 64,
    WORLD_CLIENTS = WORLD_NODES_MAX, /* stands for all clients where a node is expected */
};

struct world_options {
    uint64_t seed;
    int nodes;
    uint16_t replica_count;
    uint16_t partition_count;
    uint64_t latency_min_us, latency_max_us; /* one way */
    uint64_t store_min_us, store_max_us;
    bool salvage_gives_older; /* what was overwritten, in place of what is damaged */
    size_t log_scale;         /* logs are so many times as long; 0: 1 */
    bool loses_logs;          /* a power cut may take an older log and leave a newer one */
    bool seeds_chain; /* node 0 founds alone, the others join it; else all start together */
    /* As in core_config; 0: the default. */
    uint64_t repair_interval_us, scrub_interval_us, confirm_after_us, grace_us;
    size_t request_bytes_max;
    bool refuses_trees; /* no anti-entropy: also none when a peer is back */
};

/* What happens to messages from one node to another. Chances are of a thousand. */
struct world_weather {
    uint16_t loss;
    uint16_t duplicate;
    uint16_t reorder; /* overtakes or falls behind, within twenty times the latency */
    uint16_t slow;    /* times the latency; 0 and 1: as ever */
};

struct world;

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

/* Starts a node that is down (all are at first), with what its disk holds. */
void world_start(struct world *world, int node);
/* kill -9: memory is gone, the disk stays as it is, connections break. */
void world_kill(struct world *world, int node);
/* As a service manager does: the clean mark is written. */
void world_stop(struct world *world, int node);
/* Keeps a copy of the disks of a node that is down, in the place of an earlier one. */
void world_back_up(struct world *world, int node);
bool world_has_backup(const struct world *world, int node);
/* Puts that copy in the place of the disks of a node that is down. */
void world_put_back(struct world *world, int node);
/* As kill, and the disks lose some or all of what was not synced. */
void world_power_cut(struct world *world, int node);
/* Writes to the node's disks fail while they are full. */
void world_fill_disk(struct world *world, int node, bool full);
/* Each request to the store takes so many times as long. */
void world_slow_disk(struct world *world, int node, uint32_t times);
/* The nodes (bits) that have coordinated a put since this was asked last: their own copy of it
 * is stored. */
uint32_t world_take_coordinators(struct world *world);
/* The node forgets its row intents: nothing but scrubbing brings rows up then. */
void world_drop_intents(struct world *world, int node);
/* The node does not find out whom it keeps hints for, and so hands none over, until it may. */
void world_hold_hints(struct world *world, int node, bool held);
/* Some neighbouring keys of the main disk, drawn at random, cannot be read any more (settings
 * are spared). The number of them. */
size_t world_damage(struct world *world, int node);
/* The same, an object's and some of its neighbours. */
size_t world_damage_object(struct world *world, int node, struct slice name);
/* Some neighbouring keys of what the node keeps for others cannot be read any more. */
size_t world_damage_hints(struct world *world, int node);
/* The next start meets what is damaged of the hints. */
void world_meet_damage(struct world *world, int node);
/* Or kept them, and their older values are still on its disk. */
bool world_keeps_hints(const struct world *world, int node);
/* Requests to the store show what is on the platter alone. */
void world_show_platter(struct world *world, int node, bool platter);
/* Keys that cannot be read now, those of hints too. */
size_t world_damaged(const struct world *world, int node);
/* Forgets the disks of a node that is down. */
void world_wipe(struct world *world, int node);
/* Exchanges the disks of a node that is down for others, which are empty at first: a volume
 * that is not mounted, and is again. */
void world_exchange_disks(struct world *world, int node);
/* Cuts or mends the link that carries messages from `from` to `to`. Cutting breaks its
 * connections. */
void world_cut(struct world *world, int from, int to, bool cut);
void world_set_weather(struct world *world, int from, int to,
                       const struct world_weather *weather);
/* A stopped node (SIGSTOP) takes part in nothing; what reaches it waits. */
void world_pause(struct world *world, int node, bool paused);
/* Moves the node's wall clock, which from now on gains or loses so much. */
void world_set_clock(struct world *world, int node, int64_t offset_us, int64_t drift_ppm);

/* The nodes (bits) that a client could reach through `node` since then, whatever happened: they
 * and their links to it and to clients have been well all the time. 0: `node` itself was not.
 */
uint32_t world_near(struct world *world, int node, uint64_t since_us);
/* Up, and not stopped. */
bool world_can_answer(const struct world *world, int node);

uint64_t world_now(const struct world *world);
uint64_t world_wall_us(const struct world *world, int node);
bool world_is_up(const struct world *world, int node);
/* A member whose copies are complete. */
bool world_is_complete(const struct world *world, int node);
/* A member whose copies are not. */
bool world_is_refilling(const struct world *world, int node);
const char *world_address(const struct world *world, int node);
/* The node that lives at the address, or -1. */
int world_node_at(const struct world *world, const char *address);
const struct core *world_core(const struct world *world, int node);
struct store_state *world_store(struct world *world, int node);
uint64_t world_random(struct world *world);
/* Messages handed from node to node so far, by type. */
uint64_t world_sent(const struct world *world, enum message_type type);

/* From now on each event is a line in `file` (borrowed). */
void world_trace_to(struct world *world, FILE *file);
/* A line of one's own; `node` below 0: of the whole world. */
void world_trace(struct world *world, int node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

uint64_t world_steps(const struct world *world);
/* Takes one event. False when the queue is empty. */
bool world_step(struct world *world);
/* Runs for so much virtual time. */
void world_run(struct world *world, uint64_t us);

/* A client's request to a node, taken over; the call's number. The reply is kept until
 * world_take. */
int world_ask(struct world *world, int node, struct message *request);
/* The same for a request that the caller keeps. */
int world_ask_copy(struct world *world, int node, const struct message *request);
/* The same as somebody who has proved to be a node. */
int world_ask_as_node(struct world *world, int node, struct message *request);
bool world_answered(const struct world *world, int call);
/* Moves the reply out and frees the call. STATUS_CLOSED stands for a broken connection. */
void world_take(struct world *world, int call, struct message *ret_reply);
/* The client gave up: the answer, should it come, is dropped. */
void world_forget(struct world *world, int call);
/* Runs until the call is answered, at most `limit_us`; then takes it. False if it was not. */
bool world_wait(struct world *world, int call, uint64_t limit_us, struct message *ret_reply);

#endif
