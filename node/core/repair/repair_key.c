/*
 * repair_key.c - one object or row of which two replicas hold different states.
 *
 *   ASKING ──► (READING) ──► STORING ──► the parent hears
 *   whole copies   a row: first   the merged state to whoever lacks
 *   of both sides  its object     something, acknowledged
 *
 * Both whole copies are read, merged, and the result is written to whoever lacks something: a
 * merge, never a new event (docs/design.md, rule 4). Where a replica of a row holds the object
 * too, the object goes there first, or a power cut might take it from the one disk that has it
 * and leave the row ahead for ever: all replicas of the object are made to agree, and what it
 * projects to becomes part of the row.
 */
#include "node/core/repair/repair_key.h"

#include <assert.h>
#include <stdlib.h>

#include "node/core/copies.h"
#include "node/core/detector.h"
#include "node/core/legs.h"
#include "node/core/put_legs.h"
#include "node/core/repair/task.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum { OBJECT_DEADLINE_US = 4 * REPAIR_DEADLINE_US };

struct key_repair {
    enum merkle_part part;
    bool is_partial;       /* not every primary could be asked */
    struct object *merged; /* owned */
};

static struct key_repair *key_of(const struct request *request)
{
    assert(request->kind == &key_repair_kind);
    return request->own;
}

static void key_release(struct request *request)
{
    struct key_repair *key = key_of(request);
    if (key) {
        object_unref(key->merged);
    }
    free(key);
}

static void key_check(struct core *core, struct request *request);

static void key_finish(struct core *core, struct request *request, enum status status)
{
    assert(request->is_child);
    struct child_result result = {.status = status, .object = key_of(request)->merged};
    struct object *object = object_ref(result.object);
    child_finish(core, request, &result);
    object_unref(object);
}

static void key_on_due(struct core *core, struct request *request)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT && request->leg[i].peer != PEER_SELF) {
            peer_failed(core, request->leg[i].peer);
        }
    }
    key_finish(core, request, STATUS_TIMEOUT);
}

/* A listing of the row's name alone. False when memory is short. */
static bool list_one(const struct request *request, struct message_list *list)
{
    struct slice key = blob_slice(request->key);
    list->directory = blob_new(key_directory(key));
    list->start = blob_new(key_name(key));
    list->end = blob_ref(list->start);
    list->limit = 2; /* a file and a directory may have one name */
    list->for_repair = true;
    if (list->directory && list->start) {
        return true;
    }
    blob_unref(list->directory);
    blob_unref(list->start);
    blob_unref(list->end);
    return false;
}

static void row_ask(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && key_of(request)->part == MERKLE_ROW);
    struct message_list list = {0};
    if (!list_one(request, &list)) {
        return; /* The deadline ends it. */
    }
    if (request->leg[i].peer != PEER_SELF) {
        request_send(core, request, i, MESSAGE_REPLICA_LIST)->list = list;
        return;
    }
    struct store_request *store = request_store(core, request, i, STORE_LIST);
    request->leg[i].state = LEG_SENT;
    store->key = list.directory;
    list.directory = NULL;
    store->list = list;
}

static void object_ask(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && key_of(request)->part == MERKLE_OBJECT);
    if (request->leg[i].peer != PEER_SELF) {
        struct message *message = request_send(core, request, i, MESSAGE_REPLICA_GET);
        message->replica_get.key = blob_ref(request->key);
        message->replica_get.for_repair = true;
        return;
    }
    request_store(core, request, i, STORE_GET)->key = blob_ref(request->key);
    request->leg[i].state = LEG_SENT;
}

/* Sets up the legs. False if one that is needed cannot be asked. */
static bool key_add_legs(struct core *core, struct request *request, uint16_t peer)
{
    assert(request->leg_count == 0 && peer != PEER_SELF);
    struct key_repair *key = key_of(request);
    if (peer != EVERY_PRIMARY) {
        request->leg_count = 2;
        request->leg[0].peer = PEER_SELF;
        request->leg[1].peer = peer;
        return repair_may_ask(core, peer);
    }
    request_add_primaries(core, request, ring_partition(core->ring, blob_slice(request->key)));
    uint8_t count = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (repair_may_ask(core, request->leg[i].peer)) {
            request->leg[count++].peer = request->leg[i].peer;
        }
    }
    key->is_partial = count < request->leg_count;
    request->leg_count = count;
    return count > 0;
}

bool key_start(struct core *core, struct request *parent, const struct tree_entry *entry,
               uint16_t peer)
{
    assert(parent->kind && entry->key && peer != PEER_SELF);
    struct request *request =
        request_new(core, &key_repair_kind, core->now_us + (uint64_t)REPAIR_DEADLINE_US, false);
    if (!request) {
        return false;
    }
    request->own = calloc(1, sizeof(struct key_repair));
    request->key = blob_ref(entry->key);
    request_set_parent(request, parent);
    if (!key_of(request) || !key_add_legs(core, request, peer)) {
        request_free(core, request);
        return false;
    }
    key_of(request)->part = entry->part;
    request_go(request, STATE_ASKING);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (entry->part == MERKLE_OBJECT) {
            object_ask(core, request, i);
        } else {
            row_ask(core, request, i);
        }
    }
    return true;
}

/* The row of our kind out of the listing of its name, a new reference; NULL: there is none. */
static enum status row_of(const struct request *request, struct message_list_reply *list,
                          struct object **ret_object)
{
    struct slice key = blob_slice(request->key);
    for (uint16_t i = 0; i < list->row_count; i++) {
        struct row *row = &list->rows[i];
        if (!slice_equal(blob_slice(row->name), key_name(key))) {
            return STATUS_BAD_MESSAGE; /* or what another name has would become this one's */
        }
        if (row->kind != key_row_kind(key)) {
            continue;
        }
        enum status status = row->object ? STATUS_OK : message_open_row(row);
        if (status == STATUS_OK) {
            *ret_object = object_ref(row->object);
        }
        return status;
    }
    return STATUS_OK;
}

/* Merges all copies. False when memory is short. */
static bool key_merge(struct request *request)
{
    struct key_repair *key = key_of(request);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (!request->leg[i].object) {
            continue;
        }
        struct object *merged = object_merge(key->merged, request->leg[i].object);
        if (!merged) {
            return false;
        }
        object_unref(key->merged);
        key->merged = merged;
    }
    return true;
}

static bool leg_lacks(const struct request *request, uint8_t i)
{
    return !object_equal(request->leg[i].object, key_of(request)->merged);
}

static struct object *object_to_write(struct object *merged)
{
    return planted(PLANTED_TREE_SINGLY) ? object_newest_alone(merged) : object_ref(merged);
}

static void key_write(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && leg_lacks(request, i));
    struct key_repair *key = key_of(request);
    uint16_t peer = request->leg[i].peer;
    uint8_t parts = key->part == MERKLE_OBJECT ? REPLICA_OBJECT : REPLICA_ROW;
    if (repair_holds(core, peer, MERKLE_ROW, blob_slice(request->key))) {
        parts |= REPLICA_ROW;
    }
    if (peer == PEER_SELF) {
        struct store_request *store = request_store(core, request, i, STORE_MERGE);
        request->leg[i].state = LEG_SENT;
        store->key = blob_ref(request->key);
        store->merge.object = object_to_write(key->merged);
        store->merge.parts = parts;
    } else if (repair_may_ask(core, peer)) {
        struct message *message = request_send(core, request, i, MESSAGE_REPLICA_PUT);
        message->replica_put.key = blob_ref(request->key);
        message->replica_put.object = object_to_write(key->merged);
        message->replica_put.parts = parts;
    } else {
        request->leg[i].state = LEG_FAILED;
    }
}

static void key_store(struct core *core, struct request *request)
{
    request_go(request, STATE_STORING);
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (leg_lacks(request, i)) {
            key_write(core, request, i);
        }
    }
    key_check(core, request);
}

/* True if a replica that lacks the row holds the object as well. */
static bool wants_object(const struct core *core, const struct request *request)
{
    bool wanted = false;
    for (uint8_t i = 0; key_of(request)->part == MERKLE_ROW && i < request->leg_count; i++) {
        wanted |=
            leg_lacks(request, i) &&
            repair_holds(core, request->leg[i].peer, MERKLE_OBJECT, blob_slice(request->key));
    }
    return wanted;
}

/* All copies are here. */
static void key_repair_copies(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING);
    if (!key_merge(request)) {
        key_finish(core, request, STATUS_NO_MEMORY);
        return;
    }
    if (!wants_object(core, request)) {
        key_store(core, request);
        return;
    }
    struct tree_entry entry = {.part = MERKLE_OBJECT, .key = request->key};
    request_go(request, STATE_READING);
    request_set_deadline(core, request, core->now_us + OBJECT_DEADLINE_US);
    if (!key_start(core, request, &entry, EVERY_PRIMARY)) {
        key_finish(core, request, STATUS_UNREACHABLE);
    }
}

/* Takes what the object projects to into the row. False when memory is short. ret_covers: it
 * says all that the row does. */
static bool key_take_projection(struct key_repair *key, const struct object *object,
                                bool *ret_covers)
{
    assert(key->part == MERKLE_ROW && object);
    struct object *row = object_project(object);
    struct object *merged = row ? object_merge(key->merged, row) : NULL;
    if (merged) {
        *ret_covers = object_equal(merged, row);
        object_unref(key->merged);
        key->merged = merged;
    }
    object_unref(row);
    return merged;
}

static void key_on_child(struct core *core, struct request *request,
                         struct child_result *result)
{
    struct key_repair *key = key_of(request);
    assert(request->state == STATE_READING);
    bool covers = false;
    if (result->status != STATUS_OK && result->status != STATUS_NO_QUORUM) {
        key_finish(core, request, result->status);
    } else if (result->object && !key_take_projection(key, result->object, &covers)) {
        key_finish(core, request, STATUS_NO_MEMORY);
    } else if (result->status == STATUS_NO_QUORUM && !covers) {
        /* What the row is ahead by may be on the replica that is away. */
        mark(MARK_KEY_ROW_WAITS);
        key_finish(core, request, STATUS_NO_QUORUM);
    } else {
        mark_if(result->status == STATUS_NO_QUORUM, MARK_KEY_ROW_TOOK_OBJECT);
        key_store(core, request);
    }
}

static void key_check(struct core *core, struct request *request)
{
    bool is_done = true;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_FAILED) {
            key_finish(core, request, STATUS_UNREACHABLE);
            return;
        }
        is_done &= request->leg[i].state == LEG_DONE;
    }
    if (!is_done) {
        return;
    }
    if (request->state == STATE_ASKING) {
        key_repair_copies(core, request);
    } else if (request->state == STATE_STORING) {
        key_finish(core, request, key_of(request)->is_partial ? STATUS_NO_QUORUM : STATUS_OK);
    }
}

static void key_on_reply(struct core *core, struct request *request, uint8_t i,
                         struct message *message)
{
    assert(i < request->leg_count && request->leg[i].state == LEG_SENT);
    struct leg *leg = &request->leg[i];
    bool is_object = key_of(request)->part == MERKLE_OBJECT;
    enum message_type read = is_object ? MESSAGE_REPLICA_GET_REPLY : MESSAGE_REPLICA_LIST_REPLY;
    bool is_asking = request->state == STATE_ASKING;
    bool is_good = message->type == (is_asking ? read : MESSAGE_REPLICA_PUT_REPLY) &&
                   message->status == STATUS_OK;
    if (is_good && is_asking && is_object) {
        struct object *object = message->replica_get_reply.object;
        is_good = !message->replica_get_reply.has_digest &&
                  copy_is_sound(core, blob_slice(request->key), object);
        leg->object = is_good ? object_ref(object) : NULL;
    } else if (is_good && is_asking) {
        enum status status = row_of(request, &message->list_reply, &leg->object);
        core->stats.corrupt += status == STATUS_BAD_MESSAGE ? 1 : 0;
        is_good = status == STATUS_OK;
    }
    leg->state = is_good ? LEG_DONE : LEG_FAILED;
    key_check(core, request);
}

static void key_on_stored(struct core *core, struct request *request, uint8_t i,
                          struct store_result *result)
{
    assert(i < request->leg_count && request->leg[i].peer == PEER_SELF);
    struct leg *leg = &request->leg[i];
    bool is_good = result->status == STATUS_OK;
    if (is_good && result->operation == STORE_GET) {
        leg->object = object_ref(result->object);
    } else if (is_good && result->operation == STORE_LIST) {
        is_good = row_of(request, &result->list, &leg->object) == STATUS_OK;
    }
    leg->state = is_good ? LEG_DONE : LEG_FAILED;
    key_check(core, request);
}

const struct request_kind key_repair_kind = {
    .name = "key repair",
    .comes_from = {[STATE_ASKING] = FROM(STATE_WAITING),
                   [STATE_READING] = FROM(STATE_ASKING),
                   [STATE_STORING] = FROM(STATE_ASKING) | FROM(STATE_READING)},
    .on_reply = key_on_reply,
    .on_stored = key_on_stored,
    .on_child = key_on_child,
    .on_due = key_on_due,
    .on_leg_failed = key_check,
    .release = key_release,
};
