/*
 * background.c - leaving the shell: fork, tell the parent how it went, log to syslog.
 */
#include "fs/dynamofs/background.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "node/base/now.h"
#include "node/base/text.h"

/* The first byte of a report; the text of the error follows. */
enum { REPORT_READY = 'r', REPORT_FAILED = 'f' };

enum { CHILD_POLL_MS = 20 };

/* True if the child ended within `limit_ms`; there is nothing but a look now and then that
 * waits for a child and a clock. */
static bool wait_child(pid_t child, uint64_t limit_ms, int *ret_result)
{
    struct timespec pause = {.tv_nsec = CHILD_POLL_MS * 1000000L};
    uint64_t begin = now_monotonic_ms();

    while (waitpid(child, ret_result, WNOHANG) == 0) {
        if (now_monotonic_ms() - begin > limit_ms) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* Takes away a mount whose process is gone. */
static void remove_dead_mount(const char *mountpoint)
{
    struct stat attributes;
    pid_t helper;
    int result;

    if (stat(mountpoint, &attributes) == 0 || errno != ENOTCONN) {
        return;
    }
    helper = fork();
    if (helper == 0) {
        (void)execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", mountpoint,
                     (char *)NULL);
        _exit(127);
    }
    if (helper > 0 && !wait_child(helper, BACKGROUND_END_MS, &result)) {
        (void)kill(helper, SIGKILL);
    }
}

static void end_child(pid_t child, const char *mountpoint)
{
    int result;

    (void)kill(child, SIGTERM);
    if (!wait_child(child, BACKGROUND_END_MS, &result)) {
        (void)kill(child, SIGKILL);
        (void)wait_child(child, BACKGROUND_END_MS, &result);
    }
    remove_dead_mount(mountpoint);
}

/* Reads the child's report up to its end or the deadline. Returns its size; -1 for the
 * deadline. */
static ssize_t read_report(int fd, char *report, size_t size)
{
    uint64_t begin = now_monotonic_ms();
    size_t used = 0;

    while (used < size) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        uint64_t passed = now_monotonic_ms() - begin;
        ssize_t got;

        if (passed >= BACKGROUND_START_MS) {
            return -1;
        }
        if (poll(&poller, 1, (int)(BACKGROUND_START_MS - passed)) <= 0) {
            continue;
        }
        got = read(fd, report + used, size - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* The name of the mount point is as it was typed. */
static void complain(const char *mountpoint, const char *what)
{
    (void)fputs("dynamofs: mount on ", stderr);
    text_print(stderr, slice_of_string(mountpoint));
    (void)fprintf(stderr, ": %s\n", what);
}

/* What the parent does with its life. */
__attribute__((noreturn)) static void parent(int fd, pid_t child, const char *mountpoint)
{
    char report[ERROR_TEXT_SIZE + 1];
    ssize_t size = read_report(fd, report, sizeof report - 1);
    int result = 0;

    if (size > 0 && report[0] == REPORT_READY) {
        _exit(0);
    }
    if (size < 0) {
        end_child(child, mountpoint);
        (void)snprintf(report, sizeof report, "no answer within %d s",
                       BACKGROUND_START_MS / 1000);
        complain(mountpoint, report);
    } else if (size == 0) {
        (void)wait_child(child, BACKGROUND_END_MS, &result);
        (void)snprintf(report, sizeof report, "the process died (%s)",
                       WIFSIGNALED(result) ? strsignal(WTERMSIG(result)) : "exit");
        complain(mountpoint, report);
        remove_dead_mount(mountpoint);
    } else {
        report[size] = '\0';
        (void)fputs("dynamofs: ", stderr);
        text_print(stderr, slice_of_string(report + 1));
        (void)fputc('\n', stderr);
        if (!wait_child(child, BACKGROUND_END_MS, &result)) {
            end_child(child, mountpoint);
        }
    }
    _exit(1);
}

/* Each line that is written to the pipe, to syslog. */
static void *log_thread(void *argument)
{
    FILE *lines = argument;
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, lines) > 0) {
        line[strcspn(line, "\n")] = '\0';
        syslog(LOG_NOTICE, "%s", line);
    }
    free(line);
    (void)fclose(lines);
    return NULL;
}

/* Puts standard error and output on a pipe to syslog; on /dev/null if that cannot be. */
static void redirect_output(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ends[2];
    FILE *lines = NULL;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)dup2(nothing, STDOUT_FILENO);
        (void)dup2(nothing, STDERR_FILENO);
        (void)close(nothing);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    /* A log that is stuck loses lines; it never stops the mount. */
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    lines = fdopen(ends[0], "r");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    openlog("dynamofs", LOG_PID, LOG_DAEMON);
    if (lines && pthread_create(&thread, NULL, log_thread, lines) == 0) {
        (void)pthread_detach(thread);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
    } else if (lines) {
        (void)fclose(lines);
    } else {
        (void)close(ends[0]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(ends[1]);
}

bool background_start(struct background *background, const char *mountpoint,
                      struct error *error)
{
    int ends[2] = {-1, -1};
    pid_t child = -1;

    assert(background && mountpoint && error);
    if (pipe2(ends, O_CLOEXEC) == 0) {
        child = fork();
    }
    if (child < 0) {
        error->code = STATUS_NO_MEMORY;
        (void)snprintf(error->text, sizeof error->text, "start in the background: %s",
                       strerror(errno));
        return false;
    }
    if (child > 0) {
        (void)close(ends[1]);
        parent(ends[0], child, mountpoint);
    }
    (void)close(ends[0]);
    background->report = ends[1];
    (void)setsid();
    (void)chdir("/");
    redirect_output();
    return true;
}

void background_ready(struct background *background)
{
    char byte = REPORT_READY;

    assert(background);
    if (background->report < 0) {
        return;
    }
    (void)!write(background->report, &byte, 1);
    (void)close(background->report);
    background->report = -1;
}

bool background_fail(struct background *background, const struct error *error)
{
    char report[ERROR_TEXT_SIZE + 1];
    int size;

    assert(background && error);
    if (background->report < 0) {
        return false;
    }
    size = snprintf(report, sizeof report, "%c%s", REPORT_FAILED, error->text);
    if (size > 0) {
        (void)!write(background->report, report, (size_t)size);
    }
    (void)close(background->report);
    background->report = -1;
    return true;
}
