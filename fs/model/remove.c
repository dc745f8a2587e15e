/*
 * remove.c - removing names.
 */
#include "fs/model/remove.h"

#include <assert.h>

#include "fs/model/hold.h"
#include "fs/model/place.h"
#include "fs/model/times.h"

int remove_shown(struct fs *fs, struct inode *inode)
{
    assert(inode->is_token_taken);

    struct buffer key = {0};
    struct shown shown = {0};

    buffer_reset(&key);
    inodes_lock(&fs->inodes);
    enum status status = inode_append_key(inode, &key);
    if (status == STATUS_OK) {
        status = shown_copy(&shown, &inode->shown);
    }
    inodes_unlock(&fs->inodes);
    if (status == STATUS_OK) {
        struct kv_put put = {.key = buffer_slice(&key)};
        shown_apply(&shown, &put);
        status = times_put(fs, &put, NULL);
    }
    if (status == STATUS_OK && !shown.dots) {
        conflicts_forget(fs->conflicts, buffer_slice(&key)); /* all that had a number is gone */
    }
    shown_release(&shown);
    buffer_release(&key);
    return errno_of_status(status);
}

/* Removes what the inode shows. The token is taken. */
static int remove_inode(struct fs *fs, struct inode *inode)
{
    assert(inode->is_token_taken);

    inodes_lock(&fs->inodes);
    bool is_gone = inode->is_unlinked || inode->is_ghost;
    bool is_on_cluster = !inode->is_pending && !is_gone;
    inodes_unlock(&fs->inodes);
    int failed = is_on_cluster ? remove_shown(fs, inode) : 0;

    if (!is_on_cluster) {
        times_names_changed(fs, inode->parent);
    }
    if (failed == 0) {
        inodes_lock(&fs->inodes);
        inode_unlink(&fs->inodes, inode);
        inodes_unlock(&fs->inodes);
    }
    return failed;
}

/* Finds what is to be removed, and takes its token. */
static int take_shown(struct fs *fs, uint64_t parent, const char *name,
                      struct inode **ret_inode)
{
    assert(name && ret_inode);

    struct place place;
    struct inode *inode = NULL;
    int failed = place_open(fs, parent, name, &place);

    if (failed != 0) {
        return failed;
    }
    failed = place_shown_inode(fs, &place, &inode);
    if (failed == 0) {
        failed = place_take_token(fs, &place, inode);
    }
    place_release(fs, &place);
    if (failed != 0) {
        hold_release(fs, inode);
        return failed;
    }
    *ret_inode = inode;
    return 0;
}

int remove_file(struct fs *fs, uint64_t parent, const char *name)
{
    struct inode *inode;
    int failed = take_shown(fs, parent, name, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = inode->type == VERSION_DIRECTORY ? EISDIR : remove_inode(fs, inode);
    hold_return_token(fs, inode);
    hold_release(fs, inode);
    return failed;
}

int remove_check_empty(struct fs *fs, struct inode *directory)
{
    assert(directory->type == VERSION_DIRECTORY);

    struct buffer key = {0};
    struct blob *resume = NULL;
    struct kv_rows rows = {0};
    bool more = true;
    int failed = hold_key(fs, directory, &key);

    inodes_lock(&fs->inodes);
    bool has_pending = inode_has_pending_child(&fs->inodes, directory);
    inodes_unlock(&fs->inodes);
    if (failed == 0 && has_pending) {
        failed = ENOTEMPTY;
    }
    while (failed == 0 && more) {
        struct kv_list list = {.directory = buffer_slice(&key),
                               .start = blob_slice(resume),
                               .after_start = resume,
                               .limit = 1};
        failed = errno_of_status(kv_list(fs->config.kv, &list, &fs->options, &rows));
        if (failed != 0) {
            break;
        }
        failed = rows.count > 0 ? ENOTEMPTY : 0;
        blob_unref(resume);
        resume = blob_ref(rows.resume);
        more = rows.more;
        kv_rows_release(&rows);
        kv_limits_renew(); /* any number of removed names */
    }
    blob_unref(resume);
    buffer_release(&key);
    return failed;
}

int remove_directory(struct fs *fs, uint64_t parent, const char *name)
{
    struct inode *inode;
    int failed = take_shown(fs, parent, name, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = inode->type == VERSION_DIRECTORY ? remove_check_empty(fs, inode) : ENOTDIR;
    if (failed == 0) {
        failed = remove_inode(fs, inode);
    }
    hold_return_token(fs, inode);
    hold_release(fs, inode);
    return failed;
}
