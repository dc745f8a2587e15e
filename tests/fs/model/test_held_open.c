/*
 * test_held_open.c - what is open on one mount while another changes it.
 *
 * Rule: what is only held open for reading is a cache, no truth: attributes and content follow
 *       the cluster, and a change of attributes starts from what the cluster has now. What was
 *       opened for writing stays as it was opened, for that is what its put supersedes.
 */
#include <errno.h>

#include "fs/model/change.h"
#include "fs/model/directory.h"
#include "fs/model/extended.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

static void test_getattr__held_for_reading__shows_what_was_saved_elsewhere(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");

    write_file(mounts->there, ROOT, "f", "one and two");
    change_by_id(mounts->there, look(mounts->there, ROOT, "f"),
                 (struct change){.flags = CHANGE_MODE, .mode = 0600});
    set_user_attribute(mounts->there, look(mounts->there, ROOT, "f"), "user.a", "1");

    assert_int_equal(stat_of_inode(mounts->here, inode).st_size, 11);
    assert_int_equal(stat_of_inode(mounts->here, inode).st_mode & 07777, 0600);
    assert_user_attribute(mounts->here, inode, "user.a", "1");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_read__held_for_reading__follows(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    assert_file_holds(file, "one");

    write_file(mounts->there, ROOT, "f", "one and two");
    (void)stat_of_inode(mounts->here, inode);

    assert_file_holds(file, "one and two");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_read__newer_content_cannot_be_had__is_an_error(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    struct slice bytes;
    struct blob *blob;

    write_file(mounts->there, ROOT, "f", "two");
    (void)stat_of_inode(mounts->here, inode);
    fail_after(mounts, 0, 1, STATUS_NO_QUORUM);

    assert_int_equal(io_read(file, 0, 10, &bytes, &blob), EIO);
    assert_file_holds(file, "two");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_setattr__held_for_reading__keeps_what_was_saved_elsewhere(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    write_file(mounts->there, ROOT, "f", "one and two");

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0640});

    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "one and two");
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_mode & 07777, 0640);
    assert_file_holds(file, "one and two");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_setxattr__held_for_reading__keeps_what_was_saved_elsewhere(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    assert_int_equal(
        set_user_attribute(mounts->there, look(mounts->there, ROOT, "f"), "user.a", "1"), 0);

    assert_int_equal(set_user_attribute(mounts->here, inode, "user.b", "2"), 0);

    uint64_t there = look(mounts->there, ROOT, "f");
    assert_user_attribute(mounts->there, there, "user.a", "1");
    assert_user_attribute(mounts->there, there, "user.b", "2");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_truncate_by_path__held_for_reading__cuts_what_is_there_now(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    write_file(mounts->there, ROOT, "f", "something else");

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_SIZE, .size = 9});

    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "something");
    assert_file_holds(file, "something");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

/* Who reads, thinks, and writes through one handle must not supersede what it has not seen. */
static void test_write__opened_before_a_save_elsewhere__both_stay(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_flagged(mounts->here, "f", 0).file;
    assert_file_holds(file, "one");
    write_file(mounts->there, ROOT, "f", "theirs");
    (void)stat_of_inode(mounts->here, inode);
    assert_file_holds(file, "one");

    write_open(file, 0, "our");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(versions_of(mounts->kv, "f"), 2);
}

static void test_setattr__opened_for_writing__changes_what_is_there_and_both_stay(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_flagged(mounts->here, "f", 0).file;
    write_file(mounts->there, ROOT, "f", "theirs");

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0640});

    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "theirs");
    write_open(file, 0, "our");
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_int_equal(versions_of(mounts->kv, "f"), 2);
}

static void
test_setattr__opened_for_writing_and_current__next_write_is_no_conflict(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_flagged(mounts->here, "f", 0).file;

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0640});
    write_open(file, 0, "two");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(versions_of(mounts->kv, "f"), 1);
    assert_reads(mounts->there, ROOT, "f", "two");
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_mode & 07777, 0640);
}

/* The writer has gone, the reader stays: a cache again. */
static void test_release__last_writer__reader_follows(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = hold_open(mounts->here, "f");
    struct file *writer = open_flagged(mounts->here, "f", 0).file;
    write_open(writer, 0, "two");
    assert_int_equal(flush_file(mounts->here, writer, false), 0);
    flush_release(mounts->here, writer, 0);

    write_file(mounts->there, ROOT, "f", "three");

    assert_int_equal(stat_of_inode(mounts->here, inode).st_size, 5);
    assert_file_holds(file, "three");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

/* ... but not while what it wrote is not saved. */
static void test_release__last_writer_could_not_save__its_changes_stay(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "one");
    struct file *file = hold_open(mounts->here, "f");
    struct file *writer = open_flagged(mounts->here, "f", 0).file;
    write_open(writer, 0, "two");
    fail_after(mounts, 0, 1, STATUS_NO_QUORUM);
    assert_int_equal(flush_file(mounts->here, writer, false), EIO);
    flush_release(mounts->here, writer, 0);

    assert_file_holds(file, "two");
    flush_release(mounts->here, file, OPEN_READ_ONLY);
    assert_reads(mounts->there, ROOT, "f", "two");
}

/* What the kernel does: ESTALE makes it look the name up and open once more. */
static struct opened open_again(struct fs *fs, uint64_t inode, unsigned flags)
{
    struct opened opened;

    assert_int_equal(open_inode(fs, inode, flags | OPEN_AGAIN, &opened), 0);
    return opened;
}

static void replace(struct fs *fs, const char *name, const char *text)
{
    write_file(fs, ROOT, "replacement", text);
    assert_int_equal(rename_error(fs, ROOT, "replacement", ROOT, name), 0);
}

static void test_open__replaced_elsewhere_since_the_lookup__is_looked_up_again(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");

    replace(mounts->there, "f", "new");

    assert_int_equal(open_inode(mounts->here, inode, OPEN_READ_ONLY, &opened), ESTALE);
}

static void test_open_again__replaced_elsewhere_once_more__opens_what_is_there(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->there, "f", "the newest");

    struct opened opened = open_again(mounts->here, inode, OPEN_READ_ONLY);

    /* The kernel's pages and size are of the old one, so that it must not use them. */
    assert_true(opened.is_another);
    assert_file_holds(opened.file, "the newest");
    assert_int_equal(stat_of_inode(mounts->here, inode).st_size, 10);
    flush_release(mounts->here, opened.file, OPEN_READ_ONLY);
}

static void test_open__replaced_here_since_the_lookup__is_looked_up_again(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");

    replace(mounts->here, "f", "new");

    assert_int_equal(open_inode(mounts->here, inode, OPEN_READ_ONLY, &opened), ESTALE);
}

static void test_open_again__replaced_here_once_more__opens_what_is_there(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->here, "f", "the newest");

    struct opened opened = open_again(mounts->here, inode, OPEN_READ_ONLY);

    assert_true(opened.is_another);
    assert_file_holds(opened.file, "the newest");
    assert_int_equal(stat_of_inode(mounts->here, inode).st_size, 10);
    flush_release(mounts->here, opened.file, OPEN_READ_ONLY);
}

static void test_open_again__writes_in_place_of_the_replaced__arrives(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->here, "f", "new");

    struct opened opened = open_again(mounts->here, inode, OPEN_TRUNCATE);
    write_open(opened.file, 0, "written");
    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0600});
    assert_int_equal(set_user_attribute(mounts->here, inode, "user.a", "1"), 0);
    assert_int_equal(close_file(mounts->here, opened.file), 0);

    assert_reads(mounts->there, ROOT, "f", "written");
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_mode & 07777, 0600);
    assert_user_attribute(mounts->there, look(mounts->there, ROOT, "f"), "user.a", "1");
}

/* A release is on its way when the next open comes: the inode still has its old content. */
static void test_open_again__held_and_replaced_elsewhere__opens_what_was_looked_up(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "old");
    struct file *held = hold_open(mounts->here, "f");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->there, "f", "new");

    assert_int_equal(open_inode(mounts->here, inode, OPEN_READ_ONLY, &opened), ESTALE);
    opened = open_again(mounts->here, inode, OPEN_READ_ONLY);

    assert_file_holds(opened.file, "old");
    flush_release(mounts->here, opened.file, OPEN_READ_ONLY);
    flush_release(mounts->here, held, OPEN_READ_ONLY);
    assert_reads(mounts->here, ROOT, "f", "new");
}

/* ... but never older content than a lookup told of. */
static void test_open_again__held_is_older_than_the_lookup__opens_what_is_there(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    struct file *held = hold_open(mounts->here, "f");
    write_file(mounts->there, ROOT, "f", "newer");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->there, "f", "newest");

    struct opened opened = open_again(mounts->here, inode, OPEN_READ_ONLY);

    assert_true(opened.is_another);
    assert_file_holds(opened.file, "newest");
    flush_release(mounts->here, opened.file, OPEN_READ_ONLY);
    flush_release(mounts->here, held, OPEN_READ_ONLY);
}

static void test_open_again__removed__no_such_file(void **state)
{
    struct mounts *mounts = *state;
    struct opened opened;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);

    assert_int_equal(open_inode(mounts->here, inode, OPEN_AGAIN, &opened), ENOENT);
}

/* fstat(2) names the inode, not the descriptor. */
static void test_getattr__held_and_replaced_elsewhere__is_of_what_is_held(void **state)
{
    struct mounts *mounts = *state;
    struct stat attributes;
    double valid_s;
    write_file(mounts->here, ROOT, "f", "old");
    struct file *held = hold_open(mounts->here, "f");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->there, "f", "the newest");

    assert_int_equal(stat_of_inode(mounts->here, inode).st_size, 3);
    flush_release(mounts->here, held, OPEN_READ_ONLY);
    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), ESTALE);
}

static void test_removed__open_file__xattrs_and_mode_change_in_memory(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_flagged(mounts->here, "f", 0).file;
    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);

    assert_int_equal(set_user_attribute(mounts->here, inode, "user.a", "1"), 0);
    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0600});

    assert_user_attribute(mounts->here, inode, "user.a", "1");
    assert_int_equal(stat_of_inode(mounts->here, inode).st_mode & 07777, 0600);
    assert_int_equal(flush_sync(mounts->here, file), 0);
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_int_equal(versions_of(mounts->kv, "f"), 0);
}

/* chmod(2) of a name that is replaced between its lookup and the change. */
static void
test_setattr__replaced_here_since_the_lookup__the_new_file_stays_as_it_is(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    replace(mounts->here, "f", "new");
    mode_t mode = stat_of(mounts->here, ROOT, "f").st_mode;

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0600});

    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_mode, mode);
    assert_reads(mounts->there, ROOT, "f", "new");
}

static void test_removed__directory__mode_and_fsync_go_on(void **state)
{
    struct mounts *mounts = *state;
    uint64_t inode = make_directory(mounts->here, ROOT, "d");
    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);

    change_by_id(mounts->here, inode, (struct change){.flags = CHANGE_MODE, .mode = 0700});

    assert_int_equal(stat_of_inode(mounts->here, inode).st_mode & 07777, 0700);
    assert_int_equal(directory_sync(mounts->here, inode), 0);
    assert_int_equal(look_error(mounts->there, ROOT, "d"), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_getattr__held_for_reading__shows_what_was_saved_elsewhere),
        TEST(test_read__held_for_reading__follows),
        TEST(test_read__newer_content_cannot_be_had__is_an_error),
        TEST(test_setattr__held_for_reading__keeps_what_was_saved_elsewhere),
        TEST(test_setxattr__held_for_reading__keeps_what_was_saved_elsewhere),
        TEST(test_truncate_by_path__held_for_reading__cuts_what_is_there_now),
        TEST(test_write__opened_before_a_save_elsewhere__both_stay),
        TEST(test_setattr__opened_for_writing__changes_what_is_there_and_both_stay),
        TEST(test_setattr__opened_for_writing_and_current__next_write_is_no_conflict),
        TEST(test_release__last_writer__reader_follows),
        TEST(test_release__last_writer_could_not_save__its_changes_stay),
        TEST(test_open__replaced_elsewhere_since_the_lookup__is_looked_up_again),
        TEST(test_open_again__replaced_elsewhere_once_more__opens_what_is_there),
        TEST(test_open__replaced_here_since_the_lookup__is_looked_up_again),
        TEST(test_open_again__replaced_here_once_more__opens_what_is_there),
        TEST(test_open_again__writes_in_place_of_the_replaced__arrives),
        TEST(test_open_again__held_and_replaced_elsewhere__opens_what_was_looked_up),
        TEST(test_open_again__held_is_older_than_the_lookup__opens_what_is_there),
        TEST(test_open_again__removed__no_such_file),
        TEST(test_getattr__held_and_replaced_elsewhere__is_of_what_is_held),
        TEST(test_removed__open_file__xattrs_and_mode_change_in_memory),
        TEST(test_setattr__replaced_here_since_the_lookup__the_new_file_stays_as_it_is),
        TEST(test_removed__directory__mode_and_fsync_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
