/*
 * copy.c - COPY_FILE_RANGE: from one open file to another, piece by piece.
 */
#include "fs/model/copy.h"

#include <assert.h>

#include "fs/model/io.h"
#include "fs/model/load.h"

/* Of one call: a program that copies goes on by itself, and can be ended in between. */
#define COPY_MAX (UINT64_C(64) << 20)

struct copy {
    struct file *from;
    struct file *to;
    struct large *source; /* a reference; NULL if it is small */
    uint64_t from_offset;
    uint64_t to_offset;
    uint64_t size;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t size_of(struct file *file)
{
    file_lock(file);
    uint64_t size = file_size(file);
    file_unlock(file);
    return size;
}

/* An empty file into which blocks are copied to where they are gets their set. */
static void join_set(const struct copy *copy)
{
    struct file *to = copy->to;
    struct large *large = NULL;
    bool may_share = copy->source && copy->from_offset == copy->to_offset &&
                     copy->to_offset + copy->size > INLINE_SIZE_MAX;

    if (!may_share || large_again(copy->source, &large) != 0) {
        return;
    }
    file_lock(to);
    if (!to->content.large && file_size(to) == 0) {
        content_set_large(&to->content, large);
        large = NULL;
    }
    file_unlock(to);
    large_unref(large);
}

/* How many bytes of a hole begin at `done`; they become one in the copy. */
static int copy_hole(const struct copy *copy, uint64_t done, uint64_t *ret_size)
{
    uint64_t begin = copy->from_offset + done;
    uint64_t left = copy->size - done;
    uint64_t data = 0;
    uint64_t end = copy->to_offset + done;

    *ret_size = 0;
    if (!copy->source) {
        return 0;
    }
    int failed = large_seek(copy->source, begin, true, &data);
    if (failed == ENXIO) {
        failed = 0;
        data = begin + left; /* a hole up to the end */
    }
    uint64_t size = failed == 0 ? smaller(data - begin, left) : 0;
    if (size == 0) {
        return failed;
    }
    failed = io_clear(copy->to, end, size);
    failed = failed != 0 ? failed : io_extend(copy->to, end + size);
    *ret_size = failed == 0 ? size : 0;
    return failed;
}

/* The block at `done`, if it is one for both; *ret_size of its bytes. */
static int copy_block(const struct copy *copy, uint64_t done, uint64_t *ret_size)
{
    uint64_t begin = copy->from_offset + done;
    uint64_t place = copy->to_offset + done;
    uint64_t part = smaller(BLOCK_SIZE, copy->size - done);
    bool is_shared = false;

    *ret_size = 0;
    if (!copy->source || begin % BLOCK_SIZE != 0 || place % BLOCK_SIZE != 0) {
        return 0;
    }
    /* Of the last one of a file zeroes follow, which are none of the copy's bytes there. */
    bool is_last =
        begin + part == large_size(copy->source) && place + part >= size_of(copy->to);
    struct large *large = part == BLOCK_SIZE || is_last ? file_large(copy->to) : NULL;
    if (!large) {
        return 0;
    }
    int failed = large_share(copy->source, (uint32_t)(begin >> BLOCK_SIZE_LOG2), large,
                             (uint32_t)(place >> BLOCK_SIZE_LOG2), place + part, &is_shared);
    file_lock(copy->to);
    bool is_still = copy->to->content.large == large;
    if (is_shared) {
        file_was_written(copy->to);
    }
    file_unlock(copy->to);
    large_unref(large);
    *ret_size = is_shared && is_still ? part : 0;
    return failed;
}

/* Bytes from `done` on, up to the end of a block. */
static int copy_bytes(const struct copy *copy, uint64_t done, uint64_t *ret_size)
{
    uint64_t begin = copy->from_offset + done;
    uint64_t part = smaller(BLOCK_SIZE - begin % BLOCK_SIZE, copy->size - done);
    struct slice bytes = slice_of(NULL, 0);
    struct blob *blob = NULL;
    size_t written = 0;
    int failed = io_read(copy->from, begin, (size_t)part, &bytes, &blob);

    if (failed == 0 && bytes.size > 0) {
        failed = io_write(copy->to, bytes, copy->to_offset + done, false, &written);
    }
    blob_unref(blob);
    *ret_size = written;
    return failed;
}

/* 0 bytes without an error: there are no more. */
static int copy_piece(const struct copy *copy, uint64_t done, uint64_t *ret_size)
{
    int failed = copy_hole(copy, done, ret_size);

    if (failed == 0 && *ret_size == 0) {
        failed = copy_block(copy, done, ret_size);
    }
    if (failed == 0 && *ret_size == 0) {
        failed = copy_bytes(copy, done, ret_size);
    }
    return failed;
}

static int copy_all(const struct copy *copy, uint64_t *ret_done)
{
    uint64_t done = 0;
    uint64_t piece = 1;
    int failed = 0;

    while (failed == 0 && piece > 0 && done < copy->size) {
        failed = copy_piece(copy, done, &piece);
        done += failed == 0 ? piece : 0;
        kv_limits_renew();
        if (failed == 0 && kv_limits_is_interrupted()) {
            failed = EINTR;
        }
    }
    *ret_done = done;
    return failed;
}

int copy_range(struct file *from, uint64_t from_offset, struct file *to, uint64_t to_offset,
               uint64_t size, size_t *ret_copied)
{
    assert(from && to && ret_copied);

    struct copy copy = {
        .from = from, .to = to, .from_offset = from_offset, .to_offset = to_offset};
    uint64_t distance =
        from_offset > to_offset ? from_offset - to_offset : to_offset - from_offset;
    uint64_t done = 0;
    int failed = load_refresh(from);

    if (failed != 0) {
        return failed;
    }
    uint64_t end = size_of(from);
    copy.size = from_offset < end ? smaller(size, end - from_offset) : 0;
    if (from == to && distance < copy.size) {
        return EINVAL;
    }
    if (copy.size > 0 && to_offset >= FILE_SIZE_MAX) {
        return EFBIG;
    }
    copy.size = smaller(copy.size, COPY_MAX);
    copy.size = copy.size > 0 ? smaller(copy.size, FILE_SIZE_MAX - to_offset) : 0;
    copy.source = file_large(from);
    join_set(&copy);
    failed = copy_all(&copy, &done);
    large_unref(copy.source);
    if (done > 0 || failed == 0) {
        *ret_copied = (size_t)done;
        return 0;
    }
    return failed;
}
