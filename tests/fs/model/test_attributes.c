/*
 * test_attributes.c - attributes of names and of users:
 *
 *   chmod, chown, truncate and utimes of closed files; none of them makes a conflict
 *   what is made in a set-group-id directory has its group
 *   user.* attributes are kept; user.dynamofs.* tells and is read-only; others are refused
 *   attributes that were just told are told again without asking
 *   every status of the cluster has an errno
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/attributes.h"
#include "fs/model/change.h"
#include "fs/model/create.h"
#include "fs/model/extended.h"
#include "fs/model/flush.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

static struct stat change(struct fs *fs, const char *name, struct change wanted)
{
    return change_by_id(fs, look(fs, ROOT, name), wanted);
}

static void test_setattr__closed_file__is_put(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    ino_t inode_number = stat_of(mounts->here, ROOT, "f").st_ino;

    change(mounts->here, "f", (struct change){.flags = CHANGE_MODE, .mode = 04711});
    change(mounts->here, "f",
           (struct change){.flags = CHANGE_USER | CHANGE_GROUP, .user = 12, .group = 34});
    change(mounts->here, "f",
           (struct change){.flags = CHANGE_ACCESSED | CHANGE_MODIFIED,
                           .accessed_ns = -500000000,
                           .modified_ns = INT64_C(5000000006)});

    struct stat attributes = stat_of(mounts->there, ROOT, "f");
    assert_int_equal(attributes.st_mode, S_IFREG | 04711);
    assert_int_equal(attributes.st_uid, 12);
    assert_int_equal(attributes.st_gid, 34);
    assert_int_equal(attributes.st_atim.tv_sec, -1);
    assert_int_equal(attributes.st_atim.tv_nsec, 500000000);
    assert_int_equal(attributes.st_mtim.tv_sec, 5);
    assert_int_equal(attributes.st_mtim.tv_nsec, 6);
    assert_true(attributes.st_ino == inode_number);
    assert_reads(mounts->there, ROOT, "f", "text");
    assert_int_equal(versions_of(mounts->kv, "f"), 1);
}

/* write, close, utimes: what cp -a, rsync and tar do. */
static void test_setattr__right_after_close__no_conflict(void **state)
{
    struct mounts *mounts = *state;

    for (int round = 0; round < 3; round++) {
        write_file(mounts->here, ROOT, "f", round == 0 ? "a" : "b");
        change(mounts->here, "f", (struct change){.flags = CHANGE_MODIFIED, .modified_ns = 1});
        assert_int_equal(versions_of(mounts->kv, "f"), 1);
    }
    /* What was put by the change is what is removed. */
    assert_int_equal(remove_file(mounts->here, ROOT, "f"), 0);
    assert_int_equal(versions_of(mounts->kv, "f"), 0);
}

static void test_truncate__closed_file__cuts_and_extends(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");

    struct stat cut =
        change(mounts->here, "f", (struct change){.flags = CHANGE_SIZE, .size = 2});
    assert_int_equal(cut.st_size, 2);
    assert_reads(mounts->there, ROOT, "f", "te");
    change(mounts->here, "f", (struct change){.flags = CHANGE_SIZE, .size = 6});
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_size, 6);
    struct change too_large = {.flags = CHANGE_SIZE, .size = (UINT64_C(1) << 40) + 1};
    struct stat ignored;
    assert_int_equal(
        change_attributes(mounts->here, look(mounts->here, ROOT, "f"), &too_large, &ignored),
        EFBIG);
}

/* It is a write to the name: it settles a conflict with the newest content. */
static void test_truncate__conflict__settles_it(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "old", "new");

    change(mounts->here, "f", (struct change){.flags = CHANGE_SIZE, .size = 2});

    assert_lists(mounts->here, ROOT, "f");
    assert_reads(mounts->there, ROOT, "f", "ne");
}

static void test_truncate__open_file_by_path__is_put_at_once(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    struct file *file = open_file(mounts->here, ROOT, "f", false);

    change(mounts->here, "f", (struct change){.flags = CHANGE_SIZE, .size = 2});

    assert_reads(mounts->there, ROOT, "f", "te");
    assert_file_holds(file, "te");
    flush_release(mounts->here, file, 0);
}

static void test_setattr__sibling__changes_that_version(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");

    change(mounts->here, "f~v1", (struct change){.flags = CHANGE_MODE, .mode = 0600});

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_int_equal(stat_of(mounts->here, ROOT, "f~v1").st_mode & 07777, 0600);
    assert_int_equal(stat_of(mounts->here, ROOT, "f~v2").st_mode & 07777, 0644);
    assert_reads(mounts->here, ROOT, "f~v1", "one");
}

static void test_setattr__directory_and_root__are_put(void **state)
{
    struct mounts *mounts = *state;
    struct change mode = {.flags = CHANGE_MODE, .mode = 01777};
    struct stat attributes;
    double valid_s;
    make_directory(mounts->here, ROOT, "d");

    change(mounts->here, "d", mode);
    assert_int_equal(change_attributes(mounts->here, ROOT, &mode, &attributes), 0);

    assert_int_equal(stat_of(mounts->there, ROOT, "d").st_mode, S_IFDIR | 01777);
    assert_int_equal(query_attributes(mounts->there, ROOT, &attributes, &valid_s), 0);
    assert_int_equal(attributes.st_mode, S_IFDIR | 01777);
    assert_int_equal(attributes.st_ino, 1);
    assert_int_equal(attributes.st_uid, 1000);
}

static void test_setattr__gone_or_failing__errors(void **state)
{
    struct mounts *mounts = *state;
    struct change mode = {.flags = CHANGE_MODE, .mode = 0600};
    struct stat attributes;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");

    kv_memory_fail(mounts->kv, 1, STATUS_NO_QUORUM);
    assert_int_equal(change_attributes(mounts->here, inode, &mode, &attributes), EIO);
    assert_int_equal(unlink_error(mounts->there, ROOT, "f"), 0);
    assert_int_equal(change_attributes(mounts->here, inode, &mode, &attributes), ESTALE);
    assert_int_equal(change_attributes(mounts->here, 999999, &mode, &attributes), ESTALE);
}

static void test_create__in_set_group_id_directory__inherits_the_group(void **state)
{
    struct mounts *mounts = *state;
    struct change group = {.flags = CHANGE_MODE | CHANGE_GROUP, .mode = 02775, .group = 77};
    uint64_t directory = make_directory(mounts->here, ROOT, "d");
    change(mounts->here, "d", group);

    write_file(mounts->here, directory, "f", "text");
    make_directory(mounts->here, directory, "e");

    assert_int_equal(stat_of(mounts->here, directory, "f").st_gid, 77);
    assert_int_equal(stat_of(mounts->here, directory, "f").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(mounts->here, directory, "e").st_gid, 77);
    assert_int_equal(stat_of(mounts->here, directory, "e").st_mode, S_IFDIR | 02755);
}

static void test_symlink_and_mknod__are_put(void **state)
{
    struct mounts *mounts = *state;
    struct creation creation = {.mode = 0640, .user = 3};
    struct fs_entry entry;
    struct buffer target = {0};

    assert_int_equal(create_symlink(mounts->here, ROOT, "l", "some/where", &creation, &entry),
                     0);
    assert_int_equal(create_empty(mounts->here, ROOT, "n", &creation, &entry), 0);
    assert_int_equal(create_empty(mounts->here, ROOT, "n", &creation, &entry), EEXIST);
    assert_int_equal(create_directory(mounts->there, ROOT, "n", &creation, &entry), EEXIST);
    assert_int_equal(create_symlink(mounts->there, ROOT, "l", "x", &creation, &entry), EEXIST);

    assert_true(S_ISLNK(stat_of(mounts->there, ROOT, "l").st_mode));
    assert_int_equal(stat_of(mounts->there, ROOT, "l").st_size, 10);
    assert_int_equal(query_link(mounts->there, look(mounts->there, ROOT, "l"), &target), 0);
    assert_true(slice_equal(buffer_slice(&target), slice_of_string("some/where")));
    buffer_release(&target);
    assert_int_equal(query_link(mounts->there, look(mounts->there, ROOT, "n"), &target),
                     EINVAL);
    assert_int_equal(stat_of(mounts->there, ROOT, "n").st_mode, S_IFREG | 0640);
}

static void assert_xattr(struct fs *fs, const char *file, const char *name, const char *value)
{
    struct buffer got = {0};

    assert_int_equal(extended_get(fs, look(fs, ROOT, file), name, &got), 0);
    assert_true(slice_equal(buffer_slice(&got), slice_of_string(value)));
    buffer_release(&got);
}

static int xattr_error(struct fs *fs, const char *file, const char *name)
{
    struct buffer got = {0};
    int failed = extended_get(fs, look(fs, ROOT, file), name, &got);

    buffer_release(&got);
    return failed;
}

static int set_xattr(struct fs *fs, const char *file, struct xattr_change wanted)
{
    return extended_set(fs, look(fs, ROOT, file), &wanted);
}

static void test_xattr__of_users__set_replace_and_remove(void **state)
{
    struct mounts *mounts = *state;
    struct xattr_change one = {.name = "user.one", .value = slice_of_string("1")};
    struct xattr_change two = {.name = "user.two", .value = slice_of_string("2")};
    write_file(mounts->here, ROOT, "f", "text");

    assert_int_equal(set_xattr(mounts->here, "f", one), 0);
    assert_int_equal(set_xattr(mounts->here, "f", two), 0);
    one.must_create = true;
    assert_int_equal(set_xattr(mounts->here, "f", one), EEXIST);
    one.must_create = false;
    one.must_exist = true;
    one.value = slice_of_string("first");
    assert_int_equal(set_xattr(mounts->here, "f", one), 0);
    assert_xattr(mounts->there, "f", "user.one", "first");
    assert_xattr(mounts->there, "f", "user.two", "2");

    write_file(mounts->there, ROOT, "f", "other text"); /* an overwrite keeps them */
    assert_xattr(mounts->here, "f", "user.two", "2");
    two.remove = true;
    assert_int_equal(set_xattr(mounts->here, "f", two), 0);
    assert_int_equal(set_xattr(mounts->here, "f", two), ENODATA);
    assert_int_equal(xattr_error(mounts->there, "f", "user.two"), ENODATA);
    assert_reads(mounts->there, ROOT, "f", "other text");
}

static void test_xattr__of_an_open_file__travels_with_its_put(void **state)
{
    struct mounts *mounts = *state;
    struct xattr_change one = {.name = "user.one", .value = slice_of_string("1")};
    struct file *file = create_file(mounts->here, ROOT, "f");

    assert_int_equal(set_xattr(mounts->here, "f", one), 0);
    assert_xattr(mounts->here, "f", "user.one", "1");
    assert_int_equal(kv_memory_calls(mounts->kv).put, 0);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_xattr(mounts->there, "f", "user.one", "1");
    assert_int_equal(kv_memory_calls(mounts->kv).put, 1);
}

static void test_xattr__too_large__enospc(void **state)
{
    struct mounts *mounts = *state;
    static uint8_t large[XATTRS_SIZE_MAX];
    struct xattr_change one = {.name = "user.one", .value = slice_of(large, sizeof large)};
    write_file(mounts->here, ROOT, "f", "text");

    assert_int_equal(set_xattr(mounts->here, "f", one), ENOSPC);
    one.value.size -= XATTR_HEADER_SIZE + strlen(one.name);
    assert_int_equal(set_xattr(mounts->here, "f", one), 0);
}

static void test_xattr__other_namespaces__are_refused(void **state)
{
    struct mounts *mounts = *state;
    struct xattr_change change_own = {.name = "user.dynamofs.clock"};
    struct xattr_change change_trusted = {.name = "trusted.x"};
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t before = kv_memory_calls(mounts->kv).get;

    assert_int_equal(xattr_error(mounts->here, "f", "security.capability"), ENODATA);
    assert_int_equal(xattr_error(mounts->here, "f", "system.posix_acl_access"), ENOTSUP);
    assert_int_equal(xattr_error(mounts->here, "f", "trusted.x"), ENODATA);
    assert_int_equal(set_xattr(mounts->here, "f", change_own), ENOTSUP);
    assert_int_equal(set_xattr(mounts->here, "f", change_trusted), ENOTSUP);

    /* The kernel asks for security.capability at each write: that must not cost a call. */
    assert_int_equal(kv_memory_calls(mounts->kv).get, before);
}

static void test_xattr__of_the_cluster__tell_and_are_not_listed(void **state)
{
    struct mounts *mounts = *state;
    struct buffer names = {0};
    make_conflict(mounts, "f", "one", "two");

    assert_xattr(mounts->here, "f", "user.dynamofs.siblings", "2");
    assert_xattr(mounts->here, "f", "user.dynamofs.replicas", "memory");
    struct buffer context = {0};
    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(extended_get(mounts->here, inode, "user.dynamofs.context", &context), 0);
    /* It is what supersedes all that is shown. */
    struct object *shown = NULL;
    assert_int_equal(kv_context_parse(buffer_slice(&context), &shown), STATUS_OK);
    struct version merged = {.attributes = {.type = VERSION_FILE, .mode = 0644}};
    struct kv_put put = {.key = slice_of_string("f"),
                         .mode = UPDATE_ALL,
                         .context = shown->clock,
                         .value = &merged};
    assert_int_equal(kv_put(mounts->kv, &put, &(struct kv_options){0}, NULL), STATUS_OK);
    assert_int_equal(versions_of(mounts->kv, "f"), 1);
    object_unref(shown);
    buffer_release(&context);
    assert_int_equal(xattr_error(mounts->here, "f", "user.dynamofs.clock"), 0);
    assert_int_equal(xattr_error(mounts->here, "f", "user.dynamofs.other"), ENODATA);
    /* Whoever copies all that is listed would carry along what is of this file and this
     * moment. */
    assert_int_equal(extended_list(mounts->here, inode, &names), 0);
    assert_int_equal(names.size, 0);
    buffer_release(&names);
}

static void test_xattrs__damaged_bytes__are_eio(void **state)
{
    static const uint8_t damaged[][8] = {
        {1},                     /* half a header */
        {0, 0, 0, 0, 0, 0},      /* no name */
        {9, 0, 0, 0, 0, 0, 'a'}, /* a name beyond the end */
        {1, 0, 9, 0, 0, 0, 'a'}, /* a value beyond the end */
        {1, 0, 255, 255, 255, 255, 'a'},
    };
    static const size_t sizes[] = {1, 6, 7, 7, 7};
    struct slice value;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(
            xattrs_get(slice_of(damaged[i], sizes[i]), slice_of_string("b"), &value), EIO);
    }
}

static void test_getattr__name_shows_something_else__estale(void **state)
{
    struct mounts *mounts = *state;
    struct stat attributes;
    double valid_s;
    write_file(mounts->here, ROOT, "f", "text");
    uint64_t inode = look(mounts->here, ROOT, "f");

    assert_int_equal(unlink_error(mounts->there, ROOT, "f"), 0);
    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), ESTALE);
    make_directory(mounts->there, ROOT, "f");

    assert_int_equal(query_attributes(mounts->here, inode, &attributes, &valid_s), ESTALE);
    assert_true(look(mounts->here, ROOT, "f") != inode);
}

static void test_getattr__within_the_timeout__asks_nobody(void **state)
{
    struct mounts *mounts = *state;
    struct fs_config config = {.kv = mounts->kv, .attribute_timeout = 3600};
    struct fs *fs = fs_new(&config);
    struct stat attributes;
    double valid_s;
    uint64_t directory = make_directory(fs, ROOT, "d");
    /* When its names changed last is asked for by the first who wants to know. */
    assert_int_equal(query_attributes(fs, directory, &attributes, &valid_s), 0);
    uint64_t before = kv_memory_calls(mounts->kv).list + kv_memory_calls(mounts->kv).get;

    assert_int_equal(query_attributes(fs, directory, &attributes, &valid_s), 0);

    assert_int_equal(kv_memory_calls(mounts->kv).list + kv_memory_calls(mounts->kv).get,
                     before);
    assert_true(valid_s > 0 && valid_s <= 3600);
    fs_free(fs);
}

static void test_statfs__space_and_longest_name(void **state)
{
    struct mounts *mounts = *state;
    struct statvfs space;

    assert_int_equal(query_space(mounts->here, &space), 0);
    assert_int_equal(space.f_namemax, 255);
    assert_true(space.f_blocks > space.f_bfree && space.f_bfree > 0);
    assert_true(space.f_files > space.f_ffree && space.f_ffree > 0 && space.f_favail > 0);
    kv_memory_fail(mounts->kv, 1, STATUS_UNREACHABLE);
    assert_int_equal(query_space(mounts->here, &space), EIO);
}

static void test_inode__unknown_id__comes_from_the_key(void **state)
{
    struct attributes unknown = {.type = VERSION_FILE};
    struct attributes known = {.type = VERSION_FILE, .file_id = 42};
    struct slice a = slice_of_string("a");
    struct slice b = slice_of_string("b");
    (void)state;

    assert_true(attributes_inode_number(&known, a, 0) == 42);
    assert_true(attributes_inode_number(&unknown, a, 0) ==
                attributes_inode_number(&unknown, a, 0));
    assert_true(attributes_inode_number(&unknown, a, 0) !=
                attributes_inode_number(&unknown, b, 0));
    assert_true(attributes_inode_number(&known, a, 1) != attributes_inode_number(&known, a, 2));
    known.file_id = INODE_NUMBER_ROOT;
    assert_true(attributes_inode_number(&known, a, 0) != INODE_NUMBER_ROOT);
}

static void test_errno_map__every_status__has_an_errno(void **state)
{
    (void)state;
    assert_int_equal(errno_of_status(STATUS_OK), 0);
    for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        assert_true(errno_of_status((enum status)status) > 0);
    }
    assert_int_equal(errno_of_status(STATUS_NOT_FOUND), ENOENT);
    assert_int_equal(errno_of_status(STATUS_NO_QUORUM), EIO);
    assert_int_equal(errno_of_status(STATUS_TIMEOUT), ETIMEDOUT);
    assert_int_equal(errno_of_status(STATUS_NO_SPACE), ENOSPC);
    assert_int_equal(errno_of_status(STATUS_TOO_LARGE), EFBIG);
    assert_int_equal(errno_of_status(STATUS_TOO_MANY_VERSIONS), EDQUOT);
    assert_int_equal(errno_of_status(STATUS_UNKNOWN_VERSION), ESTALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_setattr__closed_file__is_put),
        TEST(test_setattr__right_after_close__no_conflict),
        TEST(test_truncate__closed_file__cuts_and_extends),
        TEST(test_truncate__conflict__settles_it),
        TEST(test_truncate__open_file_by_path__is_put_at_once),
        TEST(test_setattr__sibling__changes_that_version),
        TEST(test_setattr__directory_and_root__are_put),
        TEST(test_setattr__gone_or_failing__errors),
        TEST(test_create__in_set_group_id_directory__inherits_the_group),
        TEST(test_symlink_and_mknod__are_put),
        TEST(test_xattr__of_users__set_replace_and_remove),
        TEST(test_xattr__of_an_open_file__travels_with_its_put),
        TEST(test_xattr__too_large__enospc),
        TEST(test_xattr__other_namespaces__are_refused),
        TEST(test_xattr__of_the_cluster__tell_and_are_not_listed),
        cmocka_unit_test(test_xattrs__damaged_bytes__are_eio),
        TEST(test_getattr__name_shows_something_else__estale),
        TEST(test_getattr__within_the_timeout__asks_nobody),
        TEST(test_statfs__space_and_longest_name),
        cmocka_unit_test(test_inode__unknown_id__comes_from_the_key),
        cmocka_unit_test(test_errno_map__every_status__has_an_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
