/*
 * spy_engine.h - an engine around another that counts, fails and delays on command.
 */
#ifndef TESTS_STORE_SPY_ENGINE_H
#define TESTS_STORE_SPY_ENGINE_H

#include <pthread.h>

#include "node/store/engine.h"

struct spy_engine {
    struct engine base;
    struct engine *inner; /* borrowed */
    atomic_size_t reads;
    atomic_size_t batches;
    atomic_size_t synced_batches;
    atomic_size_t scans;
    atomic_int write_failure; /* enum status that writes return instead of writing; a salvage
                                 takes STATUS_CORRUPT away */
    atomic_bool never_quick;
    atomic_int read_delay_us;
    const char *slow_suffix; /* a batch with a key that ends so is delayed; NULL: none is */
    int slow_us;
    _Atomic pthread_t last_thread; /* that read or wrote */
    pthread_mutex_t gate;          /* writes and reads pass through it: hold it to stop them */
};

void spy_engine_init(struct spy_engine *spy, struct engine *inner);
/* Forgets the counts. */
void spy_engine_reset(struct spy_engine *spy);

#endif
