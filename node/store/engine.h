/*
 * engine.h - the ordered key-value engine below the store: LevelDB, or memory for tests.
 *
 * Threads:  any function from any thread, several at once.
 * Memory:   keys and values are borrowed for the call.
 */
#ifndef NODE_STORE_ENGINE_H
#define NODE_STORE_ENGINE_H

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

struct engine_operations {
    /* Appends the value to `ret_value`. STATUS_OK, STATUS_NOT_FOUND, STATUS_CORRUPT, STATUS_IO,
     * STATUS_NO_MEMORY. */
    enum status (*get)(struct engine *engine, struct slice key, struct buffer *ret_value);
    /* All or nothing. Without sync it survives a crash of the process; with sync a power cut,
     * together with all earlier writes of the same keys. STATUS_NO_SPACE on a full disk. */
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
    void (*close)(struct engine *engine);
};

struct engine {
    const struct engine_operations *operations;
};

/* LevelDB in `path`/db (a node's hints: in `path`/hints/db), created if missing. On failure
 * fills `error` (locked by another process, corruption, newer format ...). */
MUST_CHECK enum status engine_open_leveldb(const char *path, struct engine **ret_engine,
                                           struct error *error);
/* An empty one in memory. */
MUST_CHECK enum status engine_open_memory(struct engine **ret_engine);

#endif
