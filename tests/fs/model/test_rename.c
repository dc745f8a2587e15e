/*
 * test_rename.c - moving names:
 *
 *   a file takes all its versions along; the target's shown ones are superseded, late ones stay
 *   the source is not deleted before its target is put
 *   a directory takes all that is below along, path by path, and goes on after a failure
 *   kinds and emptiness as rename(2) says
 */
#include <stdio.h>
#include <string.h>

#include "fs/model/create.h"
#include "fs/model/extended.h"
#include "fs/model/flush.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "fs/model/rename.h"
#include "tests/fs/model/fixture.h"

static void test_rename__file_to_new_name__moves(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    ino_t inode_number = stat_of(mounts->here, ROOT, "f").st_ino;

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_reads(mounts->there, ROOT, "g", "text");
    assert_true(stat_of(mounts->there, ROOT, "g").st_ino == inode_number);
}

static void test_rename__file_over_file__replaces(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    write_file(mounts->here, ROOT, "g", "replaced");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_reads(mounts->there, ROOT, "g", "text");
}

static void test_rename__target_written_meanwhile__late_version_stays(void **state)
{
    struct mounts *mounts = *state;
    struct rename_names names = {
        .parent = ROOT, .name = "f", .new_parent = ROOT, .new_name = "g"};
    write_file(mounts->here, ROOT, "f", "text");
    write_file(mounts->here, ROOT, "g", "replaced");
    look(mounts->here, ROOT, "f");
    look(mounts->here, ROOT, "g");

    write_file(mounts->there, ROOT, "g", "late");
    assert_int_equal(rename_name(mounts->here, &names), 0);

    assert_lists(mounts->there, ROOT, "g g~v1 g~v2");
    assert_reads(mounts->there, ROOT, "g~v1", "late");
    assert_reads(mounts->there, ROOT, "g~v2", "text");
}

static void test_rename__file_in_conflict__takes_all_versions(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    write_file(mounts->here, ROOT, "g", "replaced");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);

    assert_lists(mounts->here, ROOT, "g g~v1 g~v2");
    assert_reads(mounts->here, ROOT, "g~v1", "one");
    assert_reads(mounts->here, ROOT, "g~v2", "two");
    /* All of them were shown. */
    write_file(mounts->here, ROOT, "g", "merged");
    assert_int_equal(versions_of(mounts->kv, "g"), 1);
}

static void test_rename__file_onto_a_sibling__supersedes_that_one(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    write_file(mounts->here, ROOT, "x", "text");

    assert_int_equal(rename_error(mounts->here, ROOT, "x", ROOT, "f~v1"), 0);

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_reads(mounts->here, ROOT, "f~v1", "text");
    assert_reads(mounts->here, ROOT, "f~v2", "two");
}

static void test_rename__sibling_onto_sibling__one_is_left(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    put_beside(mounts->kv, "f", "three");

    assert_int_equal(rename_error(mounts->here, ROOT, "f~v1", ROOT, "f~v2"), 0);

    assert_lists(mounts->here, ROOT, "f f~v2 f~v3");
    assert_reads(mounts->here, ROOT, "f~v2", "one");
    assert_reads(mounts->here, ROOT, "f~v3", "three");
}

static void test_rename__name_onto_own_sibling__einval(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "f~v1"), EINVAL);

    assert_int_equal(versions_of(mounts->kv, "f"), 2);
}

static void test_rename__kinds_do_not_match__errors(void **state)
{
    struct mounts *mounts = *state;
    struct rename_names names = {
        .parent = ROOT, .name = "f", .new_parent = ROOT, .new_name = "g", .no_replace = true};
    write_file(mounts->here, ROOT, "f", "text");
    write_file(mounts->here, ROOT, "g", "text");
    make_directory(mounts->here, ROOT, "d");
    uint64_t full = make_directory(mounts->here, ROOT, "full");
    write_file(mounts->here, full, "x", "text");

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "d"), EISDIR);
    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "f"), ENOTDIR);
    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "full"), ENOTEMPTY);
    assert_int_equal(rename_error(mounts->here, ROOT, "none", ROOT, "g"), ENOENT);
    assert_int_equal(rename_name(mounts->here, &names), EEXIST);
    assert_lists(mounts->here, ROOT, "d f full g");
}

static void test_rename__directory_into_itself__einval(void **state)
{
    struct mounts *mounts = *state;
    uint64_t outer = make_directory(mounts->here, ROOT, "d");
    uint64_t inner = make_directory(mounts->here, outer, "e");

    assert_int_equal(rename_error(mounts->here, ROOT, "d", inner, "x"), EINVAL);
    assert_lists(mounts->here, inner, "");
}

/* At whichever call the cluster fails: the content is under one name at least. */
static void test_rename__any_call_fails__content_is_never_gone(void **state)
{
    struct mounts *mounts = *state;

    for (unsigned good_calls = 0; good_calls < 4; good_calls++) {
        char from[8];
        char to[8];
        snprintf(from, sizeof from, "f%u", good_calls);
        snprintf(to, sizeof to, "g%u", good_calls);
        write_file(mounts->here, ROOT, from, "text");
        look(mounts->here, ROOT, from);
        fail_after(mounts, good_calls, 1, STATUS_NO_QUORUM);
        struct rename_names names = {
            .parent = ROOT, .name = from, .new_parent = ROOT, .new_name = to};
        int failed = rename_name(mounts->here, &names);
        fail_after(mounts, 0, 0, STATUS_OK);

        assert_int_equal(failed, EIO);
        assert_true(versions_of(mounts->kv, from) == 1 || versions_of(mounts->kv, to) == 1);
        assert_int_equal(rename_error(mounts->here, ROOT, from, ROOT, to), 0);
        assert_reads(mounts->there, ROOT, to, "text");
        assert_int_equal(look_error(mounts->here, ROOT, from), ENOENT);
    }
}

/* d/ with two files, a conflict, a symlink and two levels below. */
static uint64_t make_tree(struct mounts *mounts)
{
    struct creation creation = {.mode = 0777};
    struct fs_entry entry;
    uint64_t directory = make_directory(mounts->here, ROOT, "d");
    uint64_t below = make_directory(mounts->here, directory, "below");
    uint64_t deep = make_directory(mounts->here, below, "deep");

    write_file(mounts->here, directory, "a", "in a");
    write_file(mounts->here, directory, "b", "in b");
    put_beside(mounts->kv, "d/b", "beside b");
    write_file(mounts->here, deep, "c", "in c");
    assert_int_equal(
        create_symlink(mounts->here, directory, "link", "target", &creation, &entry), 0);
    return directory;
}

static void check_tree(struct fs *fs, uint64_t parent, const char *name)
{
    struct buffer target = {0};
    uint64_t directory = look(fs, parent, name);
    uint64_t below = look(fs, directory, "below");
    uint64_t deep = look(fs, below, "deep");

    assert_lists(fs, directory, "a b below b~v1 b~v2 link");
    assert_lists(fs, below, "deep");
    assert_lists(fs, deep, "c");
    assert_reads(fs, directory, "a", "in a");
    assert_reads(fs, directory, "b~v1", "in b");
    assert_reads(fs, directory, "b~v2", "beside b");
    assert_reads(fs, deep, "c", "in c");
    assert_int_equal(query_link(fs, look(fs, directory, "link"), &target), 0);
    assert_true(slice_equal(buffer_slice(&target), slice_of_string("target")));
    buffer_release(&target);
}

static void test_rename__directory__takes_everything_along(void **state)
{
    struct mounts *mounts = *state;
    uint64_t directory = make_tree(mounts);
    ino_t inode_number = stat_of(mounts->here, ROOT, "d").st_ino;

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);

    assert_lists(mounts->there, ROOT, "e");
    check_tree(mounts->there, ROOT, "e");
    check_tree(mounts->here, ROOT, "e");
    assert_true(look(mounts->here, ROOT, "e") == directory);
    assert_true(stat_of(mounts->there, ROOT, "e").st_ino == inode_number);
}

static void test_rename__directory_over_empty_one__replaces_it(void **state)
{
    struct mounts *mounts = *state;
    make_tree(mounts);
    uint64_t target = make_directory(mounts->here, ROOT, "e");
    struct stat attributes;
    double valid_s;

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);

    check_tree(mounts->there, ROOT, "e");
    assert_lists(mounts->here, ROOT, "e");
    assert_int_equal(query_attributes(mounts->here, target, &attributes, &valid_s), 0);
    assert_int_equal(attributes.st_nlink, 0);
}

static void test_rename__directory_to_another_parent__moves(void **state)
{
    struct mounts *mounts = *state;
    make_tree(mounts);
    uint64_t parent = make_directory(mounts->here, ROOT, "p");

    assert_int_equal(rename_error(mounts->here, ROOT, "d", parent, "d"), 0);

    assert_lists(mounts->there, ROOT, "p");
    check_tree(mounts->there, look(mounts->there, ROOT, "p"), "d");
}

static void test_rename__directory_marks__users_do_not_see_them(void **state)
{
    struct mounts *mounts = *state;
    struct buffer names = {0};
    make_tree(mounts);

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);

    assert_int_equal(extended_list(mounts->here, look(mounts->here, ROOT, "e"), &names), 0);
    assert_int_equal(names.size, 0);
    buffer_release(&names);
    /* A finished rename leaves nothing that would let another one through. */
    make_directory(mounts->here, ROOT, "d");
    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), ENOTEMPTY);
}

/* Removes a tree that make_tree made, from another mount. */
static void remove_tree(struct fs *fs, const char *name)
{
    uint64_t top = look(fs, ROOT, name);
    uint64_t below = look(fs, top, "below");
    uint64_t deep = look(fs, below, "deep");

    assert_int_equal(unlink_error(fs, deep, "c"), 0);
    assert_int_equal(remove_directory(fs, below, "deep"), 0);
    assert_int_equal(remove_directory(fs, top, "below"), 0);
    assert_int_equal(unlink_error(fs, top, "a"), 0);
    assert_int_equal(unlink_error(fs, top, "b"), 0);
    assert_int_equal(unlink_error(fs, top, "link"), 0);
    assert_int_equal(remove_directory(fs, ROOT, name), 0);
}

/* rename("d", "e") here, of which the call after `good_calls` fails. */
static int rename_cut_short(struct mounts *mounts, unsigned good_calls)
{
    make_tree(mounts);
    look(mounts->here, ROOT, "d");
    (void)look_error(mounts->here, ROOT, "e");
    fail_after(mounts, good_calls, 1, STATUS_NO_QUORUM);
    struct rename_names names = {
        .parent = ROOT, .name = "d", .new_parent = ROOT, .new_name = "e"};
    int failed = rename_name(mounts->here, &names);
    fail_after(mounts, 0, 0, STATUS_OK);
    return failed;
}

/* At whichever call the cluster fails: the same rename goes on, and all is there. */
static void test_rename__directory_and_any_call_fails__goes_on(void **state)
{
    struct mounts *mounts = *state;
    unsigned good_calls = 0;
    int failed = EIO;

    for (; failed != 0; good_calls++) {
        failed = rename_cut_short(mounts, good_calls);

        if (failed != 0 && look_error(mounts->here, ROOT, "d") == 0) {
            assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);
        }
        assert_lists(mounts->there, ROOT, "e");
        check_tree(mounts->there, ROOT, "e");
        assert_int_equal(rename_error(mounts->there, ROOT, "e", ROOT, "gone"), 0);
        remove_tree(mounts->there, "gone");
        assert_lists(mounts->here, ROOT, "");
    }
    assert_true(good_calls > 20); /* the loop did fail calls all along the way */
}

/* The rerun on another mount, after the first has died: since e is a directory by then, `mv d
 * e` asks for rename("d", "e/d"), unless it takes the two for one directory. */
static void test_rename__directory_cut_short__mv_on_another_mount_finishes_it(void **state)
{
    struct mounts *mounts = *state;
    unsigned good_calls = 0;
    unsigned finished = 0;
    int failed = EIO;

    for (; failed != 0; good_calls++) {
        failed = rename_cut_short(mounts, good_calls);

        bool has_old = look_error(mounts->there, ROOT, "d") == 0;
        bool has_new = look_error(mounts->there, ROOT, "e") == 0;
        if (has_old && has_new) {
            assert_int_not_equal(stat_of(mounts->there, ROOT, "d").st_ino,
                                 stat_of(mounts->there, ROOT, "e").st_ino);
            uint64_t target = look(mounts->there, ROOT, "e");
            assert_int_equal(rename_error(mounts->there, ROOT, "d", target, "d"), 0);
            finished++;
        } else if (has_old) {
            assert_int_equal(rename_error(mounts->there, ROOT, "d", ROOT, "e"), 0);
        }
        assert_lists(mounts->there, ROOT, "e");
        check_tree(mounts->there, ROOT, "e");
        remove_tree(mounts->there, "e");
        assert_lists(mounts->here, ROOT, "");
        assert_int_equal(look_error(mounts->here, ROOT, "d"), ENOENT);
    }
    assert_true(finished > 10);
}

/* Into a directory that is no unfinished target of the rename it goes as ever. */
static void test_rename__directory_into_another__is_nested(void **state)
{
    struct mounts *mounts = *state;
    make_tree(mounts);
    uint64_t target = make_directory(mounts->here, ROOT, "e");

    assert_int_equal(rename_error(mounts->here, ROOT, "d", target, "d"), 0);

    assert_lists(mounts->there, look(mounts->there, ROOT, "e"), "d");
    check_tree(mounts->there, look(mounts->there, ROOT, "e"), "d");
}

static void test_rename__directory_of_open_files__they_go_on(void **state)
{
    struct mounts *mounts = *state;
    uint64_t directory = make_tree(mounts);
    struct file *clean = open_file(mounts->here, directory, "a", false);
    uint64_t deep = look(mounts->here, look(mounts->here, directory, "below"), "deep");
    struct file *dirty = open_file(mounts->here, deep, "c", true);
    struct file *pending = create_file(mounts->here, directory, "new");
    write_open(dirty, 0, "in c");
    write_open(pending, 0, "pending");

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);
    write_open(clean, 0, "in a");
    assert_int_equal(close_file(mounts->here, clean), 0);
    assert_int_equal(close_file(mounts->here, dirty), 0);
    assert_reads(mounts->here, look(mounts->here, ROOT, "e"), "new", "pending");
    assert_int_equal(close_file(mounts->here, pending), 0);

    assert_lists(mounts->there, ROOT, "e");
    assert_int_equal(unlink_error(mounts->there, look(mounts->there, ROOT, "e"), "new"), 0);
    check_tree(mounts->there, ROOT, "e");
}

static void rename_d_to_e(void *context)
{
    struct mounts *mounts = context;

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);
}

/* The put was under way to the old path when the directory above it moved. */
static void test_rename__directory_during_the_put_of_a_file__file_follows(void **state)
{
    struct mounts *mounts = *state;
    uint64_t directory = make_directory(mounts->here, ROOT, "d");
    struct file *file = create_file(mounts->here, directory, "f");
    write_open(file, 0, "text");
    look(mounts->here, ROOT, "d");

    mounts->faulty.context = mounts;
    mounts->faulty.before_put = rename_d_to_e;
    assert_int_equal(flush_file(mounts->here, file, false), 0);

    assert_int_equal(versions_of(mounts->kv, "e/f"), 1);
    assert_int_equal(versions_of(mounts->kv, "d/f"), 0);
    write_open(file, 4, " and more");
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_int_equal(versions_of(mounts->kv, "e/f"), 1);
    assert_reads(mounts->there, look(mounts->there, ROOT, "e"), "f", "text and more");
}

static void test_rename__large_directory__moves_all_pages(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    uint64_t directory = make_directory(mounts->here, ROOT, "d");
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file%03u", i);
        write_file(mounts->here, directory, name, name);
    }
    kv_memory_scan_max(mounts->kv, 50);

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);

    uint64_t there = look(mounts->there, ROOT, "e");
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file%03u", i);
        assert_reads(mounts->there, there, name, name);
    }
    assert_lists(mounts->there, ROOT, "e");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rename__file_to_new_name__moves),
        TEST(test_rename__file_over_file__replaces),
        TEST(test_rename__target_written_meanwhile__late_version_stays),
        TEST(test_rename__file_in_conflict__takes_all_versions),
        TEST(test_rename__file_onto_a_sibling__supersedes_that_one),
        TEST(test_rename__sibling_onto_sibling__one_is_left),
        TEST(test_rename__name_onto_own_sibling__einval),
        TEST(test_rename__kinds_do_not_match__errors),
        TEST(test_rename__directory_into_itself__einval),
        TEST(test_rename__any_call_fails__content_is_never_gone),
        TEST(test_rename__directory__takes_everything_along),
        TEST(test_rename__directory_over_empty_one__replaces_it),
        TEST(test_rename__directory_to_another_parent__moves),
        TEST(test_rename__directory_marks__users_do_not_see_them),
        TEST(test_rename__directory_and_any_call_fails__goes_on),
        TEST(test_rename__directory_cut_short__mv_on_another_mount_finishes_it),
        TEST(test_rename__directory_into_another__is_nested),
        TEST(test_rename__directory_of_open_files__they_go_on),
        TEST(test_rename__directory_during_the_put_of_a_file__file_follows),
        TEST(test_rename__large_directory__moves_all_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
