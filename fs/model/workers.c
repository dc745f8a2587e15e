/*
 * workers.c - see workers.h.
 */
#include "fs/model/workers.h"

#include <assert.h>

#include "node/client/kv.h"

void workers_init(struct workers *workers, uint32_t budget_ms)
{
    *workers = (struct workers){.budget_ms = budget_ms};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->has_work, NULL);
}

/* The next job, waited for; NULL when there are no more. The lock is held. */
static struct job *next_job(struct workers *workers)
{
    while (!workers->first && !workers->ends) {
        workers->idle++;
        pthread_cond_wait(&workers->has_work, &workers->lock);
        workers->idle--;
    }
    struct job *job = workers->first;
    if (job) {
        workers->first = job->next;
        workers->last = workers->first ? workers->last : NULL;
    }
    return job;
}

static void *work(void *argument)
{
    struct workers *workers = argument;
    struct kv_limits limits = {.budget_ms = workers->budget_ms};

    pthread_mutex_lock(&workers->lock);
    for (;;) {
        struct job *job = next_job(workers);
        if (!job) {
            break;
        }
        pthread_mutex_unlock(&workers->lock);
        kv_limits_begin(&limits);
        job->run(job);
        kv_limits_end();
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static void append(struct workers *workers, struct job *job)
{
    job->next = NULL;
    if (workers->last) {
        workers->last->next = job;
    } else {
        workers->first = job;
    }
    workers->last = job;
}

bool workers_submit(struct workers *workers, struct job *job)
{
    assert(job->run);

    pthread_mutex_lock(&workers->lock);
    assert(!workers->ends);
    if (workers->idle == 0 && workers->count < WORKERS_MAX &&
        pthread_create(&workers->threads[workers->count], NULL, work, workers) == 0) {
        workers->count++;
    }
    bool has_thread = workers->count > 0;
    if (has_thread) {
        append(workers, job);
        pthread_cond_signal(&workers->has_work);
    }
    pthread_mutex_unlock(&workers->lock);
    return has_thread;
}

void workers_release(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->ends = true;
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->count; i++) {
        pthread_join(workers->threads[i], NULL);
    }
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->lock);
}
