/*
 * bugs.c - names of planted bugs. In a build without them there is nothing to switch.
 */
#include "tests/sim/bugs.h"

#include <string.h>

#include "ring/planted.h"

/* PLANTED_SINGLY and PLANTED_NONE are none of the simulator's: one is planted by another test's
 * sender. */
static const struct {
    enum planted_bug bug;
    const char *name;
} bugs[] = {
    {PLANTED_NO_DOTS, "no-dots"},
    {PLANTED_BIRTH, "birth"},
    {PLANTED_TRUST, "trust"},
    {PLANTED_NAME_DOTS, "name-dots"},
    {PLANTED_PRUNE_IN_MERGE, "prune-in-merge"},
    {PLANTED_PRUNE_LIVE, "prune-live"},
    {PLANTED_SEND_SINGLY, "send-singly"},
    {PLANTED_ACK_EARLY, "ack-early"},
    {PLANTED_UNSYNCED, "unsynced"},
    {PLANTED_INTENT_EARLY, "intent-early"},
    {PLANTED_NO_INTENT, "no-intent"},
    {PLANTED_LATE_ANSWER, "late-answer"},
    {PLANTED_DIGEST_BLIND, "digest-blind"},
    {PLANTED_COUNTER_REUSE, "counter-reuse"},
    {PLANTED_FALLBACK_TWICE, "fallback-twice"},
    {PLANTED_HINT_EARLY, "hint-early"},
    {PLANTED_NOT_FOUND_INCOMPLETE, "not-found-incomplete"},
    {PLANTED_REAP_EARLY, "reap-early"},
    {PLANTED_TREE_SINGLY, "tree-singly"},
    {PLANTED_ALWAYS_NO_QUORUM, "no-quorum-always"},
    {PLANTED_FALLBACK_UNUSED, "fallback-unused"},
    {PLANTED_FORWARD_LOOPS, "forward-loops"},
    {PLANTED_STALE_RING, "stale-ring"},
    {PLANTED_LIST_DROPS_LAST, "list-drops-last"},
    {PLANTED_LIST_ONE_ANSWER, "list-one-answer"},
    {PLANTED_LIST_INCOMPLETE, "list-incomplete"},
    {PLANTED_HINT_UNSYNCED, "hint-unsynced"},
    {PLANTED_LEASE_UNPERSISTED, "lease-unpersisted"},
    {PLANTED_SALVAGE_TRUSTS, "salvage-trusts"},
    {PLANTED_SYNC_NEWEST_LOG, "sync-newest-log"},
    {PLANTED_SCRUB_NO_ROWS, "scrub-no-rows"},
    {PLANTED_COMPLETE_EARLY, "complete-early"},
    {PLANTED_LEAF_MISSES_DELETE, "leaf-misses-delete"},
    {PLANTED_NO_MARKER, "no-marker"},
    {PLANTED_EMPTY_COUNTS, "empty-counts"},
    {PLANTED_REAP_BESIDE_HINT, "reap-beside-hint"},
    {PLANTED_REAP_PRIMARIES, "reap-primaries"},
    {PLANTED_REAP_ROW_FIRST, "reap-row-first"},
    {PLANTED_REVIVE_ALONE, "revive-alone"},
    {PLANTED_REVIVE_UNASKED, "revive-unasked"},
    {PLANTED_SOME_WITHOUT_READ, "some-without-read"},
    {PLANTED_INTENT_UNSTAMPED, "intent-unstamped"},
    {PLANTED_HINT_UNSTAMPED, "hint-unstamped"},
    {PLANTED_OWN_FOUND, "own-found"},
    {PLANTED_OLD_TRUSTS, "old-trusts"},
    {PLANTED_LIVES_ALIKE, "lives-alike"},
    {PLANTED_ROW_EARLY, "row-early"},
    {PLANTED_NEVER_PROBED, "never-probed"},
    {PLANTED_SOURCE_REVIVES, "source-revives"},
    {PLANTED_HINT_REVIVES, "hint-revives"},
    {PLANTED_PARTIAL_LOOK, "partial-look"},
    {PLANTED_FORGET_SIBLING, "forget-sibling"},
    {PLANTED_HOLD_IGNORED, "hold-ignored"},
    {PLANTED_DELETE_AT_ONCE, "delete-at-once"},
    {PLANTED_AGE_OF_BLOCK, "age-of-block"},
    {PLANTED_NAMED_LATE, "named-late"},
    {PLANTED_BLOCK_EARLY, "block-early"},
    {PLANTED_BLOCK_UNSYNCED, "block-unsynced"},
    {PLANTED_UNTOUCHED, "untouched"},
};

#ifdef DYNAMOFS_PLANTED
static void plant(enum planted_bug bug)
{
    planted_bug = bug;
    bool truncates = bug == PLANTED_PRUNE_IN_MERGE || bug == PLANTED_PRUNE_LIVE;
    planted_pairs_kept = truncates ? 2 : planted_pairs_kept;
}
static const bool can_plant = true;
#else
static void plant(enum planted_bug bug)
{
    (void)bug;
}
static const bool can_plant = false;
#endif

bool bugs_plant(const char *name)
{
    for (unsigned i = 0; can_plant && bugs_name(i); i++) {
        if (strcmp(bugs_name(i), name) == 0) {
            plant(bugs[i].bug);
            return true;
        }
    }
    return false;
}

const char *bugs_name(unsigned index)
{
    return index < sizeof bugs / sizeof bugs[0] ? bugs[index].name : NULL;
}
