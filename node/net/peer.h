/*
 * peer.h - the outgoing connection to one other node: kept open, greeted, opened again.
 *
 * Threads:  the loop's.
 * Order:    between two on_up there is one on_down.
 */
#ifndef NODE_NET_PEER_H
#define NODE_NET_PEER_H

#include "node/net/connection.h"
#include "node/wire/greeting.h"

struct peer;

enum {
    PEER_BACKOFF_MIN_MS = 50,
    PEER_BACKOFF_MAX_MS = 2000,
    PEER_GREETING_MS = 2000, /* from connect to HELLO_REPLY, or PROOF_REPLY */
    PEER_STALL_MS = 10000,
};

/* What was said in a greeting so far. */
struct peer_greeting {
    const struct greeting *said;
    const struct message *reply; /* the HELLO_REPLY, with a proof */
    int descriptor;              /* of the connection */
};

struct peer_options {
    uv_loop_t *loop;
    struct connection_group *group;
    uint16_t number;      /* given to the callbacks */
    const char *address;  /* HOST:PORT, copied */
    uint64_t random_seed; /* for the jitter of the backoff */

    void *context;
    /* Fills a zeroed HELLO; the peer releases it. */
    void (*fill_hello)(void *context, struct message *ret_hello);
    /* May be NULL: nothing is proved. Else: whether the other end has proved that it knows the
     * secret; and this node's proof for it. */
    bool (*prove)(void *context, uint16_t number, const struct peer_greeting *greeting,
                  uint8_t ret_proof[PROOF_SIZE]);
    /* Greeted, and proved: the HELLO_REPLY, with STATUS_OK. */
    void (*on_up)(void *context, uint16_t number, struct message *hello_reply);
    /* A reply. The callee may move parts out. */
    void (*on_reply)(void *context, uint16_t number, struct message *reply);
    void (*on_down)(void *context, uint16_t number, const char *text);
    /* One attempt failed; the next one follows by itself. */
    void (*on_failed)(void *context, uint16_t number, enum status status, const char *text);
};

/* Begins to connect. STATUS_NO_MEMORY; STATUS_REFUSED for an address that is none. */
MUST_CHECK enum status peer_new(const struct peer_options *options, struct peer **ret_peer);
const char *peer_address(const struct peer *peer);
bool peer_is_up(const struct peer *peer);
/* STATUS_CLOSED if it is not up; others as connection_send. */
MUST_CHECK enum status peer_send(struct peer *peer, const struct message *message);
/* There is a sign that it lives again: the next attempt is made now. */
void peer_hurry(struct peer *peer);
/* No callback comes any more; the peer frees itself once the loop has closed its parts. NULL is
 * allowed. */
void peer_close(struct peer *peer);

#endif
