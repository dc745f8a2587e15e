/*
 * hold.h - inodes for the length of an operation: referenced, with their token, with their key.
 */
#ifndef FS_MODEL_HOLD_H
#define FS_MODEL_HOLD_H

#include "fs/model/model.h"

/*
 * The live inode of `id` with one more reference; ESTALE if there is none or it was removed.
 * Give it back with hold_release.
 */
int hold_inode(struct fs *fs, uint64_t id, struct inode **ret_inode);
/* The same, but also one that was removed, as long as its file is open. */
int hold_open_inode(struct fs *fs, uint64_t id, struct inode **ret_inode);
void hold_release(struct fs *fs, struct inode *inode); /* NULL is allowed */

/* Takes the token of an inode that the caller refers to; ETIMEDOUT. */
int hold_take_token(struct fs *fs, struct inode *inode);
void hold_return_token(struct fs *fs, struct inode *inode);
/* N if the inode is a sibling, otherwise 0. It changes only with the token taken. */
uint32_t hold_sibling_number(struct fs *fs, const struct inode *inode);

/* The inode's key, as of now, in place of what `key` held. */
int hold_key(struct fs *fs, const struct inode *inode, struct buffer *key);

#endif
