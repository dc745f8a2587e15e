/*
 * repair.h - replicas are brought to agree in the background, for the files of node/core/ only.
 *
 *   background.c    how much of it may go on: slices by the foreground's latency (DeCandia et
 *                   al., section 6.5)
 *   anti_entropy.c  Merkle trees compared with each other primary; keys that differ exchanged
 *   scrub.c         the own disk read anew: bit rot, trees, rows that lag
 *   reap.c          tombstones that all replicas hold are dropped after the grace time
 *   repair.c        which of these runs when; messages in, requests' events to the right one
 */
#ifndef NODE_CORE_REPAIR_H
#define NODE_CORE_REPAIR_H

#include "node/core/event.h"

struct core;
struct request;
struct child_result;

/* From core_config; 0 stands for the default in each. Microseconds. */
struct repair_config {
    uint64_t repair_interval_us; /* between passes of anti-entropy */
    uint64_t scrub_interval_us;  /* between passes over the own disk */
    uint64_t confirm_after_us;   /* a difference must still be there after this */
    uint64_t grace_us;           /* a tombstone is kept at least so long */
    uint64_t foreground_p99_us;  /* background work yields while requests take longer */
};

struct background {
    uint64_t unused;
};

struct repair {
    uint64_t unused;
};

/* A request of kind REQUEST_REPAIR. */
struct repair_request {
    uint64_t unused;
};

/* One slice of background work may be done now; false: after a later tick. */
bool background_take(struct core *core);
/* A client's request was answered after this long. */
void background_note(struct core *core, uint64_t latency_us);

/* MESSAGE_REPAIR (clients may ask), TREE, TREE_KEYS, REAP. */
void repair_on_request(struct core *core, struct event *event);
void repair_on_reply(struct core *core, struct request *request, uint8_t leg,
                     struct message *message);
void repair_on_stored(struct core *core, struct request *request, struct store_result *result);
void repair_on_child(struct core *core, struct request *request, struct child_result *result);
void repair_on_due(struct core *core, struct request *request);
/* A leg failed because its peer is gone. */
void repair_check(struct core *core, struct request *request);
void repair_on_tick(struct core *core);
/* The store met bytes that cannot be read. */
void repair_on_corrupt(struct core *core);
/* The ring is in force, or a new one. */
void repair_on_ring(struct core *core);
void repair_release(struct request *request);

#endif
