/*
 * collect.c - see collect.h.
 */
#include "fs/model/collect.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/model/model.h"
#include "node/base/condition.h"
#include "node/base/now.h"
#include "node/client/collector.h"

enum {
    PASSES_IN_GRACE = 4,
    REST = 4,        /* pauses are so much longer than what was done before */
    TELL_AGAIN = 96, /* passes: a day of them, with the usual grace time */
};
#define FIRST_PASS_US (UINT64_C(60) * 1000000)
#define PAUSE_MAX_US  (UINT64_C(1000000))

struct collect {
    struct fs *fs;
    struct collector *collector;
    struct collector_stats before; /* the last pass */
    uint64_t failed_before;        /* in the pass before that */
    unsigned unsettled_passes;     /* in a row */
    pthread_t collecting;
    pthread_t holding;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    atomic_bool is_ending;
};

static bool is_ending(void *context)
{
    struct collect *collect = context;

    return atomic_load(&collect->is_ending);
}

/* Waits, unless it is to end. */
static void pause_for(struct collect *collect, uint64_t pause_us)
{
    uint64_t until_ns = now_monotonic_ns() + pause_us * 1000;
    bool is_over = false;

    pthread_mutex_lock(&collect->lock);
    while (!atomic_load(&collect->is_ending) && !is_over) {
        is_over = !condition_wait_until(&collect->ends, &collect->lock, until_ns);
    }
    pthread_mutex_unlock(&collect->lock);
}

/* Nothing is deleted while a member is away: an operator has to know, now and every day. */
static void tell_unsettled(struct collect *collect, uint64_t sets)
{
    char text[384];

    if (sets == 0) {
        collect->unsettled_passes = 0;
        return;
    }
    if (collect->unsettled_passes++ % TELL_AGAIN == 0) {
        (void)snprintf(text, sizeof text,
                       "the space of %" PRIu64 " files is not given back yet, for a member may "
                       "know more of them: %s",
                       sets, collector_unsettled(collect->collector)->text);
        model_note(collect->fs, text);
    }
}

/* Tells what a pass did, where people want to know; what it could not do only once. */
static void tell(struct collect *collect)
{
    struct collector_stats now = *collector_stats(collect->collector);
    uint64_t deleted = now.blocks_deleted - collect->before.blocks_deleted;
    uint64_t failed = now.sets_left_alone - collect->before.sets_left_alone +
                      now.shards_left_alone - collect->before.shards_left_alone;
    char text[128];

    if (deleted > 0) {
        (void)snprintf(text, sizeof text, "deleted blocks that no file names: %" PRIu64,
                       deleted);
        model_note(collect->fs, text);
    }
    if (failed > 0 && collect->failed_before == 0) {
        (void)snprintf(text, sizeof text,
                       "blocks that no file names are not deleted for now: %" PRIu64
                       " listings or files could not be read",
                       failed);
        model_note(collect->fs, text);
    }
    tell_unsettled(collect, now.sets_unsettled - collect->before.sets_unsettled);
    collect->before = now;
    collect->failed_before = failed;
}

static void pass(struct collect *collect)
{
    bool is_over = false;

    while (!is_over && !atomic_load(&collect->is_ending)) {
        uint64_t begin_us = now_monotonic_us();
        (void)collector_step(collect->collector, &is_over);
        uint64_t pause_us = REST * (now_monotonic_us() - begin_us);
        pause_for(collect, pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US);
    }
    if (is_over && !atomic_load(&collect->is_ending)) {
        tell(collect);
    }
}

static void *run(void *argument)
{
    struct collect *collect = argument;
    uint64_t pause_us = collect->fs->blocks.grace_us / PASSES_IN_GRACE;
    struct kv_limits limits = {.is_interrupted = is_ending, .context = collect};

    kv_limits_begin(&limits);
    pause_for(collect, pause_us < FIRST_PASS_US ? pause_us : FIRST_PASS_US);
    while (!atomic_load(&collect->is_ending)) {
        pass(collect);
        pause_for(collect, pause_us);
    }
    kv_limits_end();
    return NULL;
}

/* A thread of its own: a look at a large set may take long. */
static void *run_hold(void *argument)
{
    struct collect *collect = argument;
    struct blocks *blocks = &collect->fs->blocks;
    struct kv_limits limits = {.is_interrupted = is_ending, .context = collect};

    kv_limits_begin(&limits);
    while (!atomic_load(&collect->is_ending)) {
        pause_for(collect, blocks->grace_us / PASSES_IN_GRACE);
        blocks_hold(blocks);
    }
    kv_limits_end();
    return NULL;
}

static void end_thread(struct collect *collect, pthread_t thread)
{
    pthread_mutex_lock(&collect->lock);
    atomic_store(&collect->is_ending, true);
    pthread_cond_broadcast(&collect->ends);
    pthread_mutex_unlock(&collect->lock);
    pthread_join(thread, NULL);
}

static void release(struct collect *collect)
{
    pthread_cond_destroy(&collect->ends);
    pthread_mutex_destroy(&collect->lock);
    collector_free(collect->collector);
    free(collect);
}

struct collect *collect_start(struct fs *fs)
{
    assert(fs);

    struct collector_options options = {.kv = fs->blocks.kv,
                                        .deadline_ms = fs->options.deadline_ms,
                                        .w = fs->options.w,
                                        .grace_us = fs->blocks.grace_us,
                                        .now_us = now_monotonic_us};
    struct collect *collect = calloc(1, sizeof *collect);

    if (!collect) {
        return NULL;
    }
    collect->fs = fs;
    pthread_mutex_init(&collect->lock, NULL);
    condition_init(&collect->ends);
    collect->collector = collector_new(&options);
    if (!collect->collector ||
        pthread_create(&collect->holding, NULL, run_hold, collect) != 0) {
        release(collect);
        return NULL;
    }
    if (pthread_create(&collect->collecting, NULL, run, collect) != 0) {
        end_thread(collect, collect->holding);
        release(collect);
        return NULL;
    }
    return collect;
}

void collect_stop(struct collect *collect)
{
    if (!collect) {
        return;
    }
    end_thread(collect, collect->collecting);
    end_thread(collect, collect->holding);
    release(collect);
}
