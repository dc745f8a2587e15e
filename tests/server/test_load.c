/*
 * test_load.c - one node, and clients that ask for more than they take.
 *
 *  - However many large replies clients ask for and do not read, the node works for few of them
 *    at a time, and others are served in between.
 *  - Idle clients do not keep newcomers out.
 *
 * What is counted is the work that the node does, not the time that it takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "node/net/listener.h"
#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum {
    HOGS = 60,
    HOG_GETS = 250,
    /* What a hog gets before its replies wait: some MiB are in the kernel, on either side. */
    HOG_TAKEN_MAX = 16,
    OTHER_GETS = 50,
    /* Of the hogs' requests, those that may be served while two of another's are (a get, and what
     * counts them): a few of each that are with the loop, the store or the socket already, not all
     * that it asked for. */
    TURN_MAX = 6 * HOGS,
    IDLE = LISTENER_CONNECTIONS_MAX + 40,
};

static void put_large(const char *address, const char *key)
{
    char *text = calloc(1, VALUE_SIZE_MAX + 1);

    assert_non_null(text);
    memset(text, 'l', VALUE_SIZE_MAX);
    client_put_text(address, key, text);
    free(text);
}

static void test_load__clients_never_read__others_are_served_in_between(void **state)
{
    struct node_thread node;
    static struct test_client hogs[HOGS];
    struct test_client other;
    uint64_t before = 0;

    (void)state;
    node_start_alone(&node, fixture_directory);
    put_large(node.address, "large");
    client_put_text(node.address, "small", "apple");
    client_open(&other, node.address);
    for (size_t i = 0; i < HOGS; i++) {
        client_open(&hogs[i], node.address);
        client_send_gets(&hogs[i], "large", HOG_GETS);
    }
    for (size_t i = 0; i < OTHER_GETS; i++) {
        char *text = NULL;
        before = client_figure(&other, "gets");
        assert_int_equal(client_get(&other, "small", &text), STATUS_OK);
        free(text);
        assert_in_range(client_figure(&other, "gets") - before, 1, TURN_MAX);
    }
    assert_in_range(client_figure(&other, "gets"), OTHER_GETS,
                    OTHER_GETS + HOGS * HOG_TAKEN_MAX);
    for (size_t i = 0; i < HOGS; i++) {
        client_close(&hogs[i]);
    }
    client_close(&other);
    node_stop(&node);
}

static void test_load__idle_clients__do_not_keep_newcomers_out(void **state)
{
    struct node_thread node;
    static struct test_client clients[IDLE];
    struct rlimit limit;

    (void)state;
    node_start_alone(&node, fixture_directory);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * IDLE + 200) {
        print_message("skipped: too few file descriptors are allowed here\n");
        node_stop(&node);
        skip();
    }
    for (size_t i = 0; i < IDLE; i++) {
        client_open(&clients[i], node.address);
    }
    client_put_text(node.address, "a", "apple");
    client_assert_text(node.address, "a", "apple");
    for (size_t i = 0; i < IDLE; i++) {
        client_close(&clients[i]);
    }
    node_stop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_load__clients_never_read__others_are_served_in_between, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(test_load__idle_clients__do_not_keep_newcomers_out,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
