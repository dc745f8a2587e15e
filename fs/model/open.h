/*
 * open.h - opening files, by an inode that may be another file by now.
 */
#ifndef FS_MODEL_OPEN_H
#define FS_MODEL_OPEN_H

#include "fs/model/load.h"

/*
 * Asks the cluster. ESTALE if the inode is gone, or its name shows another file: then the
 * kernel looks the name up and tries again, which is told by OPEN_AGAIN. A second time
 * nothing fails because the name was replaced meanwhile. What is opened is then the inode as
 * others hold it open, for it was what the lookup found; or else the file that has its name
 * now, and the inode stands for that file.
 */
int open_inode(struct fs *fs, uint64_t id, unsigned flags, struct opened *ret_opened);

#endif
