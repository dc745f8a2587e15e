/*
 * hints.c - what is kept for members that were away is handed over.
 */
#include "node/core/internal.h"

void hints_on_request(struct core *core, struct event *event)
{
    (void)core_reply(core, event, MESSAGE_HINTS_REPLY, STATUS_NOT_READY);
}

void hints_on_reply(struct core *core, struct request *request, uint8_t leg,
                    struct message *message)
{
    (void)core;
    (void)request;
    (void)leg;
    (void)message;
}

void hints_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    (void)core;
    (void)request;
    (void)result;
}

void hints_on_due(struct core *core, struct request *request)
{
    (void)core;
    (void)request;
}

void hints_on_tick(struct core *core)
{
    (void)core;
}

void hints_check(struct core *core, struct request *request)
{
    (void)core;
    (void)request;
}

void hints_release(struct request *request)
{
    blob_unref(request->hints.hint.key);
    object_unref(request->hints.hint.object);
}
