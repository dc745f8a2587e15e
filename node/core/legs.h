/*
 * legs.h - whom a request asks.
 */
#ifndef NODE_CORE_LEGS_H
#define NODE_CORE_LEGS_H

#include "node/core/request.h"

/* Legs for the primaries of `partition` (this node first, then connected ones, suspects last).
 */
void request_add_primaries(struct core *core, struct request *request, uint16_t partition);
/* Legs for fallbacks that may hold hints, in all two for each primary that is away or
 * suspected, and this node if it is no primary. Those that have one already get no second. */
void request_add_fallbacks(struct core *core, struct request *request, uint16_t partition);
/* Suspects the peers that left a leg unanswered for longer than their patience. True if there
 * was one. */
bool request_suspect_slow(struct core *core, struct request *request);
/* Fails the request's unanswered legs to `peer`. True if there was one. */
bool request_fail_legs(struct request *request, uint16_t peer);
/* The reply of a replica: does it go by the ring of another epoch? */
void request_note_ring(const struct core *core, struct request *request,
                       const struct message *message);
/* There are too few answers. True if that is so since a ring is being handed round: all are
 * asked anew in a moment, when the newer one is known, so the request waits (STATE_WAITING, and
 * its wake_us) without legs. */
bool request_waits_for_ring(struct core *core, struct request *request);

#endif
