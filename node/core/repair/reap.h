/*
 * reap.h - a tombstone goes when nobody can bring back what it deleted.
 */
#ifndef NODE_CORE_REPAIR_REAP_H
#define NODE_CORE_REPAIR_REAP_H

#include "node/core/request.h"

extern const struct request_kind reap_kind;

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
