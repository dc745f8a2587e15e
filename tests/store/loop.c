/*
 * loop.c - a thread that submits to an executor and waits for its results.
 */
#include "tests/store/loop.h"

#include <time.h>

enum { PATIENCE_S = 10 };

static void on_wake(void *context)
{
    struct loop *loop = context;

    atomic_fetch_add(&loop->wakes, 1);
    (void)sem_post(&loop->woken);
}

void loop_begin(struct loop *loop, struct fixture *fixture, bool always_queue)
{
    struct executor_options options = {
        .state = &fixture->state,
        .always_queue = always_queue,
        .slow_us = LOOP_SLOW_US,
        .wake = on_wake,
        .wake_context = loop,
    };

    loop->fixture = fixture;
    atomic_store(&loop->wakes, 0);
    assert_int_equal(sem_init(&loop->woken, 0, 0), 0);
    assert_int_equal(executor_new(&options, &loop->executor), STATUS_OK);
}

void loop_end(struct loop *loop)
{
    executor_free(loop->executor);
    (void)sem_destroy(&loop->woken);
}

uint64_t loop_submit(struct loop *loop, struct store_request request)
{
    uint64_t token = request.token;

    request.wall_us = loop->fixture->wall_us;
    executor_submit_take(loop->executor, &request);
    assert_null(request.key);
    return token;
}

struct store_result loop_wait(struct loop *loop)
{
    struct store_result result = {0};
    struct timespec deadline;

    assert_true(executor_pending(loop->executor) > 0);
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    while (!executor_collect(loop->executor, &result)) {
        if (sem_timedwait(&loop->woken, &deadline) != 0) {
            fail_msg("no result within %d s", PATIENCE_S);
        }
    }
    return result;
}

struct store_result loop_run(struct loop *loop, struct store_request request)
{
    uint64_t token = loop_submit(loop, request);
    struct store_result result = loop_wait(loop);

    assert_int_equal(result.token, token);
    return result;
}
