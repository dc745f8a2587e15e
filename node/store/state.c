/*
 * state.c - what a node knows of itself while it runs: the source of counters, ring, trust.
 *
 * Counters are leased: the mark on the disk is ahead of every counter that was issued, so after
 * a crash they go on above it. The lease follows the clock and is never put on top of one that
 * was not used up: however often the node crashes, its readings stay near the clock. A stop
 * without the clean mark may have lost writes, so own pairs opened before it are not extended
 * (docs/design.md, rule 2).
 */
#include <assert.h>
#include <stdlib.h>

#include "node/store/apply.h"
#include "node/store/apply_internal.h"
#include "node/store/birth.h"
#include "node/store/hints.h"
#include "node/store/kept.h"
#include "node/store/settings.h"
#include "node/store/tree.h"
#include "ring/mark.h"
#include "ring/planted.h"

/* A copy to be freed; NULL when memory is short. */
struct ring *state_ring_copy(const struct ring *ring)
{
    struct ring *copy = malloc(sizeof *copy);

    if (copy) {
        *copy = *ring;
    }
    return copy;
}

/* The partitions are known: makes their trees. */
enum status state_begin_partitions(struct store_state *state, uint16_t partition_count)
{
    assert(partition_count > 0);

    struct tree_store *trees = tree_store_new();

    if (!trees) {
        return STATUS_NO_MEMORY;
    }
    enum status status = tree_store_open(trees, state->engine, partition_count);
    if (status != STATUS_OK) {
        tree_store_free(trees);
        return status;
    }
    state->trees = trees;
    state->partition_count = partition_count;
    return STATUS_OK;
}

/*
 * Up to where a lease should reach when `counter` is issued, `share` being 1, and up to where
 * it must not have shrunk, `share` being 2. A counter that is ahead of the clock takes a small
 * step more, no whole lease.
 */
static uint64_t lease_wanted(uint64_t counter, uint64_t wall_us, unsigned share)
{
    uint64_t by_clock = wall_us + COUNTER_LEASE_US / share;
    uint64_t by_need = counter + COUNTER_STEP_US / share;

    return by_clock > by_need ? by_clock : by_need;
}

static enum status write_lease(struct store_state *state, uint64_t lease)
{
    struct settings settings = {0};

    if (planted(PLANTED_LEASE_UNPERSISTED)) {
        return STATUS_OK;
    }
    settings_add(&settings, SETTING_LEASE, lease);
    return settings_write(&settings, state->engine);
}

static enum status renew_lease(struct store_state *state, uint64_t counter, uint64_t wall_us)
{
    enum status status = STATUS_OK;
    uint64_t lease = lease_wanted(counter, wall_us, 1);

    pthread_mutex_lock(&state->leasing);
    if (lease > atomic_load(&state->leased)) {
        status = write_lease(state, lease);
        if (status == STATUS_OK) {
            atomic_store(&state->leased, lease);
        }
    }
    pthread_mutex_unlock(&state->leasing);
    return status;
}

enum status store_state_counter(struct store_state *state, uint64_t floor, uint64_t wall_us,
                                uint64_t *ret_counter)
{
    assert(ret_counter);

    uint64_t issued = atomic_load(&state->issued);
    uint64_t counter = 0;

    do {
        counter = issued + 1;
        counter = counter > wall_us ? counter : wall_us;
        counter = counter > floor ? counter : floor + 1;
    } while (!atomic_compare_exchange_weak(&state->issued, &issued, counter));

    uint64_t leased = atomic_load(&state->leased);
    if (lease_wanted(counter, wall_us, 2) > leased) {
        mark_if(counter > leased, MARK_LEASE_RENEWED_AT_ONCE);
        mark_if(counter > wall_us + COUNTER_STEP_US, MARK_LEASE_AHEAD);
        enum status status = renew_lease(state, counter, wall_us);
        if (status != STATUS_OK && counter > leased) {
            return status;
        }
    }
    *ret_counter = counter;
    return STATUS_OK;
}

bool store_state_has_lease(const struct store_state *state, uint64_t wall_us)
{
    uint64_t issued = atomic_load(&state->issued);
    uint64_t next = issued > wall_us ? issued : wall_us;

    /* What a context's floor may add is at most a minute; it is rare enough to wait for. */
    return lease_wanted(next + 1, wall_us, 2) <= atomic_load(&state->leased);
}

enum status store_state_save_ring(struct store_state *state, const struct ring *ring,
                                  bool mark_incomplete)
{
    struct settings settings = {0};

    assert(ring_is_valid(ring));
    if (state->partition_count != 0 && state->partition_count != ring->partition_count) {
        return STATUS_REFUSED;
    }
    struct ring *copy = state_ring_copy(ring);
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    settings_add_ring(&settings, SETTING_RING, ring);
    if (state->ring) {
        settings_add_ring(&settings, SETTING_RING_BEFORE, state->ring);
    }
    if (mark_incomplete) {
        settings_add(&settings, SETTING_COMPLETE, 0);
    }
    enum status status = settings_write(&settings, state->engine);
    if (status != STATUS_OK) {
        free(copy);
        return status;
    }
    (void)settings_keep(state->engine);
    free(state->ring);
    state->ring = copy;
    return state->partition_count == 0 ? state_begin_partitions(state, ring->partition_count)
                                       : STATUS_OK;
}

void state_forget_pairs(struct store_state *state)
{
    uint64_t issued = atomic_load(&state->issued);

    if (planted(PLANTED_OLD_TRUSTS)) {
        return;
    }
    while (!atomic_compare_exchange_weak(&state->issued, &issued, birth_period_end(issued))) {
    }
    uint64_t start = birth_period_end(issued) + 1;
    atomic_store(&state->trusted_before, start);
    atomic_store(&state->trusted_since, start);
}

bool store_state_is_outdone(struct store_state *state, const struct clock *clock,
                            const struct clock *own_clock, uint64_t wall_us)
{
    uint64_t greatest = 0;

    for (uint32_t i = 0; i < clock->count; i++) {
        struct dot pair = clock->pair[i];
        bool is_news = pair.actor.node == state->node && pair.counter > greatest &&
                       pair.counter <= wall_us + COUNTER_AHEAD_MAX_US &&
                       (!own_clock || pair.counter > clock_counter(own_clock, pair.actor));
        greatest = is_news ? pair.counter : greatest;
    }
    uint64_t issued = atomic_load(&state->issued);
    if (greatest <= issued || planted(PLANTED_COUNTER_REUSE)) {
        return false;
    }
    while (issued < greatest &&
           !atomic_compare_exchange_weak(&state->issued, &issued, greatest)) {
    }
    state_forget_pairs(state);
    return true;
}

enum status store_state_trust(struct store_state *state, uint64_t incarnation)
{
    struct settings settings = {0};

    if (incarnation == 0) {
        atomic_store(&state->trusted_since, atomic_load(&state->trusted_before));
        settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    } else {
        state_forget_pairs(state);
        state->incarnation = incarnation;
        settings_add(&settings, SETTING_INCARNATION, incarnation);
    }
    return settings_write(&settings, state->engine);
}

enum status store_state_sync(struct store_state *state)
{
    struct settings settings = {0};

    /* As it is already: a synced write takes all earlier ones along. */
    settings_add(&settings, SETTING_CLEAN, 0);
    return settings_write(&settings, state->engine);
}

enum status store_state_set_complete(struct store_state *state, bool is_complete)
{
    struct settings settings = {0};

    settings_add(&settings, SETTING_COMPLETE, is_complete ? 1 : 0);
    return settings_write(&settings, state->engine);
}

enum status store_state_distrust(struct store_state *state)
{
    struct settings settings = {0};

    if (!planted(PLANTED_SALVAGE_TRUSTS)) {
        state_forget_pairs(state);
    }
    settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    return settings_write(&settings, state->engine);
}

enum status store_state_restore(struct store_state *state, bool is_salvaging)
{
    struct settings settings = {0};

    pthread_mutex_lock(&state->leasing);
    uint64_t lease = atomic_load(&state->leased);
    settings_add(&settings, SETTING_FORMAT, STORE_FORMAT);
    settings_add(&settings, SETTING_NODE, state->node);
    settings_add(&settings, SETTING_CLEAN, 0);
    settings_add(&settings, SETTING_LEASE, lease);
    settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    settings_add(&settings, SETTING_INCARNATION, state->incarnation);
    settings_add(&settings, SETTING_COMPLETE, 0);
    settings_add(&settings, SETTING_SALVAGING, is_salvaging ? 1 : 0);
    if (state->ring) {
        settings_add_ring(&settings, SETTING_RING, state->ring);
    }
    enum status status = settings_write(&settings, state->engine);
    pthread_mutex_unlock(&state->leasing);
    return status;
}
