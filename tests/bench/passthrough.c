/*
 * passthrough.c - the least that a FUSE file system can cost: a directory shown again.
 *
 * The limit that the benchmark compares with: the low-level interface, libfuse's own threads,
 * attributes and names kept by the kernel for a second, no page kept across an open. It does
 * what bench_files needs and no more: no links, no special files, no extended attributes.
 *
 * Threads:  libfuse's workers; the table of inodes has a lock.
 */
#define FUSE_USE_VERSION 314

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 1 << 14, PROC_PATH_SIZE = 64 };
#define KEEP_S 1.0

/* One file that the kernel knows. Its address is the kernel's number for it. */
struct inode {
    struct inode *next;
    int fd; /* O_PATH */
    dev_t device;
    ino_t number;
    uint64_t lookups; /* what the kernel will forget */
};

struct listing {
    DIR *stream;
    off_t position;
    struct dirent *pending; /* read, but did not fit into the last answer */
};

static struct {
    pthread_mutex_t lock;
    struct inode *bucket[BUCKETS];
    struct inode root;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct inode *inode_of(fuse_ino_t number)
{
    return number == FUSE_ROOT_ID ? &table.root : (struct inode *)(uintptr_t)number;
}

static int fd_of(fuse_ino_t number)
{
    return inode_of(number)->fd;
}

static struct inode **bucket_of(dev_t device, ino_t number)
{
    uint64_t mixed = ((uint64_t)number + (uint64_t)device) * UINT64_C(0x9e3779b97f4a7c15);

    return &table.bucket[mixed >> 50];
}

/* A path that leads to what an O_PATH descriptor stands for. */
static void proc_path(char path[PROC_PATH_SIZE], int fd)
{
    snprintf(path, PROC_PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* The inode for `fd` (taken), which the kernel has looked up once more. NULL: out of memory. */
static struct inode *inode_found(int fd, const struct stat *status)
{
    struct inode **bucket = bucket_of(status->st_dev, status->st_ino);
    struct inode *inode;

    static_assert(BUCKETS == 1 << (64 - 50), "the hash yields a bucket");
    pthread_mutex_lock(&table.lock);
    for (inode = *bucket; inode; inode = inode->next) {
        if (inode->number == status->st_ino && inode->device == status->st_dev) {
            break;
        }
    }
    if (inode) {
        inode->lookups++;
        close(fd);
    } else if ((inode = calloc(1, sizeof *inode))) {
        inode->fd = fd;
        inode->device = status->st_dev;
        inode->number = status->st_ino;
        inode->lookups = 1;
        inode->next = *bucket;
        *bucket = inode;
    } else {
        close(fd);
    }
    pthread_mutex_unlock(&table.lock);
    return inode;
}

static void inode_forget(struct inode *inode, uint64_t lookups)
{
    if (inode == &table.root) {
        return;
    }
    pthread_mutex_lock(&table.lock);
    assert(inode->lookups >= lookups);
    inode->lookups -= lookups;
    if (inode->lookups == 0) {
        struct inode **link = bucket_of(inode->device, inode->number);
        while (*link != inode) {
            link = &(*link)->next;
        }
        *link = inode->next;
        close(inode->fd);
        free(inode);
    }
    pthread_mutex_unlock(&table.lock);
}

/* Fills `entry` for a name. 0 or an errno. */
static int look_up(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->attr_timeout = KEEP_S;
    entry->entry_timeout = KEEP_S;
    int fd = openat(fd_of(parent), name, O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        return errno;
    }
    if (fstatat(fd, "", &entry->attr, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        int failure = errno;
        close(fd);
        return failure;
    }
    struct inode *inode = inode_found(fd, &entry->attr);
    if (!inode) {
        return ENOMEM;
    }
    entry->ino = (uintptr_t)inode;
    return 0;
}

static void reply_entry(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry;
    int failure = look_up(parent, name, &entry);

    if (failure) {
        fuse_reply_err(request, failure);
    } else {
        fuse_reply_entry(request, &entry);
    }
}

static void reply_result(fuse_req_t request, int result)
{
    fuse_reply_err(request, result ? errno : 0);
}

static void pass_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    reply_entry(request, parent, name);
}

static void pass_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    inode_forget(inode_of(number), lookups);
    fuse_reply_none(request);
}

static void pass_forget_multi(fuse_req_t request, size_t count,
                              struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++) {
        inode_forget(inode_of(forgets[i].ino), forgets[i].nlookup);
    }
    fuse_reply_none(request);
}

static void reply_attributes(fuse_req_t request, fuse_ino_t number)
{
    struct stat status;

    if (fstatat(fd_of(number), "", &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        fuse_reply_err(request, errno);
    } else {
        fuse_reply_attr(request, &status, KEEP_S);
    }
}

static void pass_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)file;
    reply_attributes(request, number);
}

static int set_times(const char *path, const struct stat *wanted, int which)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

    if (which & FUSE_SET_ATTR_ATIME) {
        times[0] = wanted->st_atim;
    }
    if (which & FUSE_SET_ATTR_ATIME_NOW) {
        times[0].tv_nsec = UTIME_NOW;
    }
    if (which & FUSE_SET_ATTR_MTIME) {
        times[1] = wanted->st_mtim;
    }
    if (which & FUSE_SET_ATTR_MTIME_NOW) {
        times[1].tv_nsec = UTIME_NOW;
    }
    return utimensat(AT_FDCWD, path, times, 0);
}

static void pass_setattr(fuse_req_t request, fuse_ino_t number, struct stat *wanted, int which,
                         struct fuse_file_info *file)
{
    char path[PROC_PATH_SIZE];
    int result = 0;

    proc_path(path, fd_of(number));
    if (which & FUSE_SET_ATTR_MODE) {
        result = chmod(path, wanted->st_mode);
    }
    if (!result && which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
        uid_t user = which & FUSE_SET_ATTR_UID ? wanted->st_uid : (uid_t)-1;
        gid_t group = which & FUSE_SET_ATTR_GID ? wanted->st_gid : (gid_t)-1;
        result = chown(path, user, group);
    }
    if (!result && which & FUSE_SET_ATTR_SIZE) {
        result =
            file ? ftruncate((int)file->fh, wanted->st_size) : truncate(path, wanted->st_size);
    }
    if (!result && which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
        result = set_times(path, wanted, which);
    }
    if (result) {
        fuse_reply_err(request, errno);
    } else {
        reply_attributes(request, number);
    }
}

static void pass_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                        struct fuse_file_info *file)
{
    struct fuse_entry_param entry;
    int fd = openat(fd_of(parent), name, (file->flags | O_CREAT) & ~O_NOFOLLOW, mode);

    if (fd < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    int failure = look_up(parent, name, &entry);
    if (failure) {
        close(fd);
        fuse_reply_err(request, failure);
        return;
    }
    file->fh = (uint64_t)fd;
    fuse_reply_create(request, &entry, file);
}

static void pass_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    char path[PROC_PATH_SIZE];

    proc_path(path, fd_of(number));
    int fd = open(path, file->flags & ~O_NOFOLLOW);
    if (fd < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    file->fh = (uint64_t)fd;
    file->keep_cache = 0;
    fuse_reply_open(request, file);
}

static void pass_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                      struct fuse_file_info *file)
{
    struct fuse_bufvec from = FUSE_BUFVEC_INIT(size);

    (void)number;
    from.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    from.buf[0].fd = (int)file->fh;
    from.buf[0].pos = offset;
    fuse_reply_data(request, &from, FUSE_BUF_SPLICE_MOVE);
}

static void pass_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t size,
                       off_t offset, struct fuse_file_info *file)
{
    ssize_t written = pwrite((int)file->fh, bytes, size, offset);

    (void)number;
    if (written < 0) {
        fuse_reply_err(request, errno);
    } else {
        fuse_reply_write(request, (size_t)written);
    }
}

static void pass_flush(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)number;
    /* What close would tell is told by closing a copy. */
    reply_result(request, close(dup((int)file->fh)));
}

static void pass_fsync(fuse_req_t request, fuse_ino_t number, int data_only,
                       struct fuse_file_info *file)
{
    (void)number;
    reply_result(request, data_only ? fdatasync((int)file->fh) : fsync((int)file->fh));
}

static void pass_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    (void)number;
    reply_result(request, close((int)file->fh));
}

static struct listing *listing_of(const struct fuse_file_info *file)
{
    return (struct listing *)(uintptr_t)file->fh;
}

static void pass_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct listing *listing = calloc(1, sizeof *listing);
    int fd = openat(fd_of(number), ".", O_RDONLY | O_DIRECTORY);

    if (listing && fd >= 0) {
        listing->stream = fdopendir(fd);
    }
    if (!listing || !listing->stream) {
        int failure = listing ? errno : ENOMEM;
        if (fd >= 0) {
            close(fd);
        }
        free(listing);
        fuse_reply_err(request, failure);
        return;
    }
    file->fh = (uintptr_t)listing;
    fuse_reply_open(request, file);
}

/* Adds the pending entry to `room`. Returns what it takes, more than `size` if it does not fit.
 */
static size_t add_entry(fuse_req_t request, fuse_ino_t number, const struct dirent *found,
                        char *room, size_t size, bool plus)
{
    struct fuse_entry_param entry = {.attr.st_ino = found->d_ino,
                                     .attr.st_mode = (mode_t)DTTOIF(found->d_type)};

    if (!plus) {
        return fuse_add_direntry(request, room, size, found->d_name, &entry.attr, found->d_off);
    }
    bool dots = strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;
    size_t wanted = fuse_add_direntry_plus(request, NULL, 0, found->d_name, NULL, 0);
    if (wanted > size || (!dots && look_up(number, found->d_name, &entry))) {
        /* It does not fit, or it is gone: then there is nothing to show. */
        return wanted > size ? wanted : 0;
    }
    return fuse_add_direntry_plus(request, room, size, found->d_name, &entry, found->d_off);
}

static void list(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                 struct listing *listing, bool plus)
{
    char *answer = malloc(size);
    size_t used = 0;

    if (!answer) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    if (offset != listing->position) {
        seekdir(listing->stream, offset);
        listing->pending = NULL;
        listing->position = offset;
    }
    for (;;) {
        if (!listing->pending && !(listing->pending = readdir(listing->stream))) {
            break;
        }
        size_t taken =
            add_entry(request, number, listing->pending, answer + used, size - used, plus);
        if (taken > size - used) {
            break;
        }
        used += taken;
        listing->position = listing->pending->d_off;
        listing->pending = NULL;
    }
    fuse_reply_buf(request, answer, used);
    free(answer);
}

static void pass_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                         struct fuse_file_info *file)
{
    list(request, number, size, offset, listing_of(file), false);
}

static void pass_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                             struct fuse_file_info *file)
{
    list(request, number, size, offset, listing_of(file), true);
}

static void pass_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct listing *listing = listing_of(file);

    (void)number;
    closedir(listing->stream);
    free(listing);
    fuse_reply_err(request, 0);
}

static void pass_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    reply_result(request, unlinkat(fd_of(parent), name, 0));
}

static void pass_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    reply_result(request, unlinkat(fd_of(parent), name, AT_REMOVEDIR));
}

static void pass_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    if (mkdirat(fd_of(parent), name, mode)) {
        fuse_reply_err(request, errno);
    } else {
        reply_entry(request, parent, name);
    }
}

static void pass_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
                        fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    reply_result(request, renameat2(fd_of(parent), name, fd_of(new_parent), new_name, flags));
}

static void pass_statfs(fuse_req_t request, fuse_ino_t number)
{
    struct statvfs status;

    if (fstatvfs(fd_of(number), &status)) {
        fuse_reply_err(request, errno);
    } else {
        fuse_reply_statfs(request, &status);
    }
}

static const struct fuse_lowlevel_ops OPERATIONS = {
    .lookup = pass_lookup,
    .forget = pass_forget,
    .forget_multi = pass_forget_multi,
    .getattr = pass_getattr,
    .setattr = pass_setattr,
    .create = pass_create,
    .open = pass_open,
    .read = pass_read,
    .write = pass_write,
    .flush = pass_flush,
    .fsync = pass_fsync,
    .release = pass_release,
    .opendir = pass_opendir,
    .readdir = pass_readdir,
    .readdirplus = pass_readdirplus,
    .releasedir = pass_releasedir,
    .unlink = pass_unlink,
    .rmdir = pass_rmdir,
    .mkdir = pass_mkdir,
    .rename = pass_rename,
    .statfs = pass_statfs,
};

/* Each name that the kernel knows holds a descriptor. */
static void allow_many_files(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int serve(struct fuse_session *session, const char *mountpoint)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int result = 1;

    if (!config || fuse_set_signal_handlers(session)) {
        goto out;
    }
    if (fuse_session_mount(session, mountpoint)) {
        goto handlers;
    }
    fuse_loop_cfg_set_clone_fd(config, 1);
    result = fuse_session_loop_mt(session, config);
    fuse_session_unmount(session);
handlers:
    fuse_remove_signal_handlers(session);
out:
    if (config) {
        fuse_loop_cfg_destroy(config);
    }
    return result ? 1 : 0;
}

int main(int argc, char **argv)
{
    char option[] = "-ofsname=passthrough,default_permissions";
    char *arguments[] = {argv[0], option, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(2, arguments);

    if (argc != 3) {
        fputs("usage: passthrough DIRECTORY MOUNTPOINT    (stays in the foreground)\n", stderr);
        return 2;
    }
    allow_many_files();
    umask(0);
    table.root.fd = open(argv[1], O_PATH | O_DIRECTORY);
    if (table.root.fd < 0) {
        perror(argv[1]);
        return 1;
    }
    struct fuse_session *session =
        fuse_session_new(&args, &OPERATIONS, sizeof OPERATIONS, NULL);
    if (!session) {
        return 1;
    }
    int result = serve(session, argv[2]);
    fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    return result;
}
