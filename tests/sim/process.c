/*
 * process.c - threads out of fibers.
 */
#include "tests/sim/process.h"

#include <assert.h>
#include <stdlib.h>

enum { THREADS_MAX = 16 };

struct thread {
    struct port port; /* first: the thread is found by it */
    struct process *process;
    fiber_entry *entry;
    void *context;
    /* What it waits for beside its port's time: no need to wake it up before. NULL: nothing. */
    const struct thread *joined;
    const struct thread_mutex *mutex;
    const struct thread_condition *condition;
    uint64_t signals, end_us; /* of the condition */
};

struct process {
    struct world *world;
    struct thread *threads[THREADS_MAX];
    int count;
    bool is_dead, is_suspended;
};

struct process *process_new(struct world *world)
{
    struct process *process = calloc(1, sizeof *process);
    assert(process);
    process->world = world;
    return process;
}

static void run(void *context)
{
    struct thread *thread = context;
    thread->entry(thread->context);
}

static struct thread *start(struct process *process, fiber_entry *entry, void *context)
{
    if (process->count == THREADS_MAX) {
        return NULL;
    }
    struct thread *thread = calloc(1, sizeof *thread);
    assert(thread);
    *thread = (struct thread){
        .port = {.world = process->world, .call = -1, .is_dead = process->is_dead},
        .process = process,
        .entry = entry,
        .context = context};
    thread->port.fiber = fiber_new(run, thread);
    process->threads[process->count++] = thread;
    return thread;
}

void process_begin(struct process *process, fiber_entry *entry, void *context)
{
    struct thread *thread = start(process, entry, context);
    assert(thread);
    (void)thread;
}

static bool is_waiting(const struct thread *thread)
{
    if (thread->joined) {
        return !fiber_is_done(thread->joined->port.fiber);
    }
    if (thread->condition) {
        return thread->condition->signals == thread->signals &&
               world_now(thread->process->world) < thread->end_us;
    }
    return thread->mutex && thread->mutex->is_locked;
}

void process_step(struct process *process)
{
    /* Who begins meanwhile has its turn, too. */
    for (int i = 0; !process->is_suspended && i < process->count; i++) {
        if (!is_waiting(process->threads[i])) {
            port_step(&process->threads[i]->port);
        }
    }
}

void process_suspend(struct process *process, bool is_suspended)
{
    process->is_suspended = is_suspended;
}

bool process_is_suspended(const struct process *process)
{
    return process->is_suspended;
}

void process_kill(struct process *process)
{
    process->is_dead = true;
    /* They wait for one another while they return. */
    while (!process_is_done(process)) {
        for (int i = 0; i < process->count; i++) {
            (void)port_unwind(&process->threads[i]->port);
        }
    }
}

bool process_is_done(const struct process *process)
{
    for (int i = 0; i < process->count; i++) {
        if (!fiber_is_done(process->threads[i]->port.fiber)) {
            return false;
        }
    }
    return true;
}

void process_free(struct process *process)
{
    for (int i = 0; i < process->count; i++) {
        fiber_free(process->threads[i]->port.fiber);
        free(process->threads[i]);
    }
    free(process);
}

/* For threads ----------------------------------------------------------------------------- */

static struct thread *current_thread(void)
{
    return (struct thread *)port_current();
}

struct thread *thread_start(fiber_entry *entry, void *context)
{
    return start(current_thread()->process, entry, context);
}

void thread_join(struct thread *thread)
{
    struct thread *self = current_thread();
    self->joined = thread;
    while (is_waiting(self)) {
        port_pass(&self->port);
    }
    self->joined = NULL;
}

bool thread_is_dead(void)
{
    return port_current()->is_dead;
}

void thread_sleep(uint64_t us)
{
    port_sleep_until(port_current(), port_now_us(port_current()) + us);
}

uint64_t thread_now_us(void)
{
    return port_now_us(port_current());
}

void thread_lock(struct thread_mutex *mutex)
{
    struct thread *self = current_thread();
    self->mutex = mutex;
    while (is_waiting(self)) {
        port_pass(&self->port);
    }
    self->mutex = NULL;
    mutex->is_locked = true;
}

void thread_unlock(struct thread_mutex *mutex)
{
    assert(mutex->is_locked);
    mutex->is_locked = false;
}

void thread_wait(struct thread_condition *condition, struct thread_mutex *mutex,
                 uint64_t limit_us)
{
    struct thread *self = current_thread();
    self->signals = condition->signals;
    self->end_us = world_now(self->process->world) + limit_us;
    self->condition = condition;
    thread_unlock(mutex);
    do {
        port_pass(&self->port);
    } while (!self->port.is_dead && is_waiting(self));
    self->condition = NULL;
    thread_lock(mutex);
}
