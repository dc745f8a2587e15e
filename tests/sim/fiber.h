/*
 * fiber.h - blocking code under virtual time: a function on a stack of its own that waits by
 * yielding.
 *
 * Shape:    one runs at a time; fiber_resume goes on with it until it yields or returns.
 * Memory:   a fiber must have returned before it is freed.
 */
#ifndef TESTS_SIM_FIBER_H
#define TESTS_SIM_FIBER_H

#include <stdbool.h>

struct fiber;
typedef void fiber_entry(void *context);

struct fiber *fiber_new(fiber_entry *entry, void *context);
void fiber_free(struct fiber *fiber);
void fiber_resume(struct fiber *fiber);
/* By the fiber that runs: back to whoever resumed it. */
void fiber_yield(struct fiber *fiber);
bool fiber_is_done(const struct fiber *fiber);

#endif
