/*
 * join.c - a node asks to be let in: how the members agree on the ring that follows.
 *
 * A node whose disk was lost comes back under a new identity at its old address: its join
 * replaces the lost member, once every other one agreed. It refills before its copies count.
 *
 * A join of another node changes the ring only when every member agreed to hold writes still
 * and holds no data:
 *
 *   JOIN ──► PREPARE to every member ──► all hold still, none has data ──► ring epoch + 1 saved
 *        ──► RING_PUSH to every member, JOIN_REPLY to the newcomer
 */
#include <stdlib.h>

#include "node/core/internal.h"

/* The member that was asked ---------------------------------------------------------------- */

/* Writes under way would be missed by the look whether there is data. */
static bool has_writes_in_flight(const struct core *core, const struct request *except)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        bool is_write = request->kind == REQUEST_PUT || request->kind == REQUEST_JOIN ||
                        (request->kind == REQUEST_REPLICA &&
                         request->replica.type == MESSAGE_REPLICA_PUT_REPLY);
        if (is_write && request != except) {
            return true;
        }
    }
    return false;
}

static void join_end(struct core *core, struct request *request, enum status status,
                     const char *text)
{
    struct message *message = request_reply(core, request, MESSAGE_JOIN_REPLY, status);
    if (text) {
        message_set_text(message, text);
    }
    if (status == STATUS_OK) {
        message->ring = malloc(sizeof *message->ring);
        if (message->ring) {
            *message->ring = *core->ring;
        } else {
            message->status = STATUS_NO_MEMORY;
        }
    }
    core->hold_until_us = 0;
    request_free(core, request);
}

/* The answer that needs no change of the ring, if there is one. */
static bool join_answer_now(struct core *core, struct event *event)
{
    const struct member *member = &event->message->join.member;
    enum status status = STATUS_OK;
    const char *text = NULL;
    int by_id = core->ring ? ring_find(core->ring, member->id) : -1;
    int by_address = core->ring ? ring_find_address(core->ring, member->address) : -1;
    if (!core->ring) {
        status = STATUS_NOT_READY;
    } else if (by_id >= 0 && by_id == by_address) {
        status = STATUS_OK;
    } else if (by_id >= 0 || by_address == core->self) {
        status = STATUS_REFUSED;
        text = "this node is known under another address, or has that of the node asked";
    } else if (by_address >= 0) {
        /* Its disk was lost. That this very node lives there now is seen with our own eyes. */
        const struct peer *peer = &core->peers[core->member_peer[by_address]];
        bool is_seen = peer->connected && peer->node == member->id;
        if (is_seen && core->hold_until_us <= core->now_us && !core->is_adopting) {
            return false;
        }
        status = STATUS_BUSY;
    } else if (core->ring->member_count == MEMBERS_MAX) {
        status = STATUS_REFUSED;
        text = "the cluster has as many members as it can";
    } else if (core->hold_until_us > core->now_us || has_writes_in_flight(core, NULL)) {
        status = STATUS_BUSY;
    } else {
        return false;
    }
    struct message *reply = core_reply(core, event, MESSAGE_JOIN_REPLY, status);
    if (text) {
        message_set_text(reply, text);
    }
    if (status == STATUS_OK) {
        reply->ring = malloc(sizeof *reply->ring);
        if (reply->ring) {
            *reply->ring = *core->ring;
        }
    }
    return true;
}

/* Another identity answers at the member's address. */
static bool is_seen_lost(const struct core *core, uint16_t peer, node_id id)
{
    return peer < core->peer_count && core->peers[peer].connected &&
           core->peers[peer].node != id;
}

void join_on_request(struct core *core, struct event *event)
{
    if (join_answer_now(core, event)) {
        return;
    }
    struct request *request =
        request_new(core, REQUEST_JOIN, core->now_us + JOIN_DEADLINE_US, false);
    if (!request) {
        (void)core_reply(core, event, MESSAGE_JOIN_REPLY, STATUS_BUSY);
        return;
    }
    request->handle = event->handle;
    request->reply_id = event->message->request_id;
    request->state = STATE_PREPARING;
    request->join.member = event->message->join.member;
    int lost = ring_find_address(core->ring, request->join.member.address);
    request->join.replaced = lost >= 0 ? core->ring->members[lost].id : 0;
    core->hold_until_us = core->now_us + HOLD_US;
    core->hold_proposer = core->node;
    core->holds_writes = lost < 0;
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        uint16_t peer = core->member_peer[i];
        bool is_lost = i == lost || is_seen_lost(core, peer, core->ring->members[i].id);
        if (lost >= 0 && (is_lost || peer == PEER_SELF)) {
            continue; /* nor is another that lost its disk; and data may be here */
        }
        if (request->leg_count == LEGS_MAX) {
            join_end(
                core, request, STATUS_REFUSED,
                "a cluster this large takes new members only once membership changes exist");
            return;
        }
        uint8_t leg = request->leg_count++;
        request->leg[leg].peer = peer;
        if (peer == PEER_SELF) {
            request->leg[leg].state = LEG_SENT;
            (void)request_store(core, request, leg, STORE_HOLDS_DATA);
        } else if (peer_is_usable(core, peer)) {
            struct message *message = request_send(core, request, leg, MESSAGE_PREPARE);
            message->prepare.epoch = core->ring->epoch;
            message->prepare.proposer = core->node;
            message->prepare.replaced = request->join.replaced;
        } else {
            request->leg[leg].state = LEG_FAILED;
        }
    }
    join_check(core, request);
}

void join_check(struct core *core, struct request *request)
{
    if (request->state != STATE_PREPARING) {
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_FAILED) {
            join_end(core, request, STATUS_BUSY, "not every member can be reached now");
            return;
        }
        if (request->leg[i].state == LEG_SENT) {
            return;
        }
    }
    struct ring *ring = malloc(sizeof *ring);
    struct ring *copy = malloc(sizeof *copy);
    enum status status = STATUS_NO_MEMORY;
    if (ring && copy && request->join.replaced != 0) {
        status = ring_replace_member(core->ring, request->join.replaced,
                                     request->join.member.id, ring);
    } else if (ring && copy) {
        status = ring_add_member(core->ring, &request->join.member, ring);
    }
    if (status != STATUS_OK) {
        free(ring);
        free(copy);
        join_end(core, request, STATUS_REFUSED, "the ring cannot take this member");
        return;
    }
    *copy = *ring;
    request->join.ring = ring;
    request->state = STATE_SAVING;
    request_store(core, request, LEG_OF_STORE, STORE_SAVE_RING)->ring = copy;
}

void join_on_due(struct core *core, struct request *request)
{
    if (request->state == STATE_SAVING) {
        request->deadline_us =
            UINT64_MAX; /* The own disk will answer; the ring may be saved already. */
        return;
    }
    join_end(core, request, STATUS_BUSY, "not every member answered in time");
}

static const char *const holds_data_text =
    "the cluster holds data; joining one that does is not possible yet";

void join_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    if (request->state == STATE_SAVING) {
        if (result->status != STATUS_OK) {
            join_end(core, request, result->status, "the new ring could not be saved");
            return;
        }
        membership_ring_in_force(core, request->join.ring);
        membership_push_ring(core);
        join_end(core, request, STATUS_OK, NULL);
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].peer == PEER_SELF) {
            request->leg[i].state = LEG_DONE;
        }
    }
    if (result->status != STATUS_OK || result->holds_data) {
        bool holds = result->status == STATUS_OK;
        join_end(core, request, holds ? STATUS_REFUSED : result->status,
                 holds ? holds_data_text : "the disk of the member that was asked failed");
        return;
    }
    join_check(core, request);
}

void join_on_reply(struct core *core, struct request *request, uint8_t leg,
                   struct message *message)
{
    if (message->status == STATUS_REFUSED) {
        join_end(core, request, STATUS_REFUSED, holds_data_text);
        return;
    }
    request->leg[leg].state = message->status == STATUS_OK ? LEG_DONE : LEG_FAILED;
    join_check(core, request);
}

/* Every other member ------------------------------------------------------------------------
 */

void prepare_on_request(struct core *core, struct event *event)
{
    const struct message_prepare *prepare = &event->message->prepare;
    bool held = core->hold_until_us > core->now_us && core->hold_proposer != prepare->proposer;
    struct request *request = NULL;
    bool is_free =
        core->ring && prepare->epoch == core->ring->epoch && !held && !core->is_adopting;
    if (is_free && prepare->replaced != 0) {
        /* No partition changes hands: writes go on, and the data stays. */
        core->hold_until_us = core->now_us + HOLD_US;
        core->hold_proposer = prepare->proposer;
        core->holds_writes = false;
        (void)core_reply(core, event, MESSAGE_PREPARE_REPLY, STATUS_OK);
        return;
    }
    if (is_free && !has_writes_in_flight(core, NULL)) {
        request = request_new(core, REQUEST_PREPARE, UINT64_MAX, false);
    }
    if (!request) {
        (void)core_reply(core, event, MESSAGE_PREPARE_REPLY, STATUS_BUSY);
        return;
    }
    core->hold_until_us = core->now_us + HOLD_US;
    core->hold_proposer = prepare->proposer;
    core->holds_writes = true;
    request->handle = event->handle;
    request->reply_id = event->message->request_id;
    (void)request_store(core, request, LEG_OF_STORE, STORE_HOLDS_DATA);
}

void prepare_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    enum status status = result->status;
    if (status == STATUS_OK && result->holds_data) {
        status = STATUS_REFUSED;
    }
    if (status != STATUS_OK) {
        core->hold_until_us = 0;
    }
    (void)request_reply(core, request, MESSAGE_PREPARE_REPLY, status);
    request_free(core, request);
}
