/*
 * request.h - what the operations share: who asks, for how long, and the replies.
 */
#ifndef FS_FUSE_REQUEST_H
#define FS_FUSE_REQUEST_H

#include "fs/fuse/ops.h"
#include "fs/model/create.h"

/* The model of a request. */
struct fs *request_fs(fuse_req_t request);
/* Whoever asks, and the permission bits of what is made. */
struct creation request_creation(fuse_req_t request, mode_t mode);
/*
 * Around what a request asks of the cluster, and before its reply: all its calls together have
 * one deadline, and end early once the kernel says that whoever waits was interrupted.
 */
void request_begin(fuse_req_t request);
void request_end(void);
/* What the kernel is told of an entry, with our timeouts. */
struct fuse_entry_param request_entry(struct fs *fs, const struct fs_entry *entry);
/* Replies an entry, or the error; takes the reference back if the kernel did not take it. */
void request_reply_entry(fuse_req_t request, int failed, const struct fs_entry *entry);
void request_reply_attributes(fuse_req_t request, int failed, const struct stat *attributes);
/* Attributes that the kernel was told have changed on the cluster. */
void request_attributes_changed(struct fs *fs, uint64_t inode);

#endif
