/*
 * hints.h - what the node keeps for members that it could not reach, in an engine of its own.
 *
 * Shape:    keys as in layout.h. How much there is for each owner is counted at the start and
 *           kept in memory; when its oldest hint was made is looked up.
 * Threads:  several at once. Load, merge and write of one hint must not run side by side: the
 *           lanes see to it, and a request that drops hints runs alone.
 * Never:    bytes that cannot be read are never "no hint"; a stamp is never given out twice.
 */
#ifndef NODE_STORE_HINTS_H
#define NODE_STORE_HINTS_H

#include <pthread.h>

#include "node/store/apply.h"

/* What is kept for one owner, summed up. */
struct hint_sum {
    node_id owner;
    uint64_t count;
    uint64_t bytes;     /* of keys and values */
    unsigned writing;   /* writes under way */
    bool may_hold_more; /* a write failed: there may be more than is counted */
};

struct hint_store {
    struct engine *engine;      /* borrowed */
    atomic_uint_fast64_t stamp; /* the greatest that was given out or found */
    atomic_bool is_partial;     /* a part could not be read when they were counted */
    atomic_bool is_damaged;     /* something could not be read since then, or was no hint */
    atomic_bool is_unjudged; /* a salvage may have given back what was handed over long ago */
    pthread_mutex_t lock;    /* guards what follows */
    struct hint_sum sums[MEMBERS_MAX]; /* ascending by owner */
    size_t sum_count;
};

/* A hint as it is stored; `size` 0: there is none. */
struct stored_hint {
    uint64_t stamp;
    uint64_t created_us;
    size_t size;           /* bytes of key and value */
    struct object *object; /* one reference; NULL for a marker, or if it was not asked for */
};

/* What becomes of one hint. */
struct hint_change {
    node_id owner;
    enum hint_kind kind;
    struct slice key;          /* borrowed */
    struct stored_hint before; /* from hint_store_load */
    struct object *object;     /* borrowed: what it becomes; NULL for a marker */
    bool is_delete;
};

/* Reads the hint into ret_before->size and so on. `with_object`: decodes it as well.
 * STATUS_CORRUPT for bytes that are no hint, and while hints are not judged; else the
 * engine's. */
MUST_CHECK enum status hint_store_load(struct hint_store *hints, node_id owner,
                                       enum hint_kind kind, struct slice key, bool with_object,
                                       struct stored_hint *ret_before);
void stored_hint_release(struct stored_hint *stored);

/* Carries out all changes, which name different hints, as one batch; nothing of it on failure.
 * What is new was created at wall_us. STATUS_BUSY for one owner more than MEMBERS_MAX. */
MUST_CHECK enum status hint_store_write(struct hint_store *hints,
                                        const struct hint_change *changes, size_t count,
                                        uint64_t wall_us, bool sync);

/* Takes the value of a stored hint apart; false if it is none. */
bool hint_store_parse_value(struct slice value, struct stored_hint *ret_stored,
                            struct slice *ret_record);

/* Finds or makes the sum of an owner; NULL if the table is full. The lock is held. */
struct hint_sum *hint_store_sum(struct hint_store *hints, node_id owner);

/* STATUS_OK if the value is a whole hint of this kind, with the contents that it was stored
 * with, and no object older than before_us; else STATUS_CORRUPT or STATUS_NO_MEMORY. */
MUST_CHECK enum status hint_store_verify(enum hint_kind kind, struct slice value,
                                         uint64_t before_us);

/* When the oldest hint of the owner was created, of those that can be read; 0 if there is none.
 */
MUST_CHECK enum status hint_store_oldest(struct hint_store *hints, node_id owner,
                                         uint64_t *ret_created_us);

/*
 * Is there any hint for the key, of whatever kind, for any owner? No write may be under way.
 * STATUS_CORRUPT if one that cannot be read might be for it. STATUS_OK and none if hints are
 * not kept (store_hints_open was not called).
 */
MUST_CHECK enum status hints_any_for_key(struct store_state *state, struct slice key,
                                         bool *ret_any);

/*
 * For STORE_SALVAGE: if damage was met, keeps what can be read of the hints, drops the rest,
 * counts anew. Older states of a hint may come back, with the own pair of that time: so the
 * node's trusted_since is to be raised, on the disk, before this. Hints come back too that were
 * handed over, of keys that were deleted and reaped since: so objects older than `before_us`
 * are dropped (as aside_put_old), for who else has them gives them to their owner, and who has
 * not may have reaped them. Nothing else may use the state meanwhile.
 */
MUST_CHECK enum status hint_store_salvage(struct store_state *state, uint64_t before_us,
                                          struct error *error);

/* For state.c: before the clean mark is written, so that it vouches for hints as well. */
MUST_CHECK enum status hint_store_sync(struct store_state *state);
/* Frees what store_hints_open made; the engine stays open. */
void hint_store_release(struct store_state *state);

#endif
