/*
 * change.h - changing attributes, size and user attributes.
 */
#ifndef FS_MODEL_CHANGE_H
#define FS_MODEL_CHANGE_H

#include "fs/model/model.h"
#include "fs/model/xattrs.h"

enum change_flag {
    CHANGE_MODE = 1,
    CHANGE_USER = 2,
    CHANGE_GROUP = 4,
    CHANGE_SIZE = 8,
    CHANGE_ACCESSED = 16,
    CHANGE_MODIFIED = 32,
};

struct change {
    uint32_t flags;
    uint32_t mode;
    uint32_t user;
    uint32_t group;
    uint64_t size;
    int64_t accessed_ns;
    int64_t modified_ns;
    bool has_handle; /* of the file, open for writing: its close will put the new size */
};

int change_attributes(struct fs *fs, uint64_t id, const struct change *change,
                      struct stat *ret_attributes);

/* Changes attributes (NULL: none) or one user attribute (NULL: none): of an open file in
 * memory, which its next flush puts, or at once if nothing else is to be put; otherwise on the
 * cluster. */
int change_inode(struct fs *fs, struct inode *inode, const struct change *change,
                 const struct xattr_change *xattr);

#endif
