/*
 * test_open_files.c - what an open file promises:
 *
 *   a file is put once, at its first flush; until then only this mount shows it
 *   O_TRUNC, writes and attributes are one put
 *   a failed flush says so and keeps the changes; a later one puts them; the last close notes
 *   a loss
 *   removed or renamed while open, it goes on
 *   stat and read of an open file never ask the cluster
 */
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/create.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

static uint64_t puts_of(struct mounts *mounts)
{
    return kv_memory_calls(mounts->kv).put;
}

static void test_create__until_flush__only_here(void **state)
{
    struct mounts *mounts = *state;

    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "text");

    assert_lists(mounts->here, ROOT, "f");
    assert_lists(mounts->there, ROOT, "");
    assert_int_equal(look_error(mounts->there, ROOT, "f"), ENOENT);
    assert_int_equal(puts_of(mounts), 0);
    assert_int_equal(stat_of(mounts->here, ROOT, "f").st_size, 4);
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_reads(mounts->there, ROOT, "f", "text");
}

static void test_create__write_and_attributes__one_put(void **state)
{
    struct mounts *mounts = *state;
    struct change mode = {.flags = CHANGE_MODE, .mode = 0640};
    struct change times = {.flags = CHANGE_MODIFIED, .modified_ns = INT64_C(1000000001)};
    struct stat attributes;

    struct file *file = create_file(mounts->here, ROOT, "f");
    uint64_t inode = look(mounts->here, ROOT, "f");
    write_open(file, 0, "text");
    assert_int_equal(change_attributes(mounts->here, inode, &mode, &attributes), 0);
    assert_int_equal(change_attributes(mounts->here, inode, &times, &attributes), 0);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(puts_of(mounts), 1);
    attributes = stat_of(mounts->there, ROOT, "f");
    assert_int_equal(attributes.st_mode, S_IFREG | 0640);
    assert_int_equal(attributes.st_mtim.tv_sec, 1);
    assert_int_equal(attributes.st_mtim.tv_nsec, 1);
}

static void test_create__no_write__empty_file_is_put(void **state)
{
    struct mounts *mounts = *state;

    struct file *file = create_file(mounts->here, ROOT, "f");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_reads(mounts->there, ROOT, "f", "");
    assert_int_equal(puts_of(mounts), 1);
}

/* open, dup2, close, write, close: what a shell does for a redirection. */
static void test_flush__unwritten_and_more_follow__waits_for_the_content(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");

    assert_true(file_is_unwritten(file));
    assert_int_equal(flush_file(mounts->here, file, true), 0);
    assert_int_equal(puts_of(mounts), 0);
    write_open(file, 0, "text");
    assert_false(file_is_unwritten(file));
    assert_int_equal(flush_file(mounts->here, file, true), 0);

    assert_int_equal(puts_of(mounts), 1);
    flush_release(mounts->here, file, 0);
    assert_int_equal(puts_of(mounts), 1);
}

static void test_open__truncate_and_write__one_put(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "before");
    uint64_t before = puts_of(mounts);

    struct file *file = open_file(mounts->here, ROOT, "f", true);
    assert_reads(mounts->there, ROOT, "f", "before"); /* truncated here only */
    write_open(file, 0, "after");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(puts_of(mounts), before + 1);
    assert_reads(mounts->there, ROOT, "f", "after");
}

static void test_close__nothing_written__no_put(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t before = puts_of(mounts);

    struct file *file = open_file(mounts->here, ROOT, "f", false);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(puts_of(mounts), before);
}

static void test_write__holes_and_append__content_is_right(void **state)
{
    struct mounts *mounts = *state;
    struct slice bytes;
    struct blob *blob;
    size_t written;
    struct file *file = create_file(mounts->here, ROOT, "f");

    write_open(file, 4, "end");
    assert_int_equal(io_write(file, slice_of_string("+"), 0, true, &written), 0);

    assert_int_equal(io_read(file, 0, 100, &bytes, &blob), 0);
    assert_int_equal(bytes.size, 8);
    assert_memory_equal(bytes.data, "\0\0\0\0end+", 8);
    blob_unref(blob);
    assert_int_equal(io_read(file, 8, 100, &bytes, &blob), 0);
    assert_int_equal(bytes.size, 0);
    assert_null(blob);
    assert_int_equal(close_file(mounts->here, file), 0);
}

static void test_write__beyond_the_limit__efbig_and_file_is_as_before(void **state)
{
    struct mounts *mounts = *state;
    struct change size = {.flags = CHANGE_SIZE, .size = FILE_SIZE_MAX + 1};
    struct stat attributes;
    struct slice text = slice_of_string("a");
    size_t written;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "text");

    assert_int_equal(io_write(file, text, FILE_SIZE_MAX, false, &written), EFBIG);
    assert_int_equal(io_write(file, text, UINT64_MAX - 1, false, &written), EFBIG);
    assert_int_equal(
        change_attributes(mounts->here, look(mounts->here, ROOT, "f"), &size, &attributes),
        EFBIG);
    assert_file_holds(file, "text");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_size, 4);
}

static void test_write__across_the_limit__what_fits_is_written(void **state)
{
    struct mounts *mounts = *state;
    struct slice text = slice_of_string("abc");
    size_t written;
    struct file *file = create_file(mounts->here, ROOT, "f");

    assert_int_equal(io_write(file, text, FILE_SIZE_MAX - 2, false, &written), 0);
    assert_int_equal(written, 2);
    assert_int_equal(io_write(file, text, 0, true, &written), EFBIG);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_size, FILE_SIZE_MAX);
}

static void test_flush__fails_then_succeeds__nothing_is_lost(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "text");

    kv_memory_fail(mounts->kv, 2, STATUS_NO_QUORUM);
    assert_int_equal(flush_file(mounts->here, file, false), EIO);
    assert_int_equal(flush_sync(mounts->here, file), EIO);
    assert_lists(mounts->here, ROOT, "f");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_reads(mounts->there, ROOT, "f", "text");
    assert_int_equal(mounts->notes, 0);
}

static void test_release__put_fails_for_good__loss_is_noted(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "text");

    kv_memory_fail(mounts->kv, 2, STATUS_TIMEOUT);
    assert_int_equal(close_file(mounts->here, file), ETIMEDOUT);

    assert_int_equal(mounts->notes, 1);
    assert_non_null(strstr(mounts->last_note, "changes to f are lost"));
    assert_int_equal(look_error(mounts->here, ROOT, "f"), ENOENT);
}

/* After a failed close stat and open agree: of what only this mount had nothing is there. */
static void test_release__created_file_is_lost__stat_and_open_agree(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct stat attributes;
    struct opened opened;
    double valid_s = 1;
    write_open(file, 0, "text");

    fail_after(mounts, 0, 2, STATUS_NO_SPACE);
    assert_int_equal(flush_file(mounts->here, file, false), ENOSPC);
    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), 0);
    assert_true(valid_s <= 0); /* it is still open, and may be saved yet */
    assert_true(flush_release(mounts->here, file, 0));

    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), ESTALE);
    assert_int_equal(open_inode(mounts->here, inode, 0, &opened), ESTALE);
    assert_int_equal(look_error(mounts->here, ROOT, "f"), ENOENT);
}

static void test_release__overwriting_is_lost__stat_shows_the_old_size(void **state)
{
    struct mounts *mounts = *state;
    struct stat attributes;
    double valid_s;
    write_file(mounts->here, ROOT, "f", "old");
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct file *file = open_file(mounts->here, ROOT, "f", true);
    write_open(file, 0, "something longer");

    fail_after(mounts, 0, 2, STATUS_NO_SPACE);
    assert_int_equal(flush_file(mounts->here, file, false), ENOSPC);
    assert_true(flush_release(mounts->here, file, 0));

    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), 0);
    assert_int_equal(attributes.st_size, 3);
    assert_reads(mounts->here, ROOT, "f", "old");
}

static void test_release__lost_changes__next_fsync_says_so_once(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "before");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_open(file, 0, "after");

    kv_memory_fail(mounts->kv, 1, STATUS_NO_SPACE);
    flush_release(mounts->here, file, 0); /* without a flush, as after the pages of an mmap */
    file = open_file(mounts->here, ROOT, "f", false);

    assert_file_holds(file, "before");
    assert_int_equal(flush_sync(mounts->here, file), ENOSPC);
    assert_int_equal(flush_sync(mounts->here, file), 0);
    flush_release(mounts->here, file, 0);
}

/* A put that failed may have appeared: the retry is no conflict with it. */
static void test_flush__failed_put_did_appear__retry_is_no_conflict(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "before");
    struct file *file = open_file(mounts->here, ROOT, "f", true);
    write_open(file, 0, "text");

    kv_memory_fail_after_put(mounts->kv, 1, STATUS_TIMEOUT);
    assert_int_equal(flush_file(mounts->here, file, false), ETIMEDOUT);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->here, ROOT, "f");
    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "text");
}

static void test_flush__failed_put_did_appear_and_more_written__no_conflict(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "before");
    struct file *file = open_file(mounts->here, ROOT, "f", true);
    write_open(file, 0, "text");

    kv_memory_fail_after_put(mounts->kv, 1, STATUS_TIMEOUT);
    assert_int_equal(flush_file(mounts->here, file, false), ETIMEDOUT);
    write_open(file, 4, " and more");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->there, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "text and more");
}

static void test_unlink__while_open__reads_go_on_and_nothing_is_put(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    uint64_t inode = look(mounts->here, ROOT, "f");
    struct stat attributes;
    double valid_s;

    assert_int_equal(remove_file(mounts->here, ROOT, "f"), 0);
    write_open(file, 4, " still");

    assert_file_holds(file, "text still");
    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), 0);
    assert_int_equal(attributes.st_nlink, 0);
    assert_int_equal(attributes.st_size, 10);
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_int_equal(look_error(mounts->here, ROOT, "f"), ENOENT);
    assert_int_equal(versions_of(mounts->kv, "f"), 0);
}

static void test_unlink__pending_file__was_never_there(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "text");

    assert_int_equal(remove_file(mounts->here, ROOT, "f"), 0);
    assert_lists(mounts->here, ROOT, "");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(puts_of(mounts), 0);
}

static void test_rename__open_clean_file__later_write_goes_to_the_new_name(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);
    write_open(file, 0, "TEXT");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_reads(mounts->there, ROOT, "g", "TEXT");
}

static void test_rename__open_dirty_file__target_has_the_new_content(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    write_file(mounts->here, ROOT, "g", "replaced");
    struct file *file = open_file(mounts->here, ROOT, "f", true);
    write_open(file, 0, "dirty");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);
    assert_reads(mounts->there, ROOT, "g", "dirty");
    write_open(file, 5, " more");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_reads(mounts->there, ROOT, "g", "dirty more");
}

static void test_rename__pending_file__is_put_at_the_target(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "g", "replaced");
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_open(file, 0, "new");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_reads(mounts->there, ROOT, "g", "new");
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_reads(mounts->here, ROOT, "g", "new");
}

static void test_rename__over_an_open_file__its_handle_keeps_the_old_content(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    write_file(mounts->here, ROOT, "f.new", "new");
    struct file *file = open_file(mounts->here, ROOT, "f", false);

    assert_int_equal(rename_error(mounts->here, ROOT, "f.new", ROOT, "f"), 0);
    write_open(file, 0, "OLD");

    assert_file_holds(file, "OLD");
    assert_reads(mounts->here, ROOT, "f", "new");
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_reads(mounts->there, ROOT, "f", "new");
}

static void test_rename_elsewhere__over_an_open_file__its_handle_keeps_the_content(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "old");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_file(mounts->there, ROOT, "f.new", "new");
    assert_int_equal(rename_error(mounts->there, ROOT, "f.new", ROOT, "f"), 0);

    assert_reads(mounts->here, ROOT, "f", "new");

    assert_file_holds(file, "old");
    flush_release(mounts->here, file, 0);
}

static void test_open_file__cluster_hangs__stat_read_and_write_answer(void **state)
{
    struct mounts *mounts = *state;
    struct stat attributes;
    double valid_s;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    uint64_t inode = look(mounts->here, ROOT, "f");

    kv_memory_fail(mounts->kv, 1000, STATUS_TIMEOUT);

    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), 0);
    write_open(file, 4, "!");
    assert_file_holds(file, "text!");
    assert_int_equal(flush_file(mounts->here, file, false), ETIMEDOUT);
    kv_memory_fail(mounts->kv, 0, STATUS_OK);
    assert_int_equal(close_file(mounts->here, file), 0);
}

static void test_fsync__clean_file__is_put_again_for_durability(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    uint64_t before = puts_of(mounts);

    assert_int_equal(flush_sync(mounts->here, file), 0);

    assert_int_equal(puts_of(mounts), before + 1);
    assert_int_equal(versions_of(mounts->kv, "f"), 1);
    flush_release(mounts->here, file, 0);
    assert_reads(mounts->there, ROOT, "f", "text");
}

static void test_create__twice__second_is_eexist(void **state)
{
    struct mounts *mounts = *state;
    struct creation creation = {.mode = 0600};
    struct fs_entry entry;
    struct file *second;
    struct file *file = create_file(mounts->here, ROOT, "f");

    assert_int_equal(create_pending(mounts->here, ROOT, "f", &creation, &entry, &second),
                     EEXIST);

    assert_int_equal(close_file(mounts->here, file), 0);
}

/* Both created the same name, neither knew of the other. */
static void test_create__at_the_same_time_elsewhere__both_stay(void **state)
{
    struct mounts *mounts = *state;
    struct file *here = create_file(mounts->here, ROOT, "f");
    struct file *there = create_file(mounts->there, ROOT, "f");
    write_open(here, 0, "here");
    write_open(there, 0, "there");

    assert_int_equal(close_file(mounts->there, there), 0);
    assert_reads(mounts->here, ROOT, "f", "here"); /* pending: what this mount made */
    assert_int_equal(close_file(mounts->here, here), 0);

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_reads(mounts->here, ROOT, "f~v1", "there");
    assert_reads(mounts->here, ROOT, "f~v2", "here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create__until_flush__only_here),
        TEST(test_create__write_and_attributes__one_put),
        TEST(test_create__no_write__empty_file_is_put),
        TEST(test_flush__unwritten_and_more_follow__waits_for_the_content),
        TEST(test_open__truncate_and_write__one_put),
        TEST(test_close__nothing_written__no_put),
        TEST(test_write__holes_and_append__content_is_right),
        TEST(test_write__beyond_the_limit__efbig_and_file_is_as_before),
        TEST(test_write__across_the_limit__what_fits_is_written),
        TEST(test_flush__fails_then_succeeds__nothing_is_lost),
        TEST(test_release__put_fails_for_good__loss_is_noted),
        TEST(test_release__created_file_is_lost__stat_and_open_agree),
        TEST(test_release__overwriting_is_lost__stat_shows_the_old_size),
        TEST(test_release__lost_changes__next_fsync_says_so_once),
        TEST(test_flush__failed_put_did_appear__retry_is_no_conflict),
        TEST(test_flush__failed_put_did_appear_and_more_written__no_conflict),
        TEST(test_unlink__while_open__reads_go_on_and_nothing_is_put),
        TEST(test_unlink__pending_file__was_never_there),
        TEST(test_rename__open_clean_file__later_write_goes_to_the_new_name),
        TEST(test_rename__open_dirty_file__target_has_the_new_content),
        TEST(test_rename__pending_file__is_put_at_the_target),
        TEST(test_rename__over_an_open_file__its_handle_keeps_the_old_content),
        TEST(test_rename_elsewhere__over_an_open_file__its_handle_keeps_the_content),
        TEST(test_open_file__cluster_hangs__stat_read_and_write_answer),
        TEST(test_fsync__clean_file__is_put_again_for_durability),
        TEST(test_create__twice__second_is_eexist),
        TEST(test_create__at_the_same_time_elsewhere__both_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
