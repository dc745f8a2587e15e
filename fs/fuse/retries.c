/*
 * retries.c - which threads are about to try an open again.
 *
 * Shape:    a slot for each thread number modulo the size. A note that nobody takes (the name
 *           was gone at the second lookup) makes one later open settle a race by itself, which
 *           does no harm.
 */
#include "fs/fuse/retries.h"

#include <stdatomic.h>

static _Atomic pid_t noted[RETRIES_MAX];

static _Atomic pid_t *slot_of(pid_t thread)
{
    return &noted[(unsigned)thread % RETRIES_MAX];
}

void retries_note(pid_t thread)
{
    if (thread > 0) {
        atomic_store(slot_of(thread), thread);
    }
}

bool retries_take(pid_t thread)
{
    pid_t expected = thread;

    return thread > 0 && atomic_compare_exchange_strong(slot_of(thread), &expected, 0);
}
