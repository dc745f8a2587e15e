/*
 * current.h - what an inode and its open file show at the moment, and how both change together.
 *
 * Shape:    both have attributes, and what a write would supersede (`shown`). The inode's are
 *           what the kernel was sent last. The file's are of the version that it was loaded
 *           from, or put last; while somebody may write to it the two may differ.
 */
#ifndef FS_MODEL_CURRENT_H
#define FS_MODEL_CURRENT_H

#include "fs/model/file.h"
#include "fs/model/resolve.h"

/* The inode's attributes came from the cluster just now. The table's lock is held. */
void current_is_fresh(const struct fs *fs, struct inode *inode);
/* A reply that tells of the version `dot` is about to be sent. The table's lock is held. */
void current_sent(struct inode *inode, struct dot dot);
/* What the kernel is told of an inode: from its open file if there is one. */
void current_entry(struct fs *fs, struct inode *inode, struct fs_entry *ret_entry);

/* The inode shows what was found (whose `shown` is taken), unless that is older than what it
 * shows; its attributes too, unless its file may be written. The table's lock is held. */
void current_found(const struct fs *fs, struct inode *inode, struct found *found);
/* Both show the version, which was read for the file; `shown` is taken. The file's lock is
 * held. STATUS_NO_MEMORY: neither has changed. */
MUST_CHECK enum status current_loaded(struct file *file, const struct version *version,
                                      struct shown *shown);
/* The file shows what its inode shows; its attributes too, unless it is dirty. The file's lock
 * and the table's are held. STATUS_NO_MEMORY: it is as it was. */
MUST_CHECK enum status current_follow(struct file *file);

/*
 * After a successful put of content with `hash` at the inode's key, answered by `row`, that
 * superseded `superseded`: what is shown from now on by the inode and by the file that was put
 * (NULL: none), and the sibling numbers. The inode's attributes become those of the own
 * version.
 */
int current_was_put(struct fs *fs, struct inode *inode, struct file *file, struct object *row,
                    const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded);

/*
 * All that the inode showed is at another key now: it gets the name there (`parent` NULL: the
 * one that it has is right), and it and its file show `shown`, which is taken. Unless the inode
 * was unlinked meanwhile: then only the file does. `as` as of inode_move. ENOMEM: neither has
 * changed.
 */
int current_moved(struct fs *fs, struct inode *inode, struct inode *parent, struct slice name,
                  const struct inode *as, struct shown *shown);

#endif
