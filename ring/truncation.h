/*
 * truncation.h - which pairs of a clock are kept.
 */
#ifndef RING_TRUNCATION_H
#define RING_TRUNCATION_H

#include "ring/object.h"

/* What to truncate to: the versions whose pairs stay, and how many pairs at most if these are
 * fewer. */
struct object_kept {
    const struct version *versions;
    uint32_t version_count;
    uint32_t pair_limit;
};

/*
 * Keeps the pairs that the versions need and of the others the most recently updated, as many
 * as make up the limit. Returns the new count; the order stays. For the coordinator of a put
 * (docs/design.md, rule 5), and for merges that would outgrow any bound.
 */
uint32_t object_truncate(struct dot *pairs, uint32_t count, const struct object_kept *kept);
/* The limit of a put's coordinator: CLOCK_PAIRS_KEPT, or what a test has set. */
uint32_t object_pairs_kept(void);

#endif
