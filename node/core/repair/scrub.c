/*
 * scrub.c - the own disk read anew, slice by slice.
 *
 * The store verifies what it reads, and rebuilds each partition's tree meanwhile. Here each
 * entry is looked at: the row of an object that lags is brought up to it, and a tombstone that
 * is old enough is proposed for reaping by its first primary. One action at a time is taken
 * from the budget of background work; a slice is read only when the one before is done with.
 */
#include "node/core/repair/scrub.h"

#include <assert.h>
#include <stdlib.h>

#include "node/core/background.h"
#include "node/core/heal.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/put.h"
#include "node/core/repair/reap.h"
#include "node/core/repair/task.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"
#include "ring/preference_list.h"

#define INTERVAL_DEFAULT_US UINT64_C(86400000000)
#define FIRST_MAX_US        UINT64_C(3600000000)

enum {
    SLICE_ENTRIES = 128,
    IN_FLIGHT_MAX = 8,         /* rows and tombstones under way */
    RETRY_AFTER_US = 60000000, /* after a slice that could not be read */
};

struct scrub {
    uint16_t partition;
    bool is_reading;
    struct scrubbed_entry *entries; /* owned: the slice */
    uint16_t count, at;
    bool is_looked_at; /* the row of the entry at hand has been seen to */
    bool more;
    enum merkle_part after_part;
    struct blob *after; /* owned; NULL: from the beginning of the partition */
    uint16_t in_flight;
    bool has_failed;
};

static struct scrub *scrub_of(const struct request *request)
{
    assert(request->kind == &scrub_kind);
    return request->own;
}

static void scrub_release(struct request *request)
{
    struct scrub *scrub = scrub_of(request);
    if (scrub) {
        scrubbed_entries_free(scrub->entries, scrub->count);
        blob_unref(scrub->after);
    }
    free(scrub);
}

static uint64_t interval_us(const struct core *core)
{
    uint64_t interval = core->repair_config.scrub_interval_us;
    return interval > 0 ? interval : INTERVAL_DEFAULT_US;
}

void scrub_on_ring(struct core *core)
{
    if (core->repair.scrub_due_us != 0) {
        return;
    }
    uint64_t first_us = interval_us(core) < FIRST_MAX_US ? interval_us(core) : FIRST_MAX_US;
    core->repair.scrub_due_us = core->now_us + first_us + core_random(core) % first_us;
    core_due(core, core->repair.scrub_due_us);
}

static void scrub_end(struct core *core, struct request *request, bool has_failed)
{
    assert(core->repair.is_scrubbing);
    struct repair *repair = &core->repair;
    uint64_t pause_us = interval_us(core);
    if (has_failed && pause_us > RETRY_AFTER_US) {
        pause_us = RETRY_AFTER_US;
    }
    repair->is_scrubbing = false;
    repair->is_scrub_first = repair->is_scrub_first && repair->is_scrub_wanted;
    pause_us = repair->is_scrub_wanted ? 1 : pause_us;
    repair->scrub_due_us = core->now_us + pause_us + core_random(core) % (pause_us / 8 + 1);
    core->stats.scrubs += has_failed ? 0 : 1;
    core_due(core, repair->scrub_due_us);
    core_due(core, core->now_us); /* for a pass that waits for this */
    request_free(core, request);
}

/* Primaries of an object ------------------------------------------------------------------- */

/* True if this node is the first of the entry's primaries: it alone proposes. */
static bool is_first_primary(const struct core *core, const struct tree_entry *entry)
{
    struct slice key = blob_slice(entry->key);
    struct slice placed = entry->part == MERKLE_ROW ? key_directory(key) : key;
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, placed), &list);
    return list.member[0] == core->self;
}

/*
 * True if this node has to push the row of an object whose directory it does not hold: no
 * primary of the object that can be reached holds both and would see to it, and this node is
 * the first of them.
 */
static bool must_push(const struct core *core, struct slice key)
{
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, key), &list);
    bool is_first = true;
    bool is_own = false;
    for (uint16_t i = 0; i < list.primary; i++) {
        uint16_t peer = core->member_peer[list.member[i]];
        if (!repair_may_ask(core, peer)) {
            continue;
        }
        if (repair_holds(core, peer, MERKLE_ROW, key)) {
            return false;
        }
        is_own |= is_first && peer == PEER_SELF;
        is_first = false;
    }
    return is_own;
}

/* Entries ---------------------------------------------------------------------------------- */

/* Brings the row up to the object, if that is for this node to do. False: not now. */
static bool look_at_row(struct core *core, struct request *request,
                        const struct tree_entry *entry)
{
    assert(scrub_of(request)->in_flight <= IN_FLIGHT_MAX);
    struct scrub *scrub = scrub_of(request);
    struct slice key = blob_slice(entry->key);
    if (entry->part != MERKLE_OBJECT || key_is_root(key) || planted(PLANTED_SCRUB_NO_ROWS)) {
        return true;
    }
    bool is_own = repair_holds(core, PEER_SELF, MERKLE_ROW, key);
    if (!is_own && !must_push(core, key)) {
        return true;
    }
    if (scrub->in_flight == IN_FLIGHT_MAX || !background_take(core)) {
        return false;
    }
    if (is_own) {
        struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_PROJECT);
        store->key = blob_ref(entry->key);
        scrub->in_flight++;
    } else if (push_object(core, request, entry->key, false)) {
        scrub->in_flight++;
        mark(MARK_SCRUB_PUSHED_ROW);
        core->stats.rows_pushed++;
    }
    return true;
}

static bool look_at_tombstone(struct core *core, struct request *request,
                              const struct scrubbed_entry *scrubbed)
{
    assert(scrub_of(request)->in_flight <= IN_FLIGHT_MAX);
    struct scrub *scrub = scrub_of(request);
    bool is_old = scrubbed->tombstone_us != 0 && reap_is_old(core, scrubbed->tombstone_us);
    if (!is_old || !core->is_complete || !is_first_primary(core, &scrubbed->entry)) {
        return true;
    }
    if (scrub->in_flight == IN_FLIGHT_MAX || !background_take(core)) {
        return false;
    }
    if (reap_start(core, request, scrubbed)) {
        scrub->in_flight++;
    }
    return true;
}

/* The next slice. False: there is none. */
static bool scrub_ask(struct core *core, struct request *request)
{
    assert(core->ring && !scrub_of(request)->is_reading);
    struct scrub *scrub = scrub_of(request);
    while (scrub->partition < core->ring->partition_count &&
           !core_is_primary(core, scrub->partition)) {
        scrub->partition++;
    }
    if (scrub->partition >= core->ring->partition_count) {
        return false;
    }
    if (!background_take(core)) {
        return true;
    }
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_SCRUB);
    store->entries.partition = scrub->partition;
    store->entries.part = scrub->after_part;
    store->key = blob_ref(scrub->after);
    store->entries.limit = SLICE_ENTRIES;
    scrub->is_reading = true;
    return true;
}

static void scrub_advance(struct core *core, struct request *request)
{
    struct scrub *scrub = scrub_of(request);
    while (scrub->at < scrub->count) {
        const struct scrubbed_entry *entry = &scrub->entries[scrub->at];
        if (!core_has_room(core)) {
            return;
        }
        if (!scrub->is_looked_at && !look_at_row(core, request, &entry->entry)) {
            return;
        }
        scrub->is_looked_at = true;
        if (!look_at_tombstone(core, request, entry)) {
            return;
        }
        scrub->is_looked_at = false;
        scrub->at++;
    }
    if (scrub->in_flight > 0 || scrub->is_reading) {
        return;
    }
    if (scrub->has_failed || !scrub_ask(core, request)) {
        scrub_end(core, request, scrub->has_failed);
    }
}

/* Takes the slice and moves the cursor behind it. */
static void scrub_take(struct core *core, struct scrub *scrub, struct store_result *result)
{
    scrubbed_entries_free(scrub->entries, scrub->count);
    scrub->entries = result->entries.scrubbed;
    scrub->count = result->entries.count;
    scrub->at = 0;
    result->entries.scrubbed = NULL;
    result->entries.count = 0;
    for (uint16_t i = 0; i < scrub->count; i++) {
        if (scrub->entries[i].is_bad_copy) {
            core->stats.corrupt++;
            heal_start(core, scrub->entries[i].entry.key);
        }
    }
    core->stats.trees_corrected += result->entries.tree_differed ? 1 : 0;
    blob_unref(scrub->after);
    scrub->after = NULL;
    scrub->after_part = (enum merkle_part)0;
    if (!result->entries.more) {
        scrub->partition++;
    } else if (scrub->count > 0) {
        const struct tree_entry *last = &scrub->entries[scrub->count - 1].entry;
        scrub->after = blob_ref(last->key);
        scrub->after_part = last->part;
    } else {
        scrub->has_failed = true;
    }
}

static void scrub_on_stored(struct core *core, struct request *request, uint8_t leg,
                            struct store_result *result)
{
    (void)leg;
    struct scrub *scrub = scrub_of(request);
    if (result->operation == STORE_PROJECT) {
        assert(scrub->in_flight > 0);
        scrub->in_flight--;
    } else if (result->status == STATUS_OK) {
        scrub->is_reading = false;
        scrub_take(core, scrub, result);
    } else {
        scrub->is_reading = false;
        scrub->has_failed = true;
    }
    scrub_advance(core, request);
}

static void scrub_on_child(struct core *core, struct request *request,
                           struct child_result *result)
{
    struct scrub *scrub = scrub_of(request);
    (void)result; /* What could not be done now is found again by the next scrub. */
    assert(scrub->in_flight > 0);
    scrub->in_flight--;
    scrub_advance(core, request);
}

static struct request *scrub_start(struct core *core)
{
    struct scrub *scrub = calloc(1, sizeof *scrub);
    struct request *request = scrub ? request_new(core, &scrub_kind, UINT64_MAX, false) : NULL;
    if (!request) {
        free(scrub);
        core->repair.scrub_due_us = core->now_us + RETRY_AFTER_US;
        return NULL;
    }
    request->own = scrub;
    core->repair.is_scrubbing = true;
    core->repair.is_scrub_wanted = false;
    core->repair.scrub_slot = request->slot;
    return request;
}

void scrub_on_tick(struct core *core)
{
    struct repair *repair = &core->repair;
    struct request *request = NULL;
    if (repair->is_scrubbing) {
        request = &core->requests[repair->scrub_slot];
    } else if (repair->scrub_due_us != 0 && repair->scrub_due_us <= core->now_us) {
        request = scrub_start(core);
    }
    if (request) {
        scrub_advance(core, request);
    }
    if (!repair->is_scrubbing && repair->scrub_due_us != 0) {
        core_due(core, repair->scrub_due_us);
    }
}

const struct request_kind scrub_kind = {
    .name = "scrub",
    .on_stored = scrub_on_stored,
    .on_child = scrub_on_child,
    .release = scrub_release,
};
