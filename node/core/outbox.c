/*
 * outbox.c - what a step gives out.
 */
#include "node/core/outbox.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "node/core/request.h"

enum { WAITS_NOTE_US = 30000000 };

void core_due(struct core *core, uint64_t at_us)
{
    if (at_us < core->due_us) {
        core->due_us = at_us;
    }
}

bool core_has_room(struct core *core)
{
    assert(core->outbox && core->outbox->count <= OUTBOX_ACTIONS_MAX);
    bool has_room = core->outbox->count + 4 * LEGS_MAX < OUTBOX_ACTIONS_MAX;
    if (!has_room) {
        core_due(core, core->now_us);
    }
    return has_room;
}

struct action *core_act(struct core *core, enum action_type type)
{
    struct outbox *outbox = core->outbox;
    assert(outbox && outbox->count < OUTBOX_ACTIONS_MAX);
    struct action *action = &outbox->actions[outbox->count++];
    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

void core_note(struct core *core, enum note note, const char *text)
{
    struct action *action = core_act(core, ACTION_NOTE);
    action->note = note;
    (void)snprintf(action->text, sizeof action->text, "%s", text);
}

uint64_t core_random(struct core *core)
{
    assert(core->random != 0);
    /* xorshift64*: jitter needs no better, and the simulator needs it to be repeatable. */
    uint64_t x = core->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    core->random = x;
    return x * UINT64_C(2685821657736338717);
}

struct message *core_send(struct core *core, uint16_t peer, enum message_type type)
{
    assert(peer < core->peer_count);
    struct action *action = core_act(core, ACTION_SEND);
    action->peer = peer;
    action->message.type = type;
    action->message.ring_epoch = core->ring_mark;
    return &action->message;
}

struct store_request *core_store(struct core *core, enum store_operation operation)
{
    struct action *action = core_act(core, ACTION_STORE);
    action->request.operation = operation;
    action->request.wall_us = core->wall_us;
    return &action->request;
}

struct message *core_reply(struct core *core, const struct event *event, enum message_type type,
                           enum status status)
{
    assert(event->type == EVENT_REQUEST && event->message);
    struct action *action = core_act(core, ACTION_REPLY);
    action->handle = event->handle;
    action->message.type = type;
    action->message.status = status;
    action->message.request_id = event->message->request_id;
    action->message.ring_epoch = core->ring ? core->ring->epoch : 0;
    return &action->message;
}

void message_set_text(struct message *message, const char *text)
{
    blob_unref(message->text);
    message->text = blob_new(slice_of_string(text));
}

uint64_t core_deadline_of(const struct core *core, uint32_t deadline_ms)
{
    uint64_t ms = deadline_ms == 0 ? 10000 : deadline_ms;
    if (ms > DEADLINE_MAX_MS) {
        ms = DEADLINE_MAX_MS;
    }
    return core->now_us + ms * 1000;
}

void core_waits(struct core *core, const char *text)
{
    assert(strlen(text) < sizeof core->waits);
    if (strcmp(core->waits, text) != 0) {
        (void)snprintf(core->waits, sizeof core->waits, "%s", text);
        /* Members that are asked in turn may give different reasons. */
        if (text[0] != '\0' && core->waits_note_after_us <= core->now_us) {
            core->waits_note_after_us = core->now_us + WAITS_NOTE_US;
            core_note(core, NOTE_JOIN_WAITS, text);
        }
    }
}
