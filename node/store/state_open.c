/*
 * state_open.c - a store is opened, closed, and looked at from outside.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply.h"
#include "node/store/apply_internal.h"
#include "node/store/birth.h"
#include "node/store/hints.h"
#include "node/store/kept.h"
#include "node/store/layout.h"
#include "node/store/settings.h"
#include "node/store/tree.h"
#include "node/wire/codec.h"
#include "ring/mark.h"
#include "ring/planted.h"

/* The settings of a store that was used before. */
struct stored {
    uint64_t format;
    uint64_t node;
    uint64_t clean;
    uint64_t lease;
    uint64_t trusted_since;
    uint64_t incarnation;
    uint64_t complete;
    uint64_t salvaging;
};

static bool on_any(void *context, struct slice key, struct slice value)
{
    bool *has_any = context;

    (void)key;
    (void)value;
    *has_any = true;
    return false;
}

/* A store without a format is new, so it must be empty. */
static enum status check_empty(struct engine *engine, struct error *error)
{
    bool has_any = false;
    enum status status = engine->operations->scan(engine, slice_of_string(""),
                                                  slice_of_string(""), true, on_any, &has_any);

    if (status == STATUS_OK && has_any) {
        status = STATUS_CORRUPT;
        error->code = status;
        (void)snprintf(error->text, sizeof error->text,
                       "the data has no format mark: it is damaged, or not of this program");
    }
    return status;
}

static enum status read_stored(struct engine *engine, struct stored *ret_stored,
                               struct error *error)
{
    struct stored stored = {.complete = 1};
    enum status status = settings_read_number(engine, SETTING_FORMAT, &stored.format);

    if (status == STATUS_NOT_FOUND) {
        *ret_stored = stored;
        return check_empty(engine, error);
    }
    if (status == STATUS_OK && stored.format != STORE_FORMAT &&
        stored.format != STORE_FORMAT_BEFORE) {
        error->code = STATUS_BAD_VERSION;
        (void)snprintf(error->text, sizeof error->text,
                       "the data has format %llu, this program knows format %d alone",
                       (unsigned long long)stored.format, STORE_FORMAT);
        return STATUS_BAD_VERSION;
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_NODE, &stored.node);
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_CLEAN, &stored.clean);
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_LEASE, &stored.lease);
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_TRUSTED_SINCE, &stored.trusted_since);
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_INCARNATION, &stored.incarnation);
    }
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && stored.node == 0)) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_COMPLETE, &stored.complete);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        status = settings_read_number(engine, SETTING_SALVAGING, &stored.salvaging);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        *ret_stored = stored;
    }
    return status;
}

static enum status read_ring(struct engine *engine, struct store_identity *identity)
{
    struct buffer value = {0};
    struct message message = {0};
    enum status status = settings_read(engine, SETTING_RING, &value);

    if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
        goto out;
    }
    if (status == STATUS_OK) {
        status = codec_decode(buffer_slice(&value), &message);
        status = status == STATUS_OK || status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        goto out;
    }
    if (message.type != MESSAGE_RING_REPLY || !message.ring || !ring_is_valid(message.ring)) {
        status = STATUS_CORRUPT;
    } else {
        identity->ring = *message.ring;
        identity->has_ring = true;
    }
    message_release(&message);
out:
    buffer_release(&value);
    return status;
}

/* The settings that mark the store as in use, with the first lease. */
static enum status mark_open(struct store_state *state, uint64_t wall_us, bool is_salvaging)
{
    uint64_t issued = atomic_load(&state->issued);
    uint64_t by_clock = wall_us + COUNTER_LEASE_US;
    /* What a crash left unused is not added to: that is taken with the first counter. */
    uint64_t lease = issued > by_clock ? issued : by_clock;
    struct settings settings = {0};

    settings_add(&settings, SETTING_FORMAT, STORE_FORMAT);
    settings_add(&settings, SETTING_NODE, state->node);
    settings_add(&settings, SETTING_CLEAN, 0);
    settings_add(&settings, SETTING_LEASE, lease);
    settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    settings_add(&settings, SETTING_INCARNATION, state->incarnation);
    if (is_salvaging) {
        settings_add(&settings, SETTING_COMPLETE, 0);
        settings_add(&settings, SETTING_SALVAGING, 1);
    }
    enum status status = settings_write(&settings, state->engine);
    if (status == STATUS_OK) {
        atomic_store(&state->leased, lease);
        atomic_store(&state->is_marked, true);
        (void)settings_keep(state->engine); /* the one before will do */
    }
    return status;
}

enum status store_state_mark(struct store_state *state, uint64_t wall_us)
{
    assert(state->engine);

    enum status status = STATUS_OK;

    if (atomic_load(&state->is_marked)) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&state->leasing);
    if (!atomic_load(&state->is_marked)) {
        status = mark_open(state, wall_us, false);
    }
    pthread_mutex_unlock(&state->leasing);
    return status;
}

static void state_init(struct store_state *state, struct engine *engine)
{
    pthread_rwlockattr_t attributes;

    memset(state, 0, sizeof *state);
    state->engine = engine;
    pthread_mutex_init(&state->leasing, NULL);
    pthread_mutex_init(&state->live.lock, NULL);
    pthread_rwlockattr_init(&attributes);
    /* A group that needs to be alone must not wait for ever behind the others. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&state->directories, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

void store_state_release(struct store_state *state)
{
    hint_store_release(state);
    tree_store_free(state->trees);
    state->trees = NULL;
    free(state->ring);
    state->ring = NULL;
}

/* Was the engine salvaged when it was opened, or in a salvage that was cut short? */
static bool was_salvaged(struct engine *engine)
{
    char text[DAMAGE_TEXT_SIZE] = "";

    engine->operations->last_corruption(engine, text, sizeof text);
    return text[0] != '\0';
}

static enum status read_settings(struct engine *engine, struct stored *ret_stored,
                                 struct store_identity *ret_identity, struct error *error)
{
    enum status status = read_stored(engine, ret_stored, error);

    return status == STATUS_OK ? read_ring(engine, ret_identity) : status;
}

/*
 * Reads the settings; from the file beside the database where they are damaged, gone, or may be
 * older than what is kept. What was kept knows nothing of the leases taken since: every counter
 * that was issued is below the new one.
 */
static enum status read_or_restore(struct engine *engine, uint64_t wall_us,
                                   struct stored *ret_stored,
                                   struct store_identity *ret_identity, struct error *error)
{
    bool is_restored = was_salvaged(engine) && settings_restore(engine) == STATUS_OK;
    enum status status = read_settings(engine, ret_stored, ret_identity, error);
    bool is_missing =
        status == STATUS_CORRUPT || (status == STATUS_OK && ret_stored->node == 0);

    if (is_missing && !is_restored && settings_restore(engine) == STATUS_OK) {
        is_restored = true;
        error->text[0] = '\0';
        status = read_settings(engine, ret_stored, ret_identity, error);
    }
    if (status == STATUS_OK && is_restored) {
        uint64_t from = ret_stored->lease > wall_us ? ret_stored->lease : wall_us;
        ret_stored->lease = from + COUNTER_AHEAD_MAX_US + COUNTER_LEASE_US;
        ret_stored->clean = 0;
        /* Something else than the settings may be gone, too: others have it. */
        bool is_alone = !ret_identity->has_ring || ring_replicas(&ret_identity->ring) < 2;
        ret_stored->salvaging |= !is_alone;
    }
    return status;
}

bool store_state_peek(struct engine *engine, struct ring *ret_ring)
{
    assert(engine && ret_ring);

    struct store_identity identity = {0};
    struct buffer kept = {0};

    if (read_ring(engine, &identity) == STATUS_OK && identity.has_ring) {
        *ret_ring = identity.ring;
        return true;
    }
    bool has_ring = engine->operations->kept &&
                    engine->operations->kept(engine, &kept) == STATUS_OK &&
                    settings_kept_ring(buffer_slice(&kept), ret_ring);
    buffer_release(&kept);
    return has_ring;
}

static void take_stored(struct store_state *state, const struct stored *stored,
                        node_id random_id, struct store_identity *identity)
{
    bool is_new = stored->node == 0;

    identity->node = is_new ? random_id : stored->node;
    identity->was_clean = is_new || stored->clean != 0;
    identity->is_complete = stored->complete != 0;
    state->node = identity->node;
    state->incarnation = stored->incarnation + 1;
    identity->incarnation = state->incarnation;
    state->salt = planted(PLANTED_LIVES_ALIKE) ? 0 : random_id;
    /* Every pair opened so far was opened at or below the lease. */
    uint64_t last = is_new ? 0 : birth_period_end(stored->lease);
    uint64_t start = is_new ? 0 : last + 1;
    atomic_store(&state->issued, planted(PLANTED_COUNTER_REUSE) ? 0 : last);
    atomic_store(&state->trusted_since, start);
    atomic_store(&state->trusted_before, identity->was_clean ? stored->trusted_since : start);
}

/* With the settings read: marks the store as in use, and makes the trees. */
static enum status begin(struct store_state *state, uint64_t wall_us, bool is_salvaging)
{
    enum status status = mark_open(state, wall_us, is_salvaging);

    if (status == STATUS_NO_SPACE && !is_salvaging) {
        /* It is read meanwhile; the mark precedes the first write. */
        status = STATUS_OK;
    }
    if (status == STATUS_OK && state->ring && !state->trees) {
        status = state_begin_partitions(state, state->ring->partition_count);
    }
    return status;
}

/* Begins, and salvages a database whose salvage was begun, or that is too damaged to be written
 * to: LevelDB takes no write once a compaction has met a damaged block. */
static enum status begin_or_salvage(struct store_state *state, struct store_identity *identity,
                                    uint64_t wall_us, bool is_salvaging, struct error *error)
{
    uint64_t dropped = 0;

    if (identity->has_ring) {
        state->ring = state_ring_copy(&identity->ring);
        if (!state->ring) {
            return STATUS_NO_MEMORY;
        }
    }
    enum status status = begin(state, wall_us, is_salvaging);
    if (status != STATUS_CORRUPT && (status != STATUS_OK || !is_salvaging)) {
        return status;
    }
    identity->is_complete = false;
    /* What a salvage that was cut short held for old is not known any more: all of it. */
    status = store_salvage(state, UINT64_MAX, &dropped, error);
    if (status == STATUS_OK && !state->trees) {
        status = begin(state, wall_us, false);
    }
    return status;
}

/* What went wrong, in which file if that is known. */
static void explain(const struct store_state *state, enum status status, struct error *error)
{
    char text[DAMAGE_TEXT_SIZE / 2] = "";

    error->code = status;
    if (error->text[0] != '\0') {
        return;
    }
    if (status == STATUS_CORRUPT) {
        state->engine->operations->last_corruption(state->engine, text, sizeof text);
    }
    (void)snprintf(error->text, sizeof error->text, "the node's settings: %.150s",
                   text[0] != '\0' ? text : status_text(status));
}

enum status store_state_node(struct engine *engine, node_id *ret_node)
{
    assert(engine && ret_node);

    uint64_t node = 0;

    enum status status = settings_read_number(engine, SETTING_NODE, &node);
    *ret_node = status == STATUS_OK ? node : 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_state_open(struct store_state *state, struct engine *engine,
                             node_id random_id, uint64_t wall_us,
                             struct store_identity *ret_identity, struct error *error)
{
    assert(random_id != 0);

    struct stored stored = {0};
    struct store_identity identity = {0};

    error->text[0] = '\0';
    state_init(state, engine);
    bool is_salvaging = was_salvaged(engine);
    enum status status = read_or_restore(engine, wall_us, &stored, &identity, error);
    if (status == STATUS_OK) {
        is_salvaging |= stored.salvaging != 0;
        take_stored(state, &stored, random_id, &identity);
        status = begin_or_salvage(state, &identity, wall_us, is_salvaging, error);
    }
    if (status != STATUS_OK) {
        explain(state, status, error);
        store_state_release(state);
        return status;
    }
    *ret_identity = identity;
    return STATUS_OK;
}

enum status store_state_close(struct store_state *state)
{
    assert(state->engine);

    struct settings settings = {0};

    if (!atomic_load(&state->is_marked)) {
        /* Nothing was written. */
        store_state_release(state);
        return STATUS_OK;
    }
    enum status status = hint_store_sync(state);
    if (status == STATUS_OK) {
        settings_add(&settings, SETTING_CLEAN, 1);
        settings_add(&settings, SETTING_LEASE, atomic_load(&state->issued));
        settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
        status = settings_write(&settings, state->engine);
    }
    store_state_release(state);
    return status;
}
