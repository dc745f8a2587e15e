/*
 * put_legs.h - who gets which part of a put: primaries, fallbacks in their place, and when.
 */
#ifndef NODE_CORE_PUT_LEGS_H
#define NODE_CORE_PUT_LEGS_H

#include "node/core/request.h"

/* Of a put; put.c and put_legs.c share it. */
struct put_state {
    struct message_put *put; /* until it goes to the store */
    bool sync;
    bool is_fallback; /* this node is no primary: its own copy is a hint */
    bool has_intent;
    bool syncs_read;          /* an fsync: done well only with what was read before */
    enum status read_failure; /* why what was read before the update could not be written */
    bool met_full_disk;       /* a replica had no room for its copy */
    bool by_digest;           /* done again: whoever holds the object gets just its row */
    uint16_t next_fallback;   /* place in the preference list of the next one to be tried */
    uint16_t next_suspect;    /* the same of fallbacks that are suspected */
    uint16_t owners_asked; /* bits: legs whose owner was asked after a fallback in its place */
    uint8_t w, w_row;      /* w_row 0: there is no row (the root) */
    uint8_t object_acks, row_acks;
    uint64_t intent_stamp;
    struct object *object; /* after the local copy was written */
};

static inline struct put_state *put_of(const struct request *request)
{
    return request_own(request, sizeof(struct put_state));
}

/* Sets up all legs of a put whose own copy is written, and sends the objects. */
void put_legs_start(struct core *core, struct request *request);
/* Too few can still acknowledge. True if that is so since a ring is being handed round: the put
 * waits (STATE_WAITING) until it is time for put_legs_start again. What is sent then is the same
 * object: it is merged, not coordinated, once more (rule 6). */
bool put_legs_wait_for_ring(struct core *core, struct request *request);
/* The object has its quorum: those that hold just the row are sent to. */
void put_legs_send_rows(struct core *core, struct request *request);
/* Legs whose peer was waited for long enough are given to fallbacks. */
void put_legs_on_due(struct core *core, struct request *request);
/* Gives the legs that have failed to fallbacks, and asks suspects if it must be. */
void put_legs_replace_failed(struct core *core, struct request *request);
/* The digest of a replica's copy came: is the object there already? */
void put_leg_compare(struct core *core, struct request *request, uint8_t leg,
                     const struct message *message);
/* True if the leg was sent to a suspect that has been given its time. */
bool put_leg_is_outlasted(const struct core *core, const struct request *request,
                          const struct leg *leg);
/* Legs that may still bring something. */
struct put_pending {
    uint8_t objects;
    uint8_t rows;    /* without those of suspects that outlasted their patience */
    uint8_t trusted; /* legs awaited whose peer is none of the suspects */
};

struct put_pending put_pending(const struct core *core, const struct request *request);
/* Whom did this put's copy or row not reach? A fallback's own copy is a hint for all of them. */
uint8_t put_missed(const struct request *request, node_id ret_owners[OWNERS_MAX]);
/* True if a fallback keeps this put's copy for another. */
bool put_has_hint(const struct request *request);
void put_count_acknowledged(struct request *request, const struct leg *leg);
/* What a planted bug sends instead of the whole object. Never called in the shipping build. */
struct object *object_newest_alone(const struct object *object);

#endif
