/*
 * timers.c - when what was left over is looked after: row and revival intents, hints.
 */
#include "node/core/timers.h"

#include <assert.h>

#include "node/core/outbox.h"

struct scan_timer *intents_timer(struct core *core, enum intent_kind kind)
{
    assert(kind == INTENT_ROW || kind == INTENT_REVIVE);
    return &core->scans[kind == INTENT_ROW ? 0 : 1];
}

void intents_wanted(struct core *core, enum intent_kind kind, uint64_t delay_us)
{
    struct scan_timer *timer = intents_timer(core, kind);
    uint64_t due_us = core->now_us + delay_us;
    if (due_us < timer->due_us && timer->backoff_us <= RETRY_MIN_US) {
        timer->due_us = due_us;
        core_due(core, due_us);
    }
}

void hints_wanted(struct core *core, uint64_t delay_us)
{
    uint64_t due_us = core->now_us + delay_us;
    if (due_us < core->hints_timer.due_us) {
        core->hints_timer.due_us = due_us;
        core_due(core, due_us);
    }
}
