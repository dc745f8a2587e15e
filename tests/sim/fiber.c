/*
 * fiber.c - fibers out of ucontext.
 */
#include "tests/sim/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

/* AddressSanitizer must be told of each change of stacks. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

#if HAS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_SIZE = 256 * 1024 };

struct fiber {
    ucontext_t inside, outside;
    fiber_entry *entry;
    void *context;
    void *stack;
    bool is_done;
    /* For AddressSanitizer. */
    const void *outside_stack;
    size_t outside_size;
};

#if HAS_ASAN
static void switch_begin(void **fake_stack, const void *bottom, size_t size)
{
    __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}

static void switch_end(void *fake_stack, const void **ret_bottom, size_t *ret_size)
{
    __sanitizer_finish_switch_fiber(fake_stack, ret_bottom, ret_size);
}
#else
static void switch_begin(void **fake_stack, const void *bottom, size_t size)
{
    (void)fake_stack;
    (void)bottom;
    (void)size;
}

static void switch_end(void *fake_stack, const void **ret_bottom, size_t *ret_size)
{
    (void)fake_stack;
    (void)ret_bottom;
    (void)ret_size;
}
#endif

/* makecontext passes on ints alone. */
static void fiber_main(unsigned high, unsigned low)
{
    struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | (uintptr_t)low);
    switch_end(NULL, &fiber->outside_stack, &fiber->outside_size);
    fiber->entry(fiber->context);
    fiber->is_done = true;
    switch_begin(NULL, fiber->outside_stack, fiber->outside_size);
    (void)setcontext(&fiber->outside);
    abort();
}

struct fiber *fiber_new(fiber_entry *entry, void *context)
{
    struct fiber *fiber = calloc(1, sizeof *fiber);
    assert(fiber);
    fiber->entry = entry;
    fiber->context = context;
    fiber->stack = malloc(STACK_SIZE);
    assert(fiber->stack);
    int result = getcontext(&fiber->inside);
    assert(result == 0);
    (void)result;
    fiber->inside.uc_stack.ss_sp = fiber->stack;
    fiber->inside.uc_stack.ss_size = STACK_SIZE;
    uintptr_t address = (uintptr_t)fiber;
    static_assert(sizeof address == 8, "in two halves");
    makecontext(&fiber->inside, (void (*)(void))(uintptr_t)fiber_main, 2,
                (unsigned)(address >> 32), (unsigned)(address & UINT32_MAX));
    return fiber;
}

void fiber_free(struct fiber *fiber)
{
    if (fiber) {
        assert(fiber->is_done);
        free(fiber->stack);
        free(fiber);
    }
}

void fiber_resume(struct fiber *fiber)
{
    void *fake_stack = NULL;
    assert(!fiber->is_done);
    switch_begin(&fake_stack, fiber->stack, STACK_SIZE);
    (void)swapcontext(&fiber->outside, &fiber->inside);
    switch_end(fake_stack, NULL, NULL);
}

void fiber_yield(struct fiber *fiber)
{
    void *fake_stack = NULL;
    switch_begin(&fake_stack, fiber->outside_stack, fiber->outside_size);
    (void)swapcontext(&fiber->inside, &fiber->outside);
    switch_end(fake_stack, &fiber->outside_stack, &fiber->outside_size);
}

bool fiber_is_done(const struct fiber *fiber)
{
    return fiber->is_done;
}
