/*
 * fs.h - the mount's model: what every operation does, without FUSE.
 *
 * Shape:    functions that block on kv.h and return 0 or an errno. Inodes are named by the ids
 *           that lookup_name and its like hand out; each hand-out is one reference, given back
 *           by lookup_forget. Names are C strings of the kernel: no slash, not `.` or `..`.
 * Threads:  every function from any thread. No lock is held during a kv call.
 * Source:   docs/design.md, The mount.
 */
#ifndef FS_MODEL_FS_H
#define FS_MODEL_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "node/client/kv.h"

struct fs;

/* Owner and permissions that every file is shown with, whatever the cluster keeps. */
struct fs_ownership {
    bool has_user;
    bool has_group;
    bool has_umask;
    uint32_t user;
    uint32_t group;
    uint32_t umask; /* permissions are all that it leaves of 0777 */
};

struct fs_config {
    struct kv *kv;        /* borrowed; outlives the fs */
    uint32_t deadline_ms; /* of one kv call; 0: the default of kv.h */
    uint8_t r;            /* 0: the default quorum */
    uint8_t w;
    double attribute_timeout; /* seconds that the kernel may believe attributes */
    double entry_timeout;     /* ... and names */
    /* How long a block of a large file may be named by no version, microseconds; 0: the default
     * of block_set.h. The same for all mounts of a cluster. */
    uint64_t block_grace_us;
    bool hide_siblings; /* unless a directory says otherwise: fs/model/hide.h */
    struct fs_ownership ownership;
    uint32_t user; /* of the mounter: owner of a root that nobody changed yet */
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

#endif
