/*
 * test_protocol.c - what no sound kernel sends, and many requests at once.
 *
 * Rules: a malformed request is answered with an errno or not at all, and the mount serves the
 * next one; requests of many threads do not disturb each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fs/fixture.h"

enum { THREADS = 8, ROUNDS = 40, MESSAGE_SIZE = 512 };

/*
 * The operations whose requests hold neither a handle nor the size of what follows: for those
 * two, libfuse and the mount take the kernel's word, as nobody else can open the device.
 */
static const uint32_t OPERATIONS[] = {
    FUSE_LOOKUP,    FUSE_READLINK,    FUSE_SYMLINK, FUSE_MKNOD,  FUSE_MKDIR,   FUSE_UNLINK,
    FUSE_RMDIR,     FUSE_RENAME,      FUSE_LINK,    FUSE_OPEN,   FUSE_STATFS,  FUSE_GETXATTR,
    FUSE_LISTXATTR, FUSE_REMOVEXATTR, FUSE_ACCESS,  FUSE_CREATE, FUSE_RENAME2, FUSE_GETATTR,
};

static size_t make_message(uint8_t message[static MESSAGE_SIZE], uint32_t opcode,
                           uint64_t inode, size_t body)
{
    struct fuse_in_header header = {
        .len = (uint32_t)(sizeof header + body), .opcode = opcode, .nodeid = inode};

    memset(message, 0, MESSAGE_SIZE);
    memcpy(message, &header, sizeof header);
    return sizeof header + body;
}

static void assert_serves(struct fuse_kernel *kernel)
{
    assert_done(shell_write(kernel, ROOT, "alive", "yes"));
    assert_content(kernel, ROOT, "alive", "yes");
}

static void test_init__agrees_on_large_writes(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_int_equal(fuse_kernel_max_write(kernel), 1 << 20);
    assert_serves(kernel);
}

static void test_request__unknown_operation__enosys(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint8_t message[MESSAGE_SIZE];

    assert_errno(fuse_kernel_raw(kernel, message, make_message(message, 9999, ROOT, 0), true),
                 ENOSYS);
    assert_errno(fuse_kernel_raw(kernel, message, make_message(message, 0, ROOT, 40), true),
                 ENOSYS);
    assert_serves(kernel);
}

static void test_request__without_its_arguments__errno(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint8_t message[MESSAGE_SIZE];

    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
        for (size_t body = 0; body <= 48; body += 3) {
            size_t size = make_message(message, OPERATIONS[i], ROOT, body);
            int error = fuse_kernel_raw(kernel, message, size, true);

            assert_int_not_equal(error, ETIME);
        }
    }
    assert_serves(kernel);
}

static void test_request__of_a_inode_that_never_was__errno(void **state)
{
    static const uint64_t NODES[] = {0, 2, 12345, UINT64_C(1) << 40, UINT64_MAX};
    struct fuse_kernel *kernel = *state;
    uint8_t message[MESSAGE_SIZE];

    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
        for (size_t j = 0; j < sizeof NODES / sizeof NODES[0]; j++) {
            size_t size = make_message(message, OPERATIONS[i], NODES[j], 64);
            int error = fuse_kernel_raw(kernel, message, size, true);

            assert_int_not_equal(error, ETIME);
            assert_true(error != 0 || OPERATIONS[i] == FUSE_STATFS);
        }
    }
    assert_serves(kernel);
}

static void test_request__random_arguments__answered(void **state)
{
    struct fuse_kernel *kernel = *state;
    uint8_t message[MESSAGE_SIZE];
    uint64_t random = 88172645463325252;

    for (unsigned i = 0; i < 4000; i++) {
        uint32_t opcode = OPERATIONS[i % (sizeof OPERATIONS / sizeof OPERATIONS[0])];
        size_t size = make_message(message, opcode, 1 + i % 3, 8 + i % 200);

        for (size_t at = sizeof(struct fuse_in_header); at < size; at++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            message[at] = (uint8_t)random;
        }
        int error = fuse_kernel_raw(kernel, message, size, true);
        assert_int_not_equal(error, ETIME);
    }
    assert_serves(kernel);
}

static void test_interrupt__of_nothing__is_passed_over(void **state)
{
    struct fuse_kernel *kernel = *state;
    struct fuse_interrupt_in in = {.unique = 424242};
    struct fuse_kernel_call call = {.opcode = FUSE_INTERRUPT,
                                    .parts = {slice_of(&in, sizeof in)}};

    assert_done(fuse_kernel_tell(kernel, &call));
    assert_serves(kernel);
}

static void test_forget__more_than_were_counted__does_no_harm(void **state)
{
    struct fuse_kernel *kernel = *state;

    assert_done(shell_write(kernel, ROOT, "f", "x"));
    uint64_t inode = call_find(kernel, ROOT, "f");
    assert_done(call_forget(kernel, inode, UINT64_MAX));
    assert_done(call_forget(kernel, ROOT, UINT64_MAX));
    assert_done(call_forget(kernel, 987654321, 5));

    assert_serves(kernel);
    assert_content(kernel, ROOT, "f", "x");
}

struct worker {
    struct fuse_kernel *kernel;
    unsigned index;
    int error;
    const char *what;
};

/* One round of a worker's own file; the first step that fails is told. */
static const char *work(struct fuse_kernel *kernel, unsigned index, unsigned round,
                        int *ret_error)
{
    char name[32];
    char moved[32];
    char text[32];
    char seen[32];

    (void)snprintf(name, sizeof name, "w%u", index);
    (void)snprintf(moved, sizeof moved, "w%u-moved", index);
    (void)snprintf(text, sizeof text, "round %u", round);
    if ((*ret_error = shell_write(kernel, ROOT, name, text)) != 0) {
        return "write";
    }
    if ((*ret_error = call_rename(kernel, ROOT, name, ROOT, moved, 0)) != 0) {
        return "rename";
    }
    if ((*ret_error = shell_read(kernel, ROOT, moved, seen, sizeof seen)) != 0) {
        return "read";
    }
    if (strcmp(seen, text) != 0) {
        *ret_error = EBADMSG;
        return "content";
    }
    if (round % 4 == 0 && (*ret_error = call_unlink(kernel, ROOT, moved)) != 0) {
        return "unlink";
    }
    return NULL;
}

/* What all workers do to one file and one directory; races may fail, nothing may break. */
static void meddle(struct fuse_kernel *kernel, unsigned index)
{
    char names[4096];
    char text[64];

    (void)shell_write(kernel, ROOT, "shared", index % 2 == 0 ? "even" : "odd");
    (void)shell_read(kernel, ROOT, "shared", text, sizeof text);
    (void)shell_list(kernel, ROOT, index % 2 == 0, names, sizeof names);
    if (index % 4 == 0) {
        (void)call_unlink(kernel, ROOT, "shared");
    }
    (void)call_mkdir(kernel, ROOT, "directory", NULL);
    (void)call_rmdir(kernel, ROOT, "directory");
}

static void *worker_thread(void *argument)
{
    struct worker *worker = argument;

    for (unsigned round = 0; round < ROUNDS && !worker->what; round++) {
        worker->what = work(worker->kernel, worker->index, round, &worker->error);
        meddle(worker->kernel, worker->index);
    }
    return NULL;
}

static void test_threads__own_and_shared_files__own_ones_are_never_disturbed(void **state)
{
    struct worker workers[THREADS] = {0};
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.kernel = *state, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_thread, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }

    for (unsigned i = 0; i < THREADS; i++) {
        if (workers[i].what) {
            fail_msg("worker %u: %s: %s", i, workers[i].what, strerror(workers[i].error));
        }
    }
    assert_serves(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(test_init__agrees_on_large_writes),
        MOUNT_TEST(test_request__unknown_operation__enosys),
        MOUNT_TEST(test_request__without_its_arguments__errno),
        MOUNT_TEST(test_request__of_a_inode_that_never_was__errno),
        MOUNT_TEST(test_request__random_arguments__answered),
        MOUNT_TEST(test_interrupt__of_nothing__is_passed_over),
        MOUNT_TEST(test_forget__more_than_were_counted__does_no_harm),
        MOUNT_TEST(test_threads__own_and_shared_files__own_ones_are_never_disturbed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
