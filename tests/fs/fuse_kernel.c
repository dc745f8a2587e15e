/*
 * fuse_kernel.c - plays the kernel to the FUSE layer: the raw protocol over a socket pair.
 */
#include "tests/fs/fuse_kernel.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fs/fuse/ops.h"
#include "fs/fuse/session.h"

enum { ANSWER_TIMEOUT_S = 60 };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_ANSWERED };

/* A request under way. */
struct slot {
    enum slot_state state;
    uint64_t unique;
    int error;
    struct fuse_kernel_reply reply;
};

struct fuse_kernel {
    struct kv *kv;
    struct fs *fs;
    struct session *session;
    int fd;
    pthread_t server; /* runs the session */
    pthread_t reader; /* sorts the answers */
    enum status result;
    struct error error;
    uint32_t max_write;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t answered;
    uint64_t last_unique;
    unsigned notifications;
    bool closed;
    struct slot slots[FUSE_KERNEL_CALLS_MAX];
};

static void *server_thread(void *argument)
{
    struct fuse_kernel *kernel = argument;

    kernel->result = session_run(kernel->session, &kernel->error);
    return NULL;
}

static struct slot *find_slot(struct fuse_kernel *kernel, uint64_t unique)
{
    for (size_t i = 0; i < FUSE_KERNEL_CALLS_MAX; i++) {
        struct slot *slot = &kernel->slots[i];

        if (slot->state == SLOT_WAITING && slot->unique == unique) {
            return slot;
        }
    }
    return NULL;
}

/* Gives one message of the session to who waits for it. With the lock held. */
static void sort_message(struct fuse_kernel *kernel, const uint8_t *message, size_t size)
{
    struct fuse_out_header header;
    struct slot *slot;

    if (size < sizeof header) {
        return;
    }
    memcpy(&header, message, sizeof header);
    if (header.unique == 0) {
        kernel->notifications++;
        return;
    }
    slot = find_slot(kernel, header.unique);
    if (!slot) {
        return;
    }
    slot->state = SLOT_ANSWERED;
    slot->error = -header.error;
    if (header.len != size) {
        slot->error = EBADMSG;
    } else if (slot->error == 0) {
        slot->reply.size = size - sizeof header;
        slot->reply.data = malloc(slot->reply.size + 1);
        if (slot->reply.data) {
            memcpy(slot->reply.data, message + sizeof header, slot->reply.size);
            slot->reply.data[slot->reply.size] = '\0';
        } else {
            slot->error = ENOMEM;
        }
    }
    (void)pthread_cond_broadcast(&kernel->answered);
}

static void *reader_thread(void *argument)
{
    struct fuse_kernel *kernel = argument;
    uint8_t *message = malloc(FUSE_KERNEL_MESSAGE_MAX);
    ssize_t size = 0;

    while (message && (size = recv(kernel->fd, message, FUSE_KERNEL_MESSAGE_MAX, 0)) > 0) {
        (void)pthread_mutex_lock(&kernel->lock);
        sort_message(kernel, message, (size_t)size);
        (void)pthread_mutex_unlock(&kernel->lock);
    }
    free(message);
    (void)pthread_mutex_lock(&kernel->lock);
    kernel->closed = true;
    (void)pthread_cond_broadcast(&kernel->answered);
    (void)pthread_mutex_unlock(&kernel->lock);
    return NULL;
}

/* A free slot with a new unique id; NULL if all are taken. */
static struct slot *take_slot(struct fuse_kernel *kernel, uint64_t unique)
{
    struct slot *found = NULL;

    (void)pthread_mutex_lock(&kernel->lock);
    for (size_t i = 0; i < FUSE_KERNEL_CALLS_MAX && !found; i++) {
        if (kernel->slots[i].state == SLOT_FREE) {
            found = &kernel->slots[i];
            *found = (struct slot){.state = SLOT_WAITING, .unique = unique};
        }
    }
    (void)pthread_mutex_unlock(&kernel->lock);
    return found;
}

static uint64_t next_unique(struct fuse_kernel *kernel)
{
    uint64_t unique;

    (void)pthread_mutex_lock(&kernel->lock);
    kernel->last_unique += 2;
    unique = kernel->last_unique;
    (void)pthread_mutex_unlock(&kernel->lock);
    return unique;
}

/* Waits for the slot's answer, and frees the slot. */
static int await(struct fuse_kernel *kernel, struct slot *slot, struct fuse_kernel_reply *reply)
{
    struct timespec until;
    int error = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_TIMEOUT_S;
    (void)pthread_mutex_lock(&kernel->lock);
    while (slot->state == SLOT_WAITING && !kernel->closed && error == 0) {
        error = pthread_cond_timedwait(&kernel->answered, &kernel->lock, &until);
    }
    error = slot->state == SLOT_ANSWERED ? slot->error : ETIME;
    if (error == 0 && reply) {
        *reply = slot->reply;
    } else {
        free(slot->reply.data);
    }
    slot->state = SLOT_FREE;
    (void)pthread_mutex_unlock(&kernel->lock);
    return error;
}

static int send_call(struct fuse_kernel *kernel, const struct fuse_kernel_call *call,
                     uint64_t unique)
{
    struct fuse_in_header header = {
        .len = sizeof header,
        .opcode = call->opcode,
        .unique = unique,
        .nodeid = call->inode,
        .uid = call->user,
        .gid = call->group,
        .pid = (uint32_t)getpid(),
    };
    struct iovec parts[1 + FUSE_KERNEL_PARTS_MAX];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1 + FUSE_KERNEL_PARTS_MAX};

    parts[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof header};
    for (size_t i = 0; i < FUSE_KERNEL_PARTS_MAX; i++) {
        parts[1 + i] = (struct iovec){.iov_base = (void *)(uintptr_t)call->parts[i].data,
                                      .iov_len = call->parts[i].size};
        header.len += (uint32_t)call->parts[i].size;
    }
    return sendmsg(kernel->fd, &message, MSG_NOSIGNAL) == (ssize_t)header.len ? 0 : EIO;
}

int fuse_kernel_request(struct fuse_kernel *kernel, const struct fuse_kernel_call *call,
                        struct fuse_kernel_reply *reply)
{
    uint64_t unique = next_unique(kernel);
    struct slot *slot = take_slot(kernel, unique);

    if (!slot) {
        return EIO;
    }
    if (send_call(kernel, call, unique) != 0) {
        (void)pthread_mutex_lock(&kernel->lock);
        slot->state = SLOT_FREE;
        (void)pthread_mutex_unlock(&kernel->lock);
        return EIO;
    }
    return await(kernel, slot, reply);
}

int fuse_kernel_tell(struct fuse_kernel *kernel, const struct fuse_kernel_call *call)
{
    return send_call(kernel, call, next_unique(kernel));
}

int fuse_kernel_raw(struct fuse_kernel *kernel, void *bytes, size_t size, bool answered)
{
    struct fuse_in_header header;
    struct slot *slot = NULL;

    if (size >= sizeof header) {
        memcpy(&header, bytes, sizeof header);
        header.unique = next_unique(kernel);
        memcpy(bytes, &header, sizeof header);
        slot = answered ? take_slot(kernel, header.unique) : NULL;
    }
    if (send(kernel->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) {
        return EIO;
    }
    return slot ? await(kernel, slot, NULL) : 0;
}

static int init_protocol(struct fuse_kernel *kernel)
{
    /* What a Linux 6.1 kernel offers. */
    struct fuse_init_in in = {
        .major = FUSE_KERNEL_VERSION,
        .minor = FUSE_KERNEL_MINOR_VERSION,
        .max_readahead = 128 << 10,
        .flags = FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC |
                 FUSE_EXPORT_SUPPORT | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_SPLICE_WRITE |
                 FUSE_SPLICE_MOVE | FUSE_SPLICE_READ | FUSE_FLOCK_LOCKS | FUSE_HAS_IOCTL_DIR |
                 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
                 FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE | FUSE_NO_OPEN_SUPPORT |
                 FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV | FUSE_POSIX_ACL |
                 FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
                 FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2,
    };
    struct fuse_kernel_call call = {.opcode = FUSE_INIT, .parts = {slice_of(&in, sizeof in)}};
    struct fuse_kernel_reply reply = {0};
    struct fuse_init_out out = {0};
    int error = fuse_kernel_request(kernel, &call, &reply);

    if (error != 0) {
        return error;
    }
    memcpy(&out, reply.data, reply.size < sizeof out ? reply.size : sizeof out);
    free(reply.data);
    kernel->max_write = out.max_write;
    return out.major == FUSE_KERNEL_VERSION ? 0 : EPROTO;
}

static bool open_socket(struct fuse_kernel *kernel, int *ret_server_fd)
{
    int size = 2 * FUSE_KERNEL_MESSAGE_MAX;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        /* Forced if that is allowed; else as large as the system lets everybody. */
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
            (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        }
    }
    kernel->fd = ends[0];
    *ret_server_fd = ends[1];
    return true;
}

static bool open_session(struct fuse_kernel *kernel)
{
    struct fs_config config = {.attribute_timeout = 1, .entry_timeout = 1};
    struct session_options options = {.operations = ops_table()};
    int server_fd;

    if (kv_open_memory(&kernel->kv) != STATUS_OK) {
        return false;
    }
    config.kv = kernel->kv;
    kernel->fs = fs_new(&config);
    options.userdata = kernel->fs;
    if (!kernel->fs || session_new(&options, &kernel->session, &kernel->error) != 0 ||
        !open_socket(kernel, &server_fd)) {
        return false;
    }
    ops_set_session(kernel->fs, session_fuse(kernel->session));
    return session_attach(kernel->session, server_fd, &kernel->error) == STATUS_OK;
}

struct fuse_kernel *fuse_kernel_start(void)
{
    struct fuse_kernel *kernel = calloc(1, sizeof *kernel);

    if (!kernel) {
        return NULL;
    }
    (void)pthread_mutex_init(&kernel->lock, NULL);
    (void)pthread_cond_init(&kernel->answered, NULL);
    if (!open_session(kernel)) {
        (void)fprintf(stderr, "fuse_kernel: %s\n", kernel->error.text);
        return NULL;
    }
    if (pthread_create(&kernel->server, NULL, server_thread, kernel) != 0 ||
        pthread_create(&kernel->reader, NULL, reader_thread, kernel) != 0) {
        return NULL;
    }
    int error = init_protocol(kernel);
    if (error != 0) {
        (void)fprintf(stderr, "fuse_kernel: INIT: %s\n", strerror(error));
        return NULL;
    }
    return kernel;
}

bool fuse_kernel_detach(struct fuse_kernel *kernel, struct kv **ret_kv)
{
    struct fuse_kernel_call call = {.opcode = FUSE_DESTROY};
    struct fuse_kernel_reply reply = {0};
    int error = fuse_kernel_request(kernel, &call, &reply);

    free(reply.data);
    (void)shutdown(kernel->fd, SHUT_RDWR);
    (void)pthread_join(kernel->server, NULL);
    (void)pthread_join(kernel->reader, NULL);
    (void)close(kernel->fd);
    session_free(kernel->session);
    fs_free(kernel->fs);
    *ret_kv = kernel->kv;
    bool good = error == 0 && kernel->result == STATUS_OK;
    if (!good) {
        (void)fprintf(stderr, "fuse_kernel: DESTROY: %s; the session: %s\n", strerror(error),
                      kernel->error.text);
    }
    (void)pthread_cond_destroy(&kernel->answered);
    (void)pthread_mutex_destroy(&kernel->lock);
    free(kernel);
    return good;
}

bool fuse_kernel_stop(struct fuse_kernel *kernel)
{
    struct kv *kv = NULL;
    bool good = fuse_kernel_detach(kernel, &kv);

    kv_close(kv);
    return good;
}

struct kv *fuse_kernel_kv(struct fuse_kernel *kernel)
{
    return kernel->kv;
}

uint32_t fuse_kernel_max_write(const struct fuse_kernel *kernel)
{
    return kernel->max_write;
}

unsigned fuse_kernel_notifications(struct fuse_kernel *kernel)
{
    (void)pthread_mutex_lock(&kernel->lock);
    unsigned count = kernel->notifications;
    (void)pthread_mutex_unlock(&kernel->lock);
    return count;
}
