/*
 * xattrs.h - user attributes as the bytes kept in version.xattrs.
 *
 * Format:   for each attribute: size of the name (2 bytes, little endian), size of the value
 *           (4 bytes), name, value. Names are not empty and appear once.
 * Never:    trusted bytes: what breaks the format is EIO, as the mount that wrote them may be
 *           another program.
 */
#ifndef FS_XATTRS_H
#define FS_XATTRS_H

#include "fs/fs.h"

enum { XATTR_NAME_MAX_SIZE = 255, XATTR_HEADER_SIZE = 6 };

/* Steps through the attributes: `*offset` starts at 0. Returns 0, ENODATA at the end, EIO. The
 * slices are inside `encoded`. */
int xattrs_next(struct slice encoded, size_t *offset, struct slice *ret_name,
                struct slice *ret_value);
/* ENODATA if it is not there; EIO. */
int xattrs_get(struct slice encoded, struct slice name, struct slice *ret_value);
/* The bytes after the change, a new blob; NULL for none at all. ENODATA (to replace or remove
 * what is not there), EEXIST, ENOSPC (over XATTRS_SIZE_MAX), ENOMEM, EIO. */
int xattrs_change(const struct blob *old, const struct fs_xattr_change *change,
                  struct blob **ret_new);

#endif
