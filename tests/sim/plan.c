/*
 * plan.c - draws a run.
 */
#include "tests/sim/plan.h"

#include <string.h>

static uint64_t draw(uint64_t *state, uint64_t count)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % count;
}

static struct world_options draw_world(uint64_t *state, uint64_t seed)
{
    static const uint16_t partitions[] = {8, 8, 16, 32};
    static const uint16_t replicas[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 2, 2, 1, 3};
    uint16_t replica_count = replicas[draw(state, 16)];
    int nodes = 3 + 2 * (int)draw(state, 3);
    return (struct world_options){
        .seed = seed,
        .nodes = nodes < replica_count ? replica_count : nodes,
        .replica_count = replica_count,
        .loses_logs = draw(state, 2) == 0,
        .partition_count = partitions[draw(state, 4)],
        .latency_min_us = 50,
        .latency_max_us = UINT64_C(200) << draw(state, 8),
        .store_min_us = 5,
        .store_max_us = UINT64_C(50) << draw(state, 8),
        .repair_interval_us = 5000000,
        .scrub_interval_us = 20000000,
        .confirm_after_us = 200000,
    };
}

/* Above every delay that faults.c and world_links.c can make, or the default. */
static void draw_grace(uint64_t *state, struct world_options *world)
{
    uint64_t kind = draw(state, 3);
    if (kind == 0) {
        world->grace_us = 5000000;
        world->scrub_interval_us = 1000000;
    } else if (kind == 1) {
        world->grace_us = 10000000;
    }
}

static struct load_options draw_load(uint64_t *state, const struct world_options *world)
{
    uint64_t replicas = world->replica_count;
    return (struct load_options){
        .clients = 1 + (int)draw(state, 8),
        .keys = 1 + (int)draw(state, 1 + draw(state, 8)),
        .nodes = world->nodes,
        .replicas = world->replica_count,
        .requests = 40 + (uint32_t)draw(state, 400),
        .think_us = UINT64_C(20000) << draw(state, 6),
        .r = (uint8_t)(1 + draw(state, replicas < 3 ? replicas : 2)),
        .w = (uint8_t)(1 + draw(state, replicas)),
        .gets = 35,
        .lists = 15,
        .rmdirs = draw(state, 2) == 0 ? 0 : 8,
        .deletes = draw(state, 2) == 0 ? 17 : 50,
        .syncs = 12,
        .ones = draw(state, 2) == 0 ? 25 : 75,
    };
}

static struct plan draw_swarm(uint64_t *state, uint64_t seed)
{
    static const uint8_t victims[] = {0, 0, 0, 1, 1, 1, 1, 2};
    struct plan plan = {.life = LIFE_SWARM};
    plan.world = draw_world(state, seed);
    draw_grace(state, &plan.world);
    plan.load = draw_load(state, &plan.world);
    plan.faults = (struct faults_options){
        .nodes = plan.world.nodes,
        .victims = victims[draw(state, sizeof victims)],
        .power_anywhere = draw(state, 4) == 0,
        .outage_us = draw(state, 4) == 0 ? 30000000 : 3000000,
    };
    plan.reaps_after = plan.world.grace_us > 0 && draw(state, 3) == 0;
    if (plan.faults.victims == 0 && draw(state, 2) == 0) {
        /* Nothing but the intents pushes rows then. */
        plan.world.scrub_interval_us = 0;
    }
    plan.dead = draw(state, 3) == 0 ? 1 + (int)draw(state, (uint64_t)plan.world.nodes / 2) : 0;
    return plan;
}

/* Few keys, two clients that mostly delete, and a short grace time: what is reaped, revived and
 * lost by power cuts meets often. */
static void live_by_cuts(uint64_t *state, struct plan *plan)
{
    plan->world.grace_us = 5000000;
    plan->world.scrub_interval_us = 1000000;
    plan->load.clients = 2;
    plan->load.keys = 6;
    plan->load.w = 2;
    plan->load.deletes = 80;
    plan->load.gets = 30;
    plan->load.lists = 5;
    plan->load.think_us = 200000;
    plan->load.requests = 100 + (uint32_t)draw(state, 500);
    plan->faults.kinds = 1U << FAULT_KILL | 1U << FAULT_POWER;
    plan->faults.mean_us = 3000000;
    plan->faults.outage_us = 3000000;
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->faults.one_at_a_time = true;
    plan->reaps_after = draw(state, 4) == 0;
}

static void live_calm(struct plan *plan)
{
    plan->faults.victims = 0;
    plan->faults.kinds = 1U << FAULT_CLIENT;
    plan->dead = 0;
}

static void live_singly(uint64_t *state, struct plan *plan)
{
    plan->faults.victims = draw(state, 2) == 0 ? 1 : 0;
    plan->faults.power_anywhere = false;
    plan->faults.one_at_a_time = true;
    plan->faults.mean_us = 4000000;
    plan->faults.outage_us = 10000000;
    plan->load.clients = 2 + (int)draw(state, 3);
    plan->load.think_us = 500000;
    plan->load.requests = 100 + (uint32_t)draw(state, 200);
}

static void live_in_the_dark(uint64_t *state, struct plan *plan)
{
    plan->faults.kinds = 1U << FAULT_POWER | (draw(state, 2) == 0 ? 1U << FAULT_ISOLATE : 0) |
                         (draw(state, 2) == 0 ? 1U << FAULT_KILL : 0);
    plan->faults.victims = 1;
    plan->faults.power_anywhere = true;
    plan->faults.cuts_after_sync = 5 + (uint8_t)draw(state, 20);
    plan->faults.mean_us = UINT64_C(2000000) << draw(state, 3);
    plan->faults.outage_us = 3000000;
    plan->load.syncs = 60;
    plan->load.requests = 100 + (uint32_t)draw(state, 400);
    plan->load.keys = 1 + (int)draw(state, 4);
    plan->load.w = (uint8_t)(1 + draw(state, plan->world.replica_count));
}

/* Anti-entropy and scrubbing come too late to help. */
static void live_by_hints(uint64_t *state, struct plan *plan)
{
    plan->world.repair_interval_us = UINT64_C(36000000000);
    plan->world.scrub_interval_us = UINT64_C(36000000000);
    plan->world.grace_us = 0;
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_PAUSE |
                         (draw(state, 2) == 0 ? 1U << FAULT_CUT : 0) |
                         (draw(state, 2) == 0 ? 1U << FAULT_SPLIT : 0);
    plan->faults.victims = 0;
    plan->faults.mean_us = UINT64_C(500000) << draw(state, 4);
    plan->load.gets = 10;
    plan->dead = 0;
    plan->reaps_after = false;
}

static void live_without_intents(uint64_t *state, struct plan *plan)
{
    plan->world.scrub_interval_us = 2000000;
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_KILL | 1U << FAULT_SPLIT;
    plan->faults.victims = 0;
    plan->faults.drops_intents = true;
    plan->faults.mean_us = UINT64_C(500000) << draw(state, 4);
    plan->dead = 0;
}

static enum life draw_life(uint64_t *state)
{
    static const enum life lives[] = {
        LIFE_SWARM, LIFE_SWARM, LIFE_SWARM, LIFE_SWARM,  LIFE_SWARM,  LIFE_SWARM,
        LIFE_SWARM, LIFE_CALM,  LIFE_CUTS,  LIFE_SINGLE, LIFE_SINGLE, LIFE_DARK,
        LIFE_DARK,  LIFE_HINTS, LIFE_HINTS, LIFE_ROWS,
    };
    return lives[draw(state, sizeof lives / sizeof lives[0])];
}

/* What the only copy of a key loses is lost, and there is nobody to refill from. */
static void spare_disks(struct plan *plan)
{
    plan->faults.victims = 0;
    plan->faults.power_anywhere = false;
    plan->faults.cuts_after_sync = 0;
    plan->faults.kinds &= ~(1U << FAULT_POWER | 1U << FAULT_LOST | 1U << FAULT_DAMAGED);
}

/* What follows from the rest. */
static void conclude(struct plan *plan)
{
    uint8_t replicas = (uint8_t)plan->world.replica_count;
    plan->load.w = plan->load.w < replicas ? plan->load.w : replicas;
    if (replicas == 1) {
        spare_disks(plan);
    }
    bool has_fallbacks = plan->world.nodes > plan->world.replica_count;
    plan->load.reads_are_current = (!has_fallbacks || plan->life == LIFE_CALM) &&
                                   plan->load.r + plan->load.w > plan->world.replica_count;
    plan->load.copies_are_kept = plan->faults.victims == 0;
}

struct plan plan_draw(uint64_t seed, enum life life)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)draw(&state, 1);
    enum life drawn = draw_life(&state);
    struct plan plan = draw_swarm(&state, seed);
    plan.life = life == LIFE_DRAWN ? drawn : life;
    if (plan.life == LIFE_CUTS) {
        live_by_cuts(&state, &plan);
    } else if (plan.life == LIFE_CALM) {
        live_calm(&plan);
    } else if (plan.life == LIFE_SINGLE) {
        live_singly(&state, &plan);
    } else if (plan.life == LIFE_DARK) {
        live_in_the_dark(&state, &plan);
    } else if (plan.life == LIFE_HINTS) {
        live_by_hints(&state, &plan);
    } else if (plan.life == LIFE_ROWS) {
        live_without_intents(&state, &plan);
    }
    conclude(&plan);
    return plan;
}

const char *life_name(enum life life)
{
    static const char *const names[LIFE_COUNT + 1] = {"swarm", "cuts",  "calm", "single",
                                                      "dark",  "hints", "rows", ""};
    return names[life];
}

enum life life_of_name(const char *name)
{
    int life = 0;
    while (life < LIFE_COUNT && strcmp(life_name((enum life)life), name) != 0) {
        life++;
    }
    return (enum life)life;
}
