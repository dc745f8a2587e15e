/*
 * put.h - a put or delete at its coordinator.
 */
#ifndef NODE_CORE_PUT_H
#define NODE_CORE_PUT_H

#include "node/core/put_legs.h"

extern const struct request_kind put_kind;

void put_on_request(struct core *core, struct event *event);
/* Takes `put`, also on failure. False when the table is full or this node is no primary.
 * `intent_stamp`: of the intent that it carries out; 0: none. */
bool put_start_child(struct core *core, struct request *parent, struct message_put *put,
                     uint64_t intent_stamp);
/* A put without an update: sends the own copy, object and row, to all that hold them. `sync`:
 * the result is OK only when what was sent is durable. */
bool push_object(struct core *core, struct request *parent, struct blob *key, bool sync);
/* True if this node coordinates any put now. */
bool puts_in_flight(const struct core *core);

#endif
