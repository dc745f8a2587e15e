/*
 * create.h - making names.
 */
#ifndef FS_MODEL_CREATE_H
#define FS_MODEL_CREATE_H

#include "fs/model/fs.h"

struct file;

/* Who asks, and the permission bits (umask applied) of what is made. */
struct creation {
    uint32_t user;
    uint32_t group;
    uint32_t mode;
};

/* A file that only this mount shows until its first flush. No kv call. */
int create_pending(struct fs *fs, uint64_t parent, const char *name,
                   const struct creation *creation, struct fs_entry *ret_entry,
                   struct file **ret_file);
/* An empty file, put at once. */
int create_empty(struct fs *fs, uint64_t parent, const char *name,
                 const struct creation *creation, struct fs_entry *ret_entry);
/* A FIFO, a socket or a device: what the kernel does all work of but that of names. */
struct special {
    enum version_type type;
    uint64_t device; /* its number, as of makedev(3); 0 for FIFOs and sockets */
};
int create_special(struct fs *fs, uint64_t parent, const char *name,
                   const struct special *special, const struct creation *creation,
                   struct fs_entry *ret_entry);
int create_directory(struct fs *fs, uint64_t parent, const char *name,
                     const struct creation *creation, struct fs_entry *ret_entry);
int create_symlink(struct fs *fs, uint64_t parent, const char *name, const char *target,
                   const struct creation *creation, struct fs_entry *ret_entry);

#endif
