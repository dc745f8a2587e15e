/*
 * ops_namespace.c - making, moving and removing names.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fuse/ops_families.h"
#include "fs/model/remove.h"
#include "fs/model/rename.h"

/* Who may make a device is the kernel's to say. */
static int make_node(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device, struct fs_entry *ret_entry)
{
    struct fs *fs = request_fs(request);
    struct creation creation = request_creation(request, mode);
    struct special special = {0};

    switch (mode & S_IFMT) {
    case S_IFREG:
        return create_empty(fs, parent, name, &creation, ret_entry);
    case S_IFIFO:
        special.type = VERSION_FIFO;
        break;
    case S_IFSOCK:
        special.type = VERSION_SOCKET;
        break;
    case S_IFCHR:
        special = (struct special){VERSION_CHARACTER_DEVICE, device};
        break;
    case S_IFBLK:
        special = (struct special){VERSION_BLOCK_DEVICE, device};
        break;
    default:
        return EINVAL;
    }
    return create_special(fs, parent, name, &special, &creation, ret_entry);
}

void ops_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
               dev_t device)
{
    struct fs_entry entry;

    request_begin(request);
    int failed = make_node(request, parent, name, mode, device, &entry);
    request_end();
    request_reply_entry(request, failed, &entry);
}

void ops_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct creation creation = request_creation(request, mode);
    struct fs_entry entry;

    request_begin(request);
    int failed = create_directory(request_fs(request), parent, name, &creation, &entry);
    request_end();
    request_reply_entry(request, failed, &entry);
}

void ops_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    struct creation creation = request_creation(request, 0777);
    struct fs_entry entry;

    request_begin(request);
    int failed = create_symlink(request_fs(request), parent, name, target, &creation, &entry);
    request_end();
    request_reply_entry(request, failed, &entry);
}

void ops_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    (void)inode;
    (void)parent;
    (void)name;
    fuse_reply_err(request, EPERM); /* a value has one key */
}

void ops_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    request_begin(request);
    int failed = remove_file(request_fs(request), parent, name);
    request_end();
    fuse_reply_err(request, failed);
}

void ops_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    request_begin(request);
    int failed = remove_directory(request_fs(request), parent, name);
    request_end();
    fuse_reply_err(request, failed);
}

void ops_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                const char *new_name, unsigned int flags)
{
    struct rename_names names = {
        .parent = parent,
        .name = name,
        .new_parent = new_parent,
        .new_name = new_name,
        .no_replace = flags == RENAME_NOREPLACE,
    };

    if (flags != 0 && flags != RENAME_NOREPLACE) {
        fuse_reply_err(request, EINVAL); /* two keys cannot be exchanged at once */
        return;
    }
    request_begin(request);
    int failed = rename_name(request_fs(request), &names);
    request_end();
    fuse_reply_err(request, failed);
}
