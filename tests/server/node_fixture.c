/*
 * node_fixture.c - storage nodes for tests: on a thread, or as a dynamod of their own.
 */
#include "tests/server/node_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/test_client.h"

enum { ERRORS_SIZE_MAX = 1 << 20 };

void fixture_make_directory(char ret_path[FIXTURE_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");

    snprintf(ret_path, FIXTURE_PATH_SIZE, "%s/dynamofs-server-XXXXXX",
             base && strlen(base) < 64 ? base : "/tmp");
    assert_non_null(mkdtemp(ret_path));
}

static int remove_one(const char *path, const struct stat *attributes, int type,
                      struct FTW *position)
{
    (void)attributes;
    (void)type;
    (void)position;
    return remove(path);
}

void fixture_remove_directory(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char fixture_directory[FIXTURE_PATH_SIZE];

int fixture_setup(void **state)
{
    (void)state;
    fixture_make_directory(fixture_directory);
    return 0;
}

int fixture_teardown(void **state)
{
    (void)state;
    fixture_remove_directory(fixture_directory);
    return 0;
}

int fixture_reserve_port(char ret_address[ADDRESS_SIZE])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int yes = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    snprintf(ret_address, ADDRESS_SIZE, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return descriptor;
}

static void *run_node(void *context)
{
    struct node_thread *node = context;

    node->status = server_run(node->server, &node->error);
    return NULL;
}

void node_start(struct node_thread *node, const struct server_options *options)
{
    struct error error = {.code = STATUS_OK};

    memset(node, 0, sizeof *node);
    enum status status = server_new(options, &node->server, &error);
    if (status != STATUS_OK) {
        fail_msg("server_new: %s", error.text);
    }
    snprintf(node->address, sizeof node->address, "%s", server_address(node->server));
    assert_int_equal(pthread_create(&node->thread, NULL, run_node, node), 0);
}

void node_start_alone(struct node_thread *node, const char *directory)
{
    struct server_options options = {.data_directory = directory, .listen = "127.0.0.1:0"};

    node_start(node, &options);
    assert_true(client_wait_members(node->address, 1));
}

enum status node_wait(struct node_thread *node)
{
    assert_int_equal(pthread_join(node->thread, NULL), 0);
    server_free(node->server);
    node->server = NULL;
    return node->status;
}

void node_stop(struct node_thread *node)
{
    server_stop(node->server);
    if (node_wait(node) != STATUS_OK) {
        fail_msg("server_run: %s", node->error.text);
    }
}

void process_start(struct node_process *process, const char *const *arguments)
{
    const char *program = getenv("DYNAMOD");
    const char *vector[PROCESS_ARGUMENTS_MAX + 2] = {program};
    int output[2];
    int errors[2];
    posix_spawn_file_actions_t actions;

    if (!program) {
        fail_msg("DYNAMOD does not name the program");
        return;
    }
    for (size_t i = 0; arguments[i]; i++) {
        assert_true(i < PROCESS_ARGUMENTS_MAX);
        vector[i + 1] = arguments[i];
    }
    memset(process, 0, sizeof *process);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
    /* It leaves the arguments alone, whatever its type says. */
    assert_int_equal(
        posix_spawn(&process->pid, program, &actions, NULL, (char *const *)vector, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    close(errors[1]);
    process->output = output[0];
    process->errors = errors[0];
}

/* One line, or what came until the end or the deadline. */
static void read_line(int descriptor, char *ret_line, size_t size)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;
    size_t used = 0;

    ret_line[0] = '\0';
    while (used + 1 < size && !strchr(ret_line, '\n') && now_monotonic_ms() < until_ms) {
        struct pollfd poll_descriptor = {.fd = descriptor, .events = POLLIN};
        if (poll(&poll_descriptor, 1, 100) <= 0) {
            continue;
        }
        ssize_t got = read(descriptor, ret_line + used, size - 1 - used);
        if (got <= 0) {
            return;
        }
        used += (size_t)got;
        ret_line[used] = '\0';
    }
}

void process_start_node(struct node_process *process, const char *directory, const char *listen,
                        const char *join)
{
    const char *arguments[] = {"--data", directory, "--listen", listen, NULL, NULL, NULL};
    static const char READY[] = "dynamod: ready on ";
    char line[128];

    if (join) {
        arguments[4] = "--join";
        arguments[5] = join;
    }
    process_start(process, arguments);
    read_line(process->output, line, sizeof line);
    if (strncmp(line, READY, strlen(READY)) != 0) {
        fail_msg("dynamod said '%s'", line);
    }
    line[strcspn(line, "\n")] = '\0';
    snprintf(process->address, sizeof process->address, "%.63s", line + strlen(READY));
}

void process_signal(struct node_process *process, int number)
{
    assert_int_equal(kill(process->pid, number), 0);
}

int process_wait_errors(struct node_process *process, char **ret_errors)
{
    char *text = calloc(1, ERRORS_SIZE_MAX);
    size_t used = 0;
    ssize_t got = 0;
    int end = 0;

    assert_non_null(text);
    while (used + 1 < ERRORS_SIZE_MAX &&
           (got = read(process->errors, text + used, ERRORS_SIZE_MAX - 1 - used)) > 0) {
        used += (size_t)got;
    }
    assert_int_equal(waitpid(process->pid, &end, 0), process->pid);
    close(process->output);
    close(process->errors);
    *ret_errors = text;
    return WIFEXITED(end) ? WEXITSTATUS(end) : -WTERMSIG(end);
}

int process_wait(struct node_process *process)
{
    char *text = NULL;
    int code = process_wait_errors(process, &text);

    free(text);
    return code;
}
