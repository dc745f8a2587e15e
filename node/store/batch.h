/*
 * batch.h - the pending writes of a group of requests, over the engine.
 *
 * Shape:    entries by key, found by a hash. An entry is loaded (or touched) first, which may
 *           fail, and set afterwards, which cannot: so a request that fails has changed nothing.
 *
 * Threads:  one at a time.
 */
#ifndef NODE_STORE_BATCH_H
#define NODE_STORE_BATCH_H

#include "node/store/engine.h"
#include "node/store/tree.h"
#include "ring/object.h"

/* One key of the store, as this group sees it. */
struct batch_entry {
    uint8_t *key; /* owned */
    size_t key_size;
    uint32_t hash;
    bool is_known;         /* its value was read or set */
    bool is_pending;       /* set, and not committed yet */
    bool has_stamp;        /* its value is `stamp`, eight bytes */
    uint64_t stamp;        /* an intent's */
    struct object *object; /* a record's value; NULL with !has_stamp: there is no value */
    struct object *before; /* while it is pending: the object that the engine has; or NULL */
};

/* Zeroed, with `engine` and `trees` set, is empty. */
struct batch {
    struct engine *engine;    /* borrowed */
    struct tree_store *trees; /* borrowed; NULL: what is written belongs to none */
    struct batch_entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *table; /* indexes into entries plus one; 0: free */
    size_t table_size;
    struct buffer value;   /* what was read last */
    bool has_read_pending; /* a load met a pending entry since the owner last reset this */
    char damage[DAMAGE_TEXT_SIZE]; /* the record that was corrupt last; reset by the owner */
};

/*
 * Finds or reads the object under `key`. ret_index names the entry until the batch is released.
 * A key without a value is an entry without an object. STATUS_CORRUPT for bytes that are no
 * record; else the engine's.
 */
MUST_CHECK enum status batch_load_object(struct batch *batch, struct slice key,
                                         size_t *ret_index);
/* The same for a stamp. */
MUST_CHECK enum status batch_load_stamp(struct batch *batch, struct slice key,
                                        size_t *ret_index);
/* The entry alone, to be set: its value is not read. STATUS_NO_MEMORY. */
MUST_CHECK enum status batch_touch(struct batch *batch, struct slice key, size_t *ret_index);

/* The entry as if the key had no value: for one that cannot be read. STATUS_NO_MEMORY. */
MUST_CHECK enum status batch_assume_none(struct batch *batch, struct slice key,
                                         size_t *ret_index);

/* The object of a loaded entry, or NULL. Borrowed until it is set or the batch released. */
struct object *batch_object(const struct batch *batch, size_t index);
/* The stamp of a loaded entry; false if there is none. */
bool batch_stamp(const struct batch *batch, size_t index, uint64_t *ret_stamp);
/* Fills `damage` with what is wrong with the record of an entry. */
void batch_note_damage(struct batch *batch, size_t index, const char *what);
bool batch_is_pending(const struct batch *batch, size_t index);

void batch_set_object(struct batch *batch, size_t index, struct object *object);
void batch_set_stamp(struct batch *batch, size_t index, uint64_t stamp);
void batch_delete(struct batch *batch, size_t index);

/* Writes all that is pending as one batch of the engine, with the leaves that it changes;
 * nothing if nothing is. After a failure the batch is empty, and no leaf has changed. */
MUST_CHECK enum status batch_commit(struct batch *batch, bool sync);
/* Drops everything; the batch is empty and usable again. */
void batch_release(struct batch *batch);

#endif
