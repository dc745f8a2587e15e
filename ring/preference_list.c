/*
 * preference_list.c - the walk around the ring that finds the nodes of a key.
 */
#include "ring/preference_list.h"

#include <assert.h>
#include <string.h>

void preference_list_build(const struct ring *ring, uint16_t partition,
                           struct preference_list *ret_list)
{
    assert(ring && ret_list);
    assert(partition < ring->partition_count);
    assert(ring->member_count <= MEMBERS_MAX);

    bool seen[MEMBERS_MAX] = {false};
    memset(ret_list, 0, sizeof *ret_list);
    uint16_t at = partition;
    for (uint16_t i = 0; i < ring->partition_count && ret_list->count < ring->member_count;
         i++) {
        uint16_t owner = ring->owner[at];
        if (!seen[owner]) {
            seen[owner] = true;
            ret_list->member[ret_list->count++] = owner;
        }
        at = (uint16_t)(at + 1 == ring->partition_count ? 0 : at + 1);
    }
    for (uint16_t i = 0; i < ring->member_count && ret_list->count < ring->member_count; i++) {
        if (!seen[i]) {
            ret_list->member[ret_list->count++] = i;
        }
    }
    ret_list->primary = ring_replicas(ring);
    assert(ret_list->count == ring->member_count);
}

int preference_list_primary_index(const struct preference_list *list, int member)
{
    assert(list);

    for (int i = 0; i < list->primary; i++) {
        if (list->member[i] == member) {
            return i;
        }
    }
    return -1;
}
