/*
 * test_large_files.c - files that are kept in blocks, as the rest of the model sees them:
 *
 *   a file becomes large by a write, by appends, by a truncation, open or closed, and small
 *   again when it is emptied
 *   renamed while it is open and dirty, changed without being opened, in conflict: its content
 *   goes along
 */
#include <stdlib.h>
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/create.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "ring/manifest.h"
#include "tests/fs/model/fixture.h"

enum { LARGE = 3 * BLOCK_SIZE + 1000 };

/* What is at a place of a content of this kind; no block is like another. */
static uint8_t byte_at(uint64_t at, char kind)
{
    return (uint8_t)((at >> 8) + at * 3 + (uint64_t)kind);
}

static void write_kind(struct file *file, uint64_t from, size_t size, char kind, bool append)
{
    uint8_t *bytes = malloc(size);
    size_t written = 0;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(from + i, kind);
    }
    assert_int_equal(io_write(file, slice_of(bytes, size), from, append, &written), 0);
    assert_int_equal(written, size);
    free(bytes);
}

static void make_large(struct fs *fs, const char *name, char kind)
{
    struct file *file = create_file(fs, ROOT, name);

    write_kind(file, 0, LARGE, kind, false);
    assert_int_equal(close_file(fs, file), 0);
}

/* The bytes up to `end` are of the kind, and zeroes follow up to `size`. */
static void assert_open_holds(struct file *file, uint64_t end, uint64_t size, char kind)
{
    struct slice bytes;
    struct blob *blob;

    assert_int_equal(io_read(file, 0, (size_t)size + 100, &bytes, &blob), 0);
    assert_int_equal(bytes.size, size);
    for (uint64_t i = 0; i < size; i++) {
        uint8_t expected = i < end ? byte_at(i, kind) : 0;
        if (bytes.data[i] != expected) {
            fail_msg("byte %llu is wrong", (unsigned long long)i);
        }
    }
    blob_unref(blob);
}

static void assert_holds(struct fs *fs, const char *name, uint64_t end, uint64_t size,
                         char kind)
{
    assert_int_equal(stat_of(fs, ROOT, name).st_size, size);
    assert_int_equal(stat_of(fs, ROOT, name).st_mode & S_IFMT, S_IFREG);
    struct file *file = hold_open(fs, name);

    assert_open_holds(file, end, size, kind);
    flush_release(fs, file, OPEN_READ_ONLY);
}

static void assert_is_large(struct mounts *mounts, const char *key, bool is_large)
{
    struct object *object = NULL;

    assert_int_equal(kv_get(mounts->kv, slice_of_string(key), &(struct kv_options){0}, &object),
                     STATUS_OK);
    for (uint32_t i = 0; i < object->version_count; i++) {
        assert_int_equal(object->versions[i].attributes.type,
                         is_large ? VERSION_LARGE_FILE : VERSION_FILE);
    }
    object_unref(object);
}

static void resize_by_id(struct fs *fs, const char *name, uint64_t size, bool has_handle)
{
    struct change change = {.flags = CHANGE_SIZE, .size = size, .has_handle = has_handle};
    struct stat attributes = change_by_id(fs, look(fs, ROOT, name), change);

    assert_int_equal(attributes.st_size, size);
}

static void test_write__over_the_limit__is_kept_in_blocks(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");

    write_kind(file, 0, BLOCK_SIZE, 'a', false);
    assert_int_equal(flush_file(mounts->here, file, false), 0);
    assert_is_large(mounts, "f", false);
    write_kind(file, BLOCK_SIZE, 1, 'a', false);
    assert_open_holds(file, BLOCK_SIZE + 1, BLOCK_SIZE + 1, 'a');
    assert_int_equal(flush_sync(mounts->here, file), 0);
    assert_is_large(mounts, "f", true);
    write_kind(file, BLOCK_SIZE + 1, BLOCK_SIZE, 'a', false);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_holds(mounts->here, "f", 2 * BLOCK_SIZE + 1, 2 * BLOCK_SIZE + 1, 'a');
    assert_holds(mounts->there, "f", 2 * BLOCK_SIZE + 1, 2 * BLOCK_SIZE + 1, 'a');
    assert_lists(mounts->there, ROOT, "f");
}

static void test_append__two_handles_in_turn__all_is_there(void **state)
{
    struct mounts *mounts = *state;
    enum { PIECE = 50000, PIECES = 12 };
    struct file *one = create_file(mounts->here, ROOT, "f");
    struct file *two = open_file(mounts->here, ROOT, "f", false);

    for (uint64_t i = 0; i < PIECES; i++) {
        write_kind(i % 2 == 0 ? one : two, i * PIECE, PIECE, 'b', true);
    }
    assert_int_equal(close_file(mounts->here, one), 0);
    assert_int_equal(close_file(mounts->here, two), 0);

    assert_holds(mounts->there, "f", (uint64_t)PIECE * PIECES, (uint64_t)PIECE * PIECES, 'b');
}

static void test_truncate__open_file__grows_and_shrinks(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_kind(file, 0, 1000, 'c', false);

    resize_by_id(mounts->here, "f", LARGE, true);
    assert_open_holds(file, 1000, LARGE, 'c');
    assert_int_equal(flush_file(mounts->here, file, false), 0);
    assert_holds(mounts->there, "f", 1000, LARGE, 'c');
    resize_by_id(mounts->here, "f", 500, true);
    resize_by_id(mounts->here, "f", 2000, true);
    assert_open_holds(file, 500, 2000, 'c');
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_holds(mounts->there, "f", 500, 2000, 'c');
}

static void test_truncate__closed_file__grows_and_shrinks(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_kind(file, 0, 1000, 'd', false);
    assert_int_equal(close_file(mounts->here, file), 0);

    resize_by_id(mounts->here, "f", LARGE, false);
    assert_holds(mounts->there, "f", 1000, LARGE, 'd');
    assert_is_large(mounts, "f", true);
    resize_by_id(mounts->there, "f", 300, false);
    assert_holds(mounts->here, "f", 300, 300, 'd');
    resize_by_id(mounts->here, "f", BLOCK_SIZE + 5, false);
    assert_holds(mounts->there, "f", 300, BLOCK_SIZE + 5, 'd');
    resize_by_id(mounts->here, "f", 0, false);
    assert_is_large(mounts, "f", false);
    assert_holds(mounts->there, "f", 0, 0, 'd');
    assert_lists(mounts->here, ROOT, "f");
}

static void test_truncate__beyond_the_limit__efbig(void **state)
{
    struct mounts *mounts = *state;
    struct change change = {.flags = CHANGE_SIZE, .size = FILE_SIZE_MAX + 1};
    struct stat attributes;
    make_large(mounts->here, "f", 'e');
    uint64_t inode = look(mounts->here, ROOT, "f");

    assert_int_equal(change_attributes(mounts->here, inode, &change, &attributes), EFBIG);
    assert_holds(mounts->here, "f", LARGE, LARGE, 'e');
    resize_by_id(mounts->here, "f", FILE_SIZE_MAX, false);
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_size, FILE_SIZE_MAX);
    resize_by_id(mounts->there, "f", LARGE + 1, false);
    assert_holds(mounts->here, "f", LARGE, LARGE + 1, 'e');
}

static void test_open__truncating_a_large_file__is_small_again(void **state)
{
    struct mounts *mounts = *state;
    make_large(mounts->here, "f", 'f');

    struct file *file = open_file(mounts->here, ROOT, "f", true);
    assert_open_holds(file, 0, 0, 'f');
    assert_holds(mounts->there, "f", LARGE, LARGE, 'f'); /* truncated here only */
    write_open(file, 0, "text");
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_reads(mounts->there, ROOT, "f", "text");
    assert_is_large(mounts, "f", false);
}

static void test_overwrite__in_the_middle__the_rest_stays(void **state)
{
    struct mounts *mounts = *state;
    make_large(mounts->there, "f", 'g');

    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_kind(file, BLOCK_SIZE - 10, 20, 'g', false);
    write_kind(file, LARGE, 77, 'g', false);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_holds(mounts->there, "f", LARGE + 77, LARGE + 77, 'g');
}

static void test_rename__open_dirty_large_file__goes_on_under_the_new_name(void **state)
{
    struct mounts *mounts = *state;
    make_large(mounts->here, "g", 'x');
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_kind(file, 0, LARGE, 'h', false);

    assert_int_equal(rename_error(mounts->here, ROOT, "f", ROOT, "g"), 0);
    assert_holds(mounts->there, "g", LARGE, LARGE, 'h');
    write_kind(file, LARGE, 1000, 'h', false);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_lists(mounts->there, ROOT, "g");
    assert_holds(mounts->there, "g", LARGE + 1000, LARGE + 1000, 'h');
}

static void test_rename__over_an_open_large_file__its_handle_keeps_the_content(void **state)
{
    struct mounts *mounts = *state;
    make_large(mounts->here, "f", 'i');
    make_large(mounts->here, "f.new", 'j');
    struct file *file = hold_open(mounts->here, "f");

    assert_int_equal(rename_error(mounts->here, ROOT, "f.new", ROOT, "f"), 0);

    assert_open_holds(file, LARGE, LARGE, 'i');
    assert_holds(mounts->here, "f", LARGE, LARGE, 'j');
    flush_release(mounts->here, file, OPEN_READ_ONLY);
}

static void test_rename__directory_of_a_large_file__content_goes_along(void **state)
{
    struct mounts *mounts = *state;
    uint64_t directory = make_directory(mounts->here, ROOT, "d");
    make_large(mounts->here, "f", 'k');

    assert_int_equal(rename_error(mounts->here, ROOT, "f", directory, "f"), 0);
    assert_int_equal(rename_error(mounts->here, ROOT, "d", ROOT, "e"), 0);

    uint64_t moved = look(mounts->there, ROOT, "e");
    struct file *file = open_file(mounts->there, moved, "f", false);
    assert_open_holds(file, LARGE, LARGE, 'k');
    assert_int_equal(close_file(mounts->there, file), 0);
}

/* Both mounts write the whole file, neither knows of the other. */
static void make_large_conflict(struct mounts *mounts)
{
    struct file *here = create_file(mounts->here, ROOT, "f");
    struct file *there = create_file(mounts->there, ROOT, "f");

    write_kind(here, 0, LARGE, 'l', false);
    write_kind(there, 0, LARGE + 5, 'm', false);
    assert_int_equal(close_file(mounts->there, there), 0);
    assert_int_equal(close_file(mounts->here, here), 0);
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
}

static void test_conflict__of_large_files__both_are_whole(void **state)
{
    struct mounts *mounts = *state;
    make_large_conflict(mounts);

    assert_holds(mounts->here, "f~v1", LARGE + 5, LARGE + 5, 'm');
    assert_holds(mounts->here, "f~v2", LARGE, LARGE, 'l');
    assert_int_equal(versions_of(mounts->kv, "f"), 2);
}

static void test_conflict__one_moved_onto_the_name__it_is_the_file(void **state)
{
    struct mounts *mounts = *state;
    make_large_conflict(mounts);

    assert_int_equal(rename_error(mounts->here, ROOT, "f~v1", ROOT, "f"), 0);

    assert_lists(mounts->here, ROOT, "f");
    assert_holds(mounts->here, "f", LARGE + 5, LARGE + 5, 'm');
    assert_holds(mounts->there, "f", LARGE + 5, LARGE + 5, 'm');
}

static void test_conflict__sibling_is_written_to__the_other_stays(void **state)
{
    struct mounts *mounts = *state;
    make_large_conflict(mounts);

    struct file *file = open_file(mounts->here, ROOT, "f~v1", false);
    write_kind(file, LARGE + 5, 100, 'm', false);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(versions_of(mounts->kv, "f"), 2);
    assert_int_equal(unlink_error(mounts->here, ROOT, "f~v2"), 0);
    assert_holds(mounts->there, "f", LARGE + 105, LARGE + 105, 'm');
}

static void test_change__large_file_that_is_not_open__content_stays(void **state)
{
    struct mounts *mounts = *state;
    struct change change = {.flags = CHANGE_MODE, .mode = 0600};
    make_large(mounts->here, "f", 'n');

    uint64_t inode = look(mounts->there, ROOT, "f");
    struct stat attributes = change_by_id(mounts->there, inode, change);
    assert_int_equal(attributes.st_mode, S_IFREG | 0600);
    assert_int_equal(attributes.st_size, LARGE);
    assert_int_equal(set_user_attribute(mounts->there, inode, "user.a", "b"), 0);

    assert_holds(mounts->there, "f", LARGE, LARGE, 'n');
    assert_int_equal(versions_of(mounts->kv, "f"), 1);
}

/* A put that failed may have appeared: the retry is no conflict with it. */
static void test_flush__fails_at_each_call__nothing_is_lost(void **state)
{
    struct mounts *mounts = *state;

    for (unsigned good = 0; good < 12; good++) {
        struct file *file = create_file(mounts->here, ROOT, "f");
        fail_after(mounts, good, 1, STATUS_NO_QUORUM);
        write_kind(file, 0, LARGE, 'o', false);
        (void)flush_file(mounts->here, file, false);
        fail_after(mounts, 0, 0, STATUS_OK);
        assert_int_equal(close_file(mounts->here, file), 0);

        assert_holds(mounts->there, "f", LARGE, LARGE, 'o');
        assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);
        assert_int_equal(look_error(mounts->there, ROOT, "f"), ENOENT);
    }
    assert_int_equal(mounts->notes, 0);
}

/* As when a child of the writer has closed its copy: what is put then need not survive a power
 * cut, but it must after fsync. */
static void test_fsync__after_a_flush__blocks_are_durable_already(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_kind(file, 0, LARGE, 'p', false);
    assert_int_equal(flush_file(mounts->here, file, false), 0);

    uint64_t before = kv_memory_calls(mounts->kv).put;
    assert_int_equal(flush_sync(mounts->here, file), 0);
    assert_int_equal(kv_memory_calls(mounts->kv).put, before + 1); /* the manifest */
    assert_int_equal(flush_sync(mounts->here, file), 0);
    assert_int_equal(kv_memory_calls(mounts->kv).put, before + 2);

    assert_int_equal(close_file(mounts->here, file), 0);
    assert_holds(mounts->there, "f", LARGE, LARGE, 'p');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write__over_the_limit__is_kept_in_blocks),
        TEST(test_append__two_handles_in_turn__all_is_there),
        TEST(test_truncate__open_file__grows_and_shrinks),
        TEST(test_truncate__closed_file__grows_and_shrinks),
        TEST(test_truncate__beyond_the_limit__efbig),
        TEST(test_open__truncating_a_large_file__is_small_again),
        TEST(test_overwrite__in_the_middle__the_rest_stays),
        TEST(test_rename__open_dirty_large_file__goes_on_under_the_new_name),
        TEST(test_rename__over_an_open_large_file__its_handle_keeps_the_content),
        TEST(test_rename__directory_of_a_large_file__content_goes_along),
        TEST(test_conflict__of_large_files__both_are_whole),
        TEST(test_conflict__one_moved_onto_the_name__it_is_the_file),
        TEST(test_conflict__sibling_is_written_to__the_other_stays),
        TEST(test_change__large_file_that_is_not_open__content_stays),
        TEST(test_flush__fails_at_each_call__nothing_is_lost),
        TEST(test_fsync__after_a_flush__blocks_are_durable_already),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
