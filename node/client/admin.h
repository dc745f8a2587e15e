/*
 * admin.h - what one named node tells of itself, for the tool. Not for the file system, which
 * asks the cluster.
 */
#ifndef NODE_CLIENT_ADMIN_H
#define NODE_CLIENT_ADMIN_H

#include "node/wire/message_client.h"
#include "node/wire/message_repair.h"

enum { ADMIN_REMARK_SIZE = 512 };

/* The node's own account of itself. The caller frees it with admin_status_release. The remark
 * says why it is no full member, and what can be done; it is empty if there is nothing to say.
 * On failure `error` says why. */
MUST_CHECK enum status admin_status(const char *address, uint32_t deadline_ms,
                                    struct message_status_reply *ret_reply,
                                    char ret_remark[ADMIN_REMARK_SIZE], struct error *error);
void admin_status_release(struct message_status_reply *reply);

/* The ring as the node knows it; the caller frees it with free. STATUS_NOT_READY if it has
 * none. */
MUST_CHECK enum status admin_ring(const char *address, uint32_t deadline_ms,
                                  struct ring **ret_ring, struct error *error);

/* By hand: gives the member's place to the empty node that answers at its address, or, asked of
 * the member itself, lets its refill end with what there is. */
MUST_CHECK enum status admin_replace(const char *address, uint32_t deadline_ms, node_id member,
                                     struct error *error);
/* By hand: the node forgets what it keeps for the owner. */
MUST_CHECK enum status admin_drop_hints(const char *address, uint32_t deadline_ms,
                                        node_id owner, uint64_t *ret_count,
                                        struct error *error);

struct pool;

/*
 * The same over connections that are kept: `pool` is pool_new's, told by pool_expect_cluster
 * which nodes will do. Any thread.
 *
 * admin_hints   for whom the node keeps hints; the caller frees it with admin_hints_release
 * admin_repair  how far its pass of anti-entropy is; with `start` one begins if none runs
 */
MUST_CHECK enum status admin_hints(struct pool *pool, const char *address, uint32_t deadline_ms,
                                   struct message_hints_reply *ret_reply, struct error *error);
void admin_hints_release(struct message_hints_reply *reply);
MUST_CHECK enum status admin_repair(struct pool *pool, const char *address,
                                    uint32_t deadline_ms, bool start,
                                    struct message_repair_reply *ret_reply,
                                    struct error *error);

#endif
