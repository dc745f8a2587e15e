/*
 * extended.h - extended attributes: those of users, and what `user.dynamofs.*` tells.
 */
#ifndef FS_MODEL_EXTENDED_H
#define FS_MODEL_EXTENDED_H

#include "fs/model/fs.h"
#include "fs/model/xattrs.h"

/* `user.*` attributes and the read-only `user.dynamofs.*`. ENODATA, ENOTSUP, ERANGE is the
 * caller's. Values are appended. */
int extended_get(struct fs *fs, uint64_t id, const char *name, struct buffer *ret_value);
/* Names, each with its NUL. */
int extended_list(struct fs *fs, uint64_t id, struct buffer *ret_names);
int extended_set(struct fs *fs, uint64_t id, const struct xattr_change *change);

#endif
