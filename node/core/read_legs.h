/*
 * read_legs.h - what gets and listings share: whom they ask, and whom more.
 */
#ifndef NODE_CORE_READ_LEGS_H
#define NODE_CORE_READ_LEGS_H

#include "node/core/request.h"

enum { HEDGE_AFTER_US = 30000 }; /* one replica more is asked when an answer takes this long */

typedef void read_ask(struct core *core, struct request *request, uint8_t leg);
uint8_t read_legs_in(const struct request *request, enum leg_state state);
/* Fallbacks whose answer is awaited: they may hold nothing. */
uint8_t read_hints_awaited(const struct request *request);
/* Answers that are in, or that a primary owes. */
unsigned read_answers_expected(const struct request *request);
/* Asks replicas not asked yet until `wanted` answers are in or awaited. */
void read_ask_more(struct core *core, struct request *request, unsigned wanted, read_ask *ask);
/* The reply of a replica: does it go by the ring of another epoch? */
void read_note_ring(const struct core *core, struct request *request,
                    const struct message *message);
/* There are too few answers. True if that is so since a ring is being handed round: all is
 * asked anew in a moment, when the newer one is known, so the request waits (STATE_WAITING, and
 * its wake_us) without legs. */
bool read_waits_for_ring(struct core *core, struct request *request);
/* The moment has come to ask one more, and to suspect the slow. */
void read_hedge(struct core *core, struct request *request, read_ask *ask);

#endif
