/*
 * pick.c - which version of an object an inode shows.
 */
#include "fs/model/pick.h"

#include <assert.h>

#include "fs/model/attributes.h"
#include "fs/model/file.h"
#include "fs/model/hold.h"
#include "fs/model/times.h"

/* The group of `view` that the sibling inode shows; view->count if it is gone. */
static uint32_t group_of_inode(struct fs *fs, const struct inode *inode,
                               const struct object *object, const struct view *view)
{
    uint32_t group = 0;

    inodes_lock(&fs->inodes);
    while (group < view->count && !shown_group_has_dot(object, view, group, inode->shown.dots,
                                                       inode->shown.dot_count)) {
        group++;
    }
    inodes_unlock(&fs->inodes);
    return group;
}

/* Picks the inode's version of the live object. */
static int pick(struct fs *fs, struct inode *inode, struct object *object,
                const struct version **ret_version, struct shown *ret_shown)
{
    assert(object_is_live(object));

    struct view view = {0};
    struct object *row = object_project(object);
    const struct version *version = object_newest(object);
    bool is_sibling = hold_sibling_number(fs, inode) > 0;
    enum status status = !row ? STATUS_NO_MEMORY : STATUS_OK;
    int failed = 0;

    if (status == STATUS_OK && is_sibling) {
        status = view_build(object, &view);
    }
    if (status == STATUS_OK && is_sibling) {
        uint32_t group = group_of_inode(fs, inode, object, &view);
        failed = group == view.count ? ESTALE : 0;
        if (failed == 0) {
            version = view.groups[group].newest;
            status = shown_set_group(ret_shown, row, &view, group);
        }
    } else if (status == STATUS_OK) {
        shown_set_all(ret_shown, row);
    }
    view_release(&view);
    object_unref(row);
    *ret_version = version;
    return failed != 0 ? failed : errno_of_status(status);
}

/* True if `version` is another file than the one whose content somebody holds open. Where
 * nobody does, a name stands for whatever it shows now. */
static bool is_another_file(struct fs *fs, struct inode *inode, const struct version *version)
{
    struct file *file = file_loaded(fs, inode);
    if (!file) {
        return false;
    }
    inodes_lock(&fs->inodes);
    uint64_t known = inode->number == 0 ? inode->attributes.file_id : 0;
    inodes_unlock(&fs->inodes);
    file_unref(file);
    uint64_t id = version->attributes.file_id;
    return known != 0 && id != 0 && known != id;
}

int pick_version(struct fs *fs, struct inode *inode, struct slice key,
                 struct object **ret_object, const struct version **ret_version,
                 struct shown *ret_shown)
{
    assert(key.size > 0);
    assert(ret_object && ret_version && ret_shown);

    struct object *object = NULL;
    enum status status = inode->type == VERSION_DIRECTORY
                             ? times_get_directory(fs, inode, key, &object)
                             : kv_get(fs->config.kv, key, &fs->options, &object);
    const struct version *version = NULL;

    if (status == STATUS_NOT_FOUND) {
        object_unref(object);
        return ESTALE;
    }
    if (status != STATUS_OK) {
        return errno_of_status(status);
    }
    int failed = pick(fs, inode, object, &version, ret_shown);
    if (failed == 0 && inode->type != VERSION_DIRECTORY) {
        bool is_other = attributes_file_type(&version->attributes) != inode->type ||
                        is_another_file(fs, inode, version);
        failed = is_other ? ESTALE : 0;
    }
    if (failed != 0) {
        shown_release(ret_shown);
        object_unref(object);
        return failed;
    }
    *ret_object = object;
    *ret_version = version;
    return 0;
}
