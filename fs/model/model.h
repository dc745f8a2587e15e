/*
 * model.h - what the files of the model share.
 *
 * Locks:    a file's lock may be held when the inode table's is taken, never the other way
 *           round; neither during a kv call.
 */
#ifndef FS_MODEL_MODEL_H
#define FS_MODEL_MODEL_H

#include <errno.h>

#include "fs/model/conflicts.h"
#include "fs/model/content.h"
#include "fs/model/errno_map.h"
#include "fs/model/fs.h"
#include "fs/model/inode.h"
#include "fs/model/resolve.h"

struct fs {
    struct fs_config config;
    struct kv_options options;
    struct inodes inodes;
    struct conflicts *conflicts;
    struct content_keeper keeper;
    void *session; /* of libfuse, for notifications; opaque to the model */
};

/* Nanoseconds on a clock that never jumps. */
int64_t fs_monotonic_ns(void);
/* What is left until then, on that clock; 0 if it has passed. */
double fs_seconds_until(int64_t monotonic_ns);
/* The inode's attributes came from the cluster just now. The table's lock is held. */
void fs_inode_is_fresh(const struct fs *fs, struct inode *inode);

/* Tells people one line. No lock is held. */
void fs_note(struct fs *fs, const char *text);

/*
 * The live inode of `id` with one more reference; ESTALE if there is none or it was removed.
 * Give it back with fs_put_inode.
 */
int fs_get_inode(struct fs *fs, uint64_t id, struct inode **ret_inode);
/* The same, but also one that was removed, as long as its file is open. */
int fs_get_open_inode(struct fs *fs, uint64_t id, struct inode **ret_inode);
void fs_put_inode(struct fs *fs, struct inode *inode); /* NULL is allowed */

/* Takes the token of an inode that the caller refers to; ETIMEDOUT. */
int fs_take_token(struct fs *fs, struct inode *inode);
void fs_return_token(struct fs *fs, struct inode *inode);
/* N if the inode is a sibling, otherwise 0. It changes only with the token taken. */
uint32_t fs_inode_number(struct fs *fs, const struct inode *inode);

/* The inode's key, as of now, in place of what `key` held. */
int fs_inode_key(struct fs *fs, const struct inode *inode, struct buffer *key);

/* 0, or why `name` cannot be a new name: ENAMETOOLONG, EINVAL. */
int fs_check_new_name(struct slice name);

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

/* A reply that tells of the version `dot` is about to be sent. The table's lock is held. */
void inode_tell(struct inode *inode, struct dot dot);
/* The inode of what was found at the place, told anew, with one more reference. The table's
 * lock is held. NULL when memory is short. */
struct inode *place_inode_of_found(struct fs *fs, const struct place *place,
                                   struct found *found);
/* The inode that was shown at the place, after a lookup if none was. ENOENT if there is
 * nothing. One more reference. */
int place_shown_inode(struct fs *fs, const struct place *place, struct inode **ret_inode);

/* Takes the inode's token, if it is still what the place shows then; ENOENT, ETIMEDOUT. */
int place_take_token(struct fs *fs, const struct place *place, struct inode *inode);

/* What the kernel is told of an inode: from its open file if there is one. */
void fs_entry_of_inode(struct fs *fs, struct inode *inode, struct fs_entry *ret_entry);

/*
 * After a successful put of content with `hash` at the inode's key, answered by `row`, that
 * superseded `superseded`: what is shown from now on, and the sibling numbers. The attributes
 * become those of the own version.
 */
int fs_inode_was_put(struct fs *fs, struct inode *inode, struct object *row,
                     const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded);

/*
 * Reads the object of `key`, which is the inode's, and picks the version that the inode shows.
 * ESTALE if it is gone or something else. The caller unrefs *ret_object, which holds
 * *ret_version, and releases *ret_shown: what a write to the inode would supersede.
 */
int fs_read_version(struct fs *fs, struct inode *inode, struct slice key,
                    struct object **ret_object, const struct version **ret_version,
                    struct shown *ret_shown);

/* kv_put, and what it says of the times of the key's directory is known from now on. */
MUST_CHECK enum status fs_put(struct fs *fs, const struct kv_put *put, struct object **ret_row);
/* kv_get of the directory `inode`, whose key is `key`; its times are known afterwards. */
MUST_CHECK enum status fs_get_directory(struct fs *fs, struct inode *inode, struct slice key,
                                        struct object **ret_object);
/* Asks the cluster when a name in the directory appeared or vanished last. */
int fs_refresh_names(struct fs *fs, struct inode *inode);
/* A name that only this mount shows appeared or vanished. */
void fs_names_changed_now(struct fs *fs, struct inode *directory);
/* What is shown of a directory whose object has these attributes. The table's lock is held. */
void fs_directory_times(const struct inode *inode, struct attributes *attributes);
/* The attributes of the directory are about to be put with an mtime that stays until its names
 * change. */
void fs_set_directory_times(struct fs *fs, const struct inode *inode,
                            struct attributes *attributes);

/* Deletes what the inode shows, and no more. The inode stays. */
int fs_delete_shown(struct fs *fs, struct inode *inode);
/* ENOTEMPTY if the directory has a live row or a pending file. */
int fs_check_empty(struct fs *fs, struct inode *directory);

/* Changes attributes (NULL: none) or one user attribute (NULL: none): of an open file in
 * memory, which its next flush puts, or at once if nothing else is to be put; otherwise on the
 * cluster.
 */
int fs_change_inode(struct fs *fs, struct inode *inode, const struct fs_change *change,
                    const struct fs_xattr_change *xattr);

#endif
