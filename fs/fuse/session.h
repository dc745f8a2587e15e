/*
 * session.h - one FUSE connection: mount, serve, unmount.
 *
 * Shape:    new, then session_mount or session_attach, then session_run, then free.
 * Threads:  all on one thread, except session_stop. Requests are served on worker threads of
 *           session_run.
 */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

#include <stdbool.h>

#include "ring/status.h"

struct fuse_lowlevel_ops;
struct fuse_session;
struct session;

struct session_options {
    const struct fuse_lowlevel_ops *operations;
    void *userdata;
    const char *fuse; /* one -o argument for libfuse, or NULL */
    bool debug;       /* print every request to stderr */
};

/* The strings are borrowed for the call. */
MUST_CHECK enum status session_new(const struct session_options *options,
                                   struct session **ret_session, struct error *error);
/* Inside. */
struct fuse_session *session_fuse(struct session *session);

/* Mounts on an absolute path. On failure `error` says why. */
MUST_CHECK enum status session_mount(struct session *session, const char *mountpoint,
                                     struct error *error);
/* Serves a kernel that speaks the FUSE protocol over `fd`, a message-keeping socket; takes fd.
 * The session ends when the other side closes. */
MUST_CHECK enum status session_attach(struct session *session, int fd, struct error *error);

/*
 * Keeps SIGHUP, SIGINT and SIGTERM for session_run, and ignores SIGPIPE, SIGUSR1 and SIGUSR2.
 * To be called before any thread is started, so that all inherit the mask.
 */
void session_block_signals(void);

/*
 * Serves until the file system is unmounted, session_stop is called or, if the signals were
 * blocked, one of them comes. Requests under way are answered first.
 */
MUST_CHECK enum status session_run(struct session *session, struct error *error);

/* Ends session_run, and returns when it has ended. On any other thread. */
void session_stop(struct session *session);

/* Unmounts, if still mounted. NULL is allowed. */
void session_free(struct session *session);

#endif
