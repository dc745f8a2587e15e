/*
 * test_descriptors.c - which files a process has open.
 *
 * Rules: what a process has open is found by its inode number, until its last descriptor is
 *        closed; of a process that cannot be looked at nothing is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fuse/descriptors.h"

static void test_descriptors__of_a_process__are_found_by_inode(void **state)
{
    char path[] = "descriptorsXXXXXX";
    struct stat attributes;
    (void)state;
    int first = mkstemp(path);
    int second = dup(first);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fstat(first, &attributes), 0);

    assert_int_equal(close(first), 0);
    assert_true(descriptors_has_other(getpid(), attributes.st_ino));
    assert_int_equal(close(second), 0);
    assert_false(descriptors_has_other(getpid(), attributes.st_ino));
    assert_false(descriptors_has_other(0, attributes.st_ino));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors__of_a_process__are_found_by_inode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
