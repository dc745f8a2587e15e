/*
 * heal.c - a copy whose content does not match its hash is fetched anew: the key is read from
 * the other primaries, and what they hold takes its place.
 */
#include "node/core/heal.h"

#include <assert.h>

#include "node/core/copies.h"
#include "node/core/get.h"
#include "node/core/request.h"

enum { HEALS_MAX = 8 }; /* at a time; what is left is found again by the next read or scrub */

/* True if one more heal may begin, and none of this key goes on. */
static bool may_heal(const struct core *core, struct slice key)
{
    unsigned count = 0;
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        if (request->kind == &get_kind && get_of(request)->heals) {
            count++;
            if (slice_equal(blob_slice(request->key), key)) {
                return false;
            }
        }
    }
    return count < HEALS_MAX;
}

void heal_start(struct core *core, struct blob *key)
{
    assert(key);
    if (core->ring && !source_is_on(core) && may_heal(core, blob_slice(key))) {
        note_key(core, NOTE_CORRUPT, blob_slice(key));
        get_start_heal(core, key);
    }
}
