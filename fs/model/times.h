/*
 * times.h - mtime and ctime of directories, which follow their names.
 *
 * Shape:    what was set of a directory is in its object; when a name in it appeared or
 *           vanished last is told with a get of it (kv_get_directory), and known at once for
 *           what this mount itself puts and deletes.
 * Source:   decision 32.
 */
#ifndef FS_MODEL_TIMES_H
#define FS_MODEL_TIMES_H

#include "fs/model/model.h"

/* kv_put, and what it says of the times of the key's directory is known from now on. */
MUST_CHECK enum status times_put(struct fs *fs, const struct kv_put *put,
                                 struct object **ret_row);
/* kv_get of the directory `inode`, whose key is `key`; its times are known afterwards. */
MUST_CHECK enum status times_get_directory(struct fs *fs, struct inode *inode, struct slice key,
                                           struct object **ret_object);

/* Asks the cluster when a name in the directory appeared or vanished last. */
int times_refresh(struct fs *fs, struct inode *inode);
/* A name that only this mount shows appeared or vanished. */
void times_names_changed(struct fs *fs, struct inode *directory);
/* What is shown of a directory whose object has these attributes. The table's lock is held. */
void times_of_directory(const struct inode *inode, struct attributes *attributes);
/* The attributes of the directory are about to be put with an mtime that stays until its names
 * change. */
void times_set(struct fs *fs, const struct inode *inode, struct attributes *attributes);

#endif
