/*
 * loop.h - a thread that submits to an executor and waits for its results, as a server's loop.
 */
#ifndef TESTS_STORE_LOOP_H
#define TESTS_STORE_LOOP_H

#include <semaphore.h>

#include "node/store/executor.h"
#include "tests/store/fixture.h"

/* Far above what a busy machine adds to a quick request, so that only a delay that a test makes
 * counts as slow. */
enum { LOOP_SLOW_US = 300000 };

struct loop {
    struct fixture *fixture;
    struct executor *executor;
    sem_t woken;
    atomic_size_t wakes;
};

void loop_begin(struct loop *loop, struct fixture *fixture, bool always_queue);
void loop_end(struct loop *loop);
/* Submits with the fixture's clock; returns the token. */
uint64_t loop_submit(struct loop *loop, struct store_request request);
/* The next result; fails the test if none comes within ten seconds. */
struct store_result loop_wait(struct loop *loop);
/* Submits, and waits for this one alone. */
struct store_result loop_run(struct loop *loop, struct store_request request);

#endif
