/*
 * faults.c - the schedule of faults.
 */
#include "tests/sim/faults.h"

#include <assert.h>
#include <stdlib.h>

/* Waiting for the parts that bear them. */
static const bool is_enabled_lost = true;
static const bool is_enabled_damaged = false;

/* When each is over; 0: it is. */
struct node_faults {
    uint64_t down_us; /* killed or paused */
    uint64_t full_us;
    uint64_t slow_us;
};

struct faults {
    struct world *world;
    struct load *load;
    int nodes;
    bool enabled[FAULT_COUNT];
    uint64_t mean_us; /* between faults */
    uint64_t next_us;
    struct node_faults node[WORLD_NODES_MAX];
    uint64_t links_us;
    uint64_t weather_us;
    bool power_anywhere;
    int victim;
    uint64_t count[FAULT_COUNT];
};

static uint64_t pick(struct faults *faults, uint64_t count)
{
    return world_random(faults->world) % count;
}

static bool is_possible(enum fault fault)
{
    return (fault != FAULT_LOST || is_enabled_lost) &&
           (fault != FAULT_DAMAGED || is_enabled_damaged);
}

struct faults *faults_new(struct world *world, struct load *load, int nodes,
                          bool power_anywhere)
{
    struct faults *faults = calloc(1, sizeof *faults);
    assert(faults);
    faults->world = world;
    faults->load = load;
    faults->nodes = nodes;
    faults->power_anywhere = power_anywhere;
    /* A quarter of the runs look at nothing but disks that forget. */
    bool only_disks = pick(faults, 4) == 0;
    for (int i = 0; i < FAULT_COUNT; i++) {
        bool chosen = only_disks ? i >= FAULT_POWER : pick(faults, 2) == 0;
        faults->enabled[i] = chosen && is_possible((enum fault)i);
    }
    faults->victim = (int)pick(faults, (uint64_t)nodes);
    faults->mean_us = UINT64_C(50000) << pick(faults, 6);
    faults->next_us = world_now(world) + pick(faults, 2 * faults->mean_us);
    return faults;
}

void faults_free(struct faults *faults)
{
    free(faults);
}

static uint64_t some_time(struct faults *faults)
{
    return world_now(faults->world) + 10000 + pick(faults, 3000000);
}

static void cut_both(struct faults *faults, int a, int b)
{
    world_cut(faults->world, a, b, true);
    world_cut(faults->world, b, a, true);
}

static void cut_links(struct faults *faults, enum fault fault)
{
    int from = (int)pick(faults, (uint64_t)faults->nodes);
    for (int to = 0; to < faults->nodes; to++) {
        if (to != from && fault == FAULT_ISOLATE) {
            cut_both(faults, from, to);
        } else if (to != from && pick(faults, 2) == 0) {
            world_cut(faults->world, from, to, true);
        }
    }
    faults->links_us = some_time(faults);
}

static void split(struct faults *faults)
{
    uint64_t side = pick(faults, UINT64_C(1) << faults->nodes);
    for (int a = 0; a < faults->nodes; a++) {
        for (int b = 0; b < a; b++) {
            if ((side >> a & 1) != (side >> b & 1)) {
                cut_both(faults, a, b);
            }
        }
    }
    faults->links_us = some_time(faults);
}

/* On about half of the links, those of clients among them. */
static void change_weather(struct faults *faults, enum fault fault)
{
    static const uint16_t losses[] = {20, 100, 400};
    static const uint16_t times[] = {10, 30, 100, 300, 1000};
    struct world_weather weather = {0};
    if (fault == FAULT_LOSS) {
        weather.loss = losses[pick(faults, 3)];
    } else if (fault == FAULT_DUPLICATE) {
        weather.duplicate = losses[pick(faults, 3)];
    } else if (fault == FAULT_REORDER) {
        weather.reorder = losses[pick(faults, 3)];
    } else {
        weather.slow = times[pick(faults, 5)];
    }
    for (int from = 0; from <= faults->nodes; from++) {
        for (int to = 0; to <= faults->nodes; to++) {
            if (pick(faults, 2) == 0) {
                world_set_weather(faults->world, from < faults->nodes ? from : WORLD_CLIENTS,
                                  to < faults->nodes ? to : WORLD_CLIENTS, &weather);
            }
        }
    }
    faults->weather_us = some_time(faults);
}

static bool is_well(const struct faults *faults, int node)
{
    return faults->node[node].down_us == 0;
}

static void cut_power(struct faults *faults, int node)
{
    if (is_well(faults, node)) {
        world_power_cut(faults->world, node);
        faults->node[node].down_us = some_time(faults);
    }
}

static void lose_power(struct faults *faults, int node)
{
    bool was_well = is_well(faults, node);
    cut_power(faults, faults->power_anywhere ? node : faults->victim);
    for (int i = 0; faults->power_anywhere && was_well && i < faults->nodes; i++) {
        cut_power(faults, i); /* the whole house is dark */
    }
}

/* The victim's disks. */
static void lose_disk(struct faults *faults)
{
    if (is_well(faults, faults->victim)) {
        world_kill(faults->world, faults->victim);
        world_wipe(faults->world, faults->victim);
        faults->node[faults->victim].down_us = some_time(faults);
    }
}

/* False for a fault of links. */
static bool begin_at_node(struct faults *faults, enum fault fault)
{
    int node = (int)pick(faults, (uint64_t)faults->nodes);
    struct node_faults *at = &faults->node[node];
    if ((fault == FAULT_KILL || fault == FAULT_PAUSE) && is_well(faults, node)) {
        at->down_us = some_time(faults);
        if (fault == FAULT_KILL) {
            world_kill(faults->world, node);
        } else {
            world_pause(faults->world, node, true);
        }
    } else if (fault == FAULT_FULL) {
        world_fill_disk(faults->world, node, true);
        at->full_us = some_time(faults);
    } else if (fault == FAULT_SLOW_DISK) {
        world_slow_disk(faults->world, node, 10 * (1 + (uint32_t)pick(faults, 100)));
        at->slow_us = some_time(faults);
    } else if (fault == FAULT_CLOCK) {
        world_set_clock(faults->world, node, (int64_t)pick(faults, 1200000000) - 600000000,
                        (int64_t)pick(faults, 2000) - 1000);
    } else if (fault == FAULT_POWER) {
        lose_power(faults, node);
    } else if (fault == FAULT_LOST) {
        lose_disk(faults);
    } else if (fault == FAULT_DAMAGED) {
        (void)world_damage(faults->world, faults->victim);
    } else {
        return fault == FAULT_KILL || fault == FAULT_PAUSE;
    }
    return true;
}

static void begin(struct faults *faults, enum fault fault)
{
    world_trace(faults->world, -1, "fault %s", fault_name(fault));
    faults->count[fault]++;
    if (begin_at_node(faults, fault)) {
        return;
    }
    if (fault == FAULT_CUT || fault == FAULT_ISOLATE) {
        cut_links(faults, fault);
    } else if (fault == FAULT_SPLIT) {
        split(faults);
    } else if (fault == FAULT_CLIENT) {
        load_kill_client(faults->load);
    } else {
        change_weather(faults, fault);
    }
}

static void mend_disk(struct faults *faults, int node)
{
    faults->node[node].full_us = 0;
    world_fill_disk(faults->world, node, false);
}

static void mend_speed(struct faults *faults, int node)
{
    faults->node[node].slow_us = 0;
    world_slow_disk(faults->world, node, 1);
}

static void mend_node(struct faults *faults, int node)
{
    faults->node[node].down_us = 0;
    mend_disk(faults, node); /* a full disk does not let a node start */
    world_pause(faults->world, node, false);
    if (!world_is_up(faults->world, node)) {
        world_start(faults->world, node);
    }
}

static void mend_links(struct faults *faults)
{
    world_trace(faults->world, -1, "links mended");
    faults->links_us = 0;
    for (int from = 0; from < faults->nodes; from++) {
        for (int to = 0; to < faults->nodes; to++) {
            world_cut(faults->world, from, to, false);
        }
    }
}

static void mend_weather(struct faults *faults)
{
    static const struct world_weather fair = {0};
    world_trace(faults->world, -1, "fair weather");
    faults->weather_us = 0;
    for (int from = 0; from <= WORLD_CLIENTS; from++) {
        for (int to = 0; to <= WORLD_CLIENTS; to++) {
            world_set_weather(faults->world, from, to, &fair);
        }
    }
}

static bool is_due(uint64_t at_us, uint64_t now_us)
{
    return at_us != 0 && at_us <= now_us;
}

void faults_step(struct faults *faults)
{
    uint64_t now_us = world_now(faults->world);
    for (int node = 0; node < faults->nodes; node++) {
        if (is_due(faults->node[node].down_us, now_us)) {
            mend_node(faults, node);
        }
        if (is_due(faults->node[node].full_us, now_us)) {
            mend_disk(faults, node);
        }
        if (is_due(faults->node[node].slow_us, now_us)) {
            mend_speed(faults, node);
        }
    }
    if (is_due(faults->links_us, now_us)) {
        mend_links(faults);
    }
    if (is_due(faults->weather_us, now_us)) {
        mend_weather(faults);
    }
    if (faults->next_us <= now_us) {
        enum fault fault = (enum fault)pick(faults, FAULT_COUNT);
        if (faults->enabled[fault]) {
            begin(faults, fault);
        }
        faults->next_us = now_us + 1 + pick(faults, 2 * faults->mean_us);
    }
}

void faults_heal(struct faults *faults)
{
    for (int node = 0; node < faults->nodes; node++) {
        mend_node(faults, node);
        mend_speed(faults, node);
        world_set_clock(faults->world, node, 0, 0);
    }
    mend_links(faults);
    mend_weather(faults);
}

uint64_t faults_count(const struct faults *faults, enum fault fault)
{
    return faults->count[fault];
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        "kill",      "pause",   "cut",       "isolate",   "split", "loss",
        "duplicate", "reorder", "slow-link", "slow-disk", "clock", "full",
        "client",    "power",   "lost-disk", "damaged"};
    return names[fault];
}
