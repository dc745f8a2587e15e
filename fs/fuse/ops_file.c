/*
 * ops_file.c - open files. A handle is the model's struct file.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fs/fuse/descriptors.h"
#include "fs/fuse/ops_families.h"
#include "fs/fuse/retries.h"
#include "fs/model/copy.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/lookup.h"
#include "fs/model/open.h"
#include "fs/model/query.h"

static struct file *file_of(const struct fuse_file_info *info)
{
    return (struct file *)(uintptr_t)info->fh;
}

static unsigned open_flags(const struct fuse_file_info *info)
{
    unsigned flags = (info->flags & O_ACCMODE) == O_RDONLY ? OPEN_READ_ONLY : 0;

    return flags | (info->flags & O_TRUNC ? OPEN_TRUNCATE : 0);
}

void ops_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                struct fuse_file_info *info)
{
    struct fs *fs = request_fs(request);
    struct creation creation = request_creation(request, mode);
    struct fs_entry entry;
    struct file *file;

    request_begin(request);
    int failed = create_pending(fs, parent, name, &creation, &entry, &file);
    request_end();
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    struct fuse_entry_param param = request_entry(fs, &entry);
    info->fh = (uint64_t)(uintptr_t)file;
    info->keep_cache = 1;
    if (fuse_reply_create(request, &param, info) == -ENOENT) {
        flush_release(fs, file, 0); /* the request was interrupted */
        lookup_forget(fs, entry.id, 1);
    }
}

void ops_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct fs *fs = request_fs(request);
    struct opened opened;
    pid_t thread = fuse_req_ctx(request)->pid;
    unsigned again = retries_take(thread) ? OPEN_AGAIN : 0;

    request_begin(request);
    int failed = open_inode(fs, inode, open_flags(info) | again, &opened);
    request_end();
    if (failed == ESTALE && again == 0) {
        retries_note(thread);
    }
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    if (opened.has_changed) {
        request_attributes_changed(fs, inode);
    }
    info->fh = (uint64_t)(uintptr_t)opened.file;
    info->keep_cache = opened.keep_cache;
    info->noflush = (info->flags & O_ACCMODE) == O_RDONLY;
    /* The kernel appends where it believes the end to be; where it is wrong, its pages may not
     * come into it. */
    info->direct_io =
        opened.is_another || (opened.has_changed && (info->flags & O_APPEND) != 0);
    if (fuse_reply_open(request, info) == -ENOENT) {
        flush_release(fs, opened.file, open_flags(info)); /* the request was interrupted */
    }
}

void ops_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
              struct fuse_file_info *info)
{
    struct slice bytes;
    struct blob *blob;

    (void)inode;
    request_begin(request);
    int failed = io_read(file_of(info), (uint64_t)offset, size, &bytes, &blob);
    request_end();
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    fuse_reply_buf(request, (const char *)bytes.data, bytes.size);
    blob_unref(blob);
}

void ops_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
               off_t offset, struct fuse_file_info *info)
{
    bool append = (info->flags & O_APPEND) != 0 && !info->writepage;
    size_t written;

    (void)inode;
    request_begin(request);
    int failed =
        io_write(file_of(info), slice_of(bytes, size), (uint64_t)offset, append, &written);
    request_end();
    if (failed == 0) {
        fuse_reply_write(request, written);
    } else {
        fuse_reply_err(request, failed);
    }
}

/* True if whoever closes the file, which was not written yet, has it open once more. */
static bool is_duplicated(fuse_req_t request, fuse_ino_t inode)
{
    struct stat attributes;
    double valid_s;

    return query_attributes(request_fs(request), inode, &attributes, &valid_s) == 0 &&
           descriptors_has_other(fuse_req_ctx(request)->pid, attributes.st_ino);
}

void ops_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct file *file = file_of(info);

    request_begin(request);
    bool more_follow = file_is_unwritten(file) && is_duplicated(request, inode);
    int failed = flush_file(request_fs(request), file, more_follow);
    request_end();
    if (failed != 0) {
        /* What was written may never be there. */
        request_attributes_changed(request_fs(request), inode);
    }
    fuse_reply_err(request, failed);
}

/* The kernel asks for SEEK_DATA and SEEK_HOLE alone. */
void ops_lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
               struct fuse_file_info *info)
{
    uint64_t found = 0;

    (void)inode;
    request_begin(request);
    int failed = offset < 0
                     ? ENXIO
                     : io_seek(file_of(info), (uint64_t)offset, whence == SEEK_DATA, &found);
    request_end();
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    fuse_reply_lseek(request, (off_t)found);
}

/* Room is never set aside: what a file needs is known when it is written. */
void ops_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                   struct fuse_file_info *info)
{
    struct file *file = file_of(info);
    bool keeps_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
    bool clears = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    int failed = 0;

    (void)inode;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    request_begin(request);
    if (!keeps_size) {
        failed = io_extend(file, (uint64_t)offset + (uint64_t)length);
    }
    if (failed == 0 && clears) {
        failed = io_clear(file, (uint64_t)offset, (uint64_t)length);
    }
    request_end();
    fuse_reply_err(request, failed);
}

void ops_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                         struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
                         struct fuse_file_info *to_info, size_t size, int flags)
{
    size_t copied = 0;

    (void)from;
    (void)to;
    request_begin(request);
    int failed = flags != 0 || from_offset < 0 || to_offset < 0
                     ? EINVAL
                     : copy_range(file_of(from_info), (uint64_t)from_offset, file_of(to_info),
                                  (uint64_t)to_offset, size, &copied);
    request_end();
    if (failed == 0) {
        fuse_reply_write(request, copied);
    } else {
        fuse_reply_err(request, failed);
    }
}

void ops_fsync(fuse_req_t request, fuse_ino_t inode, int data_only, struct fuse_file_info *info)
{
    (void)inode;
    (void)data_only; /* content and attributes are one put */
    request_begin(request);
    int failed = flush_sync(request_fs(request), file_of(info));
    request_end();
    fuse_reply_err(request, failed);
}

void ops_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    /* Nobody waits for it, and it is the last chance of what is not put yet: no limits. */
    if (flush_release(request_fs(request), file_of(info), open_flags(info))) {
        request_attributes_changed(request_fs(request), inode);
    }
    fuse_reply_err(request, 0);
}
