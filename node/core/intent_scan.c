/*
 * intent_scan.c - what was left undone is taken up again, for ever.
 *
 * A coordinator's put leaves a row intent in the same batch as the object; it is dropped once W
 * replicas hold the row. A crash, or too few replicas, leave it on the disk: a scan finds it,
 * sends object and row again, and drops it then. Revival intents (revive.c) are scanned alike.
 * The scan begins at start, whenever something was left over, and now and then; it backs off
 * while it fails.
 */
#include "node/core/intent_scan.h"

#include <assert.h>
#include <stdlib.h>

#include "node/core/background.h"
#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/put_legs.h"
#include "node/core/request.h"
#include "node/core/revive.h"
#include "node/core/timers.h"
#include "ring/mark.h"

enum { PAGE_SIZE = 16 }; /* intents taken from the disk at a time */

struct scan_state {
    enum intent_kind kind;
    struct blob *cursor;
    uint16_t children; /* retries under way */
    bool failed;       /* one of them failed: back off */
    bool more;
};

static struct scan_state *scan_of(const struct request *request)
{
    return request_own(request, sizeof(struct scan_state));
}

static void scan_page(struct core *core, struct request *scan)
{
    assert(scan_of(scan)->children == 0);
    struct store_request *store = request_store(core, scan, LEG_OF_STORE, STORE_LIST_INTENTS);
    store->list_intents.kind = scan_of(scan)->kind;
    store->key = blob_ref(scan_of(scan)->cursor);
    store->list_intents.limit = PAGE_SIZE;
    store->list_intents.stamp_max = UINT64_MAX;
}

static void scan_start(struct core *core, enum intent_kind kind)
{
    assert(core->ring && !intents_timer(core, kind)->running);
    struct scan_timer *timer = intents_timer(core, kind);
    timer->due_us = core->now_us + RETRY_MAX_US;
    struct request *scan = request_new(core, &scan_kind, UINT64_MAX, false);
    if (!scan) {
        timer->due_us = core->now_us + RETRY_MIN_US;
        return;
    }
    timer->running = true;
    scan_of(scan)->kind = kind;
    scan_page(core, scan);
}

/* Ends a scan: when comes the next? */
static void scan_end(struct core *core, struct request *scan)
{
    assert(scan_of(scan)->children == 0);
    struct scan_timer *timer = intents_timer(core, scan_of(scan)->kind);
    timer->running = false;
    if (scan_of(scan)->failed) {
        uint64_t backoff = timer->backoff_us * 2;
        backoff = backoff < RETRY_MIN_US ? RETRY_MIN_US : backoff;
        timer->backoff_us = backoff > RETRY_MAX_US ? RETRY_MAX_US : backoff;
        timer->due_us = core->now_us + timer->backoff_us + core_random(core) % RETRY_MIN_US;
    } else {
        timer->backoff_us = 0;
    }
    core_due(core, timer->due_us);
    request_free(core, scan);
}

static void scan_advance(struct core *core, struct request *scan)
{
    if (scan_of(scan)->children > 0) {
        return;
    }
    if (!scan_of(scan)->more || core->draining) {
        scan_end(core, scan);
    } else if (background_take(core)) {
        scan_page(core, scan);
    } else {
        request_wake_at(core, scan, core->now_us + TURN_AFTER_US);
    }
}

/* Its turn has come: else it waits for the own disk, which always answers, or for its children. */
static void scan_on_due(struct core *core, struct request *scan)
{
    scan->wake_us = UINT64_MAX;
    scan_advance(core, scan);
}

/*
 * True if a put that is still under way has left the intent, and will drop it. Told by the
 * stamp, not by its age: stamps follow a wall clock that may have jumped.
 */
static bool is_in_flight(const struct core *core, const struct intent *intent)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        if (request->kind == &put_kind && put_of(request)->has_intent &&
            put_of(request)->intent_stamp == intent->stamp) {
            return true;
        }
    }
    return false;
}

/* Finishes what a put began: object and row are sent again to all that hold them. */
static bool push_again(struct core *core, struct request *scan, const struct intent *intent)
{
    assert(intent->kind == INTENT_ROW && intent->key);
    struct message_put *put = calloc(1, sizeof *put);
    if (!put) {
        return false;
    }
    put->key = blob_ref(intent->key);
    put->mode = UPDATE_NONE;
    core->stats.intents_retried++;
    return put_start_child(core, scan, put, intent->stamp);
}

static void scan_child_done(struct core *core, struct request *scan, bool ok)
{
    assert(scan_of(scan)->children > 0);
    scan_of(scan)->children--;
    scan_of(scan)->failed |= !ok;
    scan_advance(core, scan);
}

static void scan_on_stored(struct core *core, struct request *scan, uint8_t leg,
                           struct store_result *result)
{
    assert(leg == LEG_OF_STORE && scan_of(scan)->children == 0);
    scan_of(scan)->more = result->intents.more && result->status == STATUS_OK;
    scan_of(scan)->failed |= result->status != STATUS_OK;
    if (result->intents.count > 0) {
        blob_unref(scan_of(scan)->cursor);
        scan_of(scan)->cursor = blob_ref(result->intents.intent[result->intents.count - 1].key);
    }
    /* One more than there are, so that a child that fails at once does not end the scan. */
    scan_of(scan)->children = (uint16_t)(result->intents.count + 1);
    for (uint16_t i = 0; i < result->intents.count; i++) {
        const struct intent *intent = &result->intents.intent[i];
        if (intent->kind == INTENT_ROW && is_in_flight(core, intent)) {
            mark(MARK_INTENT_IN_FLIGHT);
            scan_child_done(core, scan, true);
            continue;
        }
        bool started = intent->kind == INTENT_ROW ? push_again(core, scan, intent)
                                                  : revive_start(core, scan, intent);
        if (!started) {
            scan_child_done(core, scan, false);
        }
    }
    scan_child_done(core, scan, true);
}

static void scan_on_child(struct core *core, struct request *scan, struct child_result *result)
{
    scan_child_done(core, scan,
                    result->status == STATUS_OK || result->status == STATUS_NOT_FOUND);
}

void intent_scan_on_tick(struct core *core)
{
    if (!core->ring || core->draining) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct scan_timer *timer = &core->scans[i];
        if (!timer->running && timer->due_us <= core->now_us) {
            scan_start(core, i == 0 ? INTENT_ROW : INTENT_REVIVE);
        }
        if (!timer->running) {
            core_due(core, timer->due_us);
        }
    }
}

static void scan_release(struct request *scan)
{
    blob_unref(scan_of(scan)->cursor);
}

const struct request_kind scan_kind = {
    .name = "scan",
    .own_size = sizeof(struct scan_state),
    .on_stored = scan_on_stored,
    .on_child = scan_on_child,
    .on_due = scan_on_due,
    .release = scan_release,
};
