/*
 * test_open_cache.c - open asks the cluster; the kernel's pages are kept only if they hold this
 * content.
 */
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "tests/fs/model/fixture.h"

static void test_open__gone_elsewhere__estale(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");

    assert_int_equal(unlink_error(mounts->there, ROOT, "f"), 0);

    assert_int_equal(open_inode(mounts->here, inode, false, &opened), ESTALE);
    assert_int_equal(look_error(mounts->here, ROOT, "f"), ENOENT);
}

static void test_open__same_version__keeps_the_cache(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->there, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");

    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);
    assert_false(opened.keep_cache);
    assert_false(opened.has_changed);
    flush_release(mounts->here, opened.file, 0);
    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);
    assert_true(opened.keep_cache);
    assert_false(opened.has_changed);
    flush_release(mounts->here, opened.file, 0);
}

static void test_open__changed_elsewhere__drops_the_cache(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->there, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);
    flush_release(mounts->here, opened.file, 0);

    write_file(mounts->there, ROOT, "f", "longer text");
    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);

    assert_false(opened.keep_cache);
    assert_true(opened.has_changed);
    assert_file_holds(opened.file, "longer text");
    flush_release(mounts->here, opened.file, 0);
}

/* Attributes that were told are not pages that were read. */
static void test_open__told_but_not_read__drops_the_cache(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->there, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);
    flush_release(mounts->here, opened.file, 0);

    write_file(mounts->there, ROOT, "f", "TEXT");
    assert_int_equal(look(mounts->here, ROOT, "f"), inode);
    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);

    assert_false(opened.keep_cache);
    /* The reply to the lookup may still be on its way to the kernel. */
    assert_true(opened.has_changed);
    flush_release(mounts->here, opened.file, 0);
}

/* Found by the torture test: the second of two who open a changed file must not rely on what
 * the kernel is told by the reply to the first. It read new content up to the old size. */
static void test_open__twice_at_a_change__drops_the_cache_twice(void **state)
{
    struct mounts *mounts = *state;
    struct opened first;
    struct opened second;
    write_file(mounts->there, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(open_inode(mounts->here, inode, false, &first), 0);
    flush_release(mounts->here, first.file, 0);

    write_file(mounts->there, ROOT, "f", "longer text");
    assert_int_equal(open_inode(mounts->here, inode, false, &first), 0);
    assert_int_equal(open_inode(mounts->here, inode, false, &second), 0);

    assert_true(first.has_changed && !first.keep_cache);
    assert_true(second.has_changed && !second.keep_cache);
    flush_release(mounts->here, first.file, 0);
    flush_release(mounts->here, second.file, 0);
}

static void test_open__written_here__keeps_the_cache(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_file(mounts->here, ROOT, "f", true);
    write_open(file, 0, "other");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(open_inode(mounts->here, inode, false, &opened), 0);

    assert_true(opened.keep_cache);
    flush_release(mounts->here, opened.file, 0);
}

/* Close-to-open between two handles of one mount, and a second open does not undo a first's
 * writes. */
static void test_open__second_handle_while_dirty__shares_the_content(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *first = open_file(mounts->here, ROOT, "f", false);
    write_open(first, 0, "TE");

    struct file *second = open_file(mounts->here, ROOT, "f", false);

    assert_file_holds(second, "TExt");
    write_open(second, 2, "XT");
    assert_int_equal(close_file(mounts->here, first), 0);
    assert_int_equal(close_file(mounts->here, second), 0);
    assert_reads(mounts->there, ROOT, "f", "TEXT");
}

static void test_open__second_handle_after_change_elsewhere__sees_it(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *first = open_file(mounts->here, ROOT, "f", false);

    write_file(mounts->there, ROOT, "f", "changed");
    assert_reads(mounts->here, ROOT, "f", "changed");

    /* What a later write of the first handle supersedes is what was shown last. */
    write_open(first, 0, "CHANGED");
    assert_int_equal(close_file(mounts->here, first), 0);
    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "CHANGED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open__gone_elsewhere__estale),
        TEST(test_open__same_version__keeps_the_cache),
        TEST(test_open__changed_elsewhere__drops_the_cache),
        TEST(test_open__told_but_not_read__drops_the_cache),
        TEST(test_open__twice_at_a_change__drops_the_cache_twice),
        TEST(test_open__written_here__keeps_the_cache),
        TEST(test_open__second_handle_while_dirty__shares_the_content),
        TEST(test_open__second_handle_after_change_elsewhere__sees_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
