/*
 * query.c - what is asked of an inode: attributes, the target of a symlink, the room that is
 *           left.
 */
#include "fs/model/query.h"

#include <assert.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/pick.h"
#include "fs/model/place.h"
#include "fs/model/times.h"

/* The root has no row, so that its object is read. That nobody wrote it is no error. */
static int refresh_root(struct fs *fs, struct inode *root)
{
    assert(!root->parent);

    struct object *object = NULL;
    enum status status = times_get_directory(fs, root, slice_of_string("/"), &object);
    struct object *row = status == STATUS_OK ? object_project(object) : NULL;

    if (row) {
        inodes_lock(&fs->inodes);
        root->attributes = object_newest(object)->attributes;
        root->attributes.type = VERSION_DIRECTORY;
        shown_set_all(&root->shown, row);
        inodes_unlock(&fs->inodes);
    }
    object_unref(row);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        inodes_lock(&fs->inodes);
        current_is_fresh(fs, root);
        inodes_unlock(&fs->inodes);
        object_unref(object);
        return 0;
    }
    return errno_of_status(status);
}

/* Asks the cluster what the inode's name shows, and tells the inode. ESTALE if that is not the
 * inode any more. */
static int refresh(struct fs *fs, struct inode *inode)
{
    struct found found = {0};
    struct place place = {0};

    inodes_lock(&fs->inodes);
    struct buffer name = {0};
    buffer_append_slice(&name, inode_name(inode));
    place.name = buffer_slice(&name);
    place.directory = inode_ref(inode->parent);
    bool is_named = inode->is_named;
    enum status status = inode_append_key(place.directory, &place.key);
    inodes_unlock(&fs->inodes);

    int failed = name.failed ? ENOMEM : errno_of_status(status);
    if (failed == 0 && !is_named) {
        failed = inode->type == VERSION_DIRECTORY ? ENOENT : ESTALE;
    }
    if (failed == 0) {
        failed = resolve_name(fs, buffer_slice(&place.key), place.name, &found);
    }
    if (failed == 0) {
        inodes_lock(&fs->inodes);
        struct inode *shown = place_inode_of_found(fs, &place, &found);
        if (shown != inode) {
            /* A file may have become another one, which the kernel finds by its name. */
            bool is_gone = found.kind == FOUND_NOTHING && inode->type == VERSION_DIRECTORY;
            failed = is_gone ? ENOENT : ESTALE;
        }
        inode_unref(&fs->inodes, shown);
        inodes_unlock(&fs->inodes);
    }
    found_release(&found);
    place_release(fs, &place);
    buffer_release(&name);
    return failed;
}

/*
 * The kernel asks again after each change of its own, as for a directory after each name made
 * in it. What the cluster said so shortly ago that the kernel might still rely on it is told
 * again, for what is left of that time.
 */
static double seconds_fresh(const struct inode *inode)
{
    double left_s = model_seconds_until(inode->fresh_until_ns);
    double names_left_s = model_seconds_until(inode->names_fresh_until_ns);
    bool has_names = inode->type == VERSION_DIRECTORY;
    return has_names && names_left_s < left_s ? names_left_s : left_s;
}

/* Asks for what the cluster must be asked for. */
static int refresh_stale(struct fs *fs, struct inode *inode)
{
    inodes_lock(&fs->inodes);
    bool is_stale = model_seconds_until(inode->fresh_until_ns) <= 0;
    inodes_unlock(&fs->inodes);
    if (inode->id == INODE_ID_ROOT) {
        return refresh_root(fs, inode); /* tells of its names, too */
    }
    int failed = is_stale ? refresh(fs, inode) : 0;
    return failed == 0 && inode->type == VERSION_DIRECTORY ? times_refresh(fs, inode) : failed;
}

/* True if somebody has the inode's content: a descriptor works on when its name shows another
 * file. */
static bool is_held_open(struct fs *fs, struct inode *inode)
{
    struct file *file = file_loaded(fs, inode);
    if (!file) {
        return false;
    }
    file_unref(file);
    return true;
}

int query_attributes(struct fs *fs, uint64_t id, struct stat *ret_attributes,
                     double *ret_valid_s)
{
    assert(ret_attributes && ret_valid_s);

    struct fs_entry entry;
    int failed = 0;

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_or_heir(&fs->inodes, id);
    bool is_lost = inode && inode->is_unlinked && inode->lost != 0 && !inode->file;
    if (!inode || is_lost) {
        inodes_unlock(&fs->inodes);
        return ESTALE;
    }
    inode_ref(inode);
    bool is_in_memory = inode->is_unlinked || (inode->file && !file_is_cache(inode));
    bool may_be_lost = inode->is_pending;
    double valid_s = is_in_memory ? fs->config.attribute_timeout : seconds_fresh(inode);
    inodes_unlock(&fs->inodes);

    if (valid_s <= 0 && !is_in_memory) {
        valid_s = fs->config.attribute_timeout;
        failed = refresh_stale(fs, inode);
        if (failed == ESTALE && is_held_open(fs, inode)) {
            failed = 0;
        }
    }
    if (failed == 0) {
        current_entry(fs, inode, &entry);
        *ret_attributes = entry.attributes;
        *ret_valid_s = may_be_lost ? 0 : valid_s;
    }
    hold_release(fs, inode);
    return failed;
}

int query_link(struct fs *fs, uint64_t id, struct buffer *ret_target)
{
    assert(ret_target);

    struct inode *inode;
    struct buffer key = {0};
    struct object *object = NULL;
    struct shown shown = {0};
    const struct version *version;
    int failed = hold_inode(fs, id, &inode);
    if (failed != 0) {
        return failed;
    }

    failed = hold_key(fs, inode, &key);
    if (failed == 0) {
        failed = pick_version(fs, inode, buffer_slice(&key), &object, &version, &shown);
    }
    if (failed == 0 && version->attributes.type != VERSION_SYMLINK) {
        failed = EINVAL;
    }
    if (failed == 0) {
        buffer_append_slice(ret_target, blob_slice(version->content));
        failed = ret_target->failed ? ENOMEM : 0;
    }
    shown_release(&shown);
    object_unref(object);
    buffer_release(&key);
    hold_release(fs, inode);
    return failed;
}

int query_space(struct fs *fs, struct statvfs *ret_space)
{
    assert(ret_space);

    struct kv_space space;
    int failed = errno_of_status(kv_space(fs->config.kv, &fs->options, &space));
    if (failed != 0) {
        return failed;
    }
    memset(ret_space, 0, sizeof *ret_space);
    ret_space->f_bsize = STAT_BLOCK_SIZE;
    ret_space->f_frsize = STAT_BLOCK_SIZE;
    ret_space->f_blocks = space.total / STAT_BLOCK_SIZE;
    ret_space->f_bfree = space.free_bytes / STAT_BLOCK_SIZE;
    ret_space->f_bavail = ret_space->f_bfree;
    ret_space->f_namemax = NAME_SIZE_MAX;
    /* Nothing counts files, and nothing bounds them but room: a block each at least. */
    ret_space->f_files = ret_space->f_blocks;
    ret_space->f_ffree = ret_space->f_bfree;
    ret_space->f_favail = ret_space->f_bavail;
    return 0;
}
