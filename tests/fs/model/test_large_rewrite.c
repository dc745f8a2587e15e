/*
 * test_large_rewrite.c - a large file that is emptied and written anew sends what changed:
 *
 *   blocks as the replaced version had them at the same place are not stored again, whether the
 *   file was opened with O_TRUNC or cut while it was open, with and without maps
 *   what is gone, or could be by the time of the put, is stored
 */
#include <stdlib.h>
#include <string.h>

#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/large_internal.h"
#include "ring/manifest.h"
#include "tests/fs/model/fixture.h"

enum { BLOCKS = 6, SIZE = BLOCKS * BLOCK_SIZE };

/* No block is like another; of those that differ `kind` is another. */
static void fill(uint8_t *bytes, uint32_t block, uint8_t kind)
{
    for (uint32_t i = 0; i < BLOCK_SIZE; i++) {
        bytes[i] = (uint8_t)(i / 997 + block + kind);
    }
}

/* Writes BLOCKS blocks from `first` on; bit n of `changed` says that the n-th is new. */
static void write_blocks(struct file *file, uint32_t first, unsigned changed)
{
    uint8_t *bytes = malloc(BLOCK_SIZE);
    size_t written;

    assert_non_null(bytes);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint64_t offset = (uint64_t)(first + i) << BLOCK_SIZE_LOG2;
        fill(bytes, i, (changed >> i & 1) != 0 ? 'n' : 'o');
        assert_int_equal(io_write(file, slice_of(bytes, BLOCK_SIZE), offset, false, &written),
                         0);
    }
    free(bytes);
}

static void assert_holds_blocks(struct fs *fs, const char *name, uint32_t first,
                                unsigned changed)
{
    uint8_t *expected = malloc(BLOCK_SIZE);
    struct file *file = hold_open(fs, name);

    assert_non_null(expected);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct slice bytes;
        struct blob *blob;
        uint64_t offset = (uint64_t)(first + i) << BLOCK_SIZE_LOG2;
        fill(expected, i, (changed >> i & 1) != 0 ? 'n' : 'o');
        assert_int_equal(io_read(file, offset, BLOCK_SIZE, &bytes, &blob), 0);
        assert_int_equal(bytes.size, BLOCK_SIZE);
        assert_memory_equal(bytes.data, expected, BLOCK_SIZE);
        blob_unref(blob);
    }
    free(expected);
    flush_release(fs, file, OPEN_READ_ONLY);
}

static void make_file(struct fs *fs, const char *name, uint32_t first)
{
    struct file *file = create_file(fs, ROOT, name);

    write_blocks(file, first, 0);
    assert_int_equal(close_file(fs, file), 0);
}

/* Opens with O_TRUNC, writes, closes; returns how many puts there were. */
static uint64_t rewrite(struct mounts *mounts, const char *name, uint32_t first,
                        unsigned changed)
{
    uint64_t puts = kv_memory_calls(mounts->kv).put;
    struct file *file = open_file(mounts->here, ROOT, name, true);

    write_blocks(file, first, changed);
    assert_int_equal(close_file(mounts->here, file), 0);
    return kv_memory_calls(mounts->kv).put - puts;
}

/* What each version costs: the note of its path, and itself. */
enum { PUTS_OF_VERSION = 2, PUTS_OF_HEAD = 1 };

static void test_rewrite__same_content__no_block_is_stored(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 0);

    assert_int_equal(rewrite(mounts, "f", 0, 0), PUTS_OF_VERSION);

    assert_holds_blocks(mounts->there, "f", 0, 0);
}

static void test_rewrite__two_blocks_changed__two_are_stored(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 0);

    assert_int_equal(rewrite(mounts, "f", 0, 1 << 1 | 1 << 5),
                     PUTS_OF_VERSION + PUTS_OF_HEAD + 2);
    assert_holds_blocks(mounts->there, "f", 0, 1 << 1 | 1 << 5);
    assert_int_equal(rewrite(mounts, "f", 0, 1 << 5), PUTS_OF_VERSION + PUTS_OF_HEAD + 1);

    assert_holds_blocks(mounts->there, "f", 0, 1 << 5);
}

/* A map of entries that are all as they were is one as well. */
static void test_rewrite__of_maps__only_what_changed_is_stored(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", MAP_BLOCKS);

    assert_int_equal(rewrite(mounts, "f", MAP_BLOCKS, 0), PUTS_OF_VERSION);
    enum { STRIPE = 1, MAP = 1, BLOCK = 1 };
    assert_int_equal(rewrite(mounts, "f", MAP_BLOCKS, 1),
                     PUTS_OF_VERSION + PUTS_OF_HEAD + STRIPE + MAP + BLOCK);

    assert_holds_blocks(mounts->there, "f", MAP_BLOCKS, 1);
}

static void test_truncate__open_file_written_again__no_block_is_stored(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 0);
    uint64_t puts = kv_memory_calls(mounts->kv).put;
    struct file *file = open_file(mounts->here, ROOT, "f", false);

    assert_int_equal(file_resize(file, 0), 0);
    write_blocks(file, 0, 1);
    assert_int_equal(file_resize(file, 0), 0);
    assert_int_equal(file_resize(file, 100), 0);
    write_blocks(file, 0, 0);
    assert_int_equal(file_resize(file, BLOCK_SIZE), 0);
    write_blocks(file, 0, 0);
    assert_int_equal(close_file(mounts->here, file), 0);

    uint64_t stored = kv_memory_calls(mounts->kv).put - puts;
    assert_in_range(stored, PUTS_OF_VERSION, PUTS_OF_VERSION + PUTS_OF_HEAD + 1);
    assert_holds_blocks(mounts->there, "f", 0, 0);
}

/* The second version is what the third is compared with. */
static void test_rewrite__through_one_handle__each_flush_is_the_next_base(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 0);
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_blocks(file, 0, 1 << 2);
    assert_int_equal(flush_file(mounts->here, file, false), 0);
    uint64_t puts = kv_memory_calls(mounts->kv).put;

    assert_int_equal(file_resize(file, 0), 0);
    write_blocks(file, 0, 1 << 2);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(kv_memory_calls(mounts->kv).put - puts, PUTS_OF_VERSION);
    assert_holds_blocks(mounts->there, "f", 0, 1 << 2);
}

static void test_rewrite__by_two_mounts__two_siblings_are_whole(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 0);
    struct file *here = open_file(mounts->here, ROOT, "f", true);
    struct file *there = open_file(mounts->there, ROOT, "f", true);

    write_blocks(here, 0, 1);
    write_blocks(there, 0, 1 << 1);
    assert_int_equal(close_file(mounts->here, here), 0);
    assert_int_equal(close_file(mounts->there, there), 0);

    assert_int_equal(versions_of(mounts->kv, "f"), 2);
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_holds_blocks(mounts->here, "f~v1", 0, 1);
    assert_holds_blocks(mounts->here, "f~v2", 0, 1 << 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rewrite__same_content__no_block_is_stored),
        TEST(test_rewrite__two_blocks_changed__two_are_stored),
        TEST(test_rewrite__of_maps__only_what_changed_is_stored),
        TEST(test_truncate__open_file_written_again__no_block_is_stored),
        TEST(test_rewrite__through_one_handle__each_flush_is_the_next_base),
        TEST(test_rewrite__by_two_mounts__two_siblings_are_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
