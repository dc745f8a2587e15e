/*
 * membership.c - greeting peers, forming a cluster, joining one that holds no data.
 *
 * A node without a ring is *forming*. Told of no other node it founds a cluster alone. Told of
 * others it waits until it has met them all: if one of them has a cluster it asks to join; if
 * all are forming and were told the same set, the one with the least address founds the cluster
 * for all and pushes the ring. Afterwards the ring is on every disk, and no node needs another
 * to start.
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
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/internal.h"

static int peer_find(const struct core *core, const char *address)
{
    for (uint16_t i = 0; i < core->peer_count; i++) {
        if (strcmp(core->peers[i].address, address) == 0) {
            return i;
        }
    }
    return -1;
}

static uint16_t peer_add(struct core *core, const char *address)
{
    int found = peer_find(core, address);
    if (found >= 0) {
        return (uint16_t)found;
    }
    if (core->peer_count == PEERS_MAX) {
        return PEER_SELF - 1; /* Never usable: seeds and members together exceed the table. */
    }
    struct peer *peer = &core->peers[core->peer_count];
    memset(peer, 0, sizeof *peer);
    (void)snprintf(peer->address, sizeof peer->address, "%s", address);
    struct action *action = core_act(core, ACTION_CONNECT);
    action->peer = core->peer_count;
    memcpy(action->address, peer->address, ADDRESS_SIZE);
    return core->peer_count++;
}

/* A peer counts as a replica only if our ring knows this very node at this address. */
static void peer_judge(struct core *core, uint16_t index)
{
    struct peer *peer = &core->peers[index];
    int member = core->ring ? ring_find(core->ring, peer->node) : -1;
    /* One that was forming when it greeted may have taken the ring since; if not it says so. */
    peer->is_replica = peer->connected && member >= 0 &&
                       (peer->forming || peer->cluster_id == core->ring->cluster_id) &&
                       strcmp(core->ring->members[member].address, peer->address) == 0;
}

void membership_map_peers(struct core *core)
{
    assert(core->ring);
    core->self = ring_find(core->ring, core->node);
    assert(core->self >= 0);
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        core->member_peer[i] =
            i == core->self ? PEER_SELF : peer_add(core, core->ring->members[i].address);
    }
    for (uint16_t i = 0; i < core->peer_count; i++) {
        peer_judge(core, i);
    }
    core->scans[0].due_us = core->now_us;
    core->scans[1].due_us = core->now_us;
    repair_on_ring(core);
    hints_wanted(core, 0);
    request_due(core, core->now_us);
}

/* Whoever takes up a ring that others made before may lack what they hold for its keys; but for
 * one whose place is new: nobody is added to a cluster that holds data. */
static bool must_refill(const struct core *core, const struct ring *ring)
{
    return core->ring == NULL && ring->epoch > 1 && !core->place_is_new;
}

/* Saves a new ring; it is in force once it is on the disk. Takes `ring`. */
static void ring_adopt(struct core *core, struct ring *ring)
{
    struct request *request = request_new(core, REQUEST_ADOPT, UINT64_MAX, false);
    struct ring *copy = malloc(sizeof *copy);
    if (!request || !copy || core->is_adopting) {
        if (request) {
            request_free(core, request);
        }
        free(copy);
        free(ring);
        return;
    }
    *copy = *ring;
    core->is_adopting = true;
    request->join.ring = ring;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_SAVE_RING);
    store->ring = copy;
    store->mark_incomplete = must_refill(core, ring);
}

static void ring_in_force(struct core *core, const struct ring *ring)
{
    bool is_first = core->ring == NULL;
    bool must_refill_first = must_refill(core, ring);
    if (is_first) {
        core->ring = malloc(sizeof *core->ring);
        if (!core->ring) {
            return; /* It is on the disk; the next start finds it. */
        }
    }
    *core->ring = *ring;
    core->is_complete = core->is_complete && !must_refill_first;
    membership_map_peers(core);
    core->hold_until_us = 0;
    char text[96];
    (void)snprintf(text, sizeof text, "epoch %llu, %u members", (unsigned long long)ring->epoch,
                   (unsigned)ring->member_count);
    enum note changed = ring->epoch == 1 ? NOTE_FORMED : NOTE_JOINED;
    core_note(core, is_first ? changed : NOTE_RING_CHANGED, text);
}

static void push_ring(struct core *core)
{
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        uint16_t peer = core->member_peer[i];
        if (peer >= core->peer_count || !core->peers[peer].connected) {
            continue;
        }
        struct ring *copy = malloc(sizeof *copy);
        if (copy) {
            *copy = *core->ring;
            core_send(core, peer, MESSAGE_RING_PUSH)->ring = copy;
        }
    }
}

void membership_fetch(struct core *core, uint16_t peer)
{
    if (!core->is_adopting && core->peers[peer].connected) {
        (void)core_send(core, peer, MESSAGE_RING);
    }
}

/* Forming ---------------------------------------------------------------------------------- */

static void found_cluster(struct core *core)
{
    struct member members[MEMBERS_MAX];
    uint16_t count = 0;
    members[count].id = core->node;
    memcpy(members[count++].address, core->address, ADDRESS_SIZE);
    for (uint16_t i = 0; i < core->seed_count; i++) {
        int peer = peer_find(core, core->seeds[i]);
        if (peer >= 0) {
            members[count].id = core->peers[peer].node;
            memcpy(members[count++].address, core->seeds[i], ADDRESS_SIZE);
        }
    }
    struct ring *ring = malloc(sizeof *ring);
    if (!ring) {
        return;
    }
    enum status status = ring_create(core_random(core) | 1, core->partition_count,
                                     core->replica_count, members, count, ring);
    if (status != STATUS_OK) {
        free(ring);
        core_note(core, NOTE_JOIN_REFUSED,
                  "the nodes named at the start cannot form a cluster: check --partitions, "
                  "--replicas and that no two nodes share an identity");
        return;
    }
    ring_adopt(core, ring);
}

/* True if every node that we were told of is here, has no ring either, and was told the same
 * set. */
static bool all_seeds_met(const struct core *core)
{
    for (uint16_t i = 0; i < core->seed_count; i++) {
        if (strcmp(core->seeds[i], core->address) == 0) {
            continue;
        }
        int peer = peer_find(core, core->seeds[i]);
        if (peer < 0 || !core->peers[peer].connected || !core->peers[peer].forming ||
            !core->peers[peer].seeds_equal) {
            return false;
        }
    }
    return true;
}

/*
 * One that has a cluster is asked to let this node in. One that had none when it greeted may
 * have founded one since, and its push may have been lost with a connection: it is asked now
 * and then.
 */
static void ask_for_ring(struct core *core, uint16_t index)
{
    struct peer *peer = &core->peers[index];
    if (peer->join_after_us > core->now_us) {
        request_due(core, peer->join_after_us);
        return;
    }
    if (peer->cluster_id == 0) {
        peer->join_after_us = core->now_us + FORMING_RETRY_US;
        (void)core_send(core, index, MESSAGE_RING);
    } else {
        peer->join_after_us = core->now_us + JOIN_DEADLINE_US;
        /* Answered before the other: does it know this address already? */
        (void)core_send(core, index, MESSAGE_RING);
        struct message *message = core_send(core, index, MESSAGE_JOIN);
        message->join.member.id = core->node;
        memcpy(message->join.member.address, core->address, ADDRESS_SIZE);
    }
    request_due(core, peer->join_after_us);
}

static void try_to_form(struct core *core)
{
    if (core->ring || core->is_adopting) {
        return;
    }
    if (all_seeds_met(core) && strcmp(core->seeds[0], core->address) == 0) {
        found_cluster(core);
        return;
    }
    for (uint16_t i = 0; i < core->peer_count; i++) {
        if (core->peers[i].connected) {
            ask_for_ring(core, i);
        }
    }
}

void membership_start(struct core *core)
{
    if (core->ring) {
        membership_map_peers(core);
    }
    /* Also with a ring: a seed of another cluster refuses the greeting, which the driver tells.
     */
    for (uint16_t i = 0; i < core->seed_count; i++) {
        if (strcmp(core->seeds[i], core->address) != 0) {
            (void)peer_add(core, core->seeds[i]);
        }
    }
    try_to_form(core);
}

void membership_on_tick(struct core *core)
{
    try_to_form(core);
}

/* Greeting --------------------------------------------------------------------------------- */

void membership_fill_hello(const struct core *core, struct message *message)
{
    struct message_hello *hello = &message->hello;
    hello->protocol = PROTOCOL_VERSION;
    hello->role = ROLE_NODE;
    hello->cluster_id = core->ring ? core->ring->cluster_id : 0;
    hello->node = core->node;
    memcpy(hello->address, core->address, ADDRESS_SIZE);
    hello->forming = core->ring == NULL;
    if (hello->forming) {
        hello->seeds = calloc(core->seed_count, ADDRESS_SIZE);
        if (hello->seeds) {
            memcpy(hello->seeds, core->seeds, (size_t)core->seed_count * ADDRESS_SIZE);
            hello->seed_count = core->seed_count;
        }
    }
}

void membership_on_hello(struct core *core, struct event *event)
{
    const struct message_hello *hello = &event->message->hello;
    uint64_t cluster_id = core->ring ? core->ring->cluster_id : 0;
    const char *refusal = NULL;
    enum status status = STATUS_REFUSED;
    if (hello->protocol != PROTOCOL_VERSION) {
        status = STATUS_BAD_VERSION;
        refusal = "another protocol version";
    } else if (hello->cluster_id != 0 && cluster_id != 0 && hello->cluster_id != cluster_id) {
        refusal = "this node belongs to another cluster";
    } else if (hello->role == ROLE_NODE && hello->node == core->node) {
        refusal = "this is the same node: a node cannot be its own peer";
    } else if (hello->role == ROLE_NODE && hello->node == 0) {
        refusal = "a node must tell its identity";
    }
    struct message *reply =
        core_reply(core, event, MESSAGE_HELLO_REPLY, refusal ? status : STATUS_OK);
    membership_fill_hello(core, reply);
    if (refusal) {
        message_set_text(reply, refusal);
        core->outbox->actions[core->outbox->count - 1].close = true;
        core_note(core, NOTE_PEER_REFUSED, refusal);
    }
}

static bool seeds_are_equal(const struct core *core, const struct message_hello *hello)
{
    if (hello->seed_count != core->seed_count) {
        return false;
    }
    for (uint16_t i = 0; i < core->seed_count; i++) {
        if (strcmp(hello->seeds[i], core->seeds[i]) != 0) {
            return false;
        }
    }
    return true;
}

void membership_on_peer_up(struct core *core, struct event *event)
{
    if (event->peer >= core->peer_count) {
        return;
    }
    struct peer *peer = &core->peers[event->peer];
    const struct message *message = event->message;
    if (message->type != MESSAGE_HELLO_REPLY || message->status != STATUS_OK) {
        return;
    }
    peer->connected = true;
    peer->is_suspect = false;
    peer->well_since_us = core->now_us;
    peer->join_after_us = 0;
    peer->node = message->hello.node;
    peer->cluster_id = message->hello.cluster_id;
    peer->forming = message->hello.forming;
    peer->seeds_equal = seeds_are_equal(core, &message->hello);
    peer_judge(core, event->peer);
    if (core->ring && ring_find(core->ring, peer->node) < 0 && !peer->forming) {
        core_note(core, NOTE_PEER_REFUSED,
                  "a member's address is answered by a node that is not that member");
    }
    if (core->ring && message->ring_epoch > core->ring->epoch) {
        membership_fetch(core, event->peer);
    }
    for (int i = 0; i < 2; i++) {
        /* What was left for want of replicas may go through now. */
        core->scans[i].backoff_us = 0;
        intents_wanted(core, i == 0 ? INTENT_ROW : INTENT_REVIVE, CLEAR_INTENTS_AFTER_US);
    }
    hints_wanted(core, CLEAR_INTENTS_AFTER_US);
    repair_on_peer_up(core);
    try_to_form(core);
}

void membership_on_peer_down(struct core *core, struct event *event)
{
    if (event->peer < core->peer_count) {
        core->peers[event->peer].connected = false;
        core->peers[event->peer].is_replica = false;
    }
}

/* A new ring from elsewhere ---------------------------------------------------------------- */

/* The founder's ring for a node that is forming, or a later epoch of our own cluster. */
static bool ring_is_acceptable(const struct core *core, const struct ring *ring)
{
    if (!ring || !ring_is_valid(ring) || core->is_adopting) {
        return false;
    }
    int self = ring_find(ring, core->node);
    if (self < 0 || strcmp(ring->members[self].address, core->address) != 0) {
        return false;
    }
    return !core->ring ||
           (ring->cluster_id == core->ring->cluster_id && ring->epoch > core->ring->epoch);
}

/* Another node took this one's place, while this one was away: what it would accept now might
 * never reach the others. */
static bool is_replaced(const struct core *core, const struct ring *ring)
{
    return core->ring && ring && ring_is_valid(ring) &&
           ring->cluster_id == core->ring->cluster_id && ring->epoch > core->ring->epoch &&
           ring_find(ring, core->node) < 0;
}

static void ring_take(struct core *core, struct message *message)
{
    if (is_replaced(core, message->ring)) {
        core->draining = true;
        core_note(core, NOTE_JOIN_REFUSED,
                  "another node has taken this one's place in the cluster; to take part again "
                  "it must start with an empty data directory");
        return;
    }
    if (ring_is_acceptable(core, message->ring)) {
        struct ring *ring = message->ring;
        message->ring = NULL;
        ring_adopt(core, ring);
    }
}

/* Joining: the member that was asked --------------------------------------------------------
 */

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

static void on_join(struct core *core, struct event *event)
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

static void join_on_stored(struct core *core, struct request *request,
                           struct store_result *result)
{
    if (request->state == STATE_SAVING) {
        if (result->status != STATUS_OK) {
            join_end(core, request, result->status, "the new ring could not be saved");
            return;
        }
        ring_in_force(core, request->join.ring);
        push_ring(core);
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

void membership_on_reply(struct core *core, struct request *request, uint8_t leg,
                         struct message *message)
{
    if (message->status == STATUS_REFUSED) {
        join_end(core, request, STATUS_REFUSED, holds_data_text);
        return;
    }
    request->leg[leg].state = message->status == STATUS_OK ? LEG_DONE : LEG_FAILED;
    join_check(core, request);
}

/* Joining: every other member ---------------------------------------------------------------
 */

static void on_prepare(struct core *core, struct event *event)
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

void membership_on_stored(struct core *core, struct request *request,
                          struct store_result *result)
{
    if (request->kind == REQUEST_JOIN) {
        join_on_stored(core, request, result);
    } else if (request->kind == REQUEST_PREPARE) {
        enum status status = result->status;
        if (status == STATUS_OK && result->holds_data) {
            status = STATUS_REFUSED;
        }
        if (status != STATUS_OK) {
            core->hold_until_us = 0;
        }
        (void)request_reply(core, request, MESSAGE_PREPARE_REPLY, status);
        request_free(core, request);
    } else {
        core->is_adopting = false;
        bool is_first = core->ring == NULL;
        if (result->status == STATUS_OK) {
            ring_in_force(core, request->join.ring);
        }
        request_free(core, request);
        if (is_first && core->ring && core->ring->epoch == 1) {
            push_ring(core);
        }
    }
}

void membership_on_request(struct core *core, struct event *event)
{
    struct message *message = event->message;
    enum message_type reply_type = (enum message_type)(message->type + 1);
    if (event->role != ROLE_NODE) {
        (void)core_reply(core, event, reply_type, STATUS_REFUSED);
        return;
    }
    switch ((int)message->type) {
    case MESSAGE_JOIN:
        on_join(core, event);
        return;
    case MESSAGE_PREPARE:
        on_prepare(core, event);
        return;
    default:
        assert(message->type == MESSAGE_RING_PUSH);
        ring_take(core, message);
        (void)core_reply(core, event, reply_type, STATUS_OK);
        return;
    }
}

/* Replies to messages that no request waits for: JOIN, RING, RING_PUSH, repairs. */
void membership_on_response(struct core *core, struct event *event)
{
    struct message *message = event->message;
    struct peer *peer = &core->peers[event->peer];
    switch ((int)message->type) {
    case MESSAGE_JOIN_REPLY:
        if (message->status == STATUS_REFUSED) {
            struct slice text = blob_slice(message->text);
            char line[160];
            (void)snprintf(line, sizeof line, "%.*s", (int)(text.size < 150 ? text.size : 150),
                           (const char *)text.data);
            core_note(core, NOTE_JOIN_REFUSED, line);
            return;
        }
        peer->join_after_us = core->now_us + JOIN_RETRY_US + core_random(core) % JOIN_RETRY_US;
        request_due(core, peer->join_after_us);
        ring_take(core, message);
        return;
    case MESSAGE_RING_REPLY:
        if (!core->ring && message->ring &&
            ring_find_address(message->ring, core->address) < 0) {
            core->place_is_new = true;
        }
        if (!core->ring && message->ring && peer->cluster_id == 0) {
            /* It has a cluster now; if this node is no member of it, it asks to join. */
            peer->cluster_id = message->ring->cluster_id;
            peer->forming = false;
            peer->join_after_us = core->now_us + JOIN_RETRY_US;
            request_due(core, peer->join_after_us);
        }
        ring_take(core, message);
        return;
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_PING_REPLY:
        return;
    default:
        core->stats.late_answers++;
        return;
    }
}
