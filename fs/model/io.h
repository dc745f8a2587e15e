/*
 * io.h - bytes from and to open files.
 */
#ifndef FS_MODEL_IO_H
#define FS_MODEL_IO_H

#include "fs/model/file.h"

/* Bytes from `offset`, fewer at the end; the caller drops *ret_blob, which holds them. */
int io_read(struct file *file, uint64_t offset, size_t size, struct slice *ret_bytes,
            struct blob **ret_blob);
/* Writes what fits below FILE_SIZE_MAX, as a disk does at its limit: EFBIG if that is nothing.
 * With `append` at the end, wherever the offset. */
int io_write(struct file *file, struct slice bytes, uint64_t offset, bool append,
             size_t *ret_written);
/* The next byte from `offset` on that is (no) data, as of lseek(2). ENXIO behind the end. */
int io_seek(struct file *file, uint64_t offset, bool data, uint64_t *ret_offset);
/* The bytes read as zeroes from now on; the size stays. */
int io_clear(struct file *file, uint64_t offset, uint64_t size);
/* Makes the file at least `size` bytes long. EFBIG. */
int io_extend(struct file *file, uint64_t size);

#endif
