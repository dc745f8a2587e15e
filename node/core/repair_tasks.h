/*
 * repair_tasks.h - what the files of background repair share; see repair.h for who does what.
 */
#ifndef NODE_CORE_REPAIR_TASKS_H
#define NODE_CORE_REPAIR_TASKS_H

#include "node/core/internal.h"

extern const struct request_kind answer_kind, pair_kind, key_repair_kind, scrub_kind, reap_kind,
    salvage_kind, complete_kind, source_walk_kind, give_kind;

/* How long another node's answer is waited for. */
enum { REPAIR_DEADLINE_US = 5000000 };

/* repair.c -------------------------------------------------------------------------------- */

/* A request of the task, or NULL. */
struct request *repair_new(struct core *core, const struct request_kind *kind,
                           uint64_t deadline_us);
void repair_set_deadline(struct core *core, struct request *request, uint64_t at_us);
/* Makes it a child of `parent`. */
void repair_set_parent(struct request *request, const struct request *parent);
/* True if the peer can be asked, and is not passed over. */
bool repair_may_ask(const struct core *core, uint16_t peer);
/* True if the peer (or this node) is a primary of the entry. */
bool repair_holds(const struct core *core, uint16_t peer, enum merkle_part part,
                  struct slice key);

/* anti_entropy.c -------------------------------------------------------------------------- */

void pass_on_tick(struct core *core);
/* Goes on with whatever may go on. */
void pass_advance(struct core *core);
/* A pass begins soon, though not too soon after the last. */
void pass_wake(struct core *core);
/* What the running pass found does not hold for the copies as they are now. */
void pass_spoil(struct core *core);

/* tree_pair.c ----------------------------------------------------------------------------- */

/* False if there is no memory or no place for it. */
bool pair_start(struct core *core, uint16_t partition, uint16_t peer);
bool pair_is_active(const struct request *request);
/* Goes on; a pair that ends counts itself in core->repair and frees the request. */
void pair_advance(struct core *core, struct request *request);
/* Lets a pair that waited for its confirmation go on. */
void pair_confirm(struct core *core, struct request *request);
bool pair_is_ready(const struct request *request);

/* repair_key.c ---------------------------------------------------------------------------- */

/*
 * Reads the entry from this node and `peer` (EVERY_PRIMARY: from all primaries of an object),
 * merges, and writes to whoever lacks something. The result goes to the parent: OK when all of
 * them have acknowledged the same state, NO_QUORUM when those of the primaries did that could
 * be asked. False if it cannot even begin. Never finishes before it returns.
 */
enum { EVERY_PRIMARY = 0xfffe };
bool key_start(struct core *core, struct request *parent, const struct tree_entry *entry,
               uint16_t peer);

/* scrub.c --------------------------------------------------------------------------------- */

void scrub_on_ring(struct core *core);
void scrub_on_tick(struct core *core);

/* reap.c ---------------------------------------------------------------------------------- */

/* What of a question is under way at the store. */
enum reap_look {
    REAP_FIRST = 0, /* the tombstone itself, and hints */
    REAP_SECOND,    /* what is placed elsewhere */
    REAP_SYNC,      /* what was seen is brought to the disk */
};

/* May this tombstone go? Asked of a node, as it sees its own store. */
struct reap_question {
    enum merkle_part part;
    uint8_t digest[DIGEST_SIZE];
    uint64_t deleted_us;
    bool drop; /* drop it now */
    enum reap_look look;
};

/* For so long tombstones are kept. */
uint64_t reap_grace_us(const struct core *core);
/* True if something that was deleted then is past its grace time by this node's clock. */
bool reap_is_old(const struct core *core, uint64_t deleted_us);

/* Asks the own store about request->key. */
void reap_ask_store(struct core *core, struct request *request,
                    const struct reap_question *question);
/* Takes the store's answer. True when all is known: ret_status is OK or why not. */
bool reap_judge(struct core *core, struct request *request, struct reap_question *question,
                const struct store_result *result, enum status *ret_status);
/* Reaps the tombstone if everybody agrees; the parent hears of the end. False: not now. */
bool reap_start(struct core *core, struct request *parent, const struct scrubbed_entry *entry);

#endif
