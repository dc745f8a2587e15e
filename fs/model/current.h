/*
 * current.h - what an inode and its open file show at the moment.
 */
#ifndef FS_MODEL_CURRENT_H
#define FS_MODEL_CURRENT_H

#include "fs/model/model.h"

/* The inode's attributes came from the cluster just now. The table's lock is held. */
void current_is_fresh(const struct fs *fs, struct inode *inode);
/* A reply that tells of the version `dot` is about to be sent. The table's lock is held. */
void current_told(struct inode *inode, struct dot dot);
/* What the kernel is told of an inode: from its open file if there is one. */
void current_entry(struct fs *fs, struct inode *inode, struct fs_entry *ret_entry);

/*
 * After a successful put of content with `hash` at the inode's key, answered by `row`, that
 * superseded `superseded`: what is shown from now on, and the sibling numbers. The attributes
 * become those of the own version.
 */
int current_was_put(struct fs *fs, struct inode *inode, struct object *row,
                    const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded);

#endif
