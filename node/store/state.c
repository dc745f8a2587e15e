/*
 * state.c - the node's settings: identity, ring, clean mark, and the source of counters.
 *
 * Counters are leased: the mark on the disk is ahead of every counter that was issued, so after
 * a crash they go on above it. The lease follows the clock and is never put on top of one that
 * was not used up: however often the node crashes, its readings stay near the clock. A stop
 * without the clean mark may have lost writes, so own pairs opened before it are not extended
 * (docs/design.md, rule 2).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply.h"
#include "node/store/apply_internal.h"
#include "node/store/batch.h"
#include "node/store/hints.h"
#include "node/store/kept.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/store/tree.h"
#include "node/wire/codec.h"
#include "ring/mark.h"
#include "ring/planted.h"

#define SETTING_FORMAT        "format"
#define SETTING_NODE          "node"
#define SETTING_CLEAN         "clean"
#define SETTING_LEASE         "counter_lease"
#define SETTING_TRUSTED_SINCE "trusted_since"
#define SETTING_INCARNATION   "incarnation"
/* The one that the ring followed, for people to go back to (decision 23). */
#define SETTING_RING_BEFORE "ring_before"
/* 0 while the node refills after a lost disk; none: 1. */
#define SETTING_COMPLETE "complete"
/* 1 while a damaged database is being salvaged; none: 0. */
#define SETTING_SALVAGING "salvaging"

enum { SETTINGS_MAX = 8, SETTING_RINGS_MAX = 2 };

/* Settings to be written as one batch: numbers and rings. */
struct settings {
    size_t count;
    struct buffer keys[SETTINGS_MAX];
    uint8_t numbers[SETTINGS_MAX][NUMBER_SIZE];
    size_t ring_count;
    struct buffer ring_keys[SETTING_RINGS_MAX];
    struct buffer rings[SETTING_RINGS_MAX];
};

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

static void settings_add(struct settings *settings, const char *name, uint64_t number)
{
    assert(settings->count < SETTINGS_MAX);

    size_t i = settings->count++;
    layout_setting(&settings->keys[i], name);
    number_encode(number, settings->numbers[i]);
}

static void settings_add_ring(struct settings *settings, const char *name,
                              const struct ring *ring)
{
    assert(settings->ring_count < SETTING_RINGS_MAX);
    struct ring copy = *ring;
    struct message message = {.type = MESSAGE_RING_REPLY, .ring = &copy};

    size_t i = settings->ring_count++;
    layout_setting(&settings->ring_keys[i], name);
    codec_encode(&message, &settings->rings[i]);
}

/* Writes the settings, synced, and releases them. */
static enum status settings_write(struct settings *settings, struct engine *engine)
{
    struct engine_write writes[SETTINGS_MAX + SETTING_RINGS_MAX] = {0};
    size_t count = settings->count;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < settings->count; i++) {
        writes[i].key = buffer_slice(&settings->keys[i]);
        writes[i].value = slice_of(settings->numbers[i], NUMBER_SIZE);
        if (settings->keys[i].failed) {
            status = STATUS_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < settings->ring_count; i++) {
        writes[count].key = buffer_slice(&settings->ring_keys[i]);
        writes[count++].value = buffer_slice(&settings->rings[i]);
        if (settings->ring_keys[i].failed || settings->rings[i].failed) {
            status = STATUS_NO_MEMORY;
        }
    }
    if (status == STATUS_OK) {
        status = engine->operations->write(engine, writes, count, true);
    }
    for (size_t i = 0; i < settings->count; i++) {
        buffer_release(&settings->keys[i]);
    }
    for (size_t i = 0; i < settings->ring_count; i++) {
        buffer_release(&settings->ring_keys[i]);
        buffer_release(&settings->rings[i]);
    }
    settings->count = 0;
    settings->ring_count = 0;
    return status;
}

static enum status read_setting(struct engine *engine, const char *name,
                                struct buffer *ret_value)
{
    struct buffer key = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_setting(&key, name);
    if (!key.failed) {
        status = engine->operations->get(engine, buffer_slice(&key), ret_value);
    }
    buffer_release(&key);
    return status;
}

static enum status read_number(struct engine *engine, const char *name, uint64_t *ret_number)
{
    struct buffer value = {0};
    enum status status = read_setting(engine, name, &value);

    if (status == STATUS_OK && !number_decode(buffer_slice(&value), ret_number)) {
        status = STATUS_CORRUPT;
    }
    buffer_release(&value);
    return status;
}

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
    enum status status = read_number(engine, SETTING_FORMAT, &stored.format);

    if (status == STATUS_NOT_FOUND) {
        *ret_stored = stored;
        return check_empty(engine, error);
    }
    if (status == STATUS_OK && stored.format != STORE_FORMAT) {
        error->code = STATUS_BAD_VERSION;
        (void)snprintf(error->text, sizeof error->text,
                       "the data has format %llu, this program knows format %d alone",
                       (unsigned long long)stored.format, STORE_FORMAT);
        return STATUS_BAD_VERSION;
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_NODE, &stored.node);
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_CLEAN, &stored.clean);
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_LEASE, &stored.lease);
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_TRUSTED_SINCE, &stored.trusted_since);
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_INCARNATION, &stored.incarnation);
    }
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && stored.node == 0)) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_COMPLETE, &stored.complete);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        status = read_number(engine, SETTING_SALVAGING, &stored.salvaging);
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
    enum status status = read_setting(engine, SETTING_RING, &value);

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
    if (message.type != MESSAGE_RING_REPLY || message.ring == NULL ||
        !ring_is_valid(message.ring)) {
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

/* A copy to be freed; NULL when memory is short. */
static struct ring *ring_copy(const struct ring *ring)
{
    struct ring *copy = malloc(sizeof *copy);

    if (copy != NULL) {
        *copy = *ring;
    }
    return copy;
}

/* The partitions are known: makes their trees. */
static enum status begin_partitions(struct store_state *state, uint16_t partition_count)
{
    struct tree_store *trees = tree_store_new();

    if (trees == NULL) {
        return STATUS_NO_MEMORY;
    }
    enum status status = tree_store_open(trees, state->engine, partition_count);
    if (status != STATUS_OK) {
        tree_store_free(trees);
        return status;
    }
    state->trees = trees;
    state->partition_count = partition_count;
    return STATUS_OK;
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
    struct store_identity identity = {0};
    struct buffer kept = {0};

    if (read_ring(engine, &identity) == STATUS_OK && identity.has_ring) {
        *ret_ring = identity.ring;
        return true;
    }
    bool has_ring = engine->operations->kept != NULL &&
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
    atomic_store(&state->issued, planted(PLANTED_COUNTER_REUSE) ? 0 : stored->lease);
    /* Every pair opened so far was opened at or below the lease. */
    uint64_t start = is_new ? 0 : stored->lease + 1;
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
    if (status == STATUS_OK && state->ring != NULL && state->trees == NULL) {
        status = begin_partitions(state, state->ring->partition_count);
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
        state->ring = ring_copy(&identity->ring);
        if (state->ring == NULL) {
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
    if (status == STATUS_OK && state->trees == NULL) {
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
    uint64_t node = 0;

    enum status status = read_number(engine, SETTING_NODE, &node);
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

/*
 * Up to where a lease should reach when `counter` is issued, `share` being 1, and up to where
 * it must not have shrunk, `share` being 2. A counter that is ahead of the clock takes a small
 * step more, no whole lease.
 */
static uint64_t lease_wanted(uint64_t counter, uint64_t wall_us, unsigned share)
{
    uint64_t by_clock = wall_us + COUNTER_LEASE_US / share;
    uint64_t by_need = counter + COUNTER_STEP_US / share;

    return by_clock > by_need ? by_clock : by_need;
}

static enum status renew_lease(struct store_state *state, uint64_t counter, uint64_t wall_us)
{
    struct settings settings = {0};
    enum status status = STATUS_OK;
    uint64_t lease = lease_wanted(counter, wall_us, 1);

    pthread_mutex_lock(&state->leasing);
    if (lease > atomic_load(&state->leased)) {
        settings_add(&settings, SETTING_LEASE, lease);
        status = planted(PLANTED_LEASE_UNPERSISTED) ? STATUS_OK
                                                    : settings_write(&settings, state->engine);
        if (status == STATUS_OK) {
            atomic_store(&state->leased, lease);
        }
    }
    pthread_mutex_unlock(&state->leasing);
    return status;
}

enum status store_state_counter(struct store_state *state, uint64_t floor, uint64_t wall_us,
                                uint64_t *ret_counter)
{
    uint64_t issued = atomic_load(&state->issued);
    uint64_t counter = 0;

    do {
        counter = issued + 1;
        counter = counter > wall_us ? counter : wall_us;
        counter = counter > floor ? counter : floor + 1;
    } while (!atomic_compare_exchange_weak(&state->issued, &issued, counter));

    uint64_t leased = atomic_load(&state->leased);
    if (lease_wanted(counter, wall_us, 2) > leased) {
        mark_if(counter > leased, MARK_LEASE_RENEWED_AT_ONCE);
        mark_if(counter > wall_us + COUNTER_STEP_US, MARK_LEASE_AHEAD);
        enum status status = renew_lease(state, counter, wall_us);
        if (status != STATUS_OK && counter > leased) {
            return status;
        }
    }
    *ret_counter = counter;
    return STATUS_OK;
}

bool store_state_has_lease(const struct store_state *state, uint64_t wall_us)
{
    uint64_t issued = atomic_load(&state->issued);
    uint64_t next = issued > wall_us ? issued : wall_us;

    /* What a context's floor may add is at most a minute; it is rare enough to wait for. */
    return lease_wanted(next + 1, wall_us, 2) <= atomic_load(&state->leased);
}

enum status store_state_save_ring(struct store_state *state, const struct ring *ring,
                                  bool mark_incomplete)
{
    struct settings settings = {0};

    assert(ring_is_valid(ring));
    if (state->partition_count != 0 && state->partition_count != ring->partition_count) {
        return STATUS_REFUSED;
    }
    struct ring *copy = ring_copy(ring);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    settings_add_ring(&settings, SETTING_RING, ring);
    if (state->ring != NULL) {
        settings_add_ring(&settings, SETTING_RING_BEFORE, state->ring);
    }
    if (mark_incomplete) {
        settings_add(&settings, SETTING_COMPLETE, 0);
    }
    enum status status = settings_write(&settings, state->engine);
    if (status != STATUS_OK) {
        free(copy);
        return status;
    }
    (void)settings_keep(state->engine);
    free(state->ring);
    state->ring = copy;
    return state->partition_count == 0 ? begin_partitions(state, ring->partition_count)
                                       : STATUS_OK;
}

/* From now on no pair that was opened so far is extended. */
static void distrust(struct store_state *state)
{
    uint64_t start = atomic_load(&state->issued) + 1;

    if (planted(PLANTED_OLD_TRUSTS)) {
        return;
    }
    atomic_store(&state->trusted_before, start);
    atomic_store(&state->trusted_since, start);
}

bool store_state_is_outdone(struct store_state *state, const struct clock *clock,
                            const struct clock *own_clock, uint64_t wall_us)
{
    uint64_t greatest = 0;

    for (uint32_t i = 0; i < clock->count; i++) {
        struct dot pair = clock->pair[i];
        bool is_news =
            pair.actor.node == state->node && pair.counter > greatest &&
            pair.counter <= wall_us + COUNTER_AHEAD_MAX_US &&
            (own_clock == NULL || pair.counter > clock_counter(own_clock, pair.actor));
        greatest = is_news ? pair.counter : greatest;
    }
    uint64_t issued = atomic_load(&state->issued);
    if (greatest <= issued || planted(PLANTED_COUNTER_REUSE)) {
        return false;
    }
    while (issued < greatest &&
           !atomic_compare_exchange_weak(&state->issued, &issued, greatest)) {
    }
    distrust(state);
    return true;
}

enum status store_state_trust(struct store_state *state, uint64_t incarnation)
{
    struct settings settings = {0};

    if (incarnation == 0) {
        atomic_store(&state->trusted_since, atomic_load(&state->trusted_before));
        settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    } else {
        distrust(state);
        state->incarnation = incarnation;
        settings_add(&settings, SETTING_INCARNATION, incarnation);
    }
    return settings_write(&settings, state->engine);
}

enum status store_state_sync(struct store_state *state)
{
    struct settings settings = {0};

    /* As it is already: a synced write takes all earlier ones along. */
    settings_add(&settings, SETTING_CLEAN, 0);
    return settings_write(&settings, state->engine);
}

enum status store_state_set_complete(struct store_state *state, bool is_complete)
{
    struct settings settings = {0};

    settings_add(&settings, SETTING_COMPLETE, is_complete ? 1 : 0);
    return settings_write(&settings, state->engine);
}

enum status store_state_distrust(struct store_state *state)
{
    struct settings settings = {0};

    if (!planted(PLANTED_SALVAGE_TRUSTS)) {
        distrust(state);
    }
    settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    return settings_write(&settings, state->engine);
}

enum status store_state_restore(struct store_state *state, bool is_salvaging)
{
    struct settings settings = {0};

    pthread_mutex_lock(&state->leasing);
    uint64_t lease = atomic_load(&state->leased);
    settings_add(&settings, SETTING_FORMAT, STORE_FORMAT);
    settings_add(&settings, SETTING_NODE, state->node);
    settings_add(&settings, SETTING_CLEAN, 0);
    settings_add(&settings, SETTING_LEASE, lease);
    settings_add(&settings, SETTING_TRUSTED_SINCE, atomic_load(&state->trusted_since));
    settings_add(&settings, SETTING_INCARNATION, state->incarnation);
    settings_add(&settings, SETTING_COMPLETE, 0);
    settings_add(&settings, SETTING_SALVAGING, is_salvaging ? 1 : 0);
    if (state->ring != NULL) {
        settings_add_ring(&settings, SETTING_RING, state->ring);
    }
    enum status status = settings_write(&settings, state->engine);
    pthread_mutex_unlock(&state->leasing);
    return status;
}
