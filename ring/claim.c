/*
 * claim.c - which partitions each member takes: rounds with skipped turns.
 *
 * Members take turns in the order of their ids, ceil(Q/S) rounds of them. As Q is seldom a
 * multiple of S, some turns are skipped, each member's at most once, so that every member owns
 * floor(Q/S) or ceil(Q/S) partitions. A skipped turn brings the neighbours of it one closer
 * together; with S members in a round there is room for S - N skips between two turns of one
 * member. So the skips are spread over the rounds, which keeps N consecutive owners distinct
 * across the wrap too, where a plain remainder at the end would not.
 */
#include "ring/claim.h"

#include <assert.h>
#include <string.h>

/* S <= N and S does not divide Q: no arrangement is distinct across the wrap, and this one is
 * distinct everywhere else. */
static void claim_in_turn(struct ring *ring)
{
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        ring->owner[i] = (uint16_t)(i % ring->member_count);
    }
}

/* One round of turns, from `partition` on, without the members whose place from the end is
 * `skip_first` to below `skip_end`. Returns the partition that comes next. */
static uint16_t claim_round(struct ring *ring, uint16_t partition, uint16_t skip_first,
                            uint16_t skip_end)
{
    for (uint16_t member = 0; member < ring->member_count; member++) {
        uint16_t from_end = (uint16_t)(ring->member_count - 1 - member);
        if (from_end < skip_first || from_end >= skip_end) {
            ring->owner[partition++] = member;
        }
    }
    return partition;
}

void claim_all(struct ring *ring)
{
    assert(ring);
    assert(ring->member_count > 0 && ring->member_count <= MEMBERS_MAX);
    assert(ring->partition_count > 0 && ring->partition_count <= PARTITIONS_MAX);

    memset(ring->owner, 0, sizeof ring->owner);
    uint16_t members = ring->member_count;
    uint16_t rounds = (uint16_t)((ring->partition_count + members - 1) / members);
    uint16_t skips = (uint16_t)(rounds * members - ring->partition_count);
    if (members <= ring->replica_count || skips == 0 || rounds == 1) {
        claim_in_turn(ring);
        return;
    }
    /* The k-th skip falls into round k * rounds / skips and hits the k-th member from the end:
     * descending, so that the skips of neighbouring rounds lie almost a whole round apart. */
    uint16_t partition = 0;
    uint16_t skip = 0;
    for (uint16_t round = 0; round < rounds; round++) {
        uint16_t first = skip;
        while (skip < skips && skip * rounds / skips == round) {
            skip++;
        }
        partition = claim_round(ring, partition, first, skip);
    }
    assert(partition == ring->partition_count);
}
