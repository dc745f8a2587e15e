/*
 * plan.c - draws a run.
 */
#include "tests/sim/plan.h"

#include <assert.h>

uint64_t plan_number(uint64_t *state, uint64_t count)
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
    uint16_t replica_count = replicas[plan_number(state, 16)];
    int nodes = 3 + 2 * (int)plan_number(state, 3);
    return (struct world_options){
        .seed = seed,
        .nodes = nodes < replica_count ? replica_count : nodes,
        .replica_count = replica_count,
        .loses_logs = plan_number(state, 2) == 0,
        .partition_count = partitions[plan_number(state, 4)],
        .latency_min_us = 50,
        .latency_max_us = UINT64_C(200) << plan_number(state, 8),
        .store_min_us = 5,
        .store_max_us = UINT64_C(50) << plan_number(state, 8),
        .repair_interval_us = 5000000,
        .scrub_interval_us = 20000000,
        .confirm_after_us = 200000,
    };
}

/* Above every delay that faults.c and world_links.c can make, or the default. */
static void draw_grace(uint64_t *state, struct world_options *world)
{
    uint64_t kind = plan_number(state, 3);
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
        .clients = 1 + (int)plan_number(state, 8),
        .keys = 1 + (int)plan_number(state, 1 + plan_number(state, 8)),
        .nodes = world->nodes,
        .replicas = world->replica_count,
        .requests = 40 + (uint32_t)plan_number(state, 400),
        .think_us = UINT64_C(20000) << plan_number(state, 6),
        .r = (uint8_t)(1 + plan_number(state, replicas < 3 ? replicas : 2)),
        .w = (uint8_t)(1 + plan_number(state, replicas)),
        .gets = 35,
        .lists = 15,
        .rmdirs = plan_number(state, 2) == 0 ? 0 : 8,
        .deletes = plan_number(state, 2) == 0 ? 17 : 50,
        .syncs = 12,
        .ones = plan_number(state, 2) == 0 ? 25 : 75,
    };
}

static struct plan draw_swarm(uint64_t *state, uint64_t seed)
{
    static const uint8_t victims[] = {0, 0, 0, 1, 1, 1, 1, 2};
    struct plan plan = {0};
    plan.world = draw_world(state, seed);
    draw_grace(state, &plan.world);
    plan.load = draw_load(state, &plan.world);
    plan.faults = (struct faults_options){
        .nodes = plan.world.nodes,
        .victims = victims[plan_number(state, sizeof victims)],
        .power_anywhere = plan_number(state, 4) == 0,
        .outage_us = plan_number(state, 4) == 0 ? 30000000 : 3000000,
    };
    plan.reaps_after = plan.world.grace_us > 0 && plan_number(state, 3) == 0;
    if (plan.faults.victims == 0 && plan_number(state, 2) == 0) {
        /* Nothing but the intents pushes rows then. */
        plan.world.scrub_interval_us = 0;
    }
    plan.dead = plan_number(state, 3) == 0
                    ? 1 + (int)plan_number(state, (uint64_t)plan.world.nodes / 2)
                    : 0;
    return plan;
}

/* What the only copy of a key loses is lost, and there is nobody to refill from. */
static void spare_disks(struct plan *plan)
{
    plan->faults.victims = 0;
    plan->faults.power_anywhere = false;
    plan->faults.cuts_after_sync = 0;
    plan->faults.kinds &= ~(1U << FAULT_POWER | 1U << FAULT_LOST | 1U << FAULT_DAMAGED |
                            1U << FAULT_HINTS | 1U << FAULT_PUT_BACK);
    plan->faults.forgets = 0;
}

/* What follows from the rest. */
static void conclude(struct plan *plan)
{
    uint8_t replicas = (uint8_t)plan->world.replica_count;
    plan->load.w = plan->load.w < replicas ? plan->load.w : replicas;
    bool names_kinds = plan->faults.kinds != 0;
    if (replicas == 1) {
        spare_disks(plan);
    }
    assert(!names_kinds ||
           plan->faults.kinds != 0); /* none left would mean all of the swarm's */
    if (plan->faults.victims > 0 && plan->world.scrub_interval_us == 0) {
        plan->world.scrub_interval_us = 20000000; /* who else would find what was damaged? */
    }
    int minority = (plan->world.nodes - 1) / 2; /* lives change the number of nodes */
    plan->dead = plan->dead < minority ? plan->dead : minority;
    bool has_fallbacks = plan->world.nodes > plan->world.replica_count;
    plan->load.late_syncs = has_fallbacks ? 0 : plan->load.late_syncs;
    plan->load.reads_are_current = (!has_fallbacks || plan->is_calm) &&
                                   plan->load.r + plan->load.w > plan->world.replica_count;
    plan->load.copies_are_kept = plan->faults.victims == 0;
    plan->mounts.nodes = plan->world.nodes;
    plan->mounts.reads_are_current = plan->load.reads_are_current;
    uint32_t whole_disks = 1U << FAULT_LOST | 1U << FAULT_DAMAGED | 1U << FAULT_HINTS |
                           1U << FAULT_UNMOUNTED | 1U << FAULT_PUT_BACK;
    plan->load.platters_are_kept = plan->load.copies_are_kept ||
                                   (plan->faults.kinds != 0 && plan->faults.lost_behind == 0 &&
                                    (plan->faults.kinds & whole_disks) == 0);
}

bool plan_may_have(const struct plan *plan, enum fault fault)
{
    return plan->faults.kinds == 0 || (plan->faults.kinds >> fault & 1) != 0;
}

struct plan plan_draw(uint64_t seed, int life)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)plan_number(&state, 1);
    struct plan plan = draw_swarm(&state, seed);
    life_draw(life == LIFE_DRAWN ? life_of_seed(seed) : life, &state, &plan);
    conclude(&plan);
    return plan;
}
