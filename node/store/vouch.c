/*
 * vouch.c - what this node remembers of the other members' starts.
 *
 * A member counts its starts, and asks all others to take the number down before it extends
 * pairs that it opened in an earlier one. So a data directory that was put back from a backup
 * comes with a number that somebody has seen before (decision 21).
 *
 * The value: INCARNATION NONCE BEFORE, numbers of eight bytes, big-endian. BEFORE is the
 * greatest incarnation that was known when this one was taken down, so that a question that is
 * asked again gets the same answer; the nonce tells it from another start of the same number.
 */
#include <assert.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/store/number.h"

enum { VALUE_SIZE = 3 * NUMBER_SIZE };

struct seen {
    uint64_t incarnation;
    uint64_t nonce;
    uint64_t before;
};

static enum status read_seen(struct engine *engine, struct slice key, struct seen *ret_seen)
{
    struct buffer value = {0};
    struct seen seen = {0};
    enum status status = engine->operations->get(engine, key, &value);

    if (status == STATUS_OK && value.size != VALUE_SIZE) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        (void)number_decode(slice_of(value.data, NUMBER_SIZE), &seen.incarnation);
        (void)number_decode(slice_of(value.data + NUMBER_SIZE, NUMBER_SIZE), &seen.nonce);
        (void)number_decode(slice_of(value.data + 2 * NUMBER_SIZE, NUMBER_SIZE), &seen.before);
    }
    buffer_release(&value);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *ret_seen = seen;
        return STATUS_OK;
    }
    return status;
}

static enum status write_seen(struct engine *engine, struct slice key, const struct seen *seen)
{
    assert(key.size > 0 && seen);

    uint8_t value[VALUE_SIZE];
    struct engine_write write = {.key = key, .value = slice_of(value, sizeof value)};

    number_encode(seen->incarnation, value);
    number_encode(seen->nonce, value + NUMBER_SIZE);
    number_encode(seen->before, value + 2 * NUMBER_SIZE);
    return engine->operations->write(engine, &write, 1, true);
}

enum status apply_vouch(struct store_state *state, const struct store_request *request,
                        struct store_result *ret_result)
{
    assert(ret_result->incarnation == 0);

    struct buffer key = {0};
    struct seen seen = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_incarnation(&key, request->vouch.node);
    if (!key.failed) {
        status = read_seen(state->engine, buffer_slice(&key), &seen);
    }
    bool is_again =
        seen.incarnation == request->vouch.incarnation && seen.nonce == request->vouch.nonce;
    uint64_t before = is_again ? seen.before : seen.incarnation;
    if (status == STATUS_OK && request->vouch.incarnation > seen.incarnation) {
        seen = (struct seen){request->vouch.incarnation, request->vouch.nonce, before};
        status = write_seen(state->engine, buffer_slice(&key), &seen);
    }
    buffer_release(&key);
    ret_result->incarnation = status == STATUS_OK ? before : 0;
    return status;
}
