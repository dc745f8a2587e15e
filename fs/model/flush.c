/*
 * flush.c - when an open file is put: flush, fsync, and the last close.
 */
#include "fs/model/flush.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/hold.h"
#include "fs/model/load.h"
#include "fs/model/put.h"
#include "fs/model/times.h"

/* A clean file is only made durable: its copies are stored and sent again. Its blocks were,
 * before it was put. */
static int sync_clean(struct file *file)
{
    struct fs *fs = file->fs;
    struct buffer key = {0};
    int failed = hold_key(fs, file->inode, &key);

    if (failed == 0) {
        struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_NONE, .sync = true};
        failed = errno_of_status(times_put(fs, &put, NULL));
    }
    buffer_release(&key);
    return failed;
}

static int flush(struct file *file, bool sync)
{
    struct fs *fs = file->fs;
    int failed = hold_take_token(fs, file->inode);
    if (failed != 0) {
        return failed;
    }

    file_lock(file);
    bool is_dirty = file->is_dirty;
    file_unlock(file);
    inodes_lock(&fs->inodes);
    bool is_unlinked = file->inode->is_unlinked;
    inodes_unlock(&fs->inodes);
    if (is_unlinked) {
        failed = 0;
    } else if (is_dirty) {
        failed = put_file(file, sync);
    } else if (sync) {
        failed = sync_clean(file);
    }
    hold_return_token(fs, file->inode);
    return failed;
}

int flush_file(struct fs *fs, struct file *file, bool more_follow)
{
    assert(file->fs == fs);

    if (more_follow && file_is_unwritten(file)) {
        return 0;
    }
    return flush(file, false);
}

int flush_sync(struct fs *fs, struct file *file)
{
    assert(file->fs == fs);

    int failed = flush(file, true);

    inodes_lock(&fs->inodes);
    int lost = file->inode->lost;
    file->inode->lost = 0;
    inodes_unlock(&fs->inodes);
    return failed != 0 ? failed : lost;
}

/* The content is gone with its last handle: say so, and let the next fsync say so. */
static void note_loss(struct file *file, int failed)
{
    struct fs *fs = file->fs;
    struct buffer key = {0};
    char text[512];

    int no_key = hold_key(fs, file->inode, &key);
    inodes_lock(&fs->inodes);
    file->inode->lost = failed;
    file->inode->is_cached = false;
    file->inode->fresh_until_ns = 0; /* what was told of it is not so any more */
    if (file->inode->is_pending) {
        inode_unlink(&fs->inodes, file->inode); /* the cluster never had it */
    }
    inodes_unlock(&fs->inodes);
    snprintf(text, sizeof text, "changes to %.*s are lost: %s", no_key == 0 ? (int)key.size : 0,
             no_key == 0 ? (const char *)key.data : "", strerrordesc_np(failed));
    model_note(fs, text);
    buffer_release(&key);
}

/* A handle that may write goes. While what it wrote is not put the file is no cache. */
static void leave_writer(struct fs *fs, struct file *file)
{
    file_lock(file);
    inodes_lock(&fs->inodes);
    if (!file->is_dirty && file->writers > 0) {
        file->writers--;
    }
    inodes_unlock(&fs->inodes);
    file_unlock(file);
}

bool flush_release(struct fs *fs, struct file *file, unsigned flags)
{
    assert(file->fs == fs);

    bool is_lost = false;
    int failed = 0;

    inodes_lock(&fs->inodes);
    assert(file->handles > 0);
    if (file->handles == 1) {
        inodes_unlock(&fs->inodes);
        failed = flush(file, false); /* nobody else can close it, though others may open it */
        inodes_lock(&fs->inodes);
    }
    bool is_last = --file->handles == 0;
    bool is_unlinked = file->inode->is_unlinked;
    if (is_last) {
        file->inode->file = NULL;
    }
    inodes_unlock(&fs->inodes);
    if (!is_last && (flags & OPEN_READ_ONLY) == 0) {
        leave_writer(fs, file);
    }
    if (is_last && !is_unlinked) {
        file_lock(file);
        bool is_dirty = file->is_dirty;
        file_unlock(file);
        is_lost = is_dirty;
    }
    if (is_lost) {
        note_loss(file, failed != 0 ? failed : EIO);
    }
    file_unref(file);
    return is_lost;
}
