/*
 * replica.c - what a coordinator asks of this node as a replica.
 *
 * Replica writes carry finished objects, which are only merged (rule 6). Placement by another
 * ring epoch is refused: the side that lags fetches the ring.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/internal.h"

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

static void replica_store(struct core *core, struct request *request, struct message *message)
{
    struct object *object = NULL;
    struct store_request *store = NULL;
    switch ((int)message->type) {
    case MESSAGE_REPLICA_GET:
        store = request_store(core, request, LEG_OF_STORE, STORE_GET);
        store->key = blob_ref(message->replica_get.key);
        request->replica.digest_only = message->replica_get.digest_only;
        break;
    case MESSAGE_REPLICA_PUT:
        store = request_store(core, request, LEG_OF_STORE, STORE_MERGE);
        store->key = blob_ref(message->replica_put.key);
        object = message->replica_put.object;
        store->object = object;
        message->replica_put.object = NULL;
        store->parts = message->replica_put.parts;
        store->sync = message->replica_put.sync;
        break;
    default:
        assert(message->type == MESSAGE_REPLICA_LIST);
        store = request_store(core, request, LEG_OF_STORE, STORE_LIST);
        store->key = message->list.directory;
        message->list.directory = NULL;
        store->list = message->list;
        memset(&message->list, 0, sizeof message->list);
        break;
    }
    request->key = blob_ref(store->key);
    if (object) {
        note_clock_ahead(core, object);
    }
}

void replica_on_request(struct core *core, struct event *event)
{
    struct message *message = event->message;
    enum message_type reply_type = reply_type_of(message->type);
    enum status status = STATUS_OK;
    if (event->role != ROLE_NODE) {
        status = STATUS_REFUSED;
    } else if (!core->ring) {
        status = STATUS_NOT_READY;
    } else if (message->ring_epoch != core->ring->epoch) {
        core->stats.stale_ring++;
        status = STATUS_STALE_RING;
    }
    struct request *request = NULL;
    if (status == STATUS_OK) {
        request = request_new(core, REQUEST_REPLICA, UINT64_MAX, false);
        status = request ? STATUS_OK : STATUS_BUSY;
    }
    if (status != STATUS_OK) {
        (void)core_reply(core, event, reply_type, status);
        return;
    }
    request->handle = event->handle;
    request->reply_id = message->request_id;
    request->replica.type = reply_type;
    replica_store(core, request, message);
}

void replica_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    struct message *message =
        request_reply(core, request, request->replica.type, result->status);
    switch ((int)request->replica.type) {
    case MESSAGE_REPLICA_GET_REPLY:
        if (request->replica.digest_only) {
            message->replica_get_reply.has_digest = true;
            object_digest(result->object, message->replica_get_reply.digest);
        } else {
            message->replica_get_reply.object = object_ref(result->object);
        }
        break;
    case MESSAGE_REPLICA_LIST_REPLY:
        message->list_reply = result->list;
        memset(&result->list, 0, sizeof result->list);
        break;
    default:
        break;
    }
    request_free(core, request);
}
