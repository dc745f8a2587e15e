/*
 * condition.c - see condition.h.
 */
#include "node/base/condition.h"

#include <assert.h>
#include <time.h>

enum { NS_PER_SECOND = 1000000000 };

void condition_init(pthread_cond_t *condition)
{
    assert(condition);

    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns)
{
    assert(condition && lock);

    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                             .tv_nsec = (long)(until_ns % NS_PER_SECOND)};

    return pthread_cond_timedwait(condition, lock, &until) == 0;
}
