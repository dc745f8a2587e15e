/*
 * membership.c - greeting peers, forming a cluster, taking up new rings.
 *
 * A node without a ring is *forming*. Told of no other node it founds a cluster alone. Told of
 * others it waits until it has met them all: if one of them has a cluster it asks to join; if
 * all are forming and were told the same set, the one with the least address founds the cluster
 * for all and pushes the ring. Afterwards the ring is on every disk, and no node needs another
 * to start.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/internal.h"
#include "ring/mark.h"

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
    if (peer->is_replica) {
        vouch_wanted(core);
    }
}

void membership_map_peers(struct core *core)
{
    assert(core->ring);
    core->ring_mark = ring_mark(core->ring);
    core->self = ring_find(core->ring, core->node);
    assert(core->self >= 0 || source_gives(core));
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        const char *address = core->ring->members[i].address;
        bool is_heir = i != core->self && strcmp(address, core->address) == 0;
        /* A source that runs at its old address keeps who has its place away from it. */
        core->member_peer[i] = i == core->self ? PEER_SELF
                               : is_heir       ? PEER_SELF - 1
                                               : peer_add(core, address);
    }
    for (uint16_t i = 0; i < core->peer_count; i++) {
        peer_judge(core, i);
    }
    core->scans[0].due_us = core->now_us;
    core->scans[1].due_us = core->now_us;
    repair_on_ring(core);
    vouch_on_ring(core);
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
    struct request *request = request_new(core, &adopt_kind, UINT64_MAX, false);
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
    adopt_of(request)->ring = ring;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_SAVE_RING);
    store->ring = copy;
    store->mark_incomplete = must_refill(core, ring);
}

void membership_ring_in_force(struct core *core, const struct ring *ring)
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
    mark_if(!is_first && puts_in_flight(core), MARK_PUT_BESIDE_RING);
    core->is_complete = core->is_complete && !must_refill_first;
    membership_map_peers(core);
    core->hold_until_us = 0;
    membership_waits(core, "");
    char text[96];
    (void)snprintf(text, sizeof text, "epoch %llu, %u members", (unsigned long long)ring->epoch,
                   (unsigned)ring->member_count);
    enum note changed = ring->epoch == 1 ? NOTE_FORMED : NOTE_JOINED;
    core_note(core, is_first ? changed : NOTE_RING_CHANGED, text);
}

void membership_push_ring(struct core *core)
{
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        uint16_t peer = core->member_peer[i];
        if (peer < core->peer_count && core->peers[peer].connected) {
            struct message *message = core_send(core, peer, MESSAGE_RING_PUSH);
            message->ring_push.epoch = core->ring->epoch;
            message->ring_push.node = core->node;
        }
    }
}

void membership_waits(struct core *core, const char *text)
{
    if (strcmp(core->waits, text) != 0) {
        (void)snprintf(core->waits, sizeof core->waits, "%s", text);
        /* Members that are asked in turn may give different reasons. */
        if (text[0] != '\0' && core->waits_note_after_us <= core->now_us) {
            core->waits_note_after_us = core->now_us + WAITS_NOTE_US;
            core_note(core, NOTE_JOIN_WAITS, text);
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
        if (core->peers[i].connected && core_has_room(core)) {
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

static void note_split(struct core *core)
{
    core->stats.ring_splits++;
    if (core->split_note_after_us > core->now_us) {
        return;
    }
    core->split_note_after_us = core->now_us + SPLIT_NOTE_US;
    char text[NOTE_TEXT_SIZE];
    (void)snprintf(
        text, sizeof text,
        "another node has a different ring of the same epoch %llu: the cluster is in "
        "two halves, which do not speak to each other until one of them gives way",
        (unsigned long long)core->ring->epoch);
    core_note(core, NOTE_RING_SPLIT, text);
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
    } else if (hello->role == ROLE_NODE && core->ring && hello->cluster_id == cluster_id &&
               ring_marks_clash(event->message->ring_epoch, core->ring_mark)) {
        refusal = "this node has another ring of the same epoch: the cluster is in two halves";
        note_split(core);
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
    bool is_new = core->ring && message->ring_epoch > core->ring->epoch;
    if (is_new || core->source.phase == SOURCE_WAITING) {
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

bool membership_is_other_ring(struct core *core, const struct event *event)
{
    uint64_t mark = event->message->ring_epoch;
    if (mark == core->ring_mark) {
        return false;
    }
    mark(MARK_STALE_RING);
    core->stats.stale_ring++;
    if (ring_marks_clash(mark, core->ring_mark)) {
        note_split(core);
    }
    return true;
}

void membership_close_split(struct core *core, const struct event *event)
{
    struct action *action = &core->outbox->actions[core->outbox->count - 1];
    assert(action->type == ACTION_REPLY);
    action->close = core->ring && ring_marks_clash(event->message->ring_epoch, core->ring_mark);
}

/* Told by whoever answers at the address of a member that this node itself connected to; while
 * it has no ring, at one of those that it was told to start with. */
static bool is_believed(const struct core *core, uint16_t peer)
{
    return !core->ring || ring_find_address(core->ring, core->peers[peer].address) >= 0;
}

/* A later ring of our own cluster that does not follow from ours is for people to judge. */
static bool is_to_be_refused(struct core *core, const struct ring *ring)
{
    if (!core->ring || ring_follows(core->ring, ring)) {
        return false;
    }
    if (ring->epoch > core->ring->epoch && ring->epoch != core->refused_epoch) {
        char text[NOTE_TEXT_SIZE];
        core->refused_epoch = ring->epoch;
        core->stats.rings_refused++;
        (void)snprintf(
            text, sizeof text,
            "a ring of epoch %llu is not taken: it does not follow from the own one of "
            "epoch %llu, which it shares too few members with",
            (unsigned long long)ring->epoch, (unsigned long long)core->ring->epoch);
        core_note(core, NOTE_RING_REFUSED, text);
    }
    return true;
}

/* The founder's ring for a node that is forming, or one that follows from ours. */
static bool ring_is_acceptable(const struct core *core, const struct ring *ring)
{
    int self = ring_find(ring, core->node);
    return !core->is_adopting && self >= 0 &&
           strcmp(ring->members[self].address, core->address) == 0;
}

/* A ring came over a connection of this node's own making. */
static void ring_take(struct core *core, uint16_t peer, struct message *message)
{
    if (!message->ring || !ring_is_valid(message->ring) || !is_believed(core, peer)) {
        return;
    }
    if (core->ring && ring_marks_clash(ring_mark(message->ring), core->ring_mark)) {
        note_split(core);
    }
    if (core->source.phase == SOURCE_WAITING && ring_find(message->ring, core->node) >= 0) {
        core_note(core, NOTE_JOIN_REFUSED,
                  "this node still has its place in the cluster: start it without --source, at "
                  "its own address");
        return;
    }
    if (is_to_be_refused(core, message->ring)) {
        return;
    }
    if (core->ring && ring_find(message->ring, core->node) < 0) {
        /* Another node took this one's place, while this one was away: what it would accept now
         * might never reach the others. What it holds does, as a source's. */
        struct ring *ring = message->ring;
        message->ring = NULL;
        source_take_ring(core, ring);
        return;
    }
    if (!source_is_on(core) && ring_is_acceptable(core, message->ring)) {
        struct ring *ring = message->ring;
        message->ring = NULL;
        ring_adopt(core, ring);
    }
}

/* What others push is not believed: whoever has the ring is asked for it. */
static void ring_was_pushed(struct core *core, const struct message_ring_push *push)
{
    if (core->ring && push->epoch <= core->ring->epoch) {
        return;
    }
    for (uint16_t i = 0; i < core->peer_count; i++) {
        if (core->peers[i].node == push->node && core_has_room(core)) {
            membership_fetch(core, i);
        }
    }
}

/* Messages --------------------------------------------------------------------------------- */

static void adopt_on_stored(struct core *core, struct request *request, uint8_t leg,
                            struct store_result *result)
{
    (void)leg;
    core->is_adopting = false;
    bool is_first = core->ring == NULL;
    if (result->status == STATUS_OK) {
        membership_ring_in_force(core, adopt_of(request)->ring);
    }
    request_free(core, request);
    if (is_first && core->ring && core->ring->epoch == 1) {
        membership_push_ring(core);
    }
}

static void adopt_release(struct request *request)
{
    free(adopt_of(request)->ring);
}

const struct request_kind adopt_kind = {
    .name = "adopt",
    .own_size = sizeof(struct adopt_state),
    .on_stored = adopt_on_stored,
    .release = adopt_release,
};

void membership_on_request(struct core *core, struct event *event)
{
    struct message *message = event->message;
    enum message_type reply_type = (enum message_type)(message->type + 1);
    if (message->type == MESSAGE_REPLACE) {
        replace_on_request(core, event);
        return;
    }
    if (event->role != ROLE_NODE) {
        (void)core_reply(core, event, reply_type, STATUS_REFUSED);
        return;
    }
    switch ((int)message->type) {
    case MESSAGE_JOIN:
        join_on_request(core, event);
        return;
    case MESSAGE_PREPARE:
        prepare_on_request(core, event);
        return;
    default:
        assert(message->type == MESSAGE_RING_PUSH);
        ring_was_pushed(core, &message->ring_push);
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
        if (message->text) {
            struct slice text = blob_slice(message->text);
            char why[NOTE_TEXT_SIZE];
            size_t size = text.size < sizeof why - 1 ? text.size : sizeof why - 1;
            (void)snprintf(why, sizeof why, "%.*s", (int)size, (const char *)text.data);
            membership_waits(core, why);
        }
        peer->join_after_us = core->now_us + JOIN_RETRY_US + core_random(core) % JOIN_RETRY_US;
        request_due(core, peer->join_after_us);
        ring_take(core, event->peer, message);
        return;
    case MESSAGE_RING_REPLY:
        if (message->ring && !ring_is_valid(message->ring)) {
            return;
        }
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
        ring_take(core, event->peer, message);
        return;
    case MESSAGE_VOUCH_REPLY:
        vouch_on_reply(core, event);
        return;
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_PING_REPLY:
        return;
    default:
        mark(MARK_ANSWER_LATE);
        core->stats.late_answers++;
        return;
    }
}
