/*
 * test_listing.c - listings and directories:
 *
 *   every name once, in batches, however few rows a call returns
 *   a position of a listing can be gone back to, whatever was removed or made meanwhile, and
 *   reading on gives each name that stays exactly once; position 0 reads anew
 *   a listing that lacks its quorum is an error, never a shorter list
 *   files that only this mount shows are listed once, also when they are put meanwhile
 *   what was removed after it was listed is not handed out
 *   rmdir wants an empty directory; against a create elsewhere the file stays
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/create.h"
#include "fs/model/directory.h"
#include "fs/model/lookup.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

enum { MANY = 1300 };

static uint64_t make_many(struct mounts *mounts)
{
    char key[32];
    uint64_t directory = make_directory(mounts->there, ROOT, "d");

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "d/file%04u", i);
        put_beside(mounts->kv, key, "");
    }
    lookup_forget(mounts->there, directory, 1);
    return look(mounts->here, ROOT, "d");
}

static struct directory *open_directory(struct fs *fs, uint64_t inode)
{
    struct directory *directory;

    assert_int_equal(directory_open(fs, inode, &directory), 0);
    return directory;
}

/* The name at an offset; "" past the end. */
static void assert_at(struct directory *directory, uint64_t offset, const char *name)
{
    struct directory_entry entry;
    bool is_end = false;

    directory_lock(directory);
    assert_int_equal(directory_at(directory, offset, &entry, &is_end), 0);
    assert_int_equal(is_end, name[0] == 0);
    if (!is_end) {
        assert_string_equal(entry.name, name);
    }
    directory_unlock(directory);
}

static void test_listing__many_names__each_once_in_order(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    struct directory *directory = open_directory(mounts->here, make_many(mounts));

    assert_at(directory, 0, ".");
    assert_at(directory, 1, "..");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file%04u", i);
        assert_at(directory, i + 2, name);
    }
    assert_at(directory, MANY + 2, "");
    assert_at(directory, MANY + 2, "");
    directory_close(mounts->here, directory);
}

static void test_listing__few_rows_a_call__each_once_in_order(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    uint64_t inode = make_many(mounts);
    for (unsigned i = 0; i < 100; i++) { /* whole calls that see only tombstones */
        snprintf(name, sizeof name, "file%04u", i);
        assert_int_equal(unlink_error(mounts->there, look(mounts->there, ROOT, "d"), name), 0);
    }
    kv_memory_scan_max(mounts->kv, 7);
    struct directory *directory = open_directory(mounts->here, inode);

    for (unsigned i = 100; i < MANY; i++) {
        snprintf(name, sizeof name, "file%04u", i);
        assert_at(directory, i - 100 + 2, name);
    }
    assert_at(directory, MANY - 100 + 2, "");
    directory_close(mounts->here, directory);
}

static void test_listing__seek_back_and_forth__same_names(void **state)
{
    struct mounts *mounts = *state;
    struct directory *directory = open_directory(mounts->here, make_many(mounts));

    assert_at(directory, 1202, "file1200");
    assert_at(directory, 5, "file0003");
    assert_at(directory, 700, "file0698");
    assert_at(directory, 699, "file0697");
    assert_at(directory, 1299, "file1297");
    assert_at(directory, 513, "file0511");
    assert_at(directory, 514, "file0512");
    assert_at(directory, 100000, "");
    assert_at(directory, 2, "file0000");
    directory_close(mounts->here, directory);
}

enum { READ_AHEAD = 40 };

/* Reads as the kernel does for a program with a small buffer: more than the program takes, and
 * then again from where the program is. Each name that the program takes is removed by
 * `remover`; returns how many there were. */
static unsigned remove_while_listing(struct fs *fs, struct fs *remover, unsigned taken_max)
{
    struct directory *directory = open_directory(fs, look(fs, ROOT, "d"));
    uint64_t removed_in = look(remover, ROOT, "d");
    struct directory_entry entry;
    uint64_t position = 0;
    unsigned removed = 0;
    bool is_end = false;

    while (!is_end) {
        char names[READ_AHEAD][16];
        uint64_t next[READ_AHEAD];
        unsigned count = 0;
        uint64_t ahead = position;
        for (; count < READ_AHEAD && !is_end; count++) {
            assert_int_equal(directory_at(directory, ahead, &entry, &is_end), 0);
            if (is_end) {
                break;
            }
            snprintf(names[count], sizeof names[count], "%s", entry.name);
            ahead = next[count] = entry.position + 1;
        }
        is_end = is_end && count == 0;
        for (unsigned i = 0; i < count && i < taken_max; i++) {
            position = next[i];
            if (names[i][0] != '.') {
                assert_int_equal(unlink_error(remover, removed_in, names[i]), 0);
                removed++;
            }
        }
    }
    directory_close(fs, directory);
    return removed;
}

static void test_listing__each_name_removed_as_it_is_read__nothing_is_left(void **state)
{
    static const unsigned taken[] = {1, 3, 17, READ_AHEAD};
    struct mounts *mounts = *state;

    make_many(mounts);
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct fs *remover = i % 2 == 0 ? mounts->here : mounts->there;
        char key[32];
        for (unsigned name = 0; name < MANY; name++) {
            snprintf(key, sizeof key, "d/file%04u", name);
            put_beside(mounts->kv, key, "");
        }
        assert_int_equal(remove_while_listing(mounts->here, remover, taken[i]), MANY);
        assert_lists(mounts->there, look(mounts->there, ROOT, "d"), "");
    }
}

static void test_listing__removed_behind_the_position__no_name_is_passed_over(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    struct directory *directory = open_directory(mounts->here, make_many(mounts));
    uint64_t there = look(mounts->there, ROOT, "d");
    assert_at(directory, 1202, "file1200"); /* what telldir remembers */
    assert_at(directory, MANY + 1, "file1299");

    for (unsigned i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "file%04u", i);
        assert_int_equal(unlink_error(mounts->there, there, name), 0);
    }
    write_file(mounts->there, there, "file1000new", "");

    assert_at(directory, 1202, "file1200");
    assert_at(directory, 702, "file0700");
    assert_at(directory, 5, "file0700"); /* what stood there is gone: the next one that stays */
    assert_at(directory, 1002, "file1000");
    assert_at(directory, 1003, "file1001"); /* what is new has no position yet */
    assert_at(directory, MANY + 1, "file1299");
    assert_at(directory, MANY + 2, "");
    assert_at(directory, 0, ".");
    assert_at(directory, 2, "file0700");
    directory_close(mounts->here, directory);
}

static void test_listing__siblings_gone_and_come__positions_stay(void **state)
{
    struct mounts *mounts = *state;
    uint64_t inode = make_many(mounts);
    put_beside(mounts->kv, "d/file0001", "one");
    put_beside(mounts->kv, "d/file0003", "three");
    struct directory *directory = open_directory(mounts->here, inode);
    assert_at(directory, 4, "file0001~v1");
    assert_at(directory, 8, "file0003~v1");
    assert_at(directory, MANY + 5, "file1299");

    uint64_t there = look(mounts->there, ROOT, "d");
    write_file(mounts->there, there, "file0001", "resolved");
    put_beside(mounts->kv, "d/file0002", "two");

    assert_at(directory, 3, "file0001");
    assert_at(directory, 4, "file0002");
    assert_at(directory, 7, "file0003");
    assert_at(directory, 9, "file0003~v2");
    assert_at(directory, 10, "file0004");
    directory_close(mounts->here, directory);
}

/* By number, not by age. */
static void test_listing__sibling_written_anew__keeps_its_position(void **state)
{
    struct mounts *mounts = *state;
    uint64_t inode = make_many(mounts);
    put_beside(mounts->kv, "d/file0001", "one");
    struct directory *directory = open_directory(mounts->here, inode);
    assert_at(directory, 4, "file0001~v1");
    assert_at(directory, 5, "file0001~v2");
    assert_at(directory, MANY + 3, "file1299");

    write_file(mounts->here, inode, "file0001~v1", "anew");

    assert_at(directory, 4, "file0001~v1");
    assert_at(directory, 5, "file0001~v2");
    assert_at(directory, 6, "file0002");
    directory_close(mounts->here, directory);
}

static void test_listing__old_batch_is_all_new__the_next_one_follows(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    struct directory *directory = open_directory(mounts->here, make_many(mounts));
    uint64_t there = look(mounts->there, ROOT, "d");
    assert_at(directory, MANY + 1, "file1299");

    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "file%04u", i);
        assert_int_equal(unlink_error(mounts->there, there, name), 0);
    }
    for (unsigned i = 0; i < 3 * 512; i++) { /* more pages than the batch was */
        snprintf(name, sizeof name, "file0000new%04u", i);
        write_file(mounts->there, there, name, "");
    }

    assert_at(directory, 2, "file0600");
    assert_at(directory, 602, "file0600");
    assert_at(directory, 603, "file0601");
    directory_close(mounts->here, directory);
}

static size_t heap_in_use(void)
{
    return mallinfo2().uordblks;
}

/* What is kept of names that are behind is a mark of 8 bytes, in a table that doubles. */
static void test_listing__memory__does_not_grow_with_what_was_listed(void **state)
{
    struct mounts *mounts = *state;
    struct directory_entry entry;
    bool is_end = false;
    struct directory *directory = open_directory(mounts->here, make_many(mounts));

    assert_at(directory, MANY + 1, "file1299"); /* two whole batches, and a part of one */
    size_t before = heap_in_use();
    uint64_t names = MANY;
    for (; names < 20 * MANY; names++) {
        char key[32];
        snprintf(key, sizeof key, "d/g%07u", (unsigned)names);
        put_beside(mounts->kv, key, "");
    }
    size_t stored = heap_in_use() - before;
    directory_lock(directory);
    for (uint64_t position = 0; !is_end; position = entry.position + 1) {
        assert_int_equal(directory_at(directory, position, &entry, &is_end), 0);
    }
    directory_unlock(directory);
    size_t listed = heap_in_use() - before - stored;

    assert_int_equal(entry.position, names + 1);
    assert_true(listed < 24 * names);
    directory_close(mounts->here, directory);
}

/* As `rm -r` does it: the names are read, and then removed one by one. */
static void
test_listing__sibling_gone_meanwhile__can_be_removed_until_it_is_closed(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    struct directory *directory = open_directory(mounts->here, ROOT);
    assert_at(directory, 2, "f");
    assert_at(directory, 3, "f~v1");
    assert_at(directory, 4, "f~v2");
    assert_at(directory, 5, "");

    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);
    assert_int_equal(unlink_error(mounts->here, ROOT, "f~v1"), 0);
    assert_int_equal(look_error(mounts->here, ROOT, "f~v3"), ENOENT);
    assert_int_equal(look_error(mounts->there, ROOT, "f~v1"), ENOENT);
    assert_int_equal(stat_of(mounts->here, ROOT, "f~v2").st_size, 0);
    assert_int_equal(write_error(mounts->here, ROOT, "f~v2", "nothing"), ESTALE);

    directory_close(mounts->here, directory);
    assert_int_equal(look_error(mounts->here, ROOT, "f~v1"), ENOENT);
    assert_int_equal(look_error(mounts->here, ROOT, "f~v2"), ENOENT);
    assert_lists(mounts->here, ROOT, "");
}

/* What comes back under such a name is itself again. */
static void test_listing__sibling_gone_and_back__is_what_it_shows(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    struct directory *directory = open_directory(mounts->here, ROOT);
    assert_at(directory, 3, "f~v1");
    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);
    look(mounts->here, ROOT, "f~v1");

    make_conflict(mounts, "f", "three", "four");

    assert_reads(mounts->here, ROOT, "f~v1", "three");
    directory_close(mounts->here, directory);
    assert_int_equal(unlink_error(mounts->here, ROOT, "f~v1"), 0);
    assert_lists(mounts->there, ROOT, "f");
}

static void test_listing__going_back_fails__error_then_goes_on(void **state)
{
    struct mounts *mounts = *state;
    struct directory_entry entry;
    bool is_end;
    struct directory *directory = open_directory(mounts->here, make_many(mounts));
    assert_at(directory, MANY + 1, "file1299");

    kv_memory_fail(mounts->kv, 1, STATUS_NO_QUORUM);
    assert_int_equal(directory_at(directory, 10, &entry, &is_end), EIO);

    assert_at(directory, 10, "file0008");
    assert_at(directory, MANY + 1, "file1299");
    assert_at(directory, MANY + 2, "");
    directory_close(mounts->here, directory);
}

static void test_listing__rewind__sees_what_is_new(void **state)
{
    struct mounts *mounts = *state;
    struct directory *directory = open_directory(mounts->here, ROOT);
    assert_at(directory, 0, ".");
    assert_at(directory, 2, "");

    write_file(mounts->there, ROOT, "f", "text");

    assert_at(directory, 2, "");
    assert_at(directory, 0, ".");
    assert_at(directory, 2, "f");
    directory_close(mounts->here, directory);
}

static void test_listing__quorum_fails_half_way__error_then_goes_on(void **state)
{
    struct mounts *mounts = *state;
    struct directory_entry entry;
    bool is_end;
    struct directory *directory = open_directory(mounts->here, make_many(mounts));
    assert_at(directory, 513, "file0511");

    kv_memory_fail(mounts->kv, 1, STATUS_NO_QUORUM);
    assert_int_equal(directory_at(directory, 514, &entry, &is_end), EIO);

    assert_at(directory, 514, "file0512");
    assert_at(directory, MANY + 1, "file1299");
    assert_at(directory, MANY + 2, "");
    directory_close(mounts->here, directory);
}

static void test_listing__quorum_fails_at_the_start__error(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");

    kv_memory_fail(mounts->kv, 1, STATUS_TIMEOUT);

    assert_int_equal(list_error(mounts->here, ROOT), ETIMEDOUT);
    assert_lists(mounts->here, ROOT, "f");
}

/* The numbers of a conflict need a call of their own. */
static void test_listing__numbering_fails__error(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");

    fail_after(mounts, 1, 1, STATUS_NO_QUORUM);

    assert_int_equal(list_error(mounts->here, ROOT), EIO);
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
}

static void test_listing__pending_file__once_also_when_put_meanwhile(void **state)
{
    struct mounts *mounts = *state;
    uint64_t inode = make_many(mounts);
    struct file *file = create_file(mounts->here, inode, "zzz");
    struct directory *directory = open_directory(mounts->here, inode);

    assert_at(directory, 2, "zzz");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_at(directory, 3, "file0000");
    assert_at(directory, MANY + 2, "file1299");
    assert_at(directory, MANY + 3, "");
    directory_close(mounts->here, directory);
    directory = open_directory(mounts->here, inode);
    assert_at(directory, MANY + 2, "zzz");
    directory_close(mounts->here, directory);
}

static void test_listing__entry__is_what_lookup_gives(void **state)
{
    struct mounts *mounts = *state;
    struct directory_entry listed;
    struct fs_entry entered;
    bool is_end;
    make_conflict(mounts, "f", "one", "three");
    struct directory *directory = open_directory(mounts->here, ROOT);

    assert_at(directory, 0, ".");
    assert_int_equal(directory_at(directory, 3, &listed, &is_end), 0);
    assert_string_equal(listed.name, "f~v1");
    assert_int_equal(directory_enter(directory, 3, &entered), 0);
    directory_close(mounts->here, directory);

    assert_true(entered.id == look(mounts->here, ROOT, "f~v1"));
    struct stat looked = stat_of(mounts->here, ROOT, "f~v1");
    assert_true(looked.st_ino == entered.attributes.st_ino);
    assert_true(looked.st_ino == listed.attributes.st_ino);
    assert_int_equal(looked.st_size, 3);
    assert_true(looked.st_ino != stat_of(mounts->here, ROOT, "f~v2").st_ino);
    /* Entered by the listing, it can be removed as what was listed. */
    assert_int_equal(remove_file(mounts->here, ROOT, "f~v1"), 0);
    assert_reads(mounts->here, ROOT, "f", "three");
}

static void test_listing__removed_after_listing__is_not_handed_out(void **state)
{
    struct mounts *mounts = *state;
    struct fs_entry entered;
    write_file(mounts->here, ROOT, "f", "text");
    struct directory *directory = open_directory(mounts->here, ROOT);
    assert_at(directory, 2, "f");

    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);

    assert_int_equal(directory_enter(directory, 2, &entered), ENOENT);
    directory_close(mounts->here, directory);
}

static void test_listing__inodes_of_entries__are_bounded_by_what_the_kernel_keeps(void **state)
{
    struct mounts *mounts = *state;
    struct fs_entry entered;
    uint64_t inode = make_many(mounts);
    struct directory *directory = open_directory(mounts->here, inode);

    for (unsigned i = 0; i < MANY; i++) {
        struct directory_entry entry;
        bool is_end;
        assert_int_equal(directory_at(directory, i + 2, &entry, &is_end), 0);
        assert_int_equal(directory_enter(directory, i + 2, &entered), 0);
        assert_int_equal(entered.attributes.st_mode, S_IFREG | 0644);
        lookup_forget(mounts->here, entered.id, 1);
    }
    struct stat attributes;
    double valid_s;
    assert_int_equal(query_attributes(mounts->here, entered.id, &attributes, &valid_s), ESTALE);
    directory_close(mounts->here, directory);
}

static void test_rmdir__live_or_pending_child__enotempty(void **state)
{
    struct mounts *mounts = *state;
    uint64_t directory = make_directory(mounts->here, ROOT, "d");

    struct file *file = create_file(mounts->here, directory, "f");
    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), ENOTEMPTY);
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), ENOTEMPTY);
    assert_int_equal(unlink_error(mounts->here, directory, "f"), 0);
    kv_memory_scan_max(mounts->kv, 1);
    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);

    assert_lists(mounts->there, ROOT, "");
    assert_int_equal(look_error(mounts->here, ROOT, "d"), ENOENT);
}

static void test_rmdir__create_inside_elsewhere__file_stays(void **state)
{
    struct mounts *mounts = *state;
    make_directory(mounts->here, ROOT, "d");
    struct file *file = create_file(mounts->there, look(mounts->there, ROOT, "d"), "f");

    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);
    write_open(file, 0, "text");
    assert_int_equal(close_file(mounts->there, file), 0);

    assert_lists(mounts->here, ROOT, "d");
    assert_reads(mounts->here, look(mounts->here, ROOT, "d"), "f", "text");
}

static void test_rmdir__wrong_kinds__errors(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f", "text");
    make_directory(mounts->here, ROOT, "d");

    assert_int_equal(remove_directory(mounts->here, ROOT, "f"), ENOTDIR);
    assert_int_equal(remove_directory(mounts->here, ROOT, "none"), ENOENT);
    assert_int_equal(remove_file(mounts->here, ROOT, "d"), EISDIR);
    assert_int_equal(remove_file(mounts->here, ROOT, "none"), ENOENT);
}

static void test_removed_directory__create_in_it__enoent(void **state)
{
    struct mounts *mounts = *state;
    struct creation creation = {.mode = 0600};
    struct fs_entry entry;
    struct file *file;
    uint64_t directory = make_directory(mounts->here, ROOT, "d");

    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);

    assert_int_equal(create_pending(mounts->here, directory, "f", &creation, &entry, &file),
                     ENOENT);
    assert_int_equal(create_directory(mounts->here, directory, "e", &creation, &entry), ENOENT);
    assert_int_equal(look_error(mounts->here, directory, "f"), ENOENT);
}

/* As `ls` in a shell whose current directory is gone. */
static void test_removed_directory__listed__enoent(void **state)
{
    struct mounts *mounts = *state;
    struct directory_entry entry;
    struct stat attributes;
    double valid_s;
    bool is_end;
    uint64_t here = make_directory(mounts->here, ROOT, "d");
    uint64_t there = look(mounts->there, ROOT, "d");

    assert_int_equal(remove_directory(mounts->here, ROOT, "d"), 0);

    struct directory *directory = open_directory(mounts->here, here);
    assert_int_equal(directory_at(directory, 0, &entry, &is_end), ENOENT);
    assert_int_equal(directory_at(directory, 2, &entry, &is_end), ENOENT);
    directory_close(mounts->here, directory);
    assert_int_equal(query_attributes(mounts->here, here, &attributes, &valid_s), 0);
    assert_int_equal(attributes.st_nlink, 0);
    for (int i = 0; i < 2; i++) { /* also once it has lost its name here */
        assert_int_equal(query_attributes(mounts->there, there, &attributes, &valid_s), ENOENT);
    }
}

static void test_names__too_long_or_not_legal__errors(void **state)
{
    struct mounts *mounts = *state;
    char name[300];
    uint64_t directory = ROOT;
    memset(name, 'x', sizeof name);

    name[256] = 0;
    assert_int_equal(look_error(mounts->here, ROOT, name), ENAMETOOLONG);
    assert_int_equal(write_error(mounts->here, ROOT, name, "text"), ENAMETOOLONG);
    name[255] = 0;
    assert_int_equal(look_error(mounts->here, ROOT, name), ENOENT);
    write_file(mounts->here, ROOT, name, "text");
    for (int depth = 0; depth < 33; depth++) {
        name[240] = 0;
        directory = make_directory(mounts->here, directory, name);
    }
    /* 33 * 241 bytes so far, so that 239 more are 8,192. */
    name[239] = 'x';
    assert_int_equal(write_error(mounts->here, directory, name, "text"), ENAMETOOLONG);
    name[239] = 0;
    write_file(mounts->here, directory, name, "text");
    assert_reads(mounts->here, directory, name, "text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_listing__many_names__each_once_in_order),
        TEST(test_listing__few_rows_a_call__each_once_in_order),
        TEST(test_listing__seek_back_and_forth__same_names),
        TEST(test_listing__each_name_removed_as_it_is_read__nothing_is_left),
        TEST(test_listing__removed_behind_the_position__no_name_is_passed_over),
        TEST(test_listing__siblings_gone_and_come__positions_stay),
        TEST(test_listing__sibling_written_anew__keeps_its_position),
        TEST(test_listing__old_batch_is_all_new__the_next_one_follows),
        TEST(test_listing__memory__does_not_grow_with_what_was_listed),
        TEST(test_listing__sibling_gone_meanwhile__can_be_removed_until_it_is_closed),
        TEST(test_listing__sibling_gone_and_back__is_what_it_shows),
        TEST(test_listing__going_back_fails__error_then_goes_on),
        TEST(test_listing__rewind__sees_what_is_new),
        TEST(test_listing__quorum_fails_half_way__error_then_goes_on),
        TEST(test_listing__quorum_fails_at_the_start__error),
        TEST(test_listing__numbering_fails__error),
        TEST(test_listing__pending_file__once_also_when_put_meanwhile),
        TEST(test_listing__entry__is_what_lookup_gives),
        TEST(test_listing__removed_after_listing__is_not_handed_out),
        TEST(test_listing__inodes_of_entries__are_bounded_by_what_the_kernel_keeps),
        TEST(test_rmdir__live_or_pending_child__enotempty),
        TEST(test_rmdir__create_inside_elsewhere__file_stays),
        TEST(test_rmdir__wrong_kinds__errors),
        TEST(test_removed_directory__create_in_it__enoent),
        TEST(test_removed_directory__listed__enoent),
        TEST(test_names__too_long_or_not_legal__errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
