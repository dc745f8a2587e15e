/*
 * task.c - what the tasks of background repair share.
 */
#include "node/core/repair/task.h"

#include <assert.h>

#include "node/core/detector.h"
#include "node/core/placement.h"

bool repair_may_ask(const struct core *core, uint16_t peer)
{
    return peer == PEER_SELF || (peer_is_well(core, peer));
}

bool repair_holds(const struct core *core, uint16_t peer, enum merkle_part part,
                  struct slice key)
{
    assert(part == MERKLE_ROW || part == MERKLE_OBJECT);
    if (part == MERKLE_ROW && key_is_root(key)) {
        return false;
    }
    return peer_holds(core, peer, part == MERKLE_ROW ? key_directory(key) : key);
}
