/*
 * join.c - a node asks to be let in: how the members agree on the ring that follows.
 *
 * A node whose disk was lost comes back under a new identity at its old address: its join
 * replaces the lost member. By itself that happens only while nothing can be lost by it: every
 * other member is there, agrees, and has all of its copies, so that a read quorum of complete
 * ones remains for each partition, and none is replaced before the last one has refilled
 * (decision 22). Otherwise it waits for the lost member to come back, or for somebody to
 * command it (REPLACE), who then answers for what is lost. Writes go on; the newcomer refills
 * before its copies count.
 *
 * A join of another node changes the ring only when every member agreed to hold writes still
 * and holds no data:
 *
 *   JOIN ──► PREPARE to every member ──► all hold still, none has data ──► ring epoch + 1 saved
 *        ──► RING_PUSH to every member, JOIN_REPLY to the newcomer
 */
#include "node/core/join.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/core/detector.h"
#include "node/core/epoch.h"
#include "node/core/members.h"
#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/repair/repair.h"
#include "node/core/replica.h"
#include "node/core/request.h"
#include "ring/mark.h"

enum {
    HOLD_US = 5500000, /* writes are held still at most so long while a member joins */
    JOIN_DEADLINE_US = 5000000,
};

struct join_state {
    struct member member;
    node_id replaced;  /* the member whose disk was lost; 0: none */
    bool by_hand;      /* a REPLACE asked for it, not the newcomer */
    struct ring *ring; /* owned: the ring being saved */
};

static struct join_state *join_of(const struct request *request)
{
    return request_own(request, sizeof(struct join_state));
}

static void join_check(struct core *core, struct request *request);

/* The member that was asked ---------------------------------------------------------------- */

/* Writes under way would be missed by the look whether there is data. */
static bool has_writes_in_flight(const struct core *core, const struct request *except)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        bool is_write = request->kind == &put_kind || request->kind == &join_kind ||
                        (request->kind == &replica_kind &&
                         replica_of(request)->type == MESSAGE_REPLICA_PUT_REPLY);
        if (is_write && request != except) {
            return true;
        }
    }
    return false;
}

static void join_end(struct core *core, struct request *request, enum status status,
                     const char *text)
{
    bool by_hand = join_of(request)->by_hand;
    enum message_type type = by_hand ? MESSAGE_REPLACE_REPLY : MESSAGE_JOIN_REPLY;
    struct message *message = request_reply(core, request, type, status);
    if (text) {
        message_set_text(message, text);
    }
    if (status == STATUS_OK && !by_hand) {
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

/* The peer at a member's address, if a connection to it is open; else NULL. */
static const struct peer *member_seen(const struct core *core, int member)
{
    uint16_t peer = core->member_peer[member];
    return peer < core->peer_count && core->peers[peer].connected ? &core->peers[peer] : NULL;
}

/* The place stays whose it is: the newcomer is told why, and what can be done. */
static void join_wait(struct core *core, struct request *request, int member)
{
    assert(member >= 0 && member < core->ring->member_count);
    mark(MARK_JOIN_WAITS);
    const struct member *culprit = &core->ring->members[member];
    const char *is = member == core->self ? "has not got all of its copies"
                     : peer_is_usable(core, core->member_peer[member])
                         ? "has not got all of its copies, or is about to let another in"
                         : "does not answer";
    char text[NOTE_TEXT_SIZE];
    (void)snprintf(text, sizeof text,
                   "the place of member %016llx at %s is given away by itself only while every "
                   "other member is there and complete, but %s %s; start %s with its old data, "
                   "or, if that is lost for good, use `dynamoctl replace %s`",
                   (unsigned long long)join_of(request)->replaced,
                   join_of(request)->member.address, culprit->address, is,
                   join_of(request)->member.address, join_of(request)->member.address);
    join_end(core, request, STATUS_BUSY, text);
}

/* The answer that needs no change of the ring, if there is one. */
static bool join_answer_now(struct core *core, struct event *event)
{
    const struct member *member = &event->message->join.member;
    enum status status = STATUS_OK;
    const char *text = NULL;
    int by_id = core->ring ? ring_find(core->ring, member->id) : -1;
    int by_address = core->ring ? ring_find_address(core->ring, member->address) : -1;
    if (!core->ring || source_is_on(core)) {
        status = STATUS_NOT_READY;
    } else if (by_id >= 0 && by_id == by_address) {
        status = STATUS_OK;
    } else if (by_id >= 0 || by_address == core->self) {
        status = STATUS_REFUSED;
        text = "this node is known under another address, or has that of the node asked";
    } else if (by_address >= 0) {
        /* Its disk was lost. That this very node lives there now is seen with our own eyes. */
        const struct peer *peer = member_seen(core, by_address);
        bool is_seen = peer && peer->node == member->id;
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

/* Asks a member to agree, if it can be asked. */
static void join_ask(struct core *core, struct request *request, uint16_t peer)
{
    assert(request->leg_count < LEGS_MAX);
    uint8_t leg = request->leg_count++;
    request->leg[leg].peer = peer;
    request->leg[leg].state = LEG_FAILED;
    if (peer == PEER_SELF) {
        request->leg[leg].state = LEG_SENT;
        (void)request_store(core, request, leg, STORE_HOLDS_DATA);
    } else if (peer_is_usable(core, peer)) {
        struct message *message = request_send(core, request, leg, MESSAGE_PREPARE);
        message->prepare.epoch = core->ring->epoch;
        message->prepare.proposer = core->node;
        message->prepare.replaced = join_of(request)->replaced;
        message->prepare.by_hand = join_of(request)->by_hand;
    }
}

/* A replacement: is the member one that is not asked? */
static bool is_passed_over(const struct core *core, const struct request *request, int member)
{
    assert(member >= 0 && join_of(request)->replaced != 0);
    uint16_t peer = core->member_peer[member];
    if (core->ring->members[member].id == join_of(request)->replaced || peer == PEER_SELF) {
        return true;
    }
    /* By hand: whoever is away learns of it later. */
    return join_of(request)->by_hand &&
           (!peer_is_usable(core, peer) || peer_is_suspect(core, peer));
}

/* Has every other member asked, or the newcomer wait. */
static void join_begin(struct core *core, struct request *request)
{
    assert(core->ring && request->leg_count == 0);
    bool replaces = join_of(request)->replaced != 0;
    request_go(request, STATE_PREPARING);
    if (replaces && !join_of(request)->by_hand && !core->is_complete) {
        join_wait(core, request, core->self);
        return;
    }
    core->hold_until_us = core->now_us + HOLD_US;
    core->hold_proposer = core->node;
    core->holds_writes = !replaces;
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        if (replaces && is_passed_over(core, request, i)) {
            continue;
        }
        if (request->leg_count == LEGS_MAX) {
            join_end(
                core, request, STATUS_REFUSED,
                "a cluster this large takes new members only once membership changes exist");
            return;
        }
        join_ask(core, request, core->member_peer[i]);
    }
    join_check(core, request);
}

static struct request *join_new(struct core *core, const struct event *event,
                                const struct member *member)
{
    struct request *request =
        request_new(core, &join_kind, core->now_us + JOIN_DEADLINE_US, false);
    if (request) {
        request->handle = event->handle;
        request->reply_id = event->message->request_id;
        join_of(request)->member = *member;
    }
    return request;
}

void join_on_request(struct core *core, struct event *event)
{
    if (join_answer_now(core, event)) {
        return;
    }
    struct request *request = join_new(core, event, &event->message->join.member);
    if (!request) {
        (void)core_reply(core, event, MESSAGE_JOIN_REPLY, STATUS_BUSY);
        return;
    }
    int lost = ring_find_address(core->ring, join_of(request)->member.address);
    join_of(request)->replaced = lost >= 0 ? core->ring->members[lost].id : 0;
    join_begin(core, request);
}

/* Why a member cannot be replaced by hand; NULL: it can. */
static const char *replace_hindrance(const struct core *core, int lost)
{
    assert(lost >= 0 && lost != core->self);
    const struct peer *peer = member_seen(core, lost);
    if (!peer) {
        return "nobody answers at its address: start a node with an empty data directory there";
    }
    if (peer->node == core->ring->members[lost].id) {
        return "the member itself answers at its address: there is nothing to replace";
    }
    if (ring_find(core->ring, peer->node) >= 0 || !peer->forming) {
        return "the node that answers at its address is not an empty one that waits for the "
               "place";
    }
    return NULL;
}

/* The member that is asked itself: it refills, and no complete copy is left to end that. */
static const char *replace_self(struct core *core)
{
    assert(core->ring && core->self >= 0);
    if (core->is_complete) {
        return "the member itself answers, and has all of its copies";
    }
    core->completes_alone = true;
    repair_on_peer_up(core);
    return NULL;
}

void replace_on_request(struct core *core, struct event *event)
{
    node_id id = event->message->replace.member;
    int lost = core->ring && !source_is_on(core) ? ring_find(core->ring, id) : -1;
    const char *hindrance = lost < 0             ? "there is no such member"
                            : lost == core->self ? replace_self(core)
                                                 : replace_hindrance(core, lost);
    enum status status = core->ring ? STATUS_REFUSED : STATUS_NOT_READY;
    struct request *request = NULL;
    if (hindrance || lost == core->self) {
        status = hindrance ? status : STATUS_OK;
    } else if (core->hold_until_us > core->now_us || core->is_adopting) {
        status = STATUS_BUSY;
        hindrance = "the ring is about to change: try again";
    } else {
        struct member member = core->ring->members[lost];
        member.id = member_seen(core, lost)->node;
        request = join_new(core, event, &member);
        status = STATUS_BUSY;
    }
    if (!request) {
        struct message *reply = core_reply(core, event, MESSAGE_REPLACE_REPLY, status);
        if (hindrance) {
            message_set_text(reply, hindrance);
        }
        return;
    }
    join_of(request)->replaced = id;
    join_of(request)->by_hand = true;
    join_begin(core, request);
}

/* The first that did not agree. */
static void join_fail(struct core *core, struct request *request, uint8_t leg)
{
    assert(leg < request->leg_count && request->leg[leg].state == LEG_FAILED);
    uint16_t peer = request->leg[leg].peer;
    int member = ring_find_address(core->ring, peer == PEER_SELF ? core->address
                                                                 : core->peers[peer].address);
    if (join_of(request)->replaced != 0 && !join_of(request)->by_hand && member >= 0) {
        join_wait(core, request, member);
    } else {
        join_end(core, request, STATUS_BUSY, "not every member can be reached now, or agrees");
    }
}

static void join_check(struct core *core, struct request *request)
{
    if (request->state != STATE_PREPARING) {
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_FAILED) {
            join_fail(core, request, i);
            return;
        }
        if (request->leg[i].state == LEG_SENT) {
            return;
        }
    }
    struct ring *ring = malloc(sizeof *ring);
    struct ring *copy = malloc(sizeof *copy);
    enum status status = STATUS_NO_MEMORY;
    if (ring && copy && join_of(request)->replaced != 0) {
        status = ring_replace_member(core->ring, join_of(request)->replaced,
                                     join_of(request)->member.id, ring);
    } else if (ring && copy) {
        status = ring_add_member(core->ring, &join_of(request)->member, ring);
    }
    if (status != STATUS_OK) {
        free(ring);
        free(copy);
        join_end(core, request, STATUS_REFUSED, "the ring cannot take this member");
        return;
    }
    *copy = *ring;
    join_of(request)->ring = ring;
    request_go(request, STATE_SAVING);
    request_store(core, request, LEG_OF_STORE, STORE_SAVE_RING)->save_ring.ring = copy;
}

static void join_on_due(struct core *core, struct request *request)
{
    assert(request->state == STATE_PREPARING || request->state == STATE_SAVING);
    if (request->state == STATE_SAVING) {
        request->deadline_us =
            UINT64_MAX; /* The own disk will answer; the ring may be saved already. */
        return;
    }
    join_end(core, request, STATUS_BUSY, "not every member answered in time");
}

static const char *const holds_data_text =
    "the cluster holds data; joining one that does is not possible yet";

static void join_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    assert(request->state == STATE_PREPARING || request->state == STATE_SAVING);
    (void)leg;
    if (request->state == STATE_SAVING) {
        if (result->status != STATUS_OK) {
            join_end(core, request, result->status, "the new ring could not be saved");
            return;
        }
        mark_if(has_writes_in_flight(core, request), MARK_JOIN_BESIDE_PUT);
        members_ring_in_force(core, join_of(request)->ring);
        members_push_ring(core);
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

static void join_on_reply(struct core *core, struct request *request, uint8_t leg,
                          struct message *message)
{
    assert(leg < request->leg_count && request->leg[leg].state == LEG_SENT);
    if (message->status == STATUS_REFUSED && join_of(request)->replaced == 0) {
        join_end(core, request, STATUS_REFUSED, holds_data_text);
        return;
    }
    request->leg[leg].state = message->status == STATUS_OK ? LEG_DONE : LEG_FAILED;
    join_check(core, request);
}

/* Every other member ------------------------------------------------------------------------
 */

/* Not while the member is seen alive; and only by hand while this node's copies may lack what
 * the lost one held. */
static bool may_be_replaced(const struct core *core, const struct message_prepare *prepare)
{
    assert(core->ring && prepare->replaced != 0);
    int lost = ring_find(core->ring, prepare->replaced);
    bool is_here =
        lost >= 0 && (lost == core->self || peer_is_usable(core, core->member_peer[lost]));
    return !is_here && (prepare->by_hand || core->is_complete);
}

void prepare_on_request(struct core *core, struct event *event)
{
    const struct message_prepare *prepare = &event->message->prepare;
    bool held = core->hold_until_us > core->now_us && core->hold_proposer != prepare->proposer;
    struct request *request = NULL;
    bool is_free = core->ring && !source_is_on(core) && prepare->epoch == core->ring->epoch &&
                   !epoch_is_other(core, event) && !held && !core->is_adopting;
    if (is_free && prepare->replaced != 0 && !may_be_replaced(core, prepare)) {
        (void)core_reply(core, event, MESSAGE_PREPARE_REPLY, STATUS_NOT_READY);
        return;
    }
    if (is_free && prepare->replaced != 0) {
        /* No partition changes hands: writes go on, and the data stays. */
        core->hold_until_us = core->now_us + HOLD_US;
        core->hold_proposer = prepare->proposer;
        core->holds_writes = false;
        (void)core_reply(core, event, MESSAGE_PREPARE_REPLY, STATUS_OK);
        return;
    }
    if (is_free && !has_writes_in_flight(core, NULL)) {
        request = request_new(core, &prepare_kind, UINT64_MAX, false);
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

static void prepare_on_stored(struct core *core, struct request *request, uint8_t leg,
                              struct store_result *result)
{
    assert(leg == LEG_OF_STORE);
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

static void join_release(struct request *request)
{
    free(join_of(request)->ring);
}

const struct request_kind join_kind = {
    .name = "join",
    .own_size = sizeof(struct join_state),
    .outlives_reply = true,
    .comes_from =
        {[STATE_PREPARING] = FROM(STATE_WAITING), [STATE_SAVING] = FROM(STATE_PREPARING)},
    .on_reply = join_on_reply,
    .on_stored = join_on_stored,
    .on_due = join_on_due,
    .on_leg_failed = join_check,
    .release = join_release,
};

const struct request_kind prepare_kind = {
    .name = "prepare",
    .on_stored = prepare_on_stored,
};
