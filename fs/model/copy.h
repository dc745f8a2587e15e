/*
 * copy.h - COPY_FILE_RANGE.
 */
#ifndef FS_MODEL_COPY_H
#define FS_MODEL_COPY_H

#include "fs/model/file.h"

/*
 * Copies up to `size` bytes: perhaps fewer, and none only behind the end of `from`. Holes stay
 * holes. Blocks are shared where the copy is at the same place, in a file that was empty before
 * or is such a copy already; otherwise their bytes are read and written. EINVAL if the ranges
 * overlap in one file, EFBIG, and the errors of reading and writing if nothing was copied.
 */
int copy_range(struct file *from, uint64_t from_offset, struct file *to, uint64_t to_offset,
               uint64_t size, size_t *ret_copied);

#endif
