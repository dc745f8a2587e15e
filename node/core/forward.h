/*
 * forward.h - a request that another node must coordinate.
 */
#ifndef NODE_CORE_FORWARD_H
#define NODE_CORE_FORWARD_H

#include "node/core/request.h"

extern const struct request_kind forward_kind;

/* Coordinates here what no primary could be asked to coordinate. Takes the payload out of
 * `message`; the reply goes where `from` would have replied. */
typedef void forward_coordinate(struct core *core, struct request *from,
                                struct message *message);

/* Sends the request to a primary of the partition, or has `here` coordinate it. */
void forward_start(struct core *core, struct event *event, uint16_t partition,
                   enum message_type reply_type, forward_coordinate *here);
/* What is passed on when the request fails with `status`: that, or what tells more of those it
 * was forwarded to before. An answer that is none of one node alone is passed on as it is. */
enum status forward_failure(const struct request *request, enum status status);

#endif
