/*
 * request.h - what a store can be asked: the operations, and what each is told.
 */
#ifndef NODE_STORE_REQUEST_H
#define NODE_STORE_REQUEST_H

#include "node/wire/message_client.h"
#include "node/wire/message_node.h"
#include "ring/merkle.h"

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

struct owner_list {
    node_id id[OWNERS_MAX];
    uint8_t count;
};

struct store_get_hints {
    struct owner_list owners;
};

struct store_coordinate { /* COORDINATE and COORDINATE_HINT */
    /* Owned (malloc); its key equals that of the request. context, dots and value are owned as
     * in message_put. */
    struct message_put *put;
    bool with_row;    /* this node holds the key's row as well: merge it in the same batch */
    bool over_damage; /* an old value that cannot be read is lost, and written over: there is no
                         other copy */
    bool with_intent; /* leave a row intent (every put but UPDATE_NONE on a root) */
    /*
     * COORDINATE_HINT: this node is a fallback: the put is applied to the hint for the first
     * owner (its own pair lives and dies with that hint, rule 2), the result is merged into
     * those for the others; the own copy is left alone, and so are intents; with_row still
     * merges the row.
     */
    struct owner_list owners;
};

struct store_merge {
    struct object *object;
    uint8_t parts;    /* REPLICA_OBJECT | REPLICA_ROW */
    bool with_intent; /* a handed-off object, the row is this node's duty now */
    bool heals;       /* contents of the own copy that do not match their hash are replaced by
                         those of `object`; STATUS_CORRUPT if it lacks one of them */
};

struct store_list_intents { /* from `key` (exclusive; NULL: the beginning) */
    enum intent_kind kind;
    uint16_t limit;
    uint64_t stamp_max; /* stamped at or before it */
};

struct store_clear_intents {
    struct intent *intents; /* owned array; one is dropped only if its stamp is still the stored
                               one */
    uint16_t count;
};

struct store_save_ring {
    struct ring *ring;    /* owned */
    bool mark_incomplete; /* the node re-enters empty, in the same batch */
};

struct store_hint {
    struct object *object; /* is merged into the hint for each owner; NULL leaves markers */
    struct owner_list owners;
};

struct store_list_hints { /* behind (kind, `key`) if a key is given */
    node_id owner;
    enum hint_kind kind;
    uint16_t limit; /* and about a MiB */
};

struct store_clear_hints {
    struct hint *hints; /* owned array; objects are not looked at */
    uint16_t count;
};

struct store_tree {
    uint16_t partition;
    uint16_t bucket; /* MERKLE_BUCKETS for the hashes of the buckets */
};

struct store_entries { /* TREE_KEYS and SCRUB: behind (part, `key`) if a key is given */
    uint16_t partition;
    uint16_t limit;
    enum merkle_part part;
    struct merkle_leaves leaves; /* TREE_KEYS */
};

struct store_salvage {
    uint64_t grace_us; /* what is older has to be vouched for by others */
    bool hints_only;   /* of the hints' database; the own copies are sound */
};

struct store_reap {              /* refused while there is any hint for the key */
    enum merkle_part part;       /* 0 asks for hints alone */
    uint8_t digest[DIGEST_SIZE]; /* of the tombstone that is meant */
    bool drop;                   /* drop it, do not just look */
};

struct store_vouch {
    node_id node;
    uint64_t incarnation;
    uint64_t nonce; /* tells two starts of one number apart */
};

struct store_trust {
    /* If not 0 there is no trust: the node's own incarnation is raised to this, synced. */
    uint64_t incarnation;
};

struct store_set_complete {
    bool is_complete;
    bool brings_back; /* by hand: what a salvage gave back counts again */
};

/* A zeroed request may be released. HOLDS_DATA, HINT_OWNERS, PROJECT and SYNC have no part of
 * their own. */
struct store_request {
    enum store_operation operation;
    uint64_t token;   /* echoed in the result */
    uint64_t wall_us; /* the wall clock, for counters and intent stamps */
    struct blob *key; /* object key; the directory key for LIST and FIND_LIVE_ROW */
    bool sync; /* COORDINATE, MERGE, HINT: survive a power cut, not just a crash: written with a
                  sync even if nothing changes */
    union {
        struct store_get_hints get_hints;
        struct store_coordinate coordinate;
        struct store_merge merge;
        /* LIST; FIND_LIVE_ROW uses start (exclusive). `directory` is unused: it is `key`. */
        struct message_list list;
        struct store_list_intents list_intents;
        struct store_clear_intents clear_intents;
        struct store_save_ring save_ring;
        struct store_hint hint;
        struct store_list_hints list_hints;
        struct store_clear_hints clear_hints;
        struct store_tree tree;
        struct store_entries entries;
        struct store_salvage salvage;
        struct store_reap reap;
        struct store_vouch vouch;
        struct store_trust trust;
        struct store_set_complete set_complete;
    };
};

void store_request_release(struct store_request *request); /* drops what it owns, zeroes it */
void hints_free(struct hint *hints, size_t count);
void intents_free(struct intent *intents, size_t count);

#endif
