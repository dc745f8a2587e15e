/*
 * replica.h - what a coordinator asks of this node as a replica.
 */
#ifndef NODE_CORE_REPLICA_H
#define NODE_CORE_REPLICA_H

#include "node/core/request.h"

struct replica_state {
    enum message_type type; /* of the reply */
    bool digest_only;
    bool from_hints;
    bool with_intent; /* a handed-off object left a row intent */
};

extern const struct request_kind replica_kind;

static inline struct replica_state *replica_of(const struct request *request)
{
    return request_own(request, sizeof(struct replica_state));
}

void replica_on_request(struct core *core, struct event *event);

#endif
