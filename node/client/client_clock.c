/*
 * client_clock.c - see client_clock.h.
 */
#include "node/client/client_clock.h"

#include "node/base/now.h"

uint64_t client_now_ns(void)
{
    return now_monotonic_ns();
}
