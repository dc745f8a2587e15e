/*
 * allocate.h - allocations of the code under test that fail on command.
 *
 * Shape:    the test is linked with --wrap for malloc, calloc and realloc, which reaches our
 *           own libraries but not shared ones.
 */
#ifndef TESTS_WIRE_ALLOCATE_H
#define TESTS_WIRE_ALLOCATE_H

#include <stdbool.h>

/* `count` more allocations succeed, the one after them fails, all later ones succeed. */
void allocate_fail_after(unsigned count);
/* True if one has failed since. */
bool allocate_did_fail(void);
void allocate_never_fail(void);

#endif
