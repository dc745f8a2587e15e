/*
 * threads.h - POSIX threads as the shipping code of the mount uses them, made of the
 *             simulator's.
 *
 * Included before anything else of a file (-include), so that it runs on fibers as it is.
 */
#ifndef TESTS_SIM_THREADS_H
#define TESTS_SIM_THREADS_H

#include <pthread.h>
#include <time.h>

#include "node/base/condition.h"
#include "node/client/kv.h"
#include "tests/sim/process.h"

#define pthread_t       struct thread *
#define pthread_mutex_t struct thread_mutex
#define pthread_cond_t  struct thread_condition

#define pthread_create     sim_thread_create
#define pthread_join       sim_thread_join
#define pthread_mutex_init sim_mutex_init
#define pthread_cond_init  sim_cond_init
/* Nothing is to be given back. */
#define pthread_mutex_destroy(mutex)   ((void)(mutex))
#define pthread_cond_destroy(cond)     ((void)(cond))
#define pthread_mutex_lock(mutex)      thread_lock(mutex)
#define pthread_mutex_unlock(mutex)    thread_unlock(mutex)
#define pthread_cond_signal(cond)      ((void)(cond)->signals++)
#define pthread_cond_broadcast(cond)   ((void)(cond)->signals++)
#define pthread_cond_wait(cond, mutex) thread_wait((cond), (mutex), SIM_WAIT_US)
#define condition_init(cond)           ((void)sim_cond_init((cond), NULL))
/* Until when is read off a clock that is not the simulator's. */
#define condition_wait_until(cond, mutex, until_ns)                                            \
    ((void)(until_ns), sim_cond_wait_a_while((cond), (mutex)))

#define now_elapsed_ns client_now_ns

/* All fibers are one thread: each call of theirs has its own deadline. */
#define kv_limits_begin(limits) ((void)(limits))
#define kv_limits_end()         ((void)0)

#define SIM_WAIT_US UINT64_C(1000000)

/* `work` returns NULL. */
int sim_thread_create(struct thread **ret_thread, const void *attributes,
                      void *(*work)(void *context), void *context);
int sim_thread_join(struct thread *thread, void **ret_result);
int sim_mutex_init(struct thread_mutex *mutex, const void *attributes);
int sim_cond_init(struct thread_condition *condition, const void *attributes);
/* False, as if the time had come. */
bool sim_cond_wait_a_while(struct thread_condition *condition, struct thread_mutex *mutex);

#endif
