/*
 * test_names.c - directories, names and links through the FUSE protocol.
 *
 * Rules: each operation of names answers the errno that POSIX gives it; listings are complete,
 * each name once, and resumable; a rename replaces what it may and nothing else; names are
 * bytes of up to 255.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fs/fixture.h"

enum { MANY = 3000, MANY_SIZE = MANY * 8 };

static void test_lookup__missing_and_too_long__errno(void **state)
{
    struct fuse_kernel *kernel = *state;
    char name[300];

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_errno(call_lookup(kernel, ROOT, "none", NULL), ENOENT);
    assert_errno(call_lookup(kernel, ROOT, name, NULL), ENAMETOOLONG);
}

static void test_name__of_255_bytes__fits_and_256_do_not(void **state)
{
    struct fuse_kernel *kernel = *state;
    char name[260];
    uint64_t inode;
    uint64_t handle;

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_errno(call_create(kernel, ROOT, name, 0600, &inode, &handle), ENAMETOOLONG);
    assert_errno(call_mkdir(kernel, ROOT, name, NULL), ENAMETOOLONG);
    assert_errno(call_symlink(kernel, ROOT, name, "x", NULL), ENAMETOOLONG);
    name[255] = '\0';
    assert_done(shell_write(kernel, ROOT, name, "x"));
    assert_content(kernel, ROOT, name, "x");
    name[255] = 'n';
    name[256] = '\0';
    assert_done(shell_write(kernel, ROOT, "short", "x"));
    assert_errno(call_rename(kernel, ROOT, "short", ROOT, name, 0), ENAMETOOLONG);
}

static void test_name__of_any_bytes__is_kept(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "\xff\xfe\x01\n\t*?'\"\\", "odd"));

    assert_content(kernel, ROOT, "\xff\xfe\x01\n\t*?'\"\\", "odd");
    assert_names(kernel, ROOT, "\xff\xfe\x01\n\t*?'\"\\");
}

static void test_mkdir__nested__has_its_own_names(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_attr attributes;
    uint64_t outer;
    uint64_t inner;

    assert_done(call_mkdir(kernel, ROOT, "outer", &outer));
    assert_done(call_mkdir(kernel, outer, "inner", &inner));
    assert_done(shell_write(kernel, inner, "f", "deep"));

    assert_names(kernel, ROOT, "outer");
    assert_names(kernel, outer, "inner");
    assert_content(kernel, inner, "f", "deep");
    assert_done(call_getattr(kernel, inner, &attributes));
    assert_true(S_ISDIR(attributes.mode));
    assert_int_equal(versions_of(kernel, "outer/inner/f"), 1);
}

static void test_mkdir__name_is_taken__eexist(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(call_mkdir(kernel, ROOT, "d", NULL));
    assert_done(shell_write(kernel, ROOT, "f", "x"));
    /* A kernel looks first, and what it was shown it does not forget in between. */
    assert_int_not_equal(call_find(kernel, ROOT, "f"), 0);

    assert_errno(call_mkdir(kernel, ROOT, "d", NULL), EEXIST);
    assert_errno(call_mkdir(kernel, ROOT, "f", NULL), EEXIST);
    assert_errno(call_symlink(kernel, ROOT, "f", "x", NULL), EEXIST);
    assert_errno(call_mknod(kernel, ROOT, "f", S_IFREG | 0600, NULL), EEXIST);
}

static void test_rmdir__not_empty_missing_or_file__errno(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t directory;

    assert_done(call_mkdir(kernel, ROOT, "d", &directory));
    assert_done(shell_write(kernel, directory, "f", "x"));
    assert_errno(call_rmdir(kernel, ROOT, "d"), ENOTEMPTY);
    assert_errno(call_rmdir(kernel, ROOT, "none"), ENOENT);
    assert_errno(call_rmdir(kernel, directory, "f"), ENOTDIR);
    assert_errno(call_unlink(kernel, ROOT, "d"), EISDIR);

    assert_done(call_unlink(kernel, directory, "f"));
    assert_done(call_rmdir(kernel, ROOT, "d"));
    assert_errno(call_lookup(kernel, ROOT, "d", NULL), ENOENT);
    assert_names(kernel, ROOT, "");
}

static void test_directory__removed__takes_no_more_names(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t directory;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_mkdir(kernel, ROOT, "d", &directory));
    assert_done(call_rmdir(kernel, ROOT, "d"));

    int error = call_create(kernel, directory, "f", 0600, &inode, &handle);
    assert_true(error == ENOENT || error == ESTALE);
    assert_names(kernel, ROOT, "");
}

static void test_file_as_a_directory__enotdir(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");

    assert_errno(call_lookup(kernel, inode, "x", NULL), ENOTDIR);
    assert_errno(call_mkdir(kernel, inode, "x", NULL), ENOTDIR);
    assert_errno(call_opendir(kernel, inode, &handle), ENOTDIR);
}

static void test_unlink__missing__enoent(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_errno(call_unlink(kernel, ROOT, "none"), ENOENT);
}

static void test_rename__file__moves_and_replaces(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t directory;

    assert_done(call_mkdir(kernel, ROOT, "d", &directory));
    assert_done(shell_write(kernel, ROOT, "a", "A"));
    assert_done(shell_write(kernel, directory, "b", "B"));
    assert_done(call_rename(kernel, ROOT, "a", directory, "b", 0));

    assert_content(kernel, directory, "b", "A");
    assert_names(kernel, ROOT, "d");
    assert_names(kernel, directory, "b");
    assert_int_equal(versions_of(kernel, "d/b"), 1);
    assert_int_equal(versions_of(kernel, "a"), 0);
}

static void test_rename__kinds_that_do_not_fit__errno(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t full;

    assert_done(call_mkdir(kernel, ROOT, "d", NULL));
    assert_done(call_mkdir(kernel, ROOT, "full", &full));
    assert_done(shell_write(kernel, full, "x", "x"));
    assert_done(shell_write(kernel, ROOT, "f", "F"));

    assert_errno(call_rename(kernel, ROOT, "f", ROOT, "d", 0), EISDIR);
    assert_errno(call_rename(kernel, ROOT, "d", ROOT, "f", 0), ENOTDIR);
    assert_errno(call_rename(kernel, ROOT, "d", ROOT, "full", 0), ENOTEMPTY);
    assert_errno(call_rename(kernel, ROOT, "none", ROOT, "f", 0), ENOENT);
    assert_names(kernel, ROOT, "d f full");
    assert_content(kernel, ROOT, "f", "F");
}

static void test_rename__flags__noreplace_is_kept_and_others_are_refused(void **state)
{
    enum { NOREPLACE = 1, EXCHANGE = 2, WHITEOUT = 4 };
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "a", "A"));
    assert_done(shell_write(kernel, ROOT, "b", "B"));

    assert_errno(call_rename(kernel, ROOT, "a", ROOT, "b", NOREPLACE), EEXIST);
    assert_errno(call_rename(kernel, ROOT, "a", ROOT, "b", EXCHANGE), EINVAL);
    assert_errno(call_rename(kernel, ROOT, "a", ROOT, "b", WHITEOUT), EINVAL);
    assert_content(kernel, ROOT, "b", "B");
    assert_done(call_rename(kernel, ROOT, "a", ROOT, "c", NOREPLACE));
    assert_names(kernel, ROOT, "b c");
}

static void test_rename__onto_itself__changes_nothing(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "a", "A"));
    assert_done(call_rename(kernel, ROOT, "a", ROOT, "a", 0));

    assert_names(kernel, ROOT, "a");
    assert_content(kernel, ROOT, "a", "A");
}

static void test_rename__directory__moves_what_is_below(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t from;
    uint64_t below;

    assert_done(call_mkdir(kernel, ROOT, "from", &from));
    assert_done(call_mkdir(kernel, from, "below", &below));
    assert_done(shell_write(kernel, from, "f", "1"));
    assert_done(shell_write(kernel, below, "g", "2"));
    assert_done(call_rename(kernel, ROOT, "from", ROOT, "to", 0));

    assert_names(kernel, ROOT, "to");
    uint64_t to = call_find(kernel, ROOT, "to");
    assert_names(kernel, to, "below f");
    assert_content(kernel, to, "f", "1");
    assert_content(kernel, call_find(kernel, to, "below"), "g", "2");
    assert_int_equal(versions_of(kernel, "from/below/g"), 0);
    assert_int_equal(versions_of(kernel, "to/below/g"), 1);
}

static void test_symlink__keeps_its_target(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    struct fuse_attr attributes;
    uint64_t inode;

    assert_done(call_symlink(kernel, ROOT, "link", "../some/where", &inode));

    assert_done(call_readlink(kernel, inode, &reply));
    assert_int_equal(reply.size, strlen("../some/where"));
    assert_memory_equal(reply.data, "../some/where", reply.size);
    free(reply.data);
    assert_done(call_getattr(kernel, inode, &attributes));
    assert_true(S_ISLNK(attributes.mode));
    assert_int_equal(attributes.size, strlen("../some/where"));
    assert_names(kernel, ROOT, "link");
    assert_done(call_unlink(kernel, ROOT, "link"));
}

static void test_readlink__of_a_file__einval(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;

    assert_done(shell_write(kernel, ROOT, "f", "x"));

    assert_errno(call_readlink(kernel, call_find(kernel, ROOT, "f"), &reply), EINVAL);
}

static void test_mknod__regular_file__exists(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;

    assert_done(call_mknod(kernel, ROOT, "plain", S_IFREG | 0600, &inode));
    assert_content(kernel, ROOT, "plain", "");
    assert_errno(call_mknod(kernel, ROOT, "neither", 0600, NULL), EINVAL);
    assert_errno(call_mknod(kernel, ROOT, "link", S_IFLNK | 0777, NULL), EINVAL);
    assert_names(kernel, ROOT, "plain");
}

static void assert_special(struct fuse_kernel *kernel, const char *name, uint32_t mode,
                           uint32_t device)
{
    struct fuse_attr attributes;
    uint64_t handle;
    uint64_t inode = call_find(kernel, ROOT, name);

    assert_done(call_getattr(kernel, inode, &attributes));
    assert_int_equal(attributes.mode, mode);
    assert_int_equal(attributes.rdev, device);
    assert_int_equal(attributes.size, 0);
    assert_int_equal(attributes.blocks, 0);
    assert_errno(call_open(kernel, inode, O_RDWR, &handle), ENXIO);
    assert_errno(call_truncate(kernel, inode, 1), EINVAL);
}

static void test_mknod__special_files__are_what_was_made(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint32_t large_device = 0xfff | 0xabc << 8 | 0xffU << 20; /* as the kernel encodes it */

    assert_done(call_mknod(kernel, ROOT, "pipe", S_IFIFO | 0600, NULL));
    assert_done(call_mknod(kernel, ROOT, "socket", S_IFSOCK | 0755, NULL));
    assert_done(call_mknod_device(kernel, ROOT, "block", S_IFBLK | 0640, 0x801));
    assert_done(call_mknod_device(kernel, ROOT, "tty", S_IFCHR | 0666, large_device));

    assert_names(kernel, ROOT, "block pipe socket tty");
    assert_special(kernel, "pipe", S_IFIFO | 0600, 0);
    assert_special(kernel, "socket", S_IFSOCK | 0755, 0);
    assert_special(kernel, "block", S_IFBLK | 0640, 0x801);
    assert_special(kernel, "tty", S_IFCHR | 0666, large_device);
    assert_errno(call_mknod(kernel, ROOT, "pipe", S_IFIFO | 0600, NULL), EEXIST);
    assert_done(call_rename(kernel, ROOT, "tty", ROOT, "pipe", 0));
    assert_special(kernel, "pipe", S_IFCHR | 0666, large_device);
    assert_done(call_unlink(kernel, ROOT, "block"));
    assert_errno(call_rmdir(kernel, ROOT, "pipe"), ENOTDIR);
    assert_names(kernel, ROOT, "pipe socket");
}

static void test_link__hard__is_refused(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    int error = call_link(kernel, call_find(kernel, ROOT, "f"), ROOT, "g");

    assert_true(error == EPERM || error == EOPNOTSUPP || error == ENOSYS);
    assert_names(kernel, ROOT, "f");
}

/* Fails unless `names` are n0000 to n2999, each once. */
static void assert_many(char *names)
{
    char *rest = names;
    bool seen[MANY] = {false};
    char *name;
    size_t count = 0;

    while ((name = strsep(&rest, " "))) {
        long number = strtol(name + 1, NULL, 10);

        assert_true(name[0] == 'n' && number >= 0 && number < MANY);
        assert_false(seen[number]);
        seen[number] = true;
        count++;
    }
    assert_int_equal(count, MANY);
}

static void test_readdir__many_names__each_once(void **state)
{
    struct fuse_kernel *kernel = *state;
    char *names = test_malloc(MANY_SIZE);
    char name[16];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "n%04d", i);
        write_elsewhere(kernel, name, "x");
    }

    for (int plus = 0; plus < 2; plus++) {
        assert_done(shell_list(kernel, ROOT, plus == 1, names, MANY_SIZE));
        assert_many(names);
    }
    kv_memory_scan_max(fuse_kernel_kv(kernel), 7);
    assert_done(shell_list(kernel, ROOT, true, names, MANY_SIZE));
    assert_many(names);
    test_free(names);
}

static void test_readdir__from_an_earlier_offset__goes_on_there(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply first;
    struct fuse_kernel_reply again;
    struct fuse_dirent head;
    uint64_t handle;

    for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
        write_elsewhere(kernel, name, "x");
    }
    assert_done(call_opendir(kernel, ROOT, &handle));
    assert_done(call_readdir(kernel, ROOT, handle, 0, false, &first));
    memcpy(&head, first.data, FUSE_NAME_OFFSET);
    assert_done(call_readdir(kernel, ROOT, handle, head.off, false, &again));

    /* All but the first entry, the same bytes. */
    size_t skip = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + head.namelen);
    assert_int_equal(again.size, first.size - skip);
    assert_memory_equal(again.data, first.data + skip, again.size);
    free(first.data);
    free(again.data);
    assert_done(call_releasedir(kernel, ROOT, handle));
}

static void test_readdir__cluster_fails__is_an_error_and_never_shorter(void **state)
{
    struct fuse_kernel *kernel = *state;
    char names[64];

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    kv_memory_fail(fuse_kernel_kv(kernel), 1, STATUS_NO_QUORUM);
    assert_errno(shell_list(kernel, ROOT, false, names, sizeof names), EIO);

    assert_names(kernel, ROOT, "f");
}

static void test_statfs__tells_the_longest_name(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kstatfs space;

    assert_done(call_statfs(kernel, &space));

    assert_int_equal(space.namelen, 255);
    assert_true(space.bsize > 0 && space.blocks > 0);
    assert_true(space.bfree <= space.blocks);
}

static void test_forget__then_use__estale(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_entry_out entry;
    struct fuse_attr attributes;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    assert_done(call_lookup(kernel, ROOT, "f", &entry));
    assert_done(call_forget(kernel, entry.nodeid, entry.nodeid == 0 ? 0 : 1));

    /* FORGET has no answer: another thread may still be at it. Asking again is what counts. */
    int error = call_getattr(kernel, entry.nodeid, &attributes);
    assert_true(error == 0 || error == ESTALE || error == ENOENT);
    assert_content(kernel, ROOT, "f", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(test_lookup__missing_and_too_long__errno),
        MOUNT_TEST(test_name__of_255_bytes__fits_and_256_do_not),
        MOUNT_TEST(test_name__of_any_bytes__is_kept),
        MOUNT_TEST(test_mkdir__nested__has_its_own_names),
        MOUNT_TEST(test_mkdir__name_is_taken__eexist),
        MOUNT_TEST(test_rmdir__not_empty_missing_or_file__errno),
        MOUNT_TEST(test_directory__removed__takes_no_more_names),
        MOUNT_TEST(test_file_as_a_directory__enotdir),
        MOUNT_TEST(test_unlink__missing__enoent),
        MOUNT_TEST(test_rename__file__moves_and_replaces),
        MOUNT_TEST(test_rename__kinds_that_do_not_fit__errno),
        MOUNT_TEST(test_rename__flags__noreplace_is_kept_and_others_are_refused),
        MOUNT_TEST(test_rename__onto_itself__changes_nothing),
        MOUNT_TEST(test_rename__directory__moves_what_is_below),
        MOUNT_TEST(test_symlink__keeps_its_target),
        MOUNT_TEST(test_readlink__of_a_file__einval),
        MOUNT_TEST(test_mknod__regular_file__exists),
        MOUNT_TEST(test_mknod__special_files__are_what_was_made),
        MOUNT_TEST(test_link__hard__is_refused),
        MOUNT_TEST(test_readdir__many_names__each_once),
        MOUNT_TEST(test_readdir__from_an_earlier_offset__goes_on_there),
        MOUNT_TEST(test_readdir__cluster_fails__is_an_error_and_never_shorter),
        MOUNT_TEST(test_statfs__tells_the_longest_name),
        MOUNT_TEST(test_forget__then_use__estale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
