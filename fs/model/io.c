/*
 * io.c - bytes from and to open files.
 */
#include "fs/model/io.h"

#include <assert.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/load.h"

int io_read(struct file *file, uint64_t offset, size_t size, struct slice *ret_bytes,
            struct blob **ret_blob)
{
    assert(ret_bytes && ret_blob);

    int failed = load_refresh(file);
    if (failed != 0) {
        return failed;
    }

    file_lock(file);
    uint64_t end = file_size(file);
    uint64_t start = offset < end ? offset : end;
    size_t there = size < end - start ? size : (size_t)(end - start);
    failed = content_read(&file->content, start, there, ret_bytes, ret_blob);
    file_unlock(file);
    return failed;
}

int io_write(struct file *file, struct slice bytes, uint64_t offset, bool append,
             size_t *ret_written)
{
    assert(bytes.data || bytes.size == 0);

    int failed = 0;

    file_lock(file);
    uint64_t old_size = file_size(file);
    if (append) {
        offset = old_size;
    }
    uint64_t room = offset < VALUE_SIZE_MAX ? VALUE_SIZE_MAX - offset : 0;
    if (room == 0 && bytes.size > 0) {
        failed = EFBIG;
    } else if (offset <= VALUE_SIZE_MAX) {
        bytes.size = bytes.size < room ? bytes.size : (size_t)room;
        uint64_t end = offset + bytes.size;
        failed = file_resize(file, end > old_size ? end : old_size);
    }
    if (failed == 0 && bytes.size > 0) {
        memcpy(file->content.edited.data + offset, bytes.data, bytes.size);
        attributes_touch(&file->attributes);
        file_touch(file);
        file->is_unwritten = false;
    }
    file_unlock(file);
    if (failed == 0) {
        *ret_written = bytes.size;
    }
    return failed;
}
