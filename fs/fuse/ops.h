/*
 * ops.h - the FUSE low-level operations over the model.
 *
 * Shape:    one table; the session's user data is a struct fs.
 * Threads:  the operations may be called from any number of libfuse worker threads.
 * Never:    a lock held while libfuse is called.
 */
#ifndef FS_FUSE_OPS_H
#define FS_FUSE_OPS_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 314
#endif

#include <fuse_lowlevel.h>

#include "fs/model/fs.h"

/* For fuse_session_new, with a struct fs as its user data. */
const struct fuse_lowlevel_ops *ops_table(void);

/*
 * Where the operations send notifications (attributes that changed behind the kernel). Set it
 * once, before the session's loop runs; the session outlives the loop. NULL: no notifications.
 */
void ops_set_session(struct fs *fs, struct fuse_session *session);

#endif
