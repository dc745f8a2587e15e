/*
 * salvage.c - a database that is damaged: what can be read is kept.
 */
#include "node/core/repair/salvage.h"

#include <assert.h>
#include <stdio.h>

#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/repair/anti_entropy.h"
#include "node/core/repair/reap.h"
#include "node/core/request.h"
#include "ring/mark.h"

enum { SALVAGE_PAUSE_US = 60000000 }; /* a disk that stays bad is not salvaged without end */

/*
 * What can be read of the own database is kept, the rest comes from the other replicas. Where
 * there are none, nothing is dropped: what is damaged stays for people to look at.
 */
void salvage_on_corrupt(struct core *core, bool in_hints)
{
    struct repair *repair = &core->repair;
    bool is_needed = core->ring && ring_replicas(core->ring) > 1 && !repair->is_salvaging &&
                     repair->salvage_after_us <= core->now_us;
    struct request *request =
        is_needed ? request_new(core, &salvage_kind, UINT64_MAX, false) : NULL;
    if (!request) {
        return;
    }
    mark_if(!core->is_complete, MARK_SALVAGE_BESIDE_REFILL);
    mark_if(puts_in_flight(core), MARK_SALVAGE_BESIDE_PUT);
    mark_if(core->stats.hints_kept > 0, MARK_SALVAGE_BESIDE_HINTS);
    repair->is_salvaging = true;
    repair->salvage_after_us = core->now_us + SALVAGE_PAUSE_US;
    repair->salvages_hints = in_hints;
    if (!in_hints) {
        /* From now on, not from the store's answer: what it dropped must not be told as "not
         * there" by an answer that comes before. */
        core->is_complete = false;
        pass_invalidate(core);
    }
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_SALVAGE);
    store->salvage.hints_only = in_hints;
    store->salvage.grace_us = reap_grace_us(core);
}

static void salvage_on_stored(struct core *core, struct request *request, uint8_t leg,
                              struct store_result *result)
{
    assert(core->repair.is_salvaging);
    assert(leg == LEG_OF_STORE);
    core->repair.is_salvaging = false;
    char text[160] = "the database is damaged and could not be salvaged";
    if (result->status == STATUS_OK) {
        struct slice reason = blob_slice(result->text);
        (void)snprintf(text, sizeof text, "%.*s", (int)(reason.size < 150 ? reason.size : 150),
                       reason.size > 0 ? (const char *)reason.data : "");
        core->stats.salvages++;
    }
    core_note(core, result->status == STATUS_OK ? NOTE_SALVAGED : NOTE_CORRUPT, text);
    request_free(core, request);
    if (!core->repair.salvages_hints) {
        pass_invalidate(core);
    }
    /* What the lost hints stood for is found by comparing copies. */
    pass_wake(core);
}

const struct request_kind salvage_kind = {
    .name = "salvage",
    .on_stored = salvage_on_stored,
};
