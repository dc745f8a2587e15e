/*
 * file.c - the content of an open file, held whole in memory.
 */
#include "fs/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"

static struct file *file_new(struct fs *fs, struct node *node)
{
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return NULL;
    }
    pthread_mutex_init(&file->lock, NULL);
    file->fs = fs;
    file->node = node_ref(node);
    return file;
}

struct file *file_obtain(struct fs *fs, struct node *node, bool writes)
{
    if (node->file == NULL) {
        node->file = file_new(fs, node);
    }
    if (node->file != NULL) {
        node->file->handles++;
        node->file->writers += writes ? 1 : 0;
        node->file->references++;
    }
    return node->file;
}

bool file_is_cache(const struct node *node)
{
    return node->file != NULL && node->file->writers == 0 && !node->is_unlinked;
}

bool file_is_stale(const struct file *file)
{
    const struct object *told = file->node->shown.row;
    const struct object *held = file->shown.row;

    if (!file->is_loaded || !file_is_cache(file->node) || told == NULL) {
        return false;
    }
    return held == NULL || !clock_descends(&held->clock, &told->clock);
}

struct file *file_of_node(struct fs *fs, struct node *node)
{
    inodes_lock(&fs->inodes);
    struct file *file = node->file;
    if (file != NULL) {
        file->references++;
    }
    inodes_unlock(&fs->inodes);
    return file;
}

static void file_free(struct file *file)
{
    pthread_mutex_destroy(&file->lock);
    blob_unref(file->loaded);
    blob_unref(file->xattrs);
    buffer_release(&file->edited);
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
        node_unref(&fs->inodes, file->node);
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

struct slice file_content(const struct file *file)
{
    return file->is_edited ? buffer_slice(&file->edited) : blob_slice(file->loaded);
}

void file_touch(struct file *file)
{
    file->is_dirty = true;
    file->changes++;
}

/* Copies what was loaded, so that it can be changed. */
static int make_editable(struct file *file)
{
    if (file->is_edited) {
        return 0;
    }
    buffer_reset(&file->edited);
    buffer_append_slice(&file->edited, blob_slice(file->loaded));
    if (file->edited.failed) {
        buffer_release(&file->edited);
        return ENOMEM;
    }
    blob_unref(file->loaded);
    file->loaded = NULL;
    file->is_edited = true;
    return 0;
}

int file_resize(struct file *file, uint64_t size)
{
    if (size > VALUE_SIZE_MAX) {
        return EFBIG;
    }
    if (size == 0 && !file->is_edited) {
        blob_unref(file->loaded);
        file->loaded = NULL;
    }
    int failed = make_editable(file);
    if (failed != 0) {
        return failed;
    }
    if (size > file->edited.size) {
        size_t growth = (size_t)size - file->edited.size;
        uint8_t *place = buffer_reserve(&file->edited, growth);
        if (place == NULL) {
            file->edited.failed = false; /* the bytes are as they were */
            return ENOMEM;
        }
        memset(place, 0, growth);
    }
    file->edited.size = (size_t)size;
    return 0;
}

int fs_read(struct file *file, uint64_t offset, size_t size, struct slice *ret_bytes,
            struct blob **ret_blob)
{
    int failed = file_refresh(file);
    if (failed != 0) {
        return failed;
    }

    file_lock(file);
    struct slice content = file_content(file);
    size_t start = offset < content.size ? (size_t)offset : content.size;
    struct slice bytes = {0};
    bytes.size = size < content.size - start ? size : content.size - start;
    struct blob *blob = NULL;
    if (bytes.size > 0 && file->is_edited) {
        blob = blob_new(slice_of(content.data + start, bytes.size));
        failed = blob == NULL ? ENOMEM : 0;
        bytes.data = blob == NULL ? NULL : blob->data;
    } else if (bytes.size > 0) {
        blob = blob_ref(file->loaded);
        bytes.data = content.data + start;
    }
    file_unlock(file);
    if (failed == 0) {
        *ret_bytes = bytes;
        *ret_blob = blob;
    }
    return failed;
}

int fs_write(struct file *file, struct slice bytes, uint64_t offset, bool append,
             size_t *ret_written)
{
    int failed = 0;

    file_lock(file);
    uint64_t old_size = file_content(file).size;
    if (append) {
        offset = old_size;
    }
    uint64_t room = offset < VALUE_SIZE_MAX ? VALUE_SIZE_MAX - offset : 0;
    if (room == 0 && bytes.size > 0) {
        failed = EFBIG;
    } else if (offset <= VALUE_SIZE_MAX) {
        bytes.size = bytes.size < room ? bytes.size : (size_t)room;
        uint64_t end = offset + bytes.size;
        failed = file_resize(file, end > old_size ? end : old_size);
    }
    if (failed == 0 && bytes.size > 0) {
        memcpy(file->edited.data + offset, bytes.data, bytes.size);
        attributes_touch(&file->attributes);
        file_touch(file);
        file->is_unwritten = false;
    }
    file_unlock(file);
    if (failed == 0) {
        *ret_written = bytes.size;
    }
    return failed;
}

bool fs_is_unwritten(struct file *file)
{
    file_lock(file);
    bool is_unwritten = file->is_dirty && file->is_unwritten;
    file_unlock(file);
    return is_unwritten;
}
