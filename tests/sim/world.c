/*
 * world.c - nodes: their disks and clocks, how they start and how they end.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/request.h"
#include "tests/sim/world_internal.h"

uint64_t world_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t world_between(struct world *world, uint64_t low, uint64_t high)
{
    return high > low ? low + world_random(world) % (high - low + 1) : low;
}

static struct world_node *node_of(struct world *world, int node)
{
    assert(node >= 0 && node < world->options.nodes);
    return &world->nodes[node];
}

int world_node_at(const struct world *world, const char *address)
{
    for (int i = 0; i < world->options.nodes; i++) {
        if (strcmp(world->nodes[i].address, address) == 0) {
            return i;
        }
    }
    return -1;
}

struct world *world_new(const struct world_options *options)
{
    assert(options->nodes > 0 && options->nodes <= WORLD_NODES_MAX);
    struct world *world = calloc(1, sizeof *world);
    assert(world);
    world->options = *options;
    world->random = options->seed;
    world->now_us = 1000000;
    world->outbox = calloc(1, sizeof *world->outbox);
    assert(world->outbox);
    for (int i = 0; i < options->nodes; i++) {
        (void)snprintf(world->nodes[i].address, ADDRESS_SIZE, "10.0.0.%d:7450", i + 1);
        world_wipe(world, i);
    }
    memset(world->well_us, 0xff, sizeof world->well_us);
    memset(world->fair_us, 0xff, sizeof world->fair_us);
    return world;
}

void world_free(struct world *world)
{
    for (int i = 0; i < world->options.nodes; i++) {
        if (world->nodes[i].up) {
            world_kill(world, i);
        }
        disk_free(world->nodes[i].disk);
        disk_free(world->nodes[i].hints);
        if (world->nodes[i].other_disk) {
            disk_free(world->nodes[i].other_disk);
            disk_free(world->nodes[i].other_hints);
        }
        if (world->nodes[i].backup) {
            disk_free(world->nodes[i].backup);
            disk_free(world->nodes[i].backup_hints);
        }
        free(world->nodes[i].waiting);
    }
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        message_release(&world->calls[i].reply);
    }
    free(world->outbox);
    queue_free(world);
    free(world);
}

static struct disk *new_disk(const struct world *world)
{
    struct disk *disk = disk_new();
    if (world->options.salvage_gives_older) {
        disk_keep_older(disk);
    }
    if (world->options.log_scale > 0) {
        disk_scale_logs(disk, world->options.log_scale);
    }
    return disk;
}

void world_wipe(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    if (node->disk) {
        disk_free(node->disk);
        disk_free(node->hints);
    }
    world_trace(world, index, "empty disks");
    node->disk = new_disk(world);
    node->hints = new_disk(world);
}

void world_exchange_disks(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    struct disk *disk = node->disk;
    struct disk *hints = node->hints;
    node->disk = node->other_disk ? node->other_disk : new_disk(world);
    node->hints = node->other_hints ? node->other_hints : new_disk(world);
    node->other_disk = disk;
    node->other_hints = hints;
    world_trace(world, index, "other disks");
}

uint64_t world_wall(const struct world *world, const struct world_node *node)
{
    int64_t drifted_us = (int64_t)world->now_us / 1000 * node->drift_ppm / 1000;
    return UINT64_C(1700000000000000) + world->now_us +
           (uint64_t)(node->clock_offset_us + drifted_us);
}

/* The process is gone; what it held in memory is freed, and nothing written. */
static void store_abandon(struct world_node *node)
{
    disk_set_deaf(node->disk, true);
    disk_set_deaf(node->hints, true);
    enum status status = store_state_close(&node->state);
    assert(status == STATUS_OK);
    (void)status;
    disk_set_deaf(node->disk, false);
    disk_set_deaf(node->hints, false);
}

static void store_start(struct world *world, struct world_node *node,
                        struct store_identity *identity)
{
    struct error error = {0};
    memset(&node->state, 0, sizeof node->state);
    enum status status =
        store_state_open(&node->state, disk_engine(node->disk), world_random(world) | 1,
                         world_wall(world, node), identity, &error);
    assert(status == STATUS_OK);
    status = store_hints_open(&node->state, disk_engine(node->hints), &error);
    assert(status == STATUS_OK);
    (void)status;
}

/* Connections are counted on through all lives: an answer to an earlier one finds none. */
static void links_forget(struct world_node *node)
{
    for (int i = 0; i < PEER_SLOTS; i++) {
        node->links[i] = (struct link){.connection = node->links[i].connection + 1};
    }
}

void world_start(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    node->ring_epoch = 0;
    struct store_identity *identity = calloc(1, sizeof *identity);
    assert(identity);
    store_start(world, node, identity);
    char seeds[WORLD_NODES_MAX][ADDRESS_SIZE];
    uint16_t seed_count = 0;
    for (int i = 0; i < world->options.nodes; i++) {
        bool named = world->options.seeds_chain ? i == 0 && index != 0 : i != index;
        if (named) {
            memcpy(seeds[seed_count++], world->nodes[i].address, ADDRESS_SIZE);
        }
    }
    struct core_config config = {
        .node = identity->node,
        .incarnation = identity->incarnation,
        .seed_count = seed_count,
        .seeds = (const char(*)[ADDRESS_SIZE])seeds,
        .ring = identity->has_ring ? &identity->ring : NULL,
        .partition_count = world->options.partition_count,
        .replica_count = world->options.replica_count,
        .random_seed = world_random(world),
        .is_incomplete = identity->has_ring && !identity->is_complete,
        .repair_interval_us = world->options.repair_interval_us,
        .scrub_interval_us = world->options.scrub_interval_us,
        .confirm_after_us = world->options.confirm_after_us,
        .grace_us = world->options.grace_us,
        .request_bytes_max = world->options.request_bytes_max,
    };
    memcpy(config.address, node->address, ADDRESS_SIZE);
    node->core = core_new(&config);
    assert(node->core);
    free(identity);
    node->up = true;
    world_trace(world, index, "started");
    node->life++;
    node->tick_at_us = UINT64_MAX;
    node->store_last_us = world->now_us;
    links_forget(node);
    world_note_reach(world);
    struct event tick = {.type = EVENT_TICK};
    world_pump(world, index, &tick);
}

/* The process is gone, once its store is. */
static void node_end(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    node->up = false;
    node->paused = false;
    node->life++;
    core_free(node->core);
    node->core = NULL;
    for (int i = 0; i < world->options.nodes; i++) {
        if (i != index) {
            links_break(world, i, index);
        }
    }
    queue_unpark(world, node); /* to be dropped: they are of another life */
    calls_break(world, index);
    world_note_reach(world);
}

/* In most cuts the older log was written out, as time does it; else a newer one may survive it.
 */
static void disk_lose(struct world *world, struct disk *disk)
{
    size_t older = disk_unsynced_older(disk);
    size_t newer = disk_unsynced_newer(disk);
    bool has_hole = world->options.loses_logs && world_random(world) % 2 == 0;
    size_t kept = (size_t)world_between(world, 0, older + newer);
    size_t kept_older = has_hole ? (size_t)world_between(world, 0, older) : older;
    size_t kept_newer = (size_t)world_between(world, 0, newer);
    if (!has_hole) {
        kept_older = kept < older ? kept : older;
        kept_newer = kept - kept_older;
    }
    disk_power_cut(disk, kept_older, kept_newer);
}

void world_kill(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(node->up);
    world_trace(world, index, "killed");
    mark_death(node->core);
    store_abandon(node);
    node_end(world, index);
}

void world_stop(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(node->up);
    world_trace(world, index, "stopped");
    enum status status = store_state_close(&node->state);
    assert(status == STATUS_OK);
    (void)status;
    node_end(world, index);
}

static void replace_disk(struct disk **disk, const struct disk *by)
{
    if (*disk) {
        disk_free(*disk);
    }
    *disk = disk_copy(by);
}

void world_back_up(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    replace_disk(&node->backup, node->disk);
    replace_disk(&node->backup_hints, node->hints);
}

bool world_has_backup(const struct world *world, int node)
{
    return world->nodes[node].backup;
}

void world_put_back(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up && node->backup);
    world_trace(world, index, "put back from its backup");
    replace_disk(&node->disk, node->backup);
    replace_disk(&node->hints, node->backup_hints);
}

/* What a process has sent its kernel sends on; but for what was still in the machine when the
 * power failed: to about half of the others. */
static void lose_sent(struct world *world, struct world_node *node)
{
    for (int i = 0; i < PEER_SLOTS; i++) {
        bool is_lost = node->links[i].wanted && world_random(world) % 2 == 0;
        node->links[i].connection += is_lost ? 1 : 0;
    }
}

void world_power_cut(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    world_kill(world, index);
    world_trace(world, index, "power lost");
    lose_sent(world, node);
    disk_lose(world, node->disk);
    disk_lose(world, node->hints);
}

void world_fill_disk(struct world *world, int node, bool full)
{
    disk_set_full(node_of(world, node)->disk, full);
    disk_set_full(node_of(world, node)->hints, full);
    world_note_reach(world);
}

void world_slow_disk(struct world *world, int node, uint32_t times)
{
    node_of(world, node)->store_slow = times;
    world_note_reach(world);
}

void world_drop_intents(struct world *world, int index)
{
    struct store_request list = {
        .operation = STORE_LIST_INTENTS,
        .list_intents = {.kind = INTENT_ROW, .limit = 64, .stamp_max = UINT64_MAX}};
    struct store_result result = {0};
    store_apply(&node_of(world, index)->state, &list, 1, &result);
    struct store_request clear = {
        .operation = STORE_CLEAR_INTENTS,
        .clear_intents = {.intents = result.intents.intent, .count = result.intents.count}};
    result.intents.intent = NULL;
    result.intents.count = 0;
    store_result_release(&result);
    store_apply(&node_of(world, index)->state, &clear, 1, &result);
    store_request_release(&clear);
    store_result_release(&result);
}

void world_hold_hints(struct world *world, int index, bool held)
{
    node_of(world, index)->holds_hints = held;
}

uint32_t world_take_coordinators(struct world *world)
{
    uint32_t coordinators = world->coordinators;
    world->coordinators = 0;
    return coordinators;
}

static size_t damage(struct world *world, int index, struct disk *disk, const char *what)
{
    size_t keys = disk_keys(disk);
    size_t first = (size_t)world_between(world, 0, keys > 0 ? keys - 1 : 0);
    size_t hit = disk_damage(disk, first, 1 + (size_t)world_between(world, 0, keys / 8));
    world_trace(world, index, "damaged %zu %s of %zu", hit, what, keys);
    world_note_reach(world);
    return hit;
}

size_t world_damage(struct world *world, int index)
{
    return damage(world, index, node_of(world, index)->disk, "keys");
}

size_t world_damage_hints(struct world *world, int index)
{
    return damage(world, index, node_of(world, index)->hints, "keys of hints");
}

void world_meet_damage(struct world *world, int index)
{
    disk_meet_damage(node_of(world, index)->hints);
}

/* One key is that of the format. */
bool world_keeps_hints(const struct world *world, int node)
{
    const struct disk *hints = world->nodes[node].hints;
    return disk_keys(hints) > 1 || disk_has_older(hints);
}

size_t world_damage_object(struct world *world, int index, struct slice name)
{
    struct disk *disk = node_of(world, index)->disk;
    size_t first = disk_find_object(disk, name);
    size_t hit = disk_damage(disk, first, 1 + (size_t)world_between(world, 0, 3));
    world_trace(world, index, "damaged %zu keys from %.*s on", hit, (int)name.size,
                (const char *)name.data);
    world_note_reach(world);
    return hit;
}

void world_show_platter(struct world *world, int node, bool platter)
{
    disk_show_platter(node_of(world, node)->disk, platter);
    disk_show_platter(node_of(world, node)->hints, platter);
}

size_t world_damaged(const struct world *world, int node)
{
    return disk_damaged(world->nodes[node].disk) + disk_damaged(world->nodes[node].hints);
}

void world_set_weather(struct world *world, int from, int to,
                       const struct world_weather *weather)
{
    world->weather[from][to] = *weather;
    world_note_reach(world);
}

void world_cut(struct world *world, int from, int to, bool cut)
{
    world->cut[from][to] = cut;
    if (cut) {
        links_break(world, from, to);
        links_break(world, to, from);
    }
    world_note_reach(world);
}

void world_pause(struct world *world, int node, bool paused)
{
    struct world_node *stopped = node_of(world, node);
    stopped->paused = paused;
    if (!paused) {
        queue_unpark(world, stopped);
    }
    world_note_reach(world);
}

void world_set_clock(struct world *world, int node, int64_t offset_us, int64_t drift_ppm)
{
    /* What it has drifted so far stays. */
    node_of(world, node)->clock_offset_us =
        offset_us - (int64_t)world->now_us / 1000 * drift_ppm / 1000;
    node_of(world, node)->drift_ppm = drift_ppm;
}

uint64_t world_now(const struct world *world)
{
    return world->now_us;
}

uint64_t world_wall_us(const struct world *world, int node)
{
    return world_wall(world, &world->nodes[node]);
}

bool world_is_up(const struct world *world, int node)
{
    return world->nodes[node].up;
}

bool world_is_complete(const struct world *world, int node)
{
    const struct core *core = world->nodes[node].core;
    return world->nodes[node].up && core_ring(core) && core->is_complete && !source_is_on(core);
}

bool world_is_refilling(const struct world *world, int node)
{
    const struct core *core = world->nodes[node].core;
    return world->nodes[node].up && core_ring(core) && !core->is_complete &&
           !source_is_on(core);
}

const char *world_address(const struct world *world, int node)
{
    return world->nodes[node].address;
}

const struct core *world_core(const struct world *world, int node)
{
    return world->nodes[node].core;
}

struct store_state *world_store(struct world *world, int node)
{
    return &world->nodes[node].state;
}

uint64_t world_sent(const struct world *world, enum message_type type)
{
    return world->sent[type];
}
