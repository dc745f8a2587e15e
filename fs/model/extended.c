/*
 * extended.c - extended attributes: those of users, and what `user.dynamofs.*` tells.
 */
#include "fs/model/extended.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/file.h"
#include "fs/model/hide.h"
#include "fs/model/hold.h"
#include "fs/model/pick.h"

static const char user_prefix[] = "user.";
static const char own_prefix[] = "user.dynamofs.";

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* True for what the mount tells, and nobody sets. */
static bool is_told(const char *name)
{
    return has_prefix(name, own_prefix) && strcmp(name, HIDE_ATTRIBUTE) != 0;
}

static void append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append_format(struct buffer *buffer, const char *format, ...)
{
    char text[128];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_append(buffer, text, size < 0 ? 0 : (size_t)size);
}

/* For people: one `node@birth:counter` for each pair, parted by spaces. */
static void append_clock(struct buffer *buffer, const struct clock *clock)
{
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct dot *pair = &clock->pair[i];
        append_format(buffer, "%s%016" PRIx64 "@%" PRIu64 ":%" PRIu64, i == 0 ? "" : " ",
                      (uint64_t)pair->actor.node, pair->actor.birth, pair->counter);
    }
}

static int append_siblings(struct buffer *buffer, const struct object *object)
{
    struct view view;
    int failed = errno_of_status(view_build(object, &view));

    if (failed == 0) {
        append_format(buffer, "%" PRIu32, view.count);
        view_release(&view);
    }
    return failed;
}

/* The row that this mount has shown of the inode, as fresh as its attributes; the caller drops
 * the reference. NULL for what is not on the cluster. */
static struct object *shown_row(struct fs *fs, struct inode *inode)
{
    struct file *file = file_of_inode(fs, inode);
    struct object *row = NULL;

    if (file) {
        file_lock(file);
    }
    inodes_lock(&fs->inodes);
    bool is_of_file = file && !file_is_stale(file);
    row = object_ref(is_of_file ? file->shown.row : inode->shown.row);
    inodes_unlock(&fs->inodes);
    if (file) {
        file_unlock(file);
        file_unref(file);
    }
    return row;
}

/* `user.dynamofs.*`: from memory, since `cp -a` and its like ask for all of them. */
static int get_own(struct fs *fs, struct inode *inode, struct slice key, const char *what,
                   struct buffer *ret_value)
{
    static const struct clock nothing;
    int failed = 0;

    if (strcmp(what, "replicas") == 0) {
        return errno_of_status(kv_replicas(fs->config.kv, key, ret_value));
    }
    struct object *row = shown_row(fs, inode);
    const struct clock *clock = row ? &row->clock : &nothing;
    if (strcmp(what, "siblings") == 0) {
        failed = append_siblings(ret_value, row);
    } else if (strcmp(what, "clock") == 0) {
        append_clock(ret_value, clock);
    } else if (strcmp(what, "context") == 0) {
        /* One word that `dynamoctl put --context` takes. */
        failed = errno_of_status(kv_context_format(clock, ret_value));
    } else {
        failed = ENODATA;
    }
    object_unref(row);
    return failed;
}

/* The encoded user attributes of the inode, one reference for the caller; NULL for none. */
static int get_encoded(struct fs *fs, struct inode *inode, struct slice key,
                       struct blob **ret_encoded)
{
    assert(ret_encoded);

    struct file *file = file_of_inode(fs, inode);
    struct object *object = NULL;
    const struct version *version;
    struct shown shown = {0};
    bool is_in_memory = false;

    if (file) {
        file_lock(file);
        inodes_lock(&fs->inodes);
        is_in_memory = file->is_loaded && (file->is_dirty || inode->is_unlinked);
        inodes_unlock(&fs->inodes);
        *ret_encoded = is_in_memory ? blob_ref(file->xattrs) : NULL;
        file_unlock(file);
        file_unref(file);
    }
    if (is_in_memory) {
        return 0;
    }
    int failed = pick_version(fs, inode, key, &object, &version, &shown);
    if (failed == 0) {
        *ret_encoded = blob_ref(version->xattrs);
    } else if (failed == ESTALE && inode->id == INODE_ID_ROOT) {
        *ret_encoded = NULL; /* a root that nobody wrote has none */
        failed = 0;
    }
    shown_release(&shown);
    object_unref(object);
    return failed;
}

int extended_get(struct fs *fs, uint64_t id, const char *name, struct buffer *ret_value)
{
    assert(name && ret_value);

    struct inode *inode;
    struct buffer key = {0};
    struct blob *encoded = NULL;
    struct slice value;

    if (!has_prefix(name, user_prefix)) {
        return has_prefix(name, "system.") ? ENOTSUP : ENODATA;
    }
    int failed = hold_open_inode(fs, id, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = hold_key(fs, inode, &key);
    if (failed == 0 && is_told(name)) {
        failed = get_own(fs, inode, buffer_slice(&key), name + strlen(own_prefix), ret_value);
    } else if (failed == 0) {
        failed = get_encoded(fs, inode, buffer_slice(&key), &encoded);
        if (failed == 0) {
            failed = xattrs_get(blob_slice(encoded), slice_of_string(name), &value);
        }
        if (failed == 0) {
            buffer_append_slice(ret_value, value);
        }
    }
    blob_unref(encoded);
    buffer_release(&key);
    hold_release(fs, inode);
    return failed == 0 && ret_value->failed ? ENOMEM : failed;
}

int extended_list(struct fs *fs, uint64_t id, struct buffer *ret_names)
{
    struct inode *inode;
    struct buffer key = {0};
    struct blob *encoded = NULL;
    struct slice name;
    struct slice value;
    size_t offset = 0;
    int failed = hold_open_inode(fs, id, &inode);
    if (failed != 0) {
        return failed;
    }

    failed = hold_key(fs, inode, &key);
    if (failed == 0) {
        failed = get_encoded(fs, inode, buffer_slice(&key), &encoded);
    }
    while (failed == 0) {
        failed = xattrs_next(blob_slice(encoded), &offset, &name, &value);
        /* What is not the user's is a note of the mount to itself. */
        if (failed == 0 && slice_has_prefix(name, slice_of_string(user_prefix))) {
            buffer_append_slice(ret_names, name);
            buffer_append_byte(ret_names, 0);
        }
    }
    failed = failed == ENODATA ? 0 : failed;
    if (failed == 0 && ret_names->failed) {
        failed = ENOMEM;
    }
    blob_unref(encoded);
    buffer_release(&key);
    hold_release(fs, inode);
    return failed;
}

int extended_set(struct fs *fs, uint64_t id, const struct xattr_change *change)
{
    assert(change->name);

    struct inode *inode;

    /* ENOTSUP and not EPERM for our own, so that `cp -a` skips them in silence. */
    if (!has_prefix(change->name, user_prefix) || is_told(change->name)) {
        return ENOTSUP;
    }
    if (strcmp(change->name, HIDE_ATTRIBUTE) == 0 && !change->remove &&
        !hide_value_is_valid(change->value)) {
        return EINVAL;
    }
    if (strlen(change->name) > XATTR_NAME_MAX_SIZE) {
        return ERANGE;
    }
    int failed = hold_open_inode(fs, id, &inode);
    if (failed != 0) {
        return failed;
    }
    if (strcmp(change->name, HIDE_ATTRIBUTE) == 0 && inode->type != VERSION_DIRECTORY) {
        failed = ENOTDIR;
    } else {
        failed = change_inode(fs, inode, NULL, change);
    }
    hold_release(fs, inode);
    return failed;
}
