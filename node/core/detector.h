/*
 * detector.h - which peers can be asked, which are passed over, and how long an answer is
 * waited for.
 */
#ifndef NODE_CORE_DETECTOR_H
#define NODE_CORE_DETECTOR_H

#include "node/core/state.h"

enum {
    /* A leg is given up, or a put's replaced by a fallback, after its peer's usual latency and
       four deviations, within these. */
    PATIENCE_MIN_US = 100000,
    PATIENCE_MAX_US = 1000000,
    PATIENCE_SYNC_US = 300000, /* more for a write that waits for the disk */
    SUSPECT_MIN_US = 500000,   /* a suspected peer is asked again after this, then ... */
    SUSPECT_MAX_US = 5000000,  /* ... twice as long each time */
    HEDGE_SHARE = 10,          /* one read in ten may be hedged ... */
    HEDGE_BURST = 64,          /* ... and so many at once */
};

/* True if the peer is connected, and the member that our ring has at its address. */
bool peer_is_usable(const struct core *core, uint16_t peer);
/* True while a peer that missed a deadline has not answered again: it is passed over. */
bool peer_is_suspect(const struct core *core, uint16_t peer);
/* True if it is usable and no suspect. */
bool peer_is_well(const struct core *core, uint16_t peer);
/* The peer did not answer in time. */
void peer_failed(struct core *core, uint16_t peer);
/* The peer answered; after `latency_us`, or 0 if that is not known. */
void peer_answered(struct core *core, uint16_t peer, uint64_t latency_us);
/* How long an answer of the peer is waited for before someone else is asked as well. */
uint64_t peer_patience_us(const struct core *core, uint16_t peer, bool sync);
/* In which order peers are asked: less is sooner. 0 is this node. */
unsigned peer_rank(const struct core *core, uint16_t peer);
/* One more read may be sent than R asks for. */
bool detector_take_hedge(struct core *core);
void detector_note_read(struct core *core);
void detector_on_tick(struct core *core);

#endif
