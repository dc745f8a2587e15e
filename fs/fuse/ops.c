/*
 * ops.c - the table of operations, and what they share.
 */
#include "fs/fuse/ops_internal.h"

#include "fs/fuse/signals.h"
#include "fs/model/lookup.h"

void ops_set_session(struct fs *fs, struct fuse_session *session)
{
    fs->session = session;
}

struct fs *ops_fs(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

/* Programs take signals all the time that do not mean that they stop waiting. */
static bool is_interrupted(void *context)
{
    fuse_req_t request = context;

    return fuse_req_interrupted(request) && signals_end_a_wait(fuse_req_ctx(request)->pid);
}

void ops_begin(fuse_req_t request)
{
    uint32_t deadline_ms = ops_fs(request)->config.deadline_ms;
    struct kv_limits limits = {
        .budget_ms = deadline_ms != 0 ? deadline_ms : KV_DEADLINE_DEFAULT_MS,
        .is_interrupted = is_interrupted,
        .context = request,
    };

    kv_limits_begin(&limits);
}

void ops_end(void)
{
    kv_limits_end();
}

struct creation ops_creation(fuse_req_t request, mode_t mode)
{
    const struct fuse_ctx *context = fuse_req_ctx(request);

    return (struct creation){.user = context->uid, .group = context->gid, .mode = mode & 07777};
}

struct fuse_entry_param ops_entry(struct fs *fs, const struct fs_entry *entry)
{
    return (struct fuse_entry_param){
        .ino = entry->id,
        .attr = entry->attributes,
        .attr_timeout = entry->valid_s,
        .entry_timeout = fs->config.entry_timeout,
    };
}

void ops_reply_entry(fuse_req_t request, int failed, const struct fs_entry *entry)
{
    struct fs *fs = ops_fs(request);

    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    struct fuse_entry_param param = ops_entry(fs, entry);
    if (fuse_reply_entry(request, &param) == -ENOENT) {
        lookup_forget(fs, entry->id, 1); /* the request was interrupted */
    }
}

void ops_reply_attributes(fuse_req_t request, int failed, const struct stat *attributes)
{
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    fuse_reply_attr(request, attributes, ops_fs(request)->config.attribute_timeout);
}

void ops_attributes_changed(struct fs *fs, uint64_t inode)
{
    if (fs->session != NULL) {
        /* A negative offset: just the attributes, which needs no lock of a page. */
        fuse_lowlevel_notify_inval_inode(fs->session, inode, -1, 0);
    }
}

static void ops_init(void *user_data, struct fuse_conn_info *connection)
{
    (void)user_data;
    /* A file that is opened with O_TRUNC and written is one put, not two. */
    connection->want |= connection->capable & FUSE_CAP_ATOMIC_O_TRUNC;
    connection->want |= connection->capable & FUSE_CAP_PARALLEL_DIROPS;
    connection->want |= connection->capable & FUSE_CAP_READDIRPLUS;
    connection->want |= connection->capable & FUSE_CAP_READDIRPLUS_AUTO;
    /* close must put what was written, so that the kernel may not hold it back. */
    connection->want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
    /* The whole content in one request, as it goes into one put. */
    connection->max_write = VALUE_SIZE_MAX;
}

const struct fuse_lowlevel_ops *ops_table(void)
{
    static const struct fuse_lowlevel_ops table = {
        .init = ops_init,
        .lookup = ops_lookup,
        .forget = ops_forget,
        .forget_multi = ops_forget_multi,
        .getattr = ops_getattr,
        .setattr = ops_setattr,
        .readlink = ops_readlink,
        .statfs = ops_statfs,
        .create = ops_create,
        .open = ops_open,
        .read = ops_read,
        .write = ops_write,
        .flush = ops_flush,
        .fsync = ops_fsync,
        .release = ops_release,
        .opendir = ops_opendir,
        .readdir = ops_readdir,
        .readdirplus = ops_readdirplus,
        .releasedir = ops_releasedir,
        .fsyncdir = ops_fsyncdir,
        .mknod = ops_mknod,
        .mkdir = ops_mkdir,
        .symlink = ops_symlink,
        .link = ops_link,
        .unlink = ops_unlink,
        .rmdir = ops_rmdir,
        .rename = ops_rename,
        .getxattr = ops_getxattr,
        .listxattr = ops_listxattr,
        .setxattr = ops_setxattr,
        .removexattr = ops_removexattr,
    };

    return &table;
}
