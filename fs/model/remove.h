/*
 * remove.h - removing names.
 */
#ifndef FS_MODEL_REMOVE_H
#define FS_MODEL_REMOVE_H

#include "fs/model/model.h"

int remove_file(struct fs *fs, uint64_t parent, const char *name);
int remove_directory(struct fs *fs, uint64_t parent, const char *name);

/* Deletes what the inode shows, and no more. The inode stays. */
int remove_shown(struct fs *fs, struct inode *inode);
/* ENOTEMPTY if the directory has a live row or a pending file. */
int remove_check_empty(struct fs *fs, struct inode *directory);

#endif
