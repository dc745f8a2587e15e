/*
 * test_kv_silent.c - the client of a cluster, against nodes that are silent or slow.
 *
 * Rules: a node that is silent, as after SIGSTOP, costs the first call a moment and the next
 * ones nothing; one call in a pause asks it, and it is used again once it has answered; a
 * cluster that is slow as a whole is waited for, and after a few calls no longer asked in vain;
 * what takes long by its nature has the time; a node may finish what the client no longer waits
 * for; a call can be interrupted, and those of one operation have one deadline.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node/client/cluster.h"
#include "node/client/socket.h"
#include "tests/client/cluster_fixture.h"

enum {
    SLOW_MS = 350,
    /* The least that a call waits for a node that it knows nothing of. */
    PATIENCE_MS = 100,
    SOON_MS = 150,
    PAUSE_MS = 1000,
};

static void rest_ms(uint32_t ms)
{
    (void)socket_pause_until(client_now_ns() + ms * NS_PER_MS);
}

static uint64_t elapsed_ms(uint64_t since_ns)
{
    return (client_now_ns() - since_ns) / NS_PER_MS;
}

static unsigned all_requests(struct fixture *fixture)
{
    unsigned total = 0;
    for (int i = 0; i < NODES; i++) {
        total += fake_node_requests(fixture->nodes[i]);
    }
    return total;
}

static void delay_all(struct fixture *fixture, uint32_t delay_ms)
{
    for (int i = 0; i < NODES; i++) {
        fake_node_set_delay(fixture->nodes[i], delay_ms);
    }
}

/* How long a call takes whose first node does not answer: the shortest of a few, since a busy
 * machine makes some longer. */
static uint64_t first_call_ms(void **state, enum status (*call)(struct fixture *, uint32_t))
{
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 5 && shortest > SOON_MS; i++) {
        cluster_tear_down(state);
        assert_int_equal(cluster_set_up(state), 0);
        struct fixture *fixture = *state;
        fake_node_freeze(fixture->nodes[0]);
        uint64_t begin = client_now_ns();
        assert_true(call(fixture, 0) != STATUS_TIMEOUT);
        uint64_t took = elapsed_ms(begin);
        shortest = took < shortest ? took : shortest;
    }
    return shortest;
}

static void test_get__first_node_is_frozen__costs_the_first_call_a_moment(void **state)
{
    assert_in_range(first_call_ms(state, get_k), PATIENCE_MS - 1, SOON_MS);
}

static void test_put__first_node_is_frozen__costs_the_first_call_a_moment(void **state)
{
    assert_in_range(first_call_ms(state, put_k), PATIENCE_MS - 1, SOON_MS);
    struct fixture *fixture = *state;
    assert_requests(fixture, 0, 1, 0);
}

static void test_get__first_node_is_frozen__next_calls_leave_it_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_k(fixture, 0), STATUS_OK);
    fake_node_freeze(fixture->nodes[0]);
    assert_int_equal(get_k(fixture, 0), STATUS_OK);
    unsigned before = fake_node_connections(fixture->nodes[0]);

    for (int i = 0; i < 20; i++) {
        assert_int_equal(get_k(fixture, 0), STATUS_OK);
    }

    assert_int_equal(fake_node_connections(fixture->nodes[0]), before);
    assert_requests(fixture, 1, 21, 0);
}

/* A node that does not answer is no reason to wait for it whenever another one is busy. */
static void test_get__all_nodes_fail__the_longest_failing_is_asked_last(void **state)
{
    struct fixture *fixture = *state;
    struct cluster *cluster = (struct cluster *)fixture->kv;
    struct step busy = {.kind = STEP_STATUS, .status = STATUS_BUSY};
    int first = ring_find_address(&fixture->ring, fake_node_address(fixture->nodes[0]));
    fake_node_freeze(fixture->nodes[0]);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    while (cluster_node_pause_ms(cluster, fixture->ring.members[first].id) <= PAUSE_MS) {
        rest_ms(20);
        assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    }
    fake_node_script(fixture->nodes[1], &busy, 1);
    fake_node_script(fixture->nodes[2], &busy, 1);
    unsigned before = fake_node_connections(fixture->nodes[0]);

    /* All fail in the first round; in the second one the second node answers, and it is not the
     * frozen one, though that is the first of the list, that is asked before it. */
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_int_equal(fake_node_connections(fixture->nodes[0]), before + 1);
}

enum { THREADS = 6 };

struct caller {
    struct fixture *fixture;
    pthread_t thread;
    uint64_t until_ns;
    unsigned failures;
};

static void *call_until(void *argument)
{
    struct caller *caller = argument;
    while (client_now_ns() < caller->until_ns) {
        caller->failures += get_k(caller->fixture, 0) != STATUS_NOT_FOUND;
        rest_ms(20);
    }
    return NULL;
}

static void call_from_many_threads(struct fixture *fixture, uint32_t ms)
{
    struct caller callers[THREADS] = {0};
    uint64_t until_ns = client_now_ns() + ms * NS_PER_MS;
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.fixture = fixture, .until_ns = until_ns};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_until, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].failures, 0);
    }
}

/* Each attempt to ask the frozen node takes a connection of its own. */
static void test_get__many_threads_and_a_frozen_node__one_probe_in_a_pause(void **state)
{
    struct fixture *fixture = *state;
    fake_node_freeze(fixture->nodes[0]);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    unsigned before = fake_node_connections(fixture->nodes[0]);

    call_from_many_threads(fixture, PAUSE_MS / 3);
    assert_int_equal(fake_node_connections(fixture->nodes[0]), before);
    call_from_many_threads(fixture, PAUSE_MS);

    assert_int_equal(fake_node_connections(fixture->nodes[0]), before + 1);
    assert_int_equal(fake_node_requests(fixture->nodes[0]), 0);
}

static void test_get__frozen_node_goes_on__used_again_after_a_probe(void **state)
{
    struct fixture *fixture = *state;
    fake_node_freeze(fixture->nodes[0]);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    fake_node_thaw(fixture->nodes[0]);
    fake_node_break_connections(fixture->nodes[0]);
    unsigned before = fake_node_requests(fixture->nodes[0]);
    uint64_t begin = client_now_ns();

    while (fake_node_requests(fixture->nodes[0]) == before && elapsed_ms(begin) < DEADLINE_MS) {
        rest_ms(20);
        assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    }

    assert_true(fake_node_requests(fixture->nodes[0]) > before);
    assert_true(elapsed_ms(begin) >= PAUSE_MS / 2);
    unsigned others = fake_node_requests(fixture->nodes[1]);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    assert_int_equal(fake_node_requests(fixture->nodes[1]), others);
}

static void test_put__all_nodes_slow__succeeds_with_one_write_id(void **state)
{
    struct fixture *fixture = *state;
    delay_all(fixture, SLOW_MS);

    assert_int_equal(put_k(fixture, 0), STATUS_OK);

    struct fake_request first = fake_node_request(fixture->nodes[0], 0);
    for (int i = 0; i < NODES; i++) {
        struct fake_request other = fake_node_request(fixture->nodes[i], 0);
        assert_memory_equal(other.write_id, first.write_id, WRITE_ID_SIZE);
    }
}

/* The client learns how long answers take, or it would make a slow cluster slower. */
static void test_get__all_nodes_slow__soon_one_request_a_call(void **state)
{
    struct fixture *fixture = *state;
    delay_all(fixture, SLOW_MS);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    }
    unsigned before = all_requests(fixture);

    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_int_equal(all_requests(fixture), before + 1);
}

static void test_get__cluster_is_quick_again__patience_shrinks(void **state)
{
    struct fixture *fixture = *state;
    struct cluster *cluster = (struct cluster *)fixture->kv;
    delay_all(fixture, SLOW_MS);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    }
    assert_true(cluster_latency_ns(cluster) > SLOW_MS / 4 * NS_PER_MS);
    delay_all(fixture, 0);

    for (int i = 0; i < 100; i++) {
        assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    }

    assert_true(cluster_latency_ns(cluster) < PATIENCE_MS / 4 * NS_PER_MS);
}

/* One node that is slow beyond all patience, and the others do not serve: it has all that is
 * left of the call's time in the end. */
static void test_get__last_chance__has_the_rest_of_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    fake_node_set_delay(fixture->nodes[0], 1000);
    for (int i = 1; i < NODES; i++) {
        fake_node_always(fixture->nodes[i],
                         (struct step){.kind = STEP_STATUS, .status = STATUS_NO_SPACE});
    }

    assert_int_equal(get_k(fixture, 4000), STATUS_NOT_FOUND);
}

static enum status put_content(struct fixture *fixture, size_t size, bool sync)
{
    struct version value = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new_uninitialised(size)};
    memset(value.content->data, 'x', size);
    struct kv_put put = {.key = text("k"), .mode = UPDATE_ALL, .value = &value, .sync = sync};
    enum status status = kv_put(fixture->kv, &put, NULL, NULL);
    blob_unref(value.content);
    return status;
}

static void test_put__synced__has_time_for_the_disk(void **state)
{
    struct fixture *fixture = *state;
    delay_all(fixture, 2 * PATIENCE_MS);

    assert_int_equal(put_content(fixture, 1, true), STATUS_OK);

    assert_requests(fixture, 1, 0, 0);
}

static void test_put__large__has_time_for_its_size(void **state)
{
    struct fixture *fixture = *state;
    delay_all(fixture, 3 * PATIENCE_MS / 2);

    assert_int_equal(put_content(fixture, VALUE_SIZE_MAX, false), STATUS_OK);

    assert_requests(fixture, 1, 0, 0);
}

/* What it began it may finish, so that a coordinator that is slow does not say "too few
 * replicas" of a cluster that is well. */
static void test_put__client_goes_on__node_was_told_a_longer_deadline(void **state)
{
    struct fixture *fixture = *state;
    fake_node_always(fixture->nodes[0], (struct step){.kind = STEP_SILENT});

    assert_int_equal(put_k(fixture, 0), STATUS_OK);

    struct fake_request first = fake_node_request(fixture->nodes[0], 0);
    assert_in_range(first.deadline_ms, DEADLINE_MS / 8, DEADLINE_MS / 4);
}

static void test_open__first_address_is_frozen__second_is_asked_soon(void **state)
{
    struct fixture *fixture = *state;
    char addresses[2 * ADDRESS_SIZE + 1];
    struct kv_options defaults = {.deadline_ms = DEADLINE_MS};
    struct kv *kv = NULL;
    struct error error;
    fake_node_freeze(fixture->nodes[0]);
    snprintf(addresses, sizeof addresses, "%s,%s", fake_node_address(fixture->nodes[0]),
             fake_node_address(fixture->nodes[1]));
    uint64_t begin = client_now_ns();

    assert_int_equal(kv_open_cluster(addresses, &defaults, &kv, &error), STATUS_OK);

    assert_in_range(elapsed_ms(begin), 0, DEADLINE_MS / 10);
    kv_close(kv);
}

static bool is_interrupted_soon(void *context)
{
    unsigned *asked = context;
    return ++*asked > 3;
}

enum { FOR_EVER_MS = 3600 * 1000 };

/* Each of these would end by the test's own time limit only. */
static void assert_interrupted(struct fixture *fixture)
{
    unsigned asked = 0;
    struct kv_limits limits = {.is_interrupted = is_interrupted_soon, .context = &asked};

    kv_limits_begin(&limits);
    assert_int_equal(get_k(fixture, FOR_EVER_MS), STATUS_INTERRUPTED);
    asked = 0;
    enum status status = put_k(fixture, FOR_EVER_MS);
    kv_limits_end();
    assert_int_equal(status, STATUS_INTERRUPTED);
    assert_true(kv_status_is_indeterminate(status));
}

static void test_calls__interrupted_before_silent_nodes__end(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        fake_node_freeze(fixture->nodes[i]);
    }

    assert_interrupted(fixture);
}

static void test_calls__interrupted_between_rounds__end(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        fake_node_stop(fixture->nodes[i]);
    }

    assert_interrupted(fixture);
}

static void test_calls__of_one_operation__share_its_budget(void **state)
{
    struct fixture *fixture = *state;
    struct kv_limits limits = {.budget_ms = 400};
    for (int i = 0; i < NODES; i++) {
        fake_node_freeze(fixture->nodes[i]);
    }

    kv_limits_begin(&limits);
    assert_int_equal(get_k(fixture, FOR_EVER_MS), STATUS_TIMEOUT);
    assert_true(kv_limits_deadline(UINT64_MAX) <= client_now_ns());
    assert_int_equal(put_k(fixture, FOR_EVER_MS), STATUS_TIMEOUT);
    kv_limits_renew();
    assert_true(kv_limits_deadline(UINT64_MAX) > client_now_ns());
    kv_limits_end();
    assert_true(kv_limits_deadline(UINT64_MAX) == UINT64_MAX);
}

enum { WHOLE_MS = 1000 };

/* What a call may last, in ms, that could last WHOLE_MS. */
static uint64_t patience_ms(struct fixture *fixture)
{
    uint64_t whole = WHOLE_MS * NS_PER_MS;
    uint64_t now = client_now_ns();
    return (cluster_silence_deadline((struct cluster *)fixture->kv, now + whole, whole) - now) /
           NS_PER_MS;
}

static void
test_silence__of_all_nodes__next_operation_waits_a_share_until_one_answers(void **state)
{
    struct fixture *fixture = *state;
    struct kv_limits limits = {.budget_ms = WHOLE_MS};
    fake_node_freeze(fixture->nodes[0]);
    kv_limits_begin(&limits);
    assert_int_equal(get_k(fixture, WHOLE_MS), STATUS_NOT_FOUND);
    assert_int_equal(patience_ms(fixture), WHOLE_MS);
    for (int i = 1; i < NODES; i++) {
        fake_node_freeze(fixture->nodes[i]);
    }

    assert_int_equal(get_k(fixture, WHOLE_MS), STATUS_TIMEOUT);
    kv_limits_end();
    assert_int_equal(patience_ms(fixture), WHOLE_MS); /* of what is no mount's operation */
    kv_limits_begin(&limits);
    assert_in_range(patience_ms(fixture), 1, WHOLE_MS / 2);
    for (int i = 0; i < NODES; i++) {
        fake_node_thaw(fixture->nodes[i]);
        fake_node_break_connections(fixture->nodes[i]);
    }
    while (get_k(fixture, WHOLE_MS) != STATUS_NOT_FOUND) {
        kv_limits_renew();
    }

    assert_int_equal(patience_ms(fixture), WHOLE_MS);
    kv_limits_end();
}

#define SILENT_TEST(name)                                                                      \
    cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SILENT_TEST(test_get__first_node_is_frozen__costs_the_first_call_a_moment),
        SILENT_TEST(test_put__first_node_is_frozen__costs_the_first_call_a_moment),
        SILENT_TEST(test_get__first_node_is_frozen__next_calls_leave_it_alone),
        SILENT_TEST(test_get__all_nodes_fail__the_longest_failing_is_asked_last),
        SILENT_TEST(test_get__many_threads_and_a_frozen_node__one_probe_in_a_pause),
        SILENT_TEST(test_get__frozen_node_goes_on__used_again_after_a_probe),
        SILENT_TEST(test_put__all_nodes_slow__succeeds_with_one_write_id),
        SILENT_TEST(test_get__all_nodes_slow__soon_one_request_a_call),
        SILENT_TEST(test_get__cluster_is_quick_again__patience_shrinks),
        SILENT_TEST(test_get__last_chance__has_the_rest_of_the_deadline),
        SILENT_TEST(test_put__synced__has_time_for_the_disk),
        SILENT_TEST(test_put__large__has_time_for_its_size),
        SILENT_TEST(test_put__client_goes_on__node_was_told_a_longer_deadline),
        SILENT_TEST(test_open__first_address_is_frozen__second_is_asked_soon),
        SILENT_TEST(test_calls__interrupted_before_silent_nodes__end),
        SILENT_TEST(test_calls__interrupted_between_rounds__end),
        SILENT_TEST(test_calls__of_one_operation__share_its_budget),
        SILENT_TEST(test_silence__of_all_nodes__next_operation_waits_a_share_until_one_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
