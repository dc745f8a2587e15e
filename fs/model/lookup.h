/*
 * lookup.h - names that the kernel asks for, and what it forgets again.
 */
#ifndef FS_MODEL_LOOKUP_H
#define FS_MODEL_LOOKUP_H

#include "fs/model/fs.h"

/* Finds a name. ENOENT must not be cached. On success one reference to the inode. */
int lookup_name(struct fs *fs, uint64_t parent, const char *name, struct fs_entry *ret_entry);
void lookup_forget(struct fs *fs, uint64_t id, uint64_t count);

#endif
