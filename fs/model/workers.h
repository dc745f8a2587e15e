/*
 * workers.h - a few threads of the mount's own: they store and fetch blocks beside the calls of
 *             programs.
 *
 * Shape:    a queue of jobs, done in its order; a thread is started when a job finds none idle,
 *           up to WORKERS_MAX. Who submits bounds what it has in the queue. All calls of one job
 *           to the cluster have one deadline, as those of an operation have (kv_limits).
 * Threads:  jobs are submitted from any thread, also from a job.
 */
#ifndef FS_MODEL_WORKERS_H
#define FS_MODEL_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring/status.h"

enum { WORKERS_MAX = 16 };

struct job {
    struct job *next;             /* of the queue */
    void (*run)(struct job *job); /* may free the job */
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct job *first;
    struct job *last;
    unsigned idle;  /* threads that wait for a job */
    unsigned count; /* threads */
    bool ends;
    uint32_t budget_ms;
    pthread_t threads[WORKERS_MAX];
};

/* Each job has `budget_ms` from when it is begun. */
void workers_init(struct workers *workers, uint32_t budget_ms);
/* Ends the threads, once they have run what is in the queue. */
void workers_release(struct workers *workers);
/* Has a thread run the job, which stays until then. False if there is no thread and none can be
 * had: the job is the caller's still. */
MUST_CHECK bool workers_submit(struct workers *workers, struct job *job);

#endif
