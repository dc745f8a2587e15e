/*
 * times.c - mtime and ctime of directories, which follow their names.
 */
#include "fs/model/times.h"

#include <assert.h>
#include <stdlib.h>

#include "fs/model/attributes.h"
#include "fs/model/hold.h"

static int64_t nanoseconds(uint64_t microseconds)
{
    uint64_t limit_us = (uint64_t)INT64_MAX / 1000;

    return (int64_t)(microseconds < limit_us ? microseconds : limit_us) * 1000;
}

/* Never back: an answer may be older than what this mount did meanwhile. */
static void note(struct inode *directory, int64_t names_ns)
{
    if (names_ns > directory->names_ns) {
        directory->names_ns = names_ns;
    }
}

void times_names_changed(struct fs *fs, struct inode *directory)
{
    inodes_lock(&fs->inodes);
    note(directory, attributes_now_ns());
    inodes_unlock(&fs->inodes);
}

/* The directory of `key`, if the kernel knows of it. The table's lock is held. */
static struct inode *find_directory(struct inodes *inodes, struct slice key)
{
    struct slice directory = key_directory(key);
    struct inode *inode = inodes->root;
    size_t start = 0;

    if (key_is_root(directory)) {
        return inode;
    }
    for (size_t i = 0; inode && i < directory.size; i++) {
        if (directory.data[i] != '/') {
            continue;
        }
        inode = inode_by_name(inodes, inode, slice_of(directory.data + start, i - start));
        inode = inode && inode->type == VERSION_DIRECTORY ? inode : NULL;
        start = i + 1;
    }
    return inode;
}

enum status times_put(struct fs *fs, const struct kv_put *put, struct object **ret_row)
{
    assert(put->key.size > 0);

    struct object *row = NULL;
    enum status status = block_set_put(fs->config.kv, put, &fs->options, &row);

    if (status == STATUS_OK && !key_is_root(put->key)) {
        inodes_lock(&fs->inodes);
        struct inode *directory = find_directory(&fs->inodes, put->key);
        if (directory) {
            note(directory, nanoseconds(row_names_us(row)));
        }
        inodes_unlock(&fs->inodes);
    }
    if (status == STATUS_OK && ret_row) {
        *ret_row = row;
    } else {
        object_unref(row);
    }
    return status;
}

enum status times_get_directory(struct fs *fs, struct inode *inode, struct slice key,
                                struct object **ret_object)
{
    assert(inode->type == VERSION_DIRECTORY);

    uint64_t names_us = 0;
    enum status status =
        kv_get_directory(fs->config.kv, key, &fs->options, ret_object, &names_us);

    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        inodes_lock(&fs->inodes);
        note(inode, nanoseconds(names_us));
        inode->names_fresh_until_ns = model_fresh_until_ns(fs);
        inodes_unlock(&fs->inodes);
    }
    return status;
}

int times_refresh(struct fs *fs, struct inode *inode)
{
    struct buffer key = {0};
    struct object *object = NULL;
    int failed = hold_key(fs, inode, &key);

    if (failed == 0) {
        enum status status = times_get_directory(fs, inode, buffer_slice(&key), &object);
        failed = status == STATUS_NOT_FOUND ? 0 : errno_of_status(status);
    }
    object_unref(object);
    buffer_release(&key);
    return failed;
}

void times_of_directory(const struct inode *inode, struct attributes *attributes)
{
    assert(inode->type == VERSION_DIRECTORY);

    if (inode->names_ns > attributes->modified_set_ns) {
        attributes->modified_ns = inode->names_ns;
    }
    if (inode->names_ns > attributes->changed_ns) {
        attributes->changed_ns = inode->names_ns;
    }
}

void times_set(struct fs *fs, const struct inode *inode, struct attributes *attributes)
{
    assert(inode->type == VERSION_DIRECTORY);

    int64_t now_ns = attributes_now_ns();

    inodes_lock(&fs->inodes);
    /* Whatever the clocks say: it comes after the changes that it could know of. */
    attributes->modified_set_ns = now_ns > inode->names_ns ? now_ns : inode->names_ns;
    inodes_unlock(&fs->inodes);
}
