/*
 * fuse_kernel.h - plays the kernel to the FUSE layer: the raw protocol over a socket pair.
 *
 * What runs behind the socket is what runs in dynamofs: session, operations and model; only the
 * cluster is a store in memory.
 *
 * Threads:  start and stop on one thread; the calls on any, several at once. None of them
 *           asserts, so that they may be used outside of cmocka's thread.
 * Never:    a wait without deadline: a request without an answer fails with ETIME.
 */
#ifndef TESTS_FS_FUSE_KERNEL_H
#define TESTS_FS_FUSE_KERNEL_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/client/kv_memory.h"

enum {
    FUSE_KERNEL_CALLS_MAX = 64,
    FUSE_KERNEL_PARTS_MAX = 3,
    FUSE_KERNEL_MESSAGE_MAX = (1 << 20) + 8192,
};

struct fuse_kernel;

struct fuse_kernel_call {
    uint32_t opcode;
    uint64_t inode;
    struct slice parts[FUSE_KERNEL_PARTS_MAX]; /* sent one after the other */
    uint32_t user;
    uint32_t group;
};

struct fuse_kernel_reply {
    size_t size;
    uint8_t *data; /* to be freed */
};

/* A mount over an empty store, with INIT behind it. NULL if anything fails. */
struct fuse_kernel *fuse_kernel_start(void);
/* DESTROY, and the end of the session. False if the session did not end as it should. */
MUST_CHECK bool fuse_kernel_stop(struct fuse_kernel *kernel);
/* The same, but the cluster is left to the caller, who closes it. */
MUST_CHECK bool fuse_kernel_detach(struct fuse_kernel *kernel, struct kv **ret_kv);

/* The cluster behind the mount. Inside. */
struct kv *fuse_kernel_kv(struct fuse_kernel *kernel);
/* What INIT agreed upon. */
uint32_t fuse_kernel_max_write(const struct fuse_kernel *kernel);
/* Notifications that came so far. */
unsigned fuse_kernel_notifications(struct fuse_kernel *kernel);

/* One request and its answer: 0 or the errno of the answer; ETIME if there was none, EIO if the
 * request could not be sent. *reply is filled only for 0. */
int fuse_kernel_request(struct fuse_kernel *kernel, const struct fuse_kernel_call *call,
                        struct fuse_kernel_reply *reply);
/* A request that has no answer, such as FORGET. */
int fuse_kernel_tell(struct fuse_kernel *kernel, const struct fuse_kernel_call *call);
/* Any bytes as one message; if they are a request with an answer, `answered` and the unique id
 * of the header decide what is waited for. */
int fuse_kernel_raw(struct fuse_kernel *kernel, void *bytes, size_t size, bool answered);

#endif
