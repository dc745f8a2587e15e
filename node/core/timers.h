/*
 * timers.h - when what was left over is looked after.
 */
#ifndef NODE_CORE_TIMERS_H
#define NODE_CORE_TIMERS_H

#include "node/core/state.h"

enum {
    LOOK_SOON_US = 50000,      /* what came in company is looked after together */
    INTENT_AFTER_US = 3000000, /* what a put left undone is taken up again after this */
    RETRY_MIN_US = 1000000,
    RETRY_MAX_US = 30000000,
};

struct scan_timer *intents_timer(struct core *core, enum intent_kind kind);
/* Something was left to an intent of this kind: look after `delay_us`. */
void intents_wanted(struct core *core, enum intent_kind kind, uint64_t delay_us);
/* A member can be asked again, or something was kept for one: look after `delay_us`. */
void hints_wanted(struct core *core, uint64_t delay_us);

#endif
