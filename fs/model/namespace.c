/*
 * namespace.c - making and removing names.
 */
#include <assert.h>
#include <string.h>

#include "fs/model/file.h"

/* What is made: all of it but the name. */
struct made {
    enum version_type type;
    struct slice content;
};

/* The inode of what was just put, handed out to the kernel. */
static int enter_made(struct fs *fs, const struct place *place, const struct made *made,
                      struct object *row, struct fs_entry *ret_entry)
{
    static const struct shown nothing;
    struct inode_description description = {
        .name = place->name, .base_size = place->name.size, .type = made->type};
    uint8_t hash[CONTENT_HASH_SIZE];

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);
    if (inode != NULL) {
        inode_unname(&fs->inodes, inode);
    }
    inode = inode_add(&fs->inodes, place->directory, &description);
    if (inode != NULL) {
        inode->lookups++;
    }
    inodes_unlock(&fs->inodes);
    if (inode == NULL) {
        return ENOMEM;
    }
    content_hash(made->content, hash);
    int failed = fs_inode_was_put(fs, inode, row, hash, &nothing);
    if (failed == 0) {
        fs_entry_of_inode(fs, inode, ret_entry);
    } else {
        inodes_lock(&fs->inodes);
        inode->lookups--;
        inodes_unlock(&fs->inodes);
    }
    fs_put_inode(fs, inode);
    return failed;
}

/* EEXIST if the name shows something. The kernel has asked just before, but `mkdir` as a lock
 * wants the window to be small. */
static int check_free(struct fs *fs, const struct place *place)
{
    struct inode *inode = NULL;
    int failed = place_shown_inode(fs, place, &inode);

    fs_put_inode(fs, inode);
    if (failed == 0) {
        return EEXIST;
    }
    return failed == ENOENT ? 0 : failed;
}

/*
 * Puts something new under a name that shows nothing. The context is empty, so that what
 * another mount makes there at the same time stands beside it.
 */
static int make(struct fs *fs, uint64_t parent, const char *name, const struct made *made,
                const struct fs_creation *creation, struct fs_entry *ret_entry)
{
    struct place place;
    struct buffer key = {0};
    struct object *row = NULL;
    struct version version = {0};
    int failed = place_open(fs, parent, name, &place);
    if (failed != 0) {
        return failed;
    }

    failed = fs_check_new_name(place.name);
    if (failed == 0) {
        failed = check_free(fs, &place);
    }
    if (failed == 0) {
        enum row_kind kind = made->type == VERSION_DIRECTORY ? ROW_DIRECTORY : ROW_FILE;
        failed = place_key(&place, place.name, kind, &key);
    }
    if (failed != 0) {
        goto out;
    }
    fs_new_attributes(fs, place.directory, made->type, creation, &version.attributes);
    version.content = blob_new(made->content);
    if (version.content == NULL) {
        failed = ENOMEM;
        goto out;
    }
    struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_ALL, .value = &version};
    failed = errno_of_status(fs_put(fs, &put, &row));
    if (failed == 0) {
        failed = enter_made(fs, &place, made, row, ret_entry);
    }
out:
    blob_unref(version.content);
    object_unref(row);
    buffer_release(&key);
    place_release(fs, &place);
    return failed;
}

int fs_mknod(struct fs *fs, uint64_t parent, const char *name,
             const struct fs_creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_FILE};

    return make(fs, parent, name, &made, creation, ret_entry);
}

int fs_mkdir(struct fs *fs, uint64_t parent, const char *name,
             const struct fs_creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_DIRECTORY};

    return make(fs, parent, name, &made, creation, ret_entry);
}

int fs_symlink(struct fs *fs, uint64_t parent, const char *name, const char *target,
               const struct fs_creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_SYMLINK, .content = slice_of_string(target)};

    return make(fs, parent, name, &made, creation, ret_entry);
}

int fs_delete_shown(struct fs *fs, struct inode *inode)
{
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
        status = fs_put(fs, &put, NULL);
    }
    if (status == STATUS_OK && shown.dots == NULL) {
        conflicts_forget(fs->conflicts, buffer_slice(&key)); /* all that had a number is gone */
    }
    shown_release(&shown);
    buffer_release(&key);
    return errno_of_status(status);
}

/* Removes what the inode shows. The token is taken. */
static int remove_inode(struct fs *fs, struct inode *inode)
{
    inodes_lock(&fs->inodes);
    bool is_on_cluster = !inode->is_pending && !inode->is_unlinked;
    inodes_unlock(&fs->inodes);
    int failed = is_on_cluster ? fs_delete_shown(fs, inode) : 0;

    if (!is_on_cluster) {
        fs_names_changed_now(fs, inode->parent);
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
        fs_put_inode(fs, inode);
        return failed;
    }
    *ret_inode = inode;
    return 0;
}

int fs_unlink(struct fs *fs, uint64_t parent, const char *name)
{
    struct inode *inode;
    int failed = take_shown(fs, parent, name, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = inode->type == VERSION_DIRECTORY ? EISDIR : remove_inode(fs, inode);
    fs_return_token(fs, inode);
    fs_put_inode(fs, inode);
    return failed;
}

int fs_check_empty(struct fs *fs, struct inode *directory)
{
    struct buffer key = {0};
    struct blob *resume = NULL;
    struct kv_rows rows = {0};
    bool more = true;
    int failed = fs_inode_key(fs, directory, &key);

    inodes_lock(&fs->inodes);
    bool has_pending = inode_has_pending_child(&fs->inodes, directory);
    inodes_unlock(&fs->inodes);
    if (failed == 0 && has_pending) {
        failed = ENOTEMPTY;
    }
    while (failed == 0 && more) {
        struct kv_list list = {.directory = buffer_slice(&key),
                               .start = blob_slice(resume),
                               .after_start = resume != NULL,
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

int fs_rmdir(struct fs *fs, uint64_t parent, const char *name)
{
    struct inode *inode;
    int failed = take_shown(fs, parent, name, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = inode->type == VERSION_DIRECTORY ? fs_check_empty(fs, inode) : ENOTDIR;
    if (failed == 0) {
        failed = remove_inode(fs, inode);
    }
    fs_return_token(fs, inode);
    fs_put_inode(fs, inode);
    return failed;
}
