/*
 * world_marks.c - what a node was in the middle of when it died: rare states that only the
 * simulator sees.
 */
#include "node/core/hints.h"
#include "node/core/put.h"
#include "node/core/repair/reap.h"
#include "ring/mark.h"
#include "tests/sim/world_internal.h"

static void mark_put(const struct request *request)
{
    const struct put_state *put = put_of(request);
    bool is_sending = request->state == STATE_REPLICATING || request->state == STATE_DRAINING;
    bool has_w = put->object_acks >= put->w;
    mark_if(is_sending && !has_w, MARK_DIED_BEFORE_W);
    mark_if(is_sending && has_w && put->row_acks < put->w_row, MARK_DIED_BETWEEN_W_AND_ROW);
    mark_if(request->state == STATE_HINTING, MARK_DIED_MARKING);
}

void mark_death(const struct core *core)
{
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        if (request->kind == &put_kind) {
            mark_put(request);
        } else if (request->kind == &reap_kind) {
            mark(MARK_DIED_REAPING);
        } else if (request->kind == &hints_kind) {
            mark_if(request->state == STATE_REPLICATING, MARK_DIED_HANDING_OVER);
        }
    }
    mark_if(core->ring && !core->is_complete, MARK_DIED_REFILLING);
    mark_if(core->repair.is_salvaging, MARK_DIED_SALVAGING);
}
