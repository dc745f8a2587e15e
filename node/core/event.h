/*
 * event.h - what goes into the core and what comes out.
 *
 * Ownership: an event's payload is the core's to consume during the step: it takes references
 *            or moves parts out; the pump releases what is left after the step. An action
 *            belongs to the outbox until the pump has carried it out; the pump releases it.
 *            Actions are carried out in order.
 */
#ifndef NODE_CORE_EVENT_H
#define NODE_CORE_EVENT_H

#include "node/store/store.h"
#include "node/wire/message.h"

enum event_type {
    EVENT_REQUEST,   /* a request came by an inbound connection */
    EVENT_RESPONSE,  /* a reply came from a peer */
    EVENT_PEER_UP,   /* the connection to a peer is greeted; message is its HELLO_REPLY */
    EVENT_PEER_DOWN, /* it is gone; replies that are outstanding will not come */
    EVENT_STORED,    /* the store answered */
    EVENT_TICK,      /* core_deadline has come */
};

struct event {
    enum event_type type;
    uint64_t now_us;             /* monotonic; never decreases from step to step */
    uint64_t wall_us;            /* wall clock since 1970: for counters only */
    uint64_t handle;             /* REQUEST: the connection, echoed in ACTION_REPLY */
    enum role role;              /* REQUEST: who opened the connection (after HELLO) */
    uint16_t peer;               /* RESPONSE, PEER_*: index into the core's peer table */
    struct message *message;     /* REQUEST, RESPONSE, PEER_UP */
    struct store_result *result; /* STORED */
};

enum action_type {
    ACTION_CONNECT, /* keep a connection to `address` open, with backoff; it is peer number
                       `peer` */
    ACTION_SEND,    /* a request to a peer; dropped if its connection is down */
    ACTION_REPLY,   /* a reply to an inbound connection; dropped if it is gone */
    ACTION_STORE,
    ACTION_NOTE, /* something an operator wants to know: the pump logs it */
};

enum note {
    NOTE_FORMED,       /* a new cluster was made; text: members */
    NOTE_JOINED,       /* this node joined a running cluster */
    NOTE_RING_CHANGED, /* another member joined */
    NOTE_JOIN_REFUSED, /* text: why; the node cannot go on */
    NOTE_JOIN_WAITS,   /* the node is not let in yet; text: why, and what can be done */
    NOTE_RING_REFUSED, /* a ring that does not follow from the own one; text */
    NOTE_RING_SPLIT,   /* two rings of one epoch; text */
    NOTE_PEER_REFUSED, /* a peer of another cluster, version or identity; text */
    NOTE_CLOCK_AHEAD,  /* a clock over a minute ahead was received; text: the node */
    NOTE_CORRUPT,      /* a stored copy fails its checksum; text: the key */
    NOTE_COPY_REFUSED, /* a copy came whose content does not match its hash; text: the key */
    NOTE_SALVAGED, /* what can be read of a damaged database was kept; text: what was done */
    NOTE_OLD_COPY, /* the data directory is older than what this node has written; text */
    NOTE_REFILLED, /* the copies are complete again after a lost disk or a salvage */
};

enum { NOTE_TEXT_SIZE = 512 };

struct action {
    enum action_type type;
    uint16_t peer;                /* CONNECT, SEND */
    char address[ADDRESS_SIZE];   /* CONNECT */
    uint64_t handle;              /* REPLY */
    bool close;                   /* REPLY: close the connection after it */
    struct message message;       /* SEND, REPLY */
    struct store_request request; /* STORE */
    enum note note;
    char text[NOTE_TEXT_SIZE];
};

enum { OUTBOX_ACTIONS_MAX = 512 };

struct outbox {
    uint32_t count;
    struct action actions[OUTBOX_ACTIONS_MAX];
};

/* Drops what the action owns, and zeroes it. */
void action_release(struct action *action);

#endif
