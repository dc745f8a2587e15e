/*
 * place.h - names in directories and the inodes that are shown under them.
 */
#ifndef FS_MODEL_PLACE_H
#define FS_MODEL_PLACE_H

#include "fs/model/model.h"
#include "fs/model/resolve.h"

/* 0, or why `name` cannot be a new name: ENAMETOOLONG, EINVAL. */
int place_check_new_name(struct slice name);

/* A name in a directory: the directory's inode (referenced) and key. */
struct place {
    struct inode *directory;
    struct buffer key;
    struct slice name; /* borrowed from the caller of the operation */
};

/* Finds the directory `id`. ESTALE, ENOTDIR, ENOENT (removed), ENAMETOOLONG (`name` over 255
 * bytes), ENOMEM. On success the caller releases. */
int place_open(struct fs *fs, uint64_t id, const char *name, struct place *ret_place);
void place_release(struct fs *fs, struct place *place);
/* Appends to `key` (emptied first) that of a file or directory `name` in the place. */
int place_key(const struct place *place, struct slice name, enum row_kind kind,
              struct buffer *key);

/* The inode of what was found at the place, told anew, with one more reference. The table's
 * lock is held. NULL when memory is short. */
struct inode *place_inode_of_found(struct fs *fs, const struct place *place,
                                   struct found *found);
/* The inode that was shown at the place, after a lookup if none was. ENOENT if there is
 * nothing. One more reference. */
int place_shown_inode(struct fs *fs, const struct place *place, struct inode **ret_inode);

/* Takes the inode's token, if it is still what the place shows then; ENOENT, ETIMEDOUT. */
int place_take_token(struct fs *fs, const struct place *place, struct inode *inode);

#endif
