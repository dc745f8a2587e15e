/*
 * change.c - changing attributes, size and user attributes.
 */
#include "fs/model/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/flush.h"
#include "fs/model/hold.h"
#include "fs/model/pick.h"
#include "fs/model/times.h"

/* What changes in a version besides its content. */
struct edit {
    const struct change *change; /* NULL: none */
    const struct xattr_change *xattr;
};

/* Applies the change, except for the size; ctime is now. */
static void apply_change(struct attributes *attributes, const struct change *change)
{
    int64_t now = attributes_now_ns();

    attributes->changed_ns = now;
    if (change->flags & CHANGE_MODE) {
        attributes->mode = change->mode & 07777;
        attributes->mode_set_ns = now;
    }
    if (change->flags & CHANGE_USER) {
        attributes->user = change->user;
    }
    if (change->flags & CHANGE_GROUP) {
        attributes->group = change->group;
    }
    if (change->flags & (CHANGE_USER | CHANGE_GROUP)) {
        attributes->owner_set_ns = now;
    }
    if (change->flags & CHANGE_SIZE) {
        attributes->modified_ns = now;
    }
    if (change->flags & CHANGE_ACCESSED) {
        attributes->accessed_ns = change->accessed_ns;
    }
    if (change->flags & CHANGE_MODIFIED) {
        attributes->modified_ns = change->modified_ns;
    }
    if (change->flags & (CHANGE_SIZE | CHANGE_MODIFIED)) {
        attributes->modified_set_ns = now;
    }
}

/* The version's content, cut or extended with zeroes, as a manifest. */
static int resize_large(struct fs *fs, struct version *version, uint64_t size,
                        struct blob **ret_content)
{
    struct large *large = NULL;
    bool was_large = version->attributes.type == VERSION_LARGE_FILE;
    int failed = was_large ? large_open(&fs->blocks, version->content, &large)
                           : large_new(&fs->blocks, &large);

    if (failed == 0 && !was_large) {
        failed = large_write(large, blob_slice(version->content), 0, false);
    }
    failed = failed != 0 ? failed : large_resize(large, size);
    failed = failed != 0 ? failed : large_flush(large, ret_content);
    large_unref(large);
    version->attributes.type = failed == 0 ? VERSION_LARGE_FILE : version->attributes.type;
    return failed;
}

static int resize(struct fs *fs, struct version *version, uint64_t size,
                  struct blob **ret_content)
{
    struct slice old = blob_slice(version->content);

    if (size > FILE_SIZE_MAX) {
        return EFBIG;
    }
    version->attributes.size = size;
    if (size > 0 && (version->attributes.type == VERSION_LARGE_FILE ||
                     (size > INLINE_SIZE_MAX && size > old.size))) {
        return resize_large(fs, version, size, ret_content);
    }
    struct blob *result = blob_new_uninitialised((size_t)size);
    if (result) {
        size_t kept = old.size < size ? old.size : (size_t)size;
        if (kept > 0) {
            memcpy(result->data, old.data, kept);
        }
        memset(result->data + kept, 0, (size_t)size - kept);
        version->attributes.type = VERSION_FILE;
    }
    *ret_content = result;
    return result ? 0 : ENOMEM;
}

/* Applies the edit to `version`, whose blobs become references of the caller. */
static int apply_edit(struct fs *fs, struct version *version, const struct edit *edit)
{
    assert((!edit->change) != (!edit->xattr));

    struct blob *content = NULL;
    struct blob *xattrs = NULL;
    int failed = 0;

    if (edit->change) {
        apply_change(&version->attributes, edit->change);
    } else {
        version->attributes.changed_ns = attributes_now_ns();
    }
    if (edit->change && (edit->change->flags & CHANGE_SIZE) != 0) {
        failed = resize(fs, version, edit->change->size, &content);
    } else if (version->content) {
        content = blob_ref(version->content);
    } else {
        content = blob_new(slice_of(NULL, 0));
    }
    if (failed == 0 && edit->xattr) {
        failed = xattrs_change(version->xattrs, edit->xattr, attributes_now_ns(), &xattrs);
    } else {
        xattrs = blob_ref(version->xattrs);
    }
    if (failed == 0 && !content) {
        failed = ENOMEM;
    }
    if (failed != 0) {
        blob_unref(content);
        blob_unref(xattrs);
        return failed;
    }
    version->content = content;
    version->xattrs = xattrs;
    return 0;
}

/*
 * Changing the attributes of one that is in conflict must not settle the conflict: it
 * supersedes just the version that it changes. Another content does settle it, as any write to
 * the name.
 */
static int narrow_to_version(struct shown *shown, const struct version *version)
{
    assert(shown->row);

    struct view view;
    enum status status = view_build(shown->row, &view);
    if (status != STATUS_OK) {
        return errno_of_status(status);
    }
    bool is_conflict = view.count >= 2;
    view_release(&view);
    if (shown->dots || !is_conflict) {
        return 0;
    }
    struct object *row = object_ref(shown->row);
    int failed = resolve_group_of_dot(row, version->dot, shown);
    object_unref(row);
    return failed;
}

static int put_edited(struct fs *fs, struct inode *inode, struct slice key,
                      const struct version *version, const struct shown *shown)
{
    assert(version->content);

    struct kv_put put = {.key = key, .value = version};
    struct object *row = NULL;
    uint8_t hash[CONTENT_HASH_SIZE];

    shown_apply(shown, &put);
    int failed = errno_of_status(times_put(fs, &put, &row));
    if (failed == 0) {
        content_hash(blob_slice(version->content), hash);
        failed = current_was_put(fs, inode, NULL, row, hash, shown);
    }
    object_unref(row);
    return failed;
}

/* The root may never have been written: then it starts from what it is shown as. */
static int read_for_edit(struct fs *fs, struct inode *inode, struct slice key,
                         struct object **ret_object, struct version *ret_version,
                         struct shown *ret_shown)
{
    const struct version *version;
    int failed = pick_version(fs, inode, key, ret_object, &version, ret_shown);

    if (failed == 0) {
        *ret_version = *version;
        return 0;
    }
    if (failed == ESTALE && inode->id == INODE_ID_ROOT) {
        *ret_version = (struct version){.attributes = inode->attributes};
        return 0;
    }
    return failed;
}

/* Changes an open file in memory. *ret_must_put is false if its next flush will put it. */
static int edit_open(struct file *file, const struct edit *edit, bool *ret_must_put)
{
    const struct change *change = edit->change;
    struct blob *xattrs = NULL;
    int failed = 0;

    bool is_resize = change && (change->flags & CHANGE_SIZE) != 0;
    file_lock(file);
    bool was_dirty = file->is_dirty;
    file_unlock(file);
    if (is_resize) {
        failed = file_resize(file, change->size);
    }
    file_lock(file);
    if (failed == 0 && edit->xattr) {
        failed = xattrs_change(file->xattrs, edit->xattr, attributes_now_ns(), &xattrs);
    }
    if (failed == 0 && edit->xattr) {
        blob_unref(file->xattrs);
        file->xattrs = blob_ref(xattrs);
    }
    if (failed == 0 && change) {
        apply_change(&file->attributes, change);
    }
    if (failed == 0) {
        file_touch(file);
    }
    *ret_must_put = !was_dirty && !(is_resize && change->has_handle);
    file_unlock(file);
    blob_unref(xattrs);
    return failed;
}

/* What an edit put, for the open file of the inode. */
struct outcome {
    const struct version *version; /* as it was put */
    const struct clock *read;      /* what was read before it */
};

/*
 * The file takes over what was put beside it, if it held just what that started from. If not it
 * was opened for writing earlier: then its own context stays what it is.
 */
static int take_edit(struct file *file, const struct edit *edit, const struct outcome *outcome)
{
    assert(outcome->version);

    struct fs *fs = file->fs;
    int failed = 0;

    file_lock(file);
    const struct object *held = file->shown.row;
    bool was_current =
        file->is_loaded && held && outcome->read && clock_descends(&held->clock, outcome->read);
    if (was_current) {
        inodes_lock(&fs->inodes);
        failed = errno_of_status(current_follow(file));
        inodes_unlock(&fs->inodes);
    }
    if (was_current && failed == 0) {
        blob_unref(file->xattrs);
        file->xattrs = blob_ref(outcome->version->xattrs);
    }
    if (was_current && failed == 0 && file->is_dirty && edit->change) {
        apply_change(&file->attributes, edit->change);
    }
    if (was_current && failed == 0 && !file->is_dirty) {
        failed = content_set(&file->content, outcome->version);
    }
    file_unlock(file);
    return failed;
}

/* Reads the version, changes it, puts it, and tells the open file (NULL: none). The token is
 * taken. */
static int edit_on_cluster(struct fs *fs, struct inode *inode, const struct edit *edit,
                           struct file *file)
{
    assert(inode->is_token_taken);

    struct buffer key = {0};
    struct object *object = NULL;
    struct shown shown = {0};
    struct version edited = {0};
    bool is_resize = edit->change && (edit->change->flags & CHANGE_SIZE) != 0;
    int failed = is_resize && inode->type != VERSION_FILE ? EINVAL : hold_key(fs, inode, &key);

    if (failed == 0) {
        failed = read_for_edit(fs, inode, buffer_slice(&key), &object, &edited, &shown);
    }
    if (failed == 0 && !is_resize && shown.row) {
        failed = narrow_to_version(&shown, &edited);
    }
    if (failed == 0) {
        failed = apply_edit(fs, &edited, edit);
    }
    if (failed == 0 && inode->type == VERSION_DIRECTORY && edit->change &&
        (edit->change->flags & CHANGE_MODIFIED) != 0) {
        times_set(fs, inode, &edited.attributes);
    }
    if (failed == 0) {
        failed = put_edited(fs, inode, buffer_slice(&key), &edited, &shown);
        if (failed == 0 && file) {
            struct outcome outcome = {.version = &edited,
                                      .read = shown.row ? &shown.row->clock : NULL};
            failed = take_edit(file, edit, &outcome);
        }
        blob_unref(edited.content);
        blob_unref(edited.xattrs);
    }
    if (failed == 0 && is_resize) {
        inodes_lock(&fs->inodes);
        inode->is_cached = false; /* the pages may be of another version */
        inodes_unlock(&fs->inodes);
    }
    shown_release(&shown);
    object_unref(object);
    buffer_release(&key);
    return failed;
}

/* Where is a change made? What is being written, and what has no name any more, is changed in
 * memory; everything else starts from what the cluster has now. */
static bool is_changed_in_memory(struct fs *fs, struct file *file, const struct change *change)
{
    bool is_written = change && (change->flags & CHANGE_SIZE) != 0 && change->has_handle;

    file_lock(file);
    inodes_lock(&fs->inodes);
    bool is_in_memory = file->is_dirty || is_written || file->inode->is_unlinked;
    inodes_unlock(&fs->inodes);
    file_unlock(file);
    return is_in_memory;
}

int change_inode(struct fs *fs, struct inode *inode, const struct change *change,
                 const struct xattr_change *xattr)
{
    assert((!change) != (!xattr));

    struct edit edit = {.change = change, .xattr = xattr};
    struct file *file = file_loaded(fs, inode);
    bool is_in_memory = file && is_changed_in_memory(fs, file, change);
    bool must_put = false;
    int failed = 0;

    if (!is_in_memory) {
        failed = hold_take_token(fs, inode);
        if (failed == 0 && !file) {
            file = file_loaded(fs, inode); /* by one who had the token before */
        }
        is_in_memory = failed == 0 && file && is_changed_in_memory(fs, file, change);
        bool has_token = failed == 0;
        if (has_token && !is_in_memory) {
            failed = edit_on_cluster(fs, inode, &edit, file);
        }
        if (has_token) {
            hold_return_token(fs, inode);
        }
    }
    if (failed == 0 && is_in_memory) {
        failed = edit_open(file, &edit, &must_put);
        if (failed == 0 && must_put) {
            failed = flush_file(fs, file, false);
        }
    }
    if (file) {
        file_unref(file);
    }
    return failed;
}

int change_attributes(struct fs *fs, uint64_t id, const struct change *change,
                      struct stat *ret_attributes)
{
    assert(change && ret_attributes);

    struct fs_entry entry;

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_or_heir(&fs->inodes, id);
    if (!inode) {
        inodes_unlock(&fs->inodes);
        return ESTALE;
    }
    inode_ref(inode);
    bool is_removed = inode->is_unlinked && !inode->file;
    if (is_removed) {
        /* For those who have the directory open, or found the file before it was replaced. */
        apply_change(&inode->attributes, change);
    }
    inodes_unlock(&fs->inodes);
    int failed = is_removed ? 0 : change_inode(fs, inode, change, NULL);
    if (failed == 0) {
        current_entry(fs, inode, &entry);
        *ret_attributes = entry.attributes;
    }
    hold_release(fs, inode);
    return failed;
}
