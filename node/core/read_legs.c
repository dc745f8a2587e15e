/*
 * read_legs.c - what gets and listings share: whom they ask, and whom more when one is slow.
 *
 * The first R answers decide (DeCandia et al., section 4.5). A replica that is slow costs a
 * further one after a moment, within the budget of the detector; one that outlasts its patience
 * is suspected.
 */
#include "node/core/read_legs.h"

#include <assert.h>

#include "node/core/detector.h"
#include "node/core/legs.h"
#include "node/core/request.h"

uint8_t read_legs_in(const struct request *request, enum leg_state state)
{
    assert(request->leg_count <= LEGS_MAX);
    uint8_t count = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        count = (uint8_t)(count + (request->leg[i].state == state));
    }
    return count;
}

uint8_t read_hints_awaited(const struct request *request)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        count = (uint8_t)(count + (leg->is_hint && leg->state == LEG_SENT));
    }
    return count;
}

unsigned read_answers_expected(const struct request *request)
{
    return read_legs_in(request, LEG_DONE) + (unsigned)read_legs_in(request, LEG_SENT) -
           read_hints_awaited(request);
}

void read_ask_more(struct core *core, struct request *request, unsigned wanted, read_ask *ask)
{
    assert(ask && request->leg_count <= LEGS_MAX);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (read_answers_expected(request) >= wanted) {
            return;
        }
        if (request->leg[i].state == LEG_IDLE) {
            ask(core, request, i);
        }
    }
}

void read_hedge(struct core *core, struct request *request, read_ask *ask)
{
    request_wake_at(core, request, core->now_us + HEDGE_AFTER_US);
    bool is_impatient = request_suspect_slow(core, request);
    bool has_more = read_legs_in(request, LEG_IDLE) > 0;
    if (has_more && (detector_take_hedge(core) || is_impatient)) {
        read_ask_more(core, request, read_answers_expected(request) + 1, ask);
    }
}
