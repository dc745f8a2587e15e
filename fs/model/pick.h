/*
 * pick.h - which version of an object an inode shows.
 */
#ifndef FS_MODEL_PICK_H
#define FS_MODEL_PICK_H

#include "fs/model/model.h"

/*
 * Reads the object of `key`, which is the inode's, and picks the version that the inode shows.
 * ESTALE if it is gone or something else. The caller unrefs *ret_object, which holds
 * *ret_version, and releases *ret_shown: what a write to the inode would supersede.
 */
int pick_version(struct fs *fs, struct inode *inode, struct slice key,
                 struct object **ret_object, const struct version **ret_version,
                 struct shown *ret_shown);

#endif
