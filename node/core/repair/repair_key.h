/*
 * repair_key.h - one object or row of which two replicas hold different states.
 */
#ifndef NODE_CORE_REPAIR_REPAIR_KEY_H
#define NODE_CORE_REPAIR_REPAIR_KEY_H

#include "node/core/request.h"

enum {
    EVERY_PRIMARY = 0xfffe,
    REPAIR_KEYS_MAX = 16, /* entries being repaired at a time, over all pairs */
};

extern const struct request_kind key_repair_kind;

/*
 * Reads the entry from this node and `peer` (EVERY_PRIMARY: from all primaries of an object),
 * merges, and writes to whoever lacks something. The result goes to the parent: OK when all of
 * them have acknowledged the same state, NO_QUORUM when those of the primaries did that could
 * be asked. False if it cannot even begin. Never finishes before it returns.
 */
bool key_start(struct core *core, struct request *parent, const struct tree_entry *entry,
               uint16_t peer);

#endif
