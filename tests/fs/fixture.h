/*
 * fixture.h - what the tests of the FUSE layer share: one mount for each test.
 */
#ifndef TESTS_FS_FIXTURE_H
#define TESTS_FS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fs/fuse_calls.h"

/* For cmocka: *state is the struct fuse_kernel. */
int fixture_mount(void **state);
/* Fails the test if the session does not end well. */
int fixture_unmount(void **state);

#define MOUNT_TEST(function)                                                                   \
    cmocka_unit_test_setup_teardown(function, fixture_mount, fixture_unmount)

/* Each of these fails the test with the errno's text. */
#define assert_errno(call, expected) check_errno((call), (expected), #call, __FILE__, __LINE__)
#define assert_done(call)            assert_errno(call, 0)

void check_errno(int got, int expected, const char *what, const char *file, int line);

/* A file, by what a program reads in it. */
void assert_content(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                    const char *expected);
/* What ls shows, by READDIR and by READDIRPLUS: names parted by spaces, sorted. */
void assert_names(struct fuse_kernel *kernel, uint64_t inode, const char *expected);

/* Writes as another mount that has seen nothing would: a sibling of whatever is there. */
void write_elsewhere(struct fuse_kernel *kernel, const char *key, const char *content);
/* Writes as another mount that has seen everything would. */
void supersede_elsewhere(struct fuse_kernel *kernel, const char *key, const char *content);
/* How many versions the cluster holds of a key. */
unsigned versions_of(struct fuse_kernel *kernel, const char *key);

#endif
