/*
 * test_dynamod.c - dynamod as a process: its command line, its end, and what survives it.
 *
 *  - A wrong command line is one line on stderr and exit code 2; what fails later, 1.
 *  - What was acknowledged is there after kill -9, and after SIGTERM in the middle of puts.
 *  - SIGTERM and SIGINT end it with exit code 0.
 *  - A stop waits for the requests in flight, but not for ever.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum {
    PUTS = 200,
    WRITERS = 4,
    WRITER_PUTS = 20000, /* more than they can do before the end */
};

static void assert_one_line(const char *errors)
{
    const char *newline = strchr(errors, '\n');

    assert_memory_equal(errors, "dynamod: ", 9);
    assert_non_null(newline);
    assert_int_equal(newline[1], '\0');
}

static void assert_usage_error(const char *const *arguments, const char *part)
{
    struct node_process process;
    char *errors = NULL;

    process_start(&process, arguments);
    assert_int_equal(process_wait_errors(&process, &errors), 2);
    assert_one_line(errors);
    if (!strstr(errors, part)) {
        fail_msg("'%s' does not name '%s'", errors, part);
    }
    free(errors);
}

static void test_dynamod__wrong_command_line__one_line_and_exit_2(void **state)
{
    static const struct {
        const char *part;
        const char *arguments[8];
    } CASES[] = {
        {"--data", {NULL}},
        {"--data", {"--listen", "127.0.0.1:0", NULL}},
        {"--listen", {"--data", "d", NULL}},
        {"bogus", {"--bogus", NULL}},
        {"listen", {"--listen", NULL}},
        {"extra", {"--data", "d", "--listen", "127.0.0.1:0", "extra", NULL}},
        {"nowhere", {"--data", "d", "--listen", "nowhere", NULL}},
        {"join", {"--data", "d", "--listen", "127.0.0.1:0", "--join", "a:1,,b:2", NULL}},
        {"--replicas", {"--data", "d", "--listen", "127.0.0.1:0", "--replicas", "0", NULL}},
        {"--replicas", {"--data", "d", "--listen", "127.0.0.1:0", "--replicas", "3x", NULL}},
        {"partitions", {"--data", "d", "--listen", "127.0.0.1:0", "--partitions", "99", NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_usage_error(CASES[i].arguments, CASES[i].part);
    }
}

static void test_dynamod__help_and_version__exit_0(void **state)
{
    static const char *const HELP[] = {"--help", NULL};
    static const char *const VERSION[] = {"--version", NULL};
    struct node_process process;

    (void)state;
    process_start(&process, HELP);
    assert_int_equal(process_wait(&process), 0);
    process_start(&process, VERSION);
    assert_int_equal(process_wait(&process), 0);
}

static void assert_start_fails(const char *data, const char *listen, const char *part)
{
    const char *arguments[] = {"--data", data, "--listen", listen, NULL};
    struct node_process process;
    char *errors = NULL;

    process_start(&process, arguments);
    assert_int_equal(process_wait_errors(&process, &errors), 1);
    assert_one_line(errors);
    if (!strstr(errors, part)) {
        fail_msg("'%s' does not say '%s'", errors, part);
    }
    free(errors);
}

static void test_dynamod__cannot_start__one_line_and_exit_1(void **state)
{
    struct node_process process;
    char other[FIXTURE_PATH_SIZE];
    char path[FIXTURE_PATH_SIZE + 32];

    (void)state;
    fixture_make_directory(other);
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    assert_start_fails(other, process.address, "address already in use");
    assert_start_fails(fixture_directory, "127.0.0.1:0", "in use by another process");
    assert_start_fails(other, "192.0.2.1:7450", "--insecure");
    snprintf(path, sizeof path, "%s/missing/deeper", other);
    assert_start_fails(path, "127.0.0.1:0", "No such file or directory");
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
    fixture_remove_directory(other);
}

static void test_dynamod__interrupted__exit_0(void **state)
{
    struct node_process process;

    (void)state;
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    process_signal(&process, SIGINT);
    assert_int_equal(process_wait(&process), 0);
}

/* Starts and stops it; what it said of the stop before. */
static void assert_stop_before_was(const char *wanted)
{
    struct node_process process;
    char *errors = NULL;

    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait_errors(&process, &errors), 0);
    if (!strstr(errors, wanted)) {
        fail_msg("'%s' does not say '%s'", errors, wanted);
    }
    free(errors);
}

/* As when the terminal that it was started from is closed. */
static void test_dynamod__hung_up__ends_properly(void **state)
{
    struct node_process process;

    (void)state;
    (void)signal(SIGHUP, SIG_DFL); /* whatever this test was started by */
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    assert_true(client_put_until_ok(process.address, "a", "apple"));
    process_signal(&process, SIGHUP);
    assert_int_equal(process_wait(&process), 0);
    assert_stop_before_was("clean_stop_before=yes");
}

/* As under nohup. */
static void test_dynamod__hung_up_where_that_is_ignored__goes_on(void **state)
{
    struct node_process process;

    (void)state;
    (void)signal(SIGHUP, SIG_IGN);
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    process_signal(&process, SIGHUP);
    assert_true(client_put_until_ok(process.address, "a", "apple"));
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
    (void)signal(SIGHUP, SIG_DFL);
}

static void test_dynamod__user_signals__mean_nothing(void **state)
{
    struct node_process process;

    (void)state;
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    process_signal(&process, SIGUSR1);
    process_signal(&process, SIGUSR2);
    assert_true(client_put_until_ok(process.address, "a", "apple"));
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
}

static void test_dynamod__help_on_a_full_disk__is_a_failure(void **state)
{
    char command[512];

    (void)state;
    snprintf(command, sizeof command, "'%s' --help > /dev/full 2> /dev/null",
             getenv("DYNAMOD"));
    assert_int_equal(system(command), 1 << 8);
    snprintf(command, sizeof command, "'%s' --version > /dev/full 2> /dev/null",
             getenv("DYNAMOD"));
    assert_int_equal(system(command), 1 << 8);
}

/* What was typed comes back as text, not as orders to the terminal. */
static void test_dynamod__control_characters_in_an_option__as_numbers(void **state)
{
    static const char *const ARGUMENTS[] = {"--bo\033[2Jgus", NULL};

    (void)state;
    assert_usage_error(ARGUMENTS, "--bo\\x1b[2Jgus");
}

static void test_dynamod__terminated_or_killed__next_start_knows(void **state)
{
    struct node_process process;

    (void)state;
    assert_stop_before_was("clean_stop_before=yes");
    assert_stop_before_was("clean_stop_before=yes");
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    assert_stop_before_was("clean_stop_before=no");
    assert_stop_before_was("clean_stop_before=yes");
}

static void make_key(char key[16], size_t index)
{
    snprintf(key, 16, "k%u", (unsigned)index);
}

static void assert_keys(const char *address, const bool *wanted, size_t count)
{
    struct test_client client;

    assert_true(client_wait_members(address, 1));
    client_open(&client, address);
    for (size_t i = 0; i < count; i++) {
        char key[16];
        char *text = NULL;

        make_key(key, i);
        if (wanted[i]) {
            assert_int_equal(client_get(&client, key, &text), STATUS_OK);
            assert_string_equal(text, key);
            free(text);
        }
    }
    client_close(&client);
}

static void test_dynamod__killed__acknowledged_puts_are_there_again(void **state)
{
    struct node_process process;
    struct test_client client;
    bool wanted[PUTS] = {false};
    char address[ADDRESS_SIZE];

    (void)state;
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    memcpy(address, process.address, sizeof address);
    assert_true(client_wait_members(address, 1));
    client_open(&client, address);
    for (size_t i = 0; i < PUTS; i++) {
        char key[16];
        make_key(key, i);
        assert_int_equal(client_put(&client, key, key), STATUS_OK);
        wanted[i] = true;
    }
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    client_close(&client);

    process_start_node(&process, fixture_directory, address, NULL);
    assert_keys(address, wanted, PUTS);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
}

/* Puts one key after the other until the node is gone. */
struct writer {
    pthread_t thread;
    char address[ADDRESS_SIZE];
    size_t first;
    atomic_size_t count; /* acknowledged, from `first` on, without a gap */
};

static void *write_until_closed(void *context)
{
    struct writer *writer = context;
    struct test_client client;
    enum status status = STATUS_CLOSED;
    size_t next = writer->first;

    if (client_connect(&client, writer->address)) {
        status = client_greet(&client, ROLE_CLIENT);
    }
    while (status == STATUS_OK && next < writer->first + WRITER_PUTS) {
        char key[16];
        make_key(key, next);
        status = client_put(&client, key, key);
        if (status == STATUS_OK) {
            atomic_store(&writer->count, ++next - writer->first);
        }
    }
    client_close(&client);
    return NULL;
}

static void start_writers(struct writer writers[WRITERS], const char *address)
{
    for (size_t i = 0; i < WRITERS; i++) {
        snprintf(writers[i].address, ADDRESS_SIZE, "%s", address);
        writers[i].first = i * WRITER_PUTS;
        atomic_init(&writers[i].count, 0);
        assert_int_equal(
            pthread_create(&writers[i].thread, NULL, write_until_closed, &writers[i]), 0);
    }
}

static void wait_until_all_write(struct writer writers[WRITERS])
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    for (size_t i = 0; i < WRITERS; i++) {
        while (atomic_load(&writers[i].count) < 3) {
            assert_true(now_monotonic_ms() < until_ms);
            usleep(1000);
        }
    }
}

/* Ends the node with a signal while writers are at work. What they were told stays. */
static void end_while_writing(int number, int wanted_code)
{
    struct node_process process;
    struct writer writers[WRITERS];
    static bool wanted[WRITERS * WRITER_PUTS];
    char address[ADDRESS_SIZE];

    memset(wanted, 0, sizeof wanted);
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    memcpy(address, process.address, sizeof address);
    assert_true(client_wait_members(address, 1));
    start_writers(writers, address);
    wait_until_all_write(writers);
    process_signal(&process, number);
    assert_int_equal(process_wait(&process), wanted_code);
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        size_t count = atomic_load(&writers[i].count);
        assert_true(count < WRITER_PUTS);
        memset(&wanted[writers[i].first], 1, count);
    }

    process_start_node(&process, fixture_directory, address, NULL);
    assert_keys(address, wanted, (size_t)WRITERS * WRITER_PUTS);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
}

static void test_dynamod__terminated_while_writing__acknowledged_puts_stay(void **state)
{
    (void)state;
    end_while_writing(SIGTERM, 0);
}

static void test_dynamod__killed_while_writing__acknowledged_puts_stay(void **state)
{
    (void)state;
    end_while_writing(SIGKILL, -SIGKILL);
}

enum { NODES = 3, DRAIN_LIMIT_MS = 5000 };

/* Three nodes, two of which are suspended, so that a put through the first one must wait. */
struct stuck {
    struct node_process nodes[NODES];
    char directories[NODES][FIXTURE_PATH_SIZE];
    int reserved[NODES];
    struct test_client client;
};

static void stuck_start(struct stuck *stuck)
{
    char addresses[NODES][ADDRESS_SIZE];
    char join[NODES * ADDRESS_SIZE];
    size_t used = 0;

    memset(stuck, 0, sizeof *stuck);
    for (size_t i = 0; i < NODES; i++) {
        fixture_make_directory(stuck->directories[i]);
        stuck->reserved[i] = fixture_reserve_port(addresses[i]);
        used += (size_t)snprintf(join + used, sizeof join - used, "%s%s", i > 0 ? "," : "",
                                 addresses[i]);
    }
    for (size_t i = 0; i < NODES; i++) {
        process_start_node(&stuck->nodes[i], stuck->directories[i], addresses[i], join);
    }
    assert_true(client_wait_members(addresses[0], NODES));
    client_open(&stuck->client, addresses[0]);
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;
    enum status status = STATUS_BUSY;
    for (int i = 0; status != STATUS_OK && now_monotonic_ms() < until_ms; i++) {
        char key[32];
        /* A put that failed may have left a version: under one name there would soon be more
         * than it may have. */
        snprintf(key, sizeof key, "met-%d", i);
        status = client_put(&stuck->client, key, "yes");
    }
    assert_string_equal(status_name(status), "ok");
    process_signal(&stuck->nodes[1], SIGSTOP);
    process_signal(&stuck->nodes[2], SIGSTOP);
}

/* Sends a put that waits for its deadline, and stops the node once it has it. */
static void stuck_put_and_stop(struct stuck *stuck, uint32_t deadline_ms)
{
    struct message put;
    struct message request = {.type = MESSAGE_STATUS, .request_id = 2};
    struct message reply = {.type = 0};

    client_make_put(&put, "late", "late");
    put.put.deadline_ms = deadline_ms;
    put.request_id = 1;
    assert_true(client_send(&stuck->client, &put));
    message_release(&put);
    /* Requests are taken in order: when this one is answered the put is in flight. */
    assert_true(client_send(&stuck->client, &request));
    assert_int_equal(client_receive(&stuck->client, &reply), STATUS_OK);
    assert_int_equal(reply.request_id, 2);
    message_release(&reply);
    process_signal(&stuck->nodes[0], SIGTERM);
}

static void stuck_end(struct stuck *stuck)
{
    client_close(&stuck->client);
    for (size_t i = 0; i < NODES; i++) {
        if (i > 0) {
            process_signal(&stuck->nodes[i], SIGKILL);
            assert_int_equal(process_wait(&stuck->nodes[i]), -SIGKILL);
        }
        close(stuck->reserved[i]);
        fixture_remove_directory(stuck->directories[i]);
    }
}

static void test_dynamod__terminated_with_put_in_flight__answers_it_first(void **state)
{
    struct stuck stuck;
    struct message reply = {.type = 0};

    (void)state;
    stuck_start(&stuck);
    stuck_put_and_stop(&stuck, 1000);
    assert_int_equal(client_receive(&stuck.client, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_PUT_REPLY);
    assert_int_equal(reply.request_id, 1);
    assert_int_not_equal(reply.status, STATUS_OK);
    message_release(&reply);
    assert_int_equal(process_wait(&stuck.nodes[0]), 0);
    stuck_end(&stuck);
}

/* Asks until the node says that it is going. */
static void wait_until_new_requests_are_refused(struct test_client *client)
{
    uint64_t until_ms = now_monotonic_ms() + DRAIN_LIMIT_MS;
    enum status status = STATUS_OK;

    for (uint64_t id = 10; status != STATUS_CLOSED; id++) {
        struct message get;
        struct message reply = {.type = 0};

        assert_true(now_monotonic_ms() < until_ms);
        client_make_get(&get, "other");
        get.get.deadline_ms = 100;
        get.request_id = id;
        assert_true(client_send(client, &get));
        message_release(&get);
        assert_int_equal(client_receive(client, &reply), STATUS_OK);
        assert_int_equal(reply.request_id, id);
        status = reply.status;
        message_release(&reply);
    }
}

static void test_dynamod__terminated_with_long_put_in_flight__ends_after_5_s(void **state)
{
    struct stuck stuck;

    (void)state;
    stuck_start(&stuck);
    stuck_put_and_stop(&stuck, 60000);
    uint64_t begin_ms = now_monotonic_ms();
    wait_until_new_requests_are_refused(&stuck.client);
    assert_int_equal(process_wait(&stuck.nodes[0]), 0);
    assert_in_range(now_monotonic_ms() - begin_ms, DRAIN_LIMIT_MS - 500, DRAIN_LIMIT_MS + 5000);
    stuck_end(&stuck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dynamod__hung_up__ends_properly, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__hung_up_where_that_is_ignored__goes_on,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__user_signals__mean_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__help_on_a_full_disk__is_a_failure,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_dynamod__control_characters_in_an_option__as_numbers, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__wrong_command_line__one_line_and_exit_2,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__help_and_version__exit_0, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__cannot_start__one_line_and_exit_1,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__interrupted__exit_0, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__terminated_or_killed__next_start_knows,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_dynamod__killed__acknowledged_puts_are_there_again,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_dynamod__terminated_while_writing__acknowledged_puts_stay, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_dynamod__killed_while_writing__acknowledged_puts_stay, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_dynamod__terminated_with_put_in_flight__answers_it_first, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_dynamod__terminated_with_long_put_in_flight__ends_after_5_s, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
