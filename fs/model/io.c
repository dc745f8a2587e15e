/*
 * io.c - bytes from and to open files.
 */
#include "fs/model/io.h"

#include <assert.h>
#include <string.h>

#include "fs/model/load.h"

static int read_large(struct large *large, uint64_t offset, size_t size,
                      struct slice *ret_bytes, struct blob **ret_blob)
{
    struct blob *blob = blob_new_uninitialised(size);
    size_t got = 0;
    int failed = !blob ? ENOMEM : large_read(large, offset, blob->data, size, &got);

    if (failed != 0) {
        blob_unref(blob);
        return failed;
    }
    *ret_bytes = slice_of(blob->data, got);
    *ret_blob = blob;
    return 0;
}

int io_read(struct file *file, uint64_t offset, size_t size, struct slice *ret_bytes,
            struct blob **ret_blob)
{
    assert(ret_bytes && ret_blob);

    int failed = load_refresh(file);
    if (failed != 0) {
        return failed;
    }
    struct large *large = file_large(file);
    if (large) {
        failed = read_large(large, offset, size, ret_bytes, ret_blob);
        large_unref(large);
        return failed;
    }

    file_lock(file);
    uint64_t end = file->content.large ? 0 : file_size(file); /* it was shorter just now */
    uint64_t start = offset < end ? offset : end;
    size_t there = size < end - start ? size : (size_t)(end - start);
    if (!file->content.large) {
        failed = content_read(&file->content, start, there, ret_bytes, ret_blob);
    } else {
        *ret_bytes = slice_of(NULL, 0);
        *ret_blob = NULL;
    }
    file_unlock(file);
    return failed;
}

/* Writes into a content that stays small. False if it does not; nothing is done then. */
static bool write_small(struct file *file, struct slice bytes, uint64_t offset, bool append,
                        int *ret_failed)
{
    file_lock(file);
    uint64_t old_size = file_size(file);
    offset = append ? old_size : offset;
    bool is_small = !file->content.large && offset <= INLINE_SIZE_MAX &&
                    (bytes.size <= INLINE_SIZE_MAX - offset || offset + bytes.size <= old_size);
    if (is_small) {
        uint64_t end = offset + bytes.size;
        *ret_failed = content_resize(&file->content, end > old_size ? end : old_size);
        if (*ret_failed == 0 && bytes.size > 0) {
            memcpy(file->content.edited.data + offset, bytes.data, bytes.size);
            file_was_written(file);
        }
    }
    file_unlock(file);
    return is_small;
}

/* *ret_done is false if the file got another content meanwhile, as by a truncation. */
static int write_large(struct file *file, struct slice bytes, uint64_t offset, bool append,
                       bool *ret_done)
{
    struct large *large = NULL;
    int failed = file_make_large(file, &large);

    if (failed != 0) {
        return failed;
    }
    failed = large_write(large, bytes, offset, append);
    file_lock(file);
    *ret_done = file->content.large == large;
    file_was_written(file); /* of a write that failed a part may be there */
    file_unlock(file);
    large_unref(large);
    return failed;
}

int io_write(struct file *file, struct slice bytes, uint64_t offset, bool append,
             size_t *ret_written)
{
    assert(bytes.data || bytes.size == 0);

    int failed = 0;
    bool is_done = false;

    if (bytes.size > 0 && !append && offset >= FILE_SIZE_MAX) {
        return EFBIG;
    }
    if (!append && offset < FILE_SIZE_MAX && bytes.size > FILE_SIZE_MAX - offset) {
        bytes.size = (size_t)(FILE_SIZE_MAX - offset);
    }
    while (failed == 0 && !is_done) {
        is_done = write_small(file, bytes, offset, append, &failed);
        if (!is_done) {
            failed = write_large(file, bytes, offset, append, &is_done);
        }
    }
    if (failed == 0) {
        *ret_written = bytes.size;
    }
    return failed;
}

int io_seek(struct file *file, uint64_t offset, bool data, uint64_t *ret_offset)
{
    int failed = load_refresh(file);
    struct large *large = file_large(file);

    if (failed == 0 && large) {
        failed = large_seek(large, offset, data, ret_offset);
    } else if (failed == 0) {
        file_lock(file);
        uint64_t size = file_size(file);
        file_unlock(file);
        failed = offset >= size ? ENXIO : 0;
        *ret_offset = data ? offset : size;
    }
    large_unref(large);
    return failed;
}

/* In a small content. False if it is large. */
static bool clear_small(struct file *file, uint64_t offset, uint64_t size, int *ret_failed)
{
    file_lock(file);
    bool is_small = !file->content.large;
    uint64_t old_size = is_small ? file_size(file) : 0;
    if (is_small && offset < old_size) {
        size = size < old_size - offset ? size : old_size - offset;
        *ret_failed = content_resize(&file->content, old_size);
        if (*ret_failed == 0) {
            memset(file->content.edited.data + offset, 0, size);
            file_was_written(file);
        }
    }
    file_unlock(file);
    return is_small;
}

int io_clear(struct file *file, uint64_t offset, uint64_t size)
{
    bool is_done = false;
    int failed = 0;

    while (failed == 0 && !is_done && !clear_small(file, offset, size, &failed)) {
        struct large *large = file_large(file);
        if (!large) {
            continue;
        }
        failed = large_clear(large, offset, size);
        file_lock(file);
        is_done = file->content.large == large;
        file_was_written(file);
        file_unlock(file);
        large_unref(large);
    }
    return failed;
}

int io_extend(struct file *file, uint64_t size)
{
    file_lock(file);
    bool is_shorter = file_size(file) < size;
    file_unlock(file);
    if (!is_shorter) {
        return 0;
    }
    int failed = file_resize(file, size);
    if (failed == 0) {
        file_lock(file);
        file_was_written(file);
        file_unlock(file);
    }
    return failed;
}
