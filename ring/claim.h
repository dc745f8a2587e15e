/*
 * claim.h - which partitions each member takes.
 *
 * Source:   DeCandia et al., section 6.2, strategy 3.
 * Rule:     with S >= N members every N consecutive partitions, also across the wrap, have N
 *           distinct owners, and every member owns floor(Q/S) or ceil(Q/S) partitions; if the
 * two cannot both hold, distinctness wins and the imbalance is at most N.
 */
#ifndef RING_CLAIM_H
#define RING_CLAIM_H

#include "ring/ring.h"

/* Fills ring->owner from its members, Q and N, deterministically. */
void claim_all(struct ring *ring);

#endif
