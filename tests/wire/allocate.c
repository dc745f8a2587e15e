/*
 * allocate.c - see allocate.h.
 */
#include "tests/wire/allocate.h"

#include <stddef.h>

static bool armed;
static bool did_fail;
static unsigned left;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void allocate_fail_after(unsigned count)
{
    armed = true;
    did_fail = false;
    left = count;
}

bool allocate_did_fail(void)
{
    return did_fail;
}

void allocate_never_fail(void)
{
    armed = false;
    did_fail = false;
}

static bool must_fail(void)
{
    if (!armed || left-- > 0) {
        return false;
    }
    armed = false;
    did_fail = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __real_realloc(old, size);
}
