/*
 * store.h - what a storage node keeps, and the requests that change it.
 *
 * Shape:    a request is applied whole or not at all; all its writes are one batch. Requests
 * for one key are applied in the order in which they were submitted: read, merge and write of a
 * key are atomic. The rules of causality are ring/object.h's; the store only calls them. Keys:
 * see node/store/layout.h. Never:    bytes that fail a checksum are never "not found":
 * STATUS_CORRUPT.
 *
 * Every row that becomes live under a directory whose object is missing or deleted on this
 * copy, and every directory object that becomes deleted, leaves a durable *revival intent* for
 * the directory in the same batch (design.md section 4: a live row revives its directory).
 */
#ifndef NODE_STORE_STORE_H
#define NODE_STORE_STORE_H

#include "node/wire/message.h"

enum store_operation {
    STORE_GET,           /* the object under a key */
    STORE_COORDINATE,    /* object_update at the coordinator */
    STORE_MERGE,         /* a finished object from elsewhere */
    STORE_LIST,          /* rows of a directory */
    STORE_FIND_LIVE_ROW, /* the first live row of a directory after a name */
    STORE_LIST_INTENTS,  /* row intents or revival intents, oldest key first */
    STORE_CLEAR_INTENTS, /* drops intents that are still the same */
    STORE_SAVE_RING,     /* the ring state, synced */
    STORE_HOLDS_DATA,    /* is there any object or row? */
};

enum intent_kind {
    INTENT_ROW = 'i', /* push the row of an object: under the object's key */
    INTENT_REVIVE =
        'v', /* see that a directory with a live row lives: under the directory's key */
};

/* A durable note that something is still to be done. `stamp` differs for each time it was
 * written. */
struct intent {
    enum intent_kind kind;
    struct blob *key;
    uint64_t stamp; /* a counter reading, microseconds */
};

struct store_request {
    enum store_operation operation;
    uint64_t token;   /* echoed in the result */
    uint64_t wall_us; /* the wall clock, for counters and intent stamps */
    struct blob *key; /* object key; the directory key for LIST and FIND_LIVE_ROW */

    /* STORE_COORDINATE: the put. context, dots and value are owned as in message_put. */
    struct message_put *put; /* owned (malloc); its key equals `key` */
    bool with_row;    /* this node holds the key's row as well: merge it in the same batch */
    bool with_intent; /* leave a row intent (every put but UPDATE_NONE on a root) */

    /* STORE_MERGE */
    struct object *object;
    uint8_t parts; /* REPLICA_OBJECT | REPLICA_ROW */

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

    struct ring *ring; /* STORE_SAVE_RING: owned */
};

struct store_result {
    enum store_operation operation;
    uint64_t token;
    enum status
        status; /* OK, CORRUPT, IO, NO_SPACE, NO_MEMORY, TOO_MANY_VERSIONS, BUSY, CLOSED */
    struct object *object; /* GET (NULL: none), COORDINATE and MERGE: the copy after it;
                              FIND_LIVE_ROW: the row */
    uint64_t intent_stamp; /* COORDINATE with_intent: the stamp it left */
    bool revive;           /* COORDINATE, MERGE: a revival intent was left */
    struct message_list_reply list; /* LIST; FIND_LIVE_ROW: one row, or none */
    struct intent *intents;         /* LIST_INTENTS: owned array */
    uint16_t intent_count;
    bool more;       /* LIST_INTENTS: there are further ones */
    bool holds_data; /* HOLDS_DATA */
};

void store_request_release(struct store_request *request); /* drops what it owns, zeroes it */
void store_result_release(struct store_result *result);
void intents_free(struct intent *intents, size_t count);

#endif
