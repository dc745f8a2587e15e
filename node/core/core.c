/*
 * core.c - one step: an event goes to the request or rule it concerns.
 */
#include "node/core/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/detector.h"
#include "node/core/get.h"
#include "node/core/heal.h"
#include "node/core/hints.h"
#include "node/core/intent_scan.h"
#include "node/core/intents.h"
#include "node/core/join.h"
#include "node/core/legs.h"
#include "node/core/list.h"
#include "node/core/membership.h"
#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/repair/repair.h"
#include "node/core/repair/salvage.h"
#include "node/core/repair/source.h"
#include "node/core/replica.h"
#include "node/core/request.h"
#include "node/core/timers.h"
#include "node/core/vouch.h"
#include "ring/planted.h"

/* The seeds with the own address among them, sorted, each once. */
static bool core_set_seeds(struct core *core, const struct core_config *config)
{
    core->seeds = calloc((size_t)config->seed_count + 1, ADDRESS_SIZE);
    if (!core->seeds) {
        return false;
    }
    memcpy(core->seeds[0], config->address, ADDRESS_SIZE);
    for (uint16_t i = 0; i < config->seed_count; i++) {
        memcpy(core->seeds[i + 1], config->seeds[i], ADDRESS_SIZE);
    }
    uint16_t count = (uint16_t)(config->seed_count + 1);
    qsort(core->seeds, count, ADDRESS_SIZE, address_compare);
    for (uint16_t i = 0; i < count; i++) {
        if (core->seed_count == 0 ||
            !address_equal(core->seeds[core->seed_count - 1], core->seeds[i])) {
            memmove(core->seeds[core->seed_count++], core->seeds[i], ADDRESS_SIZE);
        }
    }
    return true;
}

struct core *core_new(const struct core_config *config)
{
    assert(config->node != 0 && config->address[0] != 0);
    assert(config->seed_count < MEMBERS_MAX);
    struct core *core = calloc(1, sizeof *core);
    if (!core) {
        return NULL;
    }
    core->node = config->node;
    memcpy(core->address, config->address, ADDRESS_SIZE);
    core->partition_count = config->partition_count;
    core->vouch.incarnation = config->incarnation;
    core->replica_count = config->replica_count;
    core->random = config->random_seed | 1;
    core->disk_total = config->disk_total;
    core->disk_free = config->disk_free;
    core->self = -1;
    core->hedges = HEDGE_BURST * HEDGE_SHARE;
    core->is_complete = !config->is_incomplete;
    core->source.phase = config->is_source ? SOURCE_WAITING : SOURCE_NONE;
    core->draining = config->is_source;
    core->repair_config = (struct repair_config){
        .repair_interval_us = config->repair_interval_us,
        .scrub_interval_us = config->scrub_interval_us,
        .confirm_after_us = config->confirm_after_us,
        .grace_us = config->grace_us,
        .foreground_p99_us = config->foreground_p99_us,
    };
    core->bytes_max =
        config->request_bytes_max > 0 ? config->request_bytes_max : REQUEST_BYTES_DEFAULT;
    core->active_head = NO_SLOT;
    core->requests = calloc(REQUESTS_MAX, sizeof *core->requests);
    if (!core->requests || !core_set_seeds(core, config)) {
        core_free(core);
        return NULL;
    }
    core->free_head = NO_SLOT;
    if (config->ring) {
        core->ring = malloc(sizeof *core->ring);
        if (!core->ring) {
            core_free(core);
            return NULL;
        }
        *core->ring = *config->ring;
        core->ring_mark = ring_mark(core->ring);
    }
    return core;
}

void core_free(struct core *core)
{
    if (!core) {
        return;
    }
    while (core->requests && core->active_head != NO_SLOT) {
        request_free(core, &core->requests[core->active_head]);
    }
    for (uint16_t i = 0; i < core->cleared_count; i++) {
        blob_unref(core->cleared[i].key);
    }
    free(core->requests);
    free(core->seeds);
    free(core->source.ring);
    free(core->ring);
    free(core);
}

/* Tells what the node knows of itself; a tool's question, answered without the store. */
static void reply_status(struct core *core, struct event *event)
{
    struct message *message = core_reply(core, event, MESSAGE_STATUS_REPLY, STATUS_OK);
    struct message_status_reply *reply = &message->status_reply;
    reply->node = core->node;
    memcpy(reply->address, core->address, ADDRESS_SIZE);
    reply->ready = core->ring && !source_is_on(core);
    if (core->waits[0] != '\0') {
        message_set_text(message, core->waits);
    }
    reply->disk_total = core->disk_total;
    reply->disk_free = core->disk_free;
    reply->disk_state = core->disk_state;
    uint16_t members = core->ring ? core->ring->member_count : 0;
    reply->peers = calloc((size_t)members + 1, sizeof *reply->peers);
    reply->stats = calloc(STATS_MAX, sizeof *reply->stats);
    if (!reply->peers || !reply->stats) {
        message->status = STATUS_NO_MEMORY;
        return;
    }
    for (uint16_t i = 0; i < members; i++) {
        reply->cluster_id = core->ring->cluster_id;
        reply->epoch = core->ring->epoch;
        if (i != core->self) {
            struct status_peer *peer = &reply->peers[reply->peer_count++];
            peer->id = core->ring->members[i].id;
            memcpy(peer->address, core->ring->members[i].address, ADDRESS_SIZE);
            peer->up = peer_is_well(core, core->member_peer[i]);
        }
    }
    repair_fill_stats(core);
#define CORE_STAT_ADD(field)                                                                   \
    memcpy(reply->stats[reply->stat_count].name, #field, sizeof #field);                       \
    reply->stats[reply->stat_count++].value = core->stats.field;
    CORE_STATS(CORE_STAT_ADD)
#undef CORE_STAT_ADD
    for (uint16_t i = 0; i < core->driver_stat_count && reply->stat_count < STATS_MAX; i++) {
        reply->stats[reply->stat_count++] = core->driver_stats[i];
    }
}

static void reply_ring(struct core *core, struct event *event)
{
    struct ring *ring = core->ring ? malloc(sizeof *ring) : NULL;
    enum status status = ring ? STATUS_OK : STATUS_NOT_READY;
    struct message *message = core_reply(core, event, MESSAGE_RING_REPLY, status);
    if (ring) {
        *ring = *core->ring;
        message->ring = ring;
    } else if (core->waits[0] != '\0') {
        message_set_text(message, core->waits);
    }
}

static void reply_about_itself(struct core *core, struct event *event)
{
    if (event->message->type == MESSAGE_STATUS) {
        reply_status(core, event);
    } else {
        reply_ring(core, event);
    }
}

/* True if the client request may go on; else it was answered. */
static bool may_coordinate(struct core *core, struct event *event, enum message_type reply_type)
{
    assert(event->message->type == MESSAGE_GET || event->message->type == MESSAGE_PUT ||
           event->message->type == MESSAGE_LIST);
    enum status status = STATUS_OK;
    bool is_put = event->message->type == MESSAGE_PUT;
    if (!core->ring) {
        status = STATUS_NOT_READY;
    } else if (core->draining) {
        status = STATUS_CLOSED;
    } else if (is_put && core->holds_writes && core->hold_until_us > core->now_us) {
        status = STATUS_BUSY;
    }
    if (status != STATUS_OK) {
        (void)core_reply(core, event, reply_type, status);
    }
    return status == STATUS_OK;
}

static void step_client_request(struct core *core, struct event *event)
{
    enum message_type type = event->message->type;
    if (!may_coordinate(core, event, (enum message_type)(type + 1))) {
        return;
    }
    if (type == MESSAGE_GET) {
        get_on_request(core, event);
    } else if (type == MESSAGE_PUT) {
        put_on_request(core, event);
    } else {
        list_on_request(core, event);
    }
}

/* What nodes alone may ask of the ring. */
static void step_membership(struct core *core, struct event *event)
{
    enum message_type type = event->message->type;
    if (event->role != ROLE_NODE) {
        (void)core_reply(core, event, (enum message_type)(type + 1), STATUS_REFUSED);
    } else if (type == MESSAGE_JOIN) {
        join_on_request(core, event);
    } else if (type == MESSAGE_PREPARE) {
        prepare_on_request(core, event);
    } else {
        membership_on_push(core, event);
    }
}

static void step_request(struct core *core, struct event *event)
{
    switch (event->message->type) {
    case MESSAGE_HELLO:
        membership_on_hello(core, event);
        return;
    case MESSAGE_GET:
    case MESSAGE_PUT:
    case MESSAGE_LIST:
        step_client_request(core, event);
        return;
    case MESSAGE_STATUS:
    case MESSAGE_RING:
        reply_about_itself(core, event);
        return;
    case MESSAGE_REPLICA_GET:
    case MESSAGE_REPLICA_PUT:
    case MESSAGE_REPLICA_LIST:
    case MESSAGE_HINTS:
        replica_on_request(core, event);
        return;
    case MESSAGE_PING:
        (void)core_reply(core, event, MESSAGE_PING_REPLY, STATUS_OK);
        return;
    case MESSAGE_REPAIR:
    case MESSAGE_TREE:
    case MESSAGE_TREE_KEYS:
    case MESSAGE_REAP:
    case MESSAGE_VOUCH:
        repair_on_request(core, event);
        return;
    case MESSAGE_REPLACE:
        replace_on_request(core, event);
        return;
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_RING_PUSH:
        step_membership(core, event);
        return;
    case MESSAGE_DROP_HINTS:
        hints_on_drop(core, event);
        return;
    case MESSAGE_PROOF: /* the driver's own: it tells of roles that were proved */
    case MESSAGE_HELLO_REPLY:
    case MESSAGE_PROOF_REPLY:
    case MESSAGE_GET_REPLY:
    case MESSAGE_PUT_REPLY:
    case MESSAGE_LIST_REPLY:
    case MESSAGE_STATUS_REPLY:
    case MESSAGE_RING_REPLY:
    case MESSAGE_REPLICA_GET_REPLY:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_REPLICA_LIST_REPLY:
    case MESSAGE_HINTS_REPLY:
    case MESSAGE_REPAIR_REPLY:
    case MESSAGE_PING_REPLY:
    case MESSAGE_TREE_REPLY:
    case MESSAGE_TREE_KEYS_REPLY:
    case MESSAGE_REAP_REPLY:
    case MESSAGE_VOUCH_REPLY:
    case MESSAGE_JOIN_REPLY:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLACE_REPLY:
    case MESSAGE_DROP_HINTS_REPLY:
        /* A reply that came as a request: no rule of ours, so no answer. */
        core->stats.late_answers++;
        return;
    }
}

/* Whoever of the two has the older ring is told of the newer one. */
static void compare_epochs(struct core *core, const struct event *event)
{
    assert(event->peer < core->peer_count);
    const struct message *message = event->message;
    uint64_t own = core->ring ? core->ring->epoch : 0;
    if (own == 0 || message->ring_epoch == own) {
        return;
    }
    if (message->ring_epoch > own || planted(PLANTED_STALE_RING)) {
        membership_fetch(core, event->peer);
    } else if (message->status == STATUS_STALE_RING) {
        struct message *push = core_send(core, event->peer, MESSAGE_RING_PUSH);
        push->ring_push.epoch = own;
        push->ring_push.node = core->node;
    }
}

static void step_response(struct core *core, struct event *event)
{
    struct message *message = event->message;
    if (event->peer >= core->peer_count) {
        return;
    }
    compare_epochs(core, event);
    uint8_t leg = 0;
    struct request *request = request_of_token(core, message->request_id, &leg);
    if (!request) {
        if (message->type == MESSAGE_PING_REPLY) {
            peer_answered(core, event->peer, 0);
        }
        membership_on_response(core, event);
        return;
    }
    if (leg >= request->leg_count || request->leg[leg].peer != event->peer ||
        request->leg[leg].state != LEG_SENT) {
        core->stats.late_answers++;
        return;
    }
    peer_answered(core, event->peer, core->now_us - request->leg[leg].sent_us + 1);
    if (request->kind->on_reply) {
        request->kind->on_reply(core, request, leg, message);
    } else {
        core->stats.late_answers++;
    }
}

/* Tells people which key it is; bytes that would break a line of the log are left out. */
static void note_corrupt(struct core *core, const struct request *request,
                         const struct store_result *result)
{
    assert(result->status == STATUS_CORRUPT);
    core->stats.corrupt++;
    struct slice key = request ? blob_slice(request->key) : slice_of_string("");
    struct slice where = blob_slice(result->text);
    char text[160];
    size_t size = 0;
    for (size_t i = 0; i < key.size && size + 1 < sizeof text / 2; i++) {
        bool is_printable = key.data[i] > ' ' && key.data[i] < 0x7f;
        text[size++] = is_printable ? (char)key.data[i] : '?';
    }
    (void)snprintf(text + size, sizeof text - size, "%s%.*s", where.size > 0 ? " in " : "",
                   (int)where.size, (const char *)where.data);
    core_note(core, NOTE_CORRUPT, text);
}

static void step_stored(struct core *core, struct event *event)
{
    struct store_result *result = event->result;
    if (result->revive) {
        intents_wanted(core, INTENT_REVIVE, 0);
    }
    if (result->is_outdone) {
        vouch_on_outdone(core);
    }
    uint8_t leg = 0;
    struct request *request = request_of_token(core, result->token, &leg);
    if (result->status == STATUS_CORRUPT && result->is_bad_copy && request) {
        core->stats.corrupt++;
        heal_start(core, request->key);
    } else if (result->status == STATUS_CORRUPT && !result->is_bad_copy) {
        note_corrupt(core, request, result);
        salvage_on_corrupt(core, result->is_hint_damage);
    }
    if (!request || result->token == 0) {
        return;
    }
    if (request->kind->on_stored) {
        request->kind->on_stored(core, request, leg, result);
    }
}

/* A request whose wake_us or deadline has come. It may be freed. */
static void request_on_due(struct core *core, struct request *request)
{
    assert(request->deadline_us <= core->now_us || request->wake_us <= core->now_us);
    if (request->kind->on_due) {
        request->kind->on_due(core, request);
    } else {
        /* It waits for the own store alone, which always answers, however long it takes. */
        request->deadline_us = UINT64_MAX;
    }
}

static void step_tick(struct core *core)
{
    if (!core->started) {
        core->started = true;
        membership_start(core);
    }
    core->due_us = UINT64_MAX;
    uint16_t slot = core->active_head;
    while (slot != NO_SLOT) {
        struct request *request = &core->requests[slot];
        /* A handler frees its own request and may free or add others, but never the next one in
         * this list unless it is its child; so the walk starts anew after each. */
        bool due = request->deadline_us <= core->now_us || request->wake_us <= core->now_us;
        if (due && core_has_room(core)) {
            request_on_due(core, request);
            slot = core->active_head;
            continue;
        }
        core_due(core, request->deadline_us);
        core_due(core, request->wake_us);
        slot = request->next;
    }
    if (!core_has_room(core)) {
        return;
    }
    intents_on_tick(core);
    intent_scan_on_tick(core);
    detector_on_tick(core);
    hints_on_tick(core);
    repair_on_tick(core);
    source_on_tick(core);
    membership_on_tick(core);
    vouch_on_tick(core);
}

/* Every request that waits for the peer learns that it will not answer. */
static void step_peer_down(struct core *core, struct event *event)
{
    uint16_t slot = core->active_head;
    while (slot != NO_SLOT) {
        struct request *request = &core->requests[slot];
        slot = request->next;
        if (!core_has_room(core)) {
            /* The outbox is full: what still waits runs into its wake_us or deadline instead. */
            return;
        }
        if (!request_fail_legs(request, event->peer)) {
            continue;
        }
        if (request->kind->on_leg_failed) {
            request->kind->on_leg_failed(core, request);
        }
        /* That may have freed this request and its relatives, and begun others. */
        slot = core->active_head;
    }
}

void core_step(struct core *core, struct event *event, struct outbox *outbox)
{
    assert(!core->in_step && outbox->count == 0);
    assert(event->now_us >= core->now_us);
    core->in_step = true;
    core->outbox = outbox;
    core->now_us = event->now_us;
    core->wall_us = event->wall_us;
    switch (event->type) {
    case EVENT_REQUEST:
        step_request(core, event);
        break;
    case EVENT_RESPONSE:
        step_response(core, event);
        break;
    case EVENT_PEER_UP:
        membership_on_peer_up(core, event);
        break;
    case EVENT_PEER_DOWN:
        membership_on_peer_down(core, event);
        step_peer_down(core, event);
        break;
    case EVENT_STORED:
        step_stored(core, event);
        break;
    case EVENT_TICK:
        step_tick(core);
        break;
    }
    core->outbox = NULL;
    core->in_step = false;
}

uint64_t core_deadline(const struct core *core)
{
    return core->started ? core->due_us : 0;
}

void core_check(const struct core *core)
{
    uint32_t active = 0;
    uint32_t clients = 0;
    size_t bytes = 0;
    uint16_t previous = NO_SLOT;
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        assert(request->kind && request->slot == slot);
        assert(request->previous == previous && request->leg_count <= LEGS_MAX);
        assert(!request->is_child || !request->replied);
        assert(!request->replied || request->kind->outlives_reply);
        assert(request->deadline_us >= core->due_us || !core->started);
        active++;
        clients += request->is_client ? 1 : 0;
        bytes += request->bytes;
        previous = slot;
    }
    assert(active == core->active_count && clients == core->client_count);
    assert(bytes == core->bytes_in_flight);
    assert(clients <= CLIENT_REQUESTS_MAX && core->peer_count <= PEERS_MAX);
    assert(!core->ring || source_is_on(core) ||
           (core->self >= 0 && core->self < core->ring->member_count) || !core->started);
    assert(core->cleared_count <= CLEARED_INTENTS_MAX);
    repair_verify(core);
}

const struct ring *core_ring(const struct core *core)
{
    return core->ring;
}

uint64_t core_ring_mark(const struct core *core)
{
    return core->ring_mark;
}

uint32_t core_requests_in_flight(const struct core *core)
{
    return core->client_count;
}

void core_drain(struct core *core)
{
    core->draining = true;
}

void core_set_disk(struct core *core, uint64_t total, uint64_t free_bytes)
{
    core->disk_total = total;
    core->disk_free = free_bytes;
}

void core_set_disk_state(struct core *core, enum disk_state state)
{
    core->disk_state = state;
}

void core_count(struct core *core, const char *name, uint64_t add)
{
    for (uint16_t i = 0; i < core->driver_stat_count; i++) {
        if (strcmp(core->driver_stats[i].name, name) == 0) {
            core->driver_stats[i].value += add;
            return;
        }
    }
    assert(core->driver_stat_count < DRIVER_STATS_MAX);
    struct statistic *stat = &core->driver_stats[core->driver_stat_count++];
    assert(strlen(name) < sizeof stat->name);
    memcpy(stat->name, name, strlen(name));
    stat->value = add;
}
