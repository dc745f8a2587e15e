/*
 * ops.c - the table of operations.
 */
#include "fs/fuse/ops.h"

#include "fs/fuse/ops_families.h"
#include "fs/model/model.h"

void ops_set_session(struct fs *fs, struct fuse_session *session)
{
    fs->session = session;
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
        .lseek = ops_lseek,
        .fallocate = ops_fallocate,
        .copy_file_range = ops_copy_file_range,
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
