/*
 * test_siblings.c - conflicts and attributes through the FUSE protocol, line by line of the
 * design's table (section 6).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/fs/fixture.h"

/* A file with two versions: "old" is the older one. */
static void make_conflict(struct fuse_kernel *kernel)
{
    assert_done(shell_write(kernel, ROOT, "f", "old"));
    write_elsewhere(kernel, "f", "new");
}

static void test_conflict__is_shown_as_siblings(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);

    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_content(kernel, ROOT, "f", "new");
    assert_content(kernel, ROOT, "f~v1", "old");
    assert_content(kernel, ROOT, "f~v2", "new");
    assert_errno(call_lookup(kernel, ROOT, "f~v3", NULL), ENOENT);
    assert_errno(call_lookup(kernel, ROOT, "f~v0", NULL), ENOENT);
    assert_errno(call_lookup(kernel, ROOT, "f~v01", NULL), ENOENT);
}

static void test_conflict__write_to_the_name__resolves(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(shell_write(kernel, ROOT, "f", "merged"));

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "merged");
    assert_int_equal(versions_of(kernel, "f"), 1);
    assert_errno(call_lookup(kernel, ROOT, "f~v1", NULL), ENOENT);
}

static void test_conflict__arrived_after_open__stays_as_a_sibling(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "base"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_open(kernel, inode, O_WRONLY | O_TRUNC, &handle));
    supersede_elsewhere(kernel, "f", "late");
    assert_done(call_write(kernel, inode, handle, 0, slice_of_string("mine")));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_content(kernel, ROOT, "f~v1", "late");
    assert_content(kernel, ROOT, "f~v2", "mine");
}

static void test_conflict__write_to_a_sibling__supersedes_that_one(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(shell_write(kernel, ROOT, "f~v1", "edited"));

    assert_int_equal(versions_of(kernel, "f"), 2);
    assert_content(kernel, ROOT, "f~v2", "new");
    /* The edited one is the newest now. */
    assert_content(kernel, ROOT, "f", "edited");
}

static void test_conflict__remove_a_sibling__leaves_the_other(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(call_unlink(kernel, ROOT, "f~v2"));

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "old");
}

static void test_conflict__numbers_stay_until_it_is_over(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    write_elsewhere(kernel, "f", "third");
    assert_names(kernel, ROOT, "f f~v1 f~v2 f~v3");
    assert_done(call_unlink(kernel, ROOT, "f~v1"));

    assert_names(kernel, ROOT, "f f~v2 f~v3");
    assert_content(kernel, ROOT, "f~v2", "new");
    assert_content(kernel, ROOT, "f~v3", "third");
    assert_errno(call_unlink(kernel, ROOT, "f~v1"), ENOENT);
}

static void test_conflict__rename_a_sibling_over_the_name__resolves_to_it(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(call_rename(kernel, ROOT, "f~v1", ROOT, "f", 0));

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "old");
    assert_int_equal(versions_of(kernel, "f"), 1);
}

static void test_conflict__rename_a_sibling_elsewhere__becomes_that_file(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(call_rename(kernel, ROOT, "f~v1", ROOT, "other", 0));

    assert_names(kernel, ROOT, "f other");
    assert_content(kernel, ROOT, "other", "old");
    assert_content(kernel, ROOT, "f", "new");
}

static void test_conflict__remove_the_name__drops_all_that_is_shown(void **state)
{
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    assert_names(kernel, ROOT, "f f~v1 f~v2");
    assert_done(call_unlink(kernel, ROOT, "f"));

    assert_names(kernel, ROOT, "");
    assert_int_equal(versions_of(kernel, "f"), 0);
}

static void test_delete__against_a_write_elsewhere__the_write_stays(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "shown"));
    /* As long as the kernel knows the name, it does not ask for it again. */
    assert_int_not_equal(call_find(kernel, ROOT, "f"), 0);
    write_elsewhere(kernel, "f", "unseen");
    assert_done(call_unlink(kernel, ROOT, "f"));

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "unseen");
    assert_int_equal(versions_of(kernel, "f"), 1);
}

static void test_file_against_directory__directory_keeps_the_name(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_entry_out entry;

    assert_done(shell_write(kernel, ROOT, "x", "file"));
    write_elsewhere(kernel, "x/inside", "below");

    assert_names(kernel, ROOT, "x x~v1");
    assert_done(call_lookup(kernel, ROOT, "x", &entry));
    assert_true(S_ISDIR(entry.attr.mode));
    assert_content(kernel, ROOT, "x~v1", "file");
    assert_content(kernel, entry.nodeid, "inside", "below");
    assert_done(call_unlink(kernel, ROOT, "x~v1"));
    assert_names(kernel, ROOT, "x");
}

static void test_real_file_like_a_sibling__keeps_its_name_and_numbers_skip_it(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f~v1", "real"));
    make_conflict(kernel);

    assert_names(kernel, ROOT, "f f~v1 f~v2 f~v3");
    assert_content(kernel, ROOT, "f~v1", "real");
    assert_content(kernel, ROOT, "f~v2", "old");
    assert_content(kernel, ROOT, "f~v3", "new");
}

static void test_equal_content__written_twice__is_no_conflict(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "same"));
    write_elsewhere(kernel, "f", "same");

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "same");
}

static void assert_xattr(struct fuse_kernel *kernel, uint64_t inode, const char *name,
                         const char *expected)
{
    struct fuse_kernel_reply reply;

    assert_done(call_getxattr(kernel, inode, name, 4096, &reply));
    assert_int_equal(reply.size, strlen(expected));
    assert_memory_equal(reply.data, expected, reply.size);
    free(reply.data);
}

static void test_xattr__set__is_kept_with_the_file(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    struct fuse_getxattr_out size;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_setxattr(kernel, inode, "user.colour", slice_of_string("red"), 0));
    assert_done(call_setxattr(kernel, inode, "user.empty", slice_of_string(""), 0));

    assert_xattr(kernel, inode, "user.colour", "red");
    assert_xattr(kernel, inode, "user.empty", "");
    assert_done(call_getxattr(kernel, inode, "user.colour", 0, &reply));
    memcpy(&size, reply.data, sizeof size);
    free(reply.data);
    assert_int_equal(size.size, 3);
    /* Content and attributes are one value: writing the one keeps the other. */
    assert_done(shell_write(kernel, ROOT, "f", "y"));
    assert_xattr(kernel, call_find(kernel, ROOT, "f"), "user.colour", "red");
    assert_content(kernel, ROOT, "f", "y");
}

static void test_xattr__errors(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct slice red = slice_of_string("red");
    struct fuse_kernel_reply reply;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_errno(call_getxattr(kernel, inode, "user.none", 100, &reply), ENODATA);
    assert_errno(call_removexattr(kernel, inode, "user.none"), ENODATA);
    assert_errno(call_setxattr(kernel, inode, "user.none", red, XATTR_REPLACE), ENODATA);
    assert_done(call_setxattr(kernel, inode, "user.some", red, XATTR_CREATE));
    assert_errno(call_setxattr(kernel, inode, "user.some", red, XATTR_CREATE), EEXIST);
    assert_errno(call_getxattr(kernel, inode, "user.some", 2, &reply), ERANGE);
    assert_errno(call_listxattr(kernel, inode, 2, &reply), ERANGE);
    assert_done(call_removexattr(kernel, inode, "user.some"));
    assert_errno(call_getxattr(kernel, inode, "user.some", 100, &reply), ENODATA);
}

static void test_xattr__list__names_each_with_its_nul(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_setxattr(kernel, inode, "user.a", slice_of_string("1"), 0));
    assert_done(call_setxattr(kernel, inode, "user.b", slice_of_string("2"), 0));

    assert_done(call_listxattr(kernel, inode, 4096, &reply));
    assert_true(reply.size >= 14 && reply.data[reply.size - 1] == '\0');
    assert_non_null(memmem(reply.data, reply.size, "user.a\0", 7));
    assert_non_null(memmem(reply.data, reply.size, "user.b\0", 7));
    free(reply.data);
}

static void test_xattr__of_the_cluster__are_read_only(void **state)
{
    static const char *const NAMES[] = {"user.dynamofs.clock", "user.dynamofs.siblings",
                                        "user.dynamofs.replicas", "user.dynamofs.context"};
    struct fuse_kernel *kernel = *state;

    make_conflict(kernel);
    uint64_t inode = call_find(kernel, ROOT, "f");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct fuse_kernel_reply reply;

        assert_done(call_getxattr(kernel, inode, NAMES[i], 4096, &reply));
        assert_true(reply.size > 0);
        free(reply.data);
        int set = call_setxattr(kernel, inode, NAMES[i], slice_of_string("x"), 0);
        /* Not EPERM: tools that copy attributes pass over ENOTSUP. */
        assert_int_equal(set, ENOTSUP);
        assert_int_not_equal(call_removexattr(kernel, inode, NAMES[i]), 0);
    }
    assert_xattr(kernel, inode, "user.dynamofs.siblings", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(test_conflict__is_shown_as_siblings),
        MOUNT_TEST(test_conflict__write_to_the_name__resolves),
        MOUNT_TEST(test_conflict__arrived_after_open__stays_as_a_sibling),
        MOUNT_TEST(test_conflict__write_to_a_sibling__supersedes_that_one),
        MOUNT_TEST(test_conflict__remove_a_sibling__leaves_the_other),
        MOUNT_TEST(test_conflict__numbers_stay_until_it_is_over),
        MOUNT_TEST(test_conflict__rename_a_sibling_over_the_name__resolves_to_it),
        MOUNT_TEST(test_conflict__rename_a_sibling_elsewhere__becomes_that_file),
        MOUNT_TEST(test_conflict__remove_the_name__drops_all_that_is_shown),
        MOUNT_TEST(test_delete__against_a_write_elsewhere__the_write_stays),
        MOUNT_TEST(test_file_against_directory__directory_keeps_the_name),
        MOUNT_TEST(test_real_file_like_a_sibling__keeps_its_name_and_numbers_skip_it),
        MOUNT_TEST(test_equal_content__written_twice__is_no_conflict),
        MOUNT_TEST(test_xattr__set__is_kept_with_the_file),
        MOUNT_TEST(test_xattr__errors),
        MOUNT_TEST(test_xattr__list__names_each_with_its_nul),
        MOUNT_TEST(test_xattr__of_the_cluster__are_read_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
