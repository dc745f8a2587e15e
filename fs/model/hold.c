/*
 * hold.c - inodes for the length of an operation: referenced, with their token, with their key.
 */
#include "fs/model/hold.h"

#include <assert.h>

#include "node/base/now.h"

int hold_inode(struct fs *fs, uint64_t id, struct inode **ret_inode)
{
    assert(ret_inode);

    int failed = ESTALE;

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_id(&fs->inodes, id);
    if (inode && !inode->is_unlinked) {
        *ret_inode = inode_ref(inode);
        failed = 0;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

int hold_open_inode(struct fs *fs, uint64_t id, struct inode **ret_inode)
{
    assert(ret_inode);

    int failed = ESTALE;

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_or_heir(&fs->inodes, id);
    if (inode && (!inode->is_unlinked || inode->file)) {
        *ret_inode = inode_ref(inode);
        failed = 0;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

void hold_release(struct fs *fs, struct inode *inode)
{
    inodes_lock(&fs->inodes);
    inode_unref(&fs->inodes, inode);
    inodes_unlock(&fs->inodes);
}

/* A token is held for a few kv calls at most, so that waiting longer means that something
 * hangs. */
enum { TOKEN_DEADLINES = 4 };

int hold_take_token(struct fs *fs, struct inode *inode)
{
    assert(inode);

    uint32_t deadline_ms = fs->options.deadline_ms;

    if (deadline_ms == 0) {
        deadline_ms = KV_DEADLINE_DEFAULT_MS;
    }
    uint64_t deadline_ns =
        now_monotonic_ns() + TOKEN_DEADLINES * (uint64_t)deadline_ms * UINT64_C(1000000);
    inodes_lock(&fs->inodes);
    bool is_taken = inode_take_token(&fs->inodes, inode, kv_limits_deadline(deadline_ns));
    inodes_unlock(&fs->inodes);
    return is_taken ? 0 : kv_limits_is_interrupted() ? EINTR : ETIMEDOUT;
}

void hold_return_token(struct fs *fs, struct inode *inode)
{
    inodes_lock(&fs->inodes);
    inode_return_token(&fs->inodes, inode);
    inodes_unlock(&fs->inodes);
}

uint32_t hold_sibling_number(struct fs *fs, const struct inode *inode)
{
    inodes_lock(&fs->inodes);
    uint32_t number = inode->number;
    inodes_unlock(&fs->inodes);
    return number;
}

int hold_key(struct fs *fs, const struct inode *inode, struct buffer *key)
{
    assert(inode && key);

    buffer_reset(key);
    inodes_lock(&fs->inodes);
    enum status status = inode_append_key(inode, key);
    inodes_unlock(&fs->inodes);
    return errno_of_key(status);
}
