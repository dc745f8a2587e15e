/*
 * query.h - what is asked of an inode: attributes, the target of a symlink, the room that is
 *           left.
 */
#ifndef FS_MODEL_QUERY_H
#define FS_MODEL_QUERY_H

#include <sys/statvfs.h>

#include "fs/model/fs.h"

/* ESTALE if the name now shows something else, unless the inode is open; ENOENT of a directory
 * that is gone. A file open for writing is answered from memory, and so is what was asked for
 * within the attribute timeout. ret_valid_s: how long the kernel may keep it. */
int query_attributes(struct fs *fs, uint64_t id, struct stat *ret_attributes,
                     double *ret_valid_s);
int query_link(struct fs *fs, uint64_t id, struct buffer *ret_target);
int query_space(struct fs *fs, struct statvfs *ret_space);

#endif
