/*
 * open.c - opening files, by an inode that may be another file by now.
 */
#include "fs/model/open.h"

#include <assert.h>

#include "fs/model/attributes.h"
#include "fs/model/flush.h"
#include "fs/model/lookup.h"

static int truncate_opened(struct opened *opened)
{
    struct file *file = opened->file;

    int failed = file_resize(file, 0);
    file_lock(file);
    attributes_touch(&file->attributes);
    file->is_unwritten |= !file->is_dirty;
    file_touch(file);
    file_unlock(file);
    opened->keep_cache = false;
    return failed;
}

/* Opens what the inode `id` is. ESTALE if that is nothing any more, or if its name shows
 * another file. */
static int open_known(struct fs *fs, uint64_t id, unsigned flags, struct opened *opened)
{
    bool truncate = (flags & OPEN_TRUNCATE) != 0;
    bool writes = truncate || (flags & OPEN_READ_ONLY) == 0;
    int failed = 0;

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_id(&fs->inodes, id);
    if (!inode || (inode->is_unlinked && !inode->file)) {
        failed = ESTALE;
    } else if (attributes_is_special(inode->type)) {
        failed = ENXIO; /* the kernel opens those itself */
    } else if (inode->type != VERSION_FILE) {
        failed = inode->type == VERSION_DIRECTORY ? EISDIR : ELOOP;
    }
    if (failed == 0) {
        opened->file = file_obtain(fs, inode, writes);
        failed = !opened->file ? ENOMEM : 0;
    }
    inodes_unlock(&fs->inodes);
    if (failed != 0) {
        return failed;
    }

    failed = load_or_share(opened->file, flags, opened);
    if (failed == EIO && truncate && load_nothing(opened->file)) {
        failed = 0;
    }
    if (failed == 0 && truncate) {
        failed = truncate_opened(opened);
    }
    if (failed != 0) {
        flush_release(fs, opened->file, writes ? 0 : OPEN_READ_ONLY);
    }
    return failed;
}

/* Where an inode is, or was: the directory's id, and the name as a C string. */
static int place_of_inode(struct fs *fs, uint64_t id, uint64_t *ret_parent, struct buffer *name)
{
    int failed = ESTALE;

    buffer_reset(name);
    inodes_lock(&fs->inodes);
    const struct inode *inode = inode_by_id(&fs->inodes, id);
    if (inode && inode->parent) {
        buffer_append_slice(name, inode_name(inode));
        buffer_append_byte(name, 0);
        *ret_parent = inode->parent->id;
        failed = name->failed ? ENOMEM : 0;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

/* Who asks for `id` by number from now on means `heir`, if `id` itself is gone. */
static void set_heir(struct fs *fs, uint64_t id, uint64_t heir)
{
    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_id(&fs->inodes, id);
    if (inode && id != heir) {
        inode->heir_id = heir;
    }
    inodes_unlock(&fs->inodes);
}

/* A name that is replaced faster than it can be looked up and opened: each try is one that lost
 * to a rename in between. */
enum { OPEN_TRIES = 16 };

/* Opens what the name of `id` shows now. The kernel goes on with `id`. */
static int open_in_place_of(struct fs *fs, uint64_t id, unsigned flags, struct opened *opened)
{
    struct buffer name = {0};
    struct fs_entry entry;
    uint64_t parent = 0;
    int failed = ESTALE;

    for (int tries = 0; failed == ESTALE && tries < OPEN_TRIES; tries++) {
        struct opened now = {0};
        failed = place_of_inode(fs, id, &parent, &name);
        if (failed == 0) {
            failed = lookup_name(fs, parent, (const char *)name.data, &entry);
        }
        if (failed != 0) {
            break;
        }
        failed = open_known(fs, entry.id, flags, &now);
        if (failed == 0) {
            set_heir(fs, id, entry.id);
            now.is_another = entry.id != id;
            now.has_changed |= now.is_another;
            *opened = now;
        }
        lookup_forget(fs, entry.id, 1);
    }
    buffer_release(&name);
    return failed;
}

int open_inode(struct fs *fs, uint64_t id, unsigned flags, struct opened *ret_opened)
{
    assert(ret_opened);

    struct opened opened = {0};
    int failed = open_known(fs, id, flags, &opened);

    if (failed == ESTALE && (flags & OPEN_AGAIN) != 0) {
        failed = open_in_place_of(fs, id, flags, &opened);
    }
    if (failed == 0) {
        *ret_opened = opened;
    }
    return failed;
}
