/*
 * test_secret.c - who is let in: nodes and clients that know the cluster's secret.
 *
 *  - Nothing is answered before the secret was proved, whatever role the other claims.
 *  - A wrong proof is refused with a reason and counted.
 *  - The secret is made with the cluster, is private, and stays.
 *  - Nodes of one user on one machine find it, in whatever order they start; elsewhere it is
 *    handed over in a file, and who lacks it is told so.
 *  - Another user of the machine is not let in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/secret.h"
#include "node/client/pool.h"
#include "node/client/socket.h"
#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum { NODES = 3, PATH_SIZE = 2 * FIXTURE_PATH_SIZE, NOBODY = 65534 };

static char base[FIXTURE_PATH_SIZE];
static char directory[NODES][PATH_SIZE];

/* Looks as another machine to the nodes that start from now on. */
static void use_machine(const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", base, name);
    assert_int_equal(setenv("DYNAMOFS_RUNTIME_DIR", path, 1), 0);
}

static int setup(void **state)
{
    (void)state;
    fixture_make_directory(base);
    for (int i = 0; i < NODES; i++) {
        snprintf(directory[i], PATH_SIZE, "%s/data%d", base, i);
    }
    use_machine("here");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove_directory(base);
    return 0;
}

static void secret_path(int node, char ret_path[PATH_SIZE])
{
    snprintf(ret_path, PATH_SIZE, "%.100s/secret", directory[node]);
}

static struct secret secret_of(int node)
{
    char path[PATH_SIZE];
    struct secret secret;
    struct error error = {.text = ""};
    struct stat attributes;

    secret_path(node, path);
    if (secret_read_file(path, &secret, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(stat(path, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0600);
    return secret;
}

static void assert_same_secret(int a, int b)
{
    struct secret of_a = secret_of(a);
    struct secret of_b = secret_of(b);

    assert_true(secret_equal(&of_a, &of_b));
}

static void start(struct node_thread *node, int index, const char *listen, const char *join)
{
    struct server_options options = {
        .data_directory = directory[index], .listen = listen, .join = join};

    node_start(node, &options);
}

static void test_secret__request_without_a_proof__closed_whatever_the_role(void **state)
{
    struct node_thread node;
    struct test_client client;
    static const enum role ROLES[] = {ROLE_CLIENT, ROLE_NODE};

    (void)state;
    node_start_alone(&node, directory[0]);
    for (size_t i = 0; i < 2; i++) {
        struct message hello = {.type = MESSAGE_HELLO};
        struct message request = {.type = MESSAGE_RING};
        struct message reply = {.type = 0};

        hello.hello.protocol = PROTOCOL_VERSION;
        hello.hello.role = ROLES[i];
        hello.hello.node = ROLES[i] == ROLE_NODE ? 4713 : 0;
        snprintf(hello.hello.address, ADDRESS_SIZE, "%s",
                 ROLES[i] == ROLE_NODE ? "127.0.0.1:4713" : "");
        assert_true(client_connect(&client, node.address));
        assert_int_equal(client_call(&client, &hello, &reply), STATUS_OK);
        assert_int_equal(reply.status, STATUS_OK);
        assert_true(reply.hello.has_proof);
        message_release(&reply);
        assert_int_equal(client_call(&client, &request, &reply), STATUS_OK);
        assert_int_equal(reply.type, MESSAGE_HELLO_REPLY);
        assert_int_equal(reply.status, STATUS_BAD_MESSAGE);
        message_release(&reply);
        assert_true(client_wait_closed(&client));
        client_close(&client);
    }
    node_stop(&node);
}

static void test_secret__wrong_proof__denied_and_counted(void **state)
{
    struct node_thread node;
    struct test_client liar;
    struct test_client client;

    (void)state;
    node_start_alone(&node, directory[0]);
    client_open(&client, node.address);
    for (uint64_t i = 1; i <= 2; i++) {
        assert_true(client_connect(&liar, node.address));
        liar.lies = true;
        assert_int_equal(client_greet(&liar, i == 1 ? ROLE_CLIENT : ROLE_NODE), STATUS_DENIED);
        assert_true(client_wait_closed(&liar));
        client_close(&liar);
        assert_int_equal(client_figure(&client, "connections_denied"), i);
    }
    client_close(&client);
    node_stop(&node);
}

static void test_secret__second_proof__closed(void **state)
{
    struct node_thread node;
    struct test_client client;
    struct message proof = {.type = MESSAGE_PROOF};
    struct message reply = {.type = 0};

    (void)state;
    node_start_alone(&node, directory[0]);
    client_open(&client, node.address);
    assert_int_equal(client_call(&client, &proof, &reply), STATUS_OK);
    assert_int_equal(reply.status, STATUS_BAD_MESSAGE);
    message_release(&reply);
    client_close(&client);
    node_stop(&node);
}

static void test_secret__made_with_the_cluster__stays(void **state)
{
    struct node_thread node;

    (void)state;
    node_start_alone(&node, directory[0]);
    struct secret made = secret_of(0);
    node_stop(&node);
    node_start_alone(&node, directory[0]);
    client_put_text(node.address, "a", "apple");
    struct secret later = secret_of(0);
    assert_true(secret_equal(&made, &later));
    node_stop(&node);
}

static void test_secret__unreadable_one__is_not_made_anew(void **state)
{
    struct node_thread node;
    struct server_options options = {.data_directory = directory[0], .listen = "127.0.0.1:0"};
    struct server *server = NULL;
    struct error error = {.text = ""};
    char path[PATH_SIZE];

    (void)state;
    node_start_alone(&node, directory[0]);
    node_stop(&node);
    secret_path(0, path);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(server_new(&options, &server, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "open to others"));
}

/* The one that is joined has not founded its cluster yet when the other looks for a secret. */
static void test_secret__started_before_what_it_joins__takes_up_its_secret(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char address[ADDRESS_SIZE];
    int reserved = fixture_reserve_port(address);

    (void)state;
    start(&second, 1, "127.0.0.1:0", address);
    start(&first, 0, address, NULL);
    assert_true(client_wait_members(address, 2));
    assert_true(client_wait_members(second.address, 2));
    assert_true(client_put_until_ok(second.address, "a", "apple"));
    assert_same_secret(0, 1);
    node_stop(&second);
    node_stop(&first);
    close(reserved);
}

static void test_secret__each_joins_the_next__all_agree(void **state)
{
    struct node_thread nodes[NODES];
    char address[NODES][ADDRESS_SIZE];
    int reserved[NODES];

    (void)state;
    for (int i = 0; i < NODES; i++) {
        reserved[i] = fixture_reserve_port(address[i]);
    }
    for (int i = NODES - 1; i >= 0; i--) {
        start(&nodes[i], i, address[i], i > 0 ? address[i - 1] : NULL);
    }
    for (int i = 0; i < NODES; i++) {
        assert_true(client_wait_members(address[i], NODES));
    }
    assert_true(client_put_until_ok(address[2], "a", "apple"));
    assert_same_secret(0, 1);
    assert_same_secret(0, 2);
    for (int i = 0; i < NODES; i++) {
        node_stop(&nodes[i]);
        close(reserved[i]);
    }
}

static void test_secret__joins_from_elsewhere_without_it__ends_and_says_so(void **state)
{
    struct node_thread first;
    struct node_thread second;

    (void)state;
    node_start_alone(&first, directory[0]);
    use_machine("there");
    start(&second, 1, "127.0.0.1:0", first.address);
    assert_int_equal(node_wait(&second), STATUS_REFUSED);
    assert_non_null(strstr(second.error.text, first.address));
    assert_non_null(strstr(second.error.text, "--secret-file"));
    use_machine("here");
    struct test_client client;
    client_open(&client, first.address);
    assert_true(client_figure(&client, "connections_denied") >= 1);
    client_close(&client);
    node_stop(&first);
}

static void test_secret__joins_from_elsewhere_with_the_file__becomes_a_member(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char path[PATH_SIZE];
    char address[ADDRESS_SIZE];
    struct server_options options = {
        .data_directory = directory[1], .listen = "127.0.0.1:0", .secret_file = path};

    (void)state;
    node_start_alone(&first, directory[0]);
    use_machine("there");
    secret_path(0, path);
    options.join = first.address;
    node_start(&second, &options);
    assert_true(client_wait_members(second.address, 2));
    assert_same_secret(0, 1);
    node_stop(&second);

    /* Its own data directory has it now. */
    options.secret_file = NULL;
    memcpy(address, second.address, sizeof address);
    options.listen = address;
    node_start(&second, &options);
    assert_true(client_wait_members(second.address, 2));
    assert_true(client_put_until_ok(second.address, "a", "apple"));
    node_stop(&second);
    node_stop(&first);
}

static void test_secret__member_lost_the_file__finds_it_at_another_or_is_refused(void **state)
{
    struct node_thread first;
    struct node_thread second;
    struct server *server = NULL;
    struct error error = {.text = ""};
    char path[PATH_SIZE];
    char address[ADDRESS_SIZE];

    (void)state;
    node_start_alone(&first, directory[0]);
    start(&second, 1, "127.0.0.1:0", first.address);
    assert_true(client_wait_members(second.address, 2));
    node_stop(&second);
    secret_path(1, path);
    assert_int_equal(unlink(path), 0);
    use_machine("there");
    struct server_options options = {.data_directory = directory[1], .listen = second.address};
    assert_int_equal(server_new(&options, &server, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "--secret-file"));

    use_machine("here");
    memcpy(address, second.address, sizeof address);
    start(&second, 1, address, NULL);
    assert_true(client_wait_members(second.address, 2));
    assert_same_secret(0, 1);
    node_stop(&second);
    node_stop(&first);
}

/* Exits with the status of a first request. */
static void ask_as_another_user(const char *address)
{
    struct pool *pool = NULL;
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply;
    struct pool_call call = {.address = address,
                             .request = &request,
                             .deadline_ns = client_now_ns() + CLIENT_TIMEOUT_MS * NS_PER_MS};

    if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0 ||
        pool_new(&pool) != STATUS_OK) {
        _exit((int)STATUS_IO);
    }
    _exit((int)pool_call(pool, &call, &reply));
}

static void test_secret__another_user_of_the_machine__denied(void **state)
{
    struct node_thread node;
    int end = 0;

    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can be another user\n");
        skip();
    }
    node_start_alone(&node, directory[0]);
    client_put_text(node.address, "a", "apple");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ask_as_another_user(node.address);
    }
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_true(WIFEXITED(end));
    assert_int_equal(WEXITSTATUS(end), STATUS_DENIED);
    node_stop(&node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_secret__request_without_a_proof__closed_whatever_the_role),
        TEST(test_secret__wrong_proof__denied_and_counted),
        TEST(test_secret__second_proof__closed),
        TEST(test_secret__made_with_the_cluster__stays),
        TEST(test_secret__unreadable_one__is_not_made_anew),
        TEST(test_secret__started_before_what_it_joins__takes_up_its_secret),
        TEST(test_secret__each_joins_the_next__all_agree),
        TEST(test_secret__joins_from_elsewhere_without_it__ends_and_says_so),
        TEST(test_secret__joins_from_elsewhere_with_the_file__becomes_a_member),
        TEST(test_secret__member_lost_the_file__finds_it_at_another_or_is_refused),
        TEST(test_secret__another_user_of_the_machine__denied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
