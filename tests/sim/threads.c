/*
 * threads.c - see threads.h.
 */
#include "tests/sim/threads.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct beginning {
    void *(*work)(void *context);
    void *context;
};

static void begin(void *context)
{
    struct beginning beginning = *(struct beginning *)context;
    free(context);
    (void)beginning.work(beginning.context);
}

int sim_thread_create(struct thread **ret_thread, const void *attributes,
                      void *(*work)(void *context), void *context)
{
    assert(!attributes);
    struct beginning *beginning = malloc(sizeof *beginning);
    assert(beginning);
    *beginning = (struct beginning){.work = work, .context = context};
    *ret_thread = thread_start(begin, beginning);
    if (!*ret_thread) {
        free(beginning);
        return EAGAIN;
    }
    return 0;
}

int sim_thread_join(struct thread *thread, void **ret_result)
{
    assert(!ret_result);
    thread_join(thread);
    return 0;
}

int sim_mutex_init(struct thread_mutex *mutex, const void *attributes)
{
    (void)attributes;
    *mutex = (struct thread_mutex){.is_locked = false};
    return 0;
}

int sim_cond_init(struct thread_condition *condition, const void *attributes)
{
    (void)attributes;
    *condition = (struct thread_condition){.signals = 0};
    return 0;
}

bool sim_cond_wait_a_while(struct thread_condition *condition, struct thread_mutex *mutex)
{
    thread_wait(condition, mutex, SIM_WAIT_US);
    return false;
}
