/*
 * file.h - an open file, shared by all handles of its inode.
 *
 * Shape:    one for each open inode: what was loaded, or the edited copy of it, the attributes
 *           and user attributes that the next put will carry, and what that put supersedes. The
 *           inode's token serialises what puts or moves the file; reads, writes and stat need
 *           only the lock, so that they never wait for the cluster, unless the content is kept
 *           in blocks.
 *           A file that is only held open for reading is a cache of what the cluster has: it is
 *           read anew once its inode shows something newer. One that may be written stays what
 *           it was when it was opened, for that is what its put supersedes.
 * Locks:    `lock` for the content; `handles`, `writers` and `references` under the inode
 *           table's. What is dirty has a writer, or no name any more.
 * Memory:   what is edited, up to twice INLINE_SIZE_MAX or EDITED_MAX blocks for each file; of
 *           all the others HELD_SIZE_MAX together (fs/model/content.h).
 */
#ifndef FS_MODEL_FILE_H
#define FS_MODEL_FILE_H

#include "fs/model/content.h"
#include "fs/model/model.h"

/* A put whose outcome is open: should it have appeared, it is ours. */
struct attempt {
    uint8_t hash[CONTENT_HASH_SIZE];
    int64_t changed_ns;
};

/* Of more failures in a row the older ones may show up as siblings: nothing is lost. */
enum { ATTEMPTS_MAX = 4 };

struct file {
    struct fs *fs;
    struct inode *inode; /* referenced */
    uint32_t handles;    /* of the kernel */
    uint32_t writers;    /* handles that may write; without any the file is a cache */
    uint32_t references; /* handles and passers-by */

    pthread_mutex_t lock;
    bool is_loaded;
    bool is_dirty;     /* the cluster does not have this content, or these attributes */
    bool is_unwritten; /* ... but only because it was created or truncated */
    uint64_t changes;  /* counts writes, so that a put knows if it was the last word */
    struct attributes attributes;
    struct content content;
    struct blob *xattrs;
    struct shown shown;                    /* when it was opened, or put last */
    struct attempt attempts[ATTEMPTS_MAX]; /* for the holder of the inode's token */
    uint32_t attempt_count;
};

/* The inode's file with one more reference and handle, new if need be. The table's lock is
 * held. NULL when memory is short. */
struct file *file_obtain(struct fs *fs, struct inode *inode, bool writes);
/* True if the inode's file is open, and a cache. The table's lock is held. */
bool file_is_cache(const struct inode *inode);
/* True if the file is a cache, and its inode shows something newer than it holds. The
 * file's lock and the table's are held. */
bool file_is_stale(const struct file *file);
/* The inode's file with one more reference, or NULL if it is not open. Takes the table's
 * lock. */
struct file *file_of_inode(struct fs *fs, struct inode *inode);
/* The inode's file with one more reference, if its content is loaded. */
struct file *file_loaded(struct fs *fs, struct inode *inode);
void file_unref(struct file *file);

void file_lock(struct file *file);
void file_unlock(struct file *file);

/* With the lock held. */
uint64_t file_size(const struct file *file);
/* Marks a change made now. */
void file_touch(struct file *file);
/* The same of the content, with its times. */
void file_was_written(struct file *file);

/* Without it. The content, a new reference, if it is large; else NULL. */
struct large *file_large(struct file *file);
/* The same; makes it large if it is not. ENOMEM, EIO, and what large_write gives. */
int file_make_large(struct file *file, struct large **ret_large);
/* Makes the content `size` bytes long, zeroes beyond the old end. EFBIG, ENOMEM, EIO, and what
 * large_resize gives. */
int file_resize(struct file *file, uint64_t size);

/* True if the file was created or truncated, and nothing written yet. */
bool file_is_unwritten(struct file *file);

#endif
