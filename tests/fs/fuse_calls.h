/*
 * fuse_calls.h - the requests of the FUSE protocol, one function each.
 *
 * All return 0 or an errno, as the system calls of a program would see it.
 *
 * Threads:  any.
 */
#ifndef TESTS_FS_FUSE_CALLS_H
#define TESTS_FS_FUSE_CALLS_H

#include "tests/fs/fuse_kernel.h"

/* The inode that the mount begins with. */
enum { ROOT = FUSE_ROOT_ID };

int call_lookup(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                struct fuse_entry_out *ret_entry);
/* The inode of a name, 0 if there is none. */
uint64_t call_find(struct fuse_kernel *kernel, uint64_t parent, const char *name);
int call_forget(struct fuse_kernel *kernel, uint64_t inode, uint64_t count);
int call_getattr(struct fuse_kernel *kernel, uint64_t inode, struct fuse_attr *ret_attributes);
int call_setattr(struct fuse_kernel *kernel, uint64_t inode, const struct fuse_setattr_in *in,
                 struct fuse_attr *ret_attributes);
int call_truncate(struct fuse_kernel *kernel, uint64_t inode, uint64_t size);

int call_create(struct fuse_kernel *kernel, uint64_t parent, const char *name, uint32_t mode,
                uint64_t *ret_inode, uint64_t *ret_handle);
int call_open(struct fuse_kernel *kernel, uint64_t inode, int flags, uint64_t *ret_handle);
int call_write(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
               struct slice bytes);
int call_read(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
              uint32_t size, struct fuse_kernel_reply *ret_bytes);
int call_flush(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle);
int call_fsync(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle);
int call_release(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle);

int call_mkdir(struct fuse_kernel *kernel, uint64_t parent, const char *name,
               uint64_t *ret_inode);
int call_mknod(struct fuse_kernel *kernel, uint64_t parent, const char *name, uint32_t mode,
               uint64_t *ret_inode);
int call_mknod_device(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                      uint32_t mode, uint32_t device);
int call_symlink(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                 const char *target, uint64_t *ret_inode);
int call_readlink(struct fuse_kernel *kernel, uint64_t inode,
                  struct fuse_kernel_reply *ret_target);
int call_link(struct fuse_kernel *kernel, uint64_t inode, uint64_t parent, const char *name);
int call_unlink(struct fuse_kernel *kernel, uint64_t parent, const char *name);
int call_rmdir(struct fuse_kernel *kernel, uint64_t parent, const char *name);
int call_rename(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                uint64_t new_parent, const char *new_name, uint32_t flags);

int call_opendir(struct fuse_kernel *kernel, uint64_t inode, uint64_t *ret_handle);
int call_releasedir(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle);
/* One READDIR or READDIRPLUS. */
int call_readdir(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
                 bool plus, struct fuse_kernel_reply *ret_entries);

int call_setxattr(struct fuse_kernel *kernel, uint64_t inode, const char *name,
                  struct slice value, uint32_t flags);
/* `size` 0 asks for the size alone, which comes as a struct fuse_getxattr_out. */
int call_getxattr(struct fuse_kernel *kernel, uint64_t inode, const char *name, uint32_t size,
                  struct fuse_kernel_reply *ret_value);
int call_listxattr(struct fuse_kernel *kernel, uint64_t inode, uint32_t size,
                   struct fuse_kernel_reply *ret_names);
int call_removexattr(struct fuse_kernel *kernel, uint64_t inode, const char *name);
int call_statfs(struct fuse_kernel *kernel, struct fuse_kstatfs *ret_space);

/* What programs do, as several requests; the first errno ends it. */

/* open(O_CREAT | O_TRUNC), write, close. */
int shell_write(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                const char *content);
/* The content of a file as a string of at most size - 1 bytes; opened and closed. */
int shell_read(struct fuse_kernel *kernel, uint64_t parent, const char *name, char *ret_text,
               size_t size);
/* The names of a directory, parted by spaces, without . and .. */
int shell_list(struct fuse_kernel *kernel, uint64_t inode, bool plus, char *ret_names,
               size_t size);

#endif
