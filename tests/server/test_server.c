/*
 * test_server.c - whole nodes on loopback, on threads of this process.
 *
 *  - One node alone puts and gets; three form a cluster and share their keys.
 *  - What breaks the protocol is told why, closed and counted; the node serves on.
 *  - A busy port, a directory in use, another cluster's counts: one line, nothing changed.
 *  - The data directory tells where its node listens, while it runs.
 *  - A node alone may move to another address, a member of several may not.
 *  - A stop answers what is in flight and loses nothing that was acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum { NODES = 3, IN_FLIGHT = 100 };

static char directory[FIXTURE_PATH_SIZE];

static int setup(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

static void put_text(const char *address, const char *key, const char *text)
{
    struct test_client client;

    client_open(&client, address);
    assert_int_equal(client_put(&client, key, text), STATUS_OK);
    client_close(&client);
}

static void assert_text(const char *address, const char *key, const char *wanted)
{
    struct test_client client;
    char *text = NULL;

    client_open(&client, address);
    assert_int_equal(client_get(&client, key, &text), STATUS_OK);
    assert_string_equal(text, wanted);
    free(text);
    client_close(&client);
}

static void read_address_file(char ret_text[ADDRESS_SIZE])
{
    char path[FIXTURE_PATH_SIZE + 16];

    snprintf(path, sizeof(path), "%s/address", directory);
    FILE *file = fopen(path, "r");
    ret_text[0] = '\0';
    if (file != NULL) {
        assert_non_null(fgets(ret_text, ADDRESS_SIZE, file));
        fclose(file);
    }
    ret_text[strcspn(ret_text, "\n")] = '\0';
}

static void test_server__one_node__keeps_what_is_put(void **state)
{
    struct node_thread node;
    struct test_client client;
    char *text = NULL;

    (void)state;
    node_start_alone(&node, directory);
    client_open(&client, node.address);
    assert_int_equal(client_get(&client, "a", &text), STATUS_NOT_FOUND);
    assert_int_equal(client_put(&client, "a", "apple"), STATUS_OK);
    assert_int_equal(client_get(&client, "a", &text), STATUS_OK);
    assert_string_equal(text, "apple");
    free(text);
    client_close(&client);
    node_stop(&node);
}

static void test_server__store_always_queued__keeps_what_is_put(void **state)
{
    struct server_options options = {
        .data_directory = directory, .listen = "127.0.0.1:0", .store_always_queue = true};
    struct node_thread node;

    (void)state;
    node_start(&node, &options);
    assert_true(client_wait_members(node.address, 1));
    put_text(node.address, "a", "apple");
    assert_text(node.address, "a", "apple");
    node_stop(&node);
}

static void test_server__listens_by_name_and_on_ip6__reached_there(void **state)
{
    static const char *const LISTEN[] = {"localhost:0", "[::1]:0"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct server_options options = {.data_directory = directory, .listen = LISTEN[i]};
        struct server *server = NULL;
        struct error error = {.code = STATUS_OK};
        size_t host_size = strlen(LISTEN[i]) - 1;

        enum status status = server_new(&options, &server, &error);
        if (status != STATUS_OK && strstr(error.text, "not available") != NULL) {
            print_message("no IPv6 here: %s\n", error.text);
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_memory_equal(server_address(server), LISTEN[i], host_size);
        assert_string_not_equal(server_address(server) + host_size, "0");
        server_free(server);
    }
}

static void test_server__hello_of_other_protocol__refused_and_closed(void **state)
{
    struct node_thread node;
    struct test_client client;
    struct message hello = {.type = MESSAGE_HELLO};
    struct message reply = {.type = 0};

    (void)state;
    node_start_alone(&node, directory);
    hello.hello.protocol = PROTOCOL_VERSION + 1;
    hello.hello.role = ROLE_CLIENT;
    assert_true(client_connect(&client, node.address));
    assert_int_equal(client_call(&client, &hello, &reply), STATUS_OK);
    assert_int_equal(reply.type, MESSAGE_HELLO_REPLY);
    assert_int_equal(reply.status, STATUS_BAD_VERSION);
    message_release(&reply);
    assert_true(client_wait_closed(&client));
    client_close(&client);
    node_stop(&node);
}

static void test_server__hello_of_other_cluster__refused_and_closed(void **state)
{
    struct node_thread node;
    struct test_client client;
    struct message hello = {.type = MESSAGE_HELLO};
    struct message reply = {.type = 0};

    (void)state;
    node_start_alone(&node, directory);
    hello.hello.protocol = PROTOCOL_VERSION;
    hello.hello.role = ROLE_CLIENT;
    hello.hello.cluster_id = 12345;
    assert_true(client_connect(&client, node.address));
    assert_int_equal(client_call(&client, &hello, &reply), STATUS_OK);
    assert_int_equal(reply.status, STATUS_REFUSED);
    message_release(&reply);
    assert_true(client_wait_closed(&client));
    client_close(&client);
    node_stop(&node);
}

static void test_server__client_sends_replica_write__not_applied(void **state)
{
    struct node_thread node;
    struct test_client client;
    struct message request = {.type = MESSAGE_REPLICA_GET};
    struct message reply = {.type = 0};

    (void)state;
    node_start_alone(&node, directory);
    client_open(&client, node.address);
    request.replica_get.key = blob_new(slice_of_string("a"));
    enum status status = client_call(&client, &request, &reply);
    if (status == STATUS_OK) {
        status = reply.status;
    }
    message_release(&reply);
    assert_int_equal(status, STATUS_REFUSED);
    client_close(&client);
    node_stop(&node);
}

static void test_server__garbage__counted_and_others_served(void **state)
{
    struct node_thread node;
    struct test_client good;
    struct test_client bad;

    (void)state;
    node_start_alone(&node, directory);
    client_open(&good, node.address);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_true(client_connect(&bad, node.address));
        assert_true(client_send_bytes(&bad, "GET / HTTP/1.1\r\n\r\n", 18));
        assert_true(client_wait_closed(&bad));
        client_close(&bad);
        assert_int_equal(client_figure(&good, "connections_misbehaved"), i);
    }
    assert_int_equal(client_put(&good, "a", "apple"), STATUS_OK);
    client_close(&good);
    node_stop(&node);
}

static void test_server__port_in_use__one_line_and_directory_untouched(void **state)
{
    struct node_thread node;
    char other[FIXTURE_PATH_SIZE];
    struct server *server = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    fixture_make_directory(other);
    node_start_alone(&node, directory);
    char taken[ADDRESS_SIZE];
    memcpy(taken, node.address, sizeof(taken));
    struct server_options options = {.data_directory = other, .listen = taken};
    assert_int_equal(server_new(&options, &server, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "listen on 127.0.0.1:"));
    assert_non_null(strstr(error.text, "address already in use"));
    assert_null(strchr(error.text, '\n'));
    node_stop(&node);

    node_start(&node, &options);
    assert_true(client_wait_members(taken, 1));
    put_text(taken, "a", "apple");
    node_stop(&node);
    fixture_remove_directory(other);
}

static void test_server__directory_in_use__one_line_and_first_serves_on(void **state)
{
    struct server_options options = {.data_directory = directory, .listen = "127.0.0.1:0"};
    struct node_thread node;
    struct server *server = NULL;
    struct error error = {.code = STATUS_OK};
    char address[ADDRESS_SIZE];

    (void)state;
    node_start_alone(&node, directory);
    assert_int_equal(server_new(&options, &server, &error), STATUS_BUSY);
    assert_non_null(strstr(error.text, "in use by another process"));
    assert_non_null(strstr(error.text, directory));
    assert_null(strchr(error.text, '\n'));
    put_text(node.address, "a", "apple");
    read_address_file(address);
    assert_string_equal(address, node.address);
    node_stop(&node);
}

static void test_server__running_and_stopped__address_file_there_and_gone(void **state)
{
    struct node_thread node;
    char address[ADDRESS_SIZE];
    struct stat attributes;

    (void)state;
    node_start_alone(&node, directory);
    read_address_file(address);
    assert_string_equal(address, node.address);
    assert_int_equal(stat(directory, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0700);
    node_stop(&node);
    read_address_file(address);
    assert_string_equal(address, "");
}

static void test_server__never_run__freed_cleanly(void **state)
{
    struct server_options options = {.data_directory = directory, .listen = "127.0.0.1:0"};
    struct server *server = NULL;
    struct error error;
    struct node_thread node;

    (void)state;
    assert_int_equal(server_new(&options, &server, &error), STATUS_OK);
    server_free(server);
    server_free(NULL);
    node_start_alone(&node, directory);
    node_stop(&node);
}

static void test_server__stopped_before_it_runs__ends_at_once(void **state)
{
    struct server_options options = {.data_directory = directory, .listen = "127.0.0.1:0"};
    struct server *server = NULL;
    struct error error;

    (void)state;
    assert_int_equal(server_new(&options, &server, &error), STATUS_OK);
    server_stop(server);
    assert_int_equal(server_run(server, &error), STATUS_OK);
    server_stop(server);
    server_free(server);
}

static void test_server__alone_on_another_port_later__data_moves_along(void **state)
{
    struct node_thread node;
    char first[ADDRESS_SIZE];
    char listen[ADDRESS_SIZE];

    (void)state;
    node_start_alone(&node, directory);
    put_text(node.address, "a", "apple");
    node_stop(&node);
    memcpy(first, node.address, sizeof(first));

    int reserved = fixture_reserve_port(listen);
    struct server_options options = {.data_directory = directory, .listen = listen};
    assert_string_not_equal(first, listen);
    node_start(&node, &options);
    assert_true(client_wait_members(node.address, 1));
    assert_text(node.address, "a", "apple");
    node_stop(&node);
    close(reserved);
}

static void test_server__other_counts_than_the_ring_has__refused(void **state)
{
    struct server_options options = {
        .data_directory = directory, .listen = "127.0.0.1:0", .partition_count = 16};
    struct node_thread node;
    struct server *server = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    node_start(&node, &options);
    assert_true(client_wait_members(node.address, 1));
    node_stop(&node);
    options.partition_count = 32;
    assert_int_equal(server_new(&options, &server, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "16 partitions"));
    options.partition_count = 17;
    assert_int_equal(server_new(&options, &server, &error), STATUS_REFUSED);
    options.partition_count = 0;
    node_start(&node, &options);
    node_stop(&node);
}

static void test_server__idle_connections__do_not_delay_the_stop(void **state)
{
    struct node_thread node;
    struct test_client greeted;
    struct test_client silent;

    (void)state;
    node_start_alone(&node, directory);
    client_open(&greeted, node.address);
    assert_true(client_connect(&silent, node.address));
    uint64_t begin_ms = test_now_ms();
    node_stop(&node);
    assert_true(test_now_ms() - begin_ms < 4000);
    assert_true(client_wait_closed(&greeted));
    client_close(&greeted);
    client_close(&silent);
}

static void send_puts(struct test_client *client)
{
    for (uint64_t i = 0; i < IN_FLIGHT; i++) {
        struct message put;
        char key[16];
        snprintf(key, sizeof(key), "k%u", (unsigned)i);
        client_make_put(&put, key, key);
        put.request_id = i + 1;
        assert_true(client_send(client, &put));
        message_release(&put);
    }
}

/* Takes replies until the connection ends; notes whose put was acknowledged. */
static size_t take_replies(struct test_client *client, bool acknowledged[IN_FLIGHT])
{
    size_t count = 0;
    struct message reply = {.type = 0};

    while (client_receive(client, &reply) == STATUS_OK) {
        if (reply.type == MESSAGE_PUT_REPLY && reply.status == STATUS_OK) {
            assert_in_range(reply.request_id, 1, IN_FLIGHT);
            acknowledged[reply.request_id - 1] = true;
            count++;
        }
        message_release(&reply);
    }
    return count;
}

static void test_server__stopped_with_puts_in_flight__acknowledged_ones_stay(void **state)
{
    struct server_options options = {
        .data_directory = directory, .listen = "127.0.0.1:0", .store_always_queue = true};
    struct node_thread node;
    struct test_client client;
    bool acknowledged[IN_FLIGHT] = {false};

    (void)state;
    node_start(&node, &options);
    assert_true(client_wait_members(node.address, 1));
    client_open(&client, node.address);
    assert_int_equal(client_put(&client, "first", "1"), STATUS_OK);
    send_puts(&client);
    server_stop(node.server);
    (void)take_replies(&client, acknowledged);
    client_close(&client);
    assert_int_equal(node_wait(&node), STATUS_OK);

    node_start_alone(&node, directory);
    assert_text(node.address, "first", "1");
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", (unsigned)i);
        if (acknowledged[i]) {
            assert_text(node.address, key, key);
        }
    }
    node_stop(&node);
}

/* Three nodes that were told of one another. */
struct trio {
    struct node_thread nodes[NODES];
    char directories[NODES][FIXTURE_PATH_SIZE];
    char addresses[NODES][ADDRESS_SIZE];
    int reserved[NODES];
    char join[NODES * ADDRESS_SIZE];
};

static void trio_start_one(struct trio *trio, size_t index)
{
    struct server_options options = {.data_directory = trio->directories[index],
                                     .listen = trio->addresses[index],
                                     .join = trio->join};

    node_start(&trio->nodes[index], &options);
}

/* While nodes meet, or notice that they lost one another, a put may find too few of them. */
static bool put_until_ok(const char *address, const char *key, const char *text)
{
    uint64_t until_ms = test_now_ms() + CLIENT_TIMEOUT_MS;
    enum status status = STATUS_CLOSED;

    while (status != STATUS_OK && test_now_ms() < until_ms) {
        struct test_client client;
        client_open(&client, address);
        status = client_put(&client, key, text);
        client_close(&client);
    }
    return status == STATUS_OK;
}

static void trio_start(struct trio *trio)
{
    size_t used = 0;

    for (size_t i = 0; i < NODES; i++) {
        fixture_make_directory(trio->directories[i]);
        trio->reserved[i] = fixture_reserve_port(trio->addresses[i]);
        used += (size_t)snprintf(trio->join + used, sizeof(trio->join) - used, "%s%s",
                                 i > 0 ? "," : "", trio->addresses[i]);
    }
    for (size_t i = 0; i < NODES; i++) {
        trio_start_one(trio, i);
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_true(client_wait_members(trio->addresses[i], NODES));
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_true(put_until_ok(trio->addresses[i], "met", "yes"));
    }
}

static void trio_stop(struct trio *trio)
{
    for (size_t i = 0; i < NODES; i++) {
        if (trio->nodes[i].server != NULL) {
            node_stop(&trio->nodes[i]);
        }
        close(trio->reserved[i]);
        fixture_remove_directory(trio->directories[i]);
    }
}

static void test_server__three_nodes__put_on_one_get_on_another(void **state)
{
    struct trio trio;

    (void)state;
    trio_start(&trio);
    for (size_t i = 0; i < (size_t)3 * NODES; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", (unsigned)i);
        put_text(trio.addresses[i % NODES], key, key);
        assert_text(trio.addresses[(i + 1) % NODES], key, key);
        assert_text(trio.addresses[(i + 2) % NODES], key, key);
    }
    trio_stop(&trio);
}

static void test_server__one_of_three_is_down_and_back__all_have_its_keys(void **state)
{
    struct trio trio;

    (void)state;
    trio_start(&trio);
    put_text(trio.addresses[0], "before", "1");
    node_stop(&trio.nodes[2]);
    assert_true(put_until_ok(trio.addresses[0], "meanwhile", "2"));
    assert_text(trio.addresses[1], "meanwhile", "2");

    trio_start_one(&trio, 2);
    assert_true(client_wait_members(trio.addresses[2], NODES));
    assert_true(put_until_ok(trio.addresses[2], "after", "3"));
    assert_text(trio.addresses[0], "after", "3");
    assert_text(trio.addresses[1], "before", "1");
    trio_stop(&trio);
}

static void test_server__member_of_several_on_other_address__refused(void **state)
{
    struct trio trio;
    struct server *server = NULL;
    struct error error = {.code = STATUS_OK};

    (void)state;
    trio_start(&trio);
    node_stop(&trio.nodes[0]);
    struct server_options options = {.data_directory = trio.directories[0],
                                     .listen = "127.0.0.1:0"};
    assert_int_equal(server_new(&options, &server, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "start it with --listen"));
    assert_non_null(strstr(error.text, trio.addresses[0]));
    trio_stop(&trio);
}

static void test_server__joins_an_empty_cluster__becomes_a_member(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char other[FIXTURE_PATH_SIZE];

    (void)state;
    fixture_make_directory(other);
    node_start_alone(&first, directory);
    assert_true(client_wait_members(first.address, 1));
    struct server_options options = {
        .data_directory = other, .listen = "127.0.0.1:0", .join = first.address};
    node_start(&second, &options);
    assert_true(client_wait_members(first.address, 2));
    assert_true(client_wait_members(second.address, 2));
    put_text(first.address, "a", "apple");
    assert_text(second.address, "a", "apple");
    node_stop(&second);
    node_stop(&first);
    fixture_remove_directory(other);
}

static void test_server__joins_a_cluster_with_data__ends_refused(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char other[FIXTURE_PATH_SIZE];

    (void)state;
    fixture_make_directory(other);
    node_start_alone(&first, directory);
    put_text(first.address, "a", "apple");
    struct server_options options = {
        .data_directory = other, .listen = "127.0.0.1:0", .join = first.address};
    node_start(&second, &options);
    assert_int_equal(node_wait(&second), STATUS_REFUSED);
    assert_memory_equal(second.error.text, "join: ", 6);
    assert_text(first.address, "a", "apple");
    node_stop(&first);
    fixture_remove_directory(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_server__one_node__keeps_what_is_put, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_server__store_always_queued__keeps_what_is_put,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__listens_by_name_and_on_ip6__reached_there,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__hello_of_other_protocol__refused_and_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__hello_of_other_cluster__refused_and_closed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__client_sends_replica_write__not_applied,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__garbage__counted_and_others_served, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_server__port_in_use__one_line_and_directory_untouched, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__directory_in_use__one_line_and_first_serves_on, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__running_and_stopped__address_file_there_and_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__never_run__freed_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__stopped_before_it_runs__ends_at_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__alone_on_another_port_later__data_moves_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__other_counts_than_the_ring_has__refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__idle_connections__do_not_delay_the_stop,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__stopped_with_puts_in_flight__acknowledged_ones_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__three_nodes__put_on_one_get_on_another,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__one_of_three_is_down_and_back__all_have_its_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_server__member_of_several_on_other_address__refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__joins_an_empty_cluster__becomes_a_member,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_server__joins_a_cluster_with_data__ends_refused,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
