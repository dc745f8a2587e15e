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

#include "node/store/request.h"
#include "node/wire/message_client.h"
#include "node/wire/message_repair.h"

/* One object or row, as TREE_KEYS and SCRUB find it. */
struct scrubbed_entry {
    struct tree_entry entry;
    bool is_bad_copy;      /* SCRUB: a content does not match its hash */
    uint64_t tombstone_us; /* when it was deleted, if no version is live; else 0 */
};

struct found_intents {
    struct intent *intent; /* owned array */
    uint16_t count;
    bool more; /* there are further ones; so below */
};

struct found_hints {
    struct hint *hint; /* owned array */
    uint16_t count;
    bool more;
};

struct found_owners {
    struct hint_owner *owner; /* owned array, ascending */
    uint16_t count;
};

struct found_entries {
    struct scrubbed_entry *scrubbed; /* owned array; SCRUB gives every entry of the slice */
    uint16_t count;
    bool more;
    bool
        tree_differed; /* SCRUB, with the last slice: the kept tree was not what the disk says */
};

/* The union is zeroed unless `status` is OK. */
struct store_result {
    enum store_operation operation;
    uint64_t token;
    /* OK, CORRUPT, IO, NO_SPACE, NO_MEMORY, TOO_MANY_VERSIONS, BUSY, CLOSED */
    enum status status;
    /* CORRUPT: where, as "000012.ldb: block checksum mismatch", or NULL; SALVAGE: what was done. */
    struct blob *text;
    bool is_bad_copy;    /* CORRUPT: a content does not match its hash. It concerns this key's
                            copy alone: the database is sound */
    bool is_hint_damage; /* CORRUPT: of the hints' database; the own copies are sound */
    bool revive; /* COORDINATE, COORDINATE_HINT, MERGE, PROJECT: a revival intent was left */
    /* MERGE: the object knows of writes by this node that this node does not know of. */
    bool is_outdone;
    struct object *object; /* GET, GET_HINTS (NULL: none), COORDINATE, COORDINATE_HINT, MERGE:
                              the copy after it; FIND_LIVE_ROW: the row */
    union {
        uint64_t
            names_us; /* GET of a directory: when a name in it appeared or vanished last, as
                              far as this copy knows; else 0 */
        uint64_t intent_stamp;          /* COORDINATE, MERGE: with_intent: the stamp it left */
        struct message_list_reply list; /* LIST; FIND_LIVE_ROW: one row, or none */
        struct found_intents intents;   /* LIST_INTENTS */
        struct found_hints hints;       /* LIST_HINTS */
        struct found_owners owners;     /* HINT_OWNERS */
        struct found_entries entries;   /* TREE_KEYS, SCRUB */
        uint64_t *hashes;               /* TREE: owned, MERKLE_FANOUT of them */
        bool holds_data;                /* HOLDS_DATA */
        uint64_t incarnation; /* VOUCH: the greatest before this one; 0: none was known */
    };
};

void store_result_release(struct store_result *result);
void scrubbed_entries_free(struct scrubbed_entry *entries, size_t count);

#endif
