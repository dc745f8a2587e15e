/*
 * now.h - the readings of the clocks.
 *
 * The monotonic clock is for deadlines and waits within this process, and stands while the
 * machine is asleep; the elapsed time is for ages that others reckon with too; the wall clock for
 * what people read and what is kept or sent.
 *
 * Threads:  any.
 */
#ifndef NODE_BASE_NOW_H
#define NODE_BASE_NOW_H

#include <stdint.h>

uint64_t now_monotonic_ns(void);
uint64_t now_monotonic_us(void);
uint64_t now_monotonic_ms(void);

uint64_t now_elapsed_ns(void);

uint64_t now_wall_ns(void);
uint64_t now_wall_us(void);

#endif
