/*
 * ops_lookup.c - names and attributes.
 */
#include <errno.h>

#include "fs/fuse/ops_families.h"
#include "fs/model/attributes.h"
#include "fs/model/change.h"
#include "fs/model/lookup.h"
#include "fs/model/query.h"

void ops_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fs_entry entry;

    request_begin(request);
    int failed = lookup_name(request_fs(request), parent, name, &entry);
    request_end();
    /* That nothing is there is said as an error, which the kernel does not remember: another
     * mount may make it the next moment. */
    request_reply_entry(request, failed, &entry);
}

void ops_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count)
{
    lookup_forget(request_fs(request), inode, count);
    fuse_reply_none(request);
}

void ops_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++) {
        lookup_forget(request_fs(request), forgets[i].ino, forgets[i].nlookup);
    }
    fuse_reply_none(request);
}

void ops_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct stat attributes;
    double valid_s = 0;

    (void)info;
    request_begin(request);
    int failed = query_attributes(request_fs(request), inode, &attributes, &valid_s);
    request_end();
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    fuse_reply_attr(request, &attributes, valid_s);
}

/* Times that 64 bits of nanoseconds do not reach (before 1678, after 2262) are the nearest that
 * they do. */
static int64_t nanoseconds(const struct timespec *time)
{
    int64_t result;

    if (__builtin_mul_overflow((int64_t)time->tv_sec, INT64_C(1000000000), &result) ||
        __builtin_add_overflow(result, (int64_t)time->tv_nsec, &result)) {
        return time->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    }
    return result;
}

void ops_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *attributes, int to_set,
                 struct fuse_file_info *info)
{
    struct stat result;
    int64_t now = attributes_now_ns();
    struct change change = {
        .mode = attributes->st_mode & 07777,
        .user = attributes->st_uid,
        .group = attributes->st_gid,
        .size = (uint64_t)attributes->st_size,
        .accessed_ns =
            to_set & FUSE_SET_ATTR_ATIME_NOW ? now : nanoseconds(&attributes->st_atim),
        .modified_ns =
            to_set & FUSE_SET_ATTR_MTIME_NOW ? now : nanoseconds(&attributes->st_mtim),
        .has_handle = info,
    };

    change.flags |= to_set & FUSE_SET_ATTR_MODE ? CHANGE_MODE : 0;
    change.flags |= to_set & FUSE_SET_ATTR_UID ? CHANGE_USER : 0;
    change.flags |= to_set & FUSE_SET_ATTR_GID ? CHANGE_GROUP : 0;
    change.flags |= to_set & FUSE_SET_ATTR_SIZE ? CHANGE_SIZE : 0;
    if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) {
        change.flags |= CHANGE_ACCESSED;
    }
    if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
        change.flags |= CHANGE_MODIFIED;
    }
    request_begin(request);
    int failed = change_attributes(request_fs(request), inode, &change, &result);
    request_end();
    request_reply_attributes(request, failed, &result);
}

void ops_readlink(fuse_req_t request, fuse_ino_t inode)
{
    struct buffer target = {0};

    request_begin(request);
    int failed = query_link(request_fs(request), inode, &target);
    request_end();
    buffer_append_byte(&target, 0);
    if (failed == 0 && target.failed) {
        failed = ENOMEM;
    }
    if (failed == 0) {
        fuse_reply_readlink(request, (const char *)target.data);
    } else {
        fuse_reply_err(request, failed);
    }
    buffer_release(&target);
}

void ops_statfs(fuse_req_t request, fuse_ino_t inode)
{
    struct statvfs space;

    (void)inode;
    request_begin(request);
    int failed = query_space(request_fs(request), &space);
    request_end();
    if (failed == 0) {
        fuse_reply_statfs(request, &space);
    } else {
        fuse_reply_err(request, failed);
    }
}
