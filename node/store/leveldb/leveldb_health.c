/*
 * leveldb_health.c - what the engine makes of its disk: well, full, failing or gone.
 *
 *   WELL <──> FULL ──> FAILING ──> GONE
 *
 * Full is left as soon as there is room. The others last until the process ends: what failed to
 * be written once may be lost though a later sync says nothing of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/base/now.h"
#include "node/store/leveldb/leveldb_files.h"
#include "node/store/leveldb/leveldb_internal.h"

enum {
    /* An unsynced write is acknowledged by a look that is at most this old. */
    LOOK_INTERVAL_MS = 200,
    /* Full is left with this much room more than it was entered with. */
    ROOM_MARGIN = 1 << 20,
};

int64_t leveldb_now_ms(void)
{
    return (int64_t)now_monotonic_ms();
}

void leveldb_health_note(struct leveldb_engine *leveldb, enum disk_state state,
                         const char *text)
{
    pthread_mutex_lock(&leveldb->health_lock);
    if (state > leveldb->health.state) {
        leveldb->health.state = state;
        (void)snprintf(leveldb->health.text, sizeof leveldb->health.text, "%s", text);
    }
    pthread_mutex_unlock(&leveldb->health_lock);
}

void leveldb_health_reset(struct leveldb_engine *leveldb)
{
    pthread_mutex_lock(&leveldb->health_lock);
    leveldb->health = (struct engine_health){.state = DISK_WELL};
    pthread_mutex_unlock(&leveldb->health_lock);
}

static enum disk_state state_of(struct leveldb_engine *leveldb)
{
    pthread_mutex_lock(&leveldb->health_lock);
    enum disk_state state = leveldb->health.state;
    pthread_mutex_unlock(&leveldb->health_lock);
    return state;
}

bool leveldb_health_is_due(const struct leveldb_engine *leveldb)
{
    return leveldb_now_ms() - leveldb->watched_ms >= LOOK_INTERVAL_MS;
}

enum status leveldb_health_look(struct leveldb_engine *leveldb, bool synced)
{
    struct leveldb_synced now = {0};
    char why[sizeof leveldb->health.text];

    leveldb->watched_ms = leveldb_now_ms();
    if (!leveldb_watch_is_there(&leveldb->watch, &now, why, sizeof why)) {
        leveldb_health_note(leveldb, DISK_GONE, why);
        atomic_store(&leveldb->failure, (int)STATUS_IO);
        return STATUS_IO;
    }
    if (synced) {
        /* Once for each log the note is synced: it tells that the log exists. */
        leveldb_watch_note(&leveldb->watch, now, now.log != leveldb->watch.noted_log);
    }
    return STATUS_OK;
}

static void note_full(struct leveldb_engine *leveldb)
{
    char text[sizeof leveldb->health.text];
    uint64_t free_bytes = leveldb_files_free_bytes(leveldb->path);

    (void)snprintf(text, sizeof text,
                   "%.150s: %llu MiB free, which are kept for deletes and the next start",
                   leveldb->path, (unsigned long long)(free_bytes >> 20));
    leveldb_health_note(leveldb, DISK_FULL, text);
}

bool leveldb_engine_has_room(struct engine *engine, size_t size, bool is_vital)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);
    bool has_room = leveldb_reserve_has_room(&leveldb->reserve, size, is_vital);

    if (!has_room) {
        note_full(leveldb);
    }
    return has_room;
}

/* Nobody writes just now. */
static void look_after(struct leveldb_engine *leveldb)
{
    enum disk_state state = state_of(leveldb);
    enum status failure = (enum status)atomic_load(&leveldb->failure);

    if (state >= DISK_FAILING || (failure != STATUS_OK && failure != STATUS_NO_SPACE)) {
        return;
    }
    if (leveldb->db && !leveldb->shadow && leveldb_health_look(leveldb, false) != STATUS_OK) {
        return;
    }
    if (state == DISK_FULL && leveldb_reserve_has_room(&leveldb->reserve, ROOM_MARGIN, false)) {
        leveldb_health_reset(leveldb);
    } else if (state == DISK_WELL) {
        leveldb_reserve_hold(&leveldb->reserve);
    }
}

void leveldb_engine_health(struct engine *engine, struct engine_health *ret_health)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    if (pthread_mutex_trylock(&leveldb->writing) == 0) {
        look_after(leveldb);
        pthread_mutex_unlock(&leveldb->writing);
    }
    pthread_mutex_lock(&leveldb->health_lock);
    *ret_health = leveldb->health;
    pthread_mutex_unlock(&leveldb->health_lock);
}
