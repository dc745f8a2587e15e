/*
 * birth.c - see birth.h.
 */
#include "node/store/birth.h"

#define PERIOD_SHIFT  16
#define PERIOD_MASK   ((UINT64_C(1) << PERIOD_SHIFT) - 1)
#define NUMBER_SHIFT  28
#define NUMBER_MASK   ((UINT64_C(1) << NUMBER_SHIFT) - 1)
#define PERIOD_BEYOND ((UINT64_C(1) << (64 - NUMBER_SHIFT)) - 1)
/* Odd, so that the counters of a period have different numbers; far from a power of two, so that
 * counters which are near each other have numbers that are not. */
#define SPREAD UINT64_C(0x9e3779b)

uint64_t birth_of(uint64_t counter, uint64_t salt)
{
    uint64_t period = counter >> PERIOD_SHIFT;

    period = period < PERIOD_BEYOND ? period : PERIOD_BEYOND;
    return period << NUMBER_SHIFT | (((counter & PERIOD_MASK) * SPREAD + salt) & NUMBER_MASK);
}

uint64_t birth_least(uint64_t counter)
{
    uint64_t period = counter >> PERIOD_SHIFT;

    return period < PERIOD_BEYOND ? period << NUMBER_SHIFT : UINT64_MAX;
}

uint64_t birth_period_end(uint64_t counter)
{
    return counter | PERIOD_MASK;
}
