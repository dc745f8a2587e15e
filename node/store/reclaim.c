/*
 * reclaim.c - gives the room of what was deleted back to the file system.
 */
#include "node/store/reclaim.h"

#include <assert.h>

#include "node/store/layout.h"

/* Objects are most of it: they go in slices of partitions, so that a step is short. The last
 * two are the rows, and all that comes before the objects (intents, settings). */
enum { OBJECT_STEPS = RECLAIM_STEPS - 2 };

/* What is kept of the deleted is at most a third of what is not. */
enum { DELETED_SHARE = 4 };

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

void store_reclaim_note(struct store_state *state, struct slice key, uint64_t bytes)
{
    uint16_t count = atomic_load(&state->partition_count);

    if (count == 0 || !state->engine->operations->compact) {
        return;
    }
    struct position position = position_of(key_placed_by(key));
    uint16_t partition = position_partition(&position, count);
    uint64_t before = atomic_fetch_add(&state->reclaim.deleted[partition], bytes);
    if (before + bytes >= RECLAIM_BYTES_MIN) {
        atomic_store(&state->reclaim.is_due, true);
    }
}

bool store_reclaim_is_due(const struct store_state *state)
{
    return atomic_load(&state->reclaim.is_due);
}

static void partition_range(uint16_t partition, struct buffer *start, struct buffer *end)
{
    layout_partition(start, MERKLE_OBJECT, partition);
    layout_partition(end, MERKLE_OBJECT, (uint16_t)(partition + 1));
}

/*
 * What is written and deleted before it comes to tables lies in one table together, at the lowest
 * level, which LevelDB rewrites for the sake of something above it alone. So all goes to tables,
 * and then the ends of the range, which nothing is stored under, are deleted: their table
 * overlaps with all between them.
 */
static void compact(struct engine *engine, struct slice start, struct slice end)
{
    const struct engine_write ends[2] = {{.key = start, .is_delete = true},
                                         {.key = end, .is_delete = true}};

    engine->operations->compact(engine, end, end);
    if (engine->operations->write(engine, ends, 2, false) == STATUS_OK) {
        engine->operations->compact(engine, start, end);
    }
}

/* True if it was due. */
static bool reclaim_partition(struct store_state *state, uint16_t partition)
{
    const struct engine_operations *operations = state->engine->operations;
    uint64_t deleted = atomic_load(&state->reclaim.deleted[partition]);
    struct buffer start = {0};
    struct buffer end = {0};

    partition_range(partition, &start, &end);
    bool is_due = !start.failed && !end.failed && deleted >= RECLAIM_BYTES_MIN &&
                  deleted * DELETED_SHARE >=
                      operations->size(state->engine, buffer_slice(&start), buffer_slice(&end));
    if (is_due) {
        atomic_fetch_sub(&state->reclaim.deleted[partition], deleted);
        compact(state->engine, buffer_slice(&start), buffer_slice(&end));
    }
    buffer_release(&start);
    buffer_release(&end);
    return is_due;
}

void store_reclaim_deleted(struct store_state *state)
{
    uint16_t count = atomic_load(&state->partition_count);

    if (!state->engine->operations->compact) {
        return;
    }
    atomic_store(&state->reclaim.is_due, false);
    for (uint16_t i = 0; i < count; i++) {
        if (reclaim_partition(state, i)) {
            atomic_store(&state->reclaim.is_due, true); /* there may be another one */
            return;
        }
    }
}
