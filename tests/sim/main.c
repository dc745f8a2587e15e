/*
 * main.c - one seed after another: a cluster, a workload, faults; then healing and the check.
 *
 * usage: sim [--seed S] [--seeds COUNT] [--bug NAME]
 *        sim --bugs: the names of the bugs that sim_planted can plant
 * A seed that fails prints what broke and the command that shows it again. Exit 1.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring/preference_list.h"
#include "tests/sim/bugs.h"
#include "tests/sim/faults.h"
#include "tests/sim/load.h"

enum { HEAL_US = 60000000, ROUND_LIMIT_US = 600000000 };

struct totals {
    uint64_t steps, virtual_us, acknowledged, written;
    uint64_t faults[FAULT_COUNT];
};

static uint64_t pick(struct world *world, uint64_t count)
{
    return world_random(world) % count;
}

/* The replica's own copy of a key's object or row, through the store itself. */
static struct object *copy_of(struct world *world, int node, const char *key)
{
    struct store_request request = {.operation = STORE_GET,
                                    .key = blob_new(slice_of_string(key))};
    struct store_result result = {0};
    store_apply(world_store(world, node), &request, 1, &result);
    assert(result.status == STATUS_OK);
    struct object *object = object_ref(result.object);
    store_result_release(&result);
    store_request_release(&request);
    return object;
}

static bool is_member_of(const struct world *world, int node, const struct ring *ring,
                         struct slice placed)
{
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, placed), &list);
    int member = -1;
    for (uint16_t i = 0; i < ring->member_count; i++) {
        char address[ADDRESS_SIZE];
        (void)snprintf(address, sizeof address, "10.0.0.%d:7450", node + 1);
        member = strcmp(ring->members[i].address, address) == 0 ? i : member;
    }
    (void)world;
    return preference_list_primary_index(&list, member) >= 0;
}

/* Reads every key with all replicas at several nodes, so that read repair reaches all of them.
 */
static bool read_all(struct world *world, int nodes, int keys, char *why, size_t size)
{
    for (int round = 0; round < 2; round++) {
        for (int key = 0; key < keys; key++) {
            struct message message = {.type = MESSAGE_GET, .request_id = 1};
            message.get.key = blob_new(slice_of_string(load_key(key)));
            message.get.r = 3;
            message.get.deadline_ms = 5000;
            struct message reply = {0};
            int call = world_ask(world, (key + round) % nodes, &message);
            bool answered = world_wait(world, call, 10000000, &reply);
            bool good =
                answered && (reply.status == STATUS_OK || reply.status == STATUS_NOT_FOUND);
            if (!good) {
                (void)snprintf(why, size, "key %d cannot be read after healing: %s", key,
                               answered ? status_name(reply.status) : "no answer");
                return false;
            }
            message_release(&reply);
            world_run(world, 100000);
        }
    }
    return true;
}

struct checked {
    const struct history *history;
    int nodes, keys;
    bool power_failed;
    bool power_anywhere; /* on any node: what was not synced is not promised */
};

static bool check_key(struct world *world, const struct checked *checked, int key,
                      struct object **ret_merged, char *why, size_t size)
{
    int nodes = checked->nodes;
    struct demand demand = {.one_disk_failed = checked->power_failed,
                            .every_disk_failed = checked->power_anywhere};
    const struct ring *ring = core_ring(world_core(world, 0));
    struct slice name = slice_of_string(load_key(key));
    struct object *merged = NULL;
    struct object *first = NULL;
    bool is_first = true;
    bool good = true;
    for (int node = 0; good && node < nodes; node++) {
        if (!is_member_of(world, node, ring, name)) {
            continue;
        }
        struct object *copy = copy_of(world, node, load_key(key));
        struct object *next = object_merge(merged, copy);
        object_unref(merged);
        merged = next;
        if (!is_first && !object_equal(first, copy)) {
            (void)snprintf(why, size, "key %d: replicas differ after healing", key);
            good = false;
        }
        if (is_first) {
            first = object_ref(copy);
            is_first = false;
        }
        object_unref(copy);
    }
    good = good && history_check(checked->history, key, merged, &demand, why, size);
    object_unref(first);
    *ret_merged = merged;
    return good;
}

static bool has_version(const struct object *object, struct dot dot)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        if (dot_equal(object->versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

/*
 * A row shows what its object holds. Truncation at the object's coordinator does not reach the
 * row's replicas, which only merge; so the row's clock may know more, never less.
 */
static bool row_matches(const struct object *row, const struct object *object)
{
    uint32_t shown = row ? row->version_count : 0;
    uint32_t held = object ? object->version_count : 0;
    for (uint32_t i = 0; shown == held && i < held; i++) {
        if (!has_version(row, object->versions[i].dot)) {
            return false;
        }
    }
    return shown == held && (!object || (row && clock_descends(&row->clock, &object->clock)));
}

/* Every live key is listed, and every listed name is live, as a quorum sees it. */
static bool check_row(struct world *world, const struct object *object, int key, char *why,
                      size_t size)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 1};
    struct slice name = slice_of_string(load_key(key));
    message.list.directory = blob_new(key_directory(name));
    message.list.start = blob_new(key_name(name));
    message.list.end = blob_new(key_name(name));
    message.list.limit = 4;
    message.list.deadline_ms = 5000;
    message.list.r = 3;
    struct message reply = {0};
    bool good = world_wait(world, world_ask(world, 0, &message), 10000000, &reply) &&
                reply.status == STATUS_OK;
    struct object *row = NULL;
    for (uint16_t i = 0; good && i < reply.list_reply.row_count; i++) {
        if (reply.list_reply.rows[i].kind == ROW_FILE) {
            row = reply.list_reply.rows[i].object;
        }
    }
    if (!good) {
        (void)snprintf(why, size, "key %d: its row cannot be read after healing", key);
    } else if (!row_matches(row, object)) {
        (void)snprintf(why, size, "key %d: its row is not the projection of its object", key);
        good = false;
    }
    message_release(&reply);
    return good;
}

static bool check_all(struct world *world, const struct checked *checked, char *why,
                      size_t size)
{
    int nodes = checked->nodes;
    int keys = checked->keys;
    if (!read_all(world, nodes, keys, why, size)) {
        return false;
    }
    /* Where objects and rows live on different nodes, a write that was never acknowledged may
     * have left its row on another disk before its own lost the object: a known gap
     * (docs/simulation.md), so rows are not claimed then. */
    bool rows_are_claimed = nodes <= 3 || !checked->power_failed;
    bool good = true;
    for (int key = 0; good && key < keys; key++) {
        struct object *merged = NULL;
        good = check_key(world, checked, key, &merged, why, size) &&
               (!rows_are_claimed || check_row(world, merged, key, why, size));
        object_unref(merged);
    }
    return good;
}

static bool run(uint64_t seed, struct totals *totals, char *why, size_t size)
{
    struct world_options options = {.seed = seed, .replica_count = 3, .partition_count = 64};
    uint64_t draw = seed * UINT64_C(0x9e3779b97f4a7c15);
    options.nodes = 3 + 2 * (int)((draw >> 62) % 3);
    options.latency_min_us = 50;
    options.latency_max_us = UINT64_C(200) << (draw >> 40 & 7);
    options.store_min_us = 5;
    options.store_max_us = UINT64_C(50) << (draw >> 50 & 7);
    struct world *world = world_new(&options);
    struct history *history = calloc(1, sizeof *history);
    assert(history);
    for (int i = 0; i < options.nodes; i++) {
        world_start(world, i);
    }
    world_run(world, 3000000);
    struct load_options load_options = {
        .clients = 1 + (int)pick(world, 8),
        .keys = 1 + (int)pick(world, 1 + pick(world, 8)),
        .nodes = options.nodes,
        .requests = 40 + (uint32_t)pick(world, 400),
        .r = (uint8_t)(1 + pick(world, 2)),
        .w = (uint8_t)(1 + pick(world, 3)),
    };
    struct load *load = load_new(world, history, &load_options);
    bool power_anywhere = pick(world, 4) == 0;
    struct faults *faults = faults_new(world, options.nodes, power_anywhere);
    uint64_t end_us = world_now(world) + ROUND_LIMIT_US;
    while (!load_is_done(load) && world_now(world) < end_us) {
        world_run(world, 1000);
        load_step(load);
        faults_step(faults);
    }
    faults_heal(faults);
    world_run(world, HEAL_US);
    struct checked checked = {.history = history,
                              .nodes = options.nodes,
                              .keys = load_options.keys,
                              .power_failed = faults_count(faults, FAULT_POWER) > 0,
                              .power_anywhere = power_anywhere};
    bool good = check_all(world, &checked, why, size);
    totals->steps += world_steps(world);
    totals->virtual_us += world_now(world);
    totals->acknowledged += load_acknowledged(load);
    totals->written += history->count;
    for (int i = 0; i < FAULT_COUNT; i++) {
        totals->faults[i] += faults_count(faults, (enum fault)i);
    }
    faults_free(faults);
    load_free(load);
    free(history);
    world_free(world);
    return good;
}

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && *end == 0;
}

struct arguments {
    uint64_t seed, seeds;
};

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i += 2) {
        bool good = i + 1 < argc;
        if (good && strcmp(argv[i], "--seed") == 0) {
            good = parse_number(argv[i + 1], &arguments->seed);
        } else if (good && strcmp(argv[i], "--seeds") == 0) {
            good = parse_number(argv[i + 1], &arguments->seeds);
        } else {
            good = good && strcmp(argv[i], "--bug") == 0 && bugs_plant(argv[i + 1]);
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

static void print_totals(const struct totals *totals, uint64_t seeds, double real_s)
{
    (void)printf("%" PRIu64 " seeds, %" PRIu64 " steps, %.1f virtual hours, %" PRIu64
                 " acknowledged puts and deletes, %.1f s\nfaults:",
                 seeds, totals->steps, (double)totals->virtual_us / 3.6e9, totals->acknowledged,
                 real_s);
    for (int i = 0; i < FAULT_COUNT; i++) {
        (void)printf(" %s %" PRIu64, fault_name((enum fault)i), totals->faults[i]);
    }
    (void)printf("\n");
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
        (void)fprintf(stderr,
                      "usage: sim [--seed S] [--seeds COUNT] [--bug NAME]; sim --bugs\n");
        return 2;
    }
    struct totals totals = {0};
    struct timespec begin;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        uint64_t seed = arguments.seed + i;
        char why[200] = "";
        if (!run(seed, &totals, why, sizeof why)) {
            (void)printf("seed %" PRIu64 " failed: %s\nagain: sim --seed %" PRIu64 "\n", seed,
                         why, seed);
            return 1;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double real_s =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_totals(&totals, arguments.seeds, real_s);
    return 0;
}
