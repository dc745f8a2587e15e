/*
 * message.h - every message of the protocol as a plain struct.
 *
 * Shape:    a header and one payload, chosen by `type`; the payloads are in the headers that are
 *           included here, by who says them, as their codecs are in payload_*.c. A request is
 *           answered by the reply type that follows it, under the same request_id, on the
 *           connection it came by.
 * Memory:   a message owns references to its blobs, objects and arrays: message_release drops
 *           them. Nothing in it is borrowed.
 */
#ifndef NODE_WIRE_MESSAGE_H
#define NODE_WIRE_MESSAGE_H

#include "node/wire/message_client.h"
#include "node/wire/message_node.h"
#include "node/wire/message_repair.h"
#include "node/wire/message_type.h"

enum { TEXT_SIZE_MAX = 1024 }; /* human text in a reply */

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

/* Drops all that the message owns and zeroes it. A zeroed message may be released. */
void message_release(struct message *message);

#endif
