/*
 * lives.c - the lives a run can have.
 *
 * Each changes what plan.c drew for the swarm. Seeds have theirs by their number alone, so that
 * a new life changes the runs only of seeds that were the swarm's.
 */
#include <string.h>

#include "tests/sim/plan.h"

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
    plan->load.requests = 100 + (uint32_t)plan_number(state, 500);
    plan->faults.kinds = 1U << FAULT_KILL | 1U << FAULT_POWER;
    plan->faults.mean_us = 3000000;
    plan->faults.outage_us = 3000000;
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->faults.one_at_a_time = true;
    plan->reaps_after = plan_number(state, 4) == 0;
}

/* What is promised of a quiet cluster holds for any size. */
static void live_calm(uint64_t *state, struct plan *plan)
{
    (void)state;
    plan->is_calm = true;
    plan->faults.victims = 0;
    plan->faults.kinds = 1U << FAULT_CLIENT;
    plan->dead = 0;
}

/* Everything else goes on meanwhile. */
static void live_singly(uint64_t *state, struct plan *plan)
{
    plan->faults.victims = plan_number(state, 2) == 0 ? 1 : 0;
    plan->faults.power_anywhere = false;
    plan->faults.one_at_a_time = true;
    plan->faults.mean_us = 4000000;
    plan->faults.outage_us = 10000000;
    plan->load.clients = 2 + (int)plan_number(state, 3);
    plan->load.think_us = 500000;
    plan->load.requests = 100 + (uint32_t)plan_number(state, 200);
}

/* The power fails everywhere, mostly when a synced put was acknowledged. */
static void live_in_the_dark(uint64_t *state, struct plan *plan)
{
    if (plan->world.replica_count == 1) {
        plan->world.replica_count = 3; /* what the only copy forgets is gone */
        plan->load.replicas = plan->world.replica_count;
    }
    plan->faults.kinds = 1U << FAULT_POWER |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_ISOLATE : 0) |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_KILL : 0);
    plan->faults.victims = 1;
    plan->faults.power_anywhere = true;
    plan->faults.cuts_after_sync = 5 + (uint8_t)plan_number(state, 20);
    plan->faults.mean_us = UINT64_C(500000) << plan_number(state, 4);
    plan->faults.outage_us = 3000000;
    plan->load.syncs = plan_number(state, 2) == 0 ? 60 : 10;
    plan->load.late_syncs = 50;
    plan->load.requests = 100 + (uint32_t)plan_number(state, 400);
    plan->load.keys = 1 + (int)plan_number(state, 4);
    plan->load.w = (uint8_t)(1 + plan_number(state, plan->world.replica_count));
    plan->world.log_scale = UINT64_C(1) << plan_number(state, 3);
    if (plan_number(state, 2) == 0) {
        plan->world.nodes = plan->world.replica_count;
        plan->load.nodes = plan->faults.nodes = plan->world.nodes;
        plan->load.w = (uint8_t)plan->world.replica_count;
    }
}

/* Anti-entropy and scrubbing come too late to help, and no later write does: clients leave their
 * keys. In half of the runs there is no fallback either, so that markers must do it. */
static void live_by_hints(uint64_t *state, struct plan *plan)
{
    plan->world.repair_interval_us = UINT64_C(36000000000);
    plan->world.scrub_interval_us = UINT64_C(36000000000);
    plan->world.refuses_trees = true;
    plan->world.grace_us = 0;
    if (plan_number(state, 2) == 0) {
        plan->world.nodes = plan->load.nodes = plan->faults.nodes = plan->world.replica_count;
    }
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_CUT |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_PAUSE : 0) |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_SPLIT : 0);
    plan->faults.victims = 0;
    plan->faults.mean_us = UINT64_C(500000) << plan_number(state, 4);
    plan->load.keys = 6 + (int)plan_number(state, 6);
    plan->load.stay = (uint8_t)(4 + plan_number(state, 12));
    plan->load.think_us = UINT64_C(20000) << plan_number(state, 4);
    plan->load.gets = 10;
    plan->dead = 0;
    plan->reaps_after = false;
}

/* Scrubbing alone brings rows up. */
static void live_without_intents(uint64_t *state, struct plan *plan)
{
    plan->world.scrub_interval_us = 2000000;
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_KILL | 1U << FAULT_SPLIT;
    plan->faults.victims = 0;
    plan->faults.drops_intents = true;
    plan->faults.mean_us = UINT64_C(500000) << plan_number(state, 4);
    plan->dead = 0;
}

/* One victim forgets what it has just acknowledged, while clocks jump, and is asked about that
 * again before it hears of it from others: counters and pairs of before must not come back. */
static void live_forgetfully(uint64_t *state, struct plan *plan)
{
    static const uint32_t kinds[] = {
        1U << FAULT_POWER,
        1U << FAULT_POWER | 1U << FAULT_CLOCK,
        1U << FAULT_POWER | 1U << FAULT_DAMAGED | 1U << FAULT_CLOCK,
        1U << FAULT_DAMAGED,
        1U << FAULT_PUT_BACK,
        1U << FAULT_PUT_BACK | 1U << FAULT_CLOCK,
    };
    plan->world.nodes = plan->world.replica_count = 3;
    plan->load.nodes = plan->load.replicas = plan->faults.nodes = 3;
    plan->world.salvage_gives_older = true;
    plan->world.grace_us = 0; /* what was put back may be of any age */
    plan->faults.kinds = kinds[plan_number(state, 6)];
    plan->faults.mean_us = UINT64_C(500000) << plan_number(state, 3);
    plan->faults.outage_us = 200000;
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->faults.forgets = (uint8_t)(2U << plan_number(state, 4));
    plan->load.clients = 2 + (int)plan_number(state, 3);
    plan->load.keys = 1 + (int)plan_number(state, 4);
    plan->load.think_us = UINT64_C(50000) << plan_number(state, 4);
    plan->load.requests = 200 + (uint32_t)plan_number(state, 300);
    plan->load.w = (uint8_t)(2 + plan_number(state, 2));
    plan->load.r = 1;
    plan->load.gets = 20;
    plan->load.lists = 5;
    plan->load.syncs = 0;
    plan->dead = 0;
}

/* Disks are lost while another node is away: what both missed is in one place, and a read of
 * the two must not believe them. */
static void live_by_refills(uint64_t *state, struct plan *plan)
{
    plan->world.nodes = plan->world.replica_count = 3;
    plan->load.nodes = plan->load.replicas = plan->faults.nodes = 3;
    plan->faults.kinds = 1U << FAULT_ISOLATE |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_LOST : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_DAMAGED : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_LOSS : 0);
    plan->faults.mean_us = UINT64_C(500000) << plan_number(state, 3);
    plan->faults.outage_us = UINT64_C(500000) << plan_number(state, 3);
    plan->faults.lost_behind = 80;
    plan->faults.hidden_sources = 60;
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->load.clients = 2 + (int)plan_number(state, 3);
    plan->load.keys = 4 + (int)plan_number(state, 9);
    plan->load.gets = 25;
    plan->load.lists = 25;
    plan->load.think_us = 200000;
    plan->load.requests = 150 + (uint32_t)plan_number(state, 250);
    plan->load.r = plan->load.w = 2;
    plan->dead = 0;
}

/* A directory is not mounted, its place is given away, and when it is back it is a source: of
 * what was deleted and reaped meanwhile too. */
static void live_with_volumes(uint64_t *state, struct plan *plan)
{
    bool keeps_hints = plan_number(state, 3) == 0; /* a source has some of others then */
    plan->world.nodes = plan->load.nodes = plan->faults.nodes = keeps_hints ? 5 : 3;
    plan->world.replica_count = 3;
    plan->load.replicas = 3;
    plan->world.grace_us = 5000000;
    plan->world.scrub_interval_us = 1000000;
    bool isolates = plan_number(state, 4) == 0 || keeps_hints;
    plan->faults.kinds = 1U << FAULT_UNMOUNTED | (isolates ? 1U << FAULT_ISOLATE : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_KILL : 0);
    plan->faults.mean_us = UINT64_C(1000000) << plan_number(state, 2);
    plan->faults.outage_us = 1000000;
    plan->faults.away_max_us = 15000000;
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->load.clients = 2 + (int)plan_number(state, 2);
    plan->load.keys = 4 + (int)plan_number(state, 13);
    plan->load.gets = 40;
    plan->load.lists = 5;
    plan->load.deletes = 75;
    plan->load.think_us = 600000;
    plan->load.requests = 100 + (uint32_t)plan_number(state, 200);
    plan->load.r = plan->load.w = 2;
    plan->dead = 0;
}

/* Short graves and long absences. Clients leave their keys alone for long enough that these are
 * forgotten, and now and then remove all that is in a directory. Anti-entropy is off, or hints
 * are kept back, or neither: one must not hide what another does. */
static void live_by_graves(uint64_t *state, struct plan *plan)
{
    uint64_t without = plan_number(state, 3);
    plan->world.nodes = plan->load.nodes = plan->faults.nodes =
        plan_number(state, 4) == 0 ? 7 : 5;
    plan->world.replica_count = plan_number(state, 4) == 0 ? 2 : 3;
    plan->load.replicas = plan->world.replica_count;
    plan->load.r = 2;
    plan->world.grace_us = 5000000;
    plan->world.scrub_interval_us = 1000000;
    plan->world.repair_interval_us = without == 0 ? UINT64_C(36000000000) : 5000000;
    plan->faults.holds_hints = without == 1;
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_CUT | 1U << FAULT_KILL;
    plan->faults.victims = 0;
    plan->faults.mean_us = UINT64_C(2000000) << plan_number(state, 2);
    plan->faults.outage_us = UINT64_C(5000000) << plan_number(state, 3);
    plan->faults.one_at_a_time = plan_number(state, 2) == 0;
    plan->load.clients = 2;
    plan->load.keys = 6 + (int)plan_number(state, 4);
    plan->load.stay = 12;
    plan->load.deletes = 70;
    plan->load.rmdirs = 5;
    plan->load.tree_removals = 5;
    plan->load.gets = 25;
    plan->load.lists = 5;
    plan->load.think_us = 700000;
    plan->load.requests = 100 + (uint32_t)plan_number(state, 100);
    plan->reaps_after = false;
    plan->dead = 0;
}

/* More nodes than hold a key: many rows are where their object is not. */
static void spread(uint64_t *state, struct plan *plan)
{
    static const struct {
        int nodes;
        uint16_t replicas;
    } sizes[] = {{5, 2}, {7, 2}, {7, 2}, {7, 3}};
    uint64_t size = plan_number(state, 4);
    plan->world.nodes = plan->load.nodes = plan->faults.nodes = sizes[size].nodes;
    plan->world.replica_count = sizes[size].replicas;
    plan->load.replicas = sizes[size].replicas;
}

/* Coordinators die when they alone have what was put, or before its row is anywhere; nothing
 * but intents brings rows up. By power the one victim dies: then no row may know what no object
 * is left to tell of. */
static void live_struck(uint64_t *state, struct plan *plan)
{
    bool loses_power = plan_number(state, 2) == 0;
    spread(state, plan);
    /* Who lost what it had not synced lost its intents too. */
    plan->world.scrub_interval_us = loses_power ? 20000000 : UINT64_C(36000000000);
    plan->world.grace_us = 0;
    plan->world.latency_max_us = UINT64_C(3200) << plan_number(state, 4);
    plan->world.store_max_us = 400;
    plan->faults.kinds =
        loses_power ? 1U << FAULT_POWER : 1U << FAULT_KILL | 1U << FAULT_ISOLATE;
    plan->faults.mean_us = UINT64_C(2000000) << plan_number(state, 3);
    plan->faults.outage_us = loses_power ? 100000 : 300000;
    plan->faults.victims = loses_power ? 1 : 0;
    plan->faults.power_anywhere = false;
    plan->faults.strikes = loses_power ? 80 : 10;
    plan->faults.strike_us = plan->world.latency_max_us;
    plan->load.clients = 2 + (int)plan_number(state, 3);
    plan->load.keys = 8 + (int)plan_number(state, 9);
    plan->load.gets = 10;
    plan->load.lists = 10;
    plan->load.rmdirs = 0;
    plan->load.think_us = 100000;
    plan->load.requests = 120 + (uint32_t)plan_number(state, 160);
    plan->load.w =
        (uint8_t)(loses_power ? 2 : 1 + plan_number(state, plan->world.replica_count));
    plan->load.r = 1;
    plan->dead = 0;
    plan->reaps_after = false;
}

/* What a victim keeps for others is damaged while these are away: a salvage drops some of it, and
 * gives back what was handed over long ago. Graves are short in half of the runs. */
static void live_with_mislaid_hints(uint64_t *state, struct plan *plan)
{
    bool reaps = plan_number(state, 4) != 0;
    plan->world.nodes = plan->load.nodes = plan->faults.nodes =
        plan_number(state, 4) == 0 ? 7 : 5;
    plan->world.replica_count = 3;
    plan->load.replicas = 3;
    plan->world.salvage_gives_older = true;
    plan->world.grace_us = reaps ? 5000000 : 0;
    plan->world.scrub_interval_us = reaps ? 1000000 : 20000000;
    plan->faults.kinds = 1U << FAULT_HINTS | 1U << FAULT_ISOLATE | 1U << FAULT_KILL |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_CUT : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_SLOW_DISK : 0);
    plan->faults.mean_us = UINT64_C(1000000) << plan_number(state, 2);
    plan->faults.outage_us = UINT64_C(1000000) << plan_number(state, 3);
    plan->faults.victims = 1;
    plan->faults.power_anywhere = false;
    plan->load.clients = 2;
    plan->load.keys = 4 + (int)plan_number(state, 7);
    plan->load.stay = (uint8_t)(plan_number(state, 4) == 0 ? 0 : 12);
    plan->load.deletes = 70;
    plan->load.gets = 25;
    plan->load.lists = 5;
    plan->load.think_us = UINT64_C(350000) << plan_number(state, 2);
    plan->load.requests = 100 + (uint32_t)plan_number(state, 150);
    plan->load.r = plan->load.w = 2;
    plan->dead = 0;
    plan->reaps_after = plan->damages_after = reaps;
}

/* One node is away for longer than blocks are kept, so that some files can be read and others
 * not; most are left alone meanwhile, for what is written is with somebody else then. */
static void be_without_one(struct plan *plan)
{
    plan->faults.kinds = 1U << FAULT_ISOLATE | 1U << FAULT_KILL;
    plan->faults.outage_us = 50000000;
    plan->faults.one_at_a_time = true;
    plan->mounts.names = MOUNTS_NAMES_MAX;
    plan->mounts.programs = 1;
    plan->mounts.operations /= 2;
    plan->mounts.think_us = 8000000;
}

/* Files in blocks, and collectors. What holds messages up, and a mount's own calls, take a part of
 * the grace time of blocks, as they do where that is an hour. */
static void live_in_blocks(uint64_t *state, struct plan *plan)
{
    bool has_victim = plan_number(state, 3) == 0;
    plan->world.replica_count = 3;
    plan->world.nodes = plan->load.nodes = plan->faults.nodes =
        plan_number(state, 3) == 0 ? 5 : 3;
    plan->world.partition_count = 8;
    plan->world.scrub_interval_us = 40000000;
    plan->world.latency_max_us = UINT64_C(200) << plan_number(state, 4);
    plan->world.store_max_us = UINT64_C(50) << plan_number(state, 4);
    plan->faults.kinds = (has_victim ? 1U << FAULT_POWER : 0) |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_KILL : 0) |
                         (plan_number(state, 2) == 0 ? 1U << FAULT_ISOLATE : 0) |
                         (plan_number(state, 3) == 0 ? 1U << FAULT_PAUSE : 0) |
                         (plan_number(state, 3) == 0 ? 1U << FAULT_CUT : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_LOSS : 0) |
                         (plan_number(state, 4) == 0 ? 1U << FAULT_SLOW_LINK : 0) |
                         1U << FAULT_SLOW_DISK;
    plan->faults.mean_us = UINT64_C(2000000) << plan_number(state, 4);
    plan->faults.outage_us = 3000000;
    bool is_one_away = plan->world.nodes > 3 && plan_number(state, 3) != 0;
    has_victim = has_victim && !is_one_away;
    plan->faults.victims = has_victim ? 1 : 0;
    plan->faults.power_anywhere = has_victim && plan_number(state, 2) == 0;
    plan->load.replicas = 3;
    plan->load.clients = plan->load.keys = 1;
    plan->load.requests = 0;
    plan->load.r = plan->load.w = 2;
    plan->mounts =
        (struct mounts_options){.mounts = 2 + (int)plan_number(state, 2),
                                .programs = 1 + (int)plan_number(state, 2),
                                .names = 3 + (int)plan_number(state, 4),
                                .r = 2,
                                .w = 2,
                                .operations = 50 + (uint32_t)plan_number(state, 50),
                                .think_us = UINT64_C(1000000) << plan_number(state, 3),
                                .grace_us = 20000000,
                                .death_us = UINT64_C(16000000) << plan_number(state, 3)};
    if (is_one_away) {
        be_without_one(plan);
    }
    plan->dead = 0;
    plan->reaps_after = false;
}

/* In 64 seeds so many have this life; the swarm has the rest. */
static const struct {
    const char *name;
    unsigned weight;
    void (*live)(uint64_t *state, struct plan *plan);
} lives[LIFE_COUNT] = {
    {"swarm", 0, NULL},
    {"calm", 3, live_calm},
    {"cuts", 4, live_by_cuts},
    {"single", 6, live_singly},
    {"dark", 6, live_in_the_dark},
    {"hints", 6, live_by_hints},
    {"rows", 4, live_without_intents},
    {"struck", 2, live_struck},
    {"forgets", 6, live_forgetfully},
    {"refills", 6, live_by_refills},
    {"graves", 6, live_by_graves},
    {"volumes", 3, live_with_volumes},
    {"mislaid", 4, live_with_mislaid_hints},
    {"blocks", 1, live_in_blocks},
};

int life_of_seed(uint64_t seed)
{
    uint64_t slot = seed * UINT64_C(0x9e3779b97f4a7c15) >> 58;
    uint64_t end = 0;
    for (int life = 0; life < LIFE_COUNT; life++) {
        end += lives[life].weight;
        if (slot < end) {
            return life;
        }
    }
    return 0;
}

void life_draw(int life, uint64_t *state, struct plan *plan)
{
    plan->life = life;
    if (lives[life].live) {
        lives[life].live(state, plan);
    }
}

const char *life_name(int life)
{
    return life < LIFE_COUNT ? lives[life].name : "";
}

int life_of_name(const char *name)
{
    int life = 0;
    while (life < LIFE_COUNT && strcmp(lives[life].name, name) != 0) {
        life++;
    }
    return life;
}
