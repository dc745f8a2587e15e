/*
 * test_server.c - one whole node on loopback, on a thread of this process.
 *
 *  - One node alone puts and gets.
 *  - What breaks the protocol is told why, closed and counted; the node serves on.
 *  - A busy port, a directory in use, another cluster's counts: one line, nothing changed.
 *  - The data directory tells where its node listens, while it runs.
 *  - A node alone may move to another address.
 *  - A stop answers what is in flight and loses nothing that was acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum { IN_FLIGHT = 100 };

static void read_address_file(char ret_text[ADDRESS_SIZE])
{
    char path[FIXTURE_PATH_SIZE + 16];

    snprintf(path, sizeof path, "%s/address", fixture_directory);
    FILE *file = fopen(path, "r");
    ret_text[0] = '\0';
    if (file) {
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
    node_start_alone(&node, fixture_directory);
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
    struct server_options options = {.data_directory = fixture_directory,
                                     .listen = "127.0.0.1:0",
                                     .store_always_queue = true};
    struct node_thread node;

    (void)state;
    node_start(&node, &options);
    assert_true(client_wait_members(node.address, 1));
    client_put_text(node.address, "a", "apple");
    client_assert_text(node.address, "a", "apple");
    node_stop(&node);
}

static void test_server__listens_by_name_and_on_ip6__reached_there(void **state)
{
    static const char *const LISTEN[] = {"localhost:0", "[::1]:0"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct server_options options = {.data_directory = fixture_directory,
                                         .listen = LISTEN[i]};
        struct server *server = NULL;
        struct error error = {.code = STATUS_OK};
        size_t host_size = strlen(LISTEN[i]) - 1;

        enum status status = server_new(&options, &server, &error);
        if (status != STATUS_OK && strstr(error.text, "not available")) {
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
    node_start_alone(&node, fixture_directory);
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
    node_start_alone(&node, fixture_directory);
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
    node_start_alone(&node, fixture_directory);
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
    node_start_alone(&node, fixture_directory);
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
    node_start_alone(&node, fixture_directory);
    char taken[ADDRESS_SIZE];
    memcpy(taken, node.address, sizeof taken);
    struct server_options options = {.data_directory = other, .listen = taken};
    assert_int_equal(server_new(&options, &server, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "listen on 127.0.0.1:"));
    assert_non_null(strstr(error.text, "address already in use"));
    assert_null(strchr(error.text, '\n'));
    node_stop(&node);

    node_start(&node, &options);
    assert_true(client_wait_members(taken, 1));
    client_put_text(taken, "a", "apple");
    node_stop(&node);
    fixture_remove_directory(other);
}

static void test_server__directory_in_use__one_line_and_first_serves_on(void **state)
{
    struct server_options options = {.data_directory = fixture_directory,
                                     .listen = "127.0.0.1:0"};
    struct node_thread node;
    struct server *server = NULL;
    struct error error = {.code = STATUS_OK};
    char address[ADDRESS_SIZE];

    (void)state;
    node_start_alone(&node, fixture_directory);
    assert_int_equal(server_new(&options, &server, &error), STATUS_BUSY);
    assert_non_null(strstr(error.text, "in use by another process"));
    assert_non_null(strstr(error.text, fixture_directory));
    assert_null(strchr(error.text, '\n'));
    client_put_text(node.address, "a", "apple");
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
    node_start_alone(&node, fixture_directory);
    read_address_file(address);
    assert_string_equal(address, node.address);
    assert_int_equal(stat(fixture_directory, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0700);
    node_stop(&node);
    read_address_file(address);
    assert_string_equal(address, "");
}

static void test_server__never_run__freed_cleanly(void **state)
{
    struct server_options options = {.data_directory = fixture_directory,
                                     .listen = "127.0.0.1:0"};
    struct server *server = NULL;
    struct error error;
    struct node_thread node;

    (void)state;
    assert_int_equal(server_new(&options, &server, &error), STATUS_OK);
    server_free(server);
    server_free(NULL);
    node_start_alone(&node, fixture_directory);
    node_stop(&node);
}

static void test_server__stopped_before_it_runs__ends_at_once(void **state)
{
    struct server_options options = {.data_directory = fixture_directory,
                                     .listen = "127.0.0.1:0"};
    struct server *server = NULL;
    struct error error;

    (void)state;
    assert_int_equal(server_new(&options, &server, &error), STATUS_OK);
    server_stop(server);
    assert_int_equal(server_run(server, &error), STATUS_OK);
    server_stop(server);
    server_free(server);
}

static void test_server__alone_on_other_ports_later__data_and_ring_move_along(void **state)
{
    struct node_thread node;
    char address[ADDRESS_SIZE];
    char listen[ADDRESS_SIZE];

    (void)state;
    node_start_alone(&node, fixture_directory);
    client_put_text(node.address, "a", "apple");
    assert_int_equal(client_ring_epoch(node.address, address), 1);
    node_stop(&node);
    for (uint64_t move = 1; move <= 3; move++) {
        int reserved = fixture_reserve_port(listen);
        struct server_options options = {.data_directory = fixture_directory, .listen = listen};

        node_start(&node, &options);
        assert_true(client_wait_members(node.address, 1));
        client_assert_text(node.address, "a", "apple");
        assert_int_equal(client_ring_epoch(node.address, address), 1 + move);
        assert_string_equal(address, listen);
        node_stop(&node);
        close(reserved);
    }
}

static void test_server__other_counts_than_the_ring_has__refused(void **state)
{
    struct server_options options = {
        .data_directory = fixture_directory, .listen = "127.0.0.1:0", .partition_count = 16};
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
    node_start_alone(&node, fixture_directory);
    client_open(&greeted, node.address);
    assert_true(client_connect(&silent, node.address));
    uint64_t begin_ms = now_monotonic_ms();
    node_stop(&node);
    assert_true(now_monotonic_ms() - begin_ms < 4000);
    assert_true(client_wait_closed(&greeted));
    client_close(&greeted);
    client_close(&silent);
}

static void send_puts(struct test_client *client)
{
    for (uint64_t i = 0; i < IN_FLIGHT; i++) {
        struct message put;
        char key[16];
        snprintf(key, sizeof key, "k%u", (unsigned)i);
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
    struct server_options options = {.data_directory = fixture_directory,
                                     .listen = "127.0.0.1:0",
                                     .store_always_queue = true};
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

    node_start_alone(&node, fixture_directory);
    client_assert_text(node.address, "first", "1");
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", (unsigned)i);
        if (acknowledged[i]) {
            client_assert_text(node.address, key, key);
        }
    }
    node_stop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_server__one_node__keeps_what_is_put, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__store_always_queued__keeps_what_is_put,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__listens_by_name_and_on_ip6__reached_there,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__hello_of_other_protocol__refused_and_closed, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__hello_of_other_cluster__refused_and_closed,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__client_sends_replica_write__not_applied,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__garbage__counted_and_others_served,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__port_in_use__one_line_and_directory_untouched, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__directory_in_use__one_line_and_first_serves_on, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__running_and_stopped__address_file_there_and_gone, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__never_run__freed_cleanly, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__stopped_before_it_runs__ends_at_once,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__alone_on_other_ports_later__data_and_ring_move_along, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__other_counts_than_the_ring_has__refused,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_server__idle_connections__do_not_delay_the_stop,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_server__stopped_with_puts_in_flight__acknowledged_ones_stay, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
