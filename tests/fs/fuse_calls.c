/*
 * fuse_calls.c - the requests of the FUSE protocol, one function each.
 */
#include "tests/fs/fuse_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 64 << 10 };

/* A string with its NUL, as names travel. */
static struct slice name_slice(const char *name)
{
    return slice_of(name, strlen(name) + 1);
}

/* Sends, and copies up to `size` bytes of the answer; a shorter one is EBADMSG. */
static int request(struct fuse_kernel *kernel, const struct fuse_kernel_call *call,
                   void *ret_answer, size_t size)
{
    struct fuse_kernel_reply reply = {0};
    int error = fuse_kernel_request(kernel, call, &reply);

    if (error == 0 && reply.size < size) {
        error = EBADMSG;
    } else if (error == 0 && size > 0) {
        memcpy(ret_answer, reply.data, size);
    }
    free(reply.data);
    return error;
}

static int request_entry(struct fuse_kernel *kernel, const struct fuse_kernel_call *call,
                         uint64_t *ret_inode)
{
    struct fuse_entry_out entry;
    int error = request(kernel, call, &entry, sizeof entry);

    if (error == 0 && ret_inode) {
        *ret_inode = entry.nodeid;
    }
    return error;
}

int call_lookup(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                struct fuse_entry_out *ret_entry)
{
    struct fuse_kernel_call call = {
        .opcode = FUSE_LOOKUP, .inode = parent, .parts = {name_slice(name)}};
    struct fuse_entry_out entry;
    int error = request(kernel, &call, &entry, sizeof entry);

    if (error == 0 && entry.nodeid == 0) {
        /* A name that is known not to be there, which the kernel may remember. */
        error = ENOENT;
    }
    if (error == 0 && ret_entry) {
        *ret_entry = entry;
    }
    return error;
}

uint64_t call_find(struct fuse_kernel *kernel, uint64_t parent, const char *name)
{
    struct fuse_entry_out entry;

    return call_lookup(kernel, parent, name, &entry) == 0 ? entry.nodeid : 0;
}

int call_forget(struct fuse_kernel *kernel, uint64_t inode, uint64_t count)
{
    struct fuse_forget_in in = {.nlookup = count};
    struct fuse_kernel_call call = {
        .opcode = FUSE_FORGET, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return fuse_kernel_tell(kernel, &call);
}

int call_getattr(struct fuse_kernel *kernel, uint64_t inode, struct fuse_attr *ret_attributes)
{
    struct fuse_getattr_in in = {0};
    struct fuse_kernel_call call = {
        .opcode = FUSE_GETATTR, .inode = inode, .parts = {slice_of(&in, sizeof in)}};
    struct fuse_attr_out out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0 && ret_attributes) {
        *ret_attributes = out.attr;
    }
    return error;
}

int call_setattr(struct fuse_kernel *kernel, uint64_t inode, const struct fuse_setattr_in *in,
                 struct fuse_attr *ret_attributes)
{
    struct fuse_kernel_call call = {
        .opcode = FUSE_SETATTR, .inode = inode, .parts = {slice_of(in, sizeof *in)}};
    struct fuse_attr_out out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0 && ret_attributes) {
        *ret_attributes = out.attr;
    }
    return error;
}

int call_truncate(struct fuse_kernel *kernel, uint64_t inode, uint64_t size)
{
    struct fuse_setattr_in in = {.valid = FATTR_SIZE, .size = size};

    return call_setattr(kernel, inode, &in, NULL);
}

int call_create(struct fuse_kernel *kernel, uint64_t parent, const char *name, uint32_t mode,
                uint64_t *ret_inode, uint64_t *ret_handle)
{
    struct fuse_create_in in = {.flags = O_CREAT | O_RDWR, .mode = S_IFREG | mode};
    struct fuse_kernel_call call = {.opcode = FUSE_CREATE,
                                    .inode = parent,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0) {
        *ret_inode = out.entry.nodeid;
        *ret_handle = out.open.fh;
    }
    return error;
}

int call_open(struct fuse_kernel *kernel, uint64_t inode, int flags, uint64_t *ret_handle)
{
    struct fuse_open_in in = {.flags = (uint32_t)flags};
    struct fuse_kernel_call call = {
        .opcode = FUSE_OPEN, .inode = inode, .parts = {slice_of(&in, sizeof in)}};
    struct fuse_open_out out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0) {
        *ret_handle = out.fh;
    }
    return error;
}

int call_write(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
               struct slice bytes)
{
    struct fuse_write_in in = {
        .fh = handle, .offset = offset, .size = (uint32_t)bytes.size, .flags = O_RDWR};
    struct fuse_kernel_call call = {
        .opcode = FUSE_WRITE, .inode = inode, .parts = {slice_of(&in, sizeof in), bytes}};
    struct fuse_write_out out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0 && out.size != bytes.size) {
        error = EBADMSG;
    }
    return error;
}

int call_read(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
              uint32_t size, struct fuse_kernel_reply *ret_bytes)
{
    struct fuse_read_in in = {.fh = handle, .offset = offset, .size = size};
    struct fuse_kernel_call call = {
        .opcode = FUSE_READ, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return fuse_kernel_request(kernel, &call, ret_bytes);
}

int call_flush(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle)
{
    struct fuse_flush_in in = {.fh = handle};
    struct fuse_kernel_call call = {
        .opcode = FUSE_FLUSH, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return request(kernel, &call, NULL, 0);
}

int call_fsync(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle)
{
    struct fuse_fsync_in in = {.fh = handle};
    struct fuse_kernel_call call = {
        .opcode = FUSE_FSYNC, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return request(kernel, &call, NULL, 0);
}

static int release(struct fuse_kernel *kernel, uint32_t opcode, uint64_t inode, uint64_t handle)
{
    struct fuse_release_in in = {.fh = handle};
    struct fuse_kernel_call call = {
        .opcode = opcode, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return request(kernel, &call, NULL, 0);
}

int call_release(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle)
{
    return release(kernel, FUSE_RELEASE, inode, handle);
}

int call_mkdir(struct fuse_kernel *kernel, uint64_t parent, const char *name,
               uint64_t *ret_inode)
{
    struct fuse_mkdir_in in = {.mode = S_IFDIR | 0755};
    struct fuse_kernel_call call = {.opcode = FUSE_MKDIR,
                                    .inode = parent,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};

    return request_entry(kernel, &call, ret_inode);
}

int call_mknod(struct fuse_kernel *kernel, uint64_t parent, const char *name, uint32_t mode,
               uint64_t *ret_inode)
{
    struct fuse_mknod_in in = {.mode = mode};
    struct fuse_kernel_call call = {.opcode = FUSE_MKNOD,
                                    .inode = parent,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};

    return request_entry(kernel, &call, ret_inode);
}

int call_mknod_device(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                      uint32_t mode, uint32_t device)
{
    struct fuse_mknod_in in = {.mode = mode, .rdev = device};
    struct fuse_kernel_call call = {.opcode = FUSE_MKNOD,
                                    .inode = parent,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};

    return request_entry(kernel, &call, NULL);
}

int call_symlink(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                 const char *target, uint64_t *ret_inode)
{
    struct fuse_kernel_call call = {.opcode = FUSE_SYMLINK,
                                    .inode = parent,
                                    .parts = {name_slice(name), name_slice(target)}};

    return request_entry(kernel, &call, ret_inode);
}

int call_readlink(struct fuse_kernel *kernel, uint64_t inode,
                  struct fuse_kernel_reply *ret_target)
{
    struct fuse_kernel_call call = {.opcode = FUSE_READLINK, .inode = inode};

    return fuse_kernel_request(kernel, &call, ret_target);
}

int call_link(struct fuse_kernel *kernel, uint64_t inode, uint64_t parent, const char *name)
{
    struct fuse_link_in in = {.oldnodeid = inode};
    struct fuse_kernel_call call = {.opcode = FUSE_LINK,
                                    .inode = parent,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};

    return request_entry(kernel, &call, NULL);
}

int call_unlink(struct fuse_kernel *kernel, uint64_t parent, const char *name)
{
    struct fuse_kernel_call call = {
        .opcode = FUSE_UNLINK, .inode = parent, .parts = {name_slice(name)}};

    return request(kernel, &call, NULL, 0);
}

int call_rmdir(struct fuse_kernel *kernel, uint64_t parent, const char *name)
{
    struct fuse_kernel_call call = {
        .opcode = FUSE_RMDIR, .inode = parent, .parts = {name_slice(name)}};

    return request(kernel, &call, NULL, 0);
}

int call_rename(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                uint64_t new_parent, const char *new_name, uint32_t flags)
{
    struct fuse_rename2_in in = {.newdir = new_parent, .flags = flags};
    struct fuse_kernel_call call = {
        .opcode = FUSE_RENAME2,
        .inode = parent,
        .parts = {slice_of(&in, sizeof in), name_slice(name), name_slice(new_name)}};

    return request(kernel, &call, NULL, 0);
}

int call_opendir(struct fuse_kernel *kernel, uint64_t inode, uint64_t *ret_handle)
{
    struct fuse_open_in in = {.flags = O_DIRECTORY};
    struct fuse_kernel_call call = {
        .opcode = FUSE_OPENDIR, .inode = inode, .parts = {slice_of(&in, sizeof in)}};
    struct fuse_open_out out;
    int error = request(kernel, &call, &out, sizeof out);

    if (error == 0) {
        *ret_handle = out.fh;
    }
    return error;
}

int call_releasedir(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle)
{
    return release(kernel, FUSE_RELEASEDIR, inode, handle);
}

int call_readdir(struct fuse_kernel *kernel, uint64_t inode, uint64_t handle, uint64_t offset,
                 bool plus, struct fuse_kernel_reply *ret_entries)
{
    struct fuse_read_in in = {.fh = handle, .offset = offset, .size = 4096};
    struct fuse_kernel_call call = {.opcode = plus ? FUSE_READDIRPLUS : FUSE_READDIR,
                                    .inode = inode,
                                    .parts = {slice_of(&in, sizeof in)}};

    return fuse_kernel_request(kernel, &call, ret_entries);
}

int call_setxattr(struct fuse_kernel *kernel, uint64_t inode, const char *name,
                  struct slice value, uint32_t flags)
{
    struct fuse_setxattr_in in = {.size = (uint32_t)value.size, .flags = flags};
    /* Without FUSE_SETXATTR_EXT the struct is sent without its last two fields. */
    struct fuse_kernel_call call = {
        .opcode = FUSE_SETXATTR,
        .inode = inode,
        .parts = {slice_of(&in, FUSE_COMPAT_SETXATTR_IN_SIZE), name_slice(name), value}};

    return request(kernel, &call, NULL, 0);
}

int call_getxattr(struct fuse_kernel *kernel, uint64_t inode, const char *name, uint32_t size,
                  struct fuse_kernel_reply *ret_value)
{
    struct fuse_getxattr_in in = {.size = size};
    struct fuse_kernel_call call = {.opcode = FUSE_GETXATTR,
                                    .inode = inode,
                                    .parts = {slice_of(&in, sizeof in), name_slice(name)}};

    return fuse_kernel_request(kernel, &call, ret_value);
}

int call_listxattr(struct fuse_kernel *kernel, uint64_t inode, uint32_t size,
                   struct fuse_kernel_reply *ret_names)
{
    struct fuse_getxattr_in in = {.size = size};
    struct fuse_kernel_call call = {
        .opcode = FUSE_LISTXATTR, .inode = inode, .parts = {slice_of(&in, sizeof in)}};

    return fuse_kernel_request(kernel, &call, ret_names);
}

int call_removexattr(struct fuse_kernel *kernel, uint64_t inode, const char *name)
{
    struct fuse_kernel_call call = {
        .opcode = FUSE_REMOVEXATTR, .inode = inode, .parts = {name_slice(name)}};

    return request(kernel, &call, NULL, 0);
}

int call_statfs(struct fuse_kernel *kernel, struct fuse_kstatfs *ret_space)
{
    struct fuse_kernel_call call = {.opcode = FUSE_STATFS, .inode = ROOT};

    return request(kernel, &call, ret_space, sizeof *ret_space);
}

/* Opens for writing, empty: what open(O_CREAT | O_TRUNC) asks of a file system. */
static int open_truncated(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                          uint64_t *ret_inode, uint64_t *ret_handle)
{
    struct fuse_entry_out entry;
    int error = call_lookup(kernel, parent, name, &entry);

    if (error == ENOENT) {
        return call_create(kernel, parent, name, 0644, ret_inode, ret_handle);
    }
    if (error != 0) {
        return error;
    }
    *ret_inode = entry.nodeid;
    return call_open(kernel, entry.nodeid, O_WRONLY | O_TRUNC, ret_handle);
}

int shell_write(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                const char *content)
{
    uint64_t inode;
    uint64_t handle;
    int error = open_truncated(kernel, parent, name, &inode, &handle);
    int released;

    if (error != 0) {
        return error;
    }
    if (content[0] != '\0') {
        error = call_write(kernel, inode, handle, 0, slice_of_string(content));
    }
    if (error == 0) {
        error = call_flush(kernel, inode, handle);
    }
    released = call_release(kernel, inode, handle);
    (void)call_forget(kernel, inode, 1);
    return error != 0 ? error : released;
}

int shell_read(struct fuse_kernel *kernel, uint64_t parent, const char *name, char *ret_text,
               size_t size)
{
    struct fuse_entry_out entry;
    struct fuse_kernel_reply reply = {0};
    uint64_t handle;
    int error = call_lookup(kernel, parent, name, &entry);

    if (error != 0) {
        return error;
    }
    error = call_open(kernel, entry.nodeid, O_RDONLY, &handle);
    if (error == 0) {
        error = call_read(kernel, entry.nodeid, handle, 0, READ_SIZE, &reply);
        if (error == 0) {
            (void)snprintf(ret_text, size, "%.*s", (int)reply.size, (char *)reply.data);
        }
        free(reply.data);
        (void)call_flush(kernel, entry.nodeid, handle);
        (void)call_release(kernel, entry.nodeid, handle);
    }
    (void)call_forget(kernel, entry.nodeid, 1);
    return error;
}

/* Appends one name to a list of names. */
static void append_name(char *names, size_t size, const char *name, size_t name_size)
{
    size_t used = strlen(names);

    if ((name_size == 1 && name[0] == '.') ||
        (name_size == 2 && name[0] == '.' && name[1] == '.')) {
        return;
    }
    (void)snprintf(names + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)name_size,
                   name);
}

/* Reads the entries of one answer; *offset becomes that of the last. EBADMSG if they are
 * torn. */
static int take_entries(struct fuse_kernel *kernel, const struct fuse_kernel_reply *reply,
                        bool plus, uint64_t *offset, char *names, size_t size)
{
    size_t at = 0;

    while (at < reply->size) {
        struct fuse_entry_out entry = {0};
        struct fuse_dirent head;
        size_t head_at = at + (plus ? sizeof entry : 0);

        if (head_at + FUSE_NAME_OFFSET > reply->size) {
            return EBADMSG;
        }
        memcpy(&head, reply->data + head_at, FUSE_NAME_OFFSET);
        if (head_at + FUSE_NAME_OFFSET + head.namelen > reply->size) {
            return EBADMSG;
        }
        append_name(names, size, (const char *)reply->data + head_at + FUSE_NAME_OFFSET,
                    head.namelen);
        if (plus) {
            memcpy(&entry, reply->data + at, sizeof entry);
        }
        if (entry.nodeid != 0) {
            (void)call_forget(kernel, entry.nodeid, 1);
        }
        *offset = head.off;
        at = head_at + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + head.namelen);
    }
    return 0;
}

int shell_list(struct fuse_kernel *kernel, uint64_t inode, bool plus, char *ret_names,
               size_t size)
{
    uint64_t handle;
    uint64_t offset = 0;
    int error = call_opendir(kernel, inode, &handle);
    bool done = false;

    ret_names[0] = '\0';
    if (error != 0) {
        return error;
    }
    while (error == 0 && !done) {
        struct fuse_kernel_reply reply = {0};

        error = call_readdir(kernel, inode, handle, offset, plus, &reply);
        done = error != 0 || reply.size == 0;
        if (!done) {
            error = take_entries(kernel, &reply, plus, &offset, ret_names, size);
        }
        free(reply.data);
    }
    (void)call_releasedir(kernel, inode, handle);
    return error;
}
