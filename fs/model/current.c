/*
 * current.c - what an inode and its open file show at the moment, and how both change together.
 */
#include "fs/model/current.h"

#include <assert.h>

#include "fs/model/attributes.h"
#include "fs/model/hold.h"
#include "fs/model/times.h"
#include "node/base/now.h"

void current_is_fresh(const struct fs *fs, struct inode *inode)
{
    inode->fresh_until_ns = model_fresh_until_ns(fs);
}

void current_sent(struct inode *inode, struct dot dot)
{
    if (!dot_equal(inode->sent, dot)) {
        inode->is_sent_unsure |= inode->sent.counter != 0;
        inode->sent_ns = inode->sent.counter != 0 ? now_monotonic_ns() : 0;
        inode->sent = dot;
    }
}

void current_entry(struct fs *fs, struct inode *inode, struct fs_entry *ret_entry)
{
    assert(inode && ret_entry);

    struct buffer key = {0};
    struct file *file = file_of_inode(fs, inode);
    struct attributes attributes;
    uint64_t inode_number = INODE_NUMBER_ROOT;

    if (file) {
        file_lock(file);
    }
    inodes_lock(&fs->inodes);
    attributes = inode->attributes;
    if (file && file->is_loaded && !file_is_stale(file)) {
        attributes = file->attributes;
        attributes.size = file_size(file);
    }
    uint32_t link_count = inode->is_unlinked ? 0 : 1;
    ret_entry->valid_s = fs->config.attribute_timeout;
    if (inode->type == VERSION_DIRECTORY) {
        times_of_directory(inode, &attributes);
        ret_entry->valid_s = model_seconds_until(inode->names_fresh_until_ns);
    }
    uint32_t number = inode->number;
    if (inode->parent) {
        /* Only an unknown file id needs the key; if memory for it is short the number
         * differs. */
        enum status status = STATUS_OK;
        if (attributes.file_id == 0) {
            status = inode_append_key(inode, &key);
        }
        inode_number = attributes_inode_number(
            &attributes, status == STATUS_OK ? buffer_slice(&key) : slice_of(NULL, 0), number);
    }
    inodes_unlock(&fs->inodes);
    if (file) {
        file_unlock(file);
        file_unref(file);
    }
    ret_entry->id = inode->id;
    attributes_to_stat(&attributes, inode_number, link_count, &ret_entry->attributes);
    attributes_present(&fs->config.ownership, &ret_entry->attributes);
    buffer_release(&key);
}

/* True if what the inode shows is newer than what was found: a listing that was read before an
 * own put was answered. */
static bool is_older(const struct found *found, const struct inode *inode)
{
    const struct object *row = inode->shown.row;

    return row && clock_descends(&row->clock, &found->shown.row->clock) &&
           !clock_equal(&row->clock, &found->shown.row->clock);
}

void current_found(const struct fs *fs, struct inode *inode, struct found *found)
{
    assert(found->version && found->shown.row);

    if (is_older(found, inode)) {
        return;
    }
    if (!inode->file || file_is_cache(inode)) {
        inode->attributes = found->version->attributes;
        inode->attributes.type = found_type(found);
        current_sent(inode, found->version->dot);
        current_is_fresh(fs, inode);
    }
    shown_move(&inode->shown, &found->shown);
    found->version = NULL;
}

enum status current_loaded(struct file *file, const struct version *version,
                           struct shown *shown)
{
    assert(version && shown->row);

    struct fs *fs = file->fs;
    struct inode *inode = file->inode;
    struct shown for_file = {0};
    enum status status = shown_copy(&for_file, shown);

    if (status != STATUS_OK) {
        return status;
    }
    file->attributes = version->attributes;
    shown_move(&file->shown, &for_file);
    inodes_lock(&fs->inodes);
    inode->attributes = version->attributes;
    shown_move(&inode->shown, shown);
    inodes_unlock(&fs->inodes);
    return STATUS_OK;
}

enum status current_follow(struct file *file)
{
    enum status status = shown_copy(&file->shown, &file->inode->shown);

    if (status == STATUS_OK && !file->is_dirty) {
        file->attributes = file->inode->attributes;
    }
    return status;
}

/* The plain inode of a sibling's file, if the kernel knows it: it has seen what this mount
 * wrote to the sibling, too. */
static struct inode *base_inode(struct fs *fs, const struct inode *inode)
{
    if (inode->number == 0 || !inode->parent) {
        return NULL;
    }
    struct inode *base = inode_by_name(&fs->inodes, inode->parent, inode_base(inode));
    return base && base->type != VERSION_DIRECTORY ? base : NULL;
}

/* The attributes of the version `dot` of the row are now those of the inode. */
static void tell_version(struct inode *inode, const struct object *row, struct dot dot)
{
    assert(row);

    for (uint32_t i = 0; i < row->version_count; i++) {
        if (dot_equal(row->versions[i].dot, dot)) {
            enum version_type type = inode->type;
            inode->attributes = row->versions[i].attributes;
            inode->attributes.type = type;
            inode->sent = dot;
        }
    }
}

static int inode_was_put(struct fs *fs, struct inode *inode, struct object *row,
                         const uint8_t *hash, const struct shown *superseded)
{
    assert(row);

    struct buffer key = {0};
    struct dot dot = {0};
    struct dot ignored;

    inodes_lock(&fs->inodes);
    enum status status = shown_after_put(&inode->shown, row, hash, inode->number > 0, &dot);
    if (status == STATUS_OK) {
        tell_version(inode, row, dot);
        current_is_fresh(fs, inode);
        status = inode_append_key(inode, &key);
    }
    struct inode *base = base_inode(fs, inode);
    if (status == STATUS_OK && base && !base->shown.dots) {
        struct shown shown = {0};
        shown_set_all(&shown, base->shown.row);
        status = shown_after_put(&shown, row, hash, false, &ignored);
        /* Otherwise there is a version that was not shown: what was shown before stays. */
        if (status == STATUS_OK && !shown.dots) {
            shown_move(&base->shown, &shown);
        }
        shown_release(&shown);
    }
    inodes_unlock(&fs->inodes);

    if (status == STATUS_OK && superseded->dots && dot.counter != 0) {
        conflicts_rewritten(fs->conflicts, buffer_slice(&key), superseded->dots,
                            superseded->dot_count, dot);
    }
    buffer_release(&key);
    return errno_of_status(status);
}

int current_was_put(struct fs *fs, struct inode *inode, struct file *file, struct object *row,
                    const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded)
{
    assert(row && superseded);
    assert(!file || file->inode == inode);

    enum status status = STATUS_OK;
    struct dot ignored;

    if (file) {
        bool is_sibling = hold_sibling_number(fs, inode) > 0;
        file_lock(file);
        status = shown_after_put(&file->shown, row, hash, is_sibling, &ignored);
        file_unlock(file);
    }
    int failed = inode_was_put(fs, inode, row, hash, superseded);
    return status != STATUS_OK ? errno_of_status(status) : failed;
}

int current_moved(struct fs *fs, struct inode *inode, struct inode *parent, struct slice name,
                  const struct inode *as, struct shown *shown)
{
    assert(shown);

    struct file *file = file_of_inode(fs, inode);
    struct shown for_file = {0};
    enum status status = file ? shown_copy(&for_file, shown) : STATUS_OK;

    if (file) {
        file_lock(file);
    }
    inodes_lock(&fs->inodes);
    inode_set_pending(&fs->inodes, inode, false);
    if (status == STATUS_OK && parent && !inode->is_unlinked) {
        status = inode_move(&fs->inodes, inode, parent, name, as);
    }
    if (status == STATUS_OK && file) {
        shown_move(&file->shown, &for_file);
    }
    if (status == STATUS_OK && !inode->is_unlinked) {
        shown_move(&inode->shown, shown);
    }
    inodes_unlock(&fs->inodes);
    if (file) {
        file_unlock(file);
        file_unref(file);
    }
    shown_release(&for_file);
    return errno_of_status(status);
}
