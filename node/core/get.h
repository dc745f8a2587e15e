/*
 * get.h - a get at its coordinator.
 */
#ifndef NODE_CORE_GET_H
#define NODE_CORE_GET_H

#include "node/core/request.h"

struct get_state {
    struct dot *dots; /* owned: what a put waits to know */
    uint32_t dot_count;
    uint8_t r;
    bool wants_all;  /* a hint does not stand for the primary it is kept for */
    bool for_repair; /* copies of nodes that refill are wanted too */
    bool heals;      /* the own copy is bad: what the others hold takes its place */
    bool for_dots;   /* a put waits to know the versions it names: whoever knows them will do */
};

extern const struct request_kind get_kind;

static inline struct get_state *get_of(const struct request *request)
{
    return request_own(request, sizeof(struct get_state));
}

void get_on_request(struct core *core, struct event *event);
/* Reads the key with all replicas, for the sake of the read repair alone. */
void get_start_repair(struct core *core, struct blob *key);
/* Reads the key with the other primaries that are well, to replace a bad own copy. */
void get_start_heal(struct core *core, struct blob *key);
/* r: as many must answer; 0: a majority. */
bool get_start_child(struct core *core, struct request *parent, struct blob *key, uint8_t r);
/* The read before a put that names versions: done as soon as all of them are known, or when
 * `r` replicas have answered. */
bool get_start_for_dots(struct core *core, struct request *put, const struct dot *dots,
                        uint32_t dot_count, uint8_t r);

#endif
