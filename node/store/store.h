/*
 * store.h - what a storage node keeps, and the requests that change it.
 *
 * Shape:    a request is applied whole or not at all; all its writes are one batch. Requests
 *           for one key are applied in the order in which they were submitted: read, merge and
 *           write of a key are atomic. The rules of causality are ring/object.h's; the store
 *           only calls them.
 *
 * Keys:     see node/store/layout.h.
 *
 * Never:    bytes that fail a checksum are never "not found": STATUS_CORRUPT.
 *
 * An object that is nothing (object_is_nothing) is never written: such a request is done
 * without a trace.
 *
 * Every row that becomes live under a directory whose object is missing or deleted on this
 * copy, and every directory object that becomes deleted, leaves a durable *revival intent* for
 * the directory in the same batch (docs/design.md, Objects and rows: a live row revives its
 * directory).
 */
#ifndef NODE_STORE_STORE_H
#define NODE_STORE_STORE_H

#include "node/wire/message.h"

/* Members that one put can miss: those that hold the object, and those that hold its row. */
enum { OWNERS_MAX = 2 * REPLICAS_MAX };

enum store_operation {
    STORE_GET,             /* the object under a key */
    STORE_GET_HINTS,       /* the merge of the hints for some owners, not the own copy */
    STORE_COORDINATE,      /* object_update at the coordinator */
    STORE_COORDINATE_HINT, /* the same at a fallback: of a hint, not of the own copy */
    STORE_MERGE,           /* a finished object from elsewhere */
    STORE_LIST,            /* rows of a directory */
    STORE_FIND_LIVE_ROW,   /* the first live row of a directory after a name */
    STORE_LIST_INTENTS,    /* row intents or revival intents, oldest key first */
    STORE_CLEAR_INTENTS,   /* drops intents that are still the same */
    STORE_SAVE_RING,       /* the ring state, synced */
    STORE_HOLDS_DATA,      /* is there any object or row? */
    STORE_HINT,            /* keeps an object for members that could not be reached */
    STORE_LIST_HINTS,      /* hints for one member, oldest key first */
    STORE_CLEAR_HINTS,     /* drops hints that are still the same */
    STORE_HINT_OWNERS,     /* whom are there hints for? */
    STORE_TREE,            /* hashes of a partition's Merkle tree */
    STORE_TREE_KEYS,       /* entries of a partition below some leaves */
    STORE_SCRUB,           /* reads a slice of a partition anew, verifies it, builds its tree */
    STORE_SALVAGE,         /* keeps what can be read of a damaged database, drops the rest */
    STORE_PROJECT,         /* merges the projection of the own object into the own row */
    STORE_REAP,            /* checks or drops a tombstone */
    STORE_SYNC,            /* what was written so far, hints too, survives a power cut */
    STORE_VOUCH,        /* takes down a member's incarnation, synced; what was known before */
    STORE_TRUST,        /* own pairs of earlier incarnations are extended again */
    STORE_SET_COMPLETE, /* notes whether the node's copies are complete, synced */
};

enum intent_kind {
    INTENT_ROW = 'i', /* push the row of an object: under the object's key */
    /* See that a directory with a live row lives: under the directory's key. */
    INTENT_REVIVE = 'v',
};

/* A durable note that something is still to be done. `stamp` differs for each time it was
 * written. */
struct intent {
    enum intent_kind kind;
    struct blob *key;
    uint64_t stamp; /* a counter reading, microseconds */
};

/* What is kept for a member. */
enum hint_kind {
    HINT_OBJECT = 'o', /* a whole object, merged from all that were handed over */
    HINT_MARKER = 'm', /* just a note: the own copy of the key is to be sent */
};

struct hint {
    node_id owner;
    enum hint_kind kind;
    struct blob *key;
    struct object *object; /* HINT_OBJECT */
    uint64_t stamp;        /* differs for each time it was written */
    uint64_t created_us;   /* wall clock when there was none before */
};

struct store_request {
    enum store_operation operation;
    uint64_t token;   /* echoed in the result */
    uint64_t wall_us; /* the wall clock, for counters and intent stamps */
    struct blob *key; /* object key; the directory key for LIST and FIND_LIVE_ROW */

    /* STORE_COORDINATE: the put. context, dots and value are owned as in message_put. */
    struct message_put *put; /* owned (malloc); its key equals `key` */
    bool with_row;    /* this node holds the key's row as well: merge it in the same batch */
    bool over_damage; /* COORDINATE: an old value that cannot be read is lost, and written over:
                         there is no other copy */
    bool with_intent; /* leave a row intent (every put but UPDATE_NONE on a root) */

    /* STORE_MERGE */
    struct object *object;
    /* REPLICA_OBJECT | REPLICA_ROW; with_intent: a handed-off object, the row is this node's
     * duty now. */
    uint8_t parts;
    bool heals; /* contents of the own copy that do not match their hash are replaced by those
                   of `object`; STATUS_CORRUPT if it lacks one of them */

    bool sync; /* COORDINATE, MERGE: survive a power cut, not just a crash: written with a sync
                  even if nothing changes */

    /* STORE_LIST; FIND_LIVE_ROW uses start (exclusive). */
    struct message_list list; /* `directory` unused: it is `key` */

    /* STORE_LIST_INTENTS: from `key` (exclusive; NULL: the beginning), `limit` of them, stamped
     * at or before `stamp_max`. */
    enum intent_kind intent_kind;
    uint16_t limit;
    uint64_t stamp_max;

    /* STORE_CLEAR_INTENTS: owned array; one is dropped only if its stamp is still the stored
     * one. */
    struct intent *intents;
    uint16_t intent_count;

    struct ring *ring;    /* STORE_SAVE_RING: owned */
    bool mark_incomplete; /* SAVE_RING: the node re-enters empty, in the same batch */
    bool is_complete;     /* SET_COMPLETE */
    bool brings_back;     /* ... by hand: what a salvage gave back counts again */
    /* VOUCH: of the member owners[0]. TRUST: if not 0 there is no trust: the node's own
     * incarnation is raised to this, synced. */
    uint64_t incarnation;
    uint64_t nonce; /* VOUCH: tells two starts of one number apart */

    /*
     * STORE_HINT: for each owner `object` is merged into the hint for `key`; NULL leaves
     * markers. STORE_GET_HINTS: of these owners. STORE_COORDINATE_HINT: this node is a
     * fallback: the put is applied to the hint for the first owner (its own pair lives and dies
     * with that hint, rule 2), the result is merged into those for the others; the objects part
     * leaves the own copy alone, no intent is left; with_row still merges the row.
     * STORE_LIST_HINTS: owners[0]. STORE_REAP: refused while there is any hint for the key.
     */
    node_id owners[OWNERS_MAX];
    uint8_t owner_count;

    /* STORE_LIST_HINTS: behind (hint_kind, key) if key is given; at most `limit`, and about a
     * MiB. */
    enum hint_kind hint_kind;
    /* STORE_CLEAR_HINTS: owned array; objects are not looked at. */
    struct hint *hints;
    uint16_t hint_count;

    uint64_t grace_us; /* STORE_SALVAGE: what is older has to be vouched for by others */
    bool hints_only;   /* STORE_SALVAGE: of the hints' database; the own copies are sound */

    /* STORE_TREE, TREE_KEYS, SCRUB */
    uint16_t partition;
    uint16_t bucket;             /* TREE: MERKLE_BUCKETS for the hashes of the buckets */
    struct merkle_leaves leaves; /* TREE_KEYS */
    /* TREE_KEYS, SCRUB: behind (part, key) if key is given; at most `limit` entries. REAP: what
     * is reaped; `part` 0 asks for hints alone. */
    enum merkle_part part;
    uint8_t digest[DIGEST_SIZE]; /* REAP: of the tombstone that is meant */
    bool drop;                   /* REAP: drop it, do not just look */
};

/* One object or row, as TREE_KEYS and SCRUB find it. */
struct scrubbed_entry {
    struct tree_entry entry;
    bool is_bad_copy;      /* SCRUB: a content does not match its hash */
    uint64_t tombstone_us; /* when it was deleted, if no version is live; else 0 */
};

struct store_result {
    enum store_operation operation;
    uint64_t token;
    /* OK, CORRUPT, IO, NO_SPACE, NO_MEMORY, TOO_MANY_VERSIONS, BUSY, CLOSED */
    enum status status;
    struct object *object; /* GET (NULL: none), COORDINATE and MERGE: the copy after it;
                              FIND_LIVE_ROW: the row */
    uint64_t names_us; /* GET of a directory: when a name in it appeared or vanished last, as
                          far as this copy knows; else 0 */
    uint64_t intent_stamp; /* COORDINATE with_intent: the stamp it left */
    bool is_bad_copy;      /* CORRUPT: a content does not match its hash. It concerns this key's
                              copy alone: the database is sound */
    bool is_hint_damage;   /* CORRUPT: of the hints' database; the own copies are sound */
    bool revive;           /* COORDINATE, MERGE: a revival intent was left */
    struct message_list_reply list; /* LIST; FIND_LIVE_ROW: one row, or none */
    struct intent *intents;         /* LIST_INTENTS: owned array */
    uint16_t intent_count;
    bool more;       /* LIST_INTENTS: there are further ones */
    bool holds_data; /* HOLDS_DATA */
    /* CORRUPT: where, as "000012.ldb: block checksum mismatch", or NULL; SALVAGE: what was done. */
    struct blob *text;
    struct hint *hints; /* LIST_HINTS: owned array; `more` as above */
    uint16_t hint_count;
    struct hint_owner *hint_owners; /* HINT_OWNERS: owned array, ascending */
    uint16_t hint_owner_count;
    uint64_t *hashes; /* TREE: owned, MERKLE_FANOUT of them */
    /* TREE_KEYS, SCRUB: owned array; `more` as above. SCRUB gives every entry of the slice. */
    struct scrubbed_entry *entries;
    uint16_t entry_count;
    uint64_t incarnation; /* VOUCH: the greatest before this one; 0: none was known */
    /* MERGE: the object knows of writes by this node that this node does not know of. */
    bool is_outdone;
    /* SCRUB, with the last slice: the kept tree was not what the disk says. */
    bool tree_differed;
};

void store_request_release(struct store_request *request); /* drops what it owns, zeroes it */
void store_result_release(struct store_result *result);
void hints_free(struct hint *hints, size_t count);
void scrubbed_entries_free(struct scrubbed_entry *entries, size_t count);
void intents_free(struct intent *intents, size_t count);

#endif
