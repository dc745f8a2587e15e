/*
 * reclaim.c - gives the room of what was deleted back to the file system.
 */
#include "node/store/reclaim.h"

#include <assert.h>

#include "node/store/layout.h"

/* Objects are most of it: they go in slices of partitions, so that a step is short. The last
 * two are the rows, and all that comes before the objects (intents, settings). */
enum { OBJECT_STEPS = RECLAIM_STEPS - 2 };

static void fill_range(const struct store_state *state, unsigned step, struct buffer *start,
                       struct buffer *end)
{
    unsigned count = atomic_load(&state->partition_count);

    if (step < OBJECT_STEPS) {
        layout_partition(start, MERKLE_OBJECT, (uint16_t)(count * step / OBJECT_STEPS));
        layout_partition(end, MERKLE_OBJECT, (uint16_t)(count * (step + 1) / OBJECT_STEPS));
    } else if (step == OBJECT_STEPS) {
        buffer_append_byte(start, 'r');
        buffer_append_byte(end, 0xff);
    } else {
        buffer_append_byte(start, 0);
        buffer_append_byte(end, 'o');
    }
}

void store_reclaim(struct store_state *state, unsigned step)
{
    struct engine *engine = state->engine;
    struct buffer start = {0};
    struct buffer end = {0};

    assert(step < RECLAIM_STEPS);
    if (!engine->operations->compact) {
        return;
    }
    fill_range(state, step, &start, &end);
    if (!start.failed && !end.failed) {
        engine->operations->compact(engine, buffer_slice(&start), buffer_slice(&end));
    }
    buffer_release(&start);
    buffer_release(&end);
}
