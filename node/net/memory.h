/*
 * memory.h - how much memory the connections of a node may hold together.
 *
 * What counts: what was received of messages that are not handled yet, with room for the rest
 * of a long one; requests that were handed out, until they are answered; what waits to be sent.
 * Clients, and whoever has not proved a role, have a share of it; the rest is kept for nodes,
 * so that clients cannot keep nodes from talking to one another.
 *
 * Threads:  the loop's.
 */
#ifndef NODE_NET_MEMORY_H
#define NODE_NET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    /* Some of the longest messages there can be between nodes, of 64 MiB, at a time. */
    MEMORY_MAX = 512 << 20,
    MEMORY_CLIENTS_MAX = 256 << 20,
};

/* Zeroed is empty, with the limits above. */
struct memory {
    size_t max; /* 0: MEMORY_MAX */
    size_t clients_max;
    size_t used;
    size_t used_by_clients; /* of `used` */
};

/* A connection held `before` bytes and holds `now`. */
void memory_change(struct memory *memory, bool is_node, size_t before, size_t now);
/* True if so much more may be held; of nothing more: if no limit is passed. */
bool memory_has_room(const struct memory *memory, bool is_node, size_t more);
/* True if clients hold over half of their share. */
bool memory_is_tight(const struct memory *memory);

#endif
