/*
 * test_merged.c - attributes that two mounts change at once.
 *
 * Rule: with equal contents each field and each user attribute is that of who set it last, the
 *       same on every mount, and what is written later carries all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/extended.h"
#include "fs/model/flush.h"
#include "tests/fs/model/fixture.h"
#include "tests/ring/random.h"

/* What `there` does just before the next put of `here` goes through. */
struct meanwhile {
    struct fs *fs;
    struct change change;
    struct xattr_change xattr; /* name NULL: none */
};

static void do_meanwhile(void *context)
{
    struct meanwhile *meanwhile = context;
    uint64_t inode = look(meanwhile->fs, ROOT, "f");
    struct stat attributes;

    if (meanwhile->change.flags != 0) {
        assert_int_equal(
            change_attributes(meanwhile->fs, inode, &meanwhile->change, &attributes), 0);
    }
    if (meanwhile->xattr.name) {
        assert_int_equal(extended_set(meanwhile->fs, inode, &meanwhile->xattr), 0);
    }
}

static void before_next_put(struct mounts *mounts, struct meanwhile *meanwhile)
{
    meanwhile->fs = mounts->there;
    mounts->faulty.before_put = do_meanwhile;
    mounts->faulty.context = meanwhile;
}

static void set(struct fs *fs, const char *name, const char *value)
{
    struct xattr_change change = {.name = name, .value = slice_of_string(value)};

    assert_int_equal(extended_set(fs, look(fs, ROOT, "f"), &change), 0);
}

static void assert_has(struct fs *fs, const char *name, const char *value)
{
    struct buffer got = {0};

    assert_int_equal(extended_get(fs, look(fs, ROOT, "f"), name, &got), 0);
    assert_true(slice_equal(buffer_slice(&got), slice_of_string(value)));
    buffer_release(&got);
}

static void assert_has_not(struct fs *fs, const char *name)
{
    struct buffer got = {0};

    assert_int_equal(extended_get(fs, look(fs, ROOT, "f"), name, &got), ENODATA);
    buffer_release(&got);
}

static void test_merged__two_user_attributes_at_once__both_are_there(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {.xattr = {.name = "user.b", .value = slice_of_string("2")}};
    write_file(mounts->here, ROOT, "f", "text");

    before_next_put(mounts, &theirs);
    set(mounts->here, "user.a", "1");

    assert_int_equal(versions_of(mounts->kv, "f"), 2);
    assert_lists(mounts->there, ROOT, "f");
    assert_has(mounts->here, "user.a", "1");
    assert_has(mounts->here, "user.b", "2");
    assert_has(mounts->there, "user.a", "1");
    assert_has(mounts->there, "user.b", "2");
}

static void test_merged__mode_and_user_attribute_at_once__both_hold(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {.change = {.flags = CHANGE_MODE, .mode = 0600}};
    write_file(mounts->here, ROOT, "f", "text");

    before_next_put(mounts, &theirs);
    set(mounts->here, "user.a", "1");

    for (int i = 0; i < 2; i++) {
        struct fs *fs = i == 0 ? mounts->here : mounts->there;
        assert_int_equal(stat_of(fs, ROOT, "f").st_mode & 07777, 0600);
        assert_has(fs, "user.a", "1");
    }
}

static void test_merged__owner_and_times_at_once__both_hold(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {
        .change = {.flags = CHANGE_MODIFIED, .modified_ns = INT64_C(5000000000)}};
    struct change owner = {.flags = CHANGE_USER, .user = 77};
    struct stat attributes;
    write_file(mounts->here, ROOT, "f", "text");

    before_next_put(mounts, &theirs);
    assert_int_equal(
        change_attributes(mounts->here, look(mounts->here, ROOT, "f"), &owner, &attributes), 0);

    struct stat shown = stat_of(mounts->there, ROOT, "f");
    assert_int_equal(shown.st_uid, 77);
    assert_int_equal(shown.st_mtim.tv_sec, 5);
}

static void test_merged__removed_beside_another_change__stays_removed(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {.xattr = {.name = "user.a", .remove = true}};
    write_file(mounts->here, ROOT, "f", "text");
    set(mounts->here, "user.a", "1");

    before_next_put(mounts, &theirs);
    set(mounts->here, "user.b", "2");

    assert_has_not(mounts->here, "user.a");
    assert_has_not(mounts->there, "user.a");
    assert_has(mounts->there, "user.b", "2");
}

/* What is written next supersedes both versions: it must carry what it did not make itself. */
static void test_merged__written_later__carries_all(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {.xattr = {.name = "user.b", .value = slice_of_string("2")}};
    write_file(mounts->here, ROOT, "f", "text");
    before_next_put(mounts, &theirs);
    set(mounts->here, "user.a", "1");

    write_file(mounts->there, ROOT, "f", "other");

    assert_int_equal(versions_of(mounts->kv, "f"), 1);
    assert_has(mounts->here, "user.a", "1");
    assert_has(mounts->here, "user.b", "2");
}

static void test_merged__changed_beside_a_flush__the_open_file_carries_it(void **state)
{
    struct mounts *mounts = *state;
    struct meanwhile theirs = {.xattr = {.name = "user.b", .value = slice_of_string("2")}};
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_open(file, 0, "text");

    before_next_put(mounts, &theirs);
    assert_int_equal(flush_file(mounts->here, file, false), 0);
    write_open(file, 4, " and more");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(versions_of(mounts->kv, "f"), 1);
    assert_reads(mounts->there, ROOT, "f", "text and more");
    assert_has(mounts->there, "user.b", "2");
}

/* Three encoded sets of the same few names, set and removed at the same few moments. */
static struct blob *random_xattrs(struct random *random)
{
    struct blob *blob = NULL;

    for (uint32_t i = random_below(random, 4); i > 0; i--) {
        char name[] = "user.x";
        char value[] = "v";
        struct blob *next = NULL;
        name[5] = (char)('a' + random_below(random, 3));
        value[0] = (char)('0' + random_below(random, 2));
        struct xattr_change change = {.name = name,
                                      .value = slice_of_string(value),
                                      .remove = random_below(random, 3) == 0};
        int failed = xattrs_change(blob, &change, random_below(random, 3), &next);
        if (failed == 0) {
            blob_unref(blob);
            blob = next;
        }
    }
    return blob;
}

static struct blob *merge(struct blob *a, struct blob *b)
{
    struct blob *merged = NULL;

    assert_int_equal(xattrs_merge(a, b, &merged), 0);
    return merged;
}

static void test_xattrs_merge__any_three__order_and_repetition_do_not_matter(void **state)
{
    struct random random = {.state = 7};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct blob *a = random_xattrs(&random);
        struct blob *b = random_xattrs(&random);
        struct blob *c = random_xattrs(&random);
        struct blob *ab = merge(a, b);
        struct blob *ba = merge(b, a);
        struct blob *bc = merge(b, c);
        struct blob *left = merge(ab, c);
        struct blob *right = merge(a, bc);
        struct blob *again = merge(ab, b);

        assert_true(slice_equal(blob_slice(ab), blob_slice(ba)));
        assert_true(slice_equal(blob_slice(left), blob_slice(right)));
        assert_true(slice_equal(blob_slice(again), blob_slice(ab)));
        struct blob *all[] = {a, b, c, ab, ba, bc, left, right, again};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            blob_unref(all[k]);
        }
    }
}

static void test_xattrs__many_removals__are_bounded(void **state)
{
    struct blob *blob = NULL;

    (void)state;
    for (int i = 0; i < 3 * XATTR_REMOVALS_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "user.%d", i);
        for (int remove = 0; remove < 2; remove++) {
            struct xattr_change change = {
                .name = name, .value = slice_of_string("v"), .remove = remove};
            struct blob *next = NULL;
            assert_int_equal(xattrs_change(blob, &change, 10 * i + remove, &next), 0);
            blob_unref(blob);
            blob = next;
        }
    }

    assert_true(blob_slice(blob).size <= XATTR_REMOVALS_MAX * (XATTR_HEADER_SIZE + 10U));
    blob_unref(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_merged__two_user_attributes_at_once__both_are_there),
        TEST(test_merged__mode_and_user_attribute_at_once__both_hold),
        TEST(test_merged__owner_and_times_at_once__both_hold),
        TEST(test_merged__removed_beside_another_change__stays_removed),
        TEST(test_merged__written_later__carries_all),
        TEST(test_merged__changed_beside_a_flush__the_open_file_carries_it),
        cmocka_unit_test(test_xattrs_merge__any_three__order_and_repetition_do_not_matter),
        cmocka_unit_test(test_xattrs__many_removals__are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
