/*
 * engine_leveldb.c - the engine on LevelDB.
 *
 * Found by experiment with LevelDB 1.23 on a full disk: a failed append leaves the log's writer
 * out of step with the file. Writes that succeed after it, once there is room again, make a log
 * that the next open rejects as corrupt, as a whole. So after one failed write nothing more is
 * written through that handle: a full disk leads to a reopen as soon as there is room, which
 * cuts the torn end off; any other failure is final until the process restarts. Reads go on.
 *
 * Locks:    `writing` before `gate`. Readers hold `gate` shared; a reopen holds it alone. A
 *           visitor of a scan must not call the engine.
 */
#include "node/store/engine.h"

#include <assert.h>
#include <errno.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/store/leveldb_damage.h"
#include "node/store/leveldb_files.h"
#include "node/store/leveldb_tables.h"

enum {
    WRITE_BUFFER_SIZE = 64 << 20,
    BLOCK_CACHE_SIZE = 64 << 20,
    BLOOM_BITS_PER_KEY = 10,
    /* While our estimate of the memtable, which is never too low, is below this, no write
       switches it. */
    MEMTABLE_QUICK_SIZE = 56 << 20,
    /* A skip list node, two lengths and a sequence number. */
    MEMTABLE_ENTRY_OVERHEAD = 96,
    /* Above MEMTABLE_QUICK_SIZE the switch is looked for each time this much was written. */
    MEMTABLE_LOOK_SIZE = 1 << 20,
    /* The count of level-0 files is refreshed each time this much was written. */
    LEVEL0_REFRESH_SIZE = 4 << 20,
    /* LevelDB delays writes from 8 level-0 files on; below 8 with a margin for those that come
       between two refreshes. */
    LEVEL0_QUICK_FILES = 6,
    /* Beyond what the logs hold, a reopen writes a manifest and the tables' indexes. */
    REOPEN_SPARE_SIZE = 4 << 20,
    REOPEN_PAUSE_MS = 200,
    /* Read at most of the logs to find which one is damaged. */
    LOGS_SEARCHED_MAX = 512 << 20,
};

struct leveldb_engine {
    struct engine base;
    char *path;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_readoptions_t *read_options;
    leveldb_readoptions_t *cold_read_options;
    leveldb_writeoptions_t *write_options;
    leveldb_writeoptions_t *sync_write_options;

    struct leveldb_damage damage;
    pthread_rwlock_t gate;
    leveldb_t *db; /* NULL while it could not be reopened */

    pthread_mutex_t writing; /* one write at a time; also guards what follows */
    uint64_t look_bytes;     /* estimate, written since the logs were last listed */
    uint64_t level0_bytes;   /* written since level 0 was last counted */
    uint64_t newest_log;     /* as last listed */
    uint64_t synced_log;     /* logs before this one are synced */
    int64_t reopened_ms;     /* when a reopen last failed */
    bool is_lost;            /* it could not be salvaged */
    bool is_salvaging;       /* the mark of a salvage is there, until a write is synced */
    atomic_int failure;      /* enum status of the write that failed since the last open */
    atomic_uint_fast64_t memtable_bytes; /* estimate, at least what the memtable holds */
    atomic_bool is_level0_low;
};

static const struct slice everything; /* as start or end of a range */

static struct leveldb_engine *leveldb_of(struct engine *engine)
{
    return (struct leveldb_engine *)engine;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool text_has_errno(const char *text, int error_number)
{
    /* LevelDB appends strerror()'s text, in whichever language that is. */
    return strstr(text, strerror(error_number)) != NULL;
}

/* Frees `text`. A missing file of the database is corruption: it is never "not found". */
static enum status status_take_text(char *text)
{
    enum status status = STATUS_IO;

    if (text == NULL) {
        return STATUS_OK;
    }
    if (strncmp(text, "Corruption", strlen("Corruption")) == 0 ||
        strncmp(text, "NotFound", strlen("NotFound")) == 0) {
        status = STATUS_CORRUPT;
    } else if (text_has_errno(text, ENOSPC) || text_has_errno(text, EDQUOT)) {
        status = STATUS_NO_SPACE;
    }
    leveldb_free(text);
    return status;
}

/* The same, and notes damage that was met between `start` and `end` (empty: no end). */
static enum status outcome_take_text(struct leveldb_engine *leveldb, char *text,
                                     struct slice start, struct slice end)
{
    static const char head[] = "Corruption: ";
    const char *told = text;

    if (text != NULL && strncmp(text, head, strlen(head)) == 0) {
        told += strlen(head);
    }
    char copy[256] = "";
    if (told != NULL) {
        (void)snprintf(copy, sizeof copy, "%s", told);
    }
    enum status status = status_take_text(text);
    if (status == STATUS_CORRUPT) {
        leveldb_damage_note(&leveldb->damage, copy, start, end);
    }
    return status;
}

static void explain_open(const char *path, enum status status, const char *text,
                         struct error *error)
{
    bool is_locked = strstr(text, "/LOCK: ") != NULL;

    error->code = status;
    if (is_locked && (text_has_errno(text, EAGAIN) || text_has_errno(text, EACCES) ||
                      strstr(text, "already held") != NULL)) {
        (void)snprintf(error->text, sizeof error->text, "%s: is in use by another process",
                       path);
    } else {
        (void)snprintf(error->text, sizeof error->text, "%s: %s", path, text);
    }
}

static void count_level0(struct leveldb_engine *leveldb)
{
    char *text = leveldb_property_value(leveldb->db, "leveldb.num-files-at-level0");
    bool is_low = text != NULL && strtol(text, NULL, 10) <= LEVEL0_QUICK_FILES;

    leveldb_free(text);
    leveldb->level0_bytes = 0;
    atomic_store(&leveldb->is_level0_low, is_low);
}

/* Starts the accounting of a database that was just opened: its memtable is empty, and what its
 * old logs held is in synced tables. */
static enum status start_accounting(struct leveldb_engine *leveldb)
{
    struct leveldb_logs logs;
    enum status status = leveldb_files_logs(leveldb->path, &logs);

    if (status != STATUS_OK) {
        return status;
    }
    leveldb->look_bytes = 0;
    leveldb->newest_log = logs.newest;
    leveldb->synced_log = logs.newest;
    atomic_store(&leveldb->memtable_bytes, 0);
    atomic_store(&leveldb->failure, STATUS_OK);
    count_level0(leveldb);
    return STATUS_OK;
}

/* Closes and opens the database again. `writing` is held. */
static enum status reopen(struct leveldb_engine *leveldb)
{
    char *text = NULL;

    pthread_rwlock_wrlock(&leveldb->gate);
    if (leveldb->db != NULL) {
        leveldb_close(leveldb->db);
    }
    leveldb->db = leveldb_open(leveldb->options, leveldb->path, &text);
    enum status status = outcome_take_text(leveldb, text, everything, everything);
    if (status == STATUS_OK) {
        status = start_accounting(leveldb);
    }
    if (status != STATUS_OK) {
        leveldb->reopened_ms = monotonic_ms();
        atomic_store(&leveldb->failure, (int)status);
    }
    pthread_rwlock_unlock(&leveldb->gate);
    return status;
}

/*
 * After a write failed on a full disk: reopens the database if there is room now. `writing` is
 * held. STATUS_OK if it can be written to.
 */
static enum status recover(struct leveldb_engine *leveldb)
{
    enum status failure = (enum status)atomic_load(&leveldb->failure);
    struct leveldb_logs logs;

    if (failure == STATUS_OK) {
        return STATUS_OK;
    }
    if (leveldb->is_lost) {
        return STATUS_IO;
    }
    bool is_open = leveldb->db != NULL;
    if (failure == STATUS_CORRUPT || (is_open && failure != STATUS_NO_SPACE)) {
        return failure;
    }
    if (!is_open && monotonic_ms() - leveldb->reopened_ms < REOPEN_PAUSE_MS) {
        return failure;
    }
    /* Opening turns the logs into tables; if it failed for want of room, reads would stop. */
    if (leveldb_files_logs(leveldb->path, &logs) != STATUS_OK) {
        return failure;
    }
    if (leveldb_files_free_bytes(leveldb->path) < logs.size_bytes + REOPEN_SPARE_SIZE) {
        return failure;
    }
    return reopen(leveldb);
}

/* Takes `gate` shared with the database open, or fails without it. */
static enum status enter_reading(struct leveldb_engine *leveldb)
{
    pthread_rwlock_rdlock(&leveldb->gate);
    if (leveldb->db != NULL) {
        return STATUS_OK;
    }
    pthread_rwlock_unlock(&leveldb->gate);

    pthread_mutex_lock(&leveldb->writing);
    enum status status = recover(leveldb);
    pthread_mutex_unlock(&leveldb->writing);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_rwlock_rdlock(&leveldb->gate);
    if (leveldb->db != NULL) {
        return STATUS_OK;
    }
    pthread_rwlock_unlock(&leveldb->gate);
    return STATUS_IO;
}

static enum status leveldb_engine_get(struct engine *engine, struct slice key,
                                      struct buffer *ret_value)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);
    char *text = NULL;
    size_t size = 0;
    enum status status = enter_reading(leveldb);

    if (status != STATUS_OK) {
        return status;
    }
    char *value = leveldb_get(leveldb->db, leveldb->read_options, (const char *)key.data,
                              key.size, &size, &text);
    pthread_rwlock_unlock(&leveldb->gate);
    status = outcome_take_text(leveldb, text, key, key);
    if (status == STATUS_OK && value == NULL) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        buffer_append(ret_value, value, size);
        status = ret_value->failed ? STATUS_NO_MEMORY : STATUS_OK;
    }
    leveldb_free(value);
    return status;
}

static enum status leveldb_engine_scan(struct engine *engine, struct slice start,
                                       struct slice end, bool cold, engine_visit *visit,
                                       void *context)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);
    char *text = NULL;
    enum status status = enter_reading(leveldb);

    if (status != STATUS_OK) {
        return status;
    }
    leveldb_iterator_t *iterator = leveldb_create_iterator(
        leveldb->db, cold ? leveldb->cold_read_options : leveldb->read_options);
    leveldb_iter_seek(iterator, (const char *)start.data, start.size);
    while (leveldb_iter_valid(iterator)) {
        size_t key_size = 0;
        size_t value_size = 0;
        const char *key_data = leveldb_iter_key(iterator, &key_size);
        struct slice key = slice_of(key_data, key_size);

        if (end.size > 0 && slice_compare(key, end) >= 0) {
            break;
        }
        const char *value_data = leveldb_iter_value(iterator, &value_size);
        if (!visit(context, key, slice_of(value_data, value_size))) {
            break;
        }
        leveldb_iter_next(iterator);
    }
    /* An iterator steps over a block that it cannot read, and only tells so here. */
    leveldb_iter_get_error(iterator, &text);
    leveldb_iter_destroy(iterator);
    pthread_rwlock_unlock(&leveldb->gate);
    return outcome_take_text(leveldb, text, start, end);
}

/* Adds a write to the estimates. Looks for a switch of the memtable when one is possible. */
static void account(struct leveldb_engine *leveldb, uint64_t memtable_bytes)
{
    leveldb->look_bytes += memtable_bytes;
    leveldb->level0_bytes += memtable_bytes;
    uint64_t in_memtable =
        atomic_fetch_add(&leveldb->memtable_bytes, memtable_bytes) + memtable_bytes;

    if (in_memtable >= MEMTABLE_QUICK_SIZE && leveldb->look_bytes >= MEMTABLE_LOOK_SIZE) {
        struct leveldb_logs logs;
        enum status status = leveldb_files_logs(leveldb->path, &logs);

        if (status == STATUS_OK && logs.newest != leveldb->newest_log) {
            leveldb->newest_log = logs.newest;
            atomic_store(&leveldb->memtable_bytes, leveldb->look_bytes);
        }
        leveldb->look_bytes = 0;
    }
    if (leveldb->level0_bytes >= LEVEL0_REFRESH_SIZE) {
        count_level0(leveldb);
    }
}

/*
 * LevelDB syncs the log that it writes to. When the memtable was switched since the last sync,
 * earlier writes are in an older log, which nobody synced.
 */
static enum status sync_older_logs(struct leveldb_engine *leveldb)
{
    struct leveldb_logs logs;

    if (atomic_load(&leveldb->memtable_bytes) < MEMTABLE_QUICK_SIZE &&
        leveldb->newest_log == leveldb->synced_log) {
        return STATUS_OK;
    }
    enum status status = leveldb_files_logs(leveldb->path, &logs);
    if (status == STATUS_OK && logs.newest > leveldb->synced_log) {
        status = leveldb_files_sync_logs(leveldb->path, leveldb->synced_log, logs.newest);
    }
    if (status == STATUS_OK) {
        leveldb->synced_log = logs.newest;
    }
    return status;
}

/* `writing` is held, and the database is open. */
static enum status write_batch(struct leveldb_engine *leveldb,
                               const struct engine_write *writes, size_t count, bool sync)
{
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    uint64_t memtable_bytes = 0;
    char *text = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct engine_write *write = &writes[i];
        const char *key = (const char *)write->key.data;

        memtable_bytes += write->key.size + MEMTABLE_ENTRY_OVERHEAD;
        if (write->is_delete) {
            leveldb_writebatch_delete(batch, key, write->key.size);
        } else {
            leveldb_writebatch_put(batch, key, write->key.size, (const char *)write->value.data,
                                   write->value.size);
            memtable_bytes += write->value.size;
        }
    }
    leveldb_write(leveldb->db, sync ? leveldb->sync_write_options : leveldb->write_options,
                  batch, &text);
    leveldb_writebatch_destroy(batch);
    /* What is damaged is not what was written, but what a compaction met. */
    enum status status = outcome_take_text(leveldb, text, everything, everything);
    if (status == STATUS_OK) {
        /* The memtable takes its memory in blocks, of which at most a quarter is left over. */
        account(leveldb, memtable_bytes + memtable_bytes / 3);
    }
    if (status == STATUS_OK && sync) {
        status = sync_older_logs(leveldb);
    }
    return status;
}

static enum status leveldb_engine_write(struct engine *engine,
                                        const struct engine_write *writes, size_t count,
                                        bool sync)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    pthread_mutex_lock(&leveldb->writing);
    enum status status = recover(leveldb);
    if (status == STATUS_OK) {
        status = write_batch(leveldb, writes, count, sync);
        atomic_store(&leveldb->failure, (int)status);
    }
    if (status == STATUS_OK && sync && leveldb->is_salvaging) {
        /* The owner has written, synced, how things are now. */
        leveldb_files_mark_salvage(leveldb->path, false);
        leveldb->is_salvaging = false;
    }
    pthread_mutex_unlock(&leveldb->writing);
    return status;
}

static bool leveldb_engine_is_quick(struct engine *engine, size_t size)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    return atomic_load(&leveldb->failure) == STATUS_OK &&
           atomic_load(&leveldb->is_level0_low) &&
           atomic_load(&leveldb->memtable_bytes) + size < MEMTABLE_QUICK_SIZE;
}

static void leveldb_engine_last_corruption(struct engine *engine, char *ret_text, size_t size)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    leveldb_damage_tell(&leveldb->damage, leveldb->path, ret_text, size);
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
    if (*ret_text != NULL) {
        return STATUS_IO;
    }
    leveldb->db = leveldb_open(leveldb->options, leveldb->path, ret_text);
    if (*ret_text != NULL) {
        return STATUS_IO;
    }
    leveldb_compact_range(leveldb->db, NULL, 0, NULL, 0);
    return start_accounting(leveldb);
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
    if (leveldb->db != NULL) {
        leveldb_close(leveldb->db);
        leveldb->db = NULL;
    }
    status = repair(leveldb, &text);
    leveldb->is_lost = status != STATUS_OK;
    if (status == STATUS_OK) {
        leveldb_damage_forget(&leveldb->damage);
        return STATUS_OK;
    }
    explain_open(leveldb->path, status, text != NULL ? text : strerror(errno), error);
    (void)status_take_text(text);
    if (leveldb->db != NULL) {
        leveldb_close(leveldb->db);
        leveldb->db = NULL;
    }
    atomic_store(&leveldb->failure, STATUS_IO);
    return status;
}

static enum status leveldb_engine_salvage(struct engine *engine, struct error *error)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    pthread_mutex_lock(&leveldb->writing);
    pthread_rwlock_wrlock(&leveldb->gate);
    enum status status = salvage(leveldb, error);
    pthread_rwlock_unlock(&leveldb->gate);
    pthread_mutex_unlock(&leveldb->writing);
    return status;
}

static void leveldb_engine_close(struct engine *engine)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    if (leveldb->db != NULL) {
        leveldb_close(leveldb->db);
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
    leveldb_damage_release(&leveldb->damage);
    free(leveldb->path);
    free(leveldb);
}

static const struct engine_operations leveldb_operations = {
    .get = leveldb_engine_get,
    .write = leveldb_engine_write,
    .scan = leveldb_engine_scan,
    .is_quick = leveldb_engine_is_quick,
    .salvage = leveldb_engine_salvage,
    .last_corruption = leveldb_engine_last_corruption,
    .close = leveldb_engine_close,
};

static void make_options(struct leveldb_engine *leveldb)
{
    leveldb->options = leveldb_options_create();
    leveldb->cache = leveldb_cache_create_lru(BLOCK_CACHE_SIZE);
    leveldb->filter = leveldb_filterpolicy_create_bloom(BLOOM_BITS_PER_KEY);
    leveldb_options_set_create_if_missing(leveldb->options, 1);
    leveldb_options_set_paranoid_checks(leveldb->options, 1);
    leveldb_options_set_write_buffer_size(leveldb->options, WRITE_BUFFER_SIZE);
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

    if (leveldb == NULL) {
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
    leveldb_damage_init(&leveldb->damage);
    leveldb->base.operations = &leveldb_operations;
    make_options(leveldb);
    return leveldb;
}

/* Takes LevelDB's text. Damage in a log it tells without naming the log. */
static enum status explain_failed_open(struct leveldb_engine *leveldb, char *text,
                                       struct error *error)
{
    char found[128];
    bool is_named = strchr(text, '/') != NULL;

    explain_open(leveldb->path, STATUS_IO, text, error);
    error->code = status_take_text(text);
    if (error->code == STATUS_CORRUPT && !is_named &&
        leveldb_logs_find_damage(leveldb->path, LOGS_SEARCHED_MAX, found, sizeof found)) {
        (void)snprintf(error->text, sizeof error->text, "%s/%s", leveldb->path, found);
    }
    return error->code;
}

/* Opens the database for the first time. */
static enum status open_database(struct leveldb_engine *leveldb, struct error *error)
{
    char *text = NULL;
    enum status status = leveldb_files_make_directory(leveldb->path);

    if (status != STATUS_OK) {
        explain_open(leveldb->path, status, strerror(errno), error);
        return status;
    }
    status = leveldb_files_check(leveldb->path);
    if (status != STATUS_OK) {
        explain_open(leveldb->path, status,
                     status == STATUS_CORRUPT ? "holds data but no CURRENT file"
                                              : strerror(errno),
                     error);
        return status;
    }
    if (leveldb_files_has_salvage_mark(leveldb->path)) {
        status = salvage(leveldb, error);
        leveldb_damage_note(&leveldb->damage, "a salvage of the database was cut short",
                            everything, everything);
        return status;
    }
    leveldb->db = leveldb_open(leveldb->options, leveldb->path, &text);
    if (text != NULL) {
        return explain_failed_open(leveldb, text, error);
    }
    status = start_accounting(leveldb);
    if (status != STATUS_OK) {
        explain_open(leveldb->path, status, strerror(errno), error);
    }
    return status;
}

enum status engine_open_leveldb(const char *path, struct engine **ret_engine,
                                struct error *error)
{
    assert(path != NULL && path[0] != '\0');

    struct leveldb_engine *leveldb = leveldb_engine_new(path);
    if (leveldb == NULL) {
        explain_open(path, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY), error);
        return STATUS_NO_MEMORY;
    }
    enum status status = open_database(leveldb, error);
    if (status != STATUS_OK) {
        leveldb_engine_close(&leveldb->base);
        return status;
    }
    *ret_engine = &leveldb->base;
    return STATUS_OK;
}
