/*
 * test_files.c - files through the FUSE protocol.
 *
 * Rules: what was written is read, with holes as zeros; a file reaches the cluster once, at its
 * first flush, and only when it changed; an open file outlives its name and follows a rename;
 * an error of the cluster is the errno of close and loses nothing that is still open; content
 * ends at 1 MiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fs/fixture.h"

enum { MIB = 1 << 20 };

static struct slice text(const char *string)
{
    return slice_of_string(string);
}

static void test_create__written_and_closed__read_back(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_entry_out entry;

    assert_done(shell_write(kernel, ROOT, "a.txt", "hello"));

    assert_content(kernel, ROOT, "a.txt", "hello");
    assert_done(call_lookup(kernel, ROOT, "a.txt", &entry));
    assert_int_equal(entry.attr.size, 5);
    assert_int_equal(entry.attr.mode, S_IFREG | 0644);
    assert_int_equal(entry.attr.nlink, 1);
    assert_names(kernel, ROOT, "a.txt");
}

static void test_create__before_flush__is_shown_here_and_not_on_the_cluster(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "new", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("abc")));

    assert_int_equal(versions_of(kernel, "new"), 0);
    assert_names(kernel, ROOT, "new");
    assert_done(call_flush(kernel, inode, handle));
    assert_int_equal(versions_of(kernel, "new"), 1);
    assert_done(call_release(kernel, inode, handle));
}

static void test_create__truncate_write_attributes_close__is_one_put(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "one", 0600, &inode, &handle));
    struct fuse_setattr_in in = {.valid = FATTR_SIZE | FATTR_FH, .fh = handle, .size = 0};
    assert_done(call_setattr(kernel, inode, &in, NULL));
    assert_done(call_write(kernel, inode, handle, 0, text("first ")));
    assert_done(call_write(kernel, inode, handle, 6, text("second")));
    in = (struct fuse_setattr_in){
        .valid = FATTR_MODE | FATTR_MTIME, .mode = S_IFREG | 0640, .mtime = 1000};
    assert_done(call_setattr(kernel, inode, &in, NULL));
    assert_int_equal(kv_memory_calls(fuse_kernel_kv(kernel)).put, 0);
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_int_equal(kv_memory_calls(fuse_kernel_kv(kernel)).put, 1);
    struct fuse_attr attributes;
    assert_done(call_getattr(kernel, inode, &attributes));
    assert_int_equal(attributes.mode, S_IFREG | 0640);
    assert_int_equal(attributes.mtime, 1000);
    assert_content(kernel, ROOT, "one", "first second");
}

static void test_open__read_and_closed__puts_nothing(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t before = kv_memory_calls(fuse_kernel_kv(kernel)).put;
    assert_content(kernel, ROOT, "f", "x");

    assert_int_equal(kv_memory_calls(fuse_kernel_kv(kernel)).put, before);
}

static void test_empty_file__closed__is_on_the_cluster(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "empty", ""));

    assert_int_equal(versions_of(kernel, "empty"), 1);
    assert_content(kernel, ROOT, "empty", "");
}

static void test_write__beyond_the_end__hole_reads_as_zeros(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "sparse", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("ab")));
    assert_done(call_write(kernel, inode, handle, 6, text("cd")));

    assert_done(call_read(kernel, inode, handle, 0, 100, &reply));
    assert_int_equal(reply.size, 8);
    assert_memory_equal(reply.data, "ab\0\0\0\0cd", 8);
    free(reply.data);
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));
}

static void test_read__at_and_past_the_end__short_then_empty(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "0123456789"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_open(kernel, inode, O_RDONLY, &handle));

    assert_done(call_read(kernel, inode, handle, 8, 100, &reply));
    assert_int_equal(reply.size, 2);
    free(reply.data);
    assert_done(call_read(kernel, inode, handle, 10, 100, &reply));
    assert_int_equal(reply.size, 0);
    free(reply.data);
    assert_done(call_read(kernel, inode, handle, UINT64_C(1) << 62, 100, &reply));
    assert_int_equal(reply.size, 0);
    free(reply.data);
    assert_done(call_read(kernel, inode, handle, 0, 0, &reply));
    assert_int_equal(reply.size, 0);
    free(reply.data);
    assert_done(call_release(kernel, inode, handle));
}

static void test_rewrite__in_the_middle__keeps_the_rest(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "0123456789"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_open(kernel, inode, O_RDWR, &handle));
    assert_done(call_write(kernel, inode, handle, 3, text("abc")));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_content(kernel, ROOT, "f", "012abc6789");
    assert_int_equal(versions_of(kernel, "f"), 1);
}

static void test_truncate__without_a_handle__is_put_at_once(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "0123456789"));
    uint64_t inode = call_find(kernel, ROOT, "f");

    assert_done(call_truncate(kernel, inode, 4));
    assert_content(kernel, ROOT, "f", "0123");
    assert_done(call_truncate(kernel, inode, 0));
    assert_content(kernel, ROOT, "f", "");
    struct fuse_attr attributes;
    assert_done(call_truncate(kernel, inode, 3));
    assert_done(call_getattr(kernel, inode, &attributes));
    assert_int_equal(attributes.size, 3);
}

static void test_setattr__mode_owner_times__are_kept(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_setattr_in in = {
        .valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_MTIME,
        .mode = S_IFREG | 04711,
        .uid = 12,
        .gid = 34,
        .mtime = 1234567890,
        .mtimensec = 123456000,
    };
    struct fuse_entry_out entry;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_setattr(kernel, inode, &in, NULL));

    assert_done(call_lookup(kernel, ROOT, "f", &entry));
    assert_int_equal(entry.attr.mode, S_IFREG | 04711);
    assert_int_equal(entry.attr.uid, 12);
    assert_int_equal(entry.attr.gid, 34);
    assert_int_equal(entry.attr.mtime, 1234567890);
    assert_int_equal(entry.attr.mtimensec, 123456000);
    assert_content(kernel, ROOT, "f", "x");
}

static void test_size__one_mebibyte__is_kept_in_blocks_and_too_much_refused(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_entry_out entry;
    uint8_t *chunk = test_malloc(64 << 10);
    uint64_t inode;
    uint64_t handle;

    memset(chunk, 'm', 64 << 10);
    assert_done(call_create(kernel, ROOT, "big", 0600, &inode, &handle));
    for (uint64_t at = 0; at < MIB; at += 64 << 10) {
        assert_done(call_write(kernel, inode, handle, at, slice_of(chunk, 64 << 10)));
    }
    test_free(chunk);

    assert_errno(call_write(kernel, inode, handle, UINT64_C(1) << 60, text("x")), EFBIG);
    assert_errno(call_truncate(kernel, inode, (UINT64_C(1) << 40) + 1), EFBIG);
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));
    assert_done(call_lookup(kernel, ROOT, "big", &entry));
    assert_int_equal(entry.attr.size, MIB);
}

static void test_unlink__while_open__content_stays_and_nothing_comes_back(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "still"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_open(kernel, inode, O_RDWR, &handle));
    assert_done(call_unlink(kernel, ROOT, "f"));

    assert_done(call_read(kernel, inode, handle, 0, 100, &reply));
    assert_memory_equal(reply.data, "still", 5);
    free(reply.data);
    assert_done(call_write(kernel, inode, handle, 0, text("ghost")));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));
    assert_int_equal(versions_of(kernel, "f"), 0);
    assert_errno(call_lookup(kernel, ROOT, "f", NULL), ENOENT);
}

static void test_unlink__before_the_first_flush__never_reaches_the_cluster(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "brief", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("x")));
    assert_done(call_unlink(kernel, ROOT, "brief"));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_int_equal(versions_of(kernel, "brief"), 0);
    assert_names(kernel, ROOT, "");
}

static void test_rename__while_open__later_writes_go_to_the_new_name(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "old", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("one")));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_rename(kernel, ROOT, "old", ROOT, "new", 0));
    assert_done(call_write(kernel, inode, handle, 3, text(" two")));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_content(kernel, ROOT, "new", "one two");
    assert_int_equal(versions_of(kernel, "old"), 0);
    assert_names(kernel, ROOT, "new");
}

static void
test_rename__before_the_first_flush__reaches_the_cluster_under_the_new_name(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "target", "old"));
    assert_done(call_create(kernel, ROOT, "temporary", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("new")));
    assert_done(call_rename(kernel, ROOT, "temporary", ROOT, "target", 0));
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_content(kernel, ROOT, "target", "new");
    assert_names(kernel, ROOT, "target");
    assert_int_equal(versions_of(kernel, "target"), 1);
}

static void test_two_handles__see_each_others_writes(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    uint64_t inode;
    uint64_t writer;
    uint64_t reader;

    assert_done(call_create(kernel, ROOT, "f", 0600, &inode, &writer));
    assert_done(call_open(kernel, inode, O_RDONLY, &reader));
    assert_done(call_write(kernel, inode, writer, 0, text("seen")));

    assert_done(call_read(kernel, inode, reader, 0, 10, &reply));
    assert_int_equal(reply.size, 4);
    assert_memory_equal(reply.data, "seen", 4);
    free(reply.data);
    assert_done(call_flush(kernel, inode, writer));
    assert_done(call_release(kernel, inode, writer));
    assert_done(call_release(kernel, inode, reader));
}

static void test_fsync__changed_file__is_put(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "f", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("safe")));
    assert_done(call_fsync(kernel, inode, handle));

    assert_int_equal(versions_of(kernel, "f"), 1);
    assert_done(call_release(kernel, inode, handle));
}

static void test_flush__cluster_fails__errno_and_nothing_lost(void **state)
{
    static const struct {
        enum status status;
        int expected;
    } CASES[] = {
        {STATUS_NO_QUORUM, EIO},   {STATUS_TIMEOUT, ETIMEDOUT},
        {STATUS_NO_SPACE, ENOSPC}, {STATUS_UNREACHABLE, EIO},
        {STATUS_IO, EIO},
    };
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "f", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("kept")));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        kv_memory_fail(fuse_kernel_kv(kernel), 1, CASES[i].status);
        assert_errno(call_flush(kernel, inode, handle), CASES[i].expected);
    }

    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));
    assert_content(kernel, ROOT, "f", "kept");
}

static void test_flush__put_took_effect_and_timed_out__retry_makes_no_sibling(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t inode;
    uint64_t handle;

    assert_done(call_create(kernel, ROOT, "f", 0600, &inode, &handle));
    assert_done(call_write(kernel, inode, handle, 0, text("once")));
    kv_memory_fail_after_put(fuse_kernel_kv(kernel), 1, STATUS_TIMEOUT);
    assert_errno(call_flush(kernel, inode, handle), ETIMEDOUT);
    assert_done(call_flush(kernel, inode, handle));
    assert_done(call_release(kernel, inode, handle));

    assert_names(kernel, ROOT, "f");
    assert_content(kernel, ROOT, "f", "once");
}

static void test_open__cluster_fails__errno_of_open(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    kv_memory_fail(fuse_kernel_kv(kernel), 1, STATUS_NO_QUORUM);
    assert_errno(call_open(kernel, inode, O_RDONLY, &handle), EIO);

    assert_done(call_open(kernel, inode, O_RDONLY, &handle));
    assert_done(call_release(kernel, inode, handle));
}

static void test_open__changed_elsewhere__shows_the_new_content(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "mine"));
    assert_content(kernel, ROOT, "f", "mine");
    supersede_elsewhere(kernel, "f", "theirs, longer");

    assert_content(kernel, ROOT, "f", "theirs, longer");
    assert_names(kernel, ROOT, "f");
}

static void test_open__inode_kept_by_the_kernel_and_changed_elsewhere__new_content(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_kernel_reply reply;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "mine"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    supersede_elsewhere(kernel, "f", "theirs");

    assert_done(call_open(kernel, inode, O_RDONLY, &handle));
    assert_done(call_read(kernel, inode, handle, 0, 100, &reply));
    assert_int_equal(reply.size, 6);
    assert_memory_equal(reply.data, "theirs", 6);
    free(reply.data);
    struct fuse_attr attributes;
    assert_done(call_getattr(kernel, inode, &attributes));
    assert_int_equal(attributes.size, 6);
    assert_done(call_release(kernel, inode, handle));
}

static void test_open__deleted_elsewhere__is_enoent_or_stale(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct object *object = NULL;
    uint64_t handle;

    assert_done(shell_write(kernel, ROOT, "f", "mine"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_int_equal(kv_get(fuse_kernel_kv(kernel), text("f"), NULL, &object), STATUS_OK);
    struct kv_put put = {.key = text("f"), .mode = UPDATE_ALL, .context = object->clock};
    assert_int_equal(kv_put(fuse_kernel_kv(kernel), &put, NULL, NULL), STATUS_OK);
    object_unref(object);

    int error = call_open(kernel, inode, O_RDONLY, &handle);
    assert_true(error == ENOENT || error == ESTALE);
    assert_errno(call_lookup(kernel, ROOT, "f", NULL), ENOENT);
}

static void test_end__files_are_open__what_was_written_is_put(void **state)
{
    struct fuse_kernel *kernel = fuse_kernel_start();
    struct object *object = NULL;
    struct kv *kv = NULL;
    uint64_t inode;
    uint64_t handle;
    uint64_t other;

    (void)state;
    assert_non_null(kernel);
    assert_done(call_create(kernel, ROOT, "f", 0600, &inode, &handle));
    assert_done(call_open(kernel, inode, O_RDONLY, &other));
    assert_done(call_write(kernel, inode, handle, 0, text("unclosed")));
    assert_done(call_create(kernel, ROOT, "removed", 0600, &inode, &handle));
    assert_done(call_unlink(kernel, ROOT, "removed"));
    assert_true(fuse_kernel_detach(kernel, &kv));

    assert_int_equal(kv_get(kv, text("f"), NULL, &object), STATUS_OK);
    object_unref(object);
    assert_int_equal(kv_get(kv, text("removed"), NULL, &object), STATUS_NOT_FOUND);
    object_unref(object);
    kv_close(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(test_create__written_and_closed__read_back),
        MOUNT_TEST(test_create__before_flush__is_shown_here_and_not_on_the_cluster),
        MOUNT_TEST(test_create__truncate_write_attributes_close__is_one_put),
        MOUNT_TEST(test_open__read_and_closed__puts_nothing),
        MOUNT_TEST(test_empty_file__closed__is_on_the_cluster),
        MOUNT_TEST(test_write__beyond_the_end__hole_reads_as_zeros),
        MOUNT_TEST(test_read__at_and_past_the_end__short_then_empty),
        MOUNT_TEST(test_rewrite__in_the_middle__keeps_the_rest),
        MOUNT_TEST(test_truncate__without_a_handle__is_put_at_once),
        MOUNT_TEST(test_setattr__mode_owner_times__are_kept),
        MOUNT_TEST(test_size__one_mebibyte__is_kept_in_blocks_and_too_much_refused),
        MOUNT_TEST(test_unlink__while_open__content_stays_and_nothing_comes_back),
        MOUNT_TEST(test_unlink__before_the_first_flush__never_reaches_the_cluster),
        MOUNT_TEST(test_rename__while_open__later_writes_go_to_the_new_name),
        MOUNT_TEST(test_rename__before_the_first_flush__reaches_the_cluster_under_the_new_name),
        MOUNT_TEST(test_two_handles__see_each_others_writes),
        MOUNT_TEST(test_fsync__changed_file__is_put),
        MOUNT_TEST(test_flush__cluster_fails__errno_and_nothing_lost),
        MOUNT_TEST(test_flush__put_took_effect_and_timed_out__retry_makes_no_sibling),
        MOUNT_TEST(test_open__cluster_fails__errno_of_open),
        MOUNT_TEST(test_open__changed_elsewhere__shows_the_new_content),
        MOUNT_TEST(test_open__inode_kept_by_the_kernel_and_changed_elsewhere__new_content),
        MOUNT_TEST(test_open__deleted_elsewhere__is_enoent_or_stale),
        cmocka_unit_test(test_end__files_are_open__what_was_written_is_put),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
