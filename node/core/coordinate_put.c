/*
 * coordinate_put.c - a put or delete at its coordinator.
 *
 *   READING ──► STORING ──► REPLICATING ──► DRAINING ──► (free)
 *   (UPDATE_SOME:   the own copy,   whole objects    answered; the last
 *    a quorum read  row, intent:    to the others    copies and rows
 *    first)         one batch                        come in
 *
 * The coordinator updates its own copy, then sends the whole object to the other primaries,
 * with its row in the same message to those that hold both (DeCandia et al., section 4.5;
 * design.md section 5, rules 4 and 6). It answers when W copies of the object and W of its row
 * are acknowledged; a row that cannot is left to its intent.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/internal.h"
#include "ring/planted.h"

/* The answer's text for people: how far an indeterminate put came. */
static void put_explain(const struct request *request, struct message *message)
{
    char text[160];
    (void)snprintf(text, sizeof text,
                   "%u of %u copies acknowledged; the write may yet appear (indeterminate)",
                   (unsigned)request->put.object_acks, (unsigned)request->put.w);
    message_set_text(message, text);
}

static void put_reply(struct core *core, struct request *request, enum status status)
{
    struct message *message = request_reply(core, request, MESSAGE_PUT_REPLY, status);
    if (status == STATUS_OK) {
        message->put_reply.row = object_project(request->put.object);
        if (!message->put_reply.row) {
            message->status = STATUS_NO_MEMORY;
        }
        return;
    }
    core->stats.puts_failed++;
    if (status == STATUS_NO_QUORUM || status == STATUS_TIMEOUT) {
        put_explain(request, message);
    }
}

/* Frees the request; a parent learns the outcome. */
static void put_end(struct core *core, struct request *request, enum status status)
{
    if (request->is_child) {
        struct child_result result = {
            .kind = REQUEST_PUT, .status = status, .object = request->put.object};
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
    if ((put->value.attributes.type == VERSION_DIRECTORY) != is_directory) {
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

/* Applies the put to the own copy. */
static void put_store(struct core *core, struct request *request)
{
    request->state = STATE_STORING;
    struct slice key = blob_slice(request->key);
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_COORDINATE);
    store->key = blob_ref(request->key);
    store->put = request->put.put;
    request->put.put = NULL;
    store->sync = request->put.sync && !planted(PLANTED_UNSYNCED);
    if (!key_is_root(key)) {
        uint16_t partition = ring_partition(core->ring, key_directory(key));
        store->with_row = core_is_primary(core, partition);
        store->with_intent = !request->put.has_intent && !planted(PLANTED_NO_INTENT);
    }
}

/* Starts the life of a put whose request is set up. */
static void put_begin(struct core *core, struct request *request)
{
    request->put.sync = request->put.put->sync;
    request->put.w = core_quorum(core, request->put.put->w);
    request->put.w_row = key_is_root(blob_slice(request->key)) ? 0 : request->put.w;
    if (request->put.put->mode != UPDATE_SOME) {
        put_store(core, request);
        return;
    }
    /* Rule 3 and design.md section 3: named siblings are dropped from a copy that holds all
     * that a quorum does. */
    request->state = STATE_READING;
    if (!get_start_child(core, request, request->key)) {
        put_end(core, request, STATUS_NO_QUORUM);
    }
}

void put_on_request(struct core *core, struct event *event)
{
    struct message *message = event->message;
    enum status status = put_validate(&message->put);
    if (status != STATUS_OK) {
        (void)core_reply(core, event, MESSAGE_PUT_REPLY, status);
        return;
    }
    uint16_t partition = ring_partition(core->ring, blob_slice(message->put.key));
    if (!core_is_primary(core, partition)) {
        forward_start(core, event, partition, MESSAGE_PUT_REPLY);
        return;
    }
    uint64_t deadline_us = core_deadline_of(core, message->put.deadline_ms);
    struct request *request = request_new(core, REQUEST_PUT, deadline_us, true);
    if (!request) {
        (void)core_reply(core, event, MESSAGE_PUT_REPLY, STATUS_BUSY);
        return;
    }
    core->stats.puts++;
    request->handle = event->handle;
    request->reply_id = message->request_id;
    request->key = blob_ref(message->put.key);
    request->put.put = put_take(&message->put);
    if (!request->put.put) {
        put_end(core, request, STATUS_NO_MEMORY);
        return;
    }
    put_begin(core, request);
}

bool put_start_child(struct core *core, struct request *parent, struct message_put *put,
                     bool rows_only, uint64_t intent_stamp)
{
    struct request *request =
        request_new(core, REQUEST_PUT, core->now_us + JOIN_DEADLINE_US, false);
    if (!request || !core_is_primary(core, ring_partition(core->ring, blob_slice(put->key)))) {
        struct message message = {.type = MESSAGE_PUT, .put = *put};
        message_release(&message);
        free(put);
        if (request) {
            request_free(core, request);
        }
        return false;
    }
    request->is_child = true;
    request->parent = parent->slot;
    request->parent_generation = parent->generation;
    request->key = blob_ref(put->key);
    request->put.put = put;
    request->put.rows_only = rows_only;
    request->put.has_intent = intent_stamp != 0;
    request->put.intent_stamp = intent_stamp;
    put_begin(core, request);
    return true;
}

void put_on_child(struct core *core, struct request *request, struct child_result *result)
{
    assert(request->state == STATE_READING);
    if (result->status != STATUS_OK && result->status != STATUS_NOT_FOUND) {
        put_end(core, request, result->status);
        return;
    }
    if (result->object) {
        /* Same key, so the store applies it before the update that follows. */
        struct store_request *store =
            request_store(core, request, LEG_OF_SECOND_STORE, STORE_MERGE);
        store->key = blob_ref(request->key);
        store->object = object_ref(result->object);
        store->parts = REPLICA_OBJECT;
        if (!key_is_root(blob_slice(request->key)) &&
            peer_holds(core, PEER_SELF, key_directory(blob_slice(request->key)))) {
            store->parts |= REPLICA_ROW; /* a row never lags behind its object on one disk */
        }
    }
    put_store(core, request);
}

/* One leg for each other primary of the object, and for those of the row. */
static void put_add_legs(struct core *core, struct request *request)
{
    struct slice key = blob_slice(request->key);
    if (!request->put.rows_only) {
        request_add_primaries(core, request, ring_partition(core->ring, key));
        for (uint8_t i = 0; i < request->leg_count; i++) {
            request->leg[i].parts = REPLICA_OBJECT;
        }
    }
    if (request->put.w_row == 0) {
        return;
    }
    uint8_t objects = request->leg_count;
    request_add_primaries(core, request, ring_partition(core->ring, key_directory(key)));
    uint8_t count = objects;
    for (uint8_t i = objects; i < request->leg_count; i++) {
        struct leg *row = &request->leg[i];
        uint8_t same = 0;
        while (same < objects && request->leg[same].peer != row->peer) {
            same++;
        }
        if (same < objects) {
            request->leg[same].parts |= REPLICA_ROW;
            continue;
        }
        /* Also a retry of the row alone brings the object to those that hold both: a row must
         * not be on a disk that its object may never reach. */
        bool has_both = peer_holds(core, row->peer, key);
        request->leg[count].peer = row->peer;
        request->leg[count].parts = has_both ? REPLICA_OBJECT | REPLICA_ROW : REPLICA_ROW;
        count++;
    }
    request->leg_count = count;
}

static void put_count_acknowledged(struct request *request, const struct leg *leg)
{
    request->put.object_acks += (leg->parts & REPLICA_OBJECT) ? 1 : 0;
    request->put.row_acks += (leg->parts & REPLICA_ROW) ? 1 : 0;
}

/* What a planted bug sends instead of the whole object. Never called in the shipping build. */
static struct object *object_newest_alone(const struct object *object)
{
    struct object *alone = NULL;
    uint32_t count = object->version_count > 0 ? 1 : 0;
    enum status status =
        object_new(&object->clock, object_newest(object), count, (struct actor){0}, &alone);
    return status == STATUS_OK ? alone : NULL;
}

static void put_send(struct core *core, struct request *request, uint8_t i, struct object *row)
{
    struct leg *leg = &request->leg[i];
    if (!peer_is_usable(core, leg->peer)) {
        leg->state = LEG_FAILED;
        return;
    }
    struct message *message = request_send(core, request, i, MESSAGE_REPLICA_PUT);
    bool has_object = (leg->parts & REPLICA_OBJECT) != 0;
    message->replica_put.key = blob_ref(request->key);
    message->replica_put.object = planted(PLANTED_SEND_SINGLY)
                                      ? object_newest_alone(request->put.object)
                                      : object_ref(has_object ? request->put.object : row);
    message->replica_put.parts = leg->parts;
    message->replica_put.sync = request->put.sync && !planted(PLANTED_UNSYNCED);
}

void put_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    assert(request->state == STATE_STORING);
    if (result->status != STATUS_OK) {
        if (result->status == STATUS_NOT_FOUND && request->put.has_intent) {
            /* An intent without an object has nothing left to push. */
            intents_clear(core, INTENT_ROW, request->key, request->put.intent_stamp);
        }
        put_end(core, request, result->status);
        return;
    }
    request->put.object = object_ref(result->object);
    if (!request->put.has_intent && request->put.w_row > 0) {
        request->put.has_intent = true;
        request->put.intent_stamp = result->intent_stamp;
    }
    request->state = STATE_REPLICATING;
    put_add_legs(core, request);
    struct object *row = NULL;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->peer == PEER_SELF) {
            leg->state = LEG_DONE;
            put_count_acknowledged(request, leg);
            continue;
        }
        if (!(leg->parts & REPLICA_OBJECT) && !row) {
            row = object_project(request->put.object);
        }
        if (!(leg->parts & REPLICA_OBJECT) && !row) {
            leg->state = LEG_FAILED;
            continue;
        }
        put_send(core, request, i, row);
    }
    object_unref(row);
    put_check(core, request);
}

void put_on_reply(struct core *core, struct request *request, uint8_t leg,
                  struct message *message)
{
    if (message->type == MESSAGE_REPLICA_PUT_REPLY && message->status == STATUS_OK) {
        request->leg[leg].state = LEG_DONE;
        put_count_acknowledged(request, &request->leg[leg]);
    } else {
        request->leg[leg].state = LEG_FAILED;
    }
    put_check(core, request);
}

struct pending {
    uint8_t objects, rows;
    uint8_t trusted; /* legs awaited whose peer answered of late */
};

static struct pending put_pending(const struct core *core, const struct request *request)
{
    struct pending pending = {0};
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state == LEG_SENT) {
            pending.objects += (leg->parts & REPLICA_OBJECT) ? 1 : 0;
            pending.rows += (leg->parts & REPLICA_ROW) ? 1 : 0;
            pending.trusted = (uint8_t)(pending.trusted + !peer_is_suspect(core, leg->peer));
        }
    }
    return pending;
}

/* All copies that will come have come: what the row still lacks is left to its intent. */
static void put_finish(struct core *core, struct request *request, enum status status)
{
    if (request->put.has_intent) {
        if (request->put.row_acks >= request->put.w_row || planted(PLANTED_INTENT_EARLY)) {
            intents_clear(core, INTENT_ROW, request->key, request->put.intent_stamp);
        } else {
            core->stats.rows_left_to_intent++;
            status = request->put.rows_only ? STATUS_NO_QUORUM : status;
            intents_wanted(core, INTENT_ROW, INTENT_AFTER_US);
        }
    }
    put_end(core, request, status);
}

void put_check(struct core *core, struct request *request)
{
    if (request->state != STATE_REPLICATING && request->state != STATE_DRAINING) {
        return;
    }
    struct put_state *put = &request->put;
    struct pending pending = put_pending(core, request);
    bool object_met =
        put->rows_only || put->object_acks >= put->w || planted(PLANTED_ACK_EARLY);
    bool row_met = put->row_acks >= put->w_row;
    if (request->state == STATE_REPLICATING) {
        if (!object_met && put->object_acks + pending.objects < put->w) {
            put_finish(core, request, STATUS_NO_QUORUM);
            return;
        }
        bool row_hopeless = put->row_acks + pending.rows < put->w_row;
        if (!object_met || (!row_met && !row_hopeless)) {
            return;
        }
        if (!request->is_child) {
            put_reply(core, request, STATUS_OK);
        }
        request->state = STATE_DRAINING;
        uint64_t drained_us = core->now_us + DRAIN_US;
        if (drained_us < request->deadline_us) {
            request->deadline_us = drained_us;
            request_due(core, drained_us);
        }
    }
    /* A peer that missed a deadline of late has the message in its queue; it is not waited for.
     */
    if (pending.objects + pending.rows == 0 || pending.trusted == 0) {
        put_finish(core, request, STATUS_OK);
    }
}

void put_on_due(struct core *core, struct request *request)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            request->leg[i].state = LEG_FAILED;
            peer_failed(core, request->leg[i].peer);
        }
    }
    switch (request->state) {
    case STATE_REPLICATING:
        if (request->put.rows_only || request->put.object_acks >= request->put.w) {
            put_finish(core, request, STATUS_OK);
        } else {
            put_finish(core, request, STATUS_TIMEOUT);
        }
        return;
    case STATE_DRAINING:
        put_finish(core, request, STATUS_OK);
        return;
    case STATE_WAITING:
    case STATE_READING:
    case STATE_STORING:
    case STATE_ASKING:
    case STATE_FINDING:
    case STATE_CHECKING_ROW:
    case STATE_CHECKING_DIRECTORY:
    case STATE_CREATING:
    case STATE_PREPARING:
    case STATE_SAVING:
        /* Not even the own copy is known to be written; a late store result finds no request.
         */
        put_end(core, request, STATUS_TIMEOUT);
        return;
    }
}
