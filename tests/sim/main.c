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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/bugs.h"
#include "tests/sim/check.h"
#include "tests/sim/faults.h"
#include "tests/sim/load.h"

enum { FORM_US = 3000000, ROUND_LIMIT_US = 600000000 };

struct totals {
    uint64_t steps, virtual_us, acknowledged, written;
    uint64_t faults[FAULT_COUNT];
};

struct arguments {
    const char *program;
    uint64_t seed, seeds;
    const char *bug;
    bool trace;
};

static uint64_t pick(struct world *world, uint64_t count)
{
    return world_random(world) % count;
}

static struct world *begin_world(uint64_t seed, struct world_options *options)
{
    static const uint16_t partitions[] = {8, 16, 64, 64};
    uint64_t draw = seed * UINT64_C(0x9e3779b97f4a7c15);
    *options = (struct world_options){
        .seed = seed,
        .nodes = 3 + 2 * (int)((draw >> 62) % 3),
        .replica_count = 3,
        .partition_count = partitions[draw >> 58 & 3],
        .latency_min_us = 50,
        .latency_max_us = UINT64_C(200) << (draw >> 40 & 7),
        .store_min_us = 5,
        .store_max_us = UINT64_C(50) << (draw >> 50 & 7),
        .repair_interval_us = 5000000,
        .scrub_interval_us = 20000000,
        .confirm_after_us = 200000,
        /* Above every delay that faults.c and world_links.c can make; or by default. */
        .grace_us = draw >> 32 & 1 ? 10000000 : 0,
    };
    return world_new(options);
}

static struct load *begin_load(struct world *world, struct history *history, int nodes,
                               int *ret_keys)
{
    struct load_options options = {
        .clients = 1 + (int)pick(world, 8),
        .keys = 1 + (int)pick(world, 1 + pick(world, 8)),
        .nodes = nodes,
        .requests = 40 + (uint32_t)pick(world, 400),
        .think_us = UINT64_C(20000) << pick(world, 6),
        .r = (uint8_t)(1 + pick(world, 2)),
        .w = (uint8_t)(1 + pick(world, 3)),
    };
    *ret_keys = options.keys;
    return load_new(world, history, &options);
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

static bool run(uint64_t seed, bool trace, struct totals *totals, char *why, size_t size)
{
    struct world_options options;
    struct world *world = begin_world(seed, &options);
    world_trace_to(world, trace ? stdout : NULL);
    struct check *check = calloc(1, sizeof *check);
    struct history *history = calloc(1, sizeof *history);
    assert(check && history);
    for (int i = 0; i < options.nodes; i++) {
        world_start(world, i);
    }
    world_run(world, FORM_US);
    struct load *load = begin_load(world, history, options.nodes, &check->keys);
    bool power_anywhere = pick(world, 4) == 0;
    struct faults *faults = faults_new(world, load, options.nodes, power_anywhere);
    uint64_t end_us = world_now(world) + ROUND_LIMIT_US;
    while (!load_is_done(load) && world_now(world) < end_us) {
        world_run(world, 1000);
        load_step(load);
        faults_step(faults);
    }
    faults_heal(faults);
    check->world = world;
    check->history = history;
    check->nodes = options.nodes;
    check->demand = (struct demand){
        .power_failed = faults_count(faults, FAULT_POWER) > 0,
        .power_anywhere = power_anywhere,
        .disk_lost =
            faults_count(faults, FAULT_LOST) > 0 || faults_count(faults, FAULT_DAMAGED) > 0,
    };
    bool good = check_settles(check) && check_history(check);
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

static int run_all(const struct arguments *arguments)
{
    struct totals totals = {0};
    struct timespec begin;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t i = 0; i < arguments->seeds; i++) {
        uint64_t seed = arguments->seed + i;
        char why[200] = "";
        if (!run(seed, arguments->trace, &totals, why, sizeof why)) {
            (void)printf("seed %" PRIu64 " failed: %s\nagain: %s%s%s --seed %" PRIu64
                         " --trace\n",
                         seed, why, arguments->program, arguments->bug ? " --bug " : "",
                         arguments->bug ? arguments->bug : "", seed);
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
