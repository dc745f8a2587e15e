/*
 * outbox.h - what a step gives out: messages, store requests, notes; and when the next one is
 * due.
 */
#ifndef NODE_CORE_OUTBOX_H
#define NODE_CORE_OUTBOX_H

#include "node/core/state.h"

/* The next action of this step, zeroed. */
struct action *core_act(struct core *core, enum action_type type);
/* True if what one request sends at a time still fits into this step; else a tick comes at
 * once. */
bool core_has_room(struct core *core);
/* A tick is due then, or before. */
void core_due(struct core *core, uint64_t at_us);
/* Tells people. */
void core_note(struct core *core, enum note note, const char *text);
/* Remembers, and tells once, why the node waits; "" for no more. */
void core_waits(struct core *core, const char *text);
uint64_t core_random(struct core *core);
/* A message to a peer whose reply nobody awaits. */
struct message *core_send(struct core *core, uint16_t peer, enum message_type type);
/* A store request whose result nobody awaits. */
struct store_request *core_store(struct core *core, enum store_operation operation);
/* A reply to a message that needs no request in the table. */
struct message *core_reply(struct core *core, const struct event *event, enum message_type type,
                           enum status status);
void message_set_text(struct message *message, const char *text);
/* When a request ends that is given so long; 0: the default. */
uint64_t core_deadline_of(const struct core *core, uint32_t deadline_ms);

#endif
