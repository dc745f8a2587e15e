/*
 * main.c - one seed after another: a cluster, a workload, faults; then healing and the check.
 *
 * usage: sim [--seed S] [--seeds COUNT] [--life NAME] [--trace] [--bug NAME] [--marks]
 *        sim --bugs: the names of the bugs that sim_planted can plant
 *
 * --marks prints how often each rare state was reached, if this is sim_marks.
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

#include "ring/mark.h"
#include "tests/sim/blocks.h"
#include "tests/sim/bugs.h"
#include "tests/sim/check.h"
#include "tests/sim/faults.h"
#include "tests/sim/graves.h"
#include "tests/sim/load.h"
#include "tests/sim/owed.h"
#include "tests/sim/plan.h"
#include "tests/sim/probe.h"
#include "tests/sim/refills.h"

enum {
    FORM_US = 3000000,
    ROUND_LIMIT_US = 600000000,
    CORE_CALM_US = 7000000, /* until what was mended counts as well */
    CORE_LIMIT_US = 120000000,
    CORE_QUIET_US = 40000000, /* for hints and intents to go where they can */
    CORE_REQUESTS = 60,
    LOOK_US = 1000000, /* between looks at all copies */
    LOOK_RARELY_US = 3000000,
    REAPING_US = 5000000, /* until what is old enough was proposed and is gone */
};

struct totals {
    uint64_t steps, virtual_us, acknowledged;
    uint64_t faults[FAULT_COUNT];
    uint64_t lives[LIFE_COUNT];
    struct load_due due;
    struct mounts_counts mounts;
};

/* What clients do to the cluster, and what is done to it. */
struct cast {
    struct load *load;
    struct mounts *mounts; /* NULL: there are none */
    struct faults *faults;
    struct refills *refills;
};

struct arguments {
    const char *program;
    uint64_t seed, seeds;
    const char *bug;
    int life;
    bool trace, marks;
};

static void add_mounts(struct mounts_counts *sum, const struct mounts *mounts)
{
    struct mounts_counts counts = mounts_count(mounts);
    sum->commits += counts.commits;
    sum->renames += counts.renames;
    sum->siblings += counts.siblings;
    sum->abandoned += counts.abandoned;
    sum->deaths += counts.deaths;
    sum->suspensions += counts.suspensions;
    sum->reads += counts.reads;
    sum->read_blocks += counts.read_blocks;
    sum->marked += counts.marked;
    sum->blocks_deleted += counts.blocks_deleted;
}

static void add_up(struct totals *totals, const struct world *world, const struct cast *cast)
{
    const struct load *load = cast->load;
    const struct faults *faults = cast->faults;
    totals->steps += world_steps(world);
    totals->virtual_us += world_now(world);
    totals->acknowledged += load_acknowledged(load);
    for (int i = 0; i < FAULT_COUNT; i++) {
        totals->faults[i] += faults_count(faults, (enum fault)i);
    }
    struct load_due due = load_due(load);
    totals->due.puts += due.puts;
    totals->due.gets += due.gets;
    totals->due.lists += due.lists;
    if (cast->mounts) {
        add_mounts(&totals->mounts, cast->mounts);
    }
}

/* What clients saw. Power cuts take what was acknowledged without sync from a node that then
 * answers again. */
static bool check_load(struct check *check, const struct load *load)
{
    if (load_refused(load)) {
        (void)snprintf(check->why, sizeof check->why, "%s", load_refused(load));
        return false;
    }
    bool is_promised = check->w > check->demand.victims && !check->demand.power_failed;
    if (is_promised && load_breach(load)) {
        (void)snprintf(check->why, sizeof check->why, "%s", load_breach(load));
        return false;
    }
    return true;
}

static void note_demand(struct check *check, const struct plan *plan,
                        const struct faults *faults)
{
    bool was_put_back = faults_count(faults, FAULT_PUT_BACK) > 0;
    bool was_lost = faults_count(faults, FAULT_LOST) > 0 ||
                    faults_count(faults, FAULT_UNMOUNTED) > 0 || was_put_back;
    check->was_damaged = faults_count(faults, FAULT_DAMAGED) > 0;
    check->was_jumped = faults_count(faults, FAULT_CLOCK) > 0;
    check->demand = (struct demand){
        .victims = (uint8_t)plan->faults.victims,
        /* What was put back answers, too, and does not know what it forgot. */
        .power_failed = faults_count(faults, FAULT_POWER) > 0 || was_put_back,
        .power_anywhere = plan->faults.power_anywhere,
        .disk_lost = was_lost || check->was_damaged || faults_count(faults, FAULT_HINTS) > 0,
    };
}

static bool look_at_graves(struct check *check)
{
    return !check->keeps_copies || graves_look(check->graves, check->why, sizeof check->why);
}

static bool check_all(struct check *check)
{
    return check_settles(check) && check_history(check) && look_at_graves(check) &&
           graves_check(check->graves, check->why, sizeof check->why) && probe_answers(check);
}

static bool check_run(struct check *check, const struct plan *plan, const struct cast *cast)
{
    bool good = check_load(check, cast->load) && check_all(check);
    if (good && plan->reaps_after) {
        /* Once more when the last tombstones are gone. */
        world_run(check->world, plan->world.grace_us + REAPING_US);
        good = check_all(check);
    }
    if (good && plan->damages_after) {
        faults_damage_late(cast->faults);
        good = check_all(check);
    }
    if (good && cast->mounts) {
        good = blocks_check(check, cast->mounts, plan->mounts.grace_us);
    }
    return good;
}

/* Who comes back shows what it has before anybody could mend it. */
static bool look_at_rows(struct check *check, const struct plan *plan,
                         const struct faults *faults, uint64_t *mended)
{
    if (faults_mended(faults) == *mended) {
        return true;
    }
    *mended = faults_mended(faults);
    note_demand(check, plan, faults);
    return owed_check(check);
}

static bool look(struct check *check, const struct cast *cast)
{
    return look_at_graves(check) && (!cast->mounts || blocks_look(check, cast->mounts));
}

static bool are_done(const struct cast *cast)
{
    return load_is_done(cast->load) && (!cast->mounts || mounts_are_done(cast->mounts));
}

/* False, and why, if something was not as it must be meanwhile. */
static bool run_load(struct check *check, const struct plan *plan, const struct cast *cast,
                     uint64_t limit_us)
{
    struct world *world = check->world;
    uint64_t end_us = world_now(world) + limit_us;
    uint64_t look_us = 0;
    uint64_t mended = 0;
    bool good = true;
    while (good && !are_done(cast) && world_now(world) < end_us) {
        world_run(world, 1000);
        if (look_us <= world_now(world)) {
            look_us = world_now(world) + (cast->mounts ? LOOK_RARELY_US : LOOK_US);
            good = look(check, cast);
        }
        load_step(cast->load);
        if (cast->mounts) {
            mounts_step(cast->mounts);
        }
        if (cast->faults) {
            faults_step(cast->faults);
            good = good && look_at_rows(check, plan, cast->faults, &mended);
        }
        if (cast->refills) {
            refills_step(cast->refills);
        }
    }
    return good;
}

/* Some nodes stay away; the others must serve, and keep no more than they must. */
static bool run_core(struct check *check, const struct plan *plan, struct load *load,
                     struct faults *faults)
{
    if (plan->dead == 0) {
        return true;
    }
    uint32_t dead = faults_heal_core(faults, plan->dead);
    world_run(check->world, CORE_CALM_US);
    load_go_on(load, CORE_REQUESTS);
    struct cast cast = {.load = load};
    bool good = run_load(check, plan, &cast, CORE_LIMIT_US);
    world_run(check->world, CORE_QUIET_US);
    return good && check_load(check, load) && probe_core(check, dead);
}

static bool check_refills(struct check *check, const struct refills *refills)
{
    const char *breach = refills_breach(refills);
    if (breach) {
        (void)snprintf(check->why, sizeof check->why, "%s", breach);
    }
    return !breach;
}

/* The cluster, and what is done to it; all borrowed. */
static bool run_planned(struct check *check, const struct plan *plan, struct history *history,
                        struct totals *totals)
{
    struct world *world = check->world;
    for (int i = 0; i < plan->world.nodes; i++) {
        world_start(world, i);
    }
    world_run(world, FORM_US);
    struct cast cast = {.load = load_new(world, history, check->graves, &plan->load)};
    cast.mounts = plan->mounts.mounts > 0 ? mounts_new(world, &plan->mounts) : NULL;
    cast.faults = faults_new(world, cast.load, &plan->faults);
    cast.refills = refills_new(check);
    bool good = run_load(check, plan, &cast, ROUND_LIMIT_US);
    note_demand(check, plan, cast.faults);
    good = good && check_refills(check, cast.refills) &&
           run_core(check, plan, cast.load, cast.faults);
    faults_heal(cast.faults);
    if (cast.mounts) {
        mounts_end(cast.mounts);
    }
    good = good && check_run(check, plan, &cast);
    add_up(totals, world, &cast);
    totals->lives[plan->life]++;
    if (cast.mounts) {
        mounts_free(cast.mounts);
    }
    refills_free(cast.refills);
    faults_free(cast.faults);
    load_free(cast.load);
    return good;
}

static bool run(uint64_t seed, const struct arguments *arguments, struct totals *totals,
                char *why, size_t size)
{
    struct plan plan = plan_draw(seed, arguments->life);
    struct world *world = world_new(&plan.world);
    world_trace_to(world, arguments->trace ? stdout : NULL);
    struct check *check = calloc(1, sizeof *check);
    struct history *history = calloc(1, sizeof *history);
    assert(check && history);
    check->world = world;
    check->history = history;
    check->nodes = plan.world.nodes;
    check->keys = plan.load.keys;
    check->w = plan.load.w;
    check->keeps_copies = plan.load.copies_are_kept;
    check->graves = graves_new(world, history, plan.world.nodes, plan.load.keys,
                               !plan_may_have(&plan, FAULT_CLOCK));
    check->reaps = plan.world.grace_us > 0;
    check->owes_rows = check->keeps_copies && !plan.faults.drops_intents;
    bool good = run_planned(check, &plan, history, totals);
    (void)snprintf(why, size, "%s", check->why);
    graves_free(check->graves);
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
        if (strcmp(argv[i], "--marks") == 0) {
            arguments->marks = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0) {
            good = parse_number(value, &arguments->seed);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            good = parse_number(value, &arguments->seeds);
        } else if (strcmp(argv[i], "--life") == 0) {
            arguments->life = life_of_name(value);
            good = arguments->life != LIFE_COUNT;
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
    (void)printf("\nlives:");
    for (int i = 0; i < LIFE_COUNT; i++) {
        (void)printf(" %s %" PRIu64, life_name(i), totals->lives[i]);
    }
    (void)printf("\ndue: puts %" PRIu64 " gets %" PRIu64 " lists %" PRIu64 "\n",
                 totals->due.puts, totals->due.gets, totals->due.lists);
    const struct mounts_counts *mounts = &totals->mounts;
    (void)printf("mounts: commits %" PRIu64 " renames %" PRIu64 " siblings %" PRIu64
                 " abandoned %" PRIu64 " deaths %" PRIu64 " suspensions %" PRIu64
                 " reads %" PRIu64 " of %" PRIu64 " blocks, marked %" PRIu64 " deleted %" PRIu64
                 "\n",
                 mounts->commits, mounts->renames, mounts->siblings, mounts->abandoned,
                 mounts->deaths, mounts->suspensions, mounts->reads, mounts->read_blocks,
                 mounts->marked, mounts->blocks_deleted);
}

/* A line for each: "mark", its name, how often, what it is. False: this build counts none. */
static bool print_marks(void)
{
#ifdef DYNAMOFS_MARKS
    for (unsigned i = 0; i < MARK_COUNT; i++) {
        (void)printf("mark %s %" PRIu64 " %s\n", mark_name(i), mark_counts[i], mark_text(i));
    }
    return true;
#else
    (void)fprintf(stderr, "sim: this build counts no marks: run sim_marks\n");
    return false;
#endif
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
        (void)snprintf(
            again, sizeof again,
            "seed %" PRIu64 " failed\nagain: %s%s%s%s%s --seed %" PRIu64 " --trace\n", seed,
            arguments->program, arguments->bug ? " --bug " : "", bug,
            arguments->life == LIFE_DRAWN ? "" : " --life ", life_name(arguments->life), seed);
        if (!run(seed, arguments, &totals, why, sizeof why)) {
            (void)printf("%s\n%s", why, again);
            return 1;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double real_s =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_totals(&totals, arguments->seeds, real_s);
    return arguments->marks && !print_marks() ? 2 : 0;
}

int main(int argc, char **argv)
{
    /* Fixed: a node's tables come zeroed from the kernel then, and cost what is touched. */
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    struct arguments arguments = {.seed = 1, .seeds = 1, .life = LIFE_DRAWN};
    if (argc == 2 && strcmp(argv[1], "--bugs") == 0) {
        for (unsigned i = 0; bugs_name(i); i++) {
            (void)puts(bugs_name(i));
        }
        return 0;
    }
    if (!parse(argc, argv, &arguments)) {
        (void)fprintf(
            stderr,
            "usage: sim [--seed S] [--seeds COUNT] [--life NAME] [--trace] [--bug NAME] "
            "[--marks]\n"
            "       sim --bugs\n");
        return 2;
    }
    return run_all(&arguments);
}
