/*
 * test_hide.c - listings that leave out the versions of a name in conflict:
 *
 *   by the mount's option, or by user.dynamofs.show_siblings of the directory or one above it
 *   the nearest directory that says something counts
 *   what is hidden can be named, and a write to the name replaces it
 *   a file behind a directory of its name is never hidden
 *   owner and permissions as the mount's options say
 */
#include "fs/model/extended.h"
#include "fs/model/hide.h"
#include "tests/fs/model/fixture.h"

/* The directories `d/` and `d/below/`, a conflict called f in each. */
static void make_tree(struct mounts *mounts, uint64_t *ret_d, uint64_t *ret_below)
{
    *ret_d = make_directory(mounts->here, ROOT, "d");
    *ret_below = make_directory(mounts->here, *ret_d, "below");
    put_beside(mounts->kv, "d/f", "one");
    put_beside(mounts->kv, "d/f", "two");
    put_beside(mounts->kv, "d/below/f", "one");
    put_beside(mounts->kv, "d/below/f", "two");
}

static void test_hide__attribute__counts_for_what_is_below(void **state)
{
    struct mounts *mounts = *state;
    uint64_t d;
    uint64_t below;

    make_tree(mounts, &d, &below);
    assert_lists(mounts->here, below, "f f~v1 f~v2");
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "0"), 0);
    assert_lists(mounts->here, d, "below f");
    assert_lists(mounts->here, below, "f");
    assert_lists(mounts->there, look(mounts->there, look(mounts->there, ROOT, "d"), "below"),
                 "f");
    put_beside(mounts->kv, "top", "one");
    put_beside(mounts->kv, "top", "two");
    assert_lists(mounts->here, ROOT, "d top top~v1 top~v2");

    assert_int_equal(set_user_attribute(mounts->here, below, HIDE_ATTRIBUTE, "1"), 0);
    assert_lists(mounts->here, d, "below f");
    assert_lists(mounts->here, below, "f f~v1 f~v2");
}

static void test_hide__hidden_versions__can_be_named_and_replaced(void **state)
{
    struct mounts *mounts = *state;
    uint64_t d;
    uint64_t below;

    make_tree(mounts, &d, &below);
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "0"), 0);
    assert_reads(mounts->here, d, "f", "two");
    assert_reads(mounts->here, d, "f~v1", "one");
    write_file(mounts->here, d, "f", "three");
    assert_int_equal(versions_of(mounts->kv, "d/f"), 1);
    assert_int_equal(look_error(mounts->here, d, "f~v1"), ENOENT);

    assert_int_equal(unlink_error(mounts->here, below, "f"), 0);
    assert_int_equal(versions_of(mounts->kv, "d/below/f"), 0);
    assert_lists(mounts->here, below, "");
}

static void test_hide__option__until_a_directory_says_otherwise(void **state)
{
    struct mounts *mounts = *state;
    struct fs_config config = {.kv = mounts->kv, .hide_siblings = true};
    struct fs *hiding = fs_new(&config);
    uint64_t d;
    uint64_t below;

    assert_non_null(hiding);
    make_tree(mounts, &d, &below);
    assert_lists(mounts->here, d, "below f f~v1 f~v2");
    assert_lists(hiding, look(hiding, ROOT, "d"), "below f");
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "1"), 0);
    assert_lists(hiding, look(hiding, ROOT, "d"), "below f f~v1 f~v2");
    fs_free(hiding);
}

static void test_hide__file_behind_a_directory__is_seen(void **state)
{
    struct mounts *mounts = *state;
    uint64_t d = make_directory(mounts->here, ROOT, "d");

    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "0"), 0);
    make_directory(mounts->here, d, "both");
    put_beside(mounts->kv, "d/both", "text");
    assert_lists(mounts->here, d, "both both~v1");
}

static void test_hide__not_asked_for_sure__the_listing_fails(void **state)
{
    struct mounts *mounts = *state;
    uint64_t d;
    uint64_t below;

    make_tree(mounts, &d, &below);
    fail_after(mounts, 1, 1, STATUS_NO_QUORUM);
    assert_int_equal(list_error(mounts->here, below), EIO);
}

static void test_hide__attribute__takes_0_and_1_of_directories_alone(void **state)
{
    struct mounts *mounts = *state;
    uint64_t d = make_directory(mounts->here, ROOT, "d");

    write_file(mounts->here, ROOT, "f", "text");
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "no"), EINVAL);
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, ""), EINVAL);
    assert_int_equal(
        set_user_attribute(mounts->here, look(mounts->here, ROOT, "f"), HIDE_ATTRIBUTE, "0"),
        ENOTDIR);
    assert_int_equal(set_user_attribute(mounts->here, d, "user.dynamofs.clock", "0"), ENOTSUP);
    assert_int_equal(set_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "0"), 0);
    assert_user_attribute(mounts->here, d, HIDE_ATTRIBUTE, "0");
}

static void test_ownership__is_what_the_options_say(void **state)
{
    struct mounts *mounts = *state;
    struct fs_config config = {.kv = mounts->kv,
                               .ownership = {.has_user = true,
                                             .has_group = true,
                                             .has_umask = true,
                                             .user = 7,
                                             .group = 8,
                                             .umask = 027}};
    struct fs *fs = fs_new(&config);

    assert_non_null(fs);
    write_file(mounts->here, ROOT, "f", "text");
    struct stat real = stat_of(mounts->there, ROOT, "f");
    struct stat shown = stat_of(fs, ROOT, "f");

    assert_int_equal(shown.st_uid, 7);
    assert_int_equal(shown.st_gid, 8);
    assert_int_equal(shown.st_mode, S_IFREG | 0750);
    assert_int_equal(shown.st_ino, real.st_ino);
    assert_int_not_equal(real.st_mode, shown.st_mode);
    fs_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hide__attribute__counts_for_what_is_below),
        TEST(test_hide__hidden_versions__can_be_named_and_replaced),
        TEST(test_hide__option__until_a_directory_says_otherwise),
        TEST(test_hide__file_behind_a_directory__is_seen),
        TEST(test_hide__not_asked_for_sure__the_listing_fails),
        TEST(test_hide__attribute__takes_0_and_1_of_directories_alone),
        TEST(test_ownership__is_what_the_options_say),
    };

    return cmocka_run_group_tests_name("fs_model_hide", tests, NULL, NULL);
}
