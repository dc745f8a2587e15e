/*
 * test_cluster.c - several whole nodes on loopback, on threads of this process.
 *
 *  - Three nodes that were told of one another form a cluster and share their keys.
 *  - One of three may be away; when it comes back it takes part again.
 *  - A member of several may not come back at another address.
 *  - A node joins a cluster without data, and ends refused by one with data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum { NODES = 3 };

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

static void trio_start(struct trio *trio)
{
    size_t used = 0;

    for (size_t i = 0; i < NODES; i++) {
        fixture_make_directory(trio->directories[i]);
        trio->reserved[i] = fixture_reserve_port(trio->addresses[i]);
        used += (size_t)snprintf(trio->join + used, sizeof trio->join - used, "%s%s",
                                 i > 0 ? "," : "", trio->addresses[i]);
    }
    for (size_t i = 0; i < NODES; i++) {
        trio_start_one(trio, i);
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_true(client_wait_members(trio->addresses[i], NODES));
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_true(client_put_until_ok(trio->addresses[i], "met", "yes"));
    }
}

static void trio_stop(struct trio *trio)
{
    for (size_t i = 0; i < NODES; i++) {
        if (trio->nodes[i].server) {
            node_stop(&trio->nodes[i]);
        }
        close(trio->reserved[i]);
        fixture_remove_directory(trio->directories[i]);
    }
}

static void test_cluster__three_nodes__put_on_one_get_on_another(void **state)
{
    struct trio trio;

    (void)state;
    trio_start(&trio);
    for (size_t i = 0; i < (size_t)3 * NODES; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%u", (unsigned)i);
        client_put_text(trio.addresses[i % NODES], key, key);
        client_assert_text(trio.addresses[(i + 1) % NODES], key, key);
        client_assert_text(trio.addresses[(i + 2) % NODES], key, key);
    }
    trio_stop(&trio);
}

static void test_cluster__one_of_three_is_down_and_back__all_have_its_keys(void **state)
{
    struct trio trio;

    (void)state;
    trio_start(&trio);
    client_put_text(trio.addresses[0], "before", "1");
    node_stop(&trio.nodes[2]);
    assert_true(client_put_until_ok(trio.addresses[0], "meanwhile", "2"));
    client_assert_text(trio.addresses[1], "meanwhile", "2");

    trio_start_one(&trio, 2);
    assert_true(client_wait_members(trio.addresses[2], NODES));
    assert_true(client_put_until_ok(trio.addresses[2], "after", "3"));
    client_assert_text(trio.addresses[0], "after", "3");
    client_assert_text(trio.addresses[1], "before", "1");
    trio_stop(&trio);
}

static void test_cluster__member_of_several_on_other_address__refused(void **state)
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

static void test_cluster__joins_an_empty_cluster__becomes_a_member(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char other[FIXTURE_PATH_SIZE];

    (void)state;
    fixture_make_directory(other);
    node_start_alone(&first, fixture_directory);
    assert_true(client_wait_members(first.address, 1));
    struct server_options options = {
        .data_directory = other, .listen = "127.0.0.1:0", .join = first.address};
    node_start(&second, &options);
    assert_true(client_wait_members(first.address, 2));
    assert_true(client_wait_members(second.address, 2));
    client_put_text(first.address, "a", "apple");
    client_assert_text(second.address, "a", "apple");
    node_stop(&second);
    node_stop(&first);
    fixture_remove_directory(other);
}

static void test_cluster__joins_a_cluster_with_data__ends_refused(void **state)
{
    struct node_thread first;
    struct node_thread second;
    char other[FIXTURE_PATH_SIZE];

    (void)state;
    fixture_make_directory(other);
    node_start_alone(&first, fixture_directory);
    client_put_text(first.address, "a", "apple");
    struct server_options options = {
        .data_directory = other, .listen = "127.0.0.1:0", .join = first.address};
    node_start(&second, &options);
    assert_int_equal(node_wait(&second), STATUS_REFUSED);
    assert_memory_equal(second.error.text, "join: ", 6);
    client_assert_text(first.address, "a", "apple");
    node_stop(&first);
    fixture_remove_directory(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cluster__three_nodes__put_on_one_get_on_another,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_cluster__one_of_three_is_down_and_back__all_have_its_keys, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_cluster__member_of_several_on_other_address__refused, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cluster__joins_an_empty_cluster__becomes_a_member,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cluster__joins_a_cluster_with_data__ends_refused,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
