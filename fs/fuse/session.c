/*
 * session.c - one FUSE connection: mount, serve, unmount.
 */
#include "fs/fuse/session.h"

#define FUSE_USE_VERSION 312

#include <assert.h>
#include <errno.h>
#include <fuse_log.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "node/base/condition.h"
#include "node/base/now.h"

enum {
    /* A request waits for the cluster on its thread, up to the deadline when the cluster is
     * away: enough threads that other requests still get through. */
    THREADS_MAX = 64,
    /* How often the loop is told again to look at its stop flag. */
    KICK_INTERVAL_NS = 20 * 1000 * 1000,
    /* libfuse takes the arguments of a request for complete, as a kernel's are. */
    TAIL_SIZE = 4096,
};

/* Makes a blocking call of the loop's thread return, and does nothing else. */
static const int KICK_SIGNAL = SIGUSR1;

struct session {
    struct fuse_session *fuse;
    bool mounted;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t ended;
    bool running;
    pthread_t loop_thread;
};

/*
 * What libfuse said last while it was being set up: it reports reasons only by its log, which
 * is one for the whole process.
 */
static char captured[ERROR_TEXT_SIZE];

__attribute__((format(printf, 2, 0))) static void capture(enum fuse_log_level level,
                                                          const char *format, va_list arguments)
{
    (void)level;
    (void)vsnprintf(captured, sizeof captured, format, arguments);
}

static void capture_begin(void)
{
    captured[0] = '\0';
    fuse_set_log_func(capture);
}

/* Ends the capture and makes an error of what was said, without libfuse's decoration. */
static enum status capture_fail(const char *what, struct error *error)
{
    const char *reason = captured;
    int system_error = errno;

    fuse_set_log_func(NULL);
    if (strncmp(reason, "fuse: ", 6) == 0) {
        reason += 6;
    }
    captured[strcspn(captured, "\n")] = '\0';
    if (reason[0] == '\0') {
        reason = system_error != 0 ? strerror(system_error) : "libfuse gave no reason";
    }
    error->code = STATUS_IO;
    (void)snprintf(error->text, sizeof error->text, "%.100s: %.150s", what, reason);
    return STATUS_IO;
}

static enum status fail(struct error *error, enum status code, const char *text)
{
    error->code = code;
    (void)snprintf(error->text, sizeof error->text, "%s", text);
    return code;
}

static bool build_arguments(const struct session_options *options, struct fuse_args *arguments)
{
    return fuse_opt_add_arg(arguments, "dynamofs") == 0 &&
           (!options->fuse || (fuse_opt_add_arg(arguments, "-o") == 0 &&
                               fuse_opt_add_arg(arguments, options->fuse) == 0)) &&
           (!options->debug || fuse_opt_add_arg(arguments, "-d") == 0);
}

enum status session_new(const struct session_options *options, struct session **ret_session,
                        struct error *error)
{
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    struct session *session;
    enum status status = STATUS_OK;

    assert(options && options->operations);
    assert(ret_session && error);
    session = calloc(1, sizeof *session);
    if (!session || !build_arguments(options, &arguments)) {
        status = fail(error, STATUS_NO_MEMORY, "out of memory");
        goto out;
    }
    capture_begin();
    errno = 0;
    session->fuse = fuse_session_new(&arguments, options->operations,
                                     sizeof *options->operations, options->userdata);
    if (!session->fuse) {
        status = capture_fail("mount options", error);
        goto out;
    }
    fuse_set_log_func(NULL);
    (void)pthread_mutex_init(&session->lock, NULL);
    condition_init(&session->ended);
    *ret_session = session;
out:
    fuse_opt_free_args(&arguments);
    if (status != STATUS_OK) {
        free(session);
    }
    return status;
}

struct fuse_session *session_fuse(struct session *session)
{
    assert(session);
    return session->fuse;
}

/*
 * fusermount3, which mounts for users, tells its reasons on standard error alone. While it may
 * run, that is a file in memory; -1 if there is none, and then it writes where it always does.
 */
static int borrow_stderr(int *ret_saved)
{
    int memory = memfd_create("stderr", MFD_CLOEXEC);

    *ret_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (memory >= 0 && *ret_saved >= 0) {
        (void)dup2(memory, STDERR_FILENO);
        return memory;
    }
    (void)close(memory);
    (void)close(*ret_saved);
    return -1;
}

/* Ends the loan. What fusermount3 said goes to `captured`; other lines, of the node that runs
 * beside, go where they were meant to. */
static void return_stderr(int memory, int saved)
{
    static const char HELPER[] = "fusermount3: ";
    FILE *lines;
    char line[ERROR_TEXT_SIZE];

    if (memory < 0) {
        return;
    }
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    lines = fdopen(memory, "r");
    if (!lines) {
        (void)close(memory);
        return;
    }
    rewind(lines);
    while (fgets(line, sizeof line, lines)) {
        if (strncmp(line, HELPER, sizeof HELPER - 1) == 0) {
            (void)snprintf(captured, sizeof captured, "%s", line + sizeof HELPER - 1);
        } else {
            (void)fputs(line, stderr);
        }
    }
    (void)fclose(lines);
}

enum status session_mount(struct session *session, const char *mountpoint, struct error *error)
{
    char what[ERROR_TEXT_SIZE];
    int saved;
    int memory;
    int result;

    assert(session && !session->mounted);
    assert(mountpoint && mountpoint[0] == '/');
    capture_begin();
    memory = borrow_stderr(&saved);
    errno = 0;
    result = fuse_session_mount(session->fuse, mountpoint);
    return_stderr(memory, saved);
    if (result != 0) {
        (void)snprintf(what, sizeof what, "mount on %.80s", mountpoint);
        return capture_fail(what, error);
    }
    fuse_set_log_func(NULL);
    session->mounted = true;
    return STATUS_OK;
}

/* One message of a socket as one request. */
static ssize_t receive_request(int fd, void *bytes, size_t size, void *userdata)
{
    ssize_t received = recv(fd, bytes, size, 0);

    (void)userdata;
    if (received == 0) {
        /* As a kernel's device answers after the unmount. */
        errno = ENODEV;
        return -1;
    }
    if (received > 0) {
        size_t rest = size - (size_t)received;

        memset((char *)bytes + received, 0, rest < TAIL_SIZE ? rest : TAIL_SIZE);
    }
    return received;
}

static ssize_t send_answer(int fd, struct iovec *parts, int count, void *userdata)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};

    (void)userdata;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

enum status session_attach(struct session *session, int fd, struct error *error)
{
    static const struct fuse_custom_io IO = {.read = receive_request, .writev = send_answer};

    assert(session && !session->mounted);
    assert(fd >= 0);
    capture_begin();
    errno = 0;
    if (fuse_session_custom_io(session->fuse, &IO, fd) != 0) {
        (void)close(fd);
        return capture_fail("attach", error);
    }
    fuse_set_log_func(NULL);
    return STATUS_OK;
}

static void stop_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGHUP);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
}

void session_block_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;

    stop_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    /* They mean nothing to a mount, and must not end it. */
    (void)sigaction(SIGUSR1, &ignore, NULL);
    (void)sigaction(SIGUSR2, &ignore, NULL);
}

static bool are_signals_blocked(void)
{
    sigset_t now;

    (void)pthread_sigmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, SIGTERM) == 1;
}

static void on_kick(int number)
{
    (void)number;
}

static void *signal_thread(void *argument)
{
    struct session *session = argument;
    sigset_t set;
    int number;

    stop_signals(&set);
    while (sigwait(&set, &number) != 0) {
    }
    session_stop(session);
    return NULL;
}

static int serve(struct session *session)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int result;

    if (!config) {
        return -ENOMEM;
    }
    fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
    result = fuse_session_loop_mt(session->fuse, config);
    fuse_loop_cfg_destroy(config);
    return result;
}

static void set_running(struct session *session, bool running)
{
    (void)pthread_mutex_lock(&session->lock);
    session->running = running;
    session->loop_thread = pthread_self();
    (void)pthread_cond_broadcast(&session->ended);
    (void)pthread_mutex_unlock(&session->lock);
}

enum status session_run(struct session *session, struct error *error)
{
    struct sigaction kick = {.sa_handler = on_kick};
    bool signals = are_signals_blocked();
    sigset_t kicks;
    pthread_t waiter;
    int result;

    assert(session && error);
    (void)sigaction(KICK_SIGNAL, &kick, NULL);
    (void)sigemptyset(&kicks);
    (void)sigaddset(&kicks, KICK_SIGNAL);
    (void)pthread_sigmask(SIG_UNBLOCK, &kicks, NULL);
    set_running(session, true);
    if (signals && pthread_create(&waiter, NULL, signal_thread, session) != 0) {
        set_running(session, false);
        return fail(error, STATUS_NO_MEMORY, "cannot start a thread");
    }
    result = serve(session);
    set_running(session, false);
    if (signals) {
        /* Any signal that it waits for. */
        (void)pthread_kill(waiter, SIGHUP);
        (void)pthread_join(waiter, NULL);
    }
    if (result < 0) {
        return fail(error, STATUS_IO, strerror(-result));
    }
    return STATUS_OK;
}

/*
 * The loop's thread sleeps on a semaphore between two looks at the stop flag; a signal that
 * comes between look and sleep is lost, so it is sent until the loop has ended.
 */
void session_stop(struct session *session)
{
    assert(session);
    fuse_session_exit(session->fuse);
    (void)pthread_mutex_lock(&session->lock);
    while (session->running) {
        (void)pthread_kill(session->loop_thread, KICK_SIGNAL);
        (void)condition_wait_until(&session->ended, &session->lock,
                                   now_monotonic_ns() + KICK_INTERVAL_NS);
    }
    (void)pthread_mutex_unlock(&session->lock);
}

void session_free(struct session *session)
{
    if (!session) {
        return;
    }
    if (session->mounted) {
        fuse_session_unmount(session->fuse);
    }
    fuse_session_destroy(session->fuse);
    (void)pthread_cond_destroy(&session->ended);
    (void)pthread_mutex_destroy(&session->lock);
    free(session);
}
