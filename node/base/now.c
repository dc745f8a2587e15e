/*
 * now.c - see now.h.
 */
#include "node/base/now.h"

#include <assert.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    /* It fails for clocks that the kernel does not have; these are always there. */
    int failed = clock_gettime(clock, &now);

    assert(failed == 0);
    (void)failed;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t now_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t now_monotonic_us(void)
{
    return now_monotonic_ns() / 1000;
}

uint64_t now_monotonic_ms(void)
{
    return now_monotonic_ns() / 1000000;
}

uint64_t now_elapsed_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t now_wall_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

uint64_t now_wall_us(void)
{
    return now_wall_ns() / 1000;
}
