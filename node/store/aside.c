/*
 * aside.c - old copies that a salvage gave back are put aside until a complete replica was met.
 *
 * A damaged block may have held the newest state of a key, a deletion. The salvage then gives
 * back an older state, a live one, and where the tombstone was reaped meanwhile nobody would
 * delete it again: it would spread. A deletion that is younger than the grace time cannot have
 * been reaped, since this node did not agree to it. So what is older counts only when a
 * complete replica has it too: it is put aside, under another kind of key, and the node refills
 * as if it had lost it. When the node is complete it is dropped; when it is completed by hand,
 * because no complete replica is left, it is all there is and is merged in again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/store/sweep.h"
#include "node/wire/record.h"
#include "ring/mark.h"

enum {
    BATCH_RECORDS = 256, /* that are moved at a time */
    BATCH_BYTES = 4 << 20,
};

/* Records that were read, to be moved. The visitor must not call the engine. */
struct batch_of_records {
    struct blob *keys[BATCH_RECORDS];
    struct blob *values[BATCH_RECORDS];
    size_t count;
    size_t bytes;
    uint64_t before_us; /* younger ones are left out */
    bool is_full;
    enum status status;
};

bool aside_is_old(const struct object *object, uint64_t before_us)
{
    return object->deleted_us < before_us &&
           clock_greatest_counter(&object->clock, UINT64_MAX) < before_us;
}

bool aside_has_others(const struct store_state *state)
{
    const struct ring *ring = state->ring;

    return ring && ring->member_count > 1 && ring->replica_count > 1;
}

static bool is_older(struct slice value, uint64_t before_us, enum status *ret_status)
{
    struct object *object = NULL;

    if (before_us == UINT64_MAX) {
        return true;
    }
    *ret_status = record_decode(value, &object);
    if (*ret_status != STATUS_OK) {
        return false;
    }
    bool is_older = aside_is_old(object, before_us);
    object_unref(object);
    return is_older;
}

static bool on_record(void *context, struct slice key, struct slice value)
{
    struct batch_of_records *batch = context;

    assert(batch->count <= BATCH_RECORDS && batch->status == STATUS_OK);
    if (batch->count == BATCH_RECORDS || batch->bytes >= BATCH_BYTES) {
        batch->is_full = true;
        return false;
    }
    if (!is_older(value, batch->before_us, &batch->status)) {
        return batch->status == STATUS_OK;
    }
    batch->keys[batch->count] = blob_new(key);
    batch->values[batch->count] = blob_new(value);
    batch->count++;
    batch->bytes += key.size + value.size;
    bool is_short = !batch->keys[batch->count - 1] || !batch->values[batch->count - 1];
    batch->status = is_short ? STATUS_NO_MEMORY : batch->status;
    return batch->status == STATUS_OK;
}

static void batch_reset(struct batch_of_records *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        blob_unref(batch->keys[i]);
        blob_unref(batch->values[i]);
    }
    batch->count = 0;
    batch->bytes = 0;
    batch->is_full = false;
}

/* The same record under another key. */
static enum status move_record(struct engine *engine, struct slice from, struct slice to,
                               struct slice value)
{
    struct engine_write writes[] = {{.key = to, .value = value},
                                    {.key = from, .is_delete = true}};

    return engine->operations->write(engine, writes, 2, false);
}

static enum status put_aside(struct engine *engine, struct slice key, struct slice value)
{
    assert(key.size > 0 && key.data[0] != LAYOUT_ASIDE);

    struct buffer to = {0};

    mark(MARK_ASIDE_PUT);
    buffer_append_byte(&to, LAYOUT_ASIDE);
    buffer_append_slice(&to, key);
    enum status status =
        to.failed ? STATUS_NO_MEMORY : move_record(engine, key, buffer_slice(&to), value);
    buffer_release(&to);
    return status;
}

/* What is there now and what was put aside, merged; it replaces `value`. */
static enum status merge_records(struct slice there, struct slice aside, struct buffer *value)
{
    assert(value && value->size == 0);

    struct object *current = NULL;
    struct object *object = NULL;
    struct object *merged = NULL;
    enum status status = record_decode(aside, &object);

    if (status == STATUS_OK && there.size > 0) {
        status = record_decode(there, &current);
    }
    if (status == STATUS_OK) {
        merged = object_merge(current, object);
        status = !merged ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (status == STATUS_OK) {
        buffer_reset(value);
        record_encode(merged, true, value);
        status = value->failed ? STATUS_NO_MEMORY : STATUS_OK;
    }
    object_unref(current);
    object_unref(object);
    object_unref(merged);
    return status;
}

static enum status bring_back(struct engine *engine, struct slice key, struct slice value)
{
    assert(key.size > 0 && key.data[0] == LAYOUT_ASIDE);

    struct slice to = slice_of(key.data + 1, key.size - 1);
    struct buffer there = {0};
    struct buffer merged = {0};
    enum status status = engine->operations->get(engine, to, &there);

    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        status = merge_records(buffer_slice(&there), value, &merged);
    }
    if (status == STATUS_OK) {
        status = move_record(engine, key, to, buffer_slice(&merged));
    } else if (status == STATUS_BAD_MESSAGE) {
        /* Damaged once more. */
        struct engine_write drop = {.key = key, .is_delete = true};
        status = engine->operations->write(engine, &drop, 1, false);
    }
    buffer_release(&there);
    buffer_release(&merged);
    return status;
}

typedef enum status move_one(struct engine *engine, struct slice key, struct slice value);

/* Moves the records of one kind that are older. */
static enum status move_all(struct engine *engine, char kind, uint64_t before_us,
                            move_one *move)
{
    assert(kind != 0 && move);

    struct batch_of_records *batch = calloc(1, sizeof *batch);
    uint8_t end = (uint8_t)(kind + 1);
    struct buffer start = {0};
    bool more = true;

    if (!batch) {
        return STATUS_NO_MEMORY;
    }
    batch->before_us = before_us;
    buffer_append_byte(&start, (uint8_t)kind);
    while (more && batch->status == STATUS_OK && !start.failed) {
        enum status status = engine->operations->scan(
            engine, buffer_slice(&start), slice_of(&end, 1), true, on_record, batch);
        batch->status = batch->status == STATUS_OK ? status : batch->status;
        for (size_t i = 0; i < batch->count && batch->status == STATUS_OK; i++) {
            batch->status =
                move(engine, blob_slice(batch->keys[i]), blob_slice(batch->values[i]));
        }
        more = batch->is_full;
        if (more) {
            buffer_reset(&start);
            buffer_append_slice(&start, blob_slice(batch->keys[batch->count - 1]));
        }
        batch_reset(batch);
    }
    enum status status = start.failed ? STATUS_NO_MEMORY : batch->status;
    buffer_release(&start);
    free(batch);
    return status;
}

enum status aside_put_old(struct store_state *state, uint64_t before_us)
{
    assert(state->engine);

    if (!aside_has_others(state)) {
        return STATUS_OK;
    }
    enum status status = move_all(state->engine, 'o', before_us, put_aside);
    return status == STATUS_OK ? move_all(state->engine, 'r', before_us, put_aside) : status;
}

static bool is_none_good(void *context, struct slice key, struct slice value)
{
    (void)context;
    (void)key;
    (void)value;
    return false;
}

enum status aside_end(struct store_state *state, bool merges)
{
    assert(state->engine);

    uint64_t dropped = 0;

    if (!merges) {
        enum status status = sweep(state->engine, LAYOUT_ASIDE, is_none_good, NULL, &dropped);
        mark_if(dropped > 0, MARK_ASIDE_DROPPED);
        return status;
    }
    enum status status = move_all(state->engine, LAYOUT_ASIDE, UINT64_MAX, bring_back);
    if (status == STATUS_OK && state->trees) {
        status = tree_store_rebuild(state->trees, state->engine);
    }
    return status;
}
