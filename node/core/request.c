/*
 * request.c - the bounded table of requests in flight, and what they send.
 *
 * A request's token names its slot, its generation and one of its legs; it is the request_id of
 * messages to replicas and the token of store requests. A late answer carries an old generation
 * and finds nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/internal.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum { TOKEN_LEG_SHIFT = 16, TOKEN_GENERATION_SHIFT = 24 };

uint64_t request_token(const struct request *request, uint8_t leg)
{
    return (uint64_t)request->slot | (uint64_t)leg << TOKEN_LEG_SHIFT |
           (uint64_t)request->generation << TOKEN_GENERATION_SHIFT;
}

struct request *request_of_token(struct core *core, uint64_t token, uint8_t *ret_leg)
{
    uint16_t slot = (uint16_t)token;
    if (slot >= REQUESTS_MAX) {
        return NULL;
    }
    struct request *request = &core->requests[slot];
    if (!request->kind || ((uint64_t)request->generation != token >> TOKEN_GENERATION_SHIFT &&
                           !planted(PLANTED_LATE_ANSWER))) {
        return NULL;
    }
    *ret_leg = (uint8_t)(token >> TOKEN_LEG_SHIFT);
    return request;
}

struct request *request_parent(struct core *core, const struct request *child)
{
    if (!child->is_child) {
        return NULL;
    }
    struct request *parent = &core->requests[child->parent];
    if (!parent->kind || parent->generation != child->parent_generation) {
        return NULL;
    }
    return parent;
}

void request_due(struct core *core, uint64_t at_us)
{
    if (at_us < core->due_us) {
        core->due_us = at_us;
    }
}

void request_set_hedge(struct core *core, struct request *request, uint64_t at_us)
{
    request->hedge_us = at_us;
    request_due(core, at_us);
}

struct request *request_new(struct core *core, const struct request_kind *kind,
                            uint64_t deadline_us, bool is_client)
{
    assert(kind && kind->own_size <= REQUEST_OWN_SIZE);
    if ((core->free_head == NO_SLOT && core->used_slots == REQUESTS_MAX) ||
        (is_client && core->client_count >= CLIENT_REQUESTS_MAX)) {
        core->stats.busy++;
        return NULL;
    }
    uint16_t slot = core->free_head;
    struct request *request = NULL;
    if (slot != NO_SLOT) {
        request = &core->requests[slot];
        core->free_head = request->next;
    } else {
        slot = core->used_slots++;
        request = &core->requests[slot];
    }
    uint32_t generation = request->generation + 1;
    memset(request, 0, sizeof *request);
    request->kind = kind;
    request->own = request->own_space;
    request->generation = generation;
    request->slot = slot;
    request->started_us = core->now_us;
    request->deadline_us = deadline_us;
    request->hedge_us = UINT64_MAX;
    request->is_client = is_client;
    request->previous = NO_SLOT;
    request->next = core->active_head;
    if (core->active_head != NO_SLOT) {
        core->requests[core->active_head].previous = slot;
    }
    core->active_head = slot;
    core->active_count++;
    core->client_count += is_client ? 1 : 0;
    request_due(core, deadline_us);
    return request;
}

bool request_has_room(struct core *core, bool is_client, size_t bytes)
{
    size_t limit = core->bytes_max - (is_client ? core->bytes_max / CLIENT_SHARE : 0);
    bool has_room = core->bytes_in_flight == 0 ||
                    (core->bytes_in_flight < limit && bytes <= limit - core->bytes_in_flight);
    core->stats.busy += has_room ? 0 : 1;
    return has_room;
}

void request_charge(struct core *core, struct request *request, size_t bytes)
{
    request->bytes += bytes;
    core->bytes_in_flight += bytes;
}

static void legs_release(struct request *request)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        object_unref(request->leg[i].object);
        list_reply_release(&request->leg[i].list);
    }
}

void request_drop_legs(struct core *core, struct request *request)
{
    legs_release(request);
    memset(request->leg, 0, sizeof request->leg);
    request->leg_count = 0;
    request->generation++;
    core->bytes_in_flight -= request->bytes; /* contents that came with answers */
    request->bytes = 0;
}

void request_free(struct core *core, struct request *request)
{
    assert(request->kind);
    if (request->kind->release) {
        request->kind->release(request);
    }
    legs_release(request);
    blob_unref(request->key);
    if (request->previous != NO_SLOT) {
        core->requests[request->previous].next = request->next;
    } else {
        core->active_head = request->next;
    }
    if (request->next != NO_SLOT) {
        core->requests[request->next].previous = request->previous;
    }
    core->active_count--;
    core->client_count -= request->is_client ? 1 : 0;
    core->bytes_in_flight -= request->bytes;
    request->kind = NULL;
    request->next = core->free_head;
    core->free_head = request->slot;
}

bool core_has_room(struct core *core)
{
    bool has_room = core->outbox->count + 4 * LEGS_MAX < OUTBOX_ACTIONS_MAX;
    if (!has_room) {
        request_due(core, core->now_us);
    }
    return has_room;
}

struct action *core_act(struct core *core, enum action_type type)
{
    struct outbox *outbox = core->outbox;
    assert(outbox && outbox->count < OUTBOX_ACTIONS_MAX);
    struct action *action = &outbox->actions[outbox->count++];
    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

void core_note(struct core *core, enum note note, const char *text)
{
    struct action *action = core_act(core, ACTION_NOTE);
    action->note = note;
    (void)snprintf(action->text, sizeof action->text, "%s", text);
}

uint64_t core_random(struct core *core)
{
    /* xorshift64*: jitter needs no better, and the simulator needs it to be repeatable. */
    uint64_t x = core->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    core->random = x;
    return x * UINT64_C(2685821657736338717);
}

struct message *core_send(struct core *core, uint16_t peer, enum message_type type)
{
    assert(peer < core->peer_count);
    struct action *action = core_act(core, ACTION_SEND);
    action->peer = peer;
    action->message.type = type;
    action->message.ring_epoch = core->ring_mark;
    return &action->message;
}

struct message *request_send(struct core *core, struct request *request, uint8_t leg,
                             enum message_type type)
{
    assert(leg < request->leg_count && request->leg[leg].peer != PEER_SELF);
    struct message *message = core_send(core, request->leg[leg].peer, type);
    message->request_id = request_token(request, leg);
    request->leg[leg].state = LEG_SENT;
    request->leg[leg].sent_us = core->now_us;
    return message;
}

struct store_request *core_store(struct core *core, enum store_operation operation)
{
    struct action *action = core_act(core, ACTION_STORE);
    action->request.operation = operation;
    action->request.wall_us = core->wall_us;
    return &action->request;
}

struct store_request *request_store(struct core *core, struct request *request, uint8_t leg,
                                    enum store_operation operation)
{
    struct store_request *store = core_store(core, operation);
    store->token = request_token(request, leg);
    return store;
}

struct message *request_reply(struct core *core, struct request *request,
                              enum message_type type, enum status status)
{
    assert(!request->replied && !request->is_child);
    request->replied = true;
    if (request->is_client) {
        background_note(core, core->now_us - request->started_us);
    }
    struct action *action = core_act(core, ACTION_REPLY);
    action->handle = request->handle;
    action->message.type = type;
    action->message.status = status;
    action->message.request_id = request->reply_id;
    action->message.ring_epoch = core->ring ? core->ring->epoch : 0;
    return &action->message;
}

struct message *core_reply(struct core *core, const struct event *event, enum message_type type,
                           enum status status)
{
    struct action *action = core_act(core, ACTION_REPLY);
    action->handle = event->handle;
    action->message.type = type;
    action->message.status = status;
    action->message.request_id = event->message->request_id;
    action->message.ring_epoch = core->ring ? core->ring->epoch : 0;
    return &action->message;
}

void message_set_text(struct message *message, const char *text)
{
    blob_unref(message->text);
    message->text = blob_new(slice_of_string(text));
}

bool peer_is_usable(const struct core *core, uint16_t peer)
{
    return peer < core->peer_count && core->peers[peer].is_replica;
}

bool core_is_primary(const struct core *core, uint16_t partition)
{
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    return preference_list_primary_index(&list, core->self) >= 0;
}

bool peer_holds(const struct core *core, uint16_t peer, struct slice key)
{
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, key), &list);
    for (uint16_t i = 0; i < list.primary; i++) {
        if (core->member_peer[list.member[i]] == peer) {
            return true;
        }
    }
    return false;
}

void core_fill_owners(const struct core *core, struct slice key, struct store_request *store)
{
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, key), &list);
    store->owner_count = 0;
    for (uint16_t i = 0; i < list.primary; i++) {
        store->owners[store->owner_count++] = core->ring->members[list.member[i]].id;
    }
}

void request_add_primaries(struct core *core, struct request *request, uint16_t partition)
{
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    uint8_t first = request->leg_count;
    for (uint16_t i = 0; i < list.primary; i++) {
        assert(request->leg_count < LEGS_MAX);
        uint16_t peer = core->member_peer[list.member[i]];
        /* Sorted by insertion: behind those of the same rank, which keep the list's order. */
        uint8_t place = request->leg_count++;
        while (place > first &&
               peer_rank(core, request->leg[place - 1].peer) > peer_rank(core, peer)) {
            request->leg[place] = request->leg[place - 1];
            place--;
        }
        request->leg[place] =
            (struct leg){.peer = peer, .owner = core->ring->members[list.member[i]].id};
    }
}

static bool has_leg(const struct request *request, uint16_t peer)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].peer == peer) {
            return true;
        }
    }
    return false;
}

void request_add_fallbacks(struct core *core, struct request *request, uint16_t partition)
{
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    unsigned wanted = 0;
    for (uint16_t i = 0; i < list.primary; i++) {
        uint16_t peer = core->member_peer[list.member[i]];
        bool is_well =
            peer == PEER_SELF || (peer_is_usable(core, peer) && !peer_is_suspect(core, peer));
        wanted += is_well ? 0 : 2;
    }
    for (uint8_t i = 0; i < request->leg_count && wanted > 0; i++) {
        wanted -= request->leg[i].is_hint && request->leg[i].peer != PEER_SELF ? 1 : 0;
    }
    for (uint16_t i = list.primary; i < list.count && request->leg_count < LEGS_MAX; i++) {
        uint16_t peer = core->member_peer[list.member[i]];
        bool is_well = peer_is_usable(core, peer) && !peer_is_suspect(core, peer);
        if (!has_leg(request, peer) && (peer == PEER_SELF || (wanted > 0 && is_well))) {
            wanted -= wanted > 0 && peer != PEER_SELF ? 1 : 0;
            request->leg[request->leg_count++] = (struct leg){.peer = peer, .is_hint = true};
        }
    }
}

bool request_suspect_slow(struct core *core, struct request *request)
{
    bool any = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state == LEG_SENT && leg->peer != PEER_SELF &&
            core->now_us - leg->sent_us >= peer_patience_us(core, leg->peer, false)) {
            peer_failed(core, leg->peer);
            any = true;
        }
    }
    return any;
}

bool request_fail_legs(struct request *request, uint16_t peer)
{
    bool any = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].peer == peer && request->leg[i].state == LEG_SENT) {
            request->leg[i].state = LEG_FAILED;
            any = true;
        }
    }
    return any;
}

uint8_t core_quorum(const struct core *core, uint8_t wanted)
{
    uint8_t replicas = (uint8_t)ring_replicas(core->ring);
    /* A majority, so that reads and writes that ask for nothing else overlap whatever N is. */
    uint8_t quorum = wanted == 0 ? (uint8_t)(replicas / 2 + 1) : wanted;
    return quorum < replicas ? quorum : replicas;
}

uint64_t core_deadline_of(const struct core *core, uint32_t deadline_ms)
{
    uint64_t ms = deadline_ms == 0 ? 10000 : deadline_ms;
    if (ms > DEADLINE_MAX_MS) {
        ms = DEADLINE_MAX_MS;
    }
    return core->now_us + ms * 1000;
}

void child_finish(struct core *core, struct request *child, struct child_result *result)
{
    struct request *parent = request_parent(core, child);
    struct object *object = object_ref(result->object);
    result->object = object;
    request_free(core, child);
    if (parent) {
        parent->kind->on_child(core, parent, result);
    }
    object_unref(object);
}
