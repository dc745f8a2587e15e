/*
 * detector.c - which peers are passed over, and when they are asked again.
 *
 * Local and driven by traffic (DeCandia et al., section 4.8.3): a peer that leaves a request
 * unanswered for longer than its own latency explains is suspected at once, whatever other
 * nodes think of it. A suspect is not asked for anything that another node can do; it is probed
 * with backoff, and believed again as soon as it answers. Slowness counts as death does, as
 * long as it lasts.
 */
#include "node/core/detector.h"

#include <assert.h>

#include "node/core/outbox.h"
#include "node/core/timers.h"
#include "ring/planted.h"

enum {
    WELL_AFTER_US = 10000000
}; /* one that was well for so long is left alone briefly again */

enum {
    /* Smoothing as in TCP's round-trip estimate: an eighth and a quarter of what is new. */
    LATENCY_SHARE = 8,
    DEVIATION_SHARE = 4,
    DEVIATIONS = 4,
};

bool peer_is_usable(const struct core *core, uint16_t peer)
{
    return peer < core->peer_count && core->peers[peer].is_replica;
}

bool peer_is_suspect(const struct core *core, uint16_t peer)
{
    return peer < core->peer_count && core->peers[peer].is_suspect;
}

bool peer_is_well(const struct core *core, uint16_t peer)
{
    return peer_is_usable(core, peer) && !peer_is_suspect(core, peer);
}

void peer_failed(struct core *core, uint16_t index)
{
    if (index >= core->peer_count || core->peers[index].is_suspect) {
        return;
    }
    struct peer *peer = &core->peers[index];
    bool was_well = core->now_us - peer->well_since_us >= WELL_AFTER_US;
    uint64_t backoff_us = was_well ? 0 : 2 * peer->backoff_us;
    backoff_us = backoff_us < SUSPECT_MIN_US ? SUSPECT_MIN_US : backoff_us;
    peer->backoff_us = backoff_us < SUSPECT_MAX_US ? backoff_us : SUSPECT_MAX_US;
    peer->is_suspect = true;
    peer->pinged_us = 0;
    peer->probe_us = core->now_us + peer->backoff_us;
    core->stats.peers_suspected++;
    core_due(core, peer->probe_us);
}

void peer_answered(struct core *core, uint16_t index, uint64_t latency_us)
{
    assert(index < core->peer_count);
    struct peer *peer = &core->peers[index];
    if (latency_us > 0) {
        uint64_t old_us = peer->latency_us;
        uint64_t difference_us =
            latency_us > old_us ? latency_us - old_us : old_us - latency_us;
        peer->latency_us = (old_us * (LATENCY_SHARE - 1) + latency_us) / LATENCY_SHARE;
        peer->deviation_us =
            (peer->deviation_us * (DEVIATION_SHARE - 1) + difference_us) / DEVIATION_SHARE;
    }
    if (peer->is_suspect) {
        peer->is_suspect = false;
        peer->well_since_us = core->now_us;
        hints_wanted(core, 0);
    }
}

uint64_t peer_patience_us(const struct core *core, uint16_t index, bool sync)
{
    assert(core->peer_count <= PEERS_MAX);
    uint64_t patience_us = PATIENCE_MIN_US;
    if (index < core->peer_count) {
        const struct peer *peer = &core->peers[index];
        uint64_t usual_us = peer->latency_us + DEVIATIONS * peer->deviation_us;
        patience_us = usual_us > patience_us ? usual_us : patience_us;
    }
    patience_us = patience_us < PATIENCE_MAX_US ? patience_us : PATIENCE_MAX_US;
    return patience_us + (sync ? PATIENCE_SYNC_US : 0);
}

/* How many times a number can be halved. */
static unsigned log2_of(uint64_t number)
{
    unsigned log = 0;
    while (number > 1) {
        number >>= 1;
        log++;
    }
    return log;
}

unsigned peer_rank(const struct core *core, uint16_t peer)
{
    enum { RANK_SUSPECT = 100, RANK_AWAY = 101, SAME_LATENCY_LOG = 12 };
    if (peer == PEER_SELF) {
        return 0;
    }
    if (!peer_is_usable(core, peer)) {
        return RANK_AWAY;
    }
    if (peer_is_suspect(core, peer)) {
        return RANK_SUSPECT;
    }
    /* Up to 4 ms all are alike, so that load is spread by the preference list. */
    unsigned log = log2_of(core->peers[peer].latency_us);
    return log <= SAME_LATENCY_LOG ? 1 : 1 + log - SAME_LATENCY_LOG;
}

void detector_note_read(struct core *core)
{
    assert(core->hedges <= HEDGE_BURST * HEDGE_SHARE);
    core->hedges += core->hedges < HEDGE_BURST * HEDGE_SHARE ? 1 : 0;
}

bool detector_take_hedge(struct core *core)
{
    assert(core->hedges <= HEDGE_BURST * HEDGE_SHARE);
    if (core->hedges < HEDGE_SHARE) {
        return false;
    }
    core->hedges -= HEDGE_SHARE;
    core->stats.hedged_reads++;
    return true;
}

void detector_on_tick(struct core *core)
{
    for (uint16_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = &core->peers[i];
        if (!peer->is_suspect || !peer->connected || planted(PLANTED_NEVER_PROBED)) {
            continue;
        }
        /* Many may be due at once, after a network was cut. */
        if (peer->probe_us <= core->now_us && core_has_room(core)) {
            /* Answered or not, the next one comes later: a stopped process reads them all when
             * it goes on. */
            (void)core_send(core, i, MESSAGE_PING);
            peer->pinged_us = core->now_us;
            peer->backoff_us =
                2 * peer->backoff_us < SUSPECT_MAX_US ? 2 * peer->backoff_us : SUSPECT_MAX_US;
            peer->probe_us = core->now_us + peer->backoff_us;
        }
        core_due(core, peer->probe_us);
    }
}
