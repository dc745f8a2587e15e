/*
 * file.c - an open file, shared by all handles of its inode.
 */
#include "fs/model/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/attributes.h"

static struct file *file_new(struct fs *fs, struct inode *inode)
{
    struct file *file = calloc(1, sizeof *file);
    if (!file) {
        return NULL;
    }
    pthread_mutex_init(&file->lock, NULL);
    file->fs = fs;
    file->inode = inode_ref(inode);
    content_init(&file->content, &fs->keeper);
    return file;
}

struct file *file_obtain(struct fs *fs, struct inode *inode, bool writes)
{
    assert(inode->type == VERSION_FILE);
    assert(!inode->is_unlinked || inode->file);

    if (!inode->file) {
        inode->file = file_new(fs, inode);
    }
    if (inode->file) {
        inode->file->handles++;
        inode->file->writers += writes ? 1 : 0;
        inode->file->references++;
    }
    return inode->file;
}

bool file_is_cache(const struct inode *inode)
{
    return inode->file && inode->file->writers == 0 && !inode->is_unlinked;
}

bool file_is_stale(const struct file *file)
{
    const struct object *shown = file->inode->shown.row;
    const struct object *held = file->shown.row;

    if (!file->is_loaded || !file_is_cache(file->inode) || !shown) {
        return false;
    }
    return !held || !clock_descends(&held->clock, &shown->clock);
}

struct file *file_of_inode(struct fs *fs, struct inode *inode)
{
    assert(inode);

    inodes_lock(&fs->inodes);
    struct file *file = inode->file;
    if (file) {
        file->references++;
    }
    inodes_unlock(&fs->inodes);
    return file;
}

static void file_free(struct file *file)
{
    pthread_mutex_destroy(&file->lock);
    content_release(&file->content);
    blob_unref(file->xattrs);
    shown_release(&file->shown);
    free(file);
}

void file_unref(struct file *file)
{
    struct fs *fs = file->fs;

    inodes_lock(&fs->inodes);
    assert(file->references > 0);
    bool is_last = --file->references == 0;
    if (is_last) {
        assert(file->handles == 0);
        inode_unref(&fs->inodes, file->inode);
    }
    inodes_unlock(&fs->inodes);
    if (is_last) {
        file_free(file);
    }
}

void file_lock(struct file *file)
{
    pthread_mutex_lock(&file->lock);
}

void file_unlock(struct file *file)
{
    pthread_mutex_unlock(&file->lock);
}

struct file *file_loaded(struct fs *fs, struct inode *inode)
{
    struct file *file = file_of_inode(fs, inode);
    if (!file) {
        return NULL;
    }
    file_lock(file);
    bool is_loaded = file->is_loaded;
    file_unlock(file);
    if (!is_loaded) {
        file_unref(file);
        return NULL;
    }
    return file;
}

uint64_t file_size(const struct file *file)
{
    return content_size(&file->content);
}

void file_touch(struct file *file)
{
    file->is_dirty = true;
    file->changes++;
}

void file_was_written(struct file *file)
{
    attributes_touch(&file->attributes);
    file_touch(file);
    file->is_unwritten = false;
}

struct large *file_large(struct file *file)
{
    file_lock(file);
    struct large *large = file->content.large ? large_ref(file->content.large) : NULL;
    file_unlock(file);
    return large;
}

/* A large content with what the file holds. `*ret_changes` says as of when. */
static int copy_to_large(struct file *file, uint64_t *ret_changes, struct large **ret_large)
{
    struct blob *whole = NULL;
    struct large *replaced = NULL;

    file_lock(file);
    *ret_changes = file->changes;
    int failed = file->content.large ? EAGAIN : content_whole(&file->content, &whole);
    if (failed == 0 && file->content.replaced) {
        replaced = large_ref(file->content.replaced);
    }
    file_unlock(file);
    if (failed == 0) {
        failed = replaced ? large_again(replaced, ret_large)
                          : large_new(&file->fs->blocks, ret_large);
    }
    large_unref(replaced);
    if (failed == 0) {
        failed = large_write(*ret_large, blob_slice(whole), 0, false);
        if (failed != 0) {
            large_unref(*ret_large);
        }
    }
    blob_unref(whole);
    return failed;
}

int file_make_large(struct file *file, struct large **ret_large)
{
    struct large *large = file_large(file);

    while (!large) {
        struct large *copy = NULL;
        uint64_t changes = 0;
        int failed = copy_to_large(file, &changes, &copy);
        if (failed != 0 && failed != EAGAIN) {
            return failed;
        }
        file_lock(file);
        if (failed == 0 && !file->content.large && file->changes == changes) {
            content_set_large(&file->content, copy);
            copy = NULL;
        }
        file_unlock(file);
        if (failed == 0) {
            large_unref(copy);
        }
        large = file_large(file);
    }
    *ret_large = large;
    return 0;
}

int file_resize(struct file *file, uint64_t size)
{
    struct large *large = NULL;
    bool is_large = false;
    int failed = size > FILE_SIZE_MAX ? EFBIG : 0;

    file_lock(file);
    is_large = size > INLINE_SIZE_MAX && size > content_size(&file->content);
    is_large |= size > 0 && file->content.large;
    if (failed == 0 && size == 0) {
        content_clear(&file->content);
    } else if (failed == 0 && !is_large) {
        failed = content_resize(&file->content, size);
    }
    file_unlock(file);
    if (failed == 0 && is_large) {
        failed = file_make_large(file, &large);
    }
    if (large) {
        failed = large_resize(large, size);
        large_unref(large);
    }
    return failed;
}

bool file_is_unwritten(struct file *file)
{
    file_lock(file);
    bool is_unwritten = file->is_dirty && file->is_unwritten;
    file_unlock(file);
    return is_unwritten;
}
