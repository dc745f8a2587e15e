/*
 * client_clock.h - the clock by which calls are bounded: the monotonic one. The simulator has
 *           its own.
 *
 * Threads:  any.
 */
#ifndef NODE_CLIENT_CLIENT_CLOCK_H
#define NODE_CLIENT_CLIENT_CLOCK_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)

uint64_t client_now_ns(void);

#endif
