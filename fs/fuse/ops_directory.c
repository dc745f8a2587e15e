/*
 * ops_directory.c - listings. A handle is the model's struct directory.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/fuse/ops_families.h"
#include "fs/model/directory.h"

enum { DOTS = 2 };

static struct directory *directory_of(const struct fuse_file_info *info)
{
    return (struct directory *)(uintptr_t)info->fh;
}

void ops_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct fs *fs = request_fs(request);
    struct directory *directory;

    request_begin(request);
    int failed = directory_open(fs, inode, &directory);
    request_end();
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    info->fh = (uint64_t)(uintptr_t)directory;
    if (fuse_reply_open(request, info) == -ENOENT) {
        directory_close(fs, directory); /* the request was interrupted */
    }
}

void ops_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    directory_close(request_fs(request), directory_of(info));
    fuse_reply_err(request, 0);
}

void ops_fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only,
                  struct fuse_file_info *info)
{
    (void)data_only;
    (void)info;
    request_begin(request);
    int failed = directory_sync(request_fs(request), inode);
    request_end();
    fuse_reply_err(request, failed);
}

/* A reply under construction. */
struct reply {
    fuse_req_t request;
    struct directory *directory;
    char *bytes;
    size_t size; /* room */
    size_t used;
};

/* Adds one entry with its inode. *ret_fits is false if there is no room: then no inode is
 * handed out. */
static int add_plus(struct reply *reply, const struct directory_entry *entry, bool *ret_fits)
{
    struct fs *fs = request_fs(reply->request);
    char *place = reply->bytes + reply->used;
    size_t room = reply->size - reply->used;
    struct fs_entry inode = {.attributes = entry->attributes};
    struct fuse_entry_param param = request_entry(fs, &inode);
    off_t next = (off_t)entry->position + 1;

    size_t need = fuse_add_direntry_plus(reply->request, NULL, 0, entry->name, &param, next);
    *ret_fits = need <= room;
    if (need > room) {
        return 0;
    }
    if (entry->position >= DOTS) {
        int failed = directory_enter(reply->directory, entry->position, &inode);
        if (failed != 0 && failed != ENOENT) {
            return failed;
        }
        /* Removed since it was listed: without an inode the kernel makes nothing of it. */
        param = request_entry(fs, &inode);
    }
    reply->used +=
        fuse_add_direntry_plus(reply->request, place, room, entry->name, &param, next);
    return 0;
}

static bool add_plain(struct reply *reply, const struct directory_entry *entry)
{
    size_t room = reply->size - reply->used;
    size_t need =
        fuse_add_direntry(reply->request, reply->bytes + reply->used, room, entry->name,
                          &entry->attributes, (off_t)entry->position + 1);

    if (need > room) {
        return false;
    }
    reply->used += need;
    return true;
}

/* Fills the reply from `position` on. An error after the first entry is told by the next
 * read. */
static int fill(struct reply *reply, uint64_t position, bool plus)
{
    bool is_end = false;
    bool fits = true;
    int failed = 0;

    while (failed == 0 && fits) {
        struct directory_entry entry;
        failed = directory_at(reply->directory, position, &entry, &is_end);
        if (failed != 0 || is_end) {
            break;
        }
        if (plus) {
            failed = add_plus(reply, &entry, &fits);
        } else {
            fits = add_plain(reply, &entry);
        }
        position = entry.position + 1;
    }
    return reply->used > 0 ? 0 : failed;
}

static void list(fuse_req_t request, size_t size, off_t offset, struct fuse_file_info *info,
                 bool plus)
{
    struct reply reply = {.request = request,
                          .directory = directory_of(info),
                          .bytes = malloc(size),
                          .size = size};
    if (!reply.bytes) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    request_begin(request);
    directory_lock(reply.directory);
    int failed = fill(&reply, (uint64_t)offset, plus);
    directory_unlock(reply.directory);
    request_end();
    if (failed == 0) {
        fuse_reply_buf(request, reply.bytes, reply.used);
    } else {
        fuse_reply_err(request, failed);
    }
    free(reply.bytes);
}

void ops_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                 struct fuse_file_info *info)
{
    (void)inode;
    list(request, size, offset, info, false);
}

void ops_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    (void)inode;
    list(request, size, offset, info, true);
}
