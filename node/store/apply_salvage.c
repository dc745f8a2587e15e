/*
 * apply_salvage.c - keeps what can be read of a damaged database, drops the rest.
 *
 * The engine gives back a database that can be read, without what was in damaged blocks, and
 * perhaps with older values of it. So no own pair that was opened before is extended
 * (docs/design.md, rule 2), and the node's copies are incomplete until they were compared with
 * those of the other primaries. What is old is put aside until then (aside.c). The settings
 * come from memory.
 *
 * A mark is written before the first step and taken away with the last: a node that is killed
 * in between goes on at its next start.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/store/sweep.h"
#include "node/wire/record.h"
#include "ring/planted.h"

struct check {
    struct buffer key; /* scratch */
    uint16_t partition_count;
    bool is_short_of_memory; /* some record could not be judged */
};

static bool record_is_good(void *context, struct slice key, struct slice value)
{
    struct check *check = context;
    struct layout_entry entry;
    struct object *object = NULL;
    enum status status = layout_parse_entry(key, &check->key, &entry);

    if (status == STATUS_OK && check->partition_count > 0 &&
        entry.partition >= check->partition_count) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = record_decode(value, &object);
    }
    if (status == STATUS_OK) {
        status = record_verify(object);
    }
    object_unref(object);
    check->is_short_of_memory = check->is_short_of_memory || status == STATUS_NO_MEMORY;
    return status == STATUS_OK || status == STATUS_NO_MEMORY;
}

/* What a lost one said is known to the other replicas of the directory. */
static bool names_are_good(void *context, struct slice key, struct slice value)
{
    enum { HEAD_SIZE = 3 }; /* n, PARTITION */
    uint64_t names_us = 0;

    (void)context;
    return key.size > HEAD_SIZE &&
           key_is_directory(slice_of(key.data + HEAD_SIZE, key.size - HEAD_SIZE)) &&
           number_decode(value, &names_us);
}

/* Row and revival intents. What a lost one stood for is found by comparing with others. */
static bool intent_is_good(void *context, struct slice key, struct slice value)
{
    uint64_t stamp = 0;

    (void)context;
    return key.size > 1 && key_is_valid(slice_of(key.data + 1, key.size - 1)) &&
           number_decode(value, &stamp);
}

/* What was known of a member may be an older value, and would vouch for a copy that is older
 * still; nothing known is safe. */
static bool is_no_incarnation(void *context, struct slice key, struct slice value)
{
    (void)context;
    (void)key;
    (void)value;
    return false;
}

static enum status drop_unreadable(struct store_state *state, uint64_t *ret_dropped)
{
    assert(ret_dropped);

    struct check check = {.partition_count = state->partition_count};
    enum status status = sweep(state->engine, 'o', record_is_good, &check, ret_dropped);

    if (status == STATUS_OK) {
        status = sweep(state->engine, 'r', record_is_good, &check, ret_dropped);
    }
    if (status == STATUS_OK) {
        status = sweep(state->engine, 'n', names_are_good, NULL, ret_dropped);
    }
    if (status == STATUS_OK) {
        status = sweep(state->engine, INTENT_ROW, intent_is_good, NULL, ret_dropped);
    }
    if (status == STATUS_OK) {
        status = sweep(state->engine, INTENT_REVIVE, intent_is_good, NULL, ret_dropped);
    }
    if (status == STATUS_OK) {
        uint64_t forgotten = 0;
        status = sweep(state->engine, LAYOUT_INCARNATION, is_no_incarnation, NULL, &forgotten);
    }
    buffer_release(&check.key);
    return status == STATUS_OK && check.is_short_of_memory ? STATUS_NO_MEMORY : status;
}

/* What is kept in memory of the database as it was. */
static void forget(struct store_state *state)
{
    pthread_mutex_lock(&state->live.lock);
    memset(state->live.entry, 0, sizeof state->live.entry);
    pthread_mutex_unlock(&state->live.lock);
}

enum status store_salvage(struct store_state *state, uint64_t before_us, uint64_t *ret_dropped,
                          struct error *error)
{
    assert(state->engine && ret_dropped && error);

    if (!planted(PLANTED_SALVAGE_TRUSTS)) {
        state_forget_pairs(state);
    }
    forget(state);
    /* A damaged database may not take it; then the engine's own mark has to do. */
    (void)!store_state_restore(state, true);
    enum status status = state->engine->operations->salvage(state->engine, error);
    if (status == STATUS_OK) {
        status = store_state_restore(state, true);
    }
    if (status == STATUS_OK) {
        status = hint_store_salvage(state, before_us, error);
    }
    if (status == STATUS_OK) {
        status = drop_unreadable(state, ret_dropped);
    }
    if (status == STATUS_OK) {
        status = aside_put_old(state, before_us);
    }
    if (status == STATUS_OK) {
        status = state->trees ? tree_store_rebuild(state->trees, state->engine)
                              : tree_store_forget(state->engine);
    }
    return status == STATUS_OK ? store_state_restore(state, false) : status;
}

/* Older states of hints may come back, with the own pairs of that time. */
static enum status salvage_hints(struct store_state *state, uint64_t before_us,
                                 struct error *error)
{
    assert(state->hints && error);

    enum status status = store_state_distrust(state);

    if (status == STATUS_OK && !atomic_load(&state->hints->is_unjudged)) {
        atomic_store(&state->hints->is_damaged, true);
    }
    if (status == STATUS_OK) {
        status = hint_store_salvage(state, before_us, error);
    }
    return status;
}

enum status apply_salvage(struct store_state *state, const struct store_request *request,
                          struct store_result *ret_result)
{
    assert(!ret_result->text);

    struct error error = {0};
    char text[sizeof error.text];
    uint64_t dropped = 0;
    bool hints_only = request->salvage.hints_only && state->hints;
    uint64_t before_us = request->wall_us > request->salvage.grace_us
                             ? request->wall_us - request->salvage.grace_us
                             : 0;
    enum status status = hints_only ? salvage_hints(state, before_us, &error)
                                    : store_salvage(state, before_us, &dropped, &error);

    if (status != STATUS_OK) {
        (void)snprintf(text, sizeof text, "%s",
                       error.text[0] != '\0' ? error.text : status_text(status));
    } else if (hints_only) {
        (void)snprintf(text, sizeof text, "the database of the hints was repaired");
    } else {
        (void)snprintf(text, sizeof text, "the database was repaired, %llu record%s dropped",
                       (unsigned long long)dropped, dropped == 1 ? "" : "s");
    }
    ret_result->text = blob_new(slice_of_string(text));
    return status;
}
