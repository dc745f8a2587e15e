/*
 * test_pool.c - requests over pooled connections, against a node that misbehaves.
 *
 * Rules: an idle connection is used again; one that broke while idle is replaced and the
 * request sent once more; one with an unanswered request never serves again; what is not known
 * to have stayed undone is reported as open; no answer that is not exactly the one asked for is
 * believed; no call overstays its deadline; another cluster's node is not talked to.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/address.h"
#include "node/client/pool.h"
#include "node/client/socket.h"
#include "tests/client/fake_node.h"

enum { LONG_MS = 20000, SHORT_MS = 300 };

struct fixture {
    struct kv *store;
    struct fake_node *node;
    struct pool *pool;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    if (kv_open_memory(&fixture.store) != STATUS_OK || pool_new(&fixture.pool) != STATUS_OK) {
        return -1;
    }
    fixture.node = fake_node_new(fixture.store);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fake_node_free(fixture->node);
    pool_free(fixture->pool);
    kv_close(fixture->store);
    return 0;
}

/* Asks for the node's status, the shortest request there is. */
static enum status ask(struct fixture *fixture, uint32_t deadline_ms,
                       struct pool_call *ret_call)
{
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply;
    *ret_call = (struct pool_call){.address = fake_node_address(fixture->node),
                                   .request = &request,
                                   .deadline_ns = client_now_ns() + deadline_ms * NS_PER_MS};
    enum status status = pool_call(fixture->pool, ret_call, &reply);
    if (status == STATUS_OK) {
        assert_int_equal(reply.type, MESSAGE_STATUS_REPLY);
        message_release(&reply);
    }
    return status;
}

/* Nobody else is asked anything by one who has not proved that it is of the cluster. */
static void assert_denied(struct fixture *fixture, const char *why)
{
    struct pool_call call;
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_DENIED);
    assert_false(call.is_open);
    assert_non_null(strstr(call.error.text, fake_node_address(fixture->node)));
    assert_non_null(strstr(call.error.text, why));
    assert_int_equal(fake_node_requests(fixture->node), 0);
    assert_int_equal(fake_node_proofs(fixture->node), 0);
}

static void test_call__node_proves_the_secret__gets_our_proof(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    assert_int_equal(fake_node_proofs(fixture->node), 1);
}

static void test_call__node_with_another_secret__told_nothing(void **state)
{
    struct fixture *fixture = *state;
    fake_node_set_proof(fixture->node, FAKE_PROOF_WRONG);
    assert_denied(fixture, "--secret-file");
}

static void test_call__node_that_proves_nothing__told_nothing(void **state)
{
    struct fixture *fixture = *state;
    fake_node_set_proof(fixture->node, FAKE_PROOF_NONE);
    assert_denied(fixture, "does not prove");
}

/* As where someone at this address passes the greeting on to a true node. */
static void test_call__node_at_another_address__told_nothing(void **state)
{
    struct fixture *fixture = *state;
    fake_node_set_claimed_address(fixture->node, "127.0.0.1:1");
    assert_denied(fixture, "another address");
}

static void test_call__address_told_by_name__may_be_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    fake_node_set_claimed_address(fixture->node, "localhost:1");
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
}

static void test_call__named_secret_file_is_missing__says_which(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(pool_use_secret_file(fixture->pool, "/nowhere/secret"), STATUS_OK);
    assert_denied(fixture, "/nowhere/secret");
}

static void script(struct fixture *fixture, enum step_kind first, enum step_kind second)
{
    struct step steps[] = {{.kind = first}, {.kind = second}};
    fake_node_script(fixture->node, steps, 2);
}

static void test_call__twice__same_connection(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_int_equal(fake_node_connections(fixture->node), 1);
    assert_int_equal(fake_node_requests(fixture->node), 2);
}

static void
test_call__idle_connection_closed_by_a_restart__answered_on_a_fresh_one(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    fake_node_break_connections(fixture->node);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_int_equal(fake_node_connections(fixture->node), 2);
}

static void test_call__reused_connection_breaks_before_the_reply__sent_once_more(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    script(fixture, STEP_SERVE, STEP_SERVE_CLOSE);
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_int_equal(fake_node_requests(fixture->node), 3);
    assert_int_equal(fake_node_connections(fixture->node), 2);
}

static void test_call__reused_breaks_and_node_is_gone__open(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    script(fixture, STEP_SERVE, STEP_CLOSE);
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    /* From here on the fresh connection that the call will try is greeted with a refusal. */
    fake_node_set_greeting(fixture->node, 0, STATUS_CLOSED);

    assert_int_not_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_true(call.is_open);
}

static void test_call__fresh_connection_breaks__closed_and_open(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    script(fixture, STEP_CLOSE, STEP_SERVE);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_CLOSED);

    assert_true(call.is_open);
    assert_int_equal(fake_node_requests(fixture->node), 1);
}

static void test_call__no_answer__timeout_and_connection_not_used_again(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    script(fixture, STEP_SILENT, STEP_SERVE);
    uint64_t before = client_now_ns();

    assert_int_equal(ask(fixture, SHORT_MS, &call), STATUS_TIMEOUT);

    uint64_t took_ms = (client_now_ns() - before) / NS_PER_MS;
    assert_true(took_ms >= SHORT_MS && took_ms < LONG_MS / 2);
    assert_true(call.is_open);
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    assert_int_equal(fake_node_connections(fixture->node), 2);
}

static void test_call__answer_byte_by_byte__ok(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    script(fixture, STEP_SLOW, STEP_SLOW);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);
    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_OK);

    assert_int_equal(fake_node_connections(fixture->node), 1);
}

static void test_call__answers_that_are_none__refused_and_connection_dropped(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum step_kind kind;
        enum status expected;
    } cases[] = {
        {STEP_GARBAGE, STATUS_BAD_MESSAGE},    {STEP_HUGE, STATUS_BAD_MESSAGE},
        {STEP_VERSION, STATUS_BAD_VERSION},    {STEP_WRONG_ID, STATUS_BAD_MESSAGE},
        {STEP_WRONG_TYPE, STATUS_BAD_MESSAGE}, {STEP_TWICE, STATUS_BAD_MESSAGE},
    };
    struct pool_call call;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        script(fixture, cases[i].kind, STEP_SERVE);

        assert_int_equal(ask(fixture, LONG_MS, &call), cases[i].expected);

        assert_true(call.is_open);
        assert_int_equal(fake_node_connections(fixture->node), i + 1);
    }
}

static void test_call__node_of_another_cluster__refused_and_not_open(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    fake_node_set_greeting(fixture->node, 7, STATUS_OK);
    pool_expect_cluster(fixture->pool, 8);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_REFUSED);

    assert_false(call.is_open);
    assert_non_null(strstr(call.error.text, "another cluster"));
    assert_int_equal(fake_node_requests(fixture->node), 0);
}

static void
test_call__greeting_refused_with_a_foreign_status__never_that_of_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    fake_node_set_greeting(fixture->node, 7, STATUS_NOT_FOUND);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_REFUSED);

    assert_false(call.is_open);
}

static void test_call__nobody_listens__unreachable_and_not_open(void **state)
{
    struct fixture *fixture = *state;
    struct pool_call call;
    fake_node_stop(fixture->node);

    assert_int_equal(ask(fixture, LONG_MS, &call), STATUS_UNREACHABLE);

    assert_false(call.is_open);
    assert_non_null(strstr(call.error.text, fake_node_address(fixture->node)));
}

static void test_call__connection_is_never_greeted__timeout_and_not_open(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    char address[ADDRESS_SIZE];
    snprintf(address, sizeof address, "localhost:%u", (unsigned)ntohs(name.sin_port));
    struct message request = {.type = MESSAGE_STATUS};
    struct message reply;
    struct pool_call call = {.address = address,
                             .request = &request,
                             .deadline_ns = client_now_ns() + SHORT_MS * NS_PER_MS};

    assert_int_equal(pool_call(fixture->pool, &call, &reply), STATUS_TIMEOUT);

    assert_false(call.is_open);
    close(listener);
}

static void test_call__malformed_addresses__unreachable(void **state)
{
    struct fixture *fixture = *state;
    static const char *const addresses[] = {
        "",           "host",    ":1",       "host:", "host:0",
        "host:65536", "host:1x", "::1:7450", "[]:1",  "a b:1"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct message request = {.type = MESSAGE_STATUS};
        struct message reply;
        struct pool_call call = {.address = addresses[i],
                                 .request = &request,
                                 .deadline_ns = client_now_ns() + LONG_MS * NS_PER_MS};

        assert_false(address_text_is_valid(addresses[i], false));
        assert_int_equal(pool_call(fixture->pool, &call, &reply), STATUS_UNREACHABLE);
    }
    assert_true(address_text_is_valid("localhost:7450", false));
    assert_true(address_text_is_valid("[::1]:7450", false));
}

static void test_call__large_value_both_ways__whole(void **state)
{
    struct fixture *fixture = *state;
    struct blob *content = blob_new_uninitialised(VALUE_SIZE_MAX);
    memset(content->data, 'x', content->size);
    struct message put = {
        .type = MESSAGE_PUT,
        .put = {.key = blob_new(slice_of_string("k")),
                .mode = UPDATE_ALL,
                .has_value = true,
                .value = {.attributes = {.type = VERSION_FILE}, .content = content}}};
    struct message get = {.type = MESSAGE_GET};
    get.get.key = blob_ref(put.put.key);
    struct pool_call call = {.address = fake_node_address(fixture->node),
                             .request = &put,
                             .deadline_ns = client_now_ns() + LONG_MS * NS_PER_MS};
    struct message reply;
    assert_int_equal(pool_call(fixture->pool, &call, &reply), STATUS_OK);
    assert_int_equal(reply.status, STATUS_OK);
    message_release(&reply);
    call.request = &get;

    assert_int_equal(pool_call(fixture->pool, &call, &reply), STATUS_OK);

    assert_true(slice_equal(blob_slice(reply.get_reply.object->versions[0].content),
                            blob_slice(content)));
    message_release(&reply);
    message_release(&put);
    message_release(&get);
}

enum { THREADS = 8, CALLS = 50 };

struct asker {
    struct fixture *fixture;
    pthread_t thread;
    unsigned answered;
};

static void *ask_often(void *argument)
{
    struct asker *asker = argument;
    struct fixture *fixture = asker->fixture;
    for (int i = 0; i < CALLS; i++) {
        struct message request = {.type = MESSAGE_STATUS};
        struct message reply;
        struct pool_call call = {.address = fake_node_address(fixture->node),
                                 .request = &request,
                                 .deadline_ns = client_now_ns() + LONG_MS * NS_PER_MS};
        if (pool_call(fixture->pool, &call, &reply) == STATUS_OK) {
            asker->answered++;
            message_release(&reply);
        }
    }
    return NULL;
}

static void test_call__many_threads__all_answered_on_a_connection_each(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        askers[i].fixture = fixture;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }

    for (int i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].answered, CALLS);
    }

    assert_in_range(fake_node_connections(fixture->node), 1, THREADS);
}

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_call__node_proves_the_secret__gets_our_proof),
        POOL_TEST(test_call__node_with_another_secret__told_nothing),
        POOL_TEST(test_call__node_that_proves_nothing__told_nothing),
        POOL_TEST(test_call__node_at_another_address__told_nothing),
        POOL_TEST(test_call__address_told_by_name__may_be_the_same),
        POOL_TEST(test_call__named_secret_file_is_missing__says_which),
        POOL_TEST(test_call__twice__same_connection),
        POOL_TEST(test_call__idle_connection_closed_by_a_restart__answered_on_a_fresh_one),
        POOL_TEST(test_call__reused_connection_breaks_before_the_reply__sent_once_more),
        POOL_TEST(test_call__reused_breaks_and_node_is_gone__open),
        POOL_TEST(test_call__fresh_connection_breaks__closed_and_open),
        POOL_TEST(test_call__no_answer__timeout_and_connection_not_used_again),
        POOL_TEST(test_call__answer_byte_by_byte__ok),
        POOL_TEST(test_call__answers_that_are_none__refused_and_connection_dropped),
        POOL_TEST(test_call__node_of_another_cluster__refused_and_not_open),
        POOL_TEST(test_call__greeting_refused_with_a_foreign_status__never_that_of_an_answer),
        POOL_TEST(test_call__nobody_listens__unreachable_and_not_open),
        POOL_TEST(test_call__connection_is_never_greeted__timeout_and_not_open),
        POOL_TEST(test_call__malformed_addresses__unreachable),
        POOL_TEST(test_call__large_value_both_ways__whole),
        POOL_TEST(test_call__many_threads__all_answered_on_a_connection_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
