/*
 * test_directory_times.c - mtime and ctime of directories, on two mounts:
 *
 *   a name that appears or vanishes changes both, on every mount; overwriting it changes
 * neither what was set stays until a name appears or vanishes after it a directory that is
 * moved keeps its times, and so do those below it the kernel keeps attributes of a directory
 * only while its names are known to be the same
 */
#include <stdio.h>

#include "fs/model/change.h"
#include "fs/model/create.h"
#include "fs/model/lookup.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

static const struct creation creation = {.user = 1000, .group = 1000, .mode = 0755};

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct times {
    int64_t modified_ns;
    int64_t changed_ns;
};

/* As GETATTR tells them. */
static struct times times_of(struct fs *fs, uint64_t inode)
{
    struct stat attributes;
    double valid_s;

    assert_int_equal(query_attributes(fs, inode, &attributes, &valid_s), 0);
    return (struct times){.modified_ns = nanoseconds(attributes.st_mtim),
                          .changed_ns = nanoseconds(attributes.st_ctim)};
}

/* Both are later than they were, the same on both mounts; *times are the new ones. */
static void assert_later(struct mounts *mounts, const char *name, struct times *times)
{
    struct times here = times_of(mounts->here, look(mounts->here, ROOT, name));
    struct times there = times_of(mounts->there, look(mounts->there, ROOT, name));

    assert_true(here.modified_ns > times->modified_ns);
    assert_true(here.changed_ns > times->changed_ns);
    assert_int_equal(here.modified_ns, there.modified_ns);
    assert_int_equal(here.changed_ns, there.changed_ns);
    *times = here;
}

static void assert_same(struct mounts *mounts, const char *name, const struct times *times)
{
    struct times here = times_of(mounts->here, look(mounts->here, ROOT, name));
    struct times there = times_of(mounts->there, look(mounts->there, ROOT, name));

    assert_int_equal(here.modified_ns, times->modified_ns);
    assert_int_equal(here.changed_ns, times->changed_ns);
    assert_int_equal(there.modified_ns, times->modified_ns);
    assert_int_equal(there.changed_ns, times->changed_ns);
}

static void set_modified(struct fs *fs, uint64_t inode, int64_t modified_ns)
{
    struct change change = {.flags = CHANGE_MODIFIED, .modified_ns = modified_ns};
    struct stat attributes;

    assert_int_equal(change_attributes(fs, inode, &change, &attributes), 0);
    assert_int_equal(nanoseconds(attributes.st_mtim), modified_ns);
}

static void test_times__names_come_and_go__both_change_on_both_mounts(void **state)
{
    struct mounts *mounts = *state;
    struct fs_entry entry;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    struct times times = times_of(mounts->here, here);

    write_file(mounts->here, here, "f", "text");
    assert_later(mounts, "d", &times);
    write_file(mounts->there, look(mounts->there, ROOT, "d"), "g", "text");
    assert_later(mounts, "d", &times);
    assert_int_equal(rename_error(mounts->here, here, "f", here, "h"), 0);
    assert_later(mounts, "d", &times);
    assert_int_equal(rename_error(mounts->here, here, "g", here, "h"), 0); /* over another */
    assert_later(mounts, "d", &times);
    assert_int_equal(unlink_error(mounts->here, here, "h"), 0);
    assert_later(mounts, "d", &times);
    assert_int_equal(create_directory(mounts->here, here, "e", &creation, &entry), 0);
    assert_later(mounts, "d", &times);
    assert_int_equal(remove_directory(mounts->here, here, "e"), 0);
    assert_later(mounts, "d", &times);
    assert_int_equal(create_symlink(mounts->here, here, "s", "target", &creation, &entry), 0);
    assert_later(mounts, "d", &times);
    assert_int_equal(create_empty(mounts->here, here, "n", &creation, &entry), 0);
    assert_later(mounts, "d", &times);
}

static void test_times__root__follows_its_names_too(void **state)
{
    struct mounts *mounts = *state;
    struct times times = times_of(mounts->here, ROOT);

    write_file(mounts->there, ROOT, "f", "text");

    struct times later = times_of(mounts->here, ROOT);
    assert_true(later.modified_ns > times.modified_ns && later.changed_ns > times.changed_ns);
    assert_int_equal(unlink_error(mounts->there, ROOT, "f"), 0);
    assert_true(times_of(mounts->here, ROOT).modified_ns > later.modified_ns);
}

static void test_times__moved_between_directories__both_change(void **state)
{
    struct mounts *mounts = *state;
    uint64_t from = make_directory(mounts->here, ROOT, "from");
    uint64_t to = make_directory(mounts->here, ROOT, "to");
    write_file(mounts->here, from, "f", "text");
    write_file(mounts->here, to, "f", "is replaced");
    struct times from_times = times_of(mounts->here, from);
    struct times to_times = times_of(mounts->here, to);

    assert_int_equal(rename_error(mounts->here, from, "f", to, "f"), 0);

    assert_later(mounts, "from", &from_times);
    assert_later(mounts, "to", &to_times);
}

static void test_times__content_overwritten__stay(void **state)
{
    struct mounts *mounts = *state;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    uint64_t there = look(mounts->there, ROOT, "d");
    struct change change = {.flags = CHANGE_MODE, .mode = 0600};
    struct stat attributes;
    write_file(mounts->here, here, "f", "text");
    struct times times = times_of(mounts->there, there);

    write_file(mounts->here, here, "f", "other text");
    write_file(mounts->there, there, "f", "text again");
    uint64_t file = look(mounts->there, there, "f");
    assert_int_equal(change_attributes(mounts->there, file, &change, &attributes), 0);

    assert_same(mounts, "d", &times);
}

/* tar, rsync -a and cp -a set them when all that is in the directory is there. */
static void test_times__set__stay_until_a_name_comes_or_goes(void **state)
{
    struct mounts *mounts = *state;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    struct change change = {.flags = CHANGE_MODE, .mode = 0700};
    struct stat attributes;
    write_file(mounts->there, look(mounts->there, ROOT, "d"), "f", "text");

    set_modified(mounts->here, here, INT64_C(86400000000000));
    struct times times = times_of(mounts->here, here);
    assert_int_equal(times.modified_ns, INT64_C(86400000000000));
    assert_same(mounts, "d", &times);
    assert_int_equal(change_attributes(mounts->here, here, &change, &attributes), 0);
    assert_int_equal(times_of(mounts->there, look(mounts->there, ROOT, "d")).modified_ns,
                     INT64_C(86400000000000));

    times = times_of(mounts->here, here);
    assert_int_equal(unlink_error(mounts->there, look(mounts->there, ROOT, "d"), "f"), 0);
    assert_later(mounts, "d", &times);
    /* And a change of other attributes does not bring it back. */
    assert_int_equal(change_attributes(mounts->here, here, &change, &attributes), 0);
    assert_int_equal(times_of(mounts->here, here).modified_ns, times.modified_ns);
}

static void test_times__set_to_the_future__a_name_makes_it_now(void **state)
{
    struct mounts *mounts = *state;
    int64_t future = times_of(mounts->here, ROOT).changed_ns + INT64_C(3600000000000);
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    set_modified(mounts->here, here, future);

    write_file(mounts->there, look(mounts->there, ROOT, "d"), "f", "text");

    assert_true(times_of(mounts->here, here).modified_ns < future);
}

/* What only this mount shows changes them here at once. */
static void test_times__pending_file__known_here(void **state)
{
    struct mounts *mounts = *state;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    struct times before = times_of(mounts->here, here);

    struct file *file = create_file(mounts->here, here, "f");
    struct times pending = times_of(mounts->here, here);
    assert_true(pending.modified_ns > before.modified_ns);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_later(mounts, "d", &before);
    assert_true(before.modified_ns >= pending.modified_ns);
}

static void test_times__directory_moved__its_own_and_those_below_stay(void **state)
{
    struct mounts *mounts = *state;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    uint64_t below = make_directory(mounts->here, here, "e");
    write_file(mounts->here, below, "f", "text");
    write_file(mounts->here, below, "g", "text");
    assert_int_equal(unlink_error(mounts->here, below, "g"), 0);
    set_modified(mounts->here, here, INT64_C(86400000000000));
    struct times times = times_of(mounts->here, here);
    struct times times_below = times_of(mounts->here, below);
    struct times root = times_of(mounts->there, ROOT);

    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "moved"), 0);

    uint64_t there = look(mounts->there, ROOT, "moved");
    assert_int_equal(times_of(mounts->there, there).modified_ns, times.modified_ns);
    assert_int_equal(times_of(mounts->there, look(mounts->there, there, "e")).modified_ns,
                     times_below.modified_ns);
    assert_int_equal(times_of(mounts->here, look(mounts->here, ROOT, "moved")).modified_ns,
                     times.modified_ns);
    assert_true(times_of(mounts->there, ROOT).modified_ns > root.modified_ns);
    /* Names move its times as before. */
    times = times_of(mounts->there, there);
    assert_int_equal(unlink_error(mounts->there, look(mounts->there, there, "e"), "f"), 0);
    assert_int_equal(times_of(mounts->there, there).modified_ns, times.modified_ns);
    assert_int_equal(remove_directory(mounts->there, there, "e"), 0);
    assert_later(mounts, "moved", &times);
}

static void test_times__directory_removed_and_made_again__are_those_of_the_new_one(void **state)
{
    struct mounts *mounts = *state;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    write_file(mounts->here, here, "f", "text");
    assert_int_equal(unlink_error(mounts->here, here, "f"), 0);
    struct times times = times_of(mounts->here, here);
    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);

    make_directory(mounts->here, ROOT, "d");

    assert_later(mounts, "d", &times);
    assert_same(mounts, "d", &times);
}

/* With an attribute timeout: the kernel must ask before it shows times. */
static void test_times__names_not_asked_for__kernel_keeps_nothing(void **state)
{
    struct mounts *mounts = *state;
    struct fs_config config = {.kv = mounts->kv, .attribute_timeout = 3600};
    struct fs *fs = fs_new(&config);
    struct fs_entry entry;
    struct stat attributes;
    double valid_s = 0;
    make_directory(mounts->there, ROOT, "d");
    write_file(mounts->there, ROOT, "f", "text");

    assert_int_equal(lookup_name(fs, ROOT, "f", &entry), 0);
    assert_true(entry.valid_s > 0);
    assert_int_equal(lookup_name(fs, ROOT, "d", &entry), 0);
    assert_true(entry.valid_s <= 0);
    write_file(mounts->there, look(mounts->there, ROOT, "d"), "g", "text");
    assert_int_equal(query_attributes(fs, entry.id, &attributes, &valid_s), 0);
    assert_true(valid_s > 0);
    struct times there = times_of(mounts->there, look(mounts->there, ROOT, "d"));
    assert_int_equal(nanoseconds(attributes.st_mtim), there.modified_ns);

    fs_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_times__names_come_and_go__both_change_on_both_mounts),
        TEST(test_times__root__follows_its_names_too),
        TEST(test_times__moved_between_directories__both_change),
        TEST(test_times__content_overwritten__stay),
        TEST(test_times__set__stay_until_a_name_comes_or_goes),
        TEST(test_times__set_to_the_future__a_name_makes_it_now),
        TEST(test_times__pending_file__known_here),
        TEST(test_times__directory_moved__its_own_and_those_below_stay),
        TEST(test_times__directory_removed_and_made_again__are_those_of_the_new_one),
        TEST(test_times__names_not_asked_for__kernel_keeps_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
