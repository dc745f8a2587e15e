/*
 * process.h - a simulated process of several threads: ports that live and die together.
 *
 * Its threads are fibers; one starts others by thread_start. threads.h gives the shipping code
 * of the mount these in the place of POSIX threads.
 */
#ifndef TESTS_SIM_PROCESS_H
#define TESTS_SIM_PROCESS_H

#include "tests/sim/port.h"

struct process;
struct thread;

struct process *process_new(struct world *world);
/* From outside: a thread that begins with the next step. */
void process_begin(struct process *process, fiber_entry *entry, void *context);
/* Goes on with each thread whose wait is over. */
void process_step(struct process *process);
/* It stands still until it goes on; its clock does not. */
void process_suspend(struct process *process, bool is_suspended);
bool process_is_suspended(const struct process *process);
/* It dies: nothing that it does counts any more, and all of its threads have returned. */
void process_kill(struct process *process);
bool process_is_done(const struct process *process);
/* All threads have returned. */
void process_free(struct process *process);

/* For its threads. NULL: there are too many. */
struct thread *thread_start(fiber_entry *entry, void *context);
void thread_join(struct thread *thread);
bool thread_is_dead(void);
void thread_sleep(uint64_t us);
uint64_t thread_now_us(void);

/* A lock, and a condition to wait for. Zeroed is free, and quiet. */
struct thread_mutex {
    bool is_locked;
};

struct thread_condition {
    uint64_t signals;
};

void thread_lock(struct thread_mutex *mutex);
void thread_unlock(struct thread_mutex *mutex);
/* Returns when it was signalled or `limit_us` have passed, or for no reason at all. */
void thread_wait(struct thread_condition *condition, struct thread_mutex *mutex,
                 uint64_t limit_us);

#endif
