/*
 * xattrs.h - user attributes as the bytes kept in version.xattrs.
 *
 * Format:   for each attribute: size of the name (2 bytes, little endian), size of the value
 *           (4 bytes), when it was set (8 bytes, nanoseconds since 1970), 1 if it was removed
 *           then (1 byte), name, value. Names are not empty and appear once, in their order.
 * Rule:     of attributes that were changed beside one another each is that of who set or
 *           removed it last; so a removal is kept, as long as there is room.
 * Never:    trusted bytes: what breaks the format is EIO, as the mount that wrote them may be
 *           another program.
 */
#ifndef FS_MODEL_XATTRS_H
#define FS_MODEL_XATTRS_H

#include "ring/object.h"

enum {
    XATTR_NAME_MAX_SIZE = 255,
    XATTR_HEADER_SIZE = 15,
    XATTR_REMOVALS_MAX = 64, /* kept; of more the oldest are forgotten */
};

struct xattr_change {
    const char *name;
    struct slice value;
    bool remove;
    bool must_exist;  /* XATTR_REPLACE */
    bool must_create; /* XATTR_CREATE */
};

/* Steps through the attributes that are there: `*offset` starts at 0. Returns 0, ENODATA at the
 * end, EIO. The slices are inside `encoded`. */
int xattrs_next(struct slice encoded, size_t *offset, struct slice *ret_name,
                struct slice *ret_value);
/* ENODATA if it is not there; EIO. */
int xattrs_get(struct slice encoded, struct slice name, struct slice *ret_value);
/* The bytes after the change made at `now_ns`, a new blob; NULL for none at all. ENODATA (to
 * replace or remove what is not there), EEXIST, ENOSPC (over XATTRS_SIZE_MAX), ENOMEM, EIO. */
int xattrs_change(const struct blob *old, const struct xattr_change *change, int64_t now_ns,
                  struct blob **ret_new);
/* Both, each attribute as it was set last: commutative, associative and idempotent. A new
 * reference, NULL for none at all. ENOSPC if they have no room beside one another, ENOMEM,
 * EIO. */
int xattrs_merge(struct blob *a, struct blob *b, struct blob **ret_merged);

#endif
