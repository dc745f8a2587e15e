/*
 * message.h - every message of the protocol as a plain struct.
 *
 * Shape:    a header and one payload, chosen by `type`. A request is answered by the reply type
 *           that follows it, under the same request_id, on the connection it came by.
 * Memory:   a message owns references to its blobs, objects and arrays: message_release drops
 *           them. Nothing in it is borrowed.
 * Never:    a type's number is never reused.
 */
#ifndef NODE_WIRE_MESSAGE_H
#define NODE_WIRE_MESSAGE_H

#include "ring/key.h"
#include "ring/merkle.h"
#include "ring/object.h"
#include "ring/ring.h"
#include "ring/row.h"

enum {
    PROTOCOL_VERSION = 3,
    ROWS_MAX = 1024,         /* rows in one list reply */
    DOTS_MAX = VERSIONS_MAX, /* dots named by one put */
    TEXT_SIZE_MAX = 1024,    /* human text in a reply */
    LIST_MARKS_MAX = 512,    /* marks in one reply of a replica */
    STATS_MAX = 64,
    TREE_ENTRIES_MAX = 1024, /* entries of a tree in one reply */
    DEADLINE_MAX_MS = 600000,
};

/* Who opened a connection. */
enum role { ROLE_CLIENT = 1, ROLE_NODE = 2 };

enum message_type {
    MESSAGE_HELLO = 1, /* first on every connection */
    MESSAGE_HELLO_REPLY = 2,
    MESSAGE_PROOF = 3, /* second: whoever connected knows the cluster's secret (greeting.h) */
    MESSAGE_PROOF_REPLY = 4,
    /* What clients ask of any node. */
    MESSAGE_GET = 10,
    MESSAGE_GET_REPLY = 11,
    MESSAGE_PUT = 12, /* also delete */
    MESSAGE_PUT_REPLY = 13,
    MESSAGE_LIST = 14,
    MESSAGE_LIST_REPLY = 15,
    MESSAGE_STATUS = 16,
    MESSAGE_STATUS_REPLY = 17,
    MESSAGE_RING = 18, /* asks for the ring state; also between nodes */
    MESSAGE_RING_REPLY = 19,
    MESSAGE_HINTS = 20, /* whom does the node keep hints for? */
    MESSAGE_HINTS_REPLY = 21,
    MESSAGE_REPAIR = 22, /* starts a full pass of anti-entropy, or asks how far it is */
    MESSAGE_REPAIR_REPLY = 23,
    MESSAGE_REPLACE = 24, /* by hand: gives a lost member's place to who answers there */
    MESSAGE_REPLACE_REPLY = 25,
    MESSAGE_DROP_HINTS = 26, /* by hand: forgets what is kept for an owner */
    MESSAGE_DROP_HINTS_REPLY = 27,
    /* What a coordinator asks of the replicas. */
    MESSAGE_REPLICA_GET = 30,
    MESSAGE_REPLICA_GET_REPLY = 31,
    MESSAGE_REPLICA_PUT = 32,
    MESSAGE_REPLICA_PUT_REPLY = 33,
    MESSAGE_REPLICA_LIST = 34,
    MESSAGE_REPLICA_LIST_REPLY = 35,
    MESSAGE_PING = 36, /* does a suspected peer answer again? No payload, either way */
    MESSAGE_PING_REPLY = 37,
    /* Anti-entropy. */
    MESSAGE_TREE = 38, /* hashes of a partition's Merkle tree */
    MESSAGE_TREE_REPLY = 39,
    MESSAGE_TREE_KEYS = 40, /* the entries below some of its leaves */
    MESSAGE_TREE_KEYS_REPLY = 41,
    MESSAGE_REAP = 42,       /* may a tombstone go? Then: drop it */
    MESSAGE_REAP_REPLY = 43, /* OK, or REFUSED; no payload */
    MESSAGE_VOUCH = 44,      /* takes the sender's incarnation down */
    MESSAGE_VOUCH_REPLY = 45,
    /* Membership. */
    MESSAGE_JOIN = 50, /* asks a member to be let in */
    MESSAGE_JOIN_REPLY = 51,
    MESSAGE_PREPARE = 52, /* asks a member to hold writes still while the ring changes */
    MESSAGE_PREPARE_REPLY = 53,
    MESSAGE_RING_PUSH = 54, /* there is a new ring: ask for it */
    MESSAGE_RING_PUSH_REPLY = 55,
};

enum { NONCE_SIZE = 32, PROOF_SIZE = 32 };

struct message_hello { /* HELLO and HELLO_REPLY */
    uint32_t protocol;
    enum role role;
    uint64_t cluster_id;        /* 0: a client that does not know, or a node without a ring */
    node_id node;               /* 0 for clients */
    char address[ADDRESS_SIZE]; /* where the sender listens; "" for clients */
    bool forming;               /* a node that has no ring yet */
    /* While forming: the addresses that the sender was told to start with, its own among them,
     * sorted. */
    uint16_t seed_count;
    char (*seeds)[ADDRESS_SIZE]; /* owned array, at most MEMBERS_MAX */
    uint8_t nonce[NONCE_SIZE];   /* random, fresh for each connection */
    bool has_proof;              /* HELLO_REPLY: the sender proves itself and wants a PROOF */
    uint8_t proof[PROOF_SIZE];
};

struct message_proof {
    uint8_t proof[PROOF_SIZE];
};

struct message_get {
    struct blob *key;
    uint8_t r;            /* answers wanted; 0: the default */
    uint8_t hops;         /* 1 when a node forwards it */
    uint32_t deadline_ms; /* from receipt */
};

struct message_get_reply {
    struct object *object; /* NULL if the key was never seen; a tombstone with NOT_FOUND */
    uint8_t answers;       /* replicas that agreed or were merged */
    uint64_t names_us;     /* of a directory: when a name in it appeared or vanished last; 0 */
};

struct message_put {
    struct blob *key;
    enum update_mode mode;
    uint32_t context_count;
    struct dot
        *context; /* owned array: the clock that the client was handed, ascending by actor */
    uint32_t dot_count;
    struct dot *dots;     /* owned array, for UPDATE_SOME */
    bool has_value;       /* false: a delete */
    struct version value; /* its blobs are owned; its dot and content_hash are ignored */
    uint8_t w;
    bool sync; /* W copies must survive a power cut, not just a crash */
    uint8_t hops;
    uint32_t deadline_ms;
};

struct message_put_reply {
    struct object
        *row; /* the projection of the object after the put: clock and dots; NULL on failure */
};

/* The rows of a directory from `start` on (or after it) to `end`. */
struct message_list {       /* LIST and REPLICA_LIST */
    struct blob *directory; /* a directory key */
    struct blob *start;     /* a name; NULL: from the beginning */
    bool after_start;       /* leave out `start` itself */
    struct blob *end;       /* last name wanted, included; NULL: to the end */
    bool end_is_prefix;     /* `end` bounds to the names that begin with it, instead */
    uint16_t limit;         /* rows wanted, 1 to ROWS_MAX */
    bool live_only;  /* leave out tombstones. A replica adds marks, by which it can be seen
                        whether others hold the same ones */
    bool for_repair; /* REPLICA_LIST: answered also by a node that is refilling */
    uint8_t r;
    uint8_t hops;
    uint32_t deadline_ms;
};

/*
 * What a replica holds in a part of a directory, tombstones too: the digest of all rows from
 * the beginning of the listing up to and with `name`. Where marks are set depends on names
 * alone, so that replicas whose rows differ in one place have those before it in common.
 * Replicas with a mark in common hold the same rows up to there.
 */
struct list_mark {
    struct blob *name; /* NULL: up to the end of what was asked for */
    uint8_t digest[DIGEST_SIZE];
};

struct message_list_reply { /* LIST_REPLY and REPLICA_LIST_REPLY */
    uint16_t row_count;
    struct row *rows;    /* owned array, ascending by (name, kind) */
    bool more;           /* rows beyond the last one may exist */
    struct blob *resume; /* with more: ask again with start = resume, after_start = true */
    uint16_t mark_count; /* REPLICA_LIST_REPLY of live rows: at least one, else none */
    struct list_mark
        *marks; /* owned array, in the order of names; the last one ends the page */
};

/*
 * A node whose copies are not complete (it refills after a lost disk) answers NOT_READY, unless
 * asked for_repair. from_hints asks a fallback: it answers with what it holds as hints for the
 * key's primaries, and NOT_FOUND if that is nothing.
 */
struct message_replica_get {
    struct blob *key;
    bool digest_only;
    bool from_hints;
    bool for_repair;
};

struct message_replica_get_reply {
    bool has_digest; /* else `object` is the answer, NULL if there is none */
    uint8_t digest[DIGEST_SIZE];
    struct object *object;
    uint64_t names_us; /* as in GET_REPLY, as far as this replica knows */
};

/* Which of a key's two objects a replica write is for. */
enum replica_part { REPLICA_OBJECT = 1, REPLICA_ROW = 2 };

struct message_replica_put {
    struct blob *key;      /* the object's key; it names the row too */
    struct object *object; /* finished by its coordinator, only merged here; a row if parts is
                              REPLICA_ROW alone */
    uint8_t parts;         /* REPLICA_OBJECT | REPLICA_ROW */
    bool sync;
    node_id hint_for;  /* 0: for the receiver; else the receiver keeps it as a hint for that
                          member (DeCandia et al., section 4.6); parts is REPLICA_OBJECT then */
    bool leave_intent; /* a handed-off object: the receiver also takes over the duty to push its
                          row */
};

/* Asks for the hashes of one bucket's leaves, or, with MERKLE_BUCKETS, for those of the
 * buckets. */
struct message_tree {
    uint16_t partition;
    uint16_t bucket;
};

struct message_tree_reply {
    uint64_t hash[MERKLE_FANOUT];
    bool is_complete; /* false: the copies are a refilling node's, and vouch for nothing */
};

/* The entries under `leaves`, in the order of merkle_entry_compare, behind the cursor. */
struct message_tree_keys {
    uint16_t partition;
    struct merkle_leaves leaves;
    enum merkle_part after_part; /* with after_key */
    struct blob *after_key;      /* NULL: from the beginning */
    uint16_t limit;              /* 1 to TREE_ENTRIES_MAX */
};

/* One object or row of a partition. */
struct tree_entry {
    enum merkle_part part;
    struct blob *key; /* the object's key */
    uint8_t digest[DIGEST_SIZE];
};

struct message_tree_keys_reply {
    uint16_t count;
    struct tree_entry *entries; /* owned array */
    bool more;
};

/* Is this tombstone held, and old enough by the receiver's own clock, and is no hint kept for
 * the key? A yes stands on what is synced. With `drop`: then drop it. A node that is no primary
 * of it answers for its clock and its hints alone. */
struct message_reap {
    enum merkle_part part;
    struct blob *key;
    uint8_t digest[DIGEST_SIZE];
    uint64_t deleted_us; /* of that tombstone: struct object */
    bool drop;
};

/* How many times the sender's data directory was started; the nonce is drawn at each start. */
struct message_vouch {
    node_id node;
    uint64_t incarnation; /* at least 1 */
    uint64_t nonce;
};

struct message_vouch_reply {
    uint64_t incarnation; /* of the request */
    uint64_t before; /* the greatest that the receiver had seen before; 0: it knew of none */
};

/* What a node keeps for a member that it could not reach. */
struct hint_owner {
    node_id owner;
    uint64_t count;
    uint64_t bytes;
    uint64_t oldest_us; /* wall clock since 1970 when the oldest was made */
};

struct message_hints_reply {
    uint16_t count;
    struct hint_owner *owners; /* owned array, at most MEMBERS_MAX, ascending by owner */
};

struct message_repair {
    bool start;
};

/* How far a full pass of anti-entropy is. A pair is a partition and another of its primaries.
 */
struct message_repair_reply {
    bool is_running;
    bool is_complete;    /* false: the node refills after a lost disk */
    uint64_t passes;     /* finished since the node's start */
    uint64_t pairs_done; /* of the pass that runs, or of the last one */
    uint64_t pairs_total;
    uint64_t pairs_failed; /* ... that could not be compared: the other was away */
    uint64_t
        keys_repaired; /* objects and rows that differed or were damaged, since the start */
};

/* One counter or gauge of a node, for `dynamoctl status`. */
struct statistic {
    char name[32];
    uint64_t value;
};

/* What a node makes of the disk under its data directory, the worst last. */
enum disk_state {
    DISK_WELL = 0,
    DISK_FULL = 1,    /* reads, deletes and resolutions go on; new content is refused */
    DISK_FAILING = 2, /* it answered with an error: nothing more is acknowledged */
    DISK_GONE = 3,    /* the data directory is not the one that was opened any more */
    DISK_STATE_COUNT,
};

struct message_status_reply {
    node_id node;
    char address[ADDRESS_SIZE];
    uint64_t cluster_id;
    uint64_t epoch;
    bool ready;          /* a member of a ring */
    uint64_t disk_total; /* bytes, of the file system under the data directory */
    uint64_t disk_free;
    enum disk_state disk_state;
    uint16_t peer_count;
    struct status_peer {
        node_id id;
        char address[ADDRESS_SIZE];
        bool up;
    } * peers; /* owned array: every other member, as this node sees it */
    uint16_t stat_count;
    struct statistic *stats; /* owned array */
};

struct message_join {
    struct member member;
};

struct message_prepare {
    uint64_t epoch; /* of the ring that would be replaced */
    node_id proposer;
    node_id replaced; /* the member whose disk was lost; 0: a member is added */
    bool by_hand;     /* replaced: somebody commanded it, whatever copies remain */
};

/* Whoever gets it asks the sender for the ring, over a connection of its own making. */
struct message_ring_push {
    uint64_t epoch;
    node_id node; /* who has it */
};

/* The member whose place is given away, or whose refill shall end with what there is. */
struct message_replace {
    node_id member;
};

struct message_drop_hints {
    node_id owner;
};

struct message_drop_hints_reply {
    uint64_t count; /* dropped */
};

struct message {
    enum message_type type;
    uint64_t request_id; /* chosen by the requester, echoed in the reply */
    enum status status;  /* replies only */
    /* Replies: the epoch of the sender's ring. Requests between nodes: what tells that ring
     * from all others (ring_mark). 0: not told. */
    uint64_t ring_epoch;
    struct blob *text; /* replies: a sentence for people, or NULL */
    union {
        struct message_hello hello;
        struct message_proof proof;
        struct message_get get;
        struct message_get_reply get_reply;
        struct message_put put;
        struct message_put_reply put_reply;
        struct message_list list;
        struct message_list_reply list_reply;
        struct message_status_reply status_reply;
        struct ring *ring; /* RING_REPLY, JOIN_REPLY: owned (malloc), valid or NULL */
        struct message_replica_get replica_get;
        struct message_replica_get_reply replica_get_reply;
        struct message_replica_put replica_put;
        struct message_tree tree;
        struct message_tree_reply tree_reply;
        struct message_tree_keys tree_keys;
        struct message_tree_keys_reply tree_keys_reply;
        struct message_reap reap;
        struct message_vouch vouch;
        struct message_vouch_reply vouch_reply;
        struct message_hints_reply hints_reply;
        struct message_repair repair;
        struct message_repair_reply repair_reply;
        struct message_join join;
        struct message_prepare prepare;
        struct message_ring_push ring_push;
        struct message_replace replace;
        struct message_drop_hints drop_hints;
        struct message_drop_hints_reply drop_hints_reply;
    };
};

void list_marks_free(struct list_mark *marks, size_t count);
/* Drops all that the reply owns, and zeroes it. */
void list_reply_release(struct message_list_reply *reply);
void tree_entries_free(struct tree_entry *entries, size_t count);
/* Drops all that the message owns and zeroes it. A zeroed message may be released. */
void message_release(struct message *message);
/* "get", "replica_put_reply"; "unknown" for a foreign number. */
const char *message_type_name(enum message_type type);
/* "well", "full", "failing", "gone"; "?" for a foreign number. */
const char *disk_state_name(enum disk_state state);
bool message_type_is_request(enum message_type type);

/*
 * Makes the object of a row that has just its record (ring/row.h). STATUS_BAD_MESSAGE if the
 * bytes are no row of its kind, STATUS_NO_MEMORY; then the row is as it was.
 */
MUST_CHECK enum status message_open_row(struct row *row);
/* True if the row holds a live version, as far as an unopened record's head shows. */
bool message_row_is_live(const struct row *row);

/* Bytes of contents that a put brings. */
size_t message_put_size(const struct message_put *put);

#endif
