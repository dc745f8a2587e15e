/*
 * background.c - how much background work may go on.
 *
 * As in DeCandia et al., section 6.5: background work is done in slices, and a controller
 * grants them by watching the foreground. The budget of slices for each interval halves while
 * the 99th percentile of clients' requests is above the threshold, and grows by a quarter while
 * it is below half of it. With nobody in the foreground all of it may be used.
 */
#include "node/core/background.h"

#include <assert.h>
#include <string.h>

#include "node/core/outbox.h"

enum {
    INTERVAL_US = 100000,
    WINDOW_US = 2000000, /* latencies of the last two to four seconds count */
    BUDGET_MAX = 256,    /* slices an interval */
    P99_DEFAULT_US = 50000,
    STEPS_MAX = 16, /* that are made up for after a pause: enough for the whole range */
};

/* Four buckets for each doubling: a latency is known to within a quarter. */
static unsigned bucket_of(uint64_t latency_us)
{
    if (latency_us < 4) {
        return (unsigned)latency_us;
    }
    unsigned log = 2;
    while (latency_us >> (log + 1) != 0) {
        log++;
    }
    unsigned bucket = (log - 1) * 4 + (unsigned)(latency_us >> (log - 2) & 3);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The greatest latency that falls into the bucket. */
static uint64_t bucket_latency_us(unsigned bucket)
{
    assert(bucket < LATENCY_BUCKETS);
    if (bucket < 4) {
        return bucket;
    }
    unsigned shift = bucket / 4 - 1;
    return ((UINT64_C(5) + bucket % 4) << shift) - 1;
}

static uint64_t percentile_99_us(const struct background *background)
{
    uint64_t total = (uint64_t)background->count[0] + background->count[1];
    uint64_t rank = total - total / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; total > 0 && i < LATENCY_BUCKETS; i++) {
        seen += (uint64_t)background->bucket[0][i] + background->bucket[1][i];
        if (seen >= rank) {
            return bucket_latency_us(i);
        }
    }
    return 0;
}

static void window_clear(struct background *background, unsigned window)
{
    assert(window < 2);
    background->count[window] = 0;
    memset(background->bucket[window], 0, sizeof background->bucket[window]);
}

static void windows_roll(struct background *background, uint64_t now_us)
{
    assert(background->window < 2);
    if (now_us < background->window_end_us) {
        return;
    }
    if (now_us >= background->window_end_us + WINDOW_US) {
        window_clear(background, background->window);
    }
    background->window ^= 1;
    window_clear(background, background->window);
    background->window_end_us = now_us + WINDOW_US;
}

static uint32_t budget_next(uint32_t budget, uint64_t p99_us, uint64_t threshold_us)
{
    assert(budget > 0 && budget <= BUDGET_MAX && threshold_us > 0);
    if (p99_us > threshold_us) {
        return budget > 1 ? budget / 2 : 1;
    }
    if (p99_us < threshold_us / 2) {
        uint32_t grown = budget + (budget >= 4 ? budget / 4 : 1);
        return grown < BUDGET_MAX ? grown : BUDGET_MAX;
    }
    return budget;
}

/* A new interval, if one has begun: a new budget, and all of it to be had. */
static void interval_roll(struct core *core)
{
    struct background *background = &core->background;
    if (core->now_us < background->interval_end_us) {
        return;
    }
    if (background->interval_end_us == 0) {
        background->budget = BUDGET_MAX;
        background->interval_end_us = core->now_us;
    }
    windows_roll(background, core->now_us);
    background->p99_us = percentile_99_us(background);
    uint64_t threshold_us = core->repair_config.foreground_p99_us;
    threshold_us = threshold_us > 0 ? threshold_us : P99_DEFAULT_US;
    uint64_t steps = 1 + (core->now_us - background->interval_end_us) / INTERVAL_US;
    for (uint64_t i = 0; i < steps && i < STEPS_MAX; i++) {
        background->budget = budget_next(background->budget, background->p99_us, threshold_us);
    }
    if (background->count[0] + background->count[1] == 0) {
        background->budget = BUDGET_MAX;
    }
    uint32_t paid =
        background->debt < background->budget ? background->debt : background->budget;
    background->debt -= paid;
    background->left = background->budget - paid;
    background->interval_end_us = core->now_us + INTERVAL_US;
}

bool background_take(struct core *core)
{
    struct background *background = &core->background;
    interval_roll(core);
    if (background->left == 0) {
        core_due(core, background->interval_end_us);
        return false;
    }
    background->left--;
    return true;
}

void background_charge(struct core *core)
{
    struct background *background = &core->background;
    interval_roll(core);
    if (background->left > 0) {
        background->left--;
    } else {
        background->debt++;
    }
}

void background_note(struct core *core, uint64_t latency_us)
{
    assert(core->background.window < 2);
    struct background *background = &core->background;
    interval_roll(core);
    background->count[background->window]++;
    background->bucket[background->window][bucket_of(latency_us)]++;
}
