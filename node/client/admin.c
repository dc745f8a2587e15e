/*
 * admin.c - see admin.h.
 */
#include "node/client/admin.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/error.h"
#include "node/client/pool.h"
#include "node/client/socket.h"

static enum status fail(struct error *error, const char *address, enum status status)
{
    return error_set(error, status, "%s: %s", address, status_text(status));
}

/* A reply of STATUS_OK, or why there is none. */
static enum status call_node(struct pool *pool, struct pool_call *call,
                             struct message *ret_reply, struct error *error)
{
    struct message reply;
    enum status status = pool_call(pool, call, &reply);
    if (status != STATUS_OK) {
        *error = call->error;
        return status;
    }
    if (reply.status != STATUS_OK) {
        status = fail(error, call->address, reply.status);
        if (reply.text) {
            struct slice text = blob_slice(reply.text);
            (void)error_set(error, status, "%.70s: %.*s", call->address, (int)text.size,
                            (const char *)text.data);
        }
        message_release(&reply);
        return status;
    }
    *ret_reply = reply;
    return STATUS_OK;
}

static uint64_t deadline_after(uint32_t deadline_ms)
{
    return client_now_ns() + deadline_ms * NS_PER_MS;
}

/* One request over a connection of its own. */
static enum status ask_with(const char *address, struct message *request, uint32_t deadline_ms,
                            struct message *ret_reply, struct error *error)
{
    struct pool *pool = NULL;
    if (pool_new(&pool) != STATUS_OK) {
        return fail(error, address, STATUS_NO_MEMORY);
    }
    struct pool_call call = {
        .address = address, .request = request, .deadline_ns = deadline_after(deadline_ms)};
    enum status status = call_node(pool, &call, ret_reply, error);
    pool_free(pool);
    return status;
}

/* ... that has no arguments. */
static enum status ask(const char *address, enum message_type type, uint32_t deadline_ms,
                       struct message *ret_reply, struct error *error)
{
    struct message request = {.type = type};
    return ask_with(address, &request, deadline_ms, ret_reply, error);
}

enum status admin_status(const char *address, uint32_t deadline_ms,
                         struct message_status_reply *ret_reply,
                         char ret_remark[ADMIN_REMARK_SIZE], struct error *error)
{
    assert(address && ret_reply && ret_remark && error);
    struct message reply;
    enum status status = ask(address, MESSAGE_STATUS, deadline_ms, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct slice remark = blob_slice(reply.text);
    snprintf(ret_remark, ADMIN_REMARK_SIZE, "%.*s", (int)remark.size,
             remark.size > 0 ? (const char *)remark.data : "");
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

enum status admin_replace(const char *address, uint32_t deadline_ms, node_id member,
                          struct error *error)
{
    assert(address && error);
    struct message request = {.type = MESSAGE_REPLACE, .replace.member = member};
    struct message reply;
    enum status status = ask_with(address, &request, deadline_ms, &reply, error);
    if (status == STATUS_OK) {
        message_release(&reply);
    }
    return status;
}

enum status admin_drop_hints(const char *address, uint32_t deadline_ms, node_id owner,
                             uint64_t *ret_count, struct error *error)
{
    assert(address && ret_count && error);
    struct message request = {.type = MESSAGE_DROP_HINTS, .drop_hints.owner = owner};
    struct message reply;
    enum status status = ask_with(address, &request, deadline_ms, &reply, error);
    if (status == STATUS_OK) {
        *ret_count = reply.drop_hints_reply.count;
        message_release(&reply);
    }
    return status;
}

enum status admin_hints(struct pool *pool, const char *address, uint32_t deadline_ms,
                        struct message_hints_reply *ret_reply, struct error *error)
{
    assert(pool && address && ret_reply && error);
    struct message request = {.type = MESSAGE_HINTS};
    struct pool_call call = {
        .address = address, .request = &request, .deadline_ns = deadline_after(deadline_ms)};
    struct message reply;
    enum status status = call_node(pool, &call, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_reply = reply.hints_reply;
    reply.hints_reply = (struct message_hints_reply){0};
    message_release(&reply);
    return STATUS_OK;
}

void admin_hints_release(struct message_hints_reply *reply)
{
    free(reply->owners);
    *reply = (struct message_hints_reply){0};
}

enum status admin_repair(struct pool *pool, const char *address, uint32_t deadline_ms,
                         bool start, struct message_repair_reply *ret_reply,
                         struct error *error)
{
    assert(pool && address && ret_reply && error);
    struct message request = {.type = MESSAGE_REPAIR, .repair.start = start};
    struct pool_call call = {
        .address = address, .request = &request, .deadline_ns = deadline_after(deadline_ms)};
    struct message reply;
    enum status status = call_node(pool, &call, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_reply = reply.repair_reply;
    message_release(&reply);
    return STATUS_OK;
}
