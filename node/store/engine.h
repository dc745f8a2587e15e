/*
 * engine.h - the ordered key-value engine below the store: LevelDB, or memory for tests.
 *
 * Threads:  any function from any thread, several at once.
 * Memory:   keys and values are borrowed for the call.
 */
#ifndef NODE_STORE_ENGINE_H
#define NODE_STORE_ENGINE_H

#include "node/wire/message_client.h"
#include "ring/bytes.h"

struct engine;

/* One write of a batch. */
struct engine_write {
    struct slice key;
    struct slice value;
    bool is_delete;
};

/* Called for each pair in ascending order; false stops the scan. */
typedef bool engine_visit(void *context, struct slice key, struct slice value);

/* What the engine makes of its disk. */
struct engine_health {
    enum disk_state state;
    char text[256]; /* what is wrong and where; "" if it is well */
};

struct engine_operations {
    /* Appends the value to `ret_value`. STATUS_OK, STATUS_NOT_FOUND, STATUS_CORRUPT, STATUS_IO,
     * STATUS_NO_MEMORY. */
    enum status (*get)(struct engine *engine, struct slice key, struct buffer *ret_value);
    /* All or nothing. Without sync it survives a crash of the process; with sync a power cut,
     * together with all writes before it. STATUS_NO_SPACE on a full disk. */
    enum status (*write)(struct engine *engine, const struct engine_write *writes, size_t count,
                         bool sync);
    /* Visits keys from `start` (included) to `end` (left out; empty: no end). `cold`: do not
     * fill caches. */
    enum status (*scan)(struct engine *engine, struct slice start, struct slice end, bool cold,
                        engine_visit *visit, void *context);
    /* True if a write of `size` bytes is sure not to wait for a flush or compaction now. */
    bool (*is_quick)(struct engine *engine, size_t size);
    /*
     * Closes a damaged database, keeps what can be read of it and opens it again. What is lost
     * is lost without a trace: the caller fetches it from elsewhere. Older values of lost ones
     * may come back. On failure (`error`) the engine answers STATUS_IO until it is closed.
     */
    enum status (*salvage)(struct engine *engine, struct error *error);
    /* Where a value was corrupt last, as "000012.ldb: block checksum mismatch"; "" if nowhere.
     */
    void (*last_corruption)(struct engine *engine, char *ret_text, size_t size);
    /* Looks after the disk, if nobody writes just now, and tells its state. To be called from
     * time to time. NULL: the disk is always well. */
    void (*health)(struct engine *engine, struct engine_health *ret_health);
    /* True if new content of `size` bytes may be written. What is `is_vital` (it resolves or
     * drops something) may use room that is kept from other content. NULL: always. */
    bool (*has_room)(struct engine *engine, size_t size, bool is_vital);
    /* Keeps these bytes beside the database, synced, in place of those that were kept before;
     * and reads them: STATUS_NOT_FOUND if there are none. NULL: nothing is kept. */
    enum status (*keep)(struct engine *engine, struct slice bytes);
    enum status (*kept)(struct engine *engine, struct buffer *ret_bytes);
    /* Gives back to the disk what is not needed between the two keys, as far as possible. Takes
     * long. NULL: there is nothing to give. */
    void (*compact)(struct engine *engine, struct slice start, struct slice end);
    /* About how many bytes of the disk what lies between the two keys takes. With `compact`. */
    uint64_t (*size)(struct engine *engine, struct slice start, struct slice end);
    void (*close)(struct engine *engine);
};

struct engine {
    const struct engine_operations *operations;
};

static inline struct engine_health engine_health(struct engine *engine)
{
    struct engine_health health = {.state = DISK_WELL};

    if (engine->operations->health) {
        engine->operations->health(engine, &health);
    }
    return health;
}

static inline bool engine_has_room(struct engine *engine, size_t size, bool is_vital)
{
    return !engine->operations->has_room ||
           engine->operations->has_room(engine, size, is_vital);
}

struct engine_leveldb_options {
    const char *path;         /* LevelDB in `path`/db (a node's hints: in `path`/hints/db) */
    uint64_t buffer_size_max; /* of LevelDB's write buffer, bytes; 0: the default */
    bool without_reserve;     /* no room is kept for deletes on a full disk */
    bool looks_only;          /* nothing is changed; what is salvaged is a shadow */
    bool can_salvage;         /* others have copies: damage is salvaged and not refused */
};

/* What was done to the files before they were opened. */
struct engine_start {
    enum {
        ENGINE_WELL,
        ENGINE_CUT,      /* a tail was cut off that was never acknowledged as synced */
        ENGINE_SALVAGED, /* the database was damaged; last_corruption tells so, too */
    } kind;
    char text[256]; /* what was wrong, and where */
};

/*
 * LevelDB in `path`/db, created if missing. On failure fills `error` (locked by another
 * process, newer format ...). STATUS_CORRUPT for damage that was not salvaged. On a disk
 * without room to open it, reads work and writes are STATUS_NO_SPACE until there is room.
 */
MUST_CHECK enum status engine_open_leveldb_with(const struct engine_leveldb_options *options,
                                                struct engine **ret_engine,
                                                struct engine_start *ret_start,
                                                struct error *error);
/* What was kept beside the database in `path`, which need not be open. STATUS_NOT_FOUND,
 * CORRUPT, IO. */
MUST_CHECK enum status engine_leveldb_kept(const char *path, struct buffer *ret_bytes);
/* The same with defaults. */
MUST_CHECK enum status engine_open_leveldb(const char *path, struct engine **ret_engine,
                                           struct error *error);
/* An empty one in memory. */
MUST_CHECK enum status engine_open_memory(struct engine **ret_engine);

#endif
