/*
 * registry.h - where the nodes of one user on one machine leave their cluster's secret, for
 * that user's other nodes, mounts and tools.
 *
 * Shape:    a directory of the user's own (mode 0700), and in it one file (mode 0600) for each
 *           address that a node listens on, named HOST:PORT. A node holds a lock on its file
 *           while it runs, so that what one that was killed left behind is told from it.
 *             DYNAMOFS_RUNTIME_DIR, if it is set; else
 *             root:   /run/dynamofs, /tmp/dynamofs-0
 *             others: $XDG_RUNTIME_DIR/dynamofs, /run/user/UID/dynamofs, /tmp/dynamofs-UID
 *           A node enters itself in the first of them that can be had; who looks, looks in all.
 * Threads:  a struct registry is one thread's.
 * Never:    a directory or file that another user owns or could have written is believed.
 */
#ifndef NODE_BASE_REGISTRY_H
#define NODE_BASE_REGISTRY_H

#include "node/base/secret.h"
#include "ring/ring.h"

/* The secret that the node at `address` left. `must_run`: only if that node still runs.
 * STATUS_NOT_FOUND. */
MUST_CHECK enum status registry_find(const char *address, bool must_run,
                                     struct secret *ret_secret);
/* The same, for the node at the other end of a connected socket: by the address that was asked
 * for, or by the one in numbers. */
MUST_CHECK enum status registry_find_connected(const char *address, int descriptor,
                                               bool must_run, struct secret *ret_secret);

enum { REGISTRY_NAMES_MAX = 2 };

/* What one node has entered. Zeroed is nothing; registry_leave takes it out again. */
struct registry {
    int directory; /* descriptors plus one, so that zero is none */
    int lock;
    struct registry_name {
        char name[ADDRESS_SIZE];
        int descriptor;
    } names[REGISTRY_NAMES_MAX];
};

/*
 * Finds or makes the directory, and holds its lock until registry_unlock: who looks and enters
 * under it cannot miss another who does. STATUS_IO, STATUS_REFUSED, or STATUS_BUSY if the lock
 * was not free within `patience_ms`; `error` says why.
 */
MUST_CHECK enum status registry_lock(struct registry *registry, unsigned patience_ms,
                                     struct error *error);
void registry_unlock(struct registry *registry);

/* Enters the secret under `name`, in place of what was there; under the lock. */
MUST_CHECK enum status registry_enter(struct registry *registry, const char *name,
                                      const struct secret *secret, struct error *error);
/* Takes out what was entered and is still this node's. */
void registry_leave(struct registry *registry);

#endif
