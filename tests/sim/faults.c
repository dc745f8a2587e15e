/*
 * faults.c - the schedule of faults.
 */
#include "tests/sim/faults.h"

#include <assert.h>
#include <stdlib.h>

struct faults {
    struct world *world;
    int nodes;
    bool enabled[FAULT_COUNT];
    uint64_t mean_us; /* between faults */
    uint64_t next_us;
    uint64_t mend_us[WORLD_NODES_MAX]; /* when the node is started or goes on; 0: it is well */
    uint64_t full_us[WORLD_NODES_MAX]; /* when the disk has room again; 0: it has */
    bool power_anywhere;
    int victim;        /* the one node that power cuts hit otherwise */
    uint64_t links_us; /* when all links are mended; 0: they are */
    uint64_t count[FAULT_COUNT];
};

static uint64_t pick(struct faults *faults, uint64_t count)
{
    return world_random(faults->world) % count;
}

struct faults *faults_new(struct world *world, int nodes, bool power_anywhere)
{
    struct faults *faults = calloc(1, sizeof *faults);
    assert(faults);
    faults->world = world;
    faults->nodes = nodes;
    faults->power_anywhere = power_anywhere;
    /* A quarter of the runs look at nothing but disks that forget. */
    bool only_power = pick(faults, 4) == 0;
    for (int i = 0; i < FAULT_COUNT; i++) {
        faults->enabled[i] = only_power ? i == FAULT_POWER : pick(faults, 2) == 0;
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

static void cut_links(struct faults *faults, enum fault fault)
{
    int from = (int)pick(faults, (uint64_t)faults->nodes);
    for (int to = 0; to < faults->nodes; to++) {
        bool chosen = to != from && (fault == FAULT_ISOLATE || pick(faults, 2) == 0);
        if (chosen) {
            world_cut(faults->world, from, to, true);
        }
        if (chosen && fault == FAULT_ISOLATE) {
            world_cut(faults->world, to, from, true);
        }
    }
    faults->links_us = some_time(faults);
}

static void cut_power(struct faults *faults, int node)
{
    if (faults->mend_us[node] == 0) {
        world_power_cut(faults->world, node);
        faults->mend_us[node] = some_time(faults);
    }
}

static void begin(struct faults *faults, enum fault fault)
{
    int node = (int)pick(faults, (uint64_t)faults->nodes);
    bool is_well = faults->mend_us[node] == 0;
    faults->count[fault]++;
    switch (fault) {
    case FAULT_KILL:
        if (is_well) {
            world_kill(faults->world, node);
            faults->mend_us[node] = some_time(faults);
        }
        return;
    case FAULT_PAUSE:
        if (is_well) {
            world_pause(faults->world, node, true);
            faults->mend_us[node] = some_time(faults);
        }
        return;
    case FAULT_CUT:
    case FAULT_ISOLATE:
        cut_links(faults, fault);
        return;
    case FAULT_POWER:
        cut_power(faults, faults->power_anywhere ? node : faults->victim);
        for (int i = 0; faults->power_anywhere && is_well && i < faults->nodes; i++) {
            cut_power(faults, i); /* the whole house is dark */
        }
        return;
    case FAULT_FULL:
        world_fill_disk(faults->world, node, true);
        faults->full_us[node] = some_time(faults);
        return;
    case FAULT_CLOCK:
        world_set_clock(faults->world, node, (int64_t)pick(faults, 1200000000) - 600000000, 0);
        return;
    case FAULT_COUNT:
        return;
    }
}

static void mend_disk(struct faults *faults, int node)
{
    faults->full_us[node] = 0;
    world_fill_disk(faults->world, node, false);
}

static void mend_node(struct faults *faults, int node)
{
    faults->mend_us[node] = 0;
    mend_disk(faults, node); /* a full disk does not let a node start */
    world_pause(faults->world, node, false);
    if (!world_is_up(faults->world, node)) {
        world_start(faults->world, node);
    }
}

static void mend_links(struct faults *faults)
{
    faults->links_us = 0;
    for (int from = 0; from < faults->nodes; from++) {
        for (int to = 0; to < faults->nodes; to++) {
            world_cut(faults->world, from, to, false);
        }
    }
}

void faults_step(struct faults *faults)
{
    uint64_t now_us = world_now(faults->world);
    for (int node = 0; node < faults->nodes; node++) {
        if (faults->mend_us[node] != 0 && faults->mend_us[node] <= now_us) {
            mend_node(faults, node);
        }
        if (faults->full_us[node] != 0 && faults->full_us[node] <= now_us) {
            mend_disk(faults, node);
        }
    }
    if (faults->links_us != 0 && faults->links_us <= now_us) {
        mend_links(faults);
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
        world_set_clock(faults->world, node, 0, 0);
    }
    mend_links(faults);
}

uint64_t faults_count(const struct faults *faults, enum fault fault)
{
    return faults->count[fault];
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {"kill",  "pause", "cut", "isolate",
                                                   "clock", "power", "full"};
    return names[fault];
}
