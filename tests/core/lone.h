/*
 * lone.h - one core whose disk and whose peers the test is: it sees what the core asks for, and
 * answers what it likes, when it likes.
 */
#ifndef TESTS_CORE_LONE_H
#define TESTS_CORE_LONE_H

#include "node/core/state.h"

enum {
    LONE_PENDING_MAX = 1024,
    LONE_HANDLE = 5,   /* of who asks the core for something */
    LONE_CLUSTER = 77, /* the id of the cluster */
};

struct lone {
    struct core *core; /* member 2 of the ring, or 1 if it is alone; they live at 10.0.0.id */
    struct outbox *outbox;
    struct action *pending[LONE_PENDING_MAX]; /* asked for and not answered; the oldest first */
    int count;
    uint64_t now_us, wall_us;
    long allocations; /* of the program, when it was opened */
};

/* All other members are connected, and what follows from a start has been asked for, but for
 * anti-entropy and scrubs, of which there are none. No members: the node has no ring yet. */
struct lone *lone_open(uint16_t members, uint16_t replicas);
/* A core like that with this configuration, in which the ring may be NULL; anti-entropy and
 * scrubs are begun at the intervals that it says. */
struct lone *lone_open_with(const struct core_config *config);
/* The ring of these many members: 1, 2, ..., who live at 10.0.0.id. */
void lone_ring(uint16_t members, uint16_t replicas, uint16_t partitions, struct ring *ret_ring);
/* Where a member lives. */
void lone_address(node_id member, char ret_address[ADDRESS_SIZE]);
/* With all that was asked for and not answered. Fails the test if anything has leaked since
 * lone_open. */
void lone_close(struct lone *lone);

/* A step of the core with this event, now; what the event points to stays the caller's. */
void lone_step(struct lone *lone, struct event *event);
/* Lets so much time pass, with all ticks that are due. */
void lone_run(struct lone *lone, uint64_t us);
/* The oldest thing that was asked of the disk, of a peer, or answered to a caller; NULL: none.
 * Valid until it is answered or dropped. */
struct action *lone_store(struct lone *lone, enum store_operation operation);
struct action *lone_sent(struct lone *lone, enum message_type type);
struct action *lone_reply(struct lone *lone, enum message_type type);
/* How many of them there are. */
int lone_stores(const struct lone *lone, enum store_operation operation);
int lone_sends(const struct lone *lone, enum message_type type);
/* Answers it, in a step of the core; `result` (`reply`) is filled in but for what says whom it
 * is for, and taken over. */
void lone_stored(struct lone *lone, struct action *action, struct store_result result);
void lone_answer(struct lone *lone, struct action *action, struct message reply);
/* It was looked at, and there will be no answer. */
void lone_drop(struct lone *lone, struct action *action);
/* Asks the core for something, in the role of another node. */
void lone_ask(struct lone *lone, struct message message);
void lone_connect(struct lone *lone, uint16_t peer);
void lone_disconnect(struct lone *lone, uint16_t peer);
/* The peer that is this member. */
uint16_t lone_peer(const struct lone *lone, node_id member);

/* Has the core do something by itself, as in a step. */
typedef void lone_deed(struct core *core, void *context);
void lone_do(struct lone *lone, lone_deed *deed, void *context);

/* Takes all room for requests, or gives it back. */
void lone_fill_table(struct lone *lone, bool full);
/* From now on the core's n-th allocation of memory fails, counted from 0, and no other one. The
 * program has to be linked with core_wrap_args. */
void lone_fail_allocation(int n);
/* The same of the n-th and all later ones, until lone_fail_allocation(-1). */
void lone_fail_allocations_from(int n);
/* True if it came to that. */
bool lone_has_failed(void);

#endif
