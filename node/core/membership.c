/*
 * membership.c - greeting peers, forming a cluster, taking up new rings.
 *
 * A node without a ring is *forming*. Told of no other node it founds a cluster alone. Told of
 * others it waits until it has met them all: if one of them has a cluster it asks to join; if
 * all are forming and were told the same set, the one with the least address founds the cluster
 * for all and pushes the ring. Afterwards the ring is on every disk, and no node needs another
 * to start.
 */
#include "node/core/membership.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/epoch.h"
#include "node/core/members.h"
#include "node/core/outbox.h"
#include "node/core/repair/repair.h"
#include "node/core/repair/source.h"
#include "node/core/request.h"
#include "node/core/timers.h"
#include "node/core/vouch.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum {
    JOIN_AGAIN_US = 5000000, /* a member that was asked to let this node in has so long */
    JOIN_RETRY_US = 300000,
    FORMING_RETRY_US = 1000000,
};

struct adopt_state {
    struct ring *ring; /* owned: the ring being saved */
};

static struct adopt_state *adopt_of(const struct request *request)
{
    return request_own(request, sizeof(struct adopt_state));
}

/* Saves a new ring; it is in force once it is on the disk. Takes `ring`. */
static void ring_adopt(struct core *core, struct ring *ring)
{
    assert(ring_is_valid(ring));
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
    store->save_ring.ring = copy;
    store->save_ring.mark_incomplete = members_must_refill(core, ring);
}

void membership_fetch(struct core *core, uint16_t peer)
{
    assert(peer < core->peer_count);
    if (!core->is_adopting && core->peers[peer].connected) {
        (void)core_send(core, peer, MESSAGE_RING);
    }
}

/* Forming ---------------------------------------------------------------------------------- */

static void found_cluster(struct core *core)
{
    assert(!core->ring);
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
        if (address_equal(core->seeds[i], core->address)) {
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
    assert(!core->ring && index < core->peer_count);
    struct peer *peer = &core->peers[index];
    if (peer->join_after_us > core->now_us) {
        core_due(core, peer->join_after_us);
        return;
    }
    if (peer->cluster_id == 0) {
        peer->join_after_us = core->now_us + FORMING_RETRY_US;
        (void)core_send(core, index, MESSAGE_RING);
    } else {
        peer->join_after_us = core->now_us + JOIN_AGAIN_US;
        /* Answered before the other: does it know this address already? */
        (void)core_send(core, index, MESSAGE_RING);
        struct message *message = core_send(core, index, MESSAGE_JOIN);
        message->join.member.id = core->node;
        memcpy(message->join.member.address, core->address, ADDRESS_SIZE);
    }
    core_due(core, peer->join_after_us);
}

static void try_to_form(struct core *core)
{
    if (core->ring || core->is_adopting) {
        return;
    }
    if (all_seeds_met(core) && address_equal(core->seeds[0], core->address)) {
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
    assert(core->started);
    if (core->ring) {
        members_map_peers(core);
    }
    /* Also with a ring: a seed of another cluster refuses the greeting, which the driver tells.
     */
    for (uint16_t i = 0; i < core->seed_count; i++) {
        if (!address_equal(core->seeds[i], core->address)) {
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

static void membership_fill_hello(const struct core *core, struct message *message)
{
    assert(message->type == MESSAGE_HELLO_REPLY);
    struct message_hello *hello = &message->hello;
    hello->protocol = PROTOCOL_VERSION;
    hello->role = ROLE_NODE;
    hello->cluster_id = core->ring ? core->ring->cluster_id : 0;
    hello->node = core->node;
    memcpy(hello->address, core->address, ADDRESS_SIZE);
    hello->forming = !core->ring;
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
    } else if (hello->role == ROLE_NODE && core->ring && hello->cluster_id == cluster_id &&
               ring_marks_clash(event->message->ring_epoch, core->ring_mark)) {
        refusal = "this node has another ring of the same epoch: the cluster is in two halves";
        epoch_note_split(core);
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
        if (!address_equal(hello->seeds[i], core->seeds[i])) {
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
        intents_wanted(core, i == 0 ? INTENT_ROW : INTENT_REVIVE, LOOK_SOON_US);
    }
    hints_wanted(core, LOOK_SOON_US);
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

/* Told by whoever answers at the address of a member that this node itself connected to; while
 * it has no ring, at one of those that it was told to start with. */
static bool is_believed(const struct core *core, uint16_t peer)
{
    assert(peer < core->peer_count);
    return !core->ring || ring_find_address(core->ring, core->peers[peer].address) >= 0;
}

/* A later ring of our own cluster that does not follow from ours is for people to judge. */
static bool is_to_be_refused(struct core *core, const struct ring *ring)
{
    if (!core->ring || ring_follows(core->ring, ring) || planted(PLANTED_STALE_RING)) {
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
           address_equal(ring->members[self].address, core->address);
}

/* A ring came over a connection of this node's own making. */
static void ring_take(struct core *core, uint16_t peer, struct message *message)
{
    if (!message->ring || !ring_is_valid(message->ring) || !is_believed(core, peer)) {
        return;
    }
    if (core->ring && ring_marks_clash(ring_mark(message->ring), core->ring_mark)) {
        epoch_note_split(core);
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
    assert(core->is_adopting && adopt_of(request)->ring);
    assert(leg == LEG_OF_STORE);
    core->is_adopting = false;
    bool is_first = !core->ring;
    if (result->status == STATUS_OK) {
        members_ring_in_force(core, adopt_of(request)->ring);
    }
    request_free(core, request);
    if (is_first && core->ring && core->ring->epoch == 1) {
        members_push_ring(core);
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

void membership_on_push(struct core *core, struct event *event)
{
    ring_was_pushed(core, &event->message->ring_push);
    (void)core_reply(core, event, MESSAGE_RING_PUSH_REPLY, STATUS_OK);
}

/* Replies to messages that no request waits for: JOIN, RING, RING_PUSH, repairs. */
void membership_on_response(struct core *core, struct event *event)
{
    assert(event->peer < core->peer_count);
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
            core_waits(core, why);
        }
        peer->join_after_us = core->now_us + JOIN_RETRY_US + core_random(core) % JOIN_RETRY_US;
        core_due(core, peer->join_after_us);
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
            core_due(core, peer->join_after_us);
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
