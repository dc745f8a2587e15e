/*
 * workers.h - a few threads of the mount's own: they store and fetch blocks beside the calls of
 *             programs.
 *
 * Shape:    a queue of jobs; threads are started when there is the first one for them. Who
 *           submits bounds what it has in the queue.
 */
#ifndef FS_MODEL_WORKERS_H
#define FS_MODEL_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

enum { WORKERS_MAX = 4 };

struct job {
    struct job *next;
    void (*run)(struct job *job); /* may free the job */
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct job *first;
    struct job *last;
    unsigned idle;
    unsigned count;
    bool ends;
    pthread_t threads[WORKERS_MAX];
};

void workers_init(struct workers *workers);
/* Runs what is in the queue, and ends the threads. */
void workers_release(struct workers *workers);
/* The job is run by a thread, or, if there can be none at all, before this returns. */
void workers_submit(struct workers *workers, struct job *job);

#endif
