/*
 * leveldb_open.c - opening the engine on LevelDB, salvaging it, closing it.
 *
 * Before LevelDB opens the files they are inspected: a tail that a power cut has torn is cut
 * off; any other damage is salvaged if the caller allows it (others have copies), and refused
 * if not. On a disk without room even for that, a shadow is read (leveldb_shadow.h), and no
 * write is taken until there is room.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_files.h"
#include "node/store/leveldb/leveldb_inspect.h"
#include "node/store/leveldb/leveldb_internal.h"
#include "node/store/leveldb/leveldb_shadow.h"

enum {
    BUFFER_SIZE_DEFAULT = 64 << 20,
    BLOCK_CACHE_SIZE = 64 << 20,
    BLOOM_BITS_PER_KEY = 10,
    /* Beyond what the logs hold, a reopen writes a manifest and the tables' indexes. */
    REOPEN_SPARE_SIZE = 2 << 20,
    REOPEN_PAUSE_MS = 200,
};

static const struct slice everything; /* as start or end of a range */

static void explain_open(const char *path, enum status status, const char *text,
                         struct error *error)
{
    bool is_locked = strstr(text, "/LOCK: ") &&
                     (strstr(text, strerror(EAGAIN)) || strstr(text, strerror(EACCES)) ||
                      strstr(text, "already held"));

    error->code = status;
    (void)snprintf(error->text, sizeof error->text, "%s: %s", path,
                   is_locked ? "is in use by another process" : text);
}

/* Opens LevelDB at its own place, or at the shadow. */
static char *open_files(struct leveldb_engine *leveldb)
{
    char *text = NULL;
    const char *path = leveldb->shadow ? leveldb->shadow : leveldb->path;

    leveldb->db = leveldb_open(leveldb->options, path, &text);
    if (!text) {
        /* Whatever becomes of the files: none are made anew. */
        leveldb_options_set_create_if_missing(leveldb->options, 0);
    }
    return text;
}

static void close_files(struct leveldb_engine *leveldb)
{
    if (leveldb->db) {
        leveldb_close(leveldb->db);
        leveldb->db = NULL;
    }
    leveldb_shadow_remove_take(leveldb->shadow);
    leveldb->shadow = NULL;
}

/* With the database open at its own place: starts the accounting, and watches its files. */
static enum status begin(struct leveldb_engine *leveldb)
{
    struct leveldb_synced now = {0};
    char why[256];
    enum status status = leveldb_start_accounting(leveldb);

    if (status == STATUS_OK) {
        status = leveldb_watch_open(&leveldb->watch);
    }
    if (status == STATUS_OK && leveldb_watch_is_there(&leveldb->watch, &now, why, sizeof why)) {
        /* Of the new log nothing is synced; the older ones are synced tables now. */
        leveldb_watch_note(&leveldb->watch, (struct leveldb_synced){.log = now.log}, true);
        leveldb->watched_ms = leveldb_now_ms();
    }
    return status;
}

/* Closes and opens the database again. `writing` is held. */
static enum status reopen(struct leveldb_engine *leveldb)
{
    pthread_rwlock_wrlock(&leveldb->gate);
    close_files(leveldb);
    char *text = open_files(leveldb);
    enum status status = leveldb_take_text(leveldb, text, everything, everything, true);
    if (status == STATUS_OK) {
        status = begin(leveldb);
    }
    if (status != STATUS_OK) {
        leveldb->reopened_ms = leveldb_now_ms();
        atomic_store(&leveldb->failure, (int)status);
    }
    pthread_rwlock_unlock(&leveldb->gate);
    return status;
}

enum status leveldb_recover(struct leveldb_engine *leveldb)
{
    enum status failure = (enum status)atomic_load(&leveldb->failure);
    struct leveldb_logs logs;

    if (failure == STATUS_OK) {
        return STATUS_OK;
    }
    if (leveldb->is_lost) {
        return STATUS_IO;
    }
    bool is_open = leveldb->db;
    if (failure == STATUS_CORRUPT || (is_open && failure != STATUS_NO_SPACE)) {
        return failure;
    }
    if (!is_open && leveldb_now_ms() - leveldb->reopened_ms < REOPEN_PAUSE_MS) {
        return failure;
    }
    /* Opening turns the logs into tables; if it failed for want of room, reads would stop. */
    if (leveldb_files_logs(leveldb->path, &logs) != STATUS_OK || logs.count == 0) {
        return failure;
    }
    if (leveldb_files_free_bytes(leveldb->path) < logs.size_bytes + REOPEN_SPARE_SIZE) {
        return failure;
    }
    return reopen(leveldb);
}

/*
 * Repairs the closed database: LevelDB keeps each table and log record that it can read, and
 * puts what it replaces into db/lost. It puts all tables on one level, where a newer file wins
 * over an older one, whichever holds the newer value: until they are merged, reads are wrong.
 * So they are merged before anybody reads.
 */
static enum status repair(struct leveldb_engine *leveldb, char **ret_text)
{
    enum status status = leveldb_files_remove_lost(leveldb->path);

    if (status != STATUS_OK) {
        return status;
    }
    leveldb_repair_db(leveldb->options, leveldb->path, ret_text);
    if (*ret_text) {
        return STATUS_IO;
    }
    *ret_text = open_files(leveldb);
    if (*ret_text) {
        return STATUS_IO;
    }
    leveldb_compact_range(leveldb->db, NULL, 0, NULL, 0);
    return begin(leveldb);
}

/* Closes, repairs and opens. `writing` and `gate` are held alone. The mark stays: a process
 * that is killed in here must not take what it finds for a whole database. */
static enum status salvage(struct leveldb_engine *leveldb, struct error *error)
{
    char *text = NULL;
    enum status status = leveldb_files_mark_salvage(leveldb->path, true);

    if (status != STATUS_OK) {
        explain_open(leveldb->path, status, strerror(errno), error);
        return status;
    }
    leveldb->is_salvaging = true;
    close_files(leveldb);
    status = repair(leveldb, &text);
    leveldb->is_lost = status != STATUS_OK;
    if (status == STATUS_OK) {
        leveldb_damage_forget(&leveldb->damage);
        leveldb_health_reset(leveldb);
        return STATUS_OK;
    }
    explain_open(leveldb->path, status, text ? text : strerror(errno), error);
    leveldb_free(text);
    close_files(leveldb);
    atomic_store(&leveldb->failure, STATUS_IO);
    leveldb_health_note(leveldb, DISK_FAILING, error->text);
    return status;
}

enum status leveldb_engine_salvage(struct engine *engine, struct error *error)
{
    assert(error);

    struct leveldb_engine *leveldb = leveldb_of(engine);
    enum status status = STATUS_IO;

    pthread_mutex_lock(&leveldb->writing);
    pthread_rwlock_wrlock(&leveldb->gate);
    if (leveldb->shadow) {
        status = STATUS_NO_SPACE;
        explain_open(leveldb->path, status, "there is no room to salvage it", error);
    } else if (!leveldb->db || leveldb_health_look(leveldb, false) == STATUS_OK) {
        status = salvage(leveldb, error);
    } else {
        explain_open(leveldb->path, status, "the data directory is gone", error);
    }
    pthread_rwlock_unlock(&leveldb->gate);
    pthread_mutex_unlock(&leveldb->writing);
    return status;
}

void leveldb_engine_close(struct engine *engine)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    close_files(leveldb);
    leveldb_watch_close(&leveldb->watch);
    if (leveldb->lock >= 0) {
        close(leveldb->lock);
    }
    leveldb_readoptions_destroy(leveldb->read_options);
    leveldb_readoptions_destroy(leveldb->cold_read_options);
    leveldb_writeoptions_destroy(leveldb->write_options);
    leveldb_writeoptions_destroy(leveldb->sync_write_options);
    leveldb_options_destroy(leveldb->options);
    leveldb_cache_destroy(leveldb->cache);
    leveldb_filterpolicy_destroy(leveldb->filter);
    pthread_rwlock_destroy(&leveldb->gate);
    pthread_mutex_destroy(&leveldb->writing);
    pthread_mutex_destroy(&leveldb->health_lock);
    leveldb_damage_release(&leveldb->damage);
    free(leveldb->path);
    free(leveldb);
}

static void make_options(struct leveldb_engine *leveldb)
{
    leveldb->options = leveldb_options_create();
    leveldb->cache = leveldb_cache_create_lru(BLOCK_CACHE_SIZE);
    leveldb->filter = leveldb_filterpolicy_create_bloom(BLOOM_BITS_PER_KEY);
    leveldb_options_set_create_if_missing(leveldb->options, 1);
    leveldb_options_set_paranoid_checks(leveldb->options, 1);
    leveldb_options_set_cache(leveldb->options, leveldb->cache);
    leveldb_options_set_filter_policy(leveldb->options, leveldb->filter);
    leveldb_options_set_compression(leveldb->options, leveldb_snappy_compression);

    leveldb->read_options = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(leveldb->read_options, 1);
    leveldb->cold_read_options = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(leveldb->cold_read_options, 1);
    leveldb_readoptions_set_fill_cache(leveldb->cold_read_options, 0);
    leveldb->write_options = leveldb_writeoptions_create();
    leveldb->sync_write_options = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(leveldb->sync_write_options, 1);
}

/* An engine that is not open yet; NULL when memory is short. */
static struct leveldb_engine *leveldb_engine_new(const char *directory)
{
    struct leveldb_engine *leveldb = calloc(1, sizeof *leveldb);
    pthread_rwlockattr_t attributes;

    if (!leveldb) {
        return NULL;
    }
    if (asprintf(&leveldb->path, "%s/db", directory) < 0) {
        free(leveldb);
        return NULL;
    }
    pthread_rwlockattr_init(&attributes);
    /* A reopen must not wait for ever behind readers that come one after another. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&leveldb->gate, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&leveldb->writing, NULL);
    pthread_mutex_init(&leveldb->health_lock, NULL);
    leveldb_damage_init(&leveldb->damage);
    leveldb_watch_init(&leveldb->watch, leveldb->path);
    leveldb->lock = -1;
    leveldb->base.operations = &leveldb_operations;
    make_options(leveldb);
    return leveldb;
}

static enum status refuse(struct leveldb_engine *leveldb, enum status status, const char *text,
                          struct error *error)
{
    explain_open(leveldb->path, status, text, error);
    return status;
}

/* There is no room to open the database: it is read from a shadow. */
static enum status open_shadow(struct leveldb_engine *leveldb, struct error *error)
{
    char text[sizeof leveldb->health.text];
    enum status status = leveldb_shadow_make(leveldb->path, 0, true, &leveldb->shadow);

    if (status != STATUS_OK) {
        return refuse(leveldb, STATUS_NO_SPACE,
                      "the disk is full, and there is no room to read it from elsewhere",
                      error);
    }
    char *reason = open_files(leveldb);
    if (reason) {
        status = leveldb_text_status(reason);
        explain_open(leveldb->path, status, reason, error);
        leveldb_free(reason);
        return status;
    }
    status = leveldb_start_accounting(leveldb);
    if (status != STATUS_OK) {
        return refuse(leveldb, status, strerror(errno), error);
    }
    atomic_store(&leveldb->failure, (int)STATUS_NO_SPACE);
    (void)snprintf(text, sizeof text, "%.200s: no room to start: it is only read",
                   leveldb->path);
    leveldb_health_note(leveldb, DISK_FULL, text);
    return STATUS_OK;
}

/* Opens the files that were inspected. */
static enum status open_inspected(struct leveldb_engine *leveldb, struct error *error)
{
    char *text = open_files(leveldb);

    if (leveldb_text_status(text) == STATUS_NO_SPACE &&
        leveldb_reserve_release(&leveldb->reserve)) {
        leveldb_free(text);
        text = open_files(leveldb);
    }
    enum status status = leveldb_text_status(text);
    if (status == STATUS_NO_SPACE) {
        leveldb_free(text);
        return open_shadow(leveldb, error);
    }
    if (status != STATUS_OK) {
        explain_open(leveldb->path, status, text, error);
        leveldb_free(text);
        return error->code;
    }
    status = begin(leveldb);
    return status == STATUS_OK ? STATUS_OK : refuse(leveldb, status, strerror(errno), error);
}

/* Salvages what the inspection, or LevelDB, found damaged. */
static enum status salvage_at_start(struct leveldb_engine *leveldb, const char *what,
                                    struct engine_start *start, struct error *error)
{
    char text[sizeof start->text];

    (void)snprintf(text, sizeof text, "%.250s", what);
    enum status status = salvage(leveldb, error);
    if (status == STATUS_OK) {
        start->kind = ENGINE_SALVAGED;
        memcpy(start->text, text, sizeof text);
        /* The owner goes on from here: what it knew of the database may be gone. */
        leveldb_damage_note(&leveldb->damage, text, everything, everything);
    }
    return status;
}

/* Reads the files before LevelDB does. */
static enum status inspect(struct leveldb_engine *leveldb, struct engine_start *start,
                           struct error *error)
{
    struct leveldb_inspection found;
    enum status status = leveldb_inspect(leveldb->path, &found);

    if (status != STATUS_OK) {
        return refuse(leveldb, status, strerror(errno), error);
    }
    if (found.verdict == LEVELDB_DAMAGED) {
        error->code = STATUS_CORRUPT;
        (void)snprintf(error->text, sizeof error->text, "%.120s/%.120s", leveldb->path,
                       found.text);
        return STATUS_CORRUPT;
    }
    if (found.verdict == LEVELDB_TORN) {
        status = leveldb_inspect_cut(leveldb->path, &found);
        start->kind = ENGINE_CUT;
        memcpy(start->text, found.text, sizeof found.text);
    }
    return status == STATUS_OK ? STATUS_OK : refuse(leveldb, status, strerror(errno), error);
}

/* Opens a shadow of the database, as it would be after a salvage if it is damaged. No write is
 * taken. */
static enum status open_to_look(struct leveldb_engine *leveldb, struct engine_start *start,
                                struct error *error)
{
    struct leveldb_inspection found;
    char *text = NULL;
    enum status status = leveldb_inspect(leveldb->path, &found);

    if (status != STATUS_OK) {
        return refuse(leveldb, status, strerror(errno), error);
    }
    bool is_whole = found.verdict == LEVELDB_WELL;
    uint64_t room = is_whole ? 0 : leveldb_files_size(leveldb->path);
    status = leveldb_shadow_make(leveldb->path, room, false, &leveldb->shadow);
    if (status != STATUS_OK) {
        return refuse(leveldb, status, "there is no room for a copy: set TMPDIR", error);
    }
    leveldb->is_lost = true;
    atomic_store(&leveldb->failure, (int)STATUS_IO);
    if (!is_whole) {
        start->kind = found.verdict == LEVELDB_TORN ? ENGINE_CUT : ENGINE_SALVAGED;
        memcpy(start->text, found.text, sizeof found.text);
        leveldb_repair_db(leveldb->options, leveldb->shadow, &text);
    }
    text = text ? text : open_files(leveldb);
    if (text) {
        status = leveldb_text_status(text);
        explain_open(leveldb->path, status, text, error);
        leveldb_free(text);
    } else if (!is_whole) {
        leveldb_compact_range(leveldb->db, NULL, 0, NULL, 0);
    }
    return status;
}

/* Opens the database for the first time. */
static enum status open_database(struct leveldb_engine *leveldb,
                                 const struct engine_leveldb_options *options,
                                 struct engine_start *start, struct error *error)
{
    enum status status = leveldb_files_make_directory(leveldb->path);
    uint64_t buffer_size_max =
        options->buffer_size_max > 0 ? options->buffer_size_max : BUFFER_SIZE_DEFAULT;

    if (status != STATUS_OK) {
        return refuse(leveldb, status, strerror(errno), error);
    }
    /* Before the files are looked at: who writes them now leaves them as they are not. */
    status = leveldb_files_lock(leveldb->path, &leveldb->lock);
    if (status != STATUS_OK) {
        return refuse(leveldb, status == STATUS_BUSY ? STATUS_IO : status,
                      status == STATUS_BUSY ? "is in use by another process" : strerror(errno),
                      error);
    }
    if (options->looks_only) {
        return open_to_look(leveldb, start, error);
    }
    leveldb->buffer_size = leveldb_reserve_buffer_size(leveldb->path, buffer_size_max);
    leveldb_options_set_write_buffer_size(leveldb->options, leveldb->buffer_size);
    leveldb_reserve_init(&leveldb->reserve, leveldb->path, leveldb->buffer_size,
                         !options->without_reserve);
    if (leveldb_files_has_salvage_mark(leveldb->path)) {
        return salvage_at_start(leveldb, "a salvage of the database was cut short", start,
                                error);
    }
    status = inspect(leveldb, start, error);
    if (status == STATUS_OK) {
        status = open_inspected(leveldb, error);
    }
    if (status == STATUS_CORRUPT && options->can_salvage) {
        char what[sizeof error->text];
        memcpy(what, error->text, sizeof what);
        status = salvage_at_start(leveldb, what, start, error);
    }
    if (status == STATUS_OK && !leveldb->shadow) {
        leveldb_reserve_hold(&leveldb->reserve);
    }
    return status;
}

enum status engine_open_leveldb_with(const struct engine_leveldb_options *options,
                                     struct engine **ret_engine, struct engine_start *ret_start,
                                     struct error *error)
{
    assert(options->path && options->path[0] != '\0');

    struct engine_start start = {.kind = ENGINE_WELL};
    struct leveldb_engine *leveldb = leveldb_engine_new(options->path);
    if (!leveldb) {
        explain_open(options->path, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY), error);
        return STATUS_NO_MEMORY;
    }
    enum status status = open_database(leveldb, options, &start, error);
    if (status != STATUS_OK) {
        leveldb_engine_close(&leveldb->base);
        return status;
    }
    *ret_engine = &leveldb->base;
    *ret_start = start;
    return STATUS_OK;
}

enum status engine_leveldb_kept(const char *path, struct buffer *ret_bytes)
{
    char *database = NULL;

    if (asprintf(&database, "%s/db", path) < 0) {
        return STATUS_NO_MEMORY;
    }
    enum status status = leveldb_files_kept(database, ret_bytes);
    free(database);
    return status;
}

enum status engine_open_leveldb(const char *path, struct engine **ret_engine,
                                struct error *error)
{
    struct engine_leveldb_options options = {.path = path};
    struct engine_start start;

    return engine_open_leveldb_with(&options, ret_engine, &start, error);
}
