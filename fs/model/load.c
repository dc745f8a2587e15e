/*
 * load.c - the content of an open file, fetched from the cluster.
 */
#include "fs/model/load.h"

#include <assert.h>
#include <string.h>

#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/pick.h"
#include "node/base/now.h"

/* Fetching the content for one open. */
struct load {
    struct object *object;
    const struct version *version; /* inside the object */
    struct shown shown;
};

/* True if the kernel knows the inode as another file than `version` is of. What it keeps of
 * one, the size above all, must never be used for the other: for that it has another inode. */
static bool is_of_another_file(struct fs *fs, const struct inode *inode,
                               const struct version *version)
{
    inodes_lock(&fs->inodes);
    uint64_t known = inode->number == 0 ? inode->attributes.file_id : 0;
    inodes_unlock(&fs->inodes);
    uint64_t id = version->attributes.file_id;
    return known != 0 && id != 0 && known != id;
}

/* EAGAIN if the file was moved meanwhile. */
static int load_fetch(struct fs *fs, struct inode *inode, struct load *load)
{
    assert(!load->object);

    struct buffer key = {0};
    struct buffer key_after = {0};
    int failed = hold_key(fs, inode, &key);

    if (failed == 0) {
        failed = pick_version(fs, inode, buffer_slice(&key), &load->object, &load->version,
                              &load->shown);
    }
    if (failed == 0 && is_of_another_file(fs, inode, load->version)) {
        failed = ESTALE;
    }
    if (failed == 0 || failed == ESTALE) {
        int no_key = hold_key(fs, inode, &key_after);
        if (no_key == 0 && !slice_equal(buffer_slice(&key), buffer_slice(&key_after))) {
            failed = EAGAIN;
        }
    }
    buffer_release(&key);
    buffer_release(&key_after);
    return failed;
}

static void load_release(struct load *load)
{
    shown_release(&load->shown);
    object_unref(load->object);
}

/* True if the file knows something newer than what was fetched, or just that. The lock is
 * held. */
static bool is_current(const struct file *file, const struct load *load)
{
    assert(load->shown.row);

    if (!file->is_loaded) {
        return false;
    }
    return file->is_dirty || (file->shown.row &&
                              clock_descends(&file->shown.row->clock, &load->shown.row->clock));
}

/* Takes over what was fetched, and tells the inode. The file's lock is held. */
static int load_install(struct file *file, struct load *load)
{
    assert(load->version && load->shown.row);

    const struct version *version = load->version;
    int failed = content_set(&file->content, version);
    if (failed != 0) {
        return failed;
    }
    enum status status = current_loaded(file, version, &load->shown);

    if (status == STATUS_OK) {
        blob_unref(file->xattrs);
        file->xattrs = blob_ref(version->xattrs);
        file->is_loaded = true;
    }
    return errno_of_status(status);
}

/*
 * True for a while after another version of the inode was sent. Until the kernel has taken in the
 * reply, whoever opens the file a second time would read new content up to the old
 * size, or old pages up to the new one: so that for so long each open invalidates both. The
 * table's lock is held.
 */
static bool is_in_flux(const struct fs *fs, const struct inode *inode)
{
    uint64_t slack_ns = UINT64_C(1000000000);
    uint64_t while_ns = (uint64_t)(fs->config.attribute_timeout * 1e9) + slack_ns;
    bool is_recent = inode->sent_ns != 0 && now_monotonic_ns() - inode->sent_ns < while_ns;
    return inode->is_sent_unsure || is_recent;
}

/* What the kernel may keep: pages if they hold this content, attributes if they are of this
 * version. */
static void compare_with_sent(struct file *file, const struct load *load, struct opened *opened)
{
    struct fs *fs = file->fs;
    struct inode *inode = file->inode;
    const struct version *version = load->version;

    inodes_lock(&fs->inodes);
    bool is_settled = !is_in_flux(fs, inode);
    opened->keep_cache =
        is_settled && inode->is_cached &&
        memcmp(inode->cached_hash, version->content_hash, CONTENT_HASH_SIZE) == 0;
    opened->has_changed = !is_settled || !dot_equal(inode->sent, version->dot);
    current_sent(inode, version->dot);
    inode->is_sent_unsure = false;
    memcpy(inode->cached_hash, version->content_hash, CONTENT_HASH_SIZE);
    inode->is_cached = true;
    inodes_unlock(&fs->inodes);
}

/* Fetches, and takes over what is newer than what the file holds. */
static int load_once(struct file *file, struct opened *opened)
{
    struct load fetched = {0};
    int failed = load_fetch(file->fs, file->inode, &fetched);

    if (failed == 0) {
        file_lock(file);
        if (is_current(file, &fetched)) {
            inodes_lock(&file->fs->inodes);
            bool is_settled = !is_in_flux(file->fs, file->inode);
            inodes_unlock(&file->fs->inodes);
            /* The kernel knows the size of what is being written here better than anyone. */
            opened->keep_cache = is_settled && !file->is_dirty;
            opened->has_changed = !is_settled && !file->is_dirty;
        } else {
            failed = load_install(file, &fetched);
            if (failed == 0) {
                compare_with_sent(file, &fetched, opened);
            }
        }
        file_unlock(file);
    }
    load_release(&fetched);
    return failed;
}

/* A file that is moved again and again while it is opened is given up: the kernel looks it up
 * anew. */
enum { LOAD_TRIES = 4 };

/*
 * The first open of an inode loads with the token taken, so that those who come meanwhile wait.
 * Later ones fetch beside each other; but who misses the file does so again with the token: it
 * may be on its way to another name.
 */
static int load(struct file *file, struct opened *opened)
{
    struct fs *fs = file->fs;

    file_lock(file);
    bool is_first = !file->is_loaded;
    bool is_dirty = file->is_dirty;
    file_unlock(file);
    if (is_dirty) {
        return 0;
    }
    int failed = is_first ? EAGAIN : load_once(file, opened);
    if (failed != EAGAIN && failed != ESTALE) {
        return failed;
    }
    failed = hold_take_token(fs, file->inode);
    if (failed != 0) {
        return failed;
    }
    failed = EAGAIN;
    for (int tries = 0; tries < LOAD_TRIES && failed == EAGAIN; tries++) {
        failed = load_once(file, opened);
    }
    hold_return_token(fs, file->inode);
    return failed == EAGAIN ? ESTALE : failed;
}

bool load_nothing(struct file *file)
{
    struct fs *fs = file->fs;

    file_lock(file);
    inodes_lock(&fs->inodes);
    bool is_known =
        !file->is_loaded && file->inode->shown.row && current_follow(file) == STATUS_OK;
    file->is_loaded |= is_known;
    inodes_unlock(&fs->inodes);
    file_unlock(file);
    return is_known;
}

int load_refresh(struct file *file)
{
    struct fs *fs = file->fs;
    struct opened ignored = {0};

    file_lock(file);
    inodes_lock(&fs->inodes);
    bool is_stale = file_is_stale(file);
    inodes_unlock(&fs->inodes);
    file_unlock(file);
    if (!is_stale) {
        return 0;
    }
    int failed = load(file, &ignored);
    return failed == ESTALE ? 0 : failed;
}

/* True if somebody holds the inode's content open, and it is as new as what the inode shows. */
static bool holds_what_is_shown(struct file *file)
{
    file_lock(file);
    inodes_lock(&file->fs->inodes);
    bool is_held = file->is_loaded && !file_is_stale(file);
    inodes_unlock(&file->fs->inodes);
    file_unlock(file);
    return is_held;
}

int load_or_share(struct file *file, unsigned flags, struct opened *opened)
{
    assert(opened->file == file);

    inodes_lock(&file->fs->inodes);
    bool is_unlinked = file->inode->is_unlinked;
    inodes_unlock(&file->fs->inodes);
    int failed = is_unlinked ? ESTALE : load(file, opened);
    bool may_share = is_unlinked || (flags & OPEN_AGAIN) != 0;
    if (failed != ESTALE || !may_share || !holds_what_is_shown(file)) {
        return failed;
    }
    inodes_lock(&file->fs->inodes);
    opened->has_changed = is_in_flux(file->fs, file->inode);
    inodes_unlock(&file->fs->inodes);
    return 0;
}
