/*
 * forward.c - a client's request that another node must coordinate.
 *
 * Only a node of the preference list coordinates; any other forwards, once (DeCandia et al.,
 * section 4.5; rule 6: a put is coordinated once). A put that is tried on a second coordinator
 * keeps its write id, so it is shown once.
 */
#include <assert.h>
#include <string.h>

#include "node/core/internal.h"

static uint8_t *message_hops(struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_GET:
        return &message->get.hops;
    case MESSAGE_PUT:
        return &message->put.hops;
    default:
        assert(message->type == MESSAGE_LIST);
        return &message->list.hops;
    }
}

static uint32_t message_deadline_ms(const struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_GET:
        return message->get.deadline_ms;
    case MESSAGE_PUT:
        return message->put.deadline_ms;
    default:
        return message->list.deadline_ms;
    }
}

static enum message_type reply_type_of(enum message_type type)
{
    return (enum message_type)(type + 1);
}

/* A copy that shares the blobs, for a message that may have to be sent again. */
static bool message_share(const struct message *from, struct message *to)
{
    *to = *from;
    if (from->type == MESSAGE_GET) {
        blob_ref(to->get.key);
        return true;
    }
    if (from->type == MESSAGE_LIST) {
        blob_ref(to->list.directory);
        blob_ref(to->list.start);
        blob_ref(to->list.end);
        return true;
    }
    return false;
}

void forward_start(struct core *core, struct event *event, uint16_t partition,
                   enum message_type reply_type)
{
    struct message *message = event->message;
    if (*message_hops(message) > 0) {
        core->stats.stale_ring++;
        (void)core_reply(core, event, reply_type, STATUS_STALE_RING);
        return;
    }
    struct request *request = request_new(
        core, REQUEST_FORWARD, core_deadline_of(core, message_deadline_ms(message)), true);
    if (!request) {
        (void)core_reply(core, event, reply_type, STATUS_BUSY);
        return;
    }
    core->stats.forwards++;
    request->handle = event->handle;
    request->reply_id = message->request_id;
    request->forward.message = *message;
    memset(message, 0, sizeof *message);
    *message_hops(&request->forward.message) = 1;
    request_add_primaries(core, request, partition);
    forward_next(core, request);
}

static void forward_end(struct core *core, struct request *request, enum status status)
{
    enum message_type type = request->forward.message.type;
    (void)request_reply(core, request, reply_type_of(type), status);
    request_free(core, request);
}

/*
 * Sends the request to the next node of the list. Reads are tried on each; a put that was sent
 * once is not: the client repeats it under its write id.
 */
void forward_next(struct core *core, struct request *request)
{
    struct message *kept = &request->forward.message;
    bool was_put = kept->type == MESSAGE_PUT && kept->put.key == NULL;
    while (!was_put && request->forward.next < request->leg_count) {
        uint8_t i = request->forward.next++;
        if (!peer_is_usable(core, request->leg[i].peer)) {
            continue;
        }
        struct message *message = request_send(core, request, i, kept->type);
        uint64_t id = message->request_id;
        uint64_t epoch = message->ring_epoch;
        if (!message_share(kept, message)) {
            memset(&kept->put, 0, sizeof kept->put);
        }
        message->request_id = id;
        message->ring_epoch = epoch;
        request_set_hedge(core, request, core->now_us + FORWARD_ATTEMPT_US);
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            return;
        }
    }
    forward_end(core, request, was_put ? STATUS_TIMEOUT : STATUS_UNREACHABLE);
}

void forward_on_reply(struct core *core, struct request *request, uint8_t leg,
                      struct message *message)
{
    enum message_type type = reply_type_of(request->forward.message.type);
    if (message->type != type) {
        request->leg[leg].state = LEG_FAILED;
        forward_next(core, request);
        return;
    }
    struct message *reply = request_reply(core, request, type, message->status);
    uint64_t id = reply->request_id;
    uint64_t epoch = reply->ring_epoch;
    *reply = *message;
    reply->request_id = id;
    reply->ring_epoch = epoch;
    memset(message, 0, sizeof *message);
    request_free(core, request);
}

void forward_on_due(struct core *core, struct request *request)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            peer_failed(core, request->leg[i].peer);
        }
    }
    if (request->deadline_us <= core->now_us) {
        forward_end(core, request, STATUS_TIMEOUT);
        return;
    }
    request_set_hedge(core, request, UINT64_MAX);
    forward_next(core, request);
}
