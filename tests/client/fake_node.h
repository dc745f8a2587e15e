/*
 * fake_node.h - a node that does what a test tells it, over a real loopback socket.
 *
 * It greets, tells its ring, and serves requests from a store in memory; each request that is
 * neither a greeting nor for the ring first takes the next step of its script, if there is one.
 * Threads: its own ones inside; the functions belong to the test's thread.
 */
#ifndef TESTS_CLIENT_FAKE_NODE_H
#define TESTS_CLIENT_FAKE_NODE_H

#include "node/client/kv.h"
#include "node/wire/message.h"

enum step_kind {
    STEP_SERVE,
    STEP_STATUS,      /* answers with `status` and nothing else, having done nothing */
    STEP_CLOSE,       /* closes the connection, having done nothing */
    STEP_SERVE_CLOSE, /* does what is asked, and closes without an answer */
    STEP_SILENT,      /* does nothing, and never answers */
    STEP_SLOW,        /* serves; the answer comes byte by byte */
    STEP_GARBAGE,     /* answers with bytes that are no frame */
    STEP_HUGE,        /* answers with a header that promises too much */
    STEP_VERSION,     /* answers in another protocol version */
    STEP_WRONG_ID,    /* serves under another request id */
    STEP_WRONG_TYPE,  /* answers with a reply of another type */
    STEP_TWICE,       /* serves, and sends the answer twice */
    STEP_CORRUPT,     /* answers a get with content that does not match its checksum */
    STEP_STUCK_LIST,  /* answers a list with a page whose resume lies before its start */
};

struct step {
    enum step_kind kind;
    enum status status; /* STEP_STATUS */
};

enum { FAKE_REQUESTS_MAX = 1024 };

/* What the node received, greetings and ring requests left out. */
struct fake_request {
    enum message_type type;
    uint32_t deadline_ms;
    uint8_t write_id[WRITE_ID_SIZE];
    bool start; /* MESSAGE_REPAIR */
};

struct fake_node;

/* Fails the test if it cannot listen. `shared`: a store that several nodes serve from. */
struct fake_node *fake_node_new(struct kv *shared);
/* Ends its threads. NULL is allowed. */
void fake_node_free(struct fake_node *node);
const char *fake_node_address(const struct fake_node *node);

void fake_node_script(struct fake_node *node, const struct step *steps, unsigned count);
/* Follows each step with the same for ever: overrides the script. */
void fake_node_always(struct fake_node *node, struct step step);
/* The ring that it tells and whose epoch stands in its replies; copied. NULL: none. */
void fake_node_set_ring(struct fake_node *node, const struct ring *ring);
/* What it tells of itself: its id (1 from the start), one statistic, the hints that it keeps
 * (copied), and how far its repair is: one reply after the other, the last one for ever. */
void fake_node_set_id(struct fake_node *node, node_id id);
void fake_node_set_statistic(struct fake_node *node, const char *name, uint64_t value);
void fake_node_set_hints(struct fake_node *node, const struct hint_owner *owners,
                         uint16_t count);
void fake_node_set_repair(struct fake_node *node, const struct message_repair_reply *replies,
                          unsigned count);
/* How it proves in its greeting that it knows the secret, which it leaves in the registry. */
enum fake_proof { FAKE_PROOF_RIGHT, FAKE_PROOF_WRONG, FAKE_PROOF_NONE };
void fake_node_set_proof(struct fake_node *node, enum fake_proof proof);
unsigned fake_node_proofs(struct fake_node *node); /* right ones that it got */
/* Where it says that it listens. */
void fake_node_set_claimed_address(struct fake_node *node, const char *address);
/* What it answers to a greeting; 0 and STATUS_OK from the start. */
void fake_node_set_greeting(struct fake_node *node, uint64_t cluster_id, enum status status);

/* Each answer to a request comes so late. */
void fake_node_set_delay(struct fake_node *node, uint32_t delay_ms);
/* Like SIGSTOP: connections are accepted, and nothing is read, not even a greeting. */
void fake_node_freeze(struct fake_node *node);
/* Like SIGCONT: goes on with all that was sent meanwhile. */
void fake_node_thaw(struct fake_node *node);
/* Closes every connection that is open, as a restart does. */
void fake_node_break_connections(struct fake_node *node);
/* No longer listens, and closes every connection. */
void fake_node_stop(struct fake_node *node);

unsigned fake_node_connections(struct fake_node *node); /* ever accepted */
unsigned fake_node_ring_requests(struct fake_node *node);
unsigned fake_node_requests(struct fake_node *node);
struct fake_request fake_node_request(struct fake_node *node, unsigned index);

#endif
