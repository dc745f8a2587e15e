/*
 * hints_open.c - the start and the end of a node's hints: they are counted, and made sure of.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/error.h"
#include "node/store/apply_internal.h"
#include "node/store/batch.h"
#include "node/store/hints.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/store/settings.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum {
    HINTS_FORMAT = 1,
    SWEPT_MAX = 256, /* writes of a salvage in one batch */
};
/* No count of ours comes so far; those that are given out have room above it. */
#define STAMP_FOUND_MAX (UINT64_C(1) << 56)

static enum status fail(struct error *error, enum status status, const char *text)
{
    return error_set(error, status, "the node's hints: %s", text);
}

static bool make_setting_key(struct buffer *key)
{
    layout_hint_owner(key, 0);
    buffer_append_slice(key, slice_of_string(SETTING_FORMAT));
    return !key->failed;
}

/* The mark of the format, synced: whatever was written before it is on the disk then as well.
 */
static enum status write_format(struct engine *engine)
{
    uint8_t number[NUMBER_SIZE];
    struct buffer key = {0};
    enum status status = STATUS_NO_MEMORY;

    number_encode(HINTS_FORMAT, number);
    if (make_setting_key(&key)) {
        struct engine_write write = {
            .key = buffer_slice(&key),
            .value = slice_of(number, sizeof number),
        };
        status = engine->operations->write(engine, &write, 1, true);
    }
    buffer_release(&key);
    return status;
}

static enum status check_format(struct engine *engine, struct error *error)
{
    struct buffer key = {0};
    struct buffer value = {0};
    uint64_t format = 0;
    enum status status = STATUS_NO_MEMORY;

    if (make_setting_key(&key)) {
        status = engine->operations->get(engine, buffer_slice(&key), &value);
    }
    if (status == STATUS_NOT_FOUND) {
        status = write_format(engine);
    } else if (status == STATUS_OK && !number_decode(buffer_slice(&value), &format)) {
        status = STATUS_CORRUPT;
    }
    buffer_release(&key);
    buffer_release(&value);
    if (status == STATUS_OK && format > HINTS_FORMAT) {
        return fail(error, STATUS_BAD_VERSION, "they are of a newer format than this program");
    }
    return status == STATUS_OK ? STATUS_OK : fail(error, status, status_text(status));
}

struct count {
    struct hint_store *hints;
    uint64_t greatest_stamp;
    enum status status;
};

static bool is_sound(char kind, struct slice value, struct stored_hint *ret_stored)
{
    struct slice record = {0};

    return (kind == HINT_OBJECT || kind == HINT_MARKER) &&
           hint_store_parse_value(value, ret_stored, &record) &&
           (record.size > 0) == (kind == HINT_OBJECT);
}

static bool on_hint(void *context, struct slice key, struct slice value)
{
    struct count *count = context;
    struct stored_hint stored = {0};
    node_id owner = 0;
    char kind = 0;
    struct slice rest;

    if (!layout_parse_hint(key, &owner, &kind, &rest)) {
        count->hints->is_damaged = true;
        return true;
    }
    if (kind == HINT_AGE) {
        return true;
    }
    struct hint_sum *sum = hint_store_sum(count->hints, owner);
    if (!sum) {
        count->status = STATUS_CORRUPT;
        return false;
    }
    if (!is_sound(kind, value, &stored)) {
        count->hints->is_damaged = true;
        sum->may_hold_more = true;
        return true;
    }
    sum->count++;
    sum->bytes += key.size + value.size;
    if (stored.stamp > count->greatest_stamp && stored.stamp <= STAMP_FOUND_MAX) {
        count->greatest_stamp = stored.stamp;
    }
    return true;
}

/* A part that cannot be read does not keep the node from starting, as with its objects. */
static enum status count_all(struct hint_store *hints, struct error *error)
{
    struct count count = {.hints = hints};
    struct buffer start = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_hint_owner(&start, 1);
    pthread_mutex_lock(&hints->lock);
    hints->sum_count = 0;
    hints->is_partial = false;
    hints->is_damaged = false;
    if (!start.failed) {
        status = hints->engine->operations->scan(hints->engine, buffer_slice(&start),
                                                 (struct slice){0}, true, on_hint, &count);
    }
    if (status == STATUS_CORRUPT) {
        hints->is_partial = true;
        hints->is_damaged = true;
        status = STATUS_OK;
    }
    pthread_mutex_unlock(&hints->lock);
    buffer_release(&start);
    if (atomic_load(&hints->stamp) < count.greatest_stamp) {
        atomic_store(&hints->stamp, count.greatest_stamp);
    }
    if (count.status != STATUS_OK) {
        return fail(error, count.status, "they are for more nodes than a cluster may have");
    }
    return status == STATUS_OK ? STATUS_OK : fail(error, status, status_text(status));
}

/* One page of a salvage. */
struct sweep {
    struct hint_store *hints;
    uint64_t before_us; /* objects that are older are of no use */
    bool puts_ages;     /* the second pass; the first one deletes what is of no use */
    struct engine_write writes[SWEPT_MAX];
    struct buffer keys[SWEPT_MAX];
    size_t count;
    struct buffer cursor; /* the key that was looked at last */
    bool is_done;
    enum status status;
};

static void sweep_reset(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++) {
        buffer_release(&sweep->keys[i]);
    }
    sweep->count = 0;
}

/* Is the pair a hint that can be kept? Sets the status if it cannot tell. */
static bool is_kept(struct sweep *sweep, char kind, struct slice value,
                    struct stored_hint *ret_stored)
{
    if (!is_sound(kind, value, ret_stored)) {
        return false;
    }
    if (sweep->puts_ages) {
        return true;
    }
    uint64_t before_us = planted(PLANTED_HINT_REVIVES) ? 0 : sweep->before_us;
    enum status status =
        hint_store_verify(kind == HINT_OBJECT ? HINT_OBJECT : HINT_MARKER, value, before_us);
    if (status != STATUS_OK && status != STATUS_CORRUPT) {
        sweep->status = status;
    }
    return status == STATUS_OK;
}

/* What the page does about one pair. */
static void sweep_pair(struct sweep *sweep, struct slice key, struct slice value)
{
    struct buffer *written = &sweep->keys[sweep->count];
    struct stored_hint stored = {0};
    node_id owner = 0;
    char kind = 0;
    struct slice rest = {0};
    bool is_hint =
        layout_parse_hint(key, &owner, &kind, &rest) && is_kept(sweep, kind, value, &stored);

    if (is_hint != sweep->puts_ages || sweep->status != STATUS_OK) {
        return;
    }
    if (is_hint) {
        layout_hint_age(written, owner, stored.created_us, kind, rest);
    } else {
        buffer_append_slice(written, key);
    }
    if (written->failed) {
        sweep->status = STATUS_NO_MEMORY;
    }
    sweep->writes[sweep->count++].is_delete = !is_hint;
}

static bool on_swept(void *context, struct slice key, struct slice value)
{
    struct sweep *sweep = context;

    buffer_reset(&sweep->cursor);
    buffer_append_slice(&sweep->cursor, key);
    buffer_append_byte(&sweep->cursor, 0); /* the next key that can be */
    if (sweep->cursor.failed) {
        sweep->status = STATUS_NO_MEMORY;
    } else {
        sweep_pair(sweep, key, value);
    }
    sweep->is_done = false;
    return sweep->status == STATUS_OK && sweep->count < SWEPT_MAX;
}

static enum status sweep_page(struct sweep *sweep)
{
    struct engine *engine = sweep->hints->engine;
    struct buffer start = sweep->cursor;

    sweep->is_done = true;
    sweep->cursor = (struct buffer){0};
    enum status status = engine->operations->scan(engine, buffer_slice(&start),
                                                  (struct slice){0}, true, on_swept, sweep);
    status = status == STATUS_OK ? sweep->status : status;
    buffer_release(&start);
    for (size_t i = 0; i < sweep->count; i++) {
        sweep->writes[i].key = buffer_slice(&sweep->keys[i]);
    }
    if (status == STATUS_OK && sweep->count > 0) {
        status = engine->operations->write(engine, sweep->writes, sweep->count, true);
    }
    sweep_reset(sweep);
    return status;
}

static enum status sweep_all(struct hint_store *hints, uint64_t before_us, bool puts_ages)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    enum status status = STATUS_NO_MEMORY;

    if (!sweep) {
        return status;
    }
    sweep->hints = hints;
    sweep->before_us = before_us;
    sweep->puts_ages = puts_ages;
    layout_hint_owner(&sweep->cursor, 1);
    status = sweep->cursor.failed ? STATUS_NO_MEMORY : STATUS_OK;
    while (status == STATUS_OK && !sweep->is_done) {
        status = sweep_page(sweep);
    }
    buffer_release(&sweep->cursor);
    free(sweep);
    return status;
}

/* The engine has been salvaged: drops what is no hint, or too old for one, and counts. */
static enum status clean_up(struct hint_store *hints, uint64_t before_us, struct error *error)
{
    enum status status = sweep_all(hints, before_us, false);

    if (status == STATUS_OK) {
        status = sweep_all(hints, before_us, true);
    }
    if (status == STATUS_OK) {
        status = write_format(hints->engine);
    }
    return status == STATUS_OK ? count_all(hints, error)
                               : fail(error, status, status_text(status));
}

/* Remembered beside the own copies, so that a start in between knows it. Where nobody else has
 * copies there is nothing to judge. */
static enum status set_unjudged(struct store_state *state, bool is_unjudged)
{
    struct settings settings = {0};

    if (!aside_has_others(state)) {
        return STATUS_OK;
    }
    settings_add(&settings, SETTING_HINTS_UNJUDGED, is_unjudged ? 1 : 0);
    enum status status = settings_write(&settings, state->engine);
    if (status == STATUS_OK || is_unjudged) {
        atomic_store(&state->hints->is_unjudged, is_unjudged);
    }
    return status;
}

/* The engine gives back what it can; until that is judged, none of it is used. */
static enum status salvage_engine(struct store_state *state, struct error *error)
{
    struct engine *engine = state->hints->engine;
    enum status status = set_unjudged(state, true);

    return status == STATUS_OK ? engine->operations->salvage(engine, error) : status;
}

/* What a salvage gave back earlier may have been damaged anew. */
static enum status judge(struct store_state *state, uint64_t before_us, struct error *error)
{
    struct hint_store *hints = state->hints;
    enum status status = STATUS_CORRUPT;

    before_us = aside_has_others(state) ? before_us : 0;
    if (!atomic_load(&hints->is_damaged)) {
        status = clean_up(hints, before_us, error);
    }
    if (status == STATUS_CORRUPT) {
        atomic_store(&hints->is_damaged, true);
        mark_if(atomic_load(&hints->is_unjudged), MARK_HINTS_DAMAGED_UNJUDGED);
        status = salvage_engine(state, error);
        status = status == STATUS_OK ? clean_up(hints, before_us, error) : status;
    }
    return status;
}

enum status hint_store_salvage(struct store_state *state, uint64_t before_us,
                               struct error *error)
{
    assert(error);

    struct hint_store *hints = state->hints;

    if (!hints || (!atomic_load(&hints->is_damaged) && !atomic_load(&hints->is_unjudged))) {
        return STATUS_OK;
    }
    enum status status = judge(state, before_us, error);
    return status == STATUS_OK ? set_unjudged(state, false) : status;
}

/* Was the engine salvaged when it was opened? */
static bool was_salvaged(struct engine *engine)
{
    char text[DAMAGE_TEXT_SIZE] = "";

    engine->operations->last_corruption(engine, text, sizeof text);
    return text[0] != '\0';
}

/* How old hints may be is not known here: they are judged by a STORE_SALVAGE. The node's first
 * look for owners asks for it, so that no put of a client has to fail for it. */
static enum status heal_at_start(struct store_state *state, struct error *error)
{
    mark(MARK_HINTS_HEALED_AT_START);
    /* Older states of hints may be back, with the own pairs of that time. */
    enum status status = store_state_distrust(state);

    if (status == STATUS_OK) {
        status = salvage_engine(state, error);
    }
    return status == STATUS_OK ? clean_up(state->hints, 0, error)
                               : fail(error, status, status_text(status));
}

static enum status read_unjudged(struct store_state *state, struct error *error)
{
    uint64_t unjudged = 0;
    enum status status = settings_read_number(state->engine, SETTING_HINTS_UNJUDGED, &unjudged);

    if (status == STATUS_CORRUPT) {
        unjudged = 1; /* who knows */
        status = STATUS_OK;
    }
    atomic_store(&state->hints->is_unjudged, unjudged != 0 && aside_has_others(state));
    return status == STATUS_OK || status == STATUS_NOT_FOUND
               ? STATUS_OK
               : fail(error, status, status_text(status));
}

enum status store_hints_open(struct store_state *state, struct engine *engine,
                             struct error *error)
{
    assert(state->engine && !state->hints && engine);

    struct hint_store *hints = calloc(1, sizeof *hints);
    if (!hints) {
        return fail(error, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    }
    hints->engine = engine;
    pthread_mutex_init(&hints->lock, NULL);
    state->hints = hints;
    enum status status = read_unjudged(state, error);
    if (status == STATUS_OK) {
        status = was_salvaged(engine) ? STATUS_CORRUPT : check_format(engine, error);
    }
    if (status == STATUS_CORRUPT) {
        /* Without hints a node starts; without starting none are handed over. */
        status = heal_at_start(state, error);
    } else if (status == STATUS_OK) {
        status = count_all(hints, error);
    }
    if (status != STATUS_OK) {
        hint_store_release(state);
    }
    return status;
}

enum status hint_store_sync(struct store_state *state)
{
    return !state->hints ? STATUS_OK : write_format(state->hints->engine);
}

void hint_store_release(struct store_state *state)
{
    if (!state->hints) {
        return;
    }
    pthread_mutex_destroy(&state->hints->lock);
    free(state->hints);
    state->hints = NULL;
}
