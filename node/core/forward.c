/*
 * forward.c - a client's request that another node must coordinate.
 *
 * Only a node of the preference list coordinates; any other forwards, once (DeCandia et al.,
 * section 4.5; rule 6: a put is coordinated once). Primaries are tried in turn, each once and
 * all within the request's deadline, until one gives an answer that another would give too;
 * when none is left this node, a fallback of the list as all are, coordinates itself. If that
 * fails as well, the failure that says most is passed on.
 */
#include "node/core/forward.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/detector.h"
#include "node/core/legs.h"
#include "node/core/outbox.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

struct forward_state {
    struct message message; /* sent again to each node tried */
    uint8_t next;           /* next leg to be tried */
    forward_coordinate *coordinate_here;
};

static struct forward_state *forward_of(const struct request *request)
{
    return request_own(request, sizeof(struct forward_state));
}

static void forward_next(struct core *core, struct request *request);

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

static uint32_t *message_deadline_ms(struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_GET:
        return &message->get.deadline_ms;
    case MESSAGE_PUT:
        return &message->put.deadline_ms;
    default:
        return &message->list.deadline_ms;
    }
}

/*
 * How much a failure tells, so that the one that says most is passed on when all nodes have
 * failed; 0: it is no matter of the node that was asked, another would say the same. What may
 * have been done comes before what was not.
 */
static unsigned failure_rank(enum status status)
{
    static const enum status failures[] = {
        STATUS_STALE_RING, STATUS_NOT_READY, STATUS_CLOSED,    STATUS_UNREACHABLE,
        STATUS_BUSY,       STATUS_NO_MEMORY, STATUS_NO_QUORUM, STATUS_TIMEOUT,
        STATUS_IO,         STATUS_CORRUPT,   STATUS_NO_SPACE,
    };
    for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i] == status) {
            return i + 1;
        }
    }
    return 0;
}

enum status forward_failure(const struct request *request, enum status status)
{
    unsigned rank = failure_rank(status);
    return rank > 0 && failure_rank(request->failure) > rank ? request->failure : status;
}

static enum message_type reply_type_of(enum message_type type)
{
    return (enum message_type)(type + 1);
}

/* Copies an array of dots. NULL for none, or when memory is short. */
static struct dot *dots_copy(const struct dot *dots, uint32_t count)
{
    size_t size = count * sizeof *dots;
    struct dot *copy = count > 0 ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, dots, size);
    }
    return copy;
}

static bool put_share(const struct message_put *from, struct message_put *to)
{
    to->context = dots_copy(from->context, from->context_count);
    to->dots = dots_copy(from->dots, from->dot_count);
    if ((from->context_count > 0 && !to->context) || (from->dot_count > 0 && !to->dots)) {
        free(to->context);
        free(to->dots);
        return false;
    }
    blob_ref(to->key);
    blob_ref(to->value.content);
    blob_ref(to->value.xattrs);
    return true;
}

/* A copy that shares the blobs, for a message that may have to be sent again. False when memory
 * is short: `to` is zeroed. */
static bool message_share(const struct message *from, struct message *to)
{
    assert(from->type == MESSAGE_GET || from->type == MESSAGE_PUT ||
           from->type == MESSAGE_LIST);
    *to = *from;
    if (from->type == MESSAGE_GET) {
        blob_ref(to->get.key);
    } else if (from->type == MESSAGE_LIST) {
        blob_ref(to->list.directory);
        blob_ref(to->list.start);
        blob_ref(to->list.end);
    } else if (!put_share(&from->put, &to->put)) {
        memset(to, 0, sizeof *to);
        return false;
    }
    return true;
}

void forward_start(struct core *core, struct event *event, uint16_t partition,
                   enum message_type reply_type, forward_coordinate *here)
{
    assert(core->ring && here);
    struct message *message = event->message;
    if (*message_hops(message) > 0 && !planted(PLANTED_FORWARD_LOOPS)) {
        mark(MARK_STALE_RING);
        core->stats.stale_ring++;
        (void)core_reply(core, event, reply_type, STATUS_STALE_RING);
        return;
    }
    size_t size = message->type == MESSAGE_PUT ? message_put_size(&message->put) : 0;
    uint64_t deadline_us = core_deadline_of(core, *message_deadline_ms(message));
    struct request *request = request_has_room(core, true, size)
                                  ? request_new(core, &forward_kind, deadline_us, true)
                                  : NULL;
    if (!request) {
        (void)core_reply(core, event, reply_type, STATUS_BUSY);
        return;
    }
    core->stats.forwards++;
    request_charge(core, request, size);
    request->handle = event->handle;
    request->reply_id = message->request_id;
    forward_of(request)->coordinate_here = here;
    forward_of(request)->message = *message;
    memset(message, 0, sizeof *message);
    *message_hops(&forward_of(request)->message) = 1;
    request_add_primaries(core, request, partition);
    forward_next(core, request);
}

static void forward_end(struct core *core, struct request *request, enum status status)
{
    assert(forward_of(request)->message.type != 0 && forward_of(request)->next > 0);
    enum message_type type = forward_of(request)->message.type;
    (void)request_reply(core, request, reply_type_of(type), forward_failure(request, status));
    request_free(core, request);
}

/* No primary can be asked, so this node coordinates in their place, as the first node of the
 * list that can (DeCandia et al., section 4.6). */
static void coordinate_here(struct core *core, struct request *request)
{
    assert(forward_of(request)->coordinate_here &&
           forward_of(request)->next == request->leg_count);
    struct message *message = &forward_of(request)->message;
    mark_if(message->type == MESSAGE_PUT, MARK_FORWARD_PUT_HERE);
    mark_if(message->type == MESSAGE_GET, MARK_FORWARD_GET_HERE);
    mark_if(message->type == MESSAGE_LIST, MARK_FORWARD_LIST_HERE);
    forward_of(request)->coordinate_here(core, request, message);
    request_free(core, request);
}

static bool forward_send(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && request->leg[i].peer != PEER_SELF);
    const struct message *kept = &forward_of(request)->message;
    struct message copy = {0};
    if (!message_share(kept, &copy)) {
        return false;
    }
    bool sync = kept->type == MESSAGE_PUT && kept->put.sync;
    mark_if(kept->type == MESSAGE_PUT && i > 0, MARK_FORWARD_TO_SECOND);
    mark_if(kept->type != MESSAGE_PUT && i > 0, MARK_FORWARD_READ_TO_SECOND);
    struct message *message = request_send(core, request, i, kept->type);
    copy.request_id = message->request_id;
    copy.ring_epoch = message->ring_epoch;
    *message = copy;
    uint64_t left_us = request->deadline_us - core->now_us;
    *message_deadline_ms(message) = (uint32_t)((left_us + 999) / 1000);
    /* The coordinator's own patience with its replicas comes first. */
    uint64_t patience_us = 2 * peer_patience_us(core, request->leg[i].peer, sync);
    /* Those behind it, and this node by itself, need time as well. */
    patience_us = patience_us < left_us / 2 ? patience_us : left_us / 2;
    request_wake_at(core, request, core->now_us + patience_us);
    return true;
}

/*
 * Sends the request to the next primary that is well. A put may so be coordinated by several:
 * under one write id, so it is shown once.
 */
static void forward_next(struct core *core, struct request *request)
{
    assert(forward_of(request)->next <= request->leg_count);
    if (request->deadline_us <= core->now_us) {
        forward_end(core, request, STATUS_TIMEOUT);
        return;
    }
    while (forward_of(request)->next < request->leg_count) {
        uint8_t i = forward_of(request)->next++;
        uint16_t peer = request->leg[i].peer;
        bool is_well = peer_is_well(core, peer);
        if (is_well && forward_send(core, request, i)) {
            return;
        }
    }
    coordinate_here(core, request);
}

/* The next one is asked, unless it was already since this one was slow. */
static void forward_failed(struct core *core, struct request *request, uint8_t leg,
                           enum status status)
{
    assert(leg < request->leg_count && leg < forward_of(request)->next);
    request->leg[leg].state = LEG_FAILED;
    request->failure = forward_failure(request, status);
    if (leg + 1 == forward_of(request)->next) {
        forward_next(core, request);
    }
}

static void forward_on_legs_lost(struct core *core, struct request *request)
{
    assert(forward_of(request)->next > 0);
    request->failure = forward_failure(request, STATUS_NO_QUORUM); /* it may have been done */
    if (request->leg[forward_of(request)->next - 1].state != LEG_SENT) {
        forward_next(core, request);
    }
}

static void forward_on_reply(struct core *core, struct request *request, uint8_t leg,
                             struct message *message)
{
    assert(leg < request->leg_count && request->leg[leg].state == LEG_SENT);
    enum message_type type = reply_type_of(forward_of(request)->message.type);
    if (message->type != type) {
        forward_failed(core, request, leg, STATUS_NO_QUORUM);
        return;
    }
    if (failure_rank(message->status) > 0) {
        forward_failed(core, request, leg, message->status);
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

static void forward_on_due(struct core *core, struct request *request)
{
    const struct message *kept = &forward_of(request)->message;
    bool sync = kept->type == MESSAGE_PUT && kept->put.sync;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        bool had_time = core->now_us - leg->sent_us >= peer_patience_us(core, leg->peer, sync);
        if (leg->state == LEG_SENT && had_time) {
            peer_failed(core, leg->peer);
        }
    }
    if (request->deadline_us <= core->now_us) {
        forward_end(core, request, STATUS_TIMEOUT);
        return;
    }
    request->wake_us = UINT64_MAX;
    request->failure = forward_failure(request, STATUS_TIMEOUT);
    forward_next(core, request);
}

static void forward_release(struct request *request)
{
    message_release(&forward_of(request)->message);
}

const struct request_kind forward_kind = {
    .name = "forward",
    .own_size = sizeof(struct forward_state),
    .on_reply = forward_on_reply,
    .on_due = forward_on_due,
    .on_leg_failed = forward_on_legs_lost,
    .release = forward_release,
};
