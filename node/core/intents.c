/*
 * intents.c - intents that are done are dropped from the disk, many at a time.
 */
#include "node/core/intents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/outbox.h"

enum { CLEAR_AFTER_US = 50000 };

static void intents_flush(struct core *core)
{
    assert(core->cleared_count > 0);
    struct intent *intents = calloc(core->cleared_count, sizeof *intents);
    if (!intents) {
        return; /* They stay on the list; the next tick tries again. */
    }
    memcpy(intents, core->cleared, core->cleared_count * sizeof *intents);
    struct store_request *store = core_store(core, STORE_CLEAR_INTENTS);
    store->clear_intents.intents = intents;
    store->clear_intents.count = core->cleared_count;
    core->cleared_count = 0;
}

void intents_clear(struct core *core, enum intent_kind kind, struct blob *key, uint64_t stamp)
{
    assert(key);
    if (core->cleared_count == CLEARED_INTENTS_MAX) {
        intents_flush(core);
    }
    if (core->cleared_count == CLEARED_INTENTS_MAX) {
        return; /* No memory: the intent stays, which costs a push that changes nothing. */
    }
    if (core->cleared_count == 0) {
        core->clear_due_us = core->now_us + CLEAR_AFTER_US;
        core_due(core, core->clear_due_us);
    }
    core->cleared[core->cleared_count++] =
        (struct intent){.kind = kind, .key = blob_ref(key), .stamp = stamp};
}

void intents_on_tick(struct core *core)
{
    assert(core->cleared_count <= CLEARED_INTENTS_MAX);
    if (core->cleared_count > 0) {
        if (core->clear_due_us <= core->now_us) {
            intents_flush(core);
        } else {
            core_due(core, core->clear_due_us);
        }
    }
}
