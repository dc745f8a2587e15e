/*
 * put.h - from an open file to the cluster: one put of all that it holds, and what comes of it.
 *
 * Rule:     what was put goes where the file is when the answer comes: a rename of a directory
 *           above may overtake a put.
 */
#ifndef FS_MODEL_PUT_H
#define FS_MODEL_PUT_H

#include "fs/model/file.h"

/* Puts what is dirty. The inode's token is taken, the lock is not. */
int put_file(struct file *file, bool sync);
/* Puts the content under another key (the target of a rename) as if it had been written there;
 * `shown` is what that supersedes, and is replaced. The inode's token is taken. */
int put_file_at(struct file *file, struct slice key, struct shown *shown, bool only_own);

#endif
