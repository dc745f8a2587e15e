/*
 * placement.c - who holds what, by the ring in force (DeCandia et al., sections 4.2 and 4.3).
 */
#include "node/core/placement.h"

#include <assert.h>

#include "ring/preference_list.h"

bool core_is_primary(const struct core *core, uint16_t partition)
{
    assert(core->ring && partition < core->ring->partition_count);
    struct preference_list list;
    preference_list_build(core->ring, partition, &list);
    return preference_list_primary_index(&list, core->self) >= 0;
}

bool peer_holds(const struct core *core, uint16_t peer, struct slice key)
{
    assert(core->ring);
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, key), &list);
    for (uint16_t i = 0; i < list.primary; i++) {
        if (core->member_peer[list.member[i]] == peer) {
            return true;
        }
    }
    return false;
}

void core_fill_owners(const struct core *core, struct slice key, struct owner_list *owners)
{
    assert(core->ring && owners);
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, key), &list);
    owners->count = 0;
    for (uint16_t i = 0; i < list.primary; i++) {
        owners->id[owners->count++] = core->ring->members[list.member[i]].id;
    }
}

uint8_t core_quorum(const struct core *core, uint8_t wanted)
{
    assert(core->ring);
    uint8_t replicas = (uint8_t)ring_replicas(core->ring);
    /* A majority, so that reads and writes that ask for nothing else overlap whatever N is. */
    uint8_t quorum = wanted == 0 ? (uint8_t)(replicas / 2 + 1) : wanted;
    return quorum < replicas ? quorum : replicas;
}
