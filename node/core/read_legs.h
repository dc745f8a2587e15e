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
/* The moment has come to ask one more, and to suspect the slow. */
void read_hedge(struct core *core, struct request *request, read_ask *ask);

#endif
