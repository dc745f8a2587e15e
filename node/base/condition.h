/*
 * condition.h - condition variables that wait by the monotonic clock.
 *
 * Threads:  any.
 */
#ifndef NODE_BASE_CONDITION_H
#define NODE_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* For pthread_cond_destroy in the end. */
void condition_init(pthread_cond_t *condition);
/* Waits, with `lock` held, until the condition is signalled (true) or the time (now_monotonic_ns)
 * has come (false); it may also wake for nothing. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns);

#endif
