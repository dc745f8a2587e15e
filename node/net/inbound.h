/*
 * inbound.h - what is said on one inbound connection: greeting, requests, replies.
 */
#ifndef NODE_NET_INBOUND_H
#define NODE_NET_INBOUND_H

#include "node/net/places.h"

void inbound_set_deadline(struct inbound *inbound, uint64_t timeout_ms);
/* Reports it, tells the other side why, and closes once that was read. */
void inbound_misbehaved(struct inbound *inbound, enum status status, const char *text);
/* The callbacks of its connection, but for that of its end. */
void inbound_on_begun(void *context);
void inbound_on_malformed(void *context, enum status status, const char *text);
void inbound_on_message(void *context, struct message *message);

#endif
