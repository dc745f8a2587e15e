/*
 * request.c - what the operations share: who asks, for how long, and the replies.
 */
#include "fs/fuse/request.h"

#include "fs/fuse/signals.h"
#include "fs/model/lookup.h"
#include "fs/model/model.h"

struct fs *request_fs(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

/* Programs take signals all the time that do not mean that they stop waiting. */
static bool is_interrupted(void *context)
{
    fuse_req_t request = context;

    return fuse_req_interrupted(request) && signals_end_a_wait(fuse_req_ctx(request)->pid);
}

void request_begin(fuse_req_t request)
{
    uint32_t deadline_ms = request_fs(request)->config.deadline_ms;
    struct kv_limits limits = {
        .budget_ms = deadline_ms != 0 ? deadline_ms : KV_DEADLINE_DEFAULT_MS,
        .is_interrupted = is_interrupted,
        .context = request,
    };

    kv_limits_begin(&limits);
}

void request_end(void)
{
    kv_limits_end();
}

struct creation request_creation(fuse_req_t request, mode_t mode)
{
    const struct fuse_ctx *context = fuse_req_ctx(request);

    return (struct creation){.user = context->uid, .group = context->gid, .mode = mode & 07777};
}

struct fuse_entry_param request_entry(struct fs *fs, const struct fs_entry *entry)
{
    return (struct fuse_entry_param){
        .ino = entry->id,
        .attr = entry->attributes,
        .attr_timeout = entry->valid_s,
        .entry_timeout = fs->config.entry_timeout,
    };
}

void request_reply_entry(fuse_req_t request, int failed, const struct fs_entry *entry)
{
    struct fs *fs = request_fs(request);

    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    struct fuse_entry_param param = request_entry(fs, entry);
    if (fuse_reply_entry(request, &param) == -ENOENT) {
        lookup_forget(fs, entry->id, 1); /* the request was interrupted */
    }
}

void request_reply_attributes(fuse_req_t request, int failed, const struct stat *attributes)
{
    if (failed != 0) {
        fuse_reply_err(request, failed);
        return;
    }
    fuse_reply_attr(request, attributes, request_fs(request)->config.attribute_timeout);
}

void request_attributes_changed(struct fs *fs, uint64_t inode)
{
    if (fs->session) {
        /* A negative offset: just the attributes, which needs no lock of a page. */
        fuse_lowlevel_notify_inval_inode(fs->session, inode, -1, 0);
    }
}
