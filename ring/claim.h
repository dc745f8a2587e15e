/*
 * claim.h - which partitions each member takes.
 *
 * Source:   DeCandia et al., section 6.2, strategy 3.
 * Rule:     every member owns floor(Q/S) or ceil(Q/S) partitions. With S > N members every N
 *           consecutive partitions, also across the wrap, have N distinct owners; so with
 *           S <= N members any S, across the wrap only if S divides Q (else nothing could).
 *           Preference lists skip the repeated owner there.
 */
#ifndef RING_CLAIM_H
#define RING_CLAIM_H

#include "ring/ring.h"

/* Fills ring->owner from its members, Q and N, deterministically. */
void claim_all(struct ring *ring);

#endif
