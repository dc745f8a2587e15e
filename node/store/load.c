/*
 * load.c - what the database holds under one key, loaded into the batch of a group.
 */
#include "node/store/load.h"

#include <assert.h>

#include "node/store/layout.h"

/* A step of batch.h for one key of the database. */
typedef enum status batch_step(struct batch *batch, struct slice key, size_t *ret_index);

/* Takes the step for the key in the buffer, and releases that. */
static enum status step_with(batch_step *step, struct batch *batch, struct buffer *key,
                             size_t *ret_index)
{
    enum status status =
        key->failed ? STATUS_NO_MEMORY : step(batch, buffer_slice(key), ret_index);

    buffer_release(key);
    return status;
}

static void append_part(struct buffer *buffer, const struct store_state *state,
                        enum merkle_part part, struct slice key)
{
    assert(state->partition_count > 0 && key.size > 0);
    assert(part == MERKLE_OBJECT || (part == MERKLE_ROW && !key_is_root(key)));

    if (part == MERKLE_OBJECT) {
        layout_object(buffer, state->partition_count, key);
    } else {
        layout_row_of(buffer, state->partition_count, key);
    }
}

enum status load_part(const struct store_state *state, struct batch *batch,
                      enum merkle_part part, struct slice key, size_t *ret_index)
{
    struct buffer buffer = {0};

    append_part(&buffer, state, part, key);
    return step_with(batch_load_object, batch, &buffer, ret_index);
}

enum status load_none(const struct store_state *state, struct batch *batch,
                      enum merkle_part part, struct slice key, size_t *ret_index)
{
    struct buffer buffer = {0};

    append_part(&buffer, state, part, key);
    return step_with(batch_assume_none, batch, &buffer, ret_index);
}

enum status load_names(const struct store_state *state, struct batch *batch,
                       struct slice directory, size_t *ret_index)
{
    assert(key_is_directory(directory));
    struct buffer buffer = {0};

    layout_names(&buffer, state->partition_count, directory);
    return step_with(batch_load_stamp, batch, &buffer, ret_index);
}

enum status load_intent(struct batch *batch, enum intent_kind kind, struct slice key,
                        size_t *ret_index)
{
    assert(kind == INTENT_ROW || kind == INTENT_REVIVE);
    struct buffer buffer = {0};

    layout_intent(&buffer, (char)kind, key);
    return step_with(batch_load_stamp, batch, &buffer, ret_index);
}

enum status touch_intent(struct batch *batch, enum intent_kind kind, struct slice key,
                         size_t *ret_index)
{
    assert(kind == INTENT_ROW || (kind == INTENT_REVIVE && key_is_directory(key)));
    struct buffer buffer = {0};

    layout_intent(&buffer, (char)kind, key);
    return step_with(batch_touch, batch, &buffer, ret_index);
}
