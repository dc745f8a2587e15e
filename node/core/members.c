/*
 * members.c - the ring in force, and the connections that it asks for.
 */
#include "node/core/members.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/repair/repair.h"
#include "node/core/timers.h"
#include "node/core/vouch.h"
#include "ring/mark.h"

int peer_find(const struct core *core, const char *address)
{
    for (uint16_t i = 0; i < core->peer_count; i++) {
        if (address_equal(core->peers[i].address, address)) {
            return i;
        }
    }
    return -1;
}

uint16_t peer_add(struct core *core, const char *address)
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

void peer_judge(struct core *core, uint16_t index)
{
    assert(index < core->peer_count);
    struct peer *peer = &core->peers[index];
    int member = core->ring ? ring_find(core->ring, peer->node) : -1;
    /* One that was forming when it greeted may have taken the ring since; if not it says so. */
    peer->is_replica = peer->connected && member >= 0 &&
                       (peer->forming || peer->cluster_id == core->ring->cluster_id) &&
                       address_equal(core->ring->members[member].address, peer->address);
    if (peer->is_replica) {
        vouch_wanted(core);
    }
}

void members_map_peers(struct core *core)
{
    assert(core->ring);
    core->ring_mark = ring_mark(core->ring);
    core->self = ring_find(core->ring, core->node);
    assert(core->self >= 0 || source_gives(core));
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        const char *address = core->ring->members[i].address;
        bool is_heir = i != core->self && address_equal(address, core->address);
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
    core_due(core, core->now_us);
}

bool members_must_refill(const struct core *core, const struct ring *ring)
{
    return !core->ring && ring->epoch > 1 && !core->place_is_new;
}

void members_ring_in_force(struct core *core, const struct ring *ring)
{
    assert(ring_is_valid(ring));
    bool is_first = !core->ring;
    bool must_refill_first = members_must_refill(core, ring);
    if (is_first) {
        core->ring = malloc(sizeof *core->ring);
        if (!core->ring) {
            return; /* It is on the disk; the next start finds it. */
        }
    }
    *core->ring = *ring;
    mark_if(!is_first && puts_in_flight(core), MARK_PUT_BESIDE_RING);
    core->is_complete = core->is_complete && !must_refill_first;
    members_map_peers(core);
    core->hold_until_us = 0;
    core_waits(core, "");
    char text[96];
    (void)snprintf(text, sizeof text, "epoch %llu, %u members", (unsigned long long)ring->epoch,
                   (unsigned)ring->member_count);
    enum note changed = ring->epoch == 1 ? NOTE_FORMED : NOTE_JOINED;
    core_note(core, is_first ? changed : NOTE_RING_CHANGED, text);
}

void members_push_ring(struct core *core)
{
    assert(core->ring);
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        uint16_t peer = core->member_peer[i];
        if (peer < core->peer_count && core->peers[peer].connected) {
            struct message *message = core_send(core, peer, MESSAGE_RING_PUSH);
            message->ring_push.epoch = core->ring->epoch;
            message->ring_push.node = core->node;
        }
    }
}
