/*
 * replica.c - what a coordinator asks of this node as a replica.
 *
 * Replica writes carry finished objects, which are only merged (rule 6). Placement by another
 * ring epoch is refused: the side that lags fetches the ring.
 */
#include "node/core/replica.h"

#include <assert.h>
#include <string.h>

#include "node/core/copies.h"
#include "node/core/epoch.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/request.h"
#include "node/core/timers.h"
#include "ring/mark.h"
#include "ring/planted.h"

static enum message_type reply_type_of(enum message_type type)
{
    return (enum message_type)(type + 1);
}

/* A clock from the far future must be seen by people; it does not spread
 * (object_counter_floor). */
static void note_clock_ahead(struct core *core, const struct object *object)
{
    uint64_t limit = core->wall_us + COUNTER_AHEAD_MAX_US;
    for (uint32_t i = 0; i < object->clock.count; i++) {
        if (object->clock.pair[i].counter <= limit) {
            continue;
        }
        core->stats.clocks_ahead++;
        if (core->clock_note_after_us <= core->now_us) {
            core->clock_note_after_us = core->now_us + COUNTER_AHEAD_MAX_US;
            core_note(core, NOTE_CLOCK_AHEAD, "an object's clock is over a minute ahead");
        }
        return;
    }
}

static void replica_store_get(struct core *core, struct request *request,
                              const struct message_replica_get *get)
{
    enum store_operation operation = get->from_hints ? STORE_GET_HINTS : STORE_GET;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, operation);
    store->key = blob_ref(get->key);
    replica_of(request)->digest_only = get->digest_only;
    replica_of(request)->from_hints = get->from_hints;
    if (get->from_hints) {
        core_fill_owners(core, blob_slice(get->key), &store->get_hints.owners);
    }
}

static void replica_store_put(struct core *core, struct request *request,
                              struct message_replica_put *put)
{
    bool is_hint = put->hint_for != 0;
    struct store_request *store =
        request_store(core, request, LEG_OF_STORE, is_hint ? STORE_HINT : STORE_MERGE);
    store->key = blob_ref(put->key);
    store->sync = put->sync;
    bool with_intent = put->leave_intent && !key_is_root(blob_slice(put->key));
    if (is_hint) {
        store->hint.object = put->object;
        store->hint.owners = (struct owner_list){.id = {put->hint_for}, .count = 1};
    } else {
        store->merge.object = put->object;
        store->merge.parts = put->parts;
        store->merge.with_intent = with_intent;
    }
    replica_of(request)->with_intent = with_intent;
    note_clock_ahead(core, put->object);
    put->object = NULL;
}

static void replica_store(struct core *core, struct request *request, struct message *message)
{
    assert(core->ring || message->type == MESSAGE_HINTS);
    switch ((int)message->type) {
    case MESSAGE_REPLICA_GET:
        request->key = blob_ref(message->replica_get.key);
        replica_store_get(core, request, &message->replica_get);
        break;
    case MESSAGE_REPLICA_PUT:
        request->key = blob_ref(message->replica_put.key);
        replica_store_put(core, request, &message->replica_put);
        break;
    case MESSAGE_REPLICA_LIST: {
        request->key = blob_ref(message->list.directory);
        struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_LIST);
        store->key = message->list.directory;
        message->list.directory = NULL;
        store->list = message->list;
        memset(&message->list, 0, sizeof message->list);
        break;
    }
    default:
        assert(message->type == MESSAGE_HINTS);
        (void)request_store(core, request, LEG_OF_STORE, STORE_HINT_OWNERS);
        break;
    }
}

/* A copy that is not complete must not pass for one in a read (docs/design.md, Requests). */
static bool is_withheld(const struct core *core, const struct message *message)
{
    assert(core->ring);
    if (core->is_complete || planted(PLANTED_NOT_FOUND_INCOMPLETE)) {
        return false;
    }
    if (message->type == MESSAGE_REPLICA_GET) {
        return !message->replica_get.for_repair && !message->replica_get.from_hints;
    }
    return message->type == MESSAGE_REPLICA_LIST && !message->list.for_repair &&
           !planted(PLANTED_LIST_INCOMPLETE);
}

/* A fallback is none of the key's primaries: their copies must not be counted twice. And what
 * is kept is for one of those alone: for others it would stay for ever. */
static bool is_bad_hint(const struct core *core, const struct message *message)
{
    assert(core->ring);
    const struct message_replica_put *put = &message->replica_put;
    if (message->type != MESSAGE_REPLICA_PUT || put->hint_for == 0) {
        return false;
    }
    int owner = ring_find(core->ring, put->hint_for);
    if (owner < 0 || !peer_holds(core, core->member_peer[owner], blob_slice(put->key))) {
        return true;
    }
    return !planted(PLANTED_FALLBACK_TWICE) &&
           peer_holds(core, PEER_SELF, blob_slice(put->key));
}

static enum status replica_judge(struct core *core, const struct event *event)
{
    const struct message *message = event->message;
    if (message->type == MESSAGE_HINTS) {
        return core->ring ? STATUS_OK : STATUS_NOT_READY;
    }
    if (event->role != ROLE_NODE) {
        return STATUS_REFUSED;
    }
    if (!core->ring || source_is_on(core)) {
        return STATUS_NOT_READY;
    }
    if (epoch_is_other(core, event)) {
        mark_if(message->type == MESSAGE_REPLICA_PUT, MARK_PUT_PLACED_BY_OTHER_RING);
        return STATUS_STALE_RING;
    }
    if (is_withheld(core, message)) {
        return STATUS_NOT_READY;
    }
    return is_bad_hint(core, message) ? STATUS_REFUSED : STATUS_OK;
}

void replica_on_request(struct core *core, struct event *event)
{
    struct message *message = event->message;
    enum message_type reply_type = reply_type_of(message->type);
    enum status status = replica_judge(core, event);
    struct request *request = NULL;
    size_t size = message->type == MESSAGE_REPLICA_PUT
                      ? object_content_size(message->replica_put.object)
                      : 0;
    if (status == STATUS_OK) {
        bool has_room = request_has_room(core, false, size);
        request = has_room ? request_new(core, &replica_kind, UINT64_MAX, false) : NULL;
        status = request ? STATUS_OK : STATUS_BUSY;
    }
    if (status != STATUS_OK) {
        (void)core_reply(core, event, reply_type, status);
        epoch_close_split(core, event);
        return;
    }
    request_charge(core, request, size);
    request->handle = event->handle;
    request->reply_id = message->request_id;
    replica_of(request)->type = reply_type;
    replica_store(core, request, message);
}

static void replica_on_stored(struct core *core, struct request *request, uint8_t leg,
                              struct store_result *result)
{
    assert(leg == LEG_OF_STORE);
    enum status status = result->status;
    if (replica_of(request)->from_hints && status == STATUS_OK && !result->object) {
        status = STATUS_NOT_FOUND;
    }
    struct message *message = request_reply(core, request, replica_of(request)->type, status);
    if (replica_of(request)->type == MESSAGE_REPLICA_PUT_REPLY &&
        status == STATUS_BAD_MESSAGE) {
        message_set_text(message, "the content does not match its hash");
        copy_refused(core, blob_slice(request->key));
    }
    switch ((int)replica_of(request)->type) {
    case MESSAGE_REPLICA_GET_REPLY:
        message->replica_get_reply.names_us = result->names_us;
        if (replica_of(request)->digest_only) {
            message->replica_get_reply.has_digest = true;
            object_digest(result->object, message->replica_get_reply.digest);
        } else {
            message->replica_get_reply.object = object_ref(result->object);
        }
        break;
    case MESSAGE_REPLICA_PUT_REPLY:
        if (replica_of(request)->with_intent && status == STATUS_OK) {
            intents_wanted(core, INTENT_ROW, LOOK_SOON_US);
        }
        break;
    case MESSAGE_REPLICA_LIST_REPLY:
        message->list_reply = result->list;
        memset(&result->list, 0, sizeof result->list);
        break;
    case MESSAGE_HINTS_REPLY:
        message->hints_reply.count = result->owners.count;
        message->hints_reply.owners = result->owners.owner;
        result->owners.owner = NULL;
        result->owners.count = 0;
        break;
    default:
        break;
    }
    request_free(core, request);
}

const struct request_kind replica_kind = {
    .name = "replica",
    .own_size = sizeof(struct replica_state),
    .on_stored = replica_on_stored,
};
