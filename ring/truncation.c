/*
 * truncation.c - which pairs of a clock are kept.
 *
 * Source:   docs/design.md, rule 5: least recently updated first, never one that a live version
 *           needs; DeCandia et al., section 4.4.
 */
#include "ring/truncation.h"

#include <assert.h>

#include "ring/planted.h"

uint32_t object_pairs_kept(void)
{
#ifdef DYNAMOFS_PLANTED
    return planted_pairs_kept;
#else
    return CLOCK_PAIRS_KEPT;
#endif
}

static bool is_needed(struct actor actor, const struct version *versions,
                      uint32_t version_count)
{
    if (planted(PLANTED_PRUNE_LIVE)) {
        return false;
    }
    for (uint32_t i = 0; i < version_count; i++) {
        if (actor_equal(versions[i].dot.actor, actor)) {
            return true;
        }
    }
    return false;
}

/* The newest pair that is older than `threshold` and that no version needs, or NULL. */
static const struct dot *next_unneeded(const struct clock *clock, struct dot threshold,
                                       const struct version *versions, uint32_t version_count)
{
    const struct dot *next = NULL;
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct dot *pair = &clock->pair[i];
        if (dot_compare(*pair, threshold) < 0 && (!next || dot_compare(*pair, *next) > 0) &&
            !is_needed(pair->actor, versions, version_count)) {
            next = pair;
        }
    }
    return next;
}

uint32_t object_truncate(struct dot *pairs, uint32_t count, const struct object_kept *kept)
{
    assert((pairs || count == 0) && (kept->versions || kept->version_count == 0));
    const struct version *versions = kept->versions;
    uint32_t version_count = kept->version_count;
    uint32_t limit = kept->pair_limit;
    if (count <= limit) {
        return count;
    }
    uint32_t needed = 0;
    for (uint32_t i = 0; i < count; i++) {
        needed += is_needed(pairs[i].actor, versions, version_count);
    }
    /* The oldest pair kept without need, found by going down from the newest. */
    struct dot threshold = {.actor = {UINT64_MAX, UINT64_MAX}, .counter = UINT64_MAX};
    uint32_t room = needed < limit ? limit - needed : 0;
    for (; room > 0; room--) {
        struct clock clock = {.count = count, .pair = pairs};
        const struct dot *next = next_unneeded(&clock, threshold, versions, version_count);
        if (!next) {
            break;
        }
        threshold = *next;
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (dot_compare(pairs[i], threshold) >= 0 ||
            is_needed(pairs[i].actor, versions, version_count)) {
            pairs[left++] = pairs[i];
        }
    }
    return left;
}
