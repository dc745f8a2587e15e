/*
 * test_session.c - the life of a FUSE session, with operations that know only the root.
 *
 * Rules: it ends when the kernel's side closes, when it is told to, and on SIGTERM; being told
 * before it runs is enough; what libfuse refuses becomes an error of one line.
 */
#include <linux/fuse.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "fs/fuse/session.h"

static void answer_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct stat attributes = {.st_ino = node, .st_mode = S_IFDIR | 0755};

    (void)info;
    (void)fuse_reply_attr(request, &attributes, 0);
}

static const struct fuse_lowlevel_ops OPERATIONS = {.getattr = answer_getattr};

struct running {
    struct session *session;
    int fd; /* the kernel's side */
    pthread_t thread;
    enum status status;
    struct error error;
};

static void open_running(struct running *running)
{
    struct session_options options = {.operations = &OPERATIONS};
    int ends[2];

    memset(running, 0, sizeof *running);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(session_new(&options, &running->session, &running->error), STATUS_OK);
    assert_int_equal(session_attach(running->session, ends[1], &running->error), STATUS_OK);
    running->fd = ends[0];
}

static void *run_thread(void *argument)
{
    struct running *running = argument;

    running->status = session_run(running->session, &running->error);
    return NULL;
}

/* Sends INIT and GETATTR of the root, and reads both answers: the session is serving. */
static void assert_serves(struct running *running)
{
    struct {
        struct fuse_in_header header;
        struct fuse_init_in init;
    } init = {.header = {.len = sizeof init, .opcode = FUSE_INIT, .unique = 2},
              .init = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION}};
    struct {
        struct fuse_in_header header;
        struct fuse_getattr_in getattr;
    } getattr = {
        .header = {.len = sizeof getattr, .opcode = FUSE_GETATTR, .unique = 4, .nodeid = 1}};
    uint8_t answer[4096];
    struct fuse_out_header header;

    assert_int_equal(send(running->fd, &init, sizeof init, 0), sizeof init);
    assert_true(recv(running->fd, answer, sizeof answer, 0) > 0);
    assert_int_equal(send(running->fd, &getattr, sizeof getattr, 0), sizeof getattr);
    assert_true(recv(running->fd, answer, sizeof answer, 0) >= (ssize_t)sizeof header);
    memcpy(&header, answer, sizeof header);
    assert_int_equal(header.unique, 4);
    assert_int_equal(header.error, 0);
}

static void start_running(struct running *running)
{
    open_running(running);
    assert_int_equal(pthread_create(&running->thread, NULL, run_thread, running), 0);
    assert_serves(running);
}

static void finish_running(struct running *running)
{
    assert_int_equal(pthread_join(running->thread, NULL), 0);
    assert_int_equal(running->status, STATUS_OK);
    session_free(running->session);
    (void)close(running->fd);
}

static void test_session__kernel_closes__ends(void **state)
{
    struct running running;

    (void)state;
    start_running(&running);
    (void)shutdown(running.fd, SHUT_RDWR);

    finish_running(&running);
}

static void test_session__told_to_stop__ends(void **state)
{
    struct running running;

    (void)state;
    start_running(&running);
    session_stop(running.session);

    finish_running(&running);
}

static void test_session__told_before_it_runs__ends_at_once(void **state)
{
    struct running running;

    (void)state;
    open_running(&running);
    session_stop(running.session);
    assert_int_equal(session_run(running.session, &running.error), STATUS_OK);

    session_free(running.session);
    (void)close(running.fd);
}

static void test_session__started_and_stopped_often__always_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct running running;

        open_running(&running);
        assert_int_equal(pthread_create(&running.thread, NULL, run_thread, &running), 0);
        if (i % 2 == 0) {
            assert_serves(&running);
        }
        session_stop(running.session);
        /* Told while it was not running yet, it must not begin. */
        finish_running(&running);
    }
}

static void test_session__sigterm__ends(void **state)
{
    struct running running;
    sigset_t before;

    (void)state;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    session_block_signals();
    start_running(&running);
    assert_int_equal(kill(getpid(), SIGTERM), 0);

    finish_running(&running);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void test_session_new__option_that_libfuse_does_not_know__one_line(void **state)
{
    struct session_options options = {.operations = &OPERATIONS, .fuse = "nonsense"};
    struct session *session = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    assert_int_not_equal(session_new(&options, &session, &error), STATUS_OK);

    assert_null(session);
    assert_non_null(strstr(error.text, "nonsense"));
    assert_null(strchr(error.text, '\n'));
}

static void test_session_mount__no_such_directory__says_where_and_why(void **state)
{
    struct session_options options = {.operations = &OPERATIONS};
    struct session *session = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    assert_int_equal(session_new(&options, &session, &error), STATUS_OK);
    assert_int_not_equal(session_mount(session, "/no/such/directory", &error), STATUS_OK);

    assert_non_null(strstr(error.text, "mount on /no/such/directory: "));
    assert_null(strchr(error.text, '\n'));
    session_free(session);
}

static void test_session_mount__helper_refuses__its_reason_is_reported(void **state)
{
    /* With auto_unmount libfuse leaves the mounting to fusermount3, also as root. */
    struct session_options options = {.operations = &OPERATIONS, .fuse = "auto_unmount"};
    struct session *session = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    assert_int_equal(session_new(&options, &session, &error), STATUS_OK);
    assert_int_not_equal(session_mount(session, "/proc/self/no", &error), STATUS_OK);

    assert_non_null(strstr(error.text, "mount on /proc/self/no: "));
    assert_non_null(strstr(error.text, "No such file"));
    assert_null(strchr(error.text, '\n'));
    session_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session__kernel_closes__ends),
        cmocka_unit_test(test_session__told_to_stop__ends),
        cmocka_unit_test(test_session__told_before_it_runs__ends_at_once),
        cmocka_unit_test(test_session__started_and_stopped_often__always_ends),
        cmocka_unit_test(test_session__sigterm__ends),
        cmocka_unit_test(test_session_new__option_that_libfuse_does_not_know__one_line),
        cmocka_unit_test(test_session_mount__no_such_directory__says_where_and_why),
        cmocka_unit_test(test_session_mount__helper_refuses__its_reason_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
