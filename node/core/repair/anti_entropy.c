/*
 * anti_entropy.c - passes: every pair of a partition and another of its primaries compared.
 *
 * Each node drives the pairs of all partitions that it is a primary of, so that each pair is
 * looked at from both sides: a node that lacks something need not wait for another to notice
 * (decision 15). DeCandia et al., section 4.7.
 *
 * A pass begins every repair_interval_us, soon after a node came back or the ring changed, and
 * when someone asks. A node whose copies are not complete (it lost its disk) runs one after the
 * other until one found every other primary of every partition and repaired all that differed,
 * and of each partition met at least one whose copies are complete: then its own are too. Those
 * that refill themselves have to be met, for what they hold; but two of them never complete
 * each other.
 */
#include "node/core/repair/anti_entropy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/outbox.h"
#include "node/core/repair/task.h"
#include "node/core/repair/tree_pair.h"
#include "node/core/request.h"
#include "ring/planted.h"
#include "ring/preference_list.h"

#define INTERVAL_DEFAULT_US UINT64_C(600000000)

enum {
    PAIRS_ACTIVE_MAX = 4,         /* pairs that send and read */
    REPAIR_KEYS_PASS_MAX = 65536, /* a pass that repaired so many ends, and the next goes on */
    EARLY_US = 3000000,           /* after a node came back, and up to twice that */
    EARLY_PAUSE_US = 30000000,    /* between beginnings of early passes */
    REFILL_PAUSE_US = 1000000,
    RETRY_FIRST_US = 30000000, /* after a pass in which a pair failed; doubles */
};

static uint64_t interval_us(const struct core *core)
{
    uint64_t interval = core->repair_config.repair_interval_us;
    return interval > 0 ? interval : INTERVAL_DEFAULT_US;
}

/* Nodes that started together do not go on together. */
static uint64_t with_jitter(struct core *core, uint64_t us)
{
    return us - us / 8 + core_random(core) % (us / 4 + 1);
}

void pass_wake(struct core *core)
{
    struct repair *repair = &core->repair;
    if (repair->due_us == 0) {
        repair->due_us = core->now_us + with_jitter(core, interval_us(core));
        repair->wake_us = UINT64_MAX;
    }
    uint64_t at_us = core->now_us + REFILL_PAUSE_US;
    if (core->is_complete) {
        at_us = core->now_us + EARLY_US + core_random(core) % EARLY_US;
        at_us = at_us > repair->early_after_us ? at_us : repair->early_after_us;
    }
    repair->wake_us = at_us < repair->wake_us ? at_us : repair->wake_us;
    core_due(core, repair->wake_us);
}

void pass_invalidate(struct core *core)
{
    core->repair.is_invalid = true;
}

/* The next other primary of the partition at the cursor. False: there is none left. */
static bool pass_find_primary(struct core *core, uint16_t partition, uint16_t *ret_peer)
{
    assert(partition < core->ring->partition_count);
    struct repair *repair = &core->repair;
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    if (preference_list_primary_index(&list, core->self) < 0) {
        return false;
    }
    for (; repair->primary < list.primary; repair->primary++) {
        uint16_t peer = core->member_peer[list.member[repair->primary]];
        if (peer != PEER_SELF) {
            *ret_peer = peer;
            return true;
        }
    }
    return false;
}

/* The partition that is so many after the one where the pass began. */
static uint16_t pass_partition(const struct core *core, uint16_t offset)
{
    assert(offset <= core->ring->partition_count);
    return (uint16_t)((core->repair.first_partition + offset) % core->ring->partition_count);
}

/* The pair at the cursor, or none is left. */
static bool pass_find(struct core *core, uint16_t *ret_partition, uint16_t *ret_peer)
{
    struct repair *repair = &core->repair;
    for (; repair->offset < core->ring->partition_count; repair->offset++) {
        *ret_partition = pass_partition(core, repair->offset);
        if (pass_find_primary(core, *ret_partition, ret_peer)) {
            return true;
        }
        repair->primary = 0;
    }
    return false;
}

static uint64_t count_pairs(const struct core *core)
{
    uint64_t count = 0;
    struct preference_list list;
    for (uint16_t i = 0; i < core->ring->partition_count; i++) {
        preference_list_build(core->ring, i, &list);
        if (preference_list_primary_index(&list, core->self) >= 0) {
            count += list.primary - 1U;
        }
    }
    return count;
}

static void pass_begin(struct core *core)
{
    assert(core->ring && !core->repair.is_running && !core->repair.is_completing);
    struct repair *repair = &core->repair;
    uint64_t count = count_pairs(core);
    assert(repair->pairs_open == 0 && repair->keys_in_flight == 0);
    if (!repair->is_resuming) {
        repair->first_partition = (uint16_t)(core_random(core) % core->ring->partition_count);
        repair->is_wanted = false;
    }
    repair->is_running = true;
    repair->is_resuming = false;
    repair->is_cut = false;
    repair->is_invalid = false;
    repair->wake_us = UINT64_MAX;
    repair->early_after_us = core->now_us + EARLY_PAUSE_US;
    repair->epoch = core->ring->epoch;
    repair->offset = 0;
    repair->primary = 0;
    repair->keys_left = REPAIR_KEYS_PASS_MAX;
    memset(repair->vouched, 0, sizeof repair->vouched);
    repair->pairs_total = count;
    repair->pairs_done = 0;
    repair->pairs_failed = 0;
    for (unsigned i = 0; i < PAIRS_MAX; i++) {
        repair->pair_slot[i] = NO_SLOT;
    }
}

/* Saves that the copies are complete; they are once it is on the disk. */
static void complete_start(struct core *core)
{
    assert(!core->is_complete);
    struct request *request = request_new(core, &complete_kind, UINT64_MAX, false);
    if (request) {
        core->repair.is_completing = true;
        struct store_request *store =
            request_store(core, request, LEG_OF_STORE, STORE_SET_COMPLETE);
        store->set_complete.is_complete = true;
        store->set_complete.brings_back = core->completes_alone;
    }
}

static void complete_on_stored(struct core *core, struct request *request, uint8_t leg,
                               struct store_result *result)
{
    assert(leg == LEG_OF_STORE && core->repair.is_completing);
    core->repair.is_completing = false;
    request_free(core, request);
    if (result->status == STATUS_OK && !core->repair.is_invalid) {
        core->is_complete = true;
        core->completes_alone = false;
        core_waits(core, "");
        core_note(core, NOTE_REFILLED, "every copy was compared with all other replicas");
    }
}

const struct request_kind complete_kind = {
    .name = "complete",
    .on_stored = complete_on_stored,
};

/* True if for every partition that others hold too a complete copy of theirs was met. */
static bool is_vouched_for(const struct core *core)
{
    struct preference_list list;
    for (uint16_t i = 0; i < core->ring->partition_count; i++) {
        preference_list_build(core->ring, i, &list);
        bool is_shared =
            list.primary > 1 && preference_list_primary_index(&list, core->self) >= 0;
        if (is_shared && (core->repair.vouched[i / 8] >> i % 8 & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* A good pass of a node that refills is over. */
static void complete_if_vouched(struct core *core)
{
    assert(!core->is_complete && !core->repair.is_invalid);
    if (core->completes_alone || is_vouched_for(core) || planted(PLANTED_COMPLETE_EARLY)) {
        complete_start(core);
        return;
    }
    char text[NOTE_TEXT_SIZE];
    (void)snprintf(
        text, sizeof text,
        "all other copies were compared, but some of them only with nodes that refill "
        "themselves: no complete copy is left; if none will come back, use `dynamoctl "
        "replace %s`",
        core->address);
    core_waits(core, text);
}

/* When does the next one begin? */
static uint64_t pass_pause_us(struct core *core, bool is_good)
{
    struct repair *repair = &core->repair;
    if (repair->is_wanted) {
        return 0;
    }
    if (repair->is_cut || repair->is_invalid || !core->is_complete) {
        return REFILL_PAUSE_US;
    }
    if (is_good) {
        repair->retry_us = 0;
        return with_jitter(core, interval_us(core));
    }
    uint64_t retry_us = repair->retry_us > 0 ? repair->retry_us * 2 : RETRY_FIRST_US;
    repair->retry_us = retry_us < interval_us(core) ? retry_us : interval_us(core);
    return with_jitter(core, repair->retry_us);
}

static void pass_end(struct core *core)
{
    assert(core->repair.is_running && core->repair.pairs_open == 0);
    struct repair *repair = &core->repair;
    repair->is_invalid |= repair->epoch != core->ring->epoch;
    repair->is_running = false;
    repair->is_resuming = repair->is_cut || repair->is_invalid;
    bool is_good =
        !repair->is_resuming && (repair->pairs_failed == 0 || planted(PLANTED_COMPLETE_EARLY));
    if (!repair->is_resuming) {
        repair->passes++;
        core->stats.repair_passes++;
    } else {
        repair->first_partition = pass_partition(core, repair->offset);
    }
    repair->due_us = core->now_us + pass_pause_us(core, is_good);
    if (is_good && !core->is_complete) {
        complete_if_vouched(core);
    }
    core_due(core, repair->due_us);
    core_due(core, repair->wake_us);
}

static unsigned count_active(const struct core *core)
{
    unsigned active = 0;
    for (unsigned i = 0; i < PAIRS_MAX; i++) {
        uint16_t slot = core->repair.pair_slot[i];
        active += slot != NO_SLOT && pair_is_active(&core->requests[slot]) ? 1U : 0U;
    }
    return active;
}

static void advance_open(struct core *core)
{
    struct repair *repair = &core->repair;
    unsigned active = count_active(core);
    for (unsigned i = 0; i < PAIRS_MAX && core_has_room(core); i++) {
        uint16_t slot = repair->pair_slot[i];
        if (slot == NO_SLOT) {
            continue;
        }
        struct request *request = &core->requests[slot];
        if (!pair_is_ready(request)) {
            pair_advance(core, request);
        } else if (active < PAIRS_ACTIVE_MAX) {
            active++;
            pair_confirm(core, request);
        }
    }
}

static void pass_advance(struct core *core);

/* Starts pairs while there is place for them. True if all have been started. */
static bool start_pairs(struct core *core)
{
    assert(core->repair.is_running && core->repair.pairs_open <= PAIRS_MAX);
    struct repair *repair = &core->repair;
    uint16_t partition = 0;
    uint16_t peer = 0;
    while (pass_find(core, &partition, &peer)) {
        if (!repair_may_ask(core, peer)) {
            repair->pairs_done++;
            repair->pairs_failed++;
            repair->primary++;
            continue;
        }
        if (repair->pairs_open == PAIRS_MAX || count_active(core) >= PAIRS_ACTIVE_MAX ||
            !core_has_room(core) || !background_take(core)) {
            return false;
        }
        if (!pair_start(core, partition, peer, pass_advance)) {
            core_due(core, core->now_us + REFILL_PAUSE_US);
            return false;
        }
        repair->primary++;
    }
    return true;
}

static void pass_advance(struct core *core)
{
    struct repair *repair = &core->repair;
    if (!repair->is_running) {
        return;
    }
    advance_open(core);
    bool is_over = repair->is_cut || repair->is_invalid || start_pairs(core);
    if (is_over && repair->pairs_open == 0) {
        pass_end(core);
    }
}

void pass_on_tick(struct core *core)
{
    struct repair *repair = &core->repair;
    if (repair->is_completing || repair->due_us == 0) {
        return;
    }
    bool is_held_up = repair->is_scrub_first && core->is_complete;
    if (!repair->is_running && !is_held_up &&
        (repair->due_us <= core->now_us || repair->wake_us <= core->now_us)) {
        pass_begin(core);
    }
    if (repair->is_running) {
        pass_advance(core);
    } else if (!is_held_up) {
        core_due(core, repair->due_us);
        core_due(core, repair->wake_us);
    }
}
