/*
 * engine_leveldb.c - the engine on LevelDB.
 *
 * Found by experiment with LevelDB 1.23 on a full disk: a failed append leaves the log's writer
 * out of step with the file. Writes that succeed after it, once there is room again, make a log
 * that the next open rejects as corrupt, as a whole. So after one failed write nothing more is
 * written through that handle: a full disk leads to a reopen as soon as there is room, which
 * cuts the torn end off; any other failure is final until the process restarts. Reads go on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/leveldb/leveldb_files.h"
#include "node/store/leveldb/leveldb_internal.h"

enum {
    /* While our estimate of the memtable, which is never too low, is below so many eighths of
       the write buffer, no write switches it. */
    QUICK_EIGHTHS = 7,
    /* A skip list node, two lengths and a sequence number. */
    MEMTABLE_ENTRY_OVERHEAD = 96,
    /* Above that the switch is looked for each time this much was written. */
    MEMTABLE_LOOK_SIZE = 1 << 20,
    /* The levels are looked at anew each time this much, or a whole buffer, was written. */
    LEVEL0_REFRESH_SIZE = 4 << 20,
    /* For one write on a full disk. */
    REOPENS_MAX = 3,
};

static const struct slice everything; /* as start or end of a range */

/* Takes `gate` shared with the database open, or fails without it. */
static enum status enter_reading(struct leveldb_engine *leveldb)
{
    pthread_rwlock_rdlock(&leveldb->gate);
    if (leveldb->db) {
        return STATUS_OK;
    }
    pthread_rwlock_unlock(&leveldb->gate);

    pthread_mutex_lock(&leveldb->writing);
    enum status status = leveldb_recover(leveldb);
    pthread_mutex_unlock(&leveldb->writing);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_rwlock_rdlock(&leveldb->gate);
    if (leveldb->db) {
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
    status = leveldb_take_text(leveldb, text, key, key, false);
    if (status == STATUS_OK && !value) {
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
    return leveldb_take_text(leveldb, text, start, end, false);
}

static uint64_t quick_size(const struct leveldb_engine *leveldb)
{
    return leveldb->buffer_size / 8 * QUICK_EIGHTHS;
}

/* Adds a write to the estimates. Looks for a switch of the memtable when one is possible. */
static void account(struct leveldb_engine *leveldb, uint64_t memtable_bytes)
{
    leveldb->look_bytes += memtable_bytes;
    leveldb->level0_bytes += memtable_bytes;
    uint64_t in_memtable =
        atomic_fetch_add(&leveldb->memtable_bytes, memtable_bytes) + memtable_bytes;

    if (in_memtable >= quick_size(leveldb) && leveldb->look_bytes >= MEMTABLE_LOOK_SIZE) {
        struct leveldb_logs logs;
        enum status status = leveldb_files_logs(leveldb->path, &logs);

        if (status == STATUS_OK && logs.newest != leveldb->newest_log) {
            leveldb->newest_log = logs.newest;
            atomic_store(&leveldb->memtable_bytes, leveldb->look_bytes);
        }
        leveldb->look_bytes = 0;
    }
    if (leveldb->level0_bytes >= LEVEL0_REFRESH_SIZE ||
        leveldb->level0_bytes >= leveldb->buffer_size) {
        leveldb_look_at_levels(leveldb);
    }
}

/*
 * LevelDB syncs the log that it writes to. When the memtable was switched since the last sync,
 * earlier writes are in an older log, which nobody synced.
 */
static enum status sync_older_logs(struct leveldb_engine *leveldb)
{
    struct leveldb_logs logs;

    if (atomic_load(&leveldb->memtable_bytes) < quick_size(leveldb) &&
        leveldb->newest_log == leveldb->synced_log) {
        return STATUS_OK;
    }
    enum status status = leveldb_files_logs(leveldb->path, &logs);
    if (status == STATUS_OK && logs.newest > leveldb->synced_log) {
        status = leveldb_files_sync_logs(leveldb->path, leveldb->synced_log, logs.newest);
    }
    if (status == STATUS_OK) {
        leveldb->synced_log = logs.newest;
    } else {
        leveldb_note_failed_write(leveldb, status, strerror(errno));
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
    enum status status = leveldb_take_text(leveldb, text, everything, everything, true);
    if (status == STATUS_OK) {
        /* The memtable takes its memory in blocks, of which at most a quarter is left over. */
        account(leveldb, memtable_bytes + memtable_bytes / 3);
    }
    if (status == STATUS_OK && sync) {
        status = sync_older_logs(leveldb);
    }
    return status;
}

/* `writing` is held. Nothing is acknowledged that was written into files without a name. */
static enum status write_and_look(struct leveldb_engine *leveldb,
                                  const struct engine_write *writes, size_t count, bool sync)
{
    enum status status = leveldb_recover(leveldb);

    if (status != STATUS_OK) {
        return status;
    }
    status = write_batch(leveldb, writes, count, sync);
    atomic_store(&leveldb->failure, (int)status);
    if (status == STATUS_OK && (sync || leveldb_health_is_due(leveldb))) {
        status = leveldb_health_look(leveldb, sync);
    }
    return status;
}

static enum status leveldb_engine_write(struct engine *engine,
                                        const struct engine_write *writes, size_t count,
                                        bool sync)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    pthread_mutex_lock(&leveldb->writing);
    enum status status = write_and_look(leveldb, writes, count, sync);
    (void)(status == STATUS_NO_SPACE && leveldb_reserve_release(&leveldb->reserve));
    /* A compaction that found no room ends every write; between a reopen and its next try there
       is time for one. */
    for (int i = 0; i < REOPENS_MAX && status == STATUS_NO_SPACE; i++) {
        status = write_and_look(leveldb, writes, count, sync);
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
           atomic_load(&leveldb->memtable_bytes) + size < quick_size(leveldb);
}

static void leveldb_engine_last_corruption(struct engine *engine, char *ret_text, size_t size)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    leveldb_damage_tell(&leveldb->damage, leveldb->path, ret_text, size);
}

static enum status leveldb_engine_keep(struct engine *engine, struct slice bytes)
{
    return leveldb_files_keep(leveldb_of(engine)->path, bytes);
}

static enum status leveldb_engine_kept(struct engine *engine, struct buffer *ret_bytes)
{
    return leveldb_files_kept(leveldb_of(engine)->path, ret_bytes);
}

/* A reopen must wait for it, and so would the readers behind that: it is kept short. */
static void leveldb_engine_compact(struct engine *engine, struct slice start, struct slice end)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);

    if (leveldb->shadow || enter_reading(leveldb) != STATUS_OK) {
        return;
    }
    leveldb_compact_range(leveldb->db, (const char *)start.data, start.size,
                          (const char *)end.data, end.size);
    pthread_rwlock_unlock(&leveldb->gate);
    pthread_mutex_lock(&leveldb->writing);
    if (leveldb->db) {
        leveldb_look_at_levels(leveldb);
    }
    pthread_mutex_unlock(&leveldb->writing);
}

static uint64_t leveldb_engine_size(struct engine *engine, struct slice start, struct slice end)
{
    struct leveldb_engine *leveldb = leveldb_of(engine);
    const char *keys[2] = {(const char *)start.data, (const char *)end.data};
    uint64_t size = 0;

    if (enter_reading(leveldb) == STATUS_OK) {
        leveldb_approximate_sizes(leveldb->db, 1, &keys[0], &start.size, &keys[1], &end.size,
                                  &size);
        pthread_rwlock_unlock(&leveldb->gate);
    }
    return size;
}

const struct engine_operations leveldb_operations = {
    .get = leveldb_engine_get,
    .write = leveldb_engine_write,
    .scan = leveldb_engine_scan,
    .is_quick = leveldb_engine_is_quick,
    .salvage = leveldb_engine_salvage,
    .last_corruption = leveldb_engine_last_corruption,
    .health = leveldb_engine_health,
    .has_room = leveldb_engine_has_room,
    .keep = leveldb_engine_keep,
    .kept = leveldb_engine_kept,
    .compact = leveldb_engine_compact,
    .size = leveldb_engine_size,
    .close = leveldb_engine_close,
};
