/*
 * epoch.c - messages that were placed by another ring: refused, and two rings of one epoch
 * told.
 */
#include "node/core/epoch.h"

#include <assert.h>
#include <stdio.h>

#include "node/core/outbox.h"
#include "ring/mark.h"

enum { SPLIT_NOTE_US = 60000000 }; /* what stays wrong is told once a minute */

void epoch_note_split(struct core *core)
{
    assert(core->ring);
    core->stats.ring_splits++;
    if (core->split_note_after_us > core->now_us) {
        return;
    }
    core->split_note_after_us = core->now_us + SPLIT_NOTE_US;
    char text[NOTE_TEXT_SIZE];
    (void)snprintf(
        text, sizeof text,
        "another node has a different ring of the same epoch %llu: the cluster is in "
        "two halves, which do not speak to each other until one of them gives way",
        (unsigned long long)core->ring->epoch);
    core_note(core, NOTE_RING_SPLIT, text);
}

bool epoch_is_other(struct core *core, const struct event *event)
{
    assert(core->ring);
    uint64_t mark = event->message->ring_epoch;
    if (mark == core->ring_mark) {
        return false;
    }
    mark(MARK_STALE_RING);
    core->stats.stale_ring++;
    if (ring_marks_clash(mark, core->ring_mark)) {
        epoch_note_split(core);
    }
    return true;
}

void epoch_close_split(struct core *core, const struct event *event)
{
    assert(core->outbox && core->outbox->count > 0);
    struct action *action = &core->outbox->actions[core->outbox->count - 1];
    assert(action->type == ACTION_REPLY);
    action->close = core->ring && ring_marks_clash(event->message->ring_epoch, core->ring_mark);
}
