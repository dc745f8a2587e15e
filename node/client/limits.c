/*
 * limits.c - what bounds the calls of one thread: see kv.h.
 *
 * Shape:    one record for each thread, since an operation lives on one thread from its
 *           beginning to its end, and every wait of it is a wait of that thread.
 */
#include <assert.h>

#include "node/client/client_clock.h"
#include "node/client/kv.h"

/* A wait that may be interrupted looks up so often. */
enum { SLICE_MS = 50 };

static _Thread_local struct {
    struct kv_limits limits;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    bool is_set;
} current;

void kv_limits_begin(const struct kv_limits *limits)
{
    assert(limits && !current.is_set);
    current.limits = *limits;
    current.is_set = true;
    kv_limits_renew();
}

void kv_limits_end(void)
{
    current.is_set = false;
}

void kv_limits_renew(void)
{
    uint32_t budget_ms = current.limits.budget_ms;
    current.deadline_ns = budget_ms > 0 ? client_now_ns() + budget_ms * NS_PER_MS : UINT64_MAX;
}

uint64_t kv_limits_deadline(uint64_t deadline_ns)
{
    return current.is_set && current.deadline_ns < deadline_ns ? current.deadline_ns
                                                               : deadline_ns;
}

bool kv_limits_are_set(void)
{
    return current.is_set;
}

bool kv_limits_is_interrupted(void)
{
    return current.is_set && current.limits.is_interrupted &&
           current.limits.is_interrupted(current.limits.context);
}

bool kv_limits_are_over(void)
{
    return current.is_set && client_now_ns() >= current.deadline_ns;
}

uint32_t kv_limits_wait_ms(uint32_t wanted_ms)
{
    bool can_be = current.is_set && current.limits.is_interrupted;
    return can_be && wanted_ms > SLICE_MS ? SLICE_MS : wanted_ms;
}
