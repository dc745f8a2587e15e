/*
 * repair.c - which background work runs when.
 */
#include "node/core/internal.h"

bool background_take(struct core *core)
{
    (void)core;
    return true;
}

void background_note(struct core *core, uint64_t latency_us)
{
    (void)core;
    (void)latency_us;
}

void repair_on_request(struct core *core, struct event *event)
{
    (void)core_reply(core, event, (enum message_type)(event->message->type + 1),
                     STATUS_NOT_READY);
}

void repair_on_reply(struct core *core, struct request *request, uint8_t leg,
                     struct message *message)
{
    (void)core;
    (void)request;
    (void)leg;
    (void)message;
}

void repair_on_stored(struct core *core, struct request *request, struct store_result *result)
{
    (void)core;
    (void)request;
    (void)result;
}

void repair_on_child(struct core *core, struct request *request, struct child_result *result)
{
    (void)core;
    (void)request;
    (void)result;
}

void repair_on_due(struct core *core, struct request *request)
{
    (void)core;
    (void)request;
}

void repair_check(struct core *core, struct request *request)
{
    (void)core;
    (void)request;
}

void repair_on_tick(struct core *core)
{
    (void)core;
}

void repair_on_corrupt(struct core *core)
{
    (void)core;
}

void repair_on_ring(struct core *core)
{
    (void)core;
}

void repair_release(struct request *request)
{
    (void)request;
}
