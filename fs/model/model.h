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
/* The node's attributes came from the cluster just now. The table's lock is held. */
void fs_node_is_fresh(const struct fs *fs, struct node *node);

/* Tells people one line. No lock is held. */
void fs_note(struct fs *fs, const char *text);

/*
 * The live node of `id` with one more reference; ESTALE if there is none or it was removed.
 * Give it back with fs_put_node.
 */
int fs_get_node(struct fs *fs, uint64_t id, struct node **ret_node);
/* The same, but also one that was removed, as long as its file is open. */
int fs_get_open_node(struct fs *fs, uint64_t id, struct node **ret_node);
void fs_put_node(struct fs *fs, struct node *node); /* NULL is allowed */

/* Takes the token of a node that the caller refers to; ETIMEDOUT. */
int fs_take_token(struct fs *fs, struct node *node);
void fs_return_token(struct fs *fs, struct node *node);
/* N if the node is a sibling, otherwise 0. It changes only with the token taken. */
uint32_t fs_node_number(struct fs *fs, const struct node *node);

/* The node's key, as of now, in place of what `key` held. */
int fs_node_key(struct fs *fs, const struct node *node, struct buffer *key);

/* 0, or why `name` cannot be a new name: ENAMETOOLONG, EINVAL. */
int fs_check_new_name(struct slice name);

/* A name in a directory: the directory's node (referenced) and key. */
struct place {
    struct node *directory;
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
void node_tell(struct node *node, struct dot dot);
/* The node of what was found at the place, told anew, with one more reference. The table's lock
 * is held. NULL when memory is short. */
struct node *place_node_of_found(struct fs *fs, const struct place *place, struct found *found);
/* The node that was shown at the place, after a lookup if none was. ENOENT if there is nothing.
 * One more reference. */
int place_shown_node(struct fs *fs, const struct place *place, struct node **ret_node);

/* Takes the node's token, if it is still what the place shows then; ENOENT, ETIMEDOUT. */
int place_take_token(struct fs *fs, const struct place *place, struct node *node);

/* What the kernel is told of a node: from its open file if there is one. */
void fs_entry_of_node(struct fs *fs, struct node *node, struct fs_entry *ret_entry);

/*
 * After a successful put of content with `hash` at the node's key, answered by `row`, that
 * superseded `superseded`: what is shown from now on, and the sibling numbers. The attributes
 * become those of the own version.
 */
int fs_node_was_put(struct fs *fs, struct node *node, struct object *row,
                    const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded);

/*
 * Reads the object of `key`, which is the node's, and picks the version that the node shows.
 * ESTALE if it is gone or something else. The caller unrefs *ret_object, which holds
 * *ret_version, and releases *ret_shown: what a write to the node would supersede.
 */
int fs_read_version(struct fs *fs, struct node *node, struct slice key,
                    struct object **ret_object, const struct version **ret_version,
                    struct shown *ret_shown);

/* Attributes of something new in `directory`, of a new file id; group and set-group-id bit as
 * the directory says. */
void fs_new_attributes(struct fs *fs, const struct node *directory, enum version_type type,
                       const struct fs_creation *creation, struct attributes *ret_attributes);

/* kv_put, and what it says of the times of the key's directory is known from now on. */
MUST_CHECK enum status fs_put(struct fs *fs, const struct kv_put *put, struct object **ret_row);
/* kv_get of the directory `node`, whose key is `key`; its times are known afterwards. */
MUST_CHECK enum status fs_get_directory(struct fs *fs, struct node *node, struct slice key,
                                        struct object **ret_object);
/* Asks the cluster when a name in the directory appeared or vanished last. */
int fs_refresh_names(struct fs *fs, struct node *node);
/* A name that only this mount shows appeared or vanished. */
void fs_names_changed_now(struct fs *fs, struct node *directory);
/* What is shown of a directory whose object has these attributes. The table's lock is held. */
void fs_directory_times(const struct node *node, struct attributes *attributes);
/* The attributes of the directory are about to be put with an mtime that stays until its names
 * change. */
void fs_set_directory_times(struct fs *fs, const struct node *node,
                            struct attributes *attributes);

/* Deletes what the node shows, and no more. The node stays. */
int fs_delete_shown(struct fs *fs, struct node *node);
/* ENOTEMPTY if the directory has a live row or a pending file. */
int fs_check_empty(struct fs *fs, struct node *directory);

/* Changes attributes (NULL: none) or one user attribute (NULL: none): of an open file in
 * memory, which its next flush puts, or at once if nothing else is to be put; otherwise on the
 * cluster.
 */
int fs_change_node(struct fs *fs, struct node *node, const struct fs_change *change,
                   const struct fs_xattr_change *xattr);

#endif
