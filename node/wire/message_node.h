/*
 * message_node.h - what nodes tell one another: the greeting, replicas, and the ring's members.
 *
 * Memory:   as in message.h.
 */
#ifndef NODE_WIRE_MESSAGE_NODE_H
#define NODE_WIRE_MESSAGE_NODE_H

#include "node/wire/message_type.h"
#include "ring/object.h"
#include "ring/ring.h"

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

#endif
