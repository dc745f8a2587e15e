/*
 * executor.h - runs store requests beside an event loop.
 *
 * A few FIFO threads, chosen by key, apply what may wait for the disk; everything queued goes
 * to the engine in one batch (group commit). What is sure to be quick is applied at once by the
 * caller, which saves two thread switches (see docs/performance.md).
 *
 * Threads:  submit and collect belong to the loop's thread. `wake` is called on any.
 */
#ifndef NODE_STORE_EXECUTOR_H
#define NODE_STORE_EXECUTOR_H

#include "node/store/apply.h"

struct executor;

enum {
    EXECUTOR_THREADS = 2,
    EXECUTOR_QUEUE_MAX = 4096, /* requests queued or running; beyond it: STATUS_BUSY */
};

struct executor_options {
    struct store_state *state; /* borrowed, open */
    bool always_queue;         /* never apply in the caller (for measuring and tests) */
    /* A request that was applied in the caller and took longer than this was slow: the next
     * ones are queued, for a second if it read from the disk. 0: the default, 1 ms. */
    uint32_t slow_us;
    void (*wake)(void *context); /* results are waiting: make the loop call executor_collect */
    void *wake_context;
};

MUST_CHECK enum status executor_new(const struct executor_options *options,
                                    struct executor **ret_executor);

/*
 * Takes over what `request` owns and zeroes it. Always leads to exactly one result from
 * executor_collect, also when the queue is full (STATUS_BUSY). Never calls back, and does not
 * call `wake` for a result that is there at once: whoever submits collects afterwards, until
 * nothing is left.
 */
void executor_submit_take(struct executor *executor, struct store_request *request);

/* The next finished result, if any; the caller releases it. */
bool executor_collect(struct executor *executor, struct store_result *ret_result);
/* Requests submitted and not yet collected. */
size_t executor_pending(const struct executor *executor);
/* Finishes what is queued, joins the threads, drops uncollected results. NULL is allowed. */
void executor_free(struct executor *executor);

#endif
