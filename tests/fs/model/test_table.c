/*
 * test_table.c - the table of docs/design.md, The mount, row by row:
 *
 *   ls            the name, and name~v1 ... name~vk while two or more versions are live
 *   cat name      the newest version
 *   cat name~v1   that version
 *   > name        supersedes what was shown; what arrived later stays as a sibling
 *   > name~v1     supersedes that version only
 *   rm name~v1    drops that version only; with one left the suffixes disappear
 *   mv name~v1 name, cp name~v2 name    resolves to that version
 *   mv name~v1 other    that version becomes other
 *   rm name       drops all that is shown
 *   delete against write    the write stays
 *   file against directory  the directory keeps the name, the file is name~v1
 *   two mkdir     one directory
 */
#include "fs/model/create.h"
#include "fs/model/flush.h"
#include "fs/model/remove.h"
#include "fs/model/rename.h"
#include "tests/fs/model/fixture.h"

static void test_table__conflict__ls_shows_name_and_versions(void **state)
{
    struct mounts *mounts = *state;

    make_conflict(mounts, "cart", "old", "new");

    assert_lists(mounts->here, ROOT, "cart cart~v1 cart~v2");
}

static void test_table__cat_name__newest_on_every_mount(void **state)
{
    struct mounts *mounts = *state;

    make_conflict(mounts, "cart", "old", "new");

    assert_reads(mounts->here, ROOT, "cart", "new");
    assert_reads(mounts->there, ROOT, "cart", "new");
}

static void test_table__cat_sibling__that_version(void **state)
{
    struct mounts *mounts = *state;

    make_conflict(mounts, "cart", "old", "new");

    assert_reads(mounts->here, ROOT, "cart~v1", "old");
    assert_reads(mounts->here, ROOT, "cart~v2", "new");
    assert_int_equal(look_error(mounts->here, ROOT, "cart~v3"), ENOENT);
    assert_int_equal(look_error(mounts->here, ROOT, "cart~v01"), ENOENT);
}

static void test_table__no_conflict__no_siblings(void **state)
{
    struct mounts *mounts = *state;

    write_file(mounts->here, ROOT, "cart", "one");

    assert_lists(mounts->here, ROOT, "cart");
    assert_int_equal(look_error(mounts->here, ROOT, "cart~v1"), ENOENT);
}

static void test_table__write_name__supersedes_what_was_shown(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    write_file(mounts->here, ROOT, "cart", "merged");

    assert_lists(mounts->there, ROOT, "cart");
    assert_reads(mounts->there, ROOT, "cart", "merged");
    assert_int_equal(versions_of(mounts->kv, "cart"), 1);
}

static void test_table__write_name__late_arrival_stays(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");
    struct file *file = open_file(mounts->here, ROOT, "cart", true);

    put_beside(mounts->kv, "cart", "late");
    write_open(file, 0, "merged");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->here, ROOT, "cart cart~v1 cart~v2");
    assert_reads(mounts->here, ROOT, "cart~v1", "late");
    assert_reads(mounts->here, ROOT, "cart~v2", "merged");
}

/* The answer to the first put knows of the late one, but nobody has seen it. */
static void test_table__write_twice__late_arrival_stays_after_both(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "cart", "shown");
    struct file *file = open_file(mounts->here, ROOT, "cart", true);

    put_beside(mounts->kv, "cart", "late");
    write_open(file, 0, "first");
    assert_int_equal(flush_file(mounts->here, file, false), 0);
    write_open(file, 0, "again");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(versions_of(mounts->kv, "cart"), 2);
    assert_reads(mounts->there, ROOT, "cart~v1", "late");
    assert_reads(mounts->there, ROOT, "cart~v2", "again");
}

static void test_table__write_sibling__supersedes_that_only(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    write_file(mounts->here, ROOT, "cart~v1", "edited");

    assert_int_equal(versions_of(mounts->kv, "cart"), 2);
    assert_lists(mounts->here, ROOT, "cart cart~v1 cart~v2");
    assert_reads(mounts->here, ROOT, "cart~v1", "edited");
    assert_reads(mounts->here, ROOT, "cart~v2", "new");
}

static void test_table__rm_sibling__drops_that_only_and_suffixes_go(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    assert_int_equal(unlink_error(mounts->here, ROOT, "cart~v2"), 0);

    assert_lists(mounts->here, ROOT, "cart");
    assert_reads(mounts->here, ROOT, "cart", "old");
    assert_int_equal(look_error(mounts->here, ROOT, "cart~v1"), ENOENT);
}

static void test_table__mv_sibling_onto_name__resolves_to_it(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");
    put_beside(mounts->kv, "cart", "newest");

    assert_int_equal(rename_error(mounts->here, ROOT, "cart~v1", ROOT, "cart"), 0);

    assert_lists(mounts->here, ROOT, "cart");
    assert_lists(mounts->there, ROOT, "cart");
    assert_reads(mounts->there, ROOT, "cart", "old");
}

static void test_table__mv_sibling_onto_name__late_arrival_stays(void **state)
{
    struct mounts *mounts = *state;
    struct rename_names names = {
        .parent = ROOT, .name = "cart~v1", .new_parent = ROOT, .new_name = "cart"};
    make_conflict(mounts, "cart", "old", "new");
    look(mounts->here, ROOT, "cart");
    look(mounts->here, ROOT, "cart~v1");

    put_beside(mounts->kv, "cart", "late");
    assert_int_equal(rename_name(mounts->here, &names), 0);

    assert_int_equal(versions_of(mounts->kv, "cart"), 2);
    assert_reads(mounts->there, ROOT, "cart~v1", "late");
    assert_reads(mounts->there, ROOT, "cart~v2", "old");
}

static void test_table__cp_sibling_onto_name__resolves_to_it(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    write_file(mounts->here, ROOT, "cart", "old"); /* what cp cart~v1 cart does */

    assert_lists(mounts->here, ROOT, "cart");
    assert_reads(mounts->there, ROOT, "cart", "old");
}

static void test_table__mv_sibling_elsewhere__becomes_that(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    assert_int_equal(rename_error(mounts->here, ROOT, "cart~v1", ROOT, "other"), 0);

    assert_lists(mounts->here, ROOT, "cart other");
    assert_reads(mounts->there, ROOT, "cart", "new");
    assert_reads(mounts->there, ROOT, "other", "old");
}

static void test_table__rm_name__drops_all_that_is_shown(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");

    assert_int_equal(unlink_error(mounts->here, ROOT, "cart"), 0);

    assert_lists(mounts->here, ROOT, "");
    assert_int_equal(versions_of(mounts->kv, "cart"), 0);
}

/* `rm cart*`: the siblings are known to the kernel, and are gone when their turn comes. */
static void test_table__rm_name_then_siblings__succeeds(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");
    look(mounts->here, ROOT, "cart");
    look(mounts->here, ROOT, "cart~v1");
    look(mounts->here, ROOT, "cart~v2");

    assert_int_equal(remove_file(mounts->here, ROOT, "cart"), 0);
    assert_int_equal(remove_file(mounts->here, ROOT, "cart~v1"), 0);
    assert_int_equal(remove_file(mounts->here, ROOT, "cart~v2"), 0);

    assert_lists(mounts->there, ROOT, "");
}

static void test_table__delete_against_write__write_stays(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "cart", "shown");
    look(mounts->here, ROOT, "cart");

    write_file(mounts->there, ROOT, "cart", "unseen");
    assert_int_equal(remove_file(mounts->here, ROOT, "cart"), 0);

    assert_reads(mounts->here, ROOT, "cart", "unseen");
    assert_reads(mounts->there, ROOT, "cart", "unseen");
}

static void test_table__delete_of_sibling_against_write_to_it__write_stays(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "cart", "old", "new");
    look(mounts->here, ROOT, "cart~v1");

    write_file(mounts->there, ROOT, "cart~v1", "unseen");
    assert_int_equal(remove_file(mounts->here, ROOT, "cart~v1"), 0);

    assert_int_equal(versions_of(mounts->kv, "cart"), 2);
}

static void test_table__file_against_directory__directory_keeps_the_name(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "x", "file");
    put_beside(mounts->kv, "x/below", "content");

    assert_lists(mounts->here, ROOT, "x x~v1");
    assert_true(S_ISDIR(stat_of(mounts->here, ROOT, "x").st_mode));
    assert_reads(mounts->here, ROOT, "x~v1", "file");
    assert_reads(mounts->here, look(mounts->here, ROOT, "x"), "below", "content");
}

static void test_table__file_behind_directory__moves_and_goes(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "x", "file");
    put_beside(mounts->kv, "x/below", "content");
    put_beside(mounts->kv, "x", "other");

    assert_int_equal(rename_error(mounts->here, ROOT, "x~v1", ROOT, "y"), 0);
    assert_lists(mounts->here, ROOT, "x x~v2 y");
    assert_int_equal(unlink_error(mounts->here, ROOT, "x~v2"), 0);

    assert_lists(mounts->here, ROOT, "x y");
    assert_reads(mounts->there, ROOT, "y", "file");
}

static void test_table__two_mkdir__one_directory_newest_attributes(void **state)
{
    struct mounts *mounts = *state;
    struct creation creation = {.mode = 0700, .user = 5, .group = 6};
    struct creation newer = {.mode = 0711, .user = 7, .group = 8};
    struct version version = {.attributes = {.type = VERSION_DIRECTORY,
                                             .mode = 0711,
                                             .user = 7,
                                             .mode_set_ns = INT64_MAX,
                                             .owner_set_ns = INT64_MAX}};
    struct kv_put put = {.key = slice_of_string("d/"), .mode = UPDATE_ALL, .value = &version};
    struct fs_entry entry;

    assert_int_equal(create_directory(mounts->here, ROOT, "d", &creation, &entry), 0);
    assert_int_equal(kv_put(mounts->kv, &put, &(struct kv_options){0}, NULL), STATUS_OK);

    assert_int_equal(versions_of(mounts->kv, "d/"), 2);
    assert_lists(mounts->here, ROOT, "d");
    assert_int_equal(stat_of(mounts->here, ROOT, "d").st_mode & 07777, newer.mode);
    assert_int_equal(stat_of(mounts->here, ROOT, "d").st_uid, newer.user);
}

static void test_table__equal_versions__are_no_conflict(void **state)
{
    struct mounts *mounts = *state;

    make_conflict(mounts, "cart", "same", "same");

    assert_lists(mounts->here, ROOT, "cart");
    write_file(mounts->here, ROOT, "cart", "next");
    assert_int_equal(versions_of(mounts->kv, "cart"), 1);
}

/* Two that never heard of each other, as after a partition. */
static void test_table__two_mounts_write_what_they_opened__both_stay(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "cart", "base");
    struct file *here = open_file(mounts->here, ROOT, "cart", true);
    struct file *there = open_file(mounts->there, ROOT, "cart", true);

    write_open(here, 0, "mine");
    write_open(there, 0, "theirs");
    assert_int_equal(close_file(mounts->here, here), 0);
    assert_int_equal(close_file(mounts->there, there), 0);

    assert_lists(mounts->here, ROOT, "cart cart~v1 cart~v2");
    assert_reads(mounts->here, ROOT, "cart~v1", "mine");
    assert_reads(mounts->here, ROOT, "cart~v2", "theirs");
}

static void make_fifo(struct fs *fs, const char *name)
{
    struct special special = {.type = VERSION_FIFO};
    struct creation creation = {.mode = 0600};
    struct fs_entry entry;

    assert_int_equal(create_special(fs, ROOT, name, &special, &creation, &entry), 0);
}

static void test_table__fifo_against_file__two_versions(void **state)
{
    struct mounts *mounts = *state;
    struct change mode = {.flags = CHANGE_MODE, .mode = 0644};

    make_fifo(mounts->here, "x");
    put_beside(mounts->kv, "x", "text");

    assert_lists(mounts->there, ROOT, "x x~v1 x~v2");
    assert_reads(mounts->there, ROOT, "x", "text");
    assert_true(S_ISFIFO(stat_of(mounts->there, ROOT, "x~v1").st_mode));
    change_by_id(mounts->there, look(mounts->there, ROOT, "x~v1"), mode);
    assert_int_equal(stat_of(mounts->there, ROOT, "x~v1").st_mode, S_IFIFO | 0644);
    assert_reads(mounts->there, ROOT, "x~v2", "text");
    assert_int_equal(rename_error(mounts->there, ROOT, "x~v1", ROOT, "x"), 0);
    assert_lists(mounts->here, ROOT, "x");
    assert_int_equal(stat_of(mounts->here, ROOT, "x").st_mode, S_IFIFO | 0644);
}

static void test_table__file_renamed_over_fifo__a_fifo_over_file(void **state)
{
    struct mounts *mounts = *state;

    make_fifo(mounts->here, "x");
    write_file(mounts->here, ROOT, "f", "text");
    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "x"), 0);
    assert_reads(mounts->there, ROOT, "x", "text");

    make_fifo(mounts->there, "y");
    assert_int_equal(rename_error(mounts->there, ROOT, "y", ROOT, "x"), 0);
    assert_lists(mounts->here, ROOT, "x");
    assert_true(S_ISFIFO(stat_of(mounts->here, ROOT, "x").st_mode));
    assert_int_equal(versions_of(mounts->kv, "x"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table__conflict__ls_shows_name_and_versions),
        TEST(test_table__cat_name__newest_on_every_mount),
        TEST(test_table__cat_sibling__that_version),
        TEST(test_table__no_conflict__no_siblings),
        TEST(test_table__write_name__supersedes_what_was_shown),
        TEST(test_table__write_name__late_arrival_stays),
        TEST(test_table__write_twice__late_arrival_stays_after_both),
        TEST(test_table__write_sibling__supersedes_that_only),
        TEST(test_table__rm_sibling__drops_that_only_and_suffixes_go),
        TEST(test_table__mv_sibling_onto_name__resolves_to_it),
        TEST(test_table__mv_sibling_onto_name__late_arrival_stays),
        TEST(test_table__cp_sibling_onto_name__resolves_to_it),
        TEST(test_table__mv_sibling_elsewhere__becomes_that),
        TEST(test_table__rm_name__drops_all_that_is_shown),
        TEST(test_table__rm_name_then_siblings__succeeds),
        TEST(test_table__delete_against_write__write_stays),
        TEST(test_table__delete_of_sibling_against_write_to_it__write_stays),
        TEST(test_table__file_against_directory__directory_keeps_the_name),
        TEST(test_table__file_behind_directory__moves_and_goes),
        TEST(test_table__two_mkdir__one_directory_newest_attributes),
        TEST(test_table__equal_versions__are_no_conflict),
        TEST(test_table__fifo_against_file__two_versions),
        TEST(test_table__file_renamed_over_fifo__a_fifo_over_file),
        TEST(test_table__two_mounts_write_what_they_opened__both_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
