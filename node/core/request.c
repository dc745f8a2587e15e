/*
 * request.c - the bounded table of requests in flight, and what they send.
 *
 * A request's token names its slot, its generation and one of its legs; it is the request_id of
 * messages to replicas and the token of store requests. A late answer carries an old generation
 * and finds nothing.
 */
#include "node/core/request.h"

#include <assert.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/outbox.h"
#include "ring/planted.h"

enum { CLIENT_SHARE = 4 }; /* of the bytes in flight, replicas alone may have a fourth */

enum { TOKEN_LEG_SHIFT = 16, TOKEN_GENERATION_SHIFT = 24 };

uint64_t request_token(const struct request *request, uint8_t leg)
{
    assert(request->kind && request->slot < REQUESTS_MAX);
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
    assert(!child->is_child || child->parent < REQUESTS_MAX);
    if (!child->is_child) {
        return NULL;
    }
    struct request *parent = &core->requests[child->parent];
    if (!parent->kind || parent->generation != child->parent_generation) {
        return NULL;
    }
    return parent;
}

void request_wake_at(struct core *core, struct request *request, uint64_t at_us)
{
    request->wake_us = at_us;
    core_due(core, at_us);
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
    request->wake_us = UINT64_MAX;
    request->is_client = is_client;
    request->previous = NO_SLOT;
    request->next = core->active_head;
    if (core->active_head != NO_SLOT) {
        core->requests[core->active_head].previous = slot;
    }
    core->active_head = slot;
    core->active_count++;
    core->client_count += is_client ? 1 : 0;
    core_due(core, deadline_us);
    return request;
}

void request_go(struct request *request, enum request_state state)
{
    assert(request->kind && state < STATE_COUNT);
    assert(request->kind->comes_from[state] & FROM(request->state));
    request->state = state;
}

void request_set_parent(struct request *request, const struct request *parent)
{
    assert(!request->is_child && parent->kind && request != parent);
    request->is_child = true;
    request->parent = parent->slot;
    request->parent_generation = parent->generation;
}

void request_set_orphan(struct request *request)
{
    assert(!request->is_child && request->generation > 0);
    /* No earlier request of this slot is there any more. */
    request->is_child = true;
    request->parent = request->slot;
    request->parent_generation = request->generation - 1;
}

void request_set_deadline(struct core *core, struct request *request, uint64_t at_us)
{
    request->deadline_us = at_us;
    core_due(core, at_us);
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
    assert(request->kind);
    request->bytes += bytes;
    core->bytes_in_flight += bytes;
}

static void legs_release(struct request *request)
{
    assert(request->leg_count <= LEGS_MAX);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        object_unref(request->leg[i].object);
        list_reply_release(&request->leg[i].list);
    }
}

void request_drop_legs(struct core *core, struct request *request)
{
    assert(core->bytes_in_flight >= request->bytes);
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

struct store_request *request_store(struct core *core, struct request *request, uint8_t leg,
                                    enum store_operation operation)
{
    assert(leg < request->leg_count || leg >= LEG_BEFORE_STORE);
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

void child_finish(struct core *core, struct request *child, struct child_result *result)
{
    assert(child->is_child && !child->replied);
    struct request *parent = request_parent(core, child);
    struct object *object = object_ref(result->object);
    result->object = object;
    request_free(core, child);
    if (parent) {
        parent->kind->on_child(core, parent, result);
    }
    object_unref(object);
}
