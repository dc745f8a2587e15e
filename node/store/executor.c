/*
 * executor.c - runs store requests beside an event loop.
 *
 *   submit ──► lane (a queue and a thread, by hash of the key) ──► group ──► store_apply
 *     │                                                                          │
 *     └──► in the caller, if no lane is busy and it is quick ──► done list ◄─────┘ wake
 *
 * Order:    requests of one key go through one lane. One is applied in the caller only while
 *           nothing is queued or running in any lane, so it never overtakes.
 */
#include "node/store/executor.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "node/base/now.h"

enum {
    GROUP_REQUESTS_MAX = 64,
    GROUP_SIZE_MAX = 4 << 20,
    SLOW_DEFAULT_US = 1000,
    /* After a slow one that read from the disk everything is queued for this long. */
    DISK_PAUSE_US = 1000000,
    /* After another slow one, for so many times as long as it took, at most the above: it may
       just have lost the processor to someone, but the loop may stand still 5 % of its time. */
    OTHER_PAUSE_FACTOR = 20,
};

struct job {
    struct store_request request;
    struct store_result result;
    struct job *next;
    bool is_pooled; /* from executor.pool; else from malloc */
};

struct job_list {
    struct job *head;
    struct job **tail;
};

struct lane {
    struct executor *executor;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wanted;
    struct job_list queue;
    bool stopping;
    /* The thread's own: the group at hand. */
    struct job *group[GROUP_REQUESTS_MAX];
    struct store_request requests[GROUP_REQUESTS_MAX];
    struct store_result results[GROUP_REQUESTS_MAX];
};

struct executor {
    struct executor_options options;
    struct lane lanes[EXECUTOR_THREADS];
    size_t lane_count;       /* threads that run */
    atomic_size_t busy;      /* requests queued or running in the lanes */
    size_t pending;          /* submitted and not yet collected */
    uint64_t queue_until_us; /* nothing is applied in the caller before */
    long disk_reads;         /* of the loop's thread, when last looked at */
    struct job *pool;        /* EXECUTOR_QUEUE_MAX jobs */
    struct job *free_jobs;
    struct job_list ready; /* finished, the loop's */

    pthread_mutex_t done_lock;
    struct job_list done; /* finished, from the lanes */
};

static void job_list_init(struct job_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void job_list_append(struct job_list *list, struct job *job)
{
    job->next = NULL;
    *list->tail = job;
    list->tail = &job->next;
}

static struct job *job_list_take(struct job_list *list)
{
    struct job *job = list->head;

    if (job) {
        list->head = job->next;
        if (!list->head) {
            list->tail = &list->head;
        }
    }
    return job;
}

/* Appends all of `source` to `list`; `source` is empty afterwards. */
static void job_list_move(struct job_list *list, struct job_list *source)
{
    if (!source->head) {
        return;
    }
    *list->tail = source->head;
    list->tail = source->tail;
    job_list_init(source);
}

static struct job *job_new(struct executor *executor)
{
    struct job *job = executor->free_jobs;

    if (job) {
        executor->free_jobs = job->next;
        return job;
    }
    job = calloc(1, sizeof *job);
    if (!job) {
        /* A request without a result would hang its owner for ever. */
        abort();
    }
    return job;
}

static void job_free(struct executor *executor, struct job *job)
{
    if (!job->is_pooled) {
        free(job);
        return;
    }
    job->next = executor->free_jobs;
    executor->free_jobs = job;
}

/* Requests without a key keep their order among each other, in the first lane. */
static struct lane *lane_of(struct executor *executor, const struct store_request *request)
{
    struct slice key = blob_slice(request->key);

    if (request->operation == STORE_LIST_INTENTS || key.size == 0) {
        return &executor->lanes[0];
    }
    /* By the leaf, so that no two lanes write one leaf of a Merkle tree. */
    return &executor->lanes[merkle_leaf_of(key) % EXECUTOR_THREADS];
}

/* Waits for work. Takes the head of the queue, at most a group; 0 when stopping and empty. */
static size_t take_group(struct lane *lane)
{
    size_t count = 0;
    size_t size = 0;

    pthread_mutex_lock(&lane->lock);
    while (!lane->queue.head && !lane->stopping) {
        pthread_cond_wait(&lane->wanted, &lane->lock);
    }
    while (count < GROUP_REQUESTS_MAX && size < GROUP_SIZE_MAX && lane->queue.head) {
        struct job *job = job_list_take(&lane->queue);
        size += store_request_size(&job->request);
        lane->group[count++] = job;
    }
    pthread_mutex_unlock(&lane->lock);
    return count;
}

static void run_group(struct lane *lane, size_t count)
{
    struct executor *executor = lane->executor;
    struct job_list finished;

    for (size_t i = 0; i < count; i++) {
        lane->requests[i] = lane->group[i]->request;
    }
    store_apply(executor->options.state, lane->requests, count, lane->results);
    job_list_init(&finished);
    for (size_t i = 0; i < count; i++) {
        struct job *job = lane->group[i];
        store_request_release(&lane->requests[i]);
        memset(&job->request, 0, sizeof job->request);
        job->result = lane->results[i];
        job_list_append(&finished, job);
    }
    /* Both at once for the loop: one that has collected the last result finds no lane busy. */
    pthread_mutex_lock(&executor->done_lock);
    job_list_move(&executor->done, &finished);
    atomic_fetch_sub(&executor->busy, count);
    pthread_mutex_unlock(&executor->done_lock);
    executor->options.wake(executor->options.wake_context);
}

static void *run_lane(void *argument)
{
    struct lane *lane = argument;

    for (;;) {
        size_t count = take_group(lane);
        if (count == 0) {
            return NULL;
        }
        run_group(lane, count);
    }
}

static void queue_job(struct executor *executor, struct job *job)
{
    struct lane *lane = lane_of(executor, &job->request);

    atomic_fetch_add(&executor->busy, 1);
    pthread_mutex_lock(&lane->lock);
    job_list_append(&lane->queue, job);
    pthread_cond_signal(&lane->wanted);
    pthread_mutex_unlock(&lane->lock);
}

static bool may_run_here(const struct executor *executor, const struct store_request *request)
{
    if (executor->options.always_queue || atomic_load(&executor->busy) > 0) {
        return false;
    }
    return now_monotonic_us() >= executor->queue_until_us &&
           store_request_is_quick(executor->options.state, request);
}

/* How often the loop's thread waited for the disk; nothing but the store makes it read. */
static long count_disk_reads(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_inblock + usage.ru_majflt : 0;
}

/* A request that was applied in the caller took too long: the next ones are queued. */
static void pause_running_here(struct executor *executor, uint64_t now_us, uint64_t taken_us)
{
    long disk_reads = count_disk_reads();
    uint64_t pause_us = taken_us * OTHER_PAUSE_FACTOR;

    if (disk_reads > executor->disk_reads || pause_us > DISK_PAUSE_US) {
        pause_us = DISK_PAUSE_US;
    }
    executor->disk_reads = disk_reads;
    executor->queue_until_us = now_us + pause_us;
}

static void run_here(struct executor *executor, struct job *job)
{
    uint64_t begun_us = now_monotonic_us();

    store_apply(executor->options.state, &job->request, 1, &job->result);
    uint64_t ended_us = now_monotonic_us();
    if (ended_us - begun_us > executor->options.slow_us) {
        pause_running_here(executor, ended_us, ended_us - begun_us);
    }
    store_request_release(&job->request);
    job_list_append(&executor->ready, job);
}

void executor_submit_take(struct executor *executor, struct store_request *request)
{
    assert(executor && request);

    struct job *job = job_new(executor);

    job->request = *request;
    memset(request, 0, sizeof *request);
    executor->pending++;
    if (!job->is_pooled) {
        job->result = (struct store_result){
            .operation = job->request.operation,
            .token = job->request.token,
            .status = STATUS_BUSY,
        };
        store_request_release(&job->request);
        job_list_append(&executor->ready, job);
    } else if (may_run_here(executor, &job->request)) {
        run_here(executor, job);
    } else {
        queue_job(executor, job);
    }
}

bool executor_collect(struct executor *executor, struct store_result *ret_result)
{
    assert(executor && ret_result);

    if (!executor->ready.head) {
        pthread_mutex_lock(&executor->done_lock);
        job_list_move(&executor->ready, &executor->done);
        pthread_mutex_unlock(&executor->done_lock);
    }
    struct job *job = job_list_take(&executor->ready);
    if (!job) {
        return false;
    }
    assert(executor->pending > 0);
    executor->pending--;
    *ret_result = job->result;
    memset(&job->result, 0, sizeof job->result);
    job_free(executor, job);
    return true;
}

size_t executor_pending(const struct executor *executor)
{
    return executor->pending;
}

static bool start_lane(struct executor *executor, struct lane *lane)
{
    sigset_t all;
    sigset_t before;

    lane->executor = executor;
    job_list_init(&lane->queue);
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->wanted, NULL);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&lane->thread, NULL, run_lane, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0;
}

static void stop_lane(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_signal(&lane->wanted);
    pthread_mutex_unlock(&lane->lock);
    pthread_join(lane->thread, NULL);
    pthread_cond_destroy(&lane->wanted);
    pthread_mutex_destroy(&lane->lock);
}

enum status executor_new(const struct executor_options *options, struct executor **ret_executor)
{
    assert(options->state && options->wake);

    struct executor *executor = calloc(1, sizeof *executor);
    struct job *pool = calloc(EXECUTOR_QUEUE_MAX, sizeof *pool);
    if (!executor || !pool) {
        free(executor);
        free(pool);
        return STATUS_NO_MEMORY;
    }
    executor->options = *options;
    if (executor->options.slow_us == 0) {
        executor->options.slow_us = SLOW_DEFAULT_US;
    }
    executor->pool = pool;
    job_list_init(&executor->ready);
    job_list_init(&executor->done);
    pthread_mutex_init(&executor->done_lock, NULL);
    for (size_t i = 0; i < EXECUTOR_QUEUE_MAX; i++) {
        pool[i].is_pooled = true;
        job_free(executor, &pool[i]);
    }
    while (executor->lane_count < EXECUTOR_THREADS) {
        if (!start_lane(executor, &executor->lanes[executor->lane_count])) {
            executor_free(executor);
            return STATUS_NO_MEMORY;
        }
        executor->lane_count++;
    }
    *ret_executor = executor;
    return STATUS_OK;
}

void executor_free(struct executor *executor)
{
    struct store_result result;

    if (!executor) {
        return;
    }
    for (size_t i = 0; i < executor->lane_count; i++) {
        stop_lane(&executor->lanes[i]);
    }
    while (executor_collect(executor, &result)) {
        store_result_release(&result);
    }
    pthread_mutex_destroy(&executor->done_lock);
    free(executor->pool);
    free(executor);
}
