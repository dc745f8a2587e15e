/*
 * fs.h - the mount's model: what every operation does, without FUSE.
 *
 * Shape:    functions that block on kv.h and return 0 or an errno. Inodes are named by the ids
 *           that fs_lookup and its like hand out; each hand-out is one reference, given back
 *           by fs_forget. Names are C strings of the kernel: no slash, not `.` or `..`.
 * Threads:  every function from any thread. No lock is held during a kv call.
 * Source:   docs/design.md, The mount.
 */
#ifndef FS_MODEL_FS_H
#define FS_MODEL_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "node/client/kv.h"

struct fs;
struct file;      /* an open file; shared by all handles of an inode */
struct directory; /* a directory being listed; one for each handle */

struct fs_config {
    struct kv *kv;        /* borrowed; outlives the fs */
    uint32_t deadline_ms; /* of one kv call; 0: the default of kv.h */
    uint8_t r;            /* 0: the default quorum */
    uint8_t w;
    double attribute_timeout; /* seconds that the kernel may believe attributes */
    double entry_timeout;     /* ... and names */
    uint32_t user;            /* of the mounter: owner of a root that nobody changed yet */
    uint32_t group;
    /* One line for people about something lost that no call could report; may be NULL. Called
     * from any thread, with no lock held. */
    void (*on_note)(void *note_context, const char *text);
    void *note_context;
};

/* A new model over config->kv. NULL when memory is short. */
struct fs *fs_new(const struct fs_config *config);
/* No call may be under way and the session must be gone. NULL is allowed. */
void fs_free(struct fs *fs);

/* What a name or inode shows. */
struct fs_entry {
    uint64_t id;
    struct stat attributes;
    double valid_s; /* how long the kernel may keep the attributes */
};

/* Finds a name. ENOENT must not be cached. On success one reference to the inode. */
int fs_lookup(struct fs *fs, uint64_t parent, const char *name, struct fs_entry *ret_entry);
void fs_forget(struct fs *fs, uint64_t inode, uint64_t count);
/* ESTALE if the name now shows something else, unless the inode is open; ENOENT of a directory
 * that is gone. A file open for writing
 * is answered from memory, and so is what was asked for within the attribute timeout.
 * ret_valid_s: how long the kernel may keep it. */
int fs_getattr(struct fs *fs, uint64_t inode, struct stat *ret_attributes, double *ret_valid_s);
int fs_readlink(struct fs *fs, uint64_t inode, struct buffer *ret_target);
int fs_statfs(struct fs *fs, struct statvfs *ret_space);

enum fs_change_flag {
    FS_CHANGE_MODE = 1,
    FS_CHANGE_USER = 2,
    FS_CHANGE_GROUP = 4,
    FS_CHANGE_SIZE = 8,
    FS_CHANGE_ACCESSED = 16,
    FS_CHANGE_MODIFIED = 32,
};

struct fs_change {
    uint32_t flags;
    uint32_t mode;
    uint32_t user;
    uint32_t group;
    uint64_t size;
    int64_t accessed_ns;
    int64_t modified_ns;
    bool has_handle; /* of the file, open for writing: its close will put the new size */
};

int fs_setattr(struct fs *fs, uint64_t inode, const struct fs_change *change,
               struct stat *ret_attributes);

/* Who asks, and the permission bits (umask applied) of what is made. */
struct fs_creation {
    uint32_t user;
    uint32_t group;
    uint32_t mode;
};

/* A file that only this mount shows until its first flush. No kv call. */
int fs_create(struct fs *fs, uint64_t parent, const char *name,
              const struct fs_creation *creation, struct fs_entry *ret_entry,
              struct file **ret_file);
/* An empty file, put at once. */
int fs_mknod(struct fs *fs, uint64_t parent, const char *name,
             const struct fs_creation *creation, struct fs_entry *ret_entry);
int fs_mkdir(struct fs *fs, uint64_t parent, const char *name,
             const struct fs_creation *creation, struct fs_entry *ret_entry);
int fs_symlink(struct fs *fs, uint64_t parent, const char *name, const char *target,
               const struct fs_creation *creation, struct fs_entry *ret_entry);
int fs_unlink(struct fs *fs, uint64_t parent, const char *name);
int fs_rmdir(struct fs *fs, uint64_t parent, const char *name);

struct fs_rename {
    uint64_t parent;
    const char *name;
    uint64_t new_parent;
    const char *new_name;
    bool no_replace; /* EEXIST if the new name is taken */
};

int fs_rename(struct fs *fs, const struct fs_rename *names);

struct fs_opened {
    struct file *file;
    bool keep_cache;  /* the kernel's pages hold this very content */
    bool has_changed; /* the kernel was told other attributes: invalidate them */
    bool is_another;  /* the file that took the place of the inode: none of its pages count */
};

enum fs_open_flag {
    FS_OPEN_TRUNCATE = 1,  /* O_TRUNC; counts as writing */
    FS_OPEN_READ_ONLY = 2, /* O_RDONLY */
    FS_OPEN_AGAIN = 4,     /* ESTALE was answered, and the name looked up since */
};

/*
 * Asks the cluster. ESTALE if the inode is gone, or its name shows another file: then the
 * kernel looks the name up and tries again, which is told by FS_OPEN_AGAIN. A second time
 * nothing fails because the name was replaced meanwhile. What is opened is then the inode as
 * others hold it open, for it was what the lookup found; or else the file that has its name
 * now, and the inode stands for that file.
 */
int fs_open(struct fs *fs, uint64_t inode, unsigned flags, struct fs_opened *ret_opened);
/* Bytes from `offset`, fewer at the end; the caller drops *ret_blob, which holds them. */
int fs_read(struct file *file, uint64_t offset, size_t size, struct slice *ret_bytes,
            struct blob **ret_blob);
/* Writes what fits below VALUE_SIZE_MAX, as a disk does at its limit: EFBIG if that is nothing.
 * With `append` at the end, wherever the offset. */
int fs_write(struct file *file, struct slice bytes, uint64_t offset, bool append,
             size_t *ret_written);
/* True if the file was created or truncated, and nothing written yet. */
bool fs_is_unwritten(struct file *file);
/* Puts what was changed; what close(2) returns. On failure the changes stay, and the next
 * flush tries again. With `more_follow` (whoever closes has it open once more) a file that is
 * not written yet waits for that close. */
int fs_flush(struct fs *fs, struct file *file, bool more_follow);
/* The same, and every copy that counts survives a power cut. */
int fs_fsync(struct fs *fs, struct file *file);
/* One handle fewer, of one that was opened with `flags`. The last one tries once more to put
 * what is not put, and notes a loss. True if there was one: the kernel believes what is not so.
 */
bool fs_release(struct fs *fs, struct file *file, unsigned flags);

int fs_opendir(struct fs *fs, uint64_t inode, struct directory **ret_directory);
void fs_releasedir(struct fs *fs, struct directory *directory);
/* Rows of the directory that were acknowledged before survive a power cut. */
int fs_fsyncdir(struct fs *fs, uint64_t inode);

/* One name of a listing; valid until directory_unlock. */
struct fs_directory_entry {
    const char *name;
    struct stat attributes;
    uint64_t position;
};

/*
 * One reader at a time. A position is that of a name as long as the handle is not rewound: 0
 * (which rewinds) and 1 are the dots, and reading on from any position gives each name behind
 * it that stays exactly once, whatever is made or removed meanwhile.
 *
 * directory_at gives the name at `position`, or the next one that is still there (*ret_is_end
 * past the last); directory_enter hands out the inode of the one given last as fs_lookup would
 * (the dots have none), ENOENT if this mount has removed it since.
 */
void directory_lock(struct directory *directory);
void directory_unlock(struct directory *directory);
int directory_at(struct directory *directory, uint64_t position,
                 struct fs_directory_entry *ret_entry, bool *ret_is_end);
int directory_enter(struct directory *directory, uint64_t position, struct fs_entry *ret_entry);

/* `user.*` attributes and the read-only `user.dynamofs.*`. ENODATA, ENOTSUP, ERANGE is the
 * caller's. Values are appended. */
int fs_getxattr(struct fs *fs, uint64_t inode, const char *name, struct buffer *ret_value);
/* Names, each with its NUL. */
int fs_listxattr(struct fs *fs, uint64_t inode, struct buffer *ret_names);

struct fs_xattr_change {
    const char *name;
    struct slice value;
    bool remove;
    bool must_exist;  /* XATTR_REPLACE */
    bool must_create; /* XATTR_CREATE */
};

int fs_setxattr(struct fs *fs, uint64_t inode, const struct fs_xattr_change *change);

#endif
