/*
 * put.c - a put or delete at its coordinator.
 *
 *   READING ──► STORING ──► REPLICATING ──► DRAINING ──► HINTING ──► (free)
 *   (by name, or    the own copy,   whole objects    answered; the   markers for those
 *    an fsync: a    row, intent:    to the others    last copies     who got nothing
 *    quorum first)  one batch                        and rows
 *
 * The coordinator updates its own copy, then sends the whole object to the other primaries,
 * with its row in the same message to those that hold both; put_legs.c says who gets what
 * (DeCandia et al., sections 4.5 and 4.6; docs/design.md, rules 4 and 6). It answers when
 * W copies of the object and W of its row are acknowledged; a row that cannot is left to its
 * intent. What did not reach a replica is kept as a hint before the intent is dropped, so that
 * no copy is ever forgotten.
 *
 * A node that is no primary coordinates only when it can reach none. Its own copy is a hint.
 */
#include "node/core/put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/detector.h"
#include "node/core/forward.h"
#include "node/core/get.h"
#include "node/core/heal.h"
#include "node/core/intents.h"
#include "node/core/legs.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/put_legs.h"
#include "node/core/request.h"
#include "node/core/timers.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum { DRAIN_US = 1000000 }; /* how long a put that was answered waits for its last copies */

static void put_check(struct core *core, struct request *request);

static bool is_sending(const struct request *request)
{
    return request->state == STATE_REPLICATING || request->state == STATE_DRAINING;
}

/* The answer's text for people: how far an indeterminate put came. */
static void put_explain(const struct request *request, struct message *message)
{
    char text[160];
    (void)snprintf(text, sizeof text,
                   "%u of %u copies acknowledged; the write may yet appear (indeterminate)",
                   (unsigned)put_of(request)->object_acks, (unsigned)put_of(request)->w);
    message_set_text(message, text);
}

static void put_reply(struct core *core, struct request *request, enum status status)
{
    assert(!request->is_child && !request->replied);
    status =
        planted(PLANTED_ALWAYS_NO_QUORUM) ? STATUS_NO_QUORUM : forward_failure(request, status);
    struct message *message = request_reply(core, request, MESSAGE_PUT_REPLY, status);
    if (status == STATUS_OK) {
        message->put_reply.row = object_project(put_of(request)->object);
        if (!message->put_reply.row) {
            message->status = STATUS_NO_MEMORY;
        }
        return;
    }
    core->stats.puts_failed++;
    bool is_open = status == STATUS_NO_QUORUM || status == STATUS_TIMEOUT ||
                   (status == STATUS_NO_SPACE && put_of(request)->object);
    if (is_open) {
        put_explain(request, message);
    }
}

/* Frees the request; a parent learns the outcome. */
static void put_end(struct core *core, struct request *request, enum status status)
{
    if (request->is_child) {
        struct child_result result = {.status = status, .object = put_of(request)->object};
        child_finish(core, request, &result);
        return;
    }
    if (!request->replied) {
        put_reply(core, request, status);
    }
    request_free(core, request);
}

/* The value's rules; a directory's key and a directory's value go together. */
static enum status put_validate(const struct message_put *put)
{
    bool is_directory = key_is_directory(blob_slice(put->key));
    if (!put->has_value) {
        return key_is_root(blob_slice(put->key)) && put->mode != UPDATE_NONE ? STATUS_BAD_KEY
                                                                             : STATUS_OK;
    }
    if ((put->value.attributes.type == VERSION_DIRECTORY) != is_directory ||
        (is_directory && key_is_internal(blob_slice(put->key)))) {
        return STATUS_BAD_KEY;
    }
    if (blob_slice(put->value.content).size > VALUE_SIZE_MAX ||
        blob_slice(put->value.xattrs).size > XATTRS_SIZE_MAX) {
        return STATUS_TOO_LARGE;
    }
    return STATUS_OK;
}

/* Moves the payload out of the message. NULL when memory is short. */
static struct message_put *put_take(struct message_put *from)
{
    struct message_put *put = malloc(sizeof *put);
    if (put) {
        *put = *from;
        memset(from, 0, sizeof *from);
    }
    return put;
}

/* Applies the put to the own copy; at a fallback that is the hints for all primaries. */
static void put_store(struct core *core, struct request *request)
{
    assert(put_of(request)->put && core->ring);
    request_go(request, STATE_STORING);
    struct slice key = blob_slice(request->key);
    enum store_operation operation =
        put_of(request)->is_fallback ? STORE_COORDINATE_HINT : STORE_COORDINATE;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, operation);
    store->key = blob_ref(request->key);
    store->coordinate.put = put_of(request)->put;
    put_of(request)->put = NULL;
    store->sync = put_of(request)->sync && !planted(PLANTED_UNSYNCED);
    /* What a client writes or deletes may take the place of what cannot be read; pushing the
     * own copy may not. */
    store->coordinate.over_damage =
        ring_replicas(core->ring) < 2 && store->coordinate.put->mode == UPDATE_ALL;
    if (put_of(request)->is_fallback) {
        core_fill_owners(core, key, &store->coordinate.owners);
    }
    if (!key_is_root(key)) {
        uint16_t partition = ring_partition(core->ring, key_directory(key));
        /* A fallback's hint is in another database than the row, which follows later. */
        store->coordinate.with_row =
            !put_of(request)->is_fallback && core_is_primary(core, partition);
        store->coordinate.with_intent = !put_of(request)->has_intent &&
                                        !put_of(request)->is_fallback &&
                                        !planted(PLANTED_NO_INTENT);
    }
}

/* How many must be read to overlap with every put that asks for the same W. */
static uint8_t overlapping_quorum(const struct core *core, uint8_t w)
{
    assert(w > 0 && w <= ring_replicas(core->ring));
    uint8_t others = (uint8_t)(ring_replicas(core->ring) - w + 1);
    return others > w ? others : w;
}

/* Starts the life of a put whose request is set up. */
static void put_begin(struct core *core, struct request *request)
{
    struct put_state *put = put_of(request);
    assert(put->put && request->key);
    put->sync = put->put->sync;
    put->w = core_quorum(core, put->put->w);
    put->w_row = key_is_root(blob_slice(request->key)) ? 0 : put->w;
    bool names = put->put->mode == UPDATE_SOME && !planted(PLANTED_SOME_WITHOUT_READ);
    /* An fsync of what was acknowledged before: a copy that lags would count toward W without
     * what is to survive. */
    put->syncs_read = put->put->mode == UPDATE_NONE && put->sync && !request->is_child;
    if (!names && !put->syncs_read) {
        put_store(core, request);
        return;
    }
    /* Rule 3: named siblings are dropped from a copy that knows them. A read that overlaps with
     * every put of this W finds them; what it does not find is refused by object_update. */
    request_go(request, STATE_READING);
    uint8_t r = overlapping_quorum(core, put->w);
    bool is_read =
        names ? get_start_for_dots(core, request, put->put->dots, put->put->dot_count, r)
              : get_start_child(core, request, request->key, r);
    if (!is_read) {
        put_end(core, request, STATUS_NO_QUORUM);
    }
}

/* Coordinates here although this node is no primary. */
static void put_start_fallback(struct core *core, struct request *from, struct message *message)
{
    assert(from->is_client && !from->replied);
    struct request *request = request_new(core, &put_kind, from->deadline_us, true);
    if (!request) {
        (void)request_reply(core, from, MESSAGE_PUT_REPLY, forward_failure(from, STATUS_BUSY));
        return;
    }
    core->stats.puts++;
    core->stats.fallback_puts++;
    request_charge(core, request, message_put_size(&message->put));
    request->started_us = from->started_us;
    request->failure = from->failure;
    request->handle = from->handle;
    request->reply_id = from->reply_id;
    request->key = blob_ref(message->put.key);
    put_of(request)->is_fallback = true;
    put_of(request)->put = put_take(&message->put);
    if (!put_of(request)->put) {
        put_end(core, request, STATUS_NO_MEMORY);
        return;
    }
    put_begin(core, request);
}

void put_on_request(struct core *core, struct event *event)
{
    assert(core->ring && event->message->type == MESSAGE_PUT);
    struct message *message = event->message;
    enum status status = put_validate(&message->put);
    if (status != STATUS_OK) {
        (void)core_reply(core, event, MESSAGE_PUT_REPLY, status);
        return;
    }
    uint16_t partition = ring_partition(core->ring, blob_slice(message->put.key));
    bool is_looped = planted(PLANTED_FORWARD_LOOPS) && message->put.hops > 0;
    if (!core_is_primary(core, partition) || is_looped) {
        forward_start(core, event, partition, MESSAGE_PUT_REPLY, put_start_fallback);
        return;
    }
    uint64_t deadline_us = core_deadline_of(core, message->put.deadline_ms);
    size_t size = message_put_size(&message->put);
    struct request *request = request_has_room(core, true, size)
                                  ? request_new(core, &put_kind, deadline_us, true)
                                  : NULL;
    if (!request) {
        (void)core_reply(core, event, MESSAGE_PUT_REPLY, STATUS_BUSY);
        return;
    }
    core->stats.puts++;
    request_charge(core, request, size);
    request->handle = event->handle;
    request->reply_id = message->request_id;
    request->key = blob_ref(message->put.key);
    put_of(request)->put = put_take(&message->put);
    if (!put_of(request)->put) {
        put_end(core, request, STATUS_NO_MEMORY);
        return;
    }
    put_begin(core, request);
}

bool put_start_child(struct core *core, struct request *parent, struct message_put *put,
                     uint64_t intent_stamp)
{
    assert(parent->kind && put->key && core->ring);
    struct request *request =
        request_new(core, &put_kind, core->now_us + CHILD_DEADLINE_US, false);
    if (!request || !core_is_primary(core, ring_partition(core->ring, blob_slice(put->key)))) {
        struct message message = {.type = MESSAGE_PUT, .put = *put};
        message_release(&message);
        free(put);
        if (request) {
            request_free(core, request);
        }
        return false;
    }
    request_set_parent(request, parent);
    request->key = blob_ref(put->key);
    put_of(request)->put = put;
    put_of(request)->by_digest = put->mode == UPDATE_NONE;
    put_of(request)->has_intent = intent_stamp != 0;
    put_of(request)->intent_stamp = intent_stamp;
    put_begin(core, request);
    return true;
}

bool push_object(struct core *core, struct request *parent, struct blob *key, bool sync)
{
    assert(parent->kind && key);
    struct message_put *put = calloc(1, sizeof *put);
    if (!put) {
        return false;
    }
    put->key = blob_ref(key);
    put->mode = UPDATE_NONE;
    put->sync = sync;
    return put_start_child(core, parent, put, 0);
}

/* Merges what was read into the copy that the update works on. Same key, so the store applies it
 * before the update that follows. */
static void put_store_read(struct core *core, struct request *request, struct object *object)
{
    assert(request->state == STATE_READING);
    struct slice key = blob_slice(request->key);
    if (put_of(request)->is_fallback) {
        mark(MARK_NAMED_AT_FALLBACK);
        struct store_request *store =
            request_store(core, request, LEG_BEFORE_STORE, STORE_HINT);
        store->key = blob_ref(request->key);
        store->hint.object = object_ref(object);
        core_fill_owners(core, key, &store->hint.owners);
        store->hint.owners.count = 1; /* the one that the update works on */
        return;
    }
    struct store_request *store = request_store(core, request, LEG_BEFORE_STORE, STORE_MERGE);
    store->key = blob_ref(request->key);
    store->merge.object = object_ref(object);
    store->merge.parts = REPLICA_OBJECT;
    if (!key_is_root(key) && peer_holds(core, PEER_SELF, key_directory(key))) {
        store->merge.parts |= REPLICA_ROW; /* never behind its object on one disk */
    }
}

static void put_on_child(struct core *core, struct request *request,
                         struct child_result *result)
{
    assert(request->state == STATE_READING);
    if (result->status != STATUS_OK && result->status != STATUS_NOT_FOUND) {
        put_end(core, request, result->status);
        return;
    }
    if (result->object) {
        put_store_read(core, request, result->object);
    }
    put_store(core, request);
}

/* With the own copy written; and again where copies were refused for the sake of another ring. */
static void put_replicate(struct core *core, struct request *request)
{
    assert(put_of(request)->object);
    request_go(request, STATE_REPLICATING);
    put_legs_start(core, request);
    put_check(core, request);
}

static void put_on_copy_stored(struct core *core, struct request *request,
                               struct store_result *result)
{
    if (request->state == STATE_HINTING) {
        if (result->status == STATUS_OK && put_of(request)->has_intent) {
            intents_clear(core, INTENT_ROW, request->key, put_of(request)->intent_stamp);
        } else if (result->status != STATUS_OK) {
            mark(MARK_PUT_MARKER_UNWRITTEN);
            intents_wanted(core, INTENT_ROW, INTENT_AFTER_US);
        }
        hints_wanted(core, RETRY_MIN_US);
        put_end(core, request, result->status); /* the client has its answer */
        return;
    }
    assert(request->state == STATE_STORING);
    /* Others know what the own disk did not take: that is why what is named is not known here,
     * and an fsync must not count a copy that lags. */
    bool lacks_read = put_of(request)->syncs_read || result->status == STATUS_UNKNOWN_VERSION;
    if (lacks_read && put_of(request)->read_failure != STATUS_OK) {
        mark(MARK_PUT_READ_NOT_STORED);
        intents_wanted(core, INTENT_ROW, INTENT_AFTER_US); /* one may have been left */
        put_end(core, request, put_of(request)->read_failure);
        return;
    }
    if (result->status != STATUS_OK) {
        if (result->status == STATUS_NOT_FOUND && put_of(request)->has_intent) {
            /* An intent without an object has nothing left to push. */
            mark(MARK_INTENT_WITHOUT_OBJECT);
            intents_clear(core, INTENT_ROW, request->key, put_of(request)->intent_stamp);
        }
        put_end(core, request, result->status);
        return;
    }
    put_of(request)->object = object_ref(result->object);
    if (object_is_nothing(result->object)) {
        /* A delete of what was never there, or was not told of: it is done. */
        mark(MARK_DELETED_NOTHING);
        put_end(core, request, STATUS_OK);
        return;
    }
    bool left_intent = !put_of(request)->has_intent && !put_of(request)->is_fallback;
    if (left_intent && put_of(request)->w_row > 0) {
        put_of(request)->has_intent = true;
        put_of(request)->intent_stamp = result->intent_stamp;
    }
    put_replicate(core, request);
}

static void put_on_row_stored(struct core *core, struct request *request, uint8_t i,
                              const struct store_result *result)
{
    struct leg *leg = &request->leg[i];
    assert(leg->state == LEG_SENT && leg->peer == PEER_SELF);
    leg->state = result->status == STATUS_OK ? LEG_DONE : LEG_FAILED;
    if (leg->state == LEG_DONE) {
        put_count_acknowledged(request, leg);
    }
    put_check(core, request);
}

static void put_on_stored(struct core *core, struct request *request, uint8_t leg,
                          struct store_result *result)
{
    if (leg == LEG_OF_STORE) {
        put_on_copy_stored(core, request, result);
    } else if (leg == LEG_BEFORE_STORE) {
        put_of(request)->read_failure = result->status;
    } else if (leg < request->leg_count) {
        put_on_row_stored(core, request, leg, result);
    }
}

static void put_on_reply(struct core *core, struct request *request, uint8_t i,
                         struct message *message)
{
    assert(i < request->leg_count && request->leg[i].state == LEG_SENT);
    struct leg *leg = &request->leg[i];
    if (!is_sending(request)) {
        return; /* who has not answered so far is getting a marker */
    }
    request_note_ring(core, request, message);
    if (leg->asks_digest) {
        put_leg_compare(core, request, i, message);
    } else if (message->type == MESSAGE_REPLICA_PUT_REPLY && message->status == STATUS_OK) {
        leg->state = LEG_DONE;
        put_count_acknowledged(request, leg);
    } else {
        leg->state = LEG_FAILED;
        put_of(request)->met_full_disk |= message->status == STATUS_NO_SPACE;
        mark_if(message->status == STATUS_NO_SPACE, MARK_PUT_MET_FULL_DISK);
        if (message->status == STATUS_BAD_MESSAGE &&
            !object_is_sound(put_of(request)->object)) {
            heal_start(core, request->key); /* a sibling on the own disk, not what was put */
        }
        put_legs_replace_failed(core, request);
    }
    put_check(core, request);
}

static void put_on_legs_lost(struct core *core, struct request *request)
{
    if (is_sending(request)) {
        put_legs_replace_failed(core, request);
        put_check(core, request);
    }
}

/*
 * All copies that will come have come. If the object has its quorum, who lacks something gets a
 * marker, and the intent has done its duty; if not, the intent stays and the push is repeated.
 */
static void put_finish(struct core *core, struct request *request, enum status status)
{
    struct put_state *put = put_of(request);
    if (put->row_acks < put->w_row) {
        mark_if(put->object_acks >= put->w, MARK_PUT_ROW_LEFT);
        core->stats.rows_left_to_intent++;
    }
    if (put->object_acks < put->w && !planted(PLANTED_INTENT_EARLY)) {
        if (put->has_intent) {
            intents_wanted(core, INTENT_ROW, INTENT_AFTER_US);
        }
        status = status == STATUS_OK ? STATUS_NO_QUORUM : status;
        bool is_full = status == STATUS_NO_QUORUM && put->met_full_disk;
        mark_if(is_full, MARK_PUT_DENIED_BY_FULL_DISKS);
        put_end(core, request, is_full ? STATUS_NO_SPACE : status);
        return;
    }
    node_id missed[OWNERS_MAX] = {0};
    uint8_t count = put_missed(request, missed);
    mark_if(count > 0 && put_has_hint(request), MARK_PUT_HINT_AND_MARKER);
    if (count == 0 || planted(PLANTED_INTENT_EARLY) || planted(PLANTED_NO_MARKER)) {
        if (put->has_intent) {
            intents_clear(core, INTENT_ROW, request->key, put->intent_stamp);
        }
        put_end(core, request, status);
        return;
    }
    if (!request->replied && !request->is_child) {
        put_reply(core, request, status);
    }
    request_go(request, STATE_HINTING);
    request->deadline_us = UINT64_MAX; /* the own disk will answer */
    request->wake_us = UINT64_MAX;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_HINT);
    store->key = blob_ref(request->key);
    memcpy(store->hint.owners.id, missed, sizeof missed);
    store->hint.owners.count = count;
    store->sync = put->sync;
}

/* Makes the request end soon: the client has its answer. */
static void put_drain(struct core *core, struct request *request)
{
    assert(put_of(request)->object_acks >= put_of(request)->w || planted(PLANTED_ACK_EARLY));
    request_go(request, STATE_DRAINING);
    uint64_t drained_us = core->now_us + DRAIN_US;
    if (drained_us < request->deadline_us) {
        request->deadline_us = drained_us;
        core_due(core, drained_us);
    }
}

static void put_check(struct core *core, struct request *request)
{
    assert(put_of(request)->object_acks <= OWNERS_MAX && is_sending(request));
    struct put_state *put = put_of(request);
    bool object_met = put->object_acks >= put->w || planted(PLANTED_ACK_EARLY);
    if (object_met || planted(PLANTED_ROW_EARLY)) {
        put_legs_send_rows(core, request);
    }
    struct put_pending pending = put_pending(core, request);
    bool row_met = put->row_acks >= put->w_row;
    if (request->state == STATE_REPLICATING) {
        if (!object_met) {
            bool is_hopeless = put->object_acks + pending.objects < put->w;
            if (is_hopeless && !put_legs_wait_for_ring(core, request)) {
                put_finish(core, request, STATUS_NO_QUORUM);
            }
            return;
        }
        bool row_hopeless = put->row_acks + pending.rows < put->w_row;
        if (!row_met && !row_hopeless) {
            return;
        }
        if (!request->is_child) {
            put_reply(core, request, STATUS_OK);
        }
        put_drain(core, request);
    }
    /* A suspect has the message in its queue; it is not waited for. */
    if (pending.objects + pending.rows == 0 || pending.trusted == 0) {
        put_finish(core, request, STATUS_OK);
    }
}

static void put_on_due(struct core *core, struct request *request)
{
    bool is_late = request->deadline_us <= core->now_us;
    bool waits = request->state == STATE_WAITING; /* for a ring */
    if (!is_late && waits) {
        put_replicate(core, request);
        return;
    }
    if (!is_late && is_sending(request)) {
        put_legs_on_due(core, request);
        put_check(core, request);
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            peer_failed(core, request->leg[i].peer);
        }
    }
    if (waits || is_sending(request)) {
        bool object_met = put_of(request)->object_acks >= put_of(request)->w;
        put_finish(core, request, object_met ? STATUS_OK : STATUS_TIMEOUT);
        return;
    }
    mark_if(request->state == STATE_STORING, MARK_PUT_STORED_LATE);
    /* Not even the own copy is known to be written; a late store result finds no request. */
    put_end(core, request, STATUS_TIMEOUT);
}

static void put_release(struct request *request)
{
    struct put_state *put = put_of(request);
    if (put->put) {
        struct message message = {.type = MESSAGE_PUT, .put = *put->put};
        message_release(&message);
        free(put->put);
    }
    object_unref(put->object);
}

bool puts_in_flight(const struct core *core)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        if (core->requests[slot].kind == &put_kind) {
            return true;
        }
    }
    return false;
}

const struct request_kind put_kind = {
    .name = "put",
    .own_size = sizeof(struct put_state),
    .outlives_reply = true,
    .comes_from = {[STATE_READING] = FROM(STATE_WAITING),
                   [STATE_STORING] = FROM(STATE_WAITING) | FROM(STATE_READING),
                   [STATE_REPLICATING] = FROM(STATE_STORING) | FROM(STATE_WAITING),
                   [STATE_WAITING] = FROM(STATE_REPLICATING),
                   [STATE_DRAINING] = FROM(STATE_REPLICATING),
                   [STATE_HINTING] = FROM(STATE_REPLICATING) | FROM(STATE_DRAINING)},
    .on_reply = put_on_reply,
    .on_stored = put_on_stored,
    .on_child = put_on_child,
    .on_due = put_on_due,
    .on_leg_failed = put_on_legs_lost,
    .release = put_release,
};
