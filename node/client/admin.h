/*
 * admin.h - what one named node tells of itself, for the tool. Not for the file system, which
 * asks the cluster.
 */
#ifndef NODE_CLIENT_ADMIN_H
#define NODE_CLIENT_ADMIN_H

#include "node/wire/message.h"

/* The node's own account of itself. The caller frees it with admin_status_release. On failure
 * `error` says why. */
MUST_CHECK enum status admin_status(const char *address, uint32_t deadline_ms,
                                    struct message_status_reply *ret_reply,
                                    struct error *error);
void admin_status_release(struct message_status_reply *reply);

/* The ring as the node knows it; the caller frees it with free. STATUS_NOT_READY if it has
 * none. */
MUST_CHECK enum status admin_ring(const char *address, uint32_t deadline_ms,
                                  struct ring **ret_ring, struct error *error);

#endif
