/*
 * main.c - one seed after another: a cluster, a workload, faults; then healing and the check.
 *
 * usage: sim [--seed S] [--seeds COUNT] [--trace] [--bug NAME]
 *        sim --bugs: the names of the bugs that sim_planted can plant
 *
 * --trace prints a line for each event: the same seed, the same lines.
 * A seed that fails prints what broke and the command that shows it again. Exit 1.
 */
#include <assert.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/bugs.h"
#include "tests/sim/check.h"
#include "tests/sim/faults.h"
#include "tests/sim/load.h"

enum { FORM_US = 3000000, ROUND_LIMIT_US = 600000000 };

struct totals {
    uint64_t steps, virtual_us, acknowledged;
    uint64_t faults[FAULT_COUNT];
};

struct arguments {
    const char *program;
    uint64_t seed, seeds;
    const char *bug;
    bool trace;
};

/* What a run is, all drawn from its seed. */
struct plan {
    struct world_options world;
    struct load_options load;
    struct faults_options faults;
    bool reaps_after; /* looks again when tombstones have been reaped */
};

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
    return (struct world_options){
        .seed = seed,
        .nodes = 3 + 2 * (int)draw(state, 3),
        .replica_count = 3,
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

static struct plan draw_plan(uint64_t seed)
{
    static const uint8_t victims[] = {0, 0, 0, 1, 1, 1, 1, 2};
    struct plan plan;
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)draw(&state, 1);
    plan.world = draw_world(&state, seed);
    draw_grace(&state, &plan.world);
    plan.load = (struct load_options){
        .clients = 1 + (int)draw(&state, 8),
        .keys = 1 + (int)draw(&state, 1 + draw(&state, 8)),
        .nodes = plan.world.nodes,
        .requests = 40 + (uint32_t)draw(&state, 400),
        .think_us = UINT64_C(20000) << draw(&state, 6),
        .r = (uint8_t)(1 + draw(&state, 2)),
        .w = (uint8_t)(1 + draw(&state, 3)),
    };
    /* Of three nodes none is ever a fallback. */
    plan.load.reads_are_current =
        plan.world.nodes == 3 && plan.load.r + plan.load.w > plan.world.replica_count;
    plan.faults = (struct faults_options){
        .nodes = plan.world.nodes,
        .victims = victims[draw(&state, sizeof victims)],
        .power_anywhere = draw(&state, 4) == 0,
        .outage_us = draw(&state, 4) == 0 ? 30000000 : 3000000,
    };
    plan.reaps_after = plan.world.grace_us > 0 && draw(&state, 3) == 0;
    plan.load.copies_are_kept = plan.faults.victims == 0;
    if (plan.faults.victims == 0 && draw(&state, 2) == 0) {
        /* Nothing but the intents pushes rows then. */
        plan.world.scrub_interval_us = 0;
    }
    return plan;
}

static void add_up(struct totals *totals, const struct world *world, const struct load *load,
                   const struct faults *faults)
{
    totals->steps += world_steps(world);
    totals->virtual_us += world_now(world);
    totals->acknowledged += load_acknowledged(load);
    for (int i = 0; i < FAULT_COUNT; i++) {
        totals->faults[i] += faults_count(faults, (enum fault)i);
    }
}

/* What clients saw. Power cuts take what was acknowledged without sync from a node that then
 * answers again. */
static bool check_load(struct check *check, const struct load *load)
{
    bool is_promised = check->w > check->demand.victims && !check->demand.power_failed;
    if (is_promised && load_breach(load)) {
        (void)snprintf(check->why, sizeof check->why, "%s", load_breach(load));
        return false;
    }
    return true;
}

static bool check_run(struct check *check, const struct plan *plan, const struct load *load,
                      const struct faults *faults)
{
    bool was_lost = faults_count(faults, FAULT_LOST) > 0;
    check->nodes = plan->world.nodes;
    check->keys = plan->load.keys;
    check->w = plan->load.w;
    check->was_damaged = faults_count(faults, FAULT_DAMAGED) > 0;
    check->demand = (struct demand){
        .victims = (uint8_t)plan->faults.victims,
        .power_failed = faults_count(faults, FAULT_POWER) > 0,
        .power_anywhere = plan->faults.power_anywhere,
        .disk_lost = was_lost || check->was_damaged,
    };
    bool good = check_load(check, load) && check_settles(check) && check_history(check);
    if (good && plan->reaps_after) {
        /* Once more when the last tombstones are gone. */
        world_run(check->world, plan->world.grace_us + plan->world.repair_interval_us);
        good = check_settles(check) && check_history(check);
    }
    return good;
}

static bool run(uint64_t seed, bool trace, struct totals *totals, char *why, size_t size)
{
    struct plan plan = draw_plan(seed);
    struct world *world = world_new(&plan.world);
    world_trace_to(world, trace ? stdout : NULL);
    struct check *check = calloc(1, sizeof *check);
    struct history *history = calloc(1, sizeof *history);
    assert(check && history);
    for (int i = 0; i < plan.world.nodes; i++) {
        world_start(world, i);
    }
    world_run(world, FORM_US);
    struct load *load = load_new(world, history, &plan.load);
    struct faults *faults = faults_new(world, load, &plan.faults);
    uint64_t end_us = world_now(world) + ROUND_LIMIT_US;
    while (!load_is_done(load) && world_now(world) < end_us) {
        world_run(world, 1000);
        load_step(load);
        faults_step(faults);
    }
    faults_heal(faults);
    check->world = world;
    check->history = history;
    bool good = check_run(check, &plan, load, faults);
    (void)snprintf(why, size, "%s", check->why);
    add_up(totals, world, load, faults);
    faults_free(faults);
    load_free(load);
    free(history);
    free(check);
    world_free(world);
    return good;
}

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == 0;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    arguments->program = argv[0];
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool good = true;
        if (strcmp(argv[i], "--trace") == 0) {
            arguments->trace = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0) {
            good = parse_number(value, &arguments->seed);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            good = parse_number(value, &arguments->seeds);
        } else {
            arguments->bug = value;
            good = strcmp(argv[i], "--bug") == 0 && bugs_plant(value);
        }
        if (!good) {
            return false;
        }
        i++;
    }
    return true;
}

static void print_totals(const struct totals *totals, uint64_t seeds, double real_s)
{
    (void)printf("%" PRIu64 " seeds, %" PRIu64 " steps, %.3f virtual hours, %" PRIu64
                 " acknowledged puts and deletes, %.1f s\nfaults:",
                 seeds, totals->steps, (double)totals->virtual_us / 3.6e9, totals->acknowledged,
                 real_s);
    for (int i = 0; i < FAULT_COUNT; i++) {
        (void)printf(" %s %" PRIu64, fault_name((enum fault)i), totals->faults[i]);
    }
    (void)printf("\n");
}

/* The command that shows again what goes on now; also an assertion that fails leaves it. */
static char again[400];

static void on_abort(int signal)
{
    (void)signal;
    (void)!write(STDOUT_FILENO, again, strlen(again));
}

static int run_all(const struct arguments *arguments)
{
    struct totals totals = {0};
    struct timespec begin;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    (void)signal(SIGABRT, on_abort);
    for (uint64_t i = 0; i < arguments->seeds; i++) {
        uint64_t seed = arguments->seed + i;
        char why[200] = "";
        const char *bug = arguments->bug ? arguments->bug : "";
        (void)snprintf(again, sizeof again,
                       "seed %" PRIu64 " failed\nagain: %s%s%s --seed %" PRIu64 " --trace\n",
                       seed, arguments->program, arguments->bug ? " --bug " : "", bug, seed);
        if (!run(seed, arguments->trace, &totals, why, sizeof why)) {
            (void)printf("%s\n%s", why, again);
            return 1;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double real_s =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_totals(&totals, arguments->seeds, real_s);
    return 0;
}

int main(int argc, char **argv)
{
    /* Fixed: a node's tables come zeroed from the kernel then, and cost what is touched. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    struct arguments arguments = {.seed = 1, .seeds = 1};
    if (argc == 2 && strcmp(argv[1], "--bugs") == 0) {
        for (unsigned i = 0; bugs_name(i); i++) {
            (void)puts(bugs_name(i));
        }
        return 0;
    }
    if (!parse(argc, argv, &arguments)) {
        (void)fprintf(stderr, "usage: sim [--seed S] [--seeds COUNT] [--trace] [--bug NAME]\n"
                              "       sim --bugs\n");
        return 2;
    }
    return run_all(&arguments);
}
