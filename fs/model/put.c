/*
 * put.c - from an open file to the cluster: one put of all that it holds, and what comes of it.
 */
#include "fs/model/put.h"

#include <assert.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/times.h"
#include "fs/model/xattrs.h"
#include "ring/attributes.h"

/* What one put carries, taken under the file's lock. */
struct snapshot {
    struct version version; /* its blobs are references of our own */
    uint8_t hash[CONTENT_HASH_SIZE];
    struct shown shown;
    uint64_t changes;
    struct large *large; /* a reference; NULL if the content is small */
};

static void snapshot_release(struct snapshot *snapshot)
{
    blob_unref(snapshot->version.content);
    blob_unref(snapshot->version.xattrs);
    shown_release(&snapshot->shown);
    large_unref(snapshot->large);
}

/* All but the content. The lock is held. */
static int take_rest(const struct file *file, struct snapshot *snapshot)
{
    snapshot->version.attributes = file->attributes;
    snapshot->version.xattrs = blob_ref(file->xattrs);
    return errno_of_status(shown_copy(&snapshot->shown, &file->shown));
}

static int take_small(struct file *file, struct snapshot *snapshot)
{
    file_lock(file);
    snapshot->changes = file->changes;
    int failed = file->content.large ? EAGAIN : take_rest(file, snapshot);
    if (failed == 0) {
        failed = content_whole(&file->content, &snapshot->version.content);
        snapshot->version.attributes.type = VERSION_FILE;
        snapshot->version.attributes.size = file_size(file);
    }
    file_unlock(file);
    return failed;
}

/* The manifest names at least what was written up to the snapshot's count of changes. */
static int take_large(struct file *file, struct large *large, struct snapshot *snapshot)
{
    struct manifest manifest;

    file_lock(file);
    snapshot->changes = file->changes;
    file_unlock(file);
    int failed = large_flush(large, &snapshot->version.content);
    if (failed != 0) {
        return failed;
    }
    file_lock(file);
    failed = file->content.large == large ? take_rest(file, snapshot) : EAGAIN;
    file_unlock(file);
    if (manifest_parse(blob_slice(snapshot->version.content), &manifest) != STATUS_OK) {
        return EIO;
    }
    snapshot->version.attributes.type = VERSION_LARGE_FILE;
    snapshot->version.attributes.size = manifest.size;
    return failed;
}

/* What there is to put, with no lock held. */
static int snapshot_take(struct file *file, struct snapshot *ret_snapshot)
{
    int failed = EAGAIN;

    assert(file->is_loaded);
    while (failed == EAGAIN) {
        struct snapshot snapshot = {.large = file_large(file)};
        failed = snapshot.large ? take_large(file, snapshot.large, &snapshot)
                                : take_small(file, &snapshot);
        if (failed != 0) {
            snapshot_release(&snapshot);
        } else {
            *ret_snapshot = snapshot;
        }
    }
    return failed;
}

/* Puts the snapshot at `key`. */
static enum status snapshot_put(struct fs *fs, struct snapshot *snapshot, struct slice key,
                                bool sync, struct object **ret_row)
{
    assert(key.size > 0 && ret_row);
    assert(snapshot->version.content);

    struct kv_put put = {.key = key, .value = &snapshot->version, .sync = sync};

    content_hash(blob_slice(snapshot->version.content), snapshot->hash);
    shown_apply(&snapshot->shown, &put);
    return times_put(fs, &put, ret_row);
}

static void remember_attempt(struct file *file, const struct snapshot *snapshot)
{
    assert(file->attempt_count <= ATTEMPTS_MAX);

    if (file->attempt_count == ATTEMPTS_MAX) {
        memmove(file->attempts, file->attempts + 1,
                (ATTEMPTS_MAX - 1) * sizeof *file->attempts);
        file->attempt_count--;
    }
    struct attempt *attempt = &file->attempts[file->attempt_count++];
    memcpy(attempt->hash, snapshot->hash, CONTENT_HASH_SIZE);
    attempt->changed_ns = snapshot->version.attributes.changed_ns;
}

/* True if `version` is of an earlier attempt with another content than the one put now. */
static bool is_attempt(const struct file *file, const struct snapshot *snapshot,
                       const struct version *version)
{
    if (version->attributes.file_id != snapshot->version.attributes.file_id ||
        memcmp(version->content_hash, snapshot->hash, CONTENT_HASH_SIZE) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < file->attempt_count; i++) {
        if (version->attributes.changed_ns == file->attempts[i].changed_ns &&
            memcmp(version->content_hash, file->attempts[i].hash, CONTENT_HASH_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * An earlier put of this file that was reported as failed did appear. It is no version of its
 * own but what was on the way to this one, and is dropped. Should that fail, it stays as a
 * sibling.
 */
static void drop_attempts(struct file *file, const struct snapshot *snapshot, struct slice key,
                          struct object **row)
{
    assert(*row);

    struct fs *fs = file->fs;
    struct dot dots[ATTEMPTS_MAX];
    uint32_t count = 0;
    struct object *after = NULL;

    for (uint32_t i = 0; i < (*row)->version_count && count < ATTEMPTS_MAX; i++) {
        if (is_attempt(file, snapshot, &(*row)->versions[i])) {
            dots[count++] = (*row)->versions[i].dot;
        }
    }
    file->attempt_count = 0;
    if (count == 0) {
        return;
    }
    struct kv_put put = {.key = key, .mode = UPDATE_SOME, .dots = dots, .dot_count = count};
    if (times_put(fs, &put, &after) == STATUS_OK) {
        object_unref(*row);
        *row = after;
    }
}

/* Unless something was written meanwhile, the file is what was put. The lock is held. */
static void mark_clean(struct file *file, const struct snapshot *snapshot)
{
    assert(snapshot->changes <= file->changes);

    if (snapshot->large) {
        large_was_put(snapshot->large);
    }
    if (file->changes != snapshot->changes) {
        return;
    }
    file->is_dirty = false;
    file->is_unwritten = false;
    if (file->content.is_edited) {
        (void)content_set(&file->content, &snapshot->version); /* it is small */
    }
}

/* True if the row shows the content that was put as that of several versions. */
static bool has_company(const struct object *row, const uint8_t *hash)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < row->version_count; i++) {
        count += memcmp(row->versions[i].content_hash, hash, CONTENT_HASH_SIZE) == 0 ? 1 : 0;
    }
    return count > 1;
}

/*
 * Another mount changed attributes of this content beside the put. What the file puts next will
 * supersede both versions, so that it must carry those changes along.
 */
static int take_company(struct file *file, struct slice key, const uint8_t *hash)
{
    assert(file->inode->is_token_taken);

    struct object *object = NULL;
    struct blob *xattrs = NULL;
    int failed = errno_of_status(kv_get(file->fs->config.kv, key, &file->fs->options, &object));

    for (uint32_t i = 0; failed == 0 && i < object->version_count; i++) {
        const struct version *version = &object->versions[i];
        if (memcmp(version->content_hash, hash, CONTENT_HASH_SIZE) != 0) {
            continue;
        }
        file_lock(file);
        attributes_merge(&file->attributes, &version->attributes);
        failed = xattrs_merge(file->xattrs, version->xattrs, &xattrs);
        if (failed == 0) {
            blob_unref(file->xattrs);
            file->xattrs = xattrs;
        }
        file_unlock(file);
    }
    object_unref(object);
    return failed;
}

/* The content is on the cluster as of the snapshot. */
static int note_success(struct file *file, const struct snapshot *snapshot, struct object *row)
{
    assert(file->inode->is_token_taken);
    assert(row);

    struct fs *fs = file->fs;
    struct inode *inode = file->inode;
    int failed = current_was_put(fs, inode, file, row, snapshot->hash, &snapshot->shown);

    file_lock(file);
    mark_clean(file, snapshot);
    file_unlock(file);
    inodes_lock(&fs->inodes);
    inode_set_pending(&fs->inodes, inode, false);
    memcpy(inode->cached_hash, snapshot->hash, CONTENT_HASH_SIZE);
    inode->is_cached = true;
    inodes_unlock(&fs->inodes);
    return failed;
}

/* Drops just the own version of `row` at `key`: the file went elsewhere while it was put. */
static int drop_own(struct fs *fs, struct slice key, struct object *row, const uint8_t *hash)
{
    assert(key.size > 0 && row);

    struct shown own = {0};
    struct dot dot;
    enum status status = shown_after_put(&own, row, hash, true, &dot);

    if (status == STATUS_OK && own.dots) {
        struct kv_put put = {.key = key};
        shown_apply(&own, &put);
        status = times_put(fs, &put, NULL);
    }
    shown_release(&own);
    return errno_of_status(status);
}

/*
 * A put can be overtaken by the rename of a directory above. Then what was put is at the old
 * path; it is put at the new one as well, and only then dropped at the old.
 */
static int follow(struct file *file, struct snapshot *snapshot, struct buffer *key,
                  struct object *row)
{
    assert(file->inode->is_token_taken);
    assert(row);

    struct fs *fs = file->fs;
    struct buffer now = {0};
    struct object *new_row = NULL;
    int failed = hold_key(fs, file->inode, &now);

    if (failed == 0 && slice_equal(buffer_slice(&now), buffer_slice(key))) {
        if (has_company(row, snapshot->hash)) {
            failed = take_company(file, buffer_slice(key), snapshot->hash);
        }
        failed = failed != 0 ? failed : note_success(file, snapshot, row);
    } else if (failed == 0) {
        shown_set_all(&snapshot->shown, NULL);
        failed =
            errno_of_status(snapshot_put(fs, snapshot, buffer_slice(&now), false, &new_row));
        if (failed == 0) {
            failed = note_success(file, snapshot, new_row);
        }
        if (failed == 0) {
            failed = drop_own(fs, buffer_slice(key), row, snapshot->hash);
        }
    }
    object_unref(new_row);
    buffer_release(&now);
    return failed;
}

int put_file(struct file *file, bool sync)
{
    assert(file->inode->is_token_taken);

    struct fs *fs = file->fs;
    struct snapshot snapshot;
    struct buffer key = {0};
    struct object *row = NULL;
    enum status status = STATUS_OK;

    int failed = snapshot_take(file, &snapshot);
    if (failed != 0) {
        return failed;
    }
    failed = hold_key(fs, file->inode, &key);
    if (failed == 0) {
        status = snapshot_put(fs, &snapshot, buffer_slice(&key), sync, &row);
        failed = errno_of_status(status);
    }
    if (failed == 0) {
        drop_attempts(file, &snapshot, buffer_slice(&key), &row);
        failed = follow(file, &snapshot, &key, row);
    } else if (kv_status_is_indeterminate(status)) {
        remember_attempt(file, &snapshot);
    }
    object_unref(row);
    buffer_release(&key);
    snapshot_release(&snapshot);
    return failed;
}

int put_file_at(struct file *file, struct slice key, struct shown *shown, bool only_own)
{
    assert(key.size > 0 && shown);
    assert(file->inode->is_token_taken);

    struct snapshot snapshot;
    struct object *row = NULL;
    struct dot dot;
    int failed = snapshot_take(file, &snapshot);

    if (failed != 0) {
        return failed;
    }
    snapshot.version.attributes.named_ns = attributes_now_ns();
    shown_move(&snapshot.shown, shown);
    failed = errno_of_status(snapshot_put(file->fs, &snapshot, key, false, &row));
    if (failed == 0) {
        enum status status = shown_copy(shown, &snapshot.shown);
        if (status == STATUS_OK) {
            status = shown_after_put(shown, row, snapshot.hash, only_own, &dot);
        }
        failed = errno_of_status(status);
    }
    if (failed == 0) {
        file_lock(file);
        mark_clean(file, &snapshot);
        file->attributes.named_ns = snapshot.version.attributes.named_ns;
        file_unlock(file);
    }
    object_unref(row);
    snapshot_release(&snapshot);
    return failed;
}
