/*
 * legs.c - whom a request asks: the key's primaries, and fallbacks in their place.
 *
 * While a ring is handed round some replicas go by another one than who asks, and refuse; they
 * are asked again with the ring that is known then.
 */
#include "node/core/legs.h"

#include <assert.h>

#include "node/core/detector.h"
#include "node/core/request.h"
#include "ring/preference_list.h"

enum { RING_PAUSE_US = 20000 }; /* a ring is fetched and written meanwhile */

void request_add_primaries(struct core *core, struct request *request, uint16_t partition)
{
    assert(core->ring && request->kind);
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
    assert(core->ring && request->kind);
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    unsigned wanted = 0;
    for (uint16_t i = 0; i < list.primary; i++) {
        uint16_t peer = core->member_peer[list.member[i]];
        bool is_well = peer == PEER_SELF || (peer_is_well(core, peer));
        wanted += is_well ? 0 : 2;
    }
    for (uint8_t i = 0; i < request->leg_count && wanted > 0; i++) {
        wanted -= request->leg[i].is_hint && request->leg[i].peer != PEER_SELF ? 1 : 0;
    }
    for (uint16_t i = list.primary; i < list.count && request->leg_count < LEGS_MAX; i++) {
        uint16_t peer = core->member_peer[list.member[i]];
        bool is_well = peer_is_well(core, peer);
        if (!has_leg(request, peer) && (peer == PEER_SELF || (wanted > 0 && is_well))) {
            wanted -= wanted > 0 && peer != PEER_SELF ? 1 : 0;
            request->leg[request->leg_count++] = (struct leg){.peer = peer, .is_hint = true};
        }
    }
}

bool request_suspect_slow(struct core *core, struct request *request)
{
    assert(request->kind && request->leg_count <= LEGS_MAX);
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
    assert(request->kind && peer != PEER_SELF);
    bool any = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].peer == peer && request->leg[i].state == LEG_SENT) {
            request->leg[i].state = LEG_FAILED;
            any = true;
        }
    }
    return any;
}

void request_note_ring(const struct core *core, struct request *request,
                       const struct message *message)
{
    /* This node may have taken up the newer ring by now. Two rings of one epoch stay two until
     * somebody mends that. */
    bool is_other = message->ring_epoch != core->ring->epoch;
    bool was_other = request->ring_mark != core->ring_mark;
    request->met_other_ring |= message->status == STATUS_STALE_RING && (is_other || was_other);
}

bool request_waits_for_ring(struct core *core, struct request *request)
{
    if (!request->met_other_ring) {
        return false;
    }
    request->met_other_ring = false;
    request_drop_legs(core, request);
    request_go(request, STATE_WAITING);
    request_wake_at(core, request, core->now_us + RING_PAUSE_US);
    return true;
}
