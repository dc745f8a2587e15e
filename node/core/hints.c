/*
 * hints.c - what is kept for members that were away is handed over to them.
 *
 * One request asks the disk whom hints are kept for; one for each such member that can be asked
 * walks through its hints, page by page; a child of that for each hint carries it to its owner
 * and waits for the durable acknowledgement (DeCandia et al., section 4.6). Only then it is
 * dropped, and only if it is still the same. A marker stands for the own copy. When a member
 * has left the ring or holds the key no more, its hint goes to all who hold it now. Hints never
 * expire; what fails is tried again with backoff, for ever.
 */
#include "node/core/hints.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "node/core/legs.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/put.h"
#include "node/core/request.h"
#include "node/core/timers.h"
#include "ring/mark.h"
#include "ring/planted.h"
#include "ring/preference_list.h"

/* Either the hints of one owner, page by page, or (a child of that) one hint on its way. */
struct hints_state {
    node_id owner;
    struct hint cursor; /* its kind and key, owned */
    uint16_t children;
    bool failed, more;
    bool got_through;  /* one of this page did */
    bool drops;        /* forgets them, by hand */
    uint64_t dropped;  /* so many */
    uint16_t dropping; /* ... and these now */
    struct hint hint;  /* owned: the one on its way */
};

static struct hints_state *hints_of(const struct request *request)
{
    return request_own(request, sizeof(struct hints_state));
}

enum {
    HINTS_PAGE = 16,            /* on their way at a time, for one owner */
    HINT_DEADLINE_US = 5000000, /* for one owner's acknowledgement */
};

/* STATE_FINDING: asks for owners. STATE_ASKING: walks through those of one. STATE_READING,
 * STATE_REPLICATING, STATE_PUSHING: one hint on its way. STATE_STORING: drops what was
 * acknowledged. */

static void hints_release(struct request *request)
{
    blob_unref(hints_of(request)->cursor.key);
    blob_unref(hints_of(request)->hint.key);
    object_unref(hints_of(request)->hint.object);
}

/* What failed is tried again, later from look to look; else a look now and then is enough. */
static void set_timer(struct core *core, bool failed)
{
    struct scan_timer *timer = &core->hints_timer;
    if (failed && !timer->has_failed) {
        uint64_t backoff_us = 2 * timer->backoff_us;
        backoff_us = backoff_us < RETRY_MIN_US ? RETRY_MIN_US : backoff_us;
        timer->backoff_us = backoff_us < RETRY_MAX_US ? backoff_us : RETRY_MAX_US;
        timer->has_failed = true;
    }
    hints_wanted(core, timer->has_failed ? timer->backoff_us : RETRY_MAX_US);
    core_due(core, timer->due_us);
}

static bool is_walked(const struct core *core, node_id owner)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        if (request->kind == &hints_kind && request->state == STATE_ASKING &&
            hints_of(request)->owner == owner) {
            return true;
        }
    }
    return false;
}

/* One owner's hints, page by page --------------------------------------------------------- */

static void walk_page(struct core *core, struct request *walk)
{
    assert(hints_of(walk)->owner != 0);
    struct store_request *store = request_store(core, walk, LEG_OF_STORE, STORE_LIST_HINTS);
    store->list_hints.owner = hints_of(walk)->owner;
    store->key = blob_ref(hints_of(walk)->cursor.key);
    store->list_hints.kind = hints_of(walk)->cursor.kind;
    store->list_hints.limit = HINTS_PAGE;
    hints_of(walk)->got_through = false;
}

static void walk_start(struct core *core, node_id owner)
{
    assert(!is_walked(core, owner));
    struct request *walk = request_new(core, &hints_kind, UINT64_MAX, false);
    if (!walk) {
        hints_wanted(core, RETRY_MIN_US);
        return;
    }
    request_go(walk, STATE_ASKING);
    hints_of(walk)->owner = owner;
    walk_page(core, walk);
}

static void walk_advance(struct core *core, struct request *walk)
{
    if (hints_of(walk)->children > 0) {
        return;
    }
    /* One that is refused does not stand in the way of those behind it; an owner that takes
     * none is left alone for now. */
    bool is_stuck = hints_of(walk)->failed && !hints_of(walk)->got_through;
    if (!hints_of(walk)->more || core->draining || is_stuck) {
        set_timer(core, hints_of(walk)->failed || hints_of(walk)->more);
        request_free(core, walk);
        return;
    }
    if (background_take(core)) {
        walk_page(core, walk);
    } else {
        request_wake_at(core, walk, core->now_us + TURN_AFTER_US);
    }
}

static void walk_child_done(struct core *core, struct request *walk, bool done)
{
    assert(walk && hints_of(walk)->children > 0);
    hints_of(walk)->children--;
    hints_of(walk)->failed |= !done;
    walk_advance(core, walk);
}

/* One hint -------------------------------------------------------------------------------- */

static void hint_end(struct core *core, struct request *request, bool done)
{
    assert(request->is_child && !hints_of(request)->drops);
    struct request *walk = request_parent(core, request);
    request_free(core, request);
    hints_of(walk)->got_through |= done;
    walk_child_done(core, walk, done);
}

/* Drops the hint unless it was written anew. */
static void hint_clear(struct core *core, struct request *request)
{
    assert(hints_of(request)->hint.key);
    request_go(request, STATE_STORING);
    request->deadline_us = UINT64_MAX; /* the own disk will answer */
    struct hint *hints = calloc(1, sizeof *hints);
    if (!hints) {
        hint_end(core, request, false);
        return;
    }
    *hints = hints_of(request)->hint;
    hints->object = NULL;
    blob_ref(hints->key);
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_CLEAR_HINTS);
    store->clear_hints.hints = hints;
    store->clear_hints.count = 1;
}

static void hints_check(struct core *core, struct request *request)
{
    assert(request->state == STATE_REPLICATING || planted(PLANTED_HINT_EARLY));
    if (planted(PLANTED_HINT_EARLY) && request->state != STATE_REPLICATING) {
        return;
    }
    bool failed = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            return;
        }
        failed |= request->leg[i].state != LEG_DONE;
    }
    if (failed) {
        mark(MARK_HINT_NOT_TAKEN);
        hint_end(core, request, false);
        return;
    }
    core->stats.hints_delivered++;
    hint_clear(core, request);
}

/* The object, or its row, to one who holds it now. */
static void hint_send(struct core *core, struct request *request, int member)
{
    assert(member >= 0 && hints_of(request)->hint.object);
    const struct hint *hint = &hints_of(request)->hint;
    struct slice key = blob_slice(hint->key);
    uint16_t peer = core->member_peer[member];
    bool holds_object = peer_holds(core, peer, key);
    bool holds_row = !key_is_root(key) && peer_holds(core, peer, key_directory(key));
    uint8_t i = request->leg_count++;
    request->leg[i] = (struct leg){.peer = peer, .state = LEG_FAILED};
    struct object *object =
        holds_object ? object_ref(hint->object) : object_project(hint->object);
    if (!object || (peer != PEER_SELF && !peer_is_well(core, peer))) {
        object_unref(object);
        return;
    }
    if (peer == PEER_SELF) {
        struct store_request *store = request_store(core, request, i, STORE_MERGE);
        store->key = blob_ref(hint->key);
        store->merge.object = object;
        store->merge.parts = (uint8_t)(REPLICA_OBJECT | (holds_row ? REPLICA_ROW : 0));
        store->sync = true;
        store->merge.with_intent = !key_is_root(key);
        request->leg[i].state = LEG_SENT;
        return;
    }
    struct message *message = request_send(core, request, i, MESSAGE_REPLICA_PUT);
    message->replica_put.key = blob_ref(hint->key);
    message->replica_put.object = object;
    message->replica_put.parts =
        (uint8_t)((holds_object ? REPLICA_OBJECT : 0) | (holds_row ? REPLICA_ROW : 0));
    message->replica_put.sync = true;
    message->replica_put.leave_intent = holds_object && hint->kind == HINT_OBJECT;
}

/*
 * A marker for a member that holds just the row: the own copy may have changed since, and its
 * row must not be pushed before W nodes have the object (put_legs.c). So it goes as a put does;
 * whom that misses gets a marker anew, under another stamp.
 */
static void hint_push(struct core *core, struct request *request)
{
    assert(hints_of(request)->hint.kind == HINT_MARKER);
    mark(MARK_MARKER_OF_ROW);
    request_go(request, STATE_PUSHING); /* the push has its own deadline */
    if (!push_object(core, request, request->key, true)) {
        hint_end(core, request, false);
    }
}

static void hints_on_child(struct core *core, struct request *request,
                           struct child_result *result)
{
    assert(request->state == STATE_PUSHING);
    if (result->status != STATUS_OK) {
        hint_end(core, request, false);
        return;
    }
    core->stats.hints_delivered++;
    hint_clear(core, request);
}

/* The hint has its object: who is to get it? */
static void hint_carry(struct core *core, struct request *request)
{
    assert(hints_of(request)->hint.object);
    const struct hint *hint = &hints_of(request)->hint;
    struct slice key = blob_slice(hint->key);
    int owner = ring_find(core->ring, hint->owner);
    uint16_t peer = owner >= 0 ? core->member_peer[owner] : PEERS_MAX;
    bool holds_object = owner >= 0 && peer_holds(core, peer, key);
    bool holds_row =
        owner >= 0 && !key_is_root(key) && peer_holds(core, peer, key_directory(key));
    bool is_primary = core_is_primary(core, ring_partition(core->ring, key));
    if (holds_row && !holds_object && hint->kind == HINT_MARKER && is_primary) {
        hint_push(core, request);
        return;
    }
    request_go(request, STATE_REPLICATING);
    request_set_deadline(core, request, core->now_us + HINT_DEADLINE_US);
    if (holds_object || (holds_row && hint->kind == HINT_MARKER)) {
        hint_send(core, request, owner);
    } else if (hint->kind == HINT_OBJECT) {
        mark_if(owner < 0, MARK_HINT_OWNER_LEFT);
        struct preference_list list;
        preference_list_build(core->ring, ring_partition(core->ring, key), &list);
        for (uint16_t i = 0; i < list.primary; i++) {
            hint_send(core, request, list.member[i]);
        }
    }
    /* A marker for one who holds nothing of the key has no more to say. */
    if (planted(PLANTED_HINT_EARLY)) {
        hint_clear(core, request);
        return;
    }
    hints_check(core, request);
}

static void hint_start(struct core *core, struct request *walk, struct hint *hint)
{
    assert(walk->state == STATE_ASKING && hints_of(walk)->children > 0);
    struct request *request = request_new(core, &hints_kind, UINT64_MAX, false);
    if (!request) {
        walk_child_done(core, walk, false);
        return;
    }
    request_set_parent(request, walk);
    hints_of(request)->hint = *hint;
    memset(hint, 0, sizeof *hint);
    request->key = blob_ref(hints_of(request)->hint.key);
    if (hints_of(request)->hint.kind == HINT_OBJECT) {
        hint_carry(core, request);
        return;
    }
    request_go(request, STATE_READING);
    request_store(core, request, LEG_OF_STORE, STORE_GET)->key = blob_ref(request->key);
}

/* By hand: what is kept for one owner is forgotten, page by page -------------------------- */

void hints_on_drop(struct core *core, struct event *event)
{
    node_id owner = event->message->drop_hints.owner;
    struct request *request = core->ring && !is_walked(core, owner)
                                  ? request_new(core, &hints_kind, UINT64_MAX, false)
                                  : NULL;
    if (!request) {
        enum status status = core->ring ? STATUS_BUSY : STATUS_NOT_READY;
        (void)core_reply(core, event, MESSAGE_DROP_HINTS_REPLY, status);
        return;
    }
    request->handle = event->handle;
    request->reply_id = event->message->request_id;
    request_go(request, STATE_ASKING);
    hints_of(request)->owner = owner;
    hints_of(request)->drops = true;
    walk_page(core, request);
}

static void drop_end(struct core *core, struct request *request, enum status status)
{
    assert(hints_of(request)->drops);
    struct message *message = request_reply(core, request, MESSAGE_DROP_HINTS_REPLY, status);
    message->drop_hints_reply.count = hints_of(request)->dropped;
    request_free(core, request);
    hints_wanted(core, 0); /* to count anew */
}

static void drop_on_stored(struct core *core, struct request *request,
                           struct store_result *result)
{
    assert(request->state == STATE_ASKING && hints_of(request)->drops);
    bool is_page = result->operation == STORE_LIST_HINTS;
    if (result->status != STATUS_OK || (is_page && result->hints.count == 0)) {
        drop_end(core, request, result->status);
    } else if (is_page) {
        struct store_request *store =
            request_store(core, request, LEG_OF_STORE, STORE_CLEAR_HINTS);
        const struct hint *last = &result->hints.hint[result->hints.count - 1];
        blob_unref(hints_of(request)->cursor.key);
        hints_of(request)->cursor =
            (struct hint){.kind = last->kind, .key = blob_ref(last->key)};
        hints_of(request)->dropping = result->hints.count;
        store->clear_hints.hints = result->hints.hint;
        store->clear_hints.count = result->hints.count;
        result->hints.hint = NULL;
        result->hints.count = 0;
    } else {
        hints_of(request)->dropped += hints_of(request)->dropping;
        walk_page(core, request);
    }
}

/* Results --------------------------------------------------------------------------------- */

static void on_page(struct core *core, struct request *walk, struct store_result *result)
{
    assert(hints_of(walk)->children == 0 && !hints_of(walk)->drops);
    hints_of(walk)->more = result->hints.more;
    hints_of(walk)->failed |= result->status != STATUS_OK;
    if (result->hints.count > 0) {
        const struct hint *last = &result->hints.hint[result->hints.count - 1];
        blob_unref(hints_of(walk)->cursor.key);
        hints_of(walk)->cursor = (struct hint){.kind = last->kind, .key = blob_ref(last->key)};
    }
    /* One more than there are, so that a child that ends at once does not end the walk. */
    hints_of(walk)->children = (uint16_t)(result->hints.count + 1);
    for (uint16_t i = 0; i < result->hints.count; i++) {
        hint_start(core, walk, &result->hints.hint[i]);
    }
    walk_child_done(core, walk, true);
}

static void on_owners(struct core *core, struct request *request, struct store_result *result)
{
    assert(core->hints_timer.running);
    bool is_waiting = result->status != STATUS_OK;
    core->hints_timer.running = false;
    core->stats.hints_kept = 0;
    for (uint16_t i = 0; i < result->owners.count; i++) {
        node_id owner = result->owners.owner[i].owner;
        int member = ring_find(core->ring, owner);
        core->stats.hints_kept += result->owners.owner[i].count;
        if (result->owners.owner[i].count == 0 || is_walked(core, owner)) {
            continue;
        }
        /* Those of a member that is gone go to others, who may be there. */
        if (member < 0 || peer_is_well(core, core->member_peer[member])) {
            walk_start(core, owner);
        } else {
            is_waiting = true;
        }
    }
    set_timer(core, is_waiting);
    request_free(core, request);
}

static void on_copy_read(struct core *core, struct request *request,
                         struct store_result *result)
{
    assert(hints_of(request)->hint.kind == HINT_MARKER && !hints_of(request)->hint.object);
    if (result->status != STATUS_OK) {
        hint_end(core, request, false);
        return;
    }
    hints_of(request)->hint.object = object_ref(result->object);
    if (!result->object) {
        mark(MARK_MARKER_WITHOUT_COPY);
        hint_clear(core, request); /* It was reaped since, or lost with a disk. */
        return;
    }
    hint_carry(core, request);
}

static void hints_on_stored(struct core *core, struct request *request, uint8_t leg,
                            struct store_result *result)
{
    if (hints_of(request)->drops) {
        drop_on_stored(core, request, result);
    } else if (request->state == STATE_FINDING) {
        on_owners(core, request, result);
    } else if (request->state == STATE_ASKING) {
        on_page(core, request, result);
    } else if (request->state == STATE_READING) {
        on_copy_read(core, request, result);
    } else if (request->state == STATE_STORING) {
        if (result->operation == STORE_CLEAR_HINTS) {
            hint_end(core, request, result->status == STATUS_OK);
        }
    } else {
        request->leg[leg].state = result->status == STATUS_OK ? LEG_DONE : LEG_FAILED;
        intents_wanted(core, INTENT_ROW, LOOK_SOON_US);
        hints_check(core, request);
    }
}

static void hints_on_reply(struct core *core, struct request *request, uint8_t leg,
                           struct message *message)
{
    assert(leg < request->leg_count && request->leg[leg].state == LEG_SENT);
    bool done = message->type == MESSAGE_REPLICA_PUT_REPLY && message->status == STATUS_OK;
    request->leg[leg].state = done ? LEG_DONE : LEG_FAILED;
    hints_check(core, request);
}

static void hints_on_due(struct core *core, struct request *request)
{
    if (request->state == STATE_ASKING) {
        request->wake_us = UINT64_MAX; /* its turn has come */
        walk_advance(core, request);
        return;
    }
    /* All others wait for the own disk, which always answers, or for their children. */
    assert(request->state == STATE_REPLICATING);
    (void)request_suspect_slow(core, request);
    hint_end(core, request, false);
}

void hints_on_tick(struct core *core)
{
    struct scan_timer *timer = &core->hints_timer;
    if (!core->ring || core->draining || timer->running) {
        return;
    }
    if (timer->due_us > core->now_us) {
        core_due(core, timer->due_us);
        return;
    }
    timer->due_us = core->now_us + RETRY_MAX_US;
    struct request *request = request_new(core, &hints_kind, UINT64_MAX, false);
    if (!request) {
        hints_wanted(core, RETRY_MIN_US);
        return;
    }
    timer->running = true;
    timer->backoff_us = timer->has_failed ? timer->backoff_us : 0;
    timer->has_failed = false;
    request_go(request, STATE_FINDING);
    (void)request_store(core, request, LEG_OF_STORE, STORE_HINT_OWNERS);
}

const struct request_kind hints_kind = {
    .name = "hints",
    .own_size = sizeof(struct hints_state),
    .comes_from = {[STATE_FINDING] = FROM(STATE_WAITING),
                   [STATE_ASKING] = FROM(STATE_WAITING),
                   [STATE_READING] = FROM(STATE_WAITING),
                   [STATE_REPLICATING] = FROM(STATE_WAITING) | FROM(STATE_READING),
                   [STATE_PUSHING] = FROM(STATE_READING),
                   [STATE_STORING] =
                       FROM(STATE_READING) | FROM(STATE_REPLICATING) | FROM(STATE_PUSHING)},
    .on_reply = hints_on_reply,
    .on_stored = hints_on_stored,
    .on_child = hints_on_child,
    .on_due = hints_on_due,
    .on_leg_failed = hints_check,
    .release = hints_release,
};
