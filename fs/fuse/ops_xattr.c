/*
 * ops_xattr.c - extended attributes.
 */
#include <errno.h>
#include <sys/xattr.h>

#include "fs/fuse/ops_families.h"
#include "fs/model/extended.h"

/* A reply of getxattr and listxattr: size 0 asks for the size. */
static void reply_bytes(fuse_req_t request, int failed, const struct buffer *bytes, size_t size)
{
    if (failed == 0 && size > 0 && bytes->size > size) {
        failed = ERANGE;
    }
    if (failed != 0) {
        fuse_reply_err(request, failed);
    } else if (size == 0) {
        fuse_reply_xattr(request, bytes->size);
    } else {
        fuse_reply_buf(request, (const char *)bytes->data, bytes->size);
    }
}

void ops_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size)
{
    struct buffer value = {0};

    request_begin(request);
    int failed = extended_get(request_fs(request), inode, name, &value);
    request_end();
    reply_bytes(request, failed, &value, size);
    buffer_release(&value);
}

void ops_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    struct buffer names = {0};

    request_begin(request);
    int failed = extended_list(request_fs(request), inode, &names);
    request_end();
    reply_bytes(request, failed, &names, size);
    buffer_release(&names);
}

void ops_setxattr(fuse_req_t request, fuse_ino_t inode, const char *name, const char *value,
                  size_t size, int flags)
{
    struct xattr_change change = {
        .name = name,
        .value = slice_of(value, size),
        .must_create = (flags & XATTR_CREATE) != 0,
        .must_exist = (flags & XATTR_REPLACE) != 0,
    };

    request_begin(request);
    int failed = extended_set(request_fs(request), inode, &change);
    request_end();
    fuse_reply_err(request, failed);
}

void ops_removexattr(fuse_req_t request, fuse_ino_t inode, const char *name)
{
    struct xattr_change change = {.name = name, .remove = true};

    request_begin(request);
    int failed = extended_set(request_fs(request), inode, &change);
    request_end();
    fuse_reply_err(request, failed);
}
