/*
 * test_copy.c - copying ranges of files within one mount:
 *
 *   whatever is copied reads as the same bytes in plain memory, also by another mount
 *   a copy of a large file stores no block, and is whole when the original is gone and its
 *   blocks were collected, or was changed; what is not at the same place is copied
 *   holes stay holes; ranges that overlap are refused; what is over is 0 bytes
 */
#include <stdlib.h>
#include <string.h>

#include "fs/model/copy.h"
#include "fs/model/flush.h"
#include "fs/model/fs.h"
#include "fs/model/io.h"
#include "fs/model/remove.h"
#include "node/client/collector.h"
#include "tests/fs/model/fixture.h"

enum { LARGE = 3 * BLOCK_SIZE + 1000, MUCH = 1 << 30 };

static uint8_t byte_at(uint64_t at, uint8_t kind)
{
    return (uint8_t)(at / 251 + (at >> BLOCK_SIZE_LOG2) * 7 + kind);
}

static void write_kind(struct file *file, uint64_t from, size_t size, uint8_t kind)
{
    uint8_t *bytes = malloc(size);
    size_t written = 0;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(from + i, kind);
    }
    assert_int_equal(io_write(file, slice_of(bytes, size), from, false, &written), 0);
    assert_int_equal(written, size);
    free(bytes);
}

static void make_file(struct fs *fs, const char *name, size_t size, uint8_t kind)
{
    struct file *file = create_file(fs, ROOT, name);

    write_kind(file, 0, size, kind);
    assert_int_equal(close_file(fs, file), 0);
}

/* Bytes from `at` of the open file are those of the kind from `from`. */
static void assert_bytes(struct file *file, uint64_t at, size_t size, uint64_t from,
                         uint8_t kind)
{
    struct slice bytes;
    struct blob *blob;

    assert_int_equal(io_read(file, at, size, &bytes, &blob), 0);
    assert_int_equal(bytes.size, size);
    for (size_t i = 0; i < size; i++) {
        if (bytes.data[i] != byte_at(from + i, kind)) {
            fail_msg("byte %zu is wrong", i);
        }
    }
    blob_unref(blob);
}

static void assert_is_kind(struct fs *fs, const char *name, size_t size, uint8_t kind)
{
    struct file *file = hold_open(fs, name);

    assert_int_equal(stat_of(fs, ROOT, name).st_size, size);
    assert_bytes(file, 0, size, 0, kind);
    flush_release(fs, file, OPEN_READ_ONLY);
}

/* As cp does: until there is no more. */
static void copy_whole(struct fs *fs, const char *from_name, const char *to_name)
{
    struct file *from = hold_open(fs, from_name);
    struct file *to = create_file(fs, ROOT, to_name);
    uint64_t done = 0;
    size_t copied = 1;

    while (copied > 0) {
        assert_int_equal(copy_range(from, done, to, done, MUCH, &copied), 0);
        done += copied;
    }
    assert_int_equal(close_file(fs, to), 0);
    flush_release(fs, from, OPEN_READ_ONLY);
}

static void test_copy__small_file__is_the_same(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 5000, 'a');

    copy_whole(mounts->here, "f", "g");

    assert_is_kind(mounts->there, "g", 5000, 'a');
}

static void test_copy__large_file__stores_no_block(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", LARGE, 'b');
    uint64_t puts = kv_memory_calls(mounts->kv).put;

    copy_whole(mounts->here, "f", "g");

    enum { PATH = 1, VERSION = 1 };
    assert_int_equal(kv_memory_calls(mounts->kv).put - puts, PATH + VERSION);
    assert_is_kind(mounts->there, "g", LARGE, 'b');
    assert_is_kind(mounts->there, "f", LARGE, 'b');
}

static uint64_t clock_us;

static uint64_t now_us(void)
{
    return clock_us;
}

/* Deletes all that no version names. */
static uint64_t collect(struct mounts *mounts)
{
    struct collector_options wanted = {.kv = mounts->kv, .grace_us = 1000, .now_us = now_us};
    struct collector *collector = collector_new(&wanted);

    assert_non_null(collector);
    for (int pass = 0; pass < 3; pass++) {
        bool is_over = false;
        clock_us += 1000;
        while (!is_over) {
            assert_int_equal(collector_step(collector, &is_over), STATUS_OK);
        }
    }
    uint64_t deleted = collector_stats(collector)->blocks_deleted;
    collector_free(collector);
    return deleted;
}

static void test_copy__original_is_gone_and_collected__copy_is_whole(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", LARGE, 'c');
    copy_whole(mounts->here, "f", "g");

    assert_int_equal(unlink_error(mounts->here, ROOT, "f"), 0);
    assert_int_equal(collect(mounts), 0);
    assert_is_kind(mounts->there, "g", LARGE, 'c');
    assert_int_equal(unlink_error(mounts->here, ROOT, "g"), 0);

    assert_int_equal(collect(mounts), 4);
}

static void test_copy__either_is_changed__the_other_stays(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", LARGE, 'd');
    copy_whole(mounts->here, "f", "g");

    struct file *file = open_file(mounts->here, ROOT, "f", false);
    write_kind(file, 0, LARGE, 'e');
    assert_int_equal(close_file(mounts->here, file), 0);
    assert_is_kind(mounts->there, "g", LARGE, 'd');
    file = open_file(mounts->here, ROOT, "g", false);
    write_kind(file, 0, LARGE, 'f');
    assert_int_equal(close_file(mounts->here, file), 0);
    (void)collect(mounts);

    assert_is_kind(mounts->there, "f", LARGE, 'e');
    assert_is_kind(mounts->there, "g", LARGE, 'f');
}

/* The writer's blocks are partly stored, and named by nobody. */
static void test_copy__of_what_is_being_written__is_what_was_written(void **state)
{
    struct mounts *mounts = *state;
    struct file *from = create_file(mounts->here, ROOT, "f");
    struct file *to = create_file(mounts->here, ROOT, "g");
    size_t copied = 0;
    write_kind(from, 0, LARGE, 'g');

    assert_int_equal(copy_range(from, 0, to, 0, MUCH, &copied), 0);
    assert_int_equal(copied, LARGE);
    write_kind(from, 0, LARGE, 'h');
    assert_int_equal(close_file(mounts->here, to), 0);
    assert_int_equal(close_file(mounts->here, from), 0);

    assert_is_kind(mounts->there, "f", LARGE, 'h');
    assert_is_kind(mounts->there, "g", LARGE, 'g');
}

static void test_copy__into_the_middle_of_another_file__the_rest_stays(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", LARGE, 'i');
    make_file(mounts->here, "g", LARGE, 'j');
    struct file *from = hold_open(mounts->here, "f");
    struct file *to = open_file(mounts->here, ROOT, "g", false);
    size_t copied = 0;

    assert_int_equal(copy_range(from, 1000, to, 3000, 2 * BLOCK_SIZE, &copied), 0);
    assert_int_equal(copied, 2 * BLOCK_SIZE);
    assert_int_equal(close_file(mounts->here, to), 0);
    flush_release(mounts->here, from, OPEN_READ_ONLY);

    enum { END = 3000 + 2 * BLOCK_SIZE };
    struct file *read = hold_open(mounts->there, "g");
    assert_int_equal(stat_of(mounts->there, ROOT, "g").st_size, LARGE);
    assert_bytes(read, 0, 3000, 0, 'j');
    assert_bytes(read, 3000, 2 * BLOCK_SIZE, 1000, 'i');
    assert_bytes(read, END, LARGE - END, END, 'j');
    flush_release(mounts->there, read, OPEN_READ_ONLY);
}

/* Beyond its end, too: a shorter last block brings no zeroes along. */
static void test_copy__of_the_last_block__over_more_data__the_rest_stays(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", BLOCK_SIZE + 1000, 'k');
    copy_whole(mounts->here, "f", "g");
    struct file *from = hold_open(mounts->here, "f");
    struct file *to = open_file(mounts->here, ROOT, "g", false);
    size_t copied = 0;
    write_kind(to, BLOCK_SIZE, BLOCK_SIZE, 'l');

    assert_int_equal(copy_range(from, BLOCK_SIZE, to, BLOCK_SIZE, MUCH, &copied), 0);
    assert_int_equal(copied, 1000);
    assert_int_equal(close_file(mounts->here, to), 0);
    flush_release(mounts->here, from, OPEN_READ_ONLY);

    struct file *read = hold_open(mounts->there, "g");
    assert_bytes(read, 0, BLOCK_SIZE + 1000, 0, 'k');
    assert_bytes(read, BLOCK_SIZE + 1000, BLOCK_SIZE - 1000, BLOCK_SIZE + 1000, 'l');
    flush_release(mounts->there, read, OPEN_READ_ONLY);
}

static void test_copy__within_one_file__shares_and_refuses_overlaps(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", LARGE, 'm');
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    uint64_t puts = kv_memory_calls(mounts->kv).put;
    size_t copied = 0;

    assert_int_equal(copy_range(file, 0, file, 1, LARGE, &copied), EINVAL);
    assert_int_equal(copy_range(file, 1000, file, 0, 1001, &copied), EINVAL);
    assert_int_equal(copy_range(file, 0, file, 8 * BLOCK_SIZE, 2 * BLOCK_SIZE, &copied), 0);
    assert_int_equal(copied, 2 * BLOCK_SIZE);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_int_equal(kv_memory_calls(mounts->kv).put - puts, 2);
    struct file *read = hold_open(mounts->there, "f");
    assert_int_equal(stat_of(mounts->there, ROOT, "f").st_size, 10 * BLOCK_SIZE);
    assert_bytes(read, 0, LARGE, 0, 'm');
    assert_bytes(read, 8 * BLOCK_SIZE, 2 * BLOCK_SIZE, 0, 'm');
    flush_release(mounts->there, read, OPEN_READ_ONLY);
}

static void test_copy__holes__stay_holes(void **state)
{
    struct mounts *mounts = *state;
    struct file *file = create_file(mounts->here, ROOT, "f");
    write_kind(file, 2 * BLOCK_SIZE, BLOCK_SIZE, 'n');
    assert_int_equal(io_extend(file, 9 * BLOCK_SIZE), 0);
    assert_int_equal(close_file(mounts->here, file), 0);
    copy_whole(mounts->here, "f", "g");
    make_file(mounts->here, "h", LARGE, 'o');
    struct file *from = hold_open(mounts->here, "f");
    struct file *to = open_file(mounts->here, ROOT, "h", false);
    size_t copied = 0;
    uint64_t at = 0;

    assert_int_equal(copy_range(from, 0, to, BLOCK_SIZE, MUCH, &copied), 0);
    assert_int_equal(copied, 9 * BLOCK_SIZE);
    assert_int_equal(io_seek(to, 0, false, &at), 0);
    assert_int_equal(at, BLOCK_SIZE);
    assert_int_equal(io_seek(to, BLOCK_SIZE, true, &at), 0);
    assert_int_equal(at, 3 * BLOCK_SIZE);
    assert_int_equal(close_file(mounts->here, to), 0);
    flush_release(mounts->here, from, OPEN_READ_ONLY);

    assert_int_equal(stat_of(mounts->there, ROOT, "h").st_size, 10 * BLOCK_SIZE);
    struct file *read = hold_open(mounts->there, "g");
    assert_int_equal(stat_of(mounts->there, ROOT, "g").st_size, 9 * BLOCK_SIZE);
    assert_int_equal(io_seek(read, 0, true, &at), 0);
    assert_int_equal(at, 2 * BLOCK_SIZE);
    assert_int_equal(io_seek(read, at, false, &at), 0);
    assert_int_equal(at, 3 * BLOCK_SIZE);
    assert_bytes(read, 2 * BLOCK_SIZE, BLOCK_SIZE, 2 * BLOCK_SIZE, 'n');
    flush_release(mounts->there, read, OPEN_READ_ONLY);
}

static void test_copy__behind_the_end__nothing_and_no_error(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->here, "f", 100, 'p');
    struct file *file = open_file(mounts->here, ROOT, "f", false);
    size_t copied = 1;

    assert_int_equal(copy_range(file, 100, file, 0, 10, &copied), 0);
    assert_int_equal(copied, 0);
    assert_int_equal(copy_range(file, 0, file, FILE_SIZE_MAX, 10, &copied), EFBIG);
    assert_int_equal(close_file(mounts->here, file), 0);

    assert_is_kind(mounts->there, "f", 100, 'p');
}

/* Each call that fails in turn: the copy is an error or shorter, and can be gone on with. */
static void test_copy__store_fails__what_was_copied_is_right(void **state)
{
    struct mounts *mounts = *state;
    make_file(mounts->there, "f", LARGE, 'q');

    for (unsigned good = 0; good < 4; good++) {
        struct file *from = hold_open(mounts->here, "f");
        struct file *to = create_file(mounts->here, ROOT, "g");
        uint64_t done = 0;
        size_t copied = 0;
        fail_after(mounts, good, 1, STATUS_NO_QUORUM);
        while (done < LARGE) {
            copied = 0;
            int failed = copy_range(from, done, to, done + 1, MUCH, &copied);
            assert_true(failed == 0 || copied == 0);
            done += copied;
        }
        fail_after(mounts, 0, 0, STATUS_OK);
        assert_int_equal(close_file(mounts->here, to), 0);
        flush_release(mounts->here, from, OPEN_READ_ONLY);
        struct file *read = hold_open(mounts->there, "g");
        assert_bytes(read, 1, LARGE, 0, 'q');
        flush_release(mounts->there, read, OPEN_READ_ONLY);
        assert_int_equal(unlink_error(mounts->here, ROOT, "g"), 0);
    }
}

static bool is_interrupted(void *context)
{
    return *(bool *)context;
}

static void test_copy__interrupted__is_short(void **state)
{
    struct mounts *mounts = *state;
    bool interrupted = false;
    struct kv_limits limits = {.is_interrupted = is_interrupted, .context = &interrupted};
    make_file(mounts->here, "f", LARGE, 'r');
    struct file *from = hold_open(mounts->here, "f");
    struct file *to = create_file(mounts->here, ROOT, "g");
    size_t copied = 0;

    kv_limits_begin(&limits);
    interrupted = true;
    assert_int_equal(copy_range(from, 0, to, 0, MUCH, &copied), 0);
    assert_int_equal(copied, BLOCK_SIZE);
    interrupted = false;
    assert_int_equal(copy_range(from, copied, to, copied, MUCH, &copied), 0);
    assert_int_equal(copied, LARGE - BLOCK_SIZE);
    kv_limits_end();
    assert_int_equal(close_file(mounts->here, to), 0);
    flush_release(mounts->here, from, OPEN_READ_ONLY);

    assert_is_kind(mounts->there, "g", LARGE, 'r');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_copy__small_file__is_the_same),
        TEST(test_copy__large_file__stores_no_block),
        TEST(test_copy__original_is_gone_and_collected__copy_is_whole),
        TEST(test_copy__either_is_changed__the_other_stays),
        TEST(test_copy__of_what_is_being_written__is_what_was_written),
        TEST(test_copy__into_the_middle_of_another_file__the_rest_stays),
        TEST(test_copy__of_the_last_block__over_more_data__the_rest_stays),
        TEST(test_copy__within_one_file__shares_and_refuses_overlaps),
        TEST(test_copy__holes__stay_holes),
        TEST(test_copy__behind_the_end__nothing_and_no_error),
        TEST(test_copy__store_fails__what_was_copied_is_right),
        TEST(test_copy__interrupted__is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
