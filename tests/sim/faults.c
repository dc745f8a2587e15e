/*
 * faults.c - the schedule of faults.
 */
#include "tests/sim/faults.h"

#include <assert.h>
#include <stdlib.h>

#include "ring/mark.h"
#include "tests/sim/volumes.h"

enum { BACK_US = 300000, FAULTS_DRAWN = FAULT_HINTS + 1 };

/* When each is over; 0: it is. */
struct node_faults {
    uint64_t down_us; /* killed or paused */
    uint64_t full_us;
    uint64_t slow_us;
    uint64_t strike_us; /* when it is to die; 0: it is not */
    bool is_refilling;  /* or will be: its disk was lost or damaged */
    bool has_hidden;    /* a source from this refill, or not: it was drawn */
};

struct faults {
    struct world *world;
    struct load *load;
    struct faults_options options;
    enum fault kinds[FAULT_COUNT];
    int kind_count;
    uint64_t mean_us; /* between faults */
    uint64_t next_us;
    struct node_faults node[WORLD_NODES_MAX];
    struct volumes volumes;
    uint64_t links_us;
    uint64_t weather_us;
    uint64_t loses_us;           /* a disk, while a node is isolated */
    int isolated, last_isolated; /* the node that is, or was last; or -1 */
    int first_victim;
    uint64_t mended;
    uint64_t count[FAULT_COUNT];
};

static uint64_t pick(struct faults *faults, uint64_t count)
{
    return world_random(faults->world) % count;
}

/* Draws nothing where there is nothing to be drawn. */
static bool pick_of_100(struct faults *faults, uint8_t share)
{
    return share > 0 && pick(faults, 100) < share;
}

static bool is_of_disks(enum fault fault)
{
    return fault == FAULT_POWER || fault == FAULT_LOST || fault == FAULT_DAMAGED ||
           fault == FAULT_HINTS || fault == FAULT_UNMOUNTED;
}

/* Few kinds in some runs, most in others; a quarter of those in which disks forget have
 * little else. */
static void draw_kinds(struct faults *faults)
{
    bool only_disks = faults->options.victims > 0 && pick(faults, 4) == 0;
    uint64_t rarity = only_disks ? 2 : UINT64_C(2) << pick(faults, 3);
    for (int i = 0; i < FAULTS_DRAWN; i++) {
        enum fault fault = (enum fault)i;
        bool is_chosen = pick(faults, is_of_disks(fault) ? 2 : rarity) == 0;
        bool is_allowed = is_of_disks(fault)
                              ? faults->options.victims > 0
                              : !only_disks || i == FAULT_KILL || i == FAULT_CLOCK;
        if (is_chosen && is_allowed) {
            faults->kinds[faults->kind_count++] = fault;
        }
    }
}

struct faults *faults_new(struct world *world, struct load *load,
                          const struct faults_options *options)
{
    struct faults *faults = calloc(1, sizeof *faults);
    assert(faults);
    faults->world = world;
    faults->load = load;
    faults->options = *options;
    for (int i = 0; i < FAULT_COUNT; i++) {
        if ((options->kinds >> i & 1) != 0) {
            faults->kinds[faults->kind_count++] = (enum fault)i;
        }
    }
    if (options->kinds == 0) {
        draw_kinds(faults);
    }
    faults->volumes = (struct volumes){
        .world = world, .nodes = options->nodes, .away_max_us = options->away_max_us};
    faults->isolated = faults->last_isolated = -1;
    faults->first_victim = (int)pick(faults, (uint64_t)options->nodes);
    faults->mean_us =
        options->mean_us > 0 ? options->mean_us : UINT64_C(50000) << pick(faults, 7);
    faults->next_us = world_now(world) + pick(faults, 2 * faults->mean_us);
    for (int node = 0; node < options->nodes; node++) {
        world_hold_hints(world, node, options->holds_hints);
    }
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

/* What holds messages up must be shorter than the grace time of tombstones; what drops them may
 * be longer. */
static uint64_t some_outage(struct faults *faults)
{
    return world_now(faults->world) + 10000 + pick(faults, faults->options.outage_us);
}

static void cut_both(struct faults *faults, int a, int b)
{
    world_cut(faults->world, a, b, true);
    world_cut(faults->world, b, a, true);
}

static void cut_links(struct faults *faults, enum fault fault)
{
    int from = (int)pick(faults, (uint64_t)faults->options.nodes);
    for (int to = 0; to < faults->options.nodes; to++) {
        if (to != from && fault == FAULT_ISOLATE) {
            cut_both(faults, from, to);
        } else if (to != from && pick(faults, 2) == 0) {
            world_cut(faults->world, from, to, true);
        }
    }
    faults->links_us = some_outage(faults);
    if (fault == FAULT_ISOLATE) {
        faults->isolated = faults->last_isolated = from;
        bool loses = pick_of_100(faults, faults->options.lost_behind);
        faults->loses_us = loses ? faults->links_us : 0;
    }
}

static void split(struct faults *faults)
{
    uint64_t side = pick(faults, UINT64_C(1) << faults->options.nodes);
    for (int a = 0; a < faults->options.nodes; a++) {
        for (int b = 0; b < a; b++) {
            if ((side >> a & 1) != (side >> b & 1)) {
                cut_both(faults, a, b);
            }
        }
    }
    faults->links_us = some_outage(faults);
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
    for (int from = 0; from <= faults->options.nodes; from++) {
        for (int to = 0; to <= faults->options.nodes; to++) {
            if (pick(faults, 2) == 0) {
                world_set_weather(faults->world,
                                  from < faults->options.nodes ? from : WORLD_CLIENTS,
                                  to < faults->options.nodes ? to : WORLD_CLIENTS, &weather);
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
        faults->node[node].down_us = some_outage(faults);
    }
}

static int pick_victim(struct faults *faults)
{
    uint64_t number = pick(faults, (uint64_t)faults->options.victims);
    return (faults->first_victim + (int)number) % faults->options.nodes;
}

static void lose_power(struct faults *faults, int node)
{
    bool was_well = is_well(faults, node);
    cut_power(faults, faults->options.power_anywhere ? node : pick_victim(faults));
    for (int i = 0; faults->options.power_anywhere && was_well && i < faults->options.nodes;
         i++) {
        cut_power(faults, i); /* the whole house is dark */
    }
}

/* True if some other node has not refilled yet. */
static bool is_budget_spent(struct faults *faults, int victim)
{
    for (int node = 0; node < faults->options.nodes; node++) {
        struct node_faults *at = &faults->node[node];
        bool is_whole =
            world_is_complete(faults->world, node) && world_damaged(faults->world, node) == 0;
        is_whole = is_whole && volumes_is_mounted(&faults->volumes, node);
        at->is_refilling = at->is_refilling && !is_whole;
        if (node != victim && at->is_refilling) {
            return true;
        }
    }
    return false;
}

static void begin_named(struct faults *faults, enum fault fault)
{
    world_trace(faults->world, -1, "fault %s", fault_name(fault));
    faults->count[fault]++;
}

/* It is met by whoever reads there next, or by a start. */
static void damage_hints(struct faults *faults, int victim)
{
    bool is_met_at_start = is_well(faults, victim) && pick(faults, 2) == 0;
    faults->count[FAULT_HINTS] -= world_damage_hints(faults->world, victim) == 0 ? 1 : 0;
    if (is_met_at_start) {
        world_kill(faults->world, victim);
        world_meet_damage(faults->world, victim);
        faults->node[victim].down_us = some_outage(faults);
    }
}

static void harm_disk(struct faults *faults, enum fault fault, int victim)
{
    bool is_damage = fault == FAULT_DAMAGED || fault == FAULT_HINTS;
    bool may_be = !is_budget_spent(faults, victim) && (is_damage || is_well(faults, victim));
    bool is_in_vain = fault == FAULT_HINTS && !world_keeps_hints(faults->world, victim);
    if (!may_be || is_in_vain) {
        faults->count[fault]--;
        return;
    }
    if (fault == FAULT_DAMAGED) {
        (void)world_damage(faults->world, victim);
    } else if (fault == FAULT_HINTS) {
        damage_hints(faults, victim);
    } else {
        world_kill(faults->world, victim);
        world_wipe(faults->world, victim);
        faults->node[victim].down_us = some_outage(faults);
    }
    faults->node[victim].is_refilling = true;
    faults->node[victim].has_hidden = false;
}

void faults_damage_late(struct faults *faults)
{
    int victim = pick_victim(faults);
    if (world_keeps_hints(faults->world, victim)) {
        begin_named(faults, FAULT_HINTS);
        world_kill(faults->world, victim);
        (void)world_damage_hints(faults->world, victim);
        world_meet_damage(faults->world, victim);
        world_start(faults->world, victim);
    }
}

static void unmount(struct faults *faults, int victim)
{
    if (is_budget_spent(faults, victim) || !is_well(faults, victim) ||
        !volumes_is_mounted(&faults->volumes, victim)) {
        faults->count[FAULT_UNMOUNTED]--;
        return;
    }
    volumes_unmount(&faults->volumes, victim);
    faults->node[victim].is_refilling = true;
}

/* Made after a clean stop: a copy of a running node's would be distrusted anyway. */
static void put_back(struct faults *faults, int victim)
{
    faults->count[FAULT_PUT_BACK]--;
    if (!is_well(faults, victim)) {
        return;
    }
    if (!world_has_backup(faults->world, victim) || pick(faults, 3) == 0) {
        world_stop(faults->world, victim);
        world_back_up(faults->world, victim);
    } else {
        world_kill(faults->world, victim);
        world_put_back(faults->world, victim);
        faults->count[FAULT_PUT_BACK]++;
    }
    faults->node[victim].down_us = world_now(faults->world) + 1 + pick(faults, 50000);
}

/* By a second or by minutes: what is over a minute ahead is treated in another way. */
static void jump_clock(struct faults *faults, int node)
{
    uint64_t range_us = UINT64_C(2000000) << pick(faults, 10);
    int64_t jump_us = (int64_t)pick(faults, range_us) - (int64_t)range_us / 2;
    world_set_clock(faults->world, node, jump_us, (int64_t)pick(faults, 2000) - 1000);
}

/* False for a fault of links. */
static bool begin_at_node(struct faults *faults, enum fault fault)
{
    int node = (int)pick(faults, (uint64_t)faults->options.nodes);
    struct node_faults *at = &faults->node[node];
    if ((fault == FAULT_KILL || fault == FAULT_PAUSE) && is_well(faults, node)) {
        at->down_us = fault == FAULT_KILL ? some_outage(faults) : some_time(faults);
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
        jump_clock(faults, node);
    } else if (fault == FAULT_POWER) {
        lose_power(faults, node);
    } else if (fault == FAULT_LOST || fault == FAULT_DAMAGED || fault == FAULT_HINTS) {
        harm_disk(faults, fault, pick_victim(faults));
    } else if (fault == FAULT_UNMOUNTED) {
        unmount(faults, pick_victim(faults));
    } else if (fault == FAULT_PUT_BACK) {
        put_back(faults, pick_victim(faults));
    } else {
        return fault == FAULT_KILL || fault == FAULT_PAUSE;
    }
    return true;
}

static void begin(struct faults *faults, enum fault fault)
{
    begin_named(faults, fault);
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
    faults->mended++;
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
    faults->mended++;
    faults->links_us = 0;
    faults->isolated = -1;
    for (int from = 0; from < faults->options.nodes; from++) {
        for (int to = 0; to < faults->options.nodes; to++) {
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

static bool is_any_under_way(struct faults *faults)
{
    bool found = faults->links_us != 0 || faults->weather_us != 0;
    for (int node = 0; node < faults->options.nodes; node++) {
        const struct node_faults *at = &faults->node[node];
        found |= at->down_us != 0 || at->full_us != 0 || at->slow_us != 0;
    }
    return found || is_budget_spent(faults, -1);
}

/* The moment that matters: what was just promised is in as few places as it will ever be. */
static void cut_after_sync(struct faults *faults)
{
    if (!load_take_synced(faults->load) ||
        pick(faults, 100) >= faults->options.cuts_after_sync) {
        return;
    }
    mark(MARK_DARK_AFTER_SYNC);
    begin_named(faults, FAULT_POWER);
    for (int node = 0; node < faults->options.nodes; node++) {
        cut_power(faults, node);
    }
}

static bool has_kind(const struct faults *faults, enum fault fault)
{
    bool found = false;
    for (int i = 0; i < faults->kind_count; i++) {
        found |= faults->kinds[i] == fault;
    }
    return found;
}

static bool is_victim(const struct faults *faults, int node)
{
    int nodes = faults->options.nodes;
    return (node - faults->first_victim + nodes) % nodes < faults->options.victims;
}

/* A coordinator dies: before others have what it put, or their rows. */
static void strike(struct faults *faults, int node)
{
    bool loses_power = has_kind(faults, FAULT_POWER) && is_victim(faults, node);
    enum fault fault = loses_power ? FAULT_POWER : FAULT_KILL;
    faults->node[node].strike_us = 0;
    if (!is_well(faults, node) || !has_kind(faults, fault)) {
        return;
    }
    world_trace(faults->world, -1, "fault %s of a coordinator", fault_name(fault));
    faults->count[fault]++;
    if (loses_power) {
        cut_power(faults, node);
    } else {
        world_kill(faults->world, node);
        faults->node[node].down_us = some_outage(faults);
    }
}

static void strike_coordinators(struct faults *faults)
{
    uint64_t now_us = world_now(faults->world);
    uint32_t coordinators = world_take_coordinators(faults->world);
    for (int node = 0; faults->options.strikes > 0 && node < faults->options.nodes; node++) {
        struct node_faults *at = &faults->node[node];
        bool is_chosen = (coordinators >> node & 1) != 0 && at->strike_us == 0 &&
                         pick(faults, 100) < faults->options.strikes;
        if (is_chosen) {
            at->strike_us = now_us + pick(faults, faults->options.strike_us);
        }
        if (at->strike_us != 0 && at->strike_us <= now_us) {
            strike(faults, node);
        }
    }
}

/* Its disk forgets the put that it has just acknowledged, and is soon asked about that again. */
static void forget_put(struct faults *faults, int key, int node)
{
    enum fault fault = faults->kinds[pick(faults, (uint64_t)faults->kind_count)];
    struct slice name = slice_of_string(load_key(key));
    world_trace(faults->world, node, "forgets a put: %s", fault_name(fault));
    faults->count[fault]++;
    if (fault == FAULT_POWER && is_well(faults, node)) {
        world_power_cut(faults->world, node);
        faults->node[node].down_us = world_now(faults->world) + 1 + pick(faults, 20000);
    } else if (fault == FAULT_DAMAGED && !is_budget_spent(faults, node)) {
        (void)world_damage_object(faults->world, node, name);
        faults->node[node].is_refilling = true;
    } else if (fault == FAULT_PUT_BACK) {
        put_back(faults, node);
    } else {
        faults->count[fault]--;
        return;
    }
    mark(MARK_FORGOT_PUT);
    load_focus(faults->load, key, node, 1 + (uint32_t)pick(faults, 6));
}

static void forget_after_put(struct faults *faults)
{
    int key = 0;
    int node = 0;
    bool has_put = faults->options.forgets > 0 && load_take_put(faults->load, &key, &node);
    if (has_put && is_victim(faults, node) && pick(faults, 100) < faults->options.forgets) {
        forget_put(faults, key, node);
    }
}

static void drop_intents(struct faults *faults)
{
    for (int node = 0; faults->options.drops_intents && node < faults->options.nodes; node++) {
        if (world_is_up(faults->world, node)) {
            world_drop_intents(faults->world, node);
        }
    }
}

/* The other is back a moment later, when the victim waits to be let in. */
static void lose_behind(struct faults *faults)
{
    int victim = pick_victim(faults);
    faults->loses_us = 0;
    if (victim == faults->isolated || !is_well(faults, victim)) {
        return;
    }
    begin_named(faults, FAULT_LOST);
    harm_disk(faults, FAULT_LOST, victim);
    faults->node[victim].down_us = world_now(faults->world) + 1;
    faults->links_us = world_now(faults->world) + pick(faults, BACK_US);
}

/* Which node has what the one that refills lacks, and the one that was away? */
static int pick_source(struct faults *faults, int refilling)
{
    int node = refilling;
    while (node == refilling || node == faults->last_isolated) {
        node = (int)pick(faults, (uint64_t)faults->options.nodes);
    }
    return node;
}

static void hide_source(struct faults *faults, int refilling)
{
    int source = pick_source(faults, refilling);
    bool is_cut_off = pick(faults, 2) == 0;
    world_trace(faults->world, refilling, "refills without node %d", source);
    for (int node = 0; node < faults->options.nodes; node++) {
        if (node == refilling || (is_cut_off && node != source)) {
            cut_both(faults, source, node);
        }
    }
    faults->links_us = some_outage(faults);
}

/* As soon as a node was let in, and before it has asked anybody. */
static void hide_sources(struct faults *faults)
{
    for (int node = 0; faults->options.hidden_sources > 0 && node < faults->options.nodes;
         node++) {
        struct node_faults *at = &faults->node[node];
        if (!at->is_refilling || at->has_hidden || !world_is_refilling(faults->world, node)) {
            continue;
        }
        at->has_hidden = true;
        if (pick_of_100(faults, faults->options.hidden_sources)) {
            hide_source(faults, node);
        }
    }
}

void faults_step(struct faults *faults)
{
    uint64_t now_us = world_now(faults->world);
    cut_after_sync(faults);
    strike_coordinators(faults);
    forget_after_put(faults);
    drop_intents(faults);
    for (int node = 0; node < faults->options.nodes; node++) {
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
    if (is_due(faults->loses_us, now_us)) {
        lose_behind(faults);
    }
    if (is_due(faults->links_us, now_us)) {
        mend_links(faults);
    }
    hide_sources(faults);
    volumes_step(&faults->volumes);
    if (is_due(faults->weather_us, now_us)) {
        mend_weather(faults);
    }
    if (faults->next_us <= now_us) {
        bool may_begin = faults->kind_count > 0 &&
                         (!faults->options.one_at_a_time || !is_any_under_way(faults));
        if (may_begin) {
            begin(faults, faults->kinds[pick(faults, (uint64_t)faults->kind_count)]);
        }
        faults->next_us = now_us + 1 + pick(faults, 2 * faults->mean_us);
    }
}

void faults_heal(struct faults *faults)
{
    for (int node = 0; node < faults->options.nodes; node++) {
        mend_node(faults, node);
        mend_speed(faults, node);
        world_set_clock(faults->world, node, 0, 0);
        world_hold_hints(faults->world, node, false);
    }
    mend_links(faults);
    mend_weather(faults);
    volumes_heal(&faults->volumes);
}

static void stay_away(struct faults *faults, int node)
{
    uint64_t how = pick(faults, 3);
    world_trace(faults->world, node, "stays away");
    if (how == 0) {
        world_kill(faults->world, node);
    } else if (how == 1) {
        world_pause(faults->world, node, true);
    } else {
        for (int other = 0; other < faults->options.nodes; other++) {
            if (other != node) {
                cut_both(faults, node, other);
            }
        }
    }
}

uint32_t faults_heal_core(struct faults *faults, int dead)
{
    uint32_t chosen = 0;
    faults_heal(faults);
    while (dead > 0) {
        int node = (int)pick(faults, (uint64_t)faults->options.nodes);
        if ((chosen >> node & 1) == 0) {
            stay_away(faults, node);
            chosen |= UINT32_C(1) << node;
            dead--;
        }
    }
    return chosen;
}

uint64_t faults_mended(const struct faults *faults)
{
    return faults->mended;
}

uint64_t faults_count(const struct faults *faults, enum fault fault)
{
    return faults->count[fault];
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        "kill",      "pause",     "cut",       "isolate",   "split",   "loss",   "duplicate",
        "reorder",   "slow-link", "slow-disk", "clock",     "full",    "client", "power",
        "lost-disk", "damaged",   "hints",     "unmounted", "put-back"};
    return names[fault];
}
