/*
 * create.c - making names.
 */
#include "fs/model/create.h"

#include <assert.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/place.h"
#include "fs/model/times.h"

/* The group of what is made in a directory, and its set-group-id bit: as that of the directory
 * says. */
static void inherit_group(const struct inode *directory, struct attributes *attributes)
{
    assert(directory->type == VERSION_DIRECTORY);

    if ((directory->attributes.mode & S_ISGID) == 0) {
        return;
    }
    attributes->group = directory->attributes.group;
    if (attributes->type == VERSION_DIRECTORY) {
        attributes->mode |= S_ISGID;
    }
}

/* Attributes of something new in `directory`, of a new file id; group and set-group-id bit as
 * the directory says. */
static void new_attributes(struct fs *fs, const struct inode *directory, enum version_type type,
                           const struct creation *creation, struct attributes *ret_attributes)
{
    int64_t now = attributes_now_ns();
    struct attributes attributes = {
        .type = type,
        .mode = creation->mode & 07777,
        .user = creation->user,
        .group = creation->group,
        .accessed_ns = now,
        .modified_ns = now,
        .changed_ns = now,
        /* Names that were in an earlier directory of this name are older. */
        .modified_set_ns = now,
        .mode_set_ns = now,
        .owner_set_ns = now,
        .file_id = attributes_new_file_id(),
    };

    inodes_lock(&fs->inodes);
    inherit_group(directory, &attributes);
    inodes_unlock(&fs->inodes);
    *ret_attributes = attributes;
}

int create_pending(struct fs *fs, uint64_t parent, const char *name,
                   const struct creation *creation, struct fs_entry *ret_entry,
                   struct file **ret_file)
{
    assert(name && creation);

    struct place place;
    struct attributes attributes;
    struct buffer key = {0};
    struct file *file = NULL;
    int failed = place_open(fs, parent, name, &place);
    if (failed != 0) {
        return failed;
    }
    failed = place_check_new_name(place.name);
    if (failed == 0) {
        failed = place_key(&place, place.name, ROW_FILE, &key);
    }
    if (failed != 0) {
        goto out;
    }
    new_attributes(fs, place.directory, VERSION_FILE, creation, &attributes);

    struct inode_description description = {
        .name = place.name, .base = place.name, .type = VERSION_FILE};
    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place.directory, place.name);
    if (inode && inode->is_pending) {
        failed = EEXIST;
    } else if (inode) {
        inode_unname(&fs->inodes, inode); /* the kernel has just seen that nothing is there */
    }
    inode = failed != 0 ? NULL : inode_add(&fs->inodes, place.directory, &description);
    if (inode) {
        inode->attributes = attributes;
        file = file_obtain(fs, inode, true);
        if (file) {
            inode->lookups++;
            inode_set_pending(&fs->inodes, inode, true);
            file->attributes = attributes;
            file->is_loaded = true;
            file->is_dirty = true;
            file->is_unwritten = true;
        }
        inode_unref(&fs->inodes, inode);
    }
    inodes_unlock(&fs->inodes);
    if (failed == 0 && !file) {
        failed = ENOMEM;
    }
    if (failed == 0) {
        times_names_changed(fs, place.directory);
        current_entry(fs, file->inode, ret_entry);
        *ret_file = file;
    }
out:
    buffer_release(&key);
    place_release(fs, &place);
    return failed;
}

/* What is made: all of it but the name. */
struct made {
    enum version_type type;
    uint64_t device; /* of devices */
    struct slice content;
};

/* The inode of what was just put, handed out to the kernel. */
static int enter_made(struct fs *fs, const struct place *place, const struct made *made,
                      struct object *row, struct fs_entry *ret_entry)
{
    assert(row && ret_entry);

    static const struct shown nothing;
    struct inode_description description = {
        .name = place->name, .base = place->name, .type = made->type};
    uint8_t hash[CONTENT_HASH_SIZE];

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);
    if (inode) {
        inode_unname(&fs->inodes, inode);
    }
    inode = inode_add(&fs->inodes, place->directory, &description);
    if (inode) {
        inode->lookups++;
    }
    inodes_unlock(&fs->inodes);
    if (!inode) {
        return ENOMEM;
    }
    content_hash(made->content, hash);
    int failed = current_was_put(fs, inode, NULL, row, hash, &nothing);
    if (failed == 0) {
        current_entry(fs, inode, ret_entry);
    } else {
        inodes_lock(&fs->inodes);
        inode->lookups--;
        inodes_unlock(&fs->inodes);
    }
    hold_release(fs, inode);
    return failed;
}

/* EEXIST if the name shows something. The kernel has asked just before, but `mkdir` as a lock
 * wants the window to be small. */
static int check_free(struct fs *fs, const struct place *place)
{
    struct inode *inode = NULL;
    int failed = place_shown_inode(fs, place, &inode);

    hold_release(fs, inode);
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
                const struct creation *creation, struct fs_entry *ret_entry)
{
    assert(name && creation);

    struct place place;
    struct buffer key = {0};
    struct object *row = NULL;
    struct version version = {0};
    int failed = place_open(fs, parent, name, &place);
    if (failed != 0) {
        return failed;
    }

    failed = place_check_new_name(place.name);
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
    new_attributes(fs, place.directory, made->type, creation, &version.attributes);
    version.attributes.size = made->device;
    version.content = blob_new(made->content);
    if (!version.content) {
        failed = ENOMEM;
        goto out;
    }
    struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_ALL, .value = &version};
    failed = errno_of_status(times_put(fs, &put, &row));
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

int create_empty(struct fs *fs, uint64_t parent, const char *name,
                 const struct creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_FILE};

    return make(fs, parent, name, &made, creation, ret_entry);
}

int create_special(struct fs *fs, uint64_t parent, const char *name,
                   const struct special *special, const struct creation *creation,
                   struct fs_entry *ret_entry)
{
    struct made made = {.type = special->type, .device = special->device};

    assert(attributes_is_special(made.type));
    return make(fs, parent, name, &made, creation, ret_entry);
}

int create_directory(struct fs *fs, uint64_t parent, const char *name,
                     const struct creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_DIRECTORY};

    return make(fs, parent, name, &made, creation, ret_entry);
}

int create_symlink(struct fs *fs, uint64_t parent, const char *name, const char *target,
                   const struct creation *creation, struct fs_entry *ret_entry)
{
    struct made made = {.type = VERSION_SYMLINK, .content = slice_of_string(target)};

    return make(fs, parent, name, &made, creation, ret_entry);
}
