/*
 * leveldb_internal.h - the engine on LevelDB, shared by its parts.
 *
 *   engine_leveldb.c   reads and writes
 *   leveldb_open.c     opening, salvage, closing
 *   leveldb_health.c   what the engine makes of its disk
 *
 * Locks:    `writing` before `gate`. Readers hold `gate` shared; a reopen holds it alone. A
 *           visitor of a scan must not call the engine.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_INTERNAL_H
#define NODE_STORE_LEVELDB_LEVELDB_INTERNAL_H

#include <leveldb/c.h>
#include <pthread.h>

#include "node/store/engine.h"
#include "node/store/leveldb/leveldb_damage.h"
#include "node/store/leveldb/leveldb_reserve.h"
#include "node/store/leveldb/leveldb_watch.h"

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
    uint64_t buffer_size; /* LevelDB's write buffer */

    struct leveldb_damage damage;
    struct leveldb_reserve reserve;
    pthread_rwlock_t gate;
    leveldb_t *db; /* NULL while it could not be reopened */

    pthread_mutex_t writing; /* one write at a time; also guards what follows */
    struct leveldb_watch watch;
    int64_t watched_ms;    /* when the names of the files were last compared */
    uint64_t look_bytes;   /* estimate, written since the logs were last listed */
    uint64_t level0_bytes; /* written since level 0 was last counted */
    uint64_t newest_log;   /* as last listed */
    uint64_t synced_log;   /* logs before this one are synced */
    int64_t reopened_ms;   /* when a reopen last failed */
    bool is_lost;          /* it could not be salvaged */
    bool is_salvaging;     /* the mark of a salvage is there, until a write is synced */
    int lock;              /* descriptor of the file that LevelDB locks; -1 */
    char *shadow;          /* where a full disk is read from; NULL: from its own place */

    atomic_int failure; /* enum status of the write that failed since the last open */
    atomic_uint_fast64_t memtable_bytes; /* estimate, at least what the memtable holds */
    atomic_bool is_level0_low;

    pthread_mutex_t health_lock; /* the last lock; guards `health` */
    struct engine_health health;
};

static inline struct leveldb_engine *leveldb_of(struct engine *engine)
{
    return (struct leveldb_engine *)engine;
}

int64_t leveldb_now_ms(void);

/* Frees LevelDB's `text`, notes damage that was met between `start` and `end` (empty: no end);
 * `is_write`: notes what it says of the disk as well. NULL is STATUS_OK. */
MUST_CHECK enum status leveldb_take_text(struct leveldb_engine *leveldb, char *text,
                                         struct slice start, struct slice end, bool is_write);
/* The status of LevelDB's text alone, which stays. */
enum status leveldb_text_status(const char *text);

/* What a failed write says of the disk. */
void leveldb_note_failed_write(struct leveldb_engine *leveldb, enum status status,
                               const char *text);

/* Starts the accounting of a database that was just opened: its memtable is empty, and what its
 * old logs held is in synced tables. `writing` is held, or nobody else knows the engine. */
MUST_CHECK enum status leveldb_start_accounting(struct leveldb_engine *leveldb);
/* Notes the size of the levels: how long a write may stall, and what a compaction may take. */
void leveldb_look_at_levels(struct leveldb_engine *leveldb);

/* leveldb_open.c: opens the database at its own place again, if there is room for it. `writing`
 * is held. STATUS_OK if it can be written to. */
MUST_CHECK enum status leveldb_recover(struct leveldb_engine *leveldb);
MUST_CHECK enum status leveldb_engine_salvage(struct engine *engine, struct error *error);
void leveldb_engine_close(struct engine *engine);

/* engine_leveldb.c */
extern const struct engine_operations leveldb_operations;

/* leveldb_health.c */
/* Worse than it was: notes it, with what and where. */
void leveldb_health_note(struct leveldb_engine *leveldb, enum disk_state state,
                         const char *text);
/* The disk is as new: after a salvage. */
void leveldb_health_reset(struct leveldb_engine *leveldb);
/* Sees that the database is where it was, before something is acknowledged; `synced`: and notes
 * that all of the log is. `writing` is held. STATUS_IO if it is gone. */
MUST_CHECK enum status leveldb_health_look(struct leveldb_engine *leveldb, bool synced);
/* True if that is due for a write without a sync. */
bool leveldb_health_is_due(const struct leveldb_engine *leveldb);
void leveldb_engine_health(struct engine *engine, struct engine_health *ret_health);
bool leveldb_engine_has_room(struct engine *engine, size_t size, bool is_vital);

#endif
