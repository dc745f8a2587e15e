/*
 * mounts.c - the life of a mount: its threads, how it ends, and who comes in its place.
 */
#include "tests/sim/mounts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/client/collector.h"
#include "tests/sim/mounts_internal.h"

enum { PASSES_IN_GRACE = 4, STEP_PAUSE_US = 20000, OPEN_AGAIN_US = 500000 };

/* Of the clock that collectors read: that of the nodes, so that a planted bug can count the age
 * of a block from when it was made. */
#define CLOCK_BEGIN_US UINT64_C(1700000000000000)

uint32_t mounts_pick(struct mounts *mounts, uint32_t count)
{
    return (uint32_t)(world_random(mounts->world) % count);
}

void mounts_note_breach(struct mounts *mounts, const char *name, const char *what)
{
    if (mounts->breach[0] == '\0' && !thread_is_dead()) {
        (void)snprintf(mounts->breach, sizeof mounts->breach, "%s: %s", name, what);
        world_trace(mounts->world, -1, "%s", mounts->breach);
    }
}

/* Threads ---------------------------------------------------------------------------------- */

static enum status open_cluster(struct mount *mount)
{
    struct mounts *mounts = mount->mounts;
    char addresses[WORLD_NODES_MAX * (ADDRESS_SIZE + 1)] = "";
    size_t used = 0;
    int nodes = mounts->options.nodes;
    int first = (int)mounts_pick(mounts, (uint32_t)nodes);
    for (int i = 0; i < nodes; i++) {
        used += (size_t)snprintf(addresses + used, sizeof addresses - used, "%s%s",
                                 i > 0 ? "," : "",
                                 world_address(mounts->world, (first + i) % nodes));
    }
    struct error error = {0};
    return kv_open_cluster(addresses, &mount->options, &mount->kv, &error);
}

static uint64_t collector_now_us(void)
{
    return CLOCK_BEGIN_US + thread_now_us();
}

static bool is_working(const struct mount *mount)
{
    bool has_work =
        mount->role == MOUNT_COLLECTS ? !mount->mounts->is_ending : mount->programs_left > 0;
    return has_work && !thread_is_dead();
}

static uint64_t left_alone(const struct collector_stats *stats)
{
    return stats->sets_busy + stats->sets_unsettled + stats->sets_left_alone +
           stats->shards_left_alone + stats->unmarked;
}

static void collect_once(struct mount *mount, struct collector *collector)
{
    struct collector_stats before = *collector_stats(collector);
    bool is_over = false;
    while (!is_over && is_working(mount)) {
        uint64_t sets = collector_stats(collector)->sets;
        enum status status = collector_step(collector, &is_over);
        bool has_looked = collector_stats(collector)->sets > sets;
        if (status != STATUS_OK || has_looked) {
            world_trace(mount->mounts->world, -1, "mount %d has looked at a set: %s",
                        mount->index, status_name(status));
            thread_sleep(mounts_pick(mount->mounts, STEP_PAUSE_US));
        }
    }
    const struct collector_stats *after = collector_stats(collector);
    bool is_whole = is_over && left_alone(after) == left_alone(&before);
    mount->mounts->passes += is_whole && !thread_is_dead() ? 1 : 0;
    mount->mounts->counts.marked += after->marked - before.marked;
    mount->mounts->counts.blocks_deleted += after->blocks_deleted - before.blocks_deleted;
    if (is_over && after->blocks_deleted > before.blocks_deleted) {
        world_trace(mount->mounts->world, -1, "mount %d has deleted %u blocks", mount->index,
                    (unsigned)(after->blocks_deleted - before.blocks_deleted));
    }
}

static void run_collector(void *context)
{
    struct mount *mount = context;
    uint64_t pause_us = mount->mounts->options.grace_us / PASSES_IN_GRACE;
    struct collector_options options = {.kv = &mount->shard_kv.kv,
                                        .deadline_ms = DEADLINE_MS,
                                        .w = mount->options.w,
                                        .grace_us = mount->mounts->options.grace_us,
                                        .now_us = collector_now_us};
    struct collector *collector = collector_new(&options);
    assert(collector);
    while (is_working(mount)) {
        bool is_alone = mount->role == MOUNT_COLLECTS;
        thread_sleep(is_alone ? pause_us : mounts_pick(mount->mounts, 2 * (uint32_t)pause_us));
        collect_once(mount, collector);
    }
    collector_free(collector);
}

static void run_holder(void *context)
{
    struct mount *mount = context;
    while (is_working(mount)) {
        thread_sleep(mount->mounts->options.grace_us / PASSES_IN_GRACE);
        blocks_hold(&mount->blocks);
    }
}

static void run_program(void *context)
{
    struct program *program = context;
    struct mount *mount = program->mount;
    if (mount->role == MOUNT_READS) {
        program_read_all(program);
    } else {
        program_main(program);
    }
    mount->programs_left--;
}

static void run_threads(struct mount *mount)
{
    struct thread *threads[PROGRAMS_MAX + 2];
    int count = 0;
    if (mount->role != MOUNT_READS) {
        threads[count++] = thread_start(run_collector, mount);
    }
    if (mount->role == MOUNT_WORKS) {
        threads[count++] = thread_start(run_holder, mount);
    }
    for (int i = 0; i < mount->programs_left; i++) {
        threads[count] = thread_start(run_program, &mount->programs[i]);
        count++;
    }
    for (int i = 0; i < count; i++) {
        thread_join(threads[i]);
    }
}

static void mount_main(void *context)
{
    struct mount *mount = context;
    while (!thread_is_dead() && open_cluster(mount) != STATUS_OK) {
        thread_sleep(OPEN_AGAIN_US);
    }
    if (!mount->kv) {
        return;
    }
    shard_kv_init(&mount->shard_kv, mount->kv, &mount->mounts->book);
    blocks_init(&mount->blocks, mount->kv, &mount->options);
    mount->blocks.grace_us = mount->mounts->options.grace_us;
    run_threads(mount);
    blocks_release(&mount->blocks);
    kv_close(mount->kv);
}

/* From outside ----------------------------------------------------------------------------- */

static uint64_t some_time(struct mounts *mounts, uint64_t mean_us)
{
    return world_now(mounts->world) + 1 + world_random(mounts->world) % (2 * mean_us);
}

static void mount_begin(struct mounts *mounts, int index, enum mount_role role)
{
    struct mount *mount = calloc(1, sizeof *mount);
    assert(mount && mounts->options.programs <= PROGRAMS_MAX);
    mount->mounts = mounts;
    mount->index = index;
    mount->role = role;
    mount->options = (struct kv_options){
        .deadline_ms = DEADLINE_MS, .r = mounts->options.r, .w = mounts->options.w};
    mount->programs_left = role == MOUNT_WORKS   ? mounts->options.programs
                           : role == MOUNT_READS ? 1
                                                 : 0;
    for (int i = 0; i < mount->programs_left; i++) {
        mount->programs[i] = (struct program){.mount = mount, .index = i};
    }
    mount->dies_us = some_time(mounts, mounts->options.death_us);
    mount->wakes_us = 0;
    mount->process = process_new(mounts->world);
    process_begin(mount->process, mount_main, mount);
    mounts->mount[index] = mount;
}

static void mount_end(struct mounts *mounts, int index)
{
    struct mount *mount = mounts->mount[index];
    if (mount) {
        process_kill(mount->process);
        process_free(mount->process);
        free(mount);
        mounts->mount[index] = NULL;
    }
}

struct mounts *mounts_new(struct world *world, const struct mounts_options *options)
{
    static const char *const bases[MOUNTS_NAMES_MAX] = {"t", "u", "v/a", "v/b", "w", "x/a"};
    assert(options->mounts <= MOUNTS_MAX && options->names <= MOUNTS_NAMES_MAX);
    struct mounts *mounts = calloc(1, sizeof *mounts);
    assert(mounts);
    mounts->world = world;
    mounts->options = *options;
    unsigned number = mounts_pick(mounts, 1000);
    for (int i = 0; i < MOUNTS_NAMES_MAX; i++) {
        (void)snprintf(mounts->names[i], sizeof mounts->names[i], "%c%u%s", bases[i][0], number,
                       bases[i] + 1);
    }
    for (int i = 0; i < options->mounts; i++) {
        mount_begin(mounts, i, MOUNT_WORKS);
    }
    return mounts;
}

void mounts_free(struct mounts *mounts)
{
    mounts_end(mounts);
    free(mounts);
}

static void suspend(struct mounts *mounts, struct mount *mount)
{
    uint64_t most_us = mounts->options.grace_us * 3 / 2;
    mounts->counts.suspensions++;
    mount->wakes_us = world_now(mounts->world) + world_random(mounts->world) % most_us;
    world_trace(mounts->world, -1, "mount %d stands still", mount->index);
    process_suspend(mount->process, true);
}

/* Only working mounts have faults of their own. */
static void fail(struct mounts *mounts, int index)
{
    struct mount *mount = mounts->mount[index];
    uint64_t now_us = world_now(mounts->world);
    if (mount->wakes_us != 0 && mount->wakes_us <= now_us) {
        mount->wakes_us = 0;
        world_trace(mounts->world, -1, "mount %d goes on", index);
        process_suspend(mount->process, false);
    }
    if (mount->dies_us > now_us || process_is_done(mount->process)) {
        return;
    }
    if (mount->wakes_us == 0 && mounts_pick(mounts, 3) == 0) {
        suspend(mounts, mount);
        mount->dies_us = some_time(mounts, mounts->options.death_us);
        return;
    }
    mounts->counts.deaths++;
    world_trace(mounts->world, -1, "mount %d dies", index);
    mount_end(mounts, index);
    mount_begin(mounts, index, MOUNT_WORKS);
}

void mounts_step(struct mounts *mounts)
{
    for (int i = 0; i < MOUNTS_MAX; i++) {
        if (!mounts->mount[i]) {
            continue;
        }
        process_step(mounts->mount[i]->process);
        if (mounts->mount[i]->role == MOUNT_WORKS) {
            fail(mounts, i);
        }
    }
}

bool mounts_are_done(const struct mounts *mounts)
{
    for (int i = 0; i < MOUNTS_MAX; i++) {
        if (mounts->mount[i] && !process_is_done(mounts->mount[i]->process)) {
            return false;
        }
    }
    return true;
}

void mounts_end(struct mounts *mounts)
{
    for (int i = 0; i < MOUNTS_MAX; i++) {
        mount_end(mounts, i);
    }
}

void mounts_begin_collecting(struct mounts *mounts)
{
    mounts_end(mounts);
    mounts->passes = 0;
    mounts->is_ending = false;
    mount_begin(mounts, 0, MOUNT_COLLECTS);
}

void mounts_begin_reading(struct mounts *mounts)
{
    mounts_end(mounts);
    mount_begin(mounts, 0, MOUNT_READS);
}

uint64_t mounts_passes(const struct mounts *mounts)
{
    return mounts->passes;
}

const struct book *mounts_book(const struct mounts *mounts)
{
    return &mounts->book;
}

int mounts_names(const struct mounts *mounts)
{
    return mounts->options.names;
}

const char *mounts_name(const struct mounts *mounts, int name)
{
    assert(name >= 0 && name < MOUNTS_NAMES_MAX);
    return mounts->names[name];
}

const char *mounts_breach(const struct mounts *mounts)
{
    return mounts->breach[0] != '\0' ? mounts->breach : NULL;
}

struct mounts_counts mounts_count(const struct mounts *mounts)
{
    return mounts->counts;
}
