/*
 * message_repair.h - how replicas are brought to agree, and what is kept for those that are away.
 *
 * Memory:   as in message.h, which defines the function.
 */
#ifndef NODE_WIRE_MESSAGE_REPAIR_H
#define NODE_WIRE_MESSAGE_REPAIR_H

#include "ring/merkle.h"
#include "ring/ring.h"

enum { TREE_ENTRIES_MAX = 1024 }; /* entries of a tree in one reply */

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

/* How far a full pass of anti-entropy is. A pair is a partition and another of its primaries. */
struct message_repair_reply {
    bool is_running;
    bool is_complete;    /* false: the node refills after a lost disk */
    uint64_t passes;     /* finished since the node's start */
    uint64_t pairs_done; /* of the pass that runs, or of the last one */
    uint64_t pairs_total;
    uint64_t pairs_failed; /* ... that could not be compared: the other was away */
    /* Objects and rows that differed or were damaged, since the start. */
    uint64_t keys_repaired;
};

struct message_drop_hints {
    node_id owner;
};

struct message_drop_hints_reply {
    uint64_t count; /* dropped */
};

void tree_entries_free(struct tree_entry *entries, size_t count);

#endif
