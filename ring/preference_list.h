/*
 * preference_list.h - the ordered nodes that hold a key.
 *
 * Source:   DeCandia et al., sections 4.3 and 4.6: the owners clockwise from the key's
 *           partition, the first N distinct nodes first, then every other as fallback.
 * Never:    one node twice.
 */
#ifndef RING_PREFERENCE_LIST_H
#define RING_PREFERENCE_LIST_H

#include "ring/ring.h"

struct preference_list {
    uint16_t count;               /* all members, once each */
    uint16_t primary;             /* the first N' of them hold the key */
    uint16_t member[MEMBERS_MAX]; /* indexes into ring->members */
};

/* The preference list of `partition` (below Q) on a valid ring. Members that own no partition
 * come last, by id. */
void preference_list_build(const struct ring *ring, uint16_t partition,
                           struct preference_list *ret_list);

/* Place of `member` (an index into ring->members) among the primaries, or -1. */
int preference_list_primary_index(const struct preference_list *list, int member);

#endif
