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

#endif
