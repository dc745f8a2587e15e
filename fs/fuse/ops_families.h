/*
 * ops_families.h - the operations by family.
 */
#ifndef FS_FUSE_OPS_FAMILIES_H
#define FS_FUSE_OPS_FAMILIES_H

#include "fs/fuse/request.h"

void ops_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void ops_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count);
void ops_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void ops_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void ops_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *attributes, int to_set,
                 struct fuse_file_info *info);
void ops_readlink(fuse_req_t request, fuse_ino_t inode);
void ops_statfs(fuse_req_t request, fuse_ino_t inode);

void ops_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                struct fuse_file_info *info);
void ops_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void ops_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
              struct fuse_file_info *info);
void ops_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
               off_t offset, struct fuse_file_info *info);
void ops_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void ops_lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
               struct fuse_file_info *info);
void ops_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                   struct fuse_file_info *info);
void ops_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                         struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
                         struct fuse_file_info *to_info, size_t size, int flags);
void ops_fsync(fuse_req_t request, fuse_ino_t inode, int data_only,
               struct fuse_file_info *info);
void ops_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);

void ops_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void ops_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                 struct fuse_file_info *info);
void ops_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                     struct fuse_file_info *info);
void ops_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void ops_fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only,
                  struct fuse_file_info *info);

void ops_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
               dev_t device);
void ops_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void ops_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void ops_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *name);
void ops_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                const char *new_name, unsigned int flags);

void ops_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size);
void ops_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);
void ops_setxattr(fuse_req_t request, fuse_ino_t inode, const char *name, const char *value,
                  size_t size, int flags);
void ops_removexattr(fuse_req_t request, fuse_ino_t inode, const char *name);

#endif
