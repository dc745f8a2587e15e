/*
 * message_type.h - the types of messages.
 *
 * Never:    a type's number is never reused.
 */
#ifndef NODE_WIRE_MESSAGE_TYPE_H
#define NODE_WIRE_MESSAGE_TYPE_H

#include <stdbool.h>

enum { PROTOCOL_VERSION = 4 };

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

/* "get", "replica_put_reply"; "unknown" for a foreign number. */
const char *message_type_name(enum message_type type);
bool message_type_is_request(enum message_type type);

#endif
