/*
 * admin.c - see admin.h.
 */
#include "node/client/admin.h"

#include "node/client/pool.h"
#include "node/client/socket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status fail(struct error *error, const char *address, enum status status)
{
    error->code = status;
    snprintf(error->text, sizeof error->text, "%s: %s", address, status_text(status));
    return status;
}

/* One request that has no arguments, over a connection of its own. */
static enum status ask(const char *address, enum message_type type, uint32_t deadline_ms,
                       struct message *ret_reply, struct error *error)
{
    struct pool *pool = NULL;
    if (pool_new(&pool) != STATUS_OK) {
        return fail(error, address, STATUS_NO_MEMORY);
    }
    struct message request = {.type = type};
    struct pool_call call = {.address = address,
                             .request = &request,
                             .deadline_ns = socket_now_ns() + deadline_ms * NS_PER_MS};
    struct message reply;
    enum status status = pool_call(pool, &call, &reply);
    pool_free(pool);
    if (status != STATUS_OK) {
        *error = call.error;
        return status;
    }
    if (reply.status != STATUS_OK) {
        status = fail(error, address, reply.status);
        message_release(&reply);
        return status;
    }
    *ret_reply = reply;
    return STATUS_OK;
}

enum status admin_status(const char *address, uint32_t deadline_ms,
                         struct message_status_reply *ret_reply, struct error *error)
{
    assert(address && ret_reply && error);
    struct message reply;
    enum status status = ask(address, MESSAGE_STATUS, deadline_ms, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_reply = reply.status_reply;
    reply.status_reply = (struct message_status_reply){0};
    message_release(&reply);
    return STATUS_OK;
}

void admin_status_release(struct message_status_reply *reply)
{
    struct message message = {.type = MESSAGE_STATUS_REPLY, .status_reply = *reply};
    message_release(&message);
    memset(reply, 0, sizeof *reply);
}

enum status admin_ring(const char *address, uint32_t deadline_ms, struct ring **ret_ring,
                       struct error *error)
{
    assert(address && ret_ring && error);
    struct message reply;
    enum status status = ask(address, MESSAGE_RING, deadline_ms, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (!reply.ring) {
        message_release(&reply);
        return fail(error, address, STATUS_NOT_READY);
    }
    *ret_ring = reply.ring;
    reply.ring = NULL;
    message_release(&reply);
    return STATUS_OK;
}
