/*
 * flush.h - when an open file is put: flush, fsync, and the last close.
 */
#ifndef FS_MODEL_FLUSH_H
#define FS_MODEL_FLUSH_H

#include "fs/model/file.h"

/* Puts what was changed; what close(2) returns. On failure the changes stay, and the next
 * flush tries again. With `more_follow` (whoever closes has it open once more) a file that is
 * not written yet waits for that close. */
int flush_file(struct fs *fs, struct file *file, bool more_follow);
/* The same, and every copy that counts survives a power cut. */
int flush_sync(struct fs *fs, struct file *file);
/* One handle fewer, of one that was opened with `flags`. The last one tries once more to put
 * what is not put, and notes a loss. True if there was one: the kernel believes what is not
 * so. */
bool flush_release(struct fs *fs, struct file *file, unsigned flags);

#endif
