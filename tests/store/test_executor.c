/*
 * test_executor.c - requests beside a loop, on both engines.
 *
 * Rules: one result for each request; requests of one key in order, whatever runs where; BUSY
 *        at once when full; what is queued is committed in groups; quick ones run in the caller
 *        without a wake, and never overtake; what is queued at the end is finished.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/loop.h"

static const uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

enum { KEYS = 7, REQUESTS = 10000, OUTSTANDING_MAX = 1000 };

/* What a request that was submitted must give. */
struct expected {
    uint64_t token;
    int key;
    int value; /* the content is this number; 0: no copy; negative: deleted at this number */
};

static void assert_expected(const struct store_result *result, const struct expected *expected)
{
    char content[32];
    int value = expected->value;

    assert_int_equal(result->status, STATUS_OK);
    if (value == 0) {
        assert_null(result->object);
        return;
    }
    assert_non_null(result->object);
    assert_int_equal(result->object->clock.pair[0].counter,
                     (uint64_t)(value < 0 ? -value : value));
    assert_int_equal(result->object->version_count, value > 0 ? 1 : 0);
    if (value > 0) {
        (void)snprintf(content, sizeof content, "%d", value);
        assert_content(result->object, content);
    }
}

/* The next random request for one of a few keys, and what follows from it. */
static struct store_request random_request(uint64_t *random, int number, int values[KEYS],
                                           struct expected *ret_expected)
{
    char key[16];
    char content[32];

    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    int at = (int)(*random >> 33) % KEYS;
    unsigned choice = (unsigned)(*random >> 20) % 10;
    (void)snprintf(key, sizeof key, "d/k%d", at);
    (void)snprintf(content, sizeof content, "%d", number);
    struct store_request request;
    if (choice < 4) {
        request = get_request(key);
    } else if (choice < 9) {
        values[at] = number;
        request = merge_request(key, object_of(3, (uint64_t)number, content), both);
        request.sync = choice == 8 && number % 16 == 0;
    } else {
        values[at] = -number;
        request = merge_request(key, object_of(3, (uint64_t)number, NULL), both);
    }
    *ret_expected = (struct expected){.token = request.token, .key = at, .value = values[at]};
    return request;
}

/* Ten thousand requests, up to a thousand in flight: as if they had run one by one. */
static void run_random(struct fixture *fixture, bool always_queue)
{
    static struct expected expected[REQUESTS];
    int values[KEYS] = {0};
    uint64_t random = 42;
    uint64_t first_token = 0;
    int done = 0;
    struct loop loop;

    loop_begin(&loop, fixture, always_queue);
    for (int i = 0; i < REQUESTS || done < REQUESTS;) {
        size_t room = i % 3 == 0 ? OUTSTANDING_MAX : 3;
        if (i < REQUESTS && executor_pending(loop.executor) < room) {
            struct store_request request = random_request(&random, i + 1, values, &expected[i]);
            first_token = i == 0 ? request.token : first_token;
            (void)loop_submit(&loop, request);
            i++;
            continue;
        }
        struct store_result result = loop_wait(&loop);
        uint64_t at = result.token - first_token;
        assert_true(at < REQUESTS);
        assert_int_equal(expected[at].token, result.token);
        assert_expected(&result, &expected[at]);
        expected[at].token = 0; /* each comes once */
        store_result_release(&result);
        done++;
    }
    assert_int_equal(executor_pending(loop.executor), 0);
    loop_end(&loop);
}

static void test_executor__ten_thousand_on_few_keys__equal_sequential(void **state)
{
    run_random(*state, false);
}

static void test_executor__ten_thousand_all_queued__equal_sequential(void **state)
{
    run_random(*state, true);
}

static void test_executor__queue_full__is_busy_at_once_and_loses_nothing(void **state)
{
    enum { BEYOND = 10, ALL = EXECUTOR_QUEUE_MAX + BEYOND };
    struct fixture *fixture = *state;
    struct loop loop;
    struct store_result result;
    size_t busy = 0;
    char key[32];

    loop_begin(&loop, fixture, true);
    pthread_mutex_lock(&fixture->spy.gate);
    for (int i = 0; i < ALL; i++) {
        (void)snprintf(key, sizeof key, "k%d", i % 50);
        (void)loop_submit(&loop, get_request(key));
    }
    assert_int_equal(executor_pending(loop.executor), ALL);
    while (executor_collect(loop.executor, &result)) {
        assert_int_equal(result.status, STATUS_BUSY);
        assert_int_equal(result.operation, STORE_GET);
        assert_int_not_equal(result.token, 0);
        store_result_release(&result);
        busy++;
    }
    assert_int_equal(busy, BEYOND);

    pthread_mutex_unlock(&fixture->spy.gate);
    for (int i = 0; i < EXECUTOR_QUEUE_MAX; i++) {
        result = loop_wait(&loop);
        assert_int_equal(result.status, STATUS_OK);
        store_result_release(&result);
    }
    assert_int_equal(executor_pending(loop.executor), 0);

    /* And there is room again. */
    result = loop_run(&loop, get_request("k1"));
    assert_int_equal(result.status, STATUS_OK);
    loop_end(&loop);
}

static void test_executor__queued_together__are_committed_together(void **state)
{
    enum { PUTS = 60 };
    struct fixture *fixture = *state;
    struct loop loop;
    char key[32];

    loop_begin(&loop, fixture, true);
    pthread_mutex_lock(&fixture->spy.gate);
    for (int i = 0; i < PUTS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        struct store_request request = put_request(key, NULL, "x");
        request.sync = true;
        (void)loop_submit(&loop, request);
    }
    pthread_mutex_unlock(&fixture->spy.gate);
    for (int i = 0; i < PUTS; i++) {
        struct store_result result = loop_wait(&loop);
        assert_int_equal(result.status, STATUS_OK);
        store_result_release(&result);
    }

    /* Each thread took what was there when it woke, and then all the rest. */
    assert_in_range(atomic_load(&fixture->spy.synced_batches), 1, 2 * EXECUTOR_THREADS);
    loop_end(&loop);
}

static void test_executor__quick_and_idle__runs_in_the_caller_without_a_wake(void **state)
{
    struct fixture *fixture = *state;
    struct loop loop;
    struct store_result result;

    loop_begin(&loop, fixture, false);
    for (int i = 0; i < 10; i++) {
        (void)loop_submit(&loop, put_request("f", NULL, "x"));
        assert_true(executor_collect(loop.executor, &result));
        assert_int_equal(result.status, STATUS_OK);
        store_result_release(&result);
        (void)loop_submit(&loop, list_request("/", 10));
        assert_true(executor_collect(loop.executor, &result));
        assert_int_equal(result.list.row_count, 1);
        store_result_release(&result);
    }
    assert_int_equal(atomic_load(&loop.wakes), 0);
    loop_end(&loop);
}

/* Runs the request; true if a thread did it. */
static bool is_queued(struct loop *loop, struct store_request request)
{
    struct store_result result = loop_run(loop, request);

    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
    return !pthread_equal(atomic_load(&loop->fixture->spy.last_thread), pthread_self());
}

static void test_executor__what_may_wait__is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct loop loop;
    struct store_request synced = put_request("f", NULL, "x");
    synced.sync = true;
    char *large = calloc(1, 100001);
    assert_non_null(large);
    memset(large, 'x', 100000);

    loop_begin(&loop, fixture, false);
    assert_false(is_queued(&loop, put_request("a", NULL, "x")));
    assert_true(is_queued(&loop, synced));
    assert_true(is_queued(&loop, put_request("b", NULL, large)));
    assert_true(is_queued(&loop, find_request("/", NULL)));
    assert_true(is_queued(&loop, list_request("/", ROWS_MAX)));
    assert_true(is_queued(&loop, intents_request(INTENT_ROW)));
    assert_true(is_queued(&loop, plain_request(STORE_HOLDS_DATA)));
    assert_false(is_queued(&loop, get_request("b")));

    fixture->wall_us += COUNTER_LEASE_US; /* a lease is due */
    assert_true(is_queued(&loop, put_request("c", NULL, "x")));
    assert_false(is_queued(&loop, put_request("d", NULL, "x")));

    atomic_store(&fixture->spy.never_quick, true); /* a flush may be due */
    assert_true(is_queued(&loop, put_request("e", NULL, "x")));
    assert_false(is_queued(&loop, get_request("e")));
    loop_end(&loop);
    free(large);
}

static void test_executor__inline_read_was_slow__the_next_are_queued(void **state)
{
    struct fixture *fixture = *state;
    struct loop loop;

    loop_begin(&loop, fixture, false);
    assert_false(is_queued(&loop, get_request("a")));
    atomic_store(&fixture->spy.read_delay_us, 2 * LOOP_SLOW_US);
    assert_false(is_queued(&loop, get_request("a")));
    atomic_store(&fixture->spy.read_delay_us, 0);

    assert_true(is_queued(&loop, get_request("a")));
    loop_end(&loop);
}

static void test_executor__something_is_queued__nothing_overtakes_it(void **state)
{
    struct fixture *fixture = *state;
    struct loop loop;
    struct store_request synced = put_request("f", NULL, "x");
    synced.sync = true;

    loop_begin(&loop, fixture, false);
    pthread_mutex_lock(&fixture->spy.gate);
    (void)loop_submit(&loop, synced);
    /* If this ran here, it would wait at the gate for ever. */
    uint64_t token = loop_submit(&loop, get_request("f"));
    pthread_mutex_unlock(&fixture->spy.gate);
    struct store_result put = loop_wait(&loop);
    struct store_result get = loop_wait(&loop);

    assert_int_equal(get.token, token);
    assert_content(get.object, "x");
    store_result_release(&put);
    store_result_release(&get);
    loop_end(&loop);
}

static void test_executor_free__queued_requests__are_finished(void **state)
{
    enum { PUTS = 200 };
    struct fixture *fixture = *state;
    struct loop loop;
    char key[32];

    loop_begin(&loop, fixture, true);
    pthread_mutex_lock(&fixture->spy.gate);
    for (int i = 0; i < PUTS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)loop_submit(&loop, put_request(key, NULL, "x"));
    }
    pthread_mutex_unlock(&fixture->spy.gate);
    loop_end(&loop);

    for (int i = 0; i < PUTS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        struct object *object = stored_object(fixture, key);
        assert_content(object, "x");
        object_unref(object);
    }
}

static void test_executor__puts_on_all_threads__have_distinct_counters(void **state)
{
    enum { PUTS = 2000 };
    struct fixture *fixture = *state;
    struct loop loop;
    static uint64_t counters[PUTS];
    char key[32];

    loop_begin(&loop, fixture, true);
    for (int i = 0; i < PUTS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)loop_submit(&loop, put_request(key, NULL, "x"));
    }
    for (int i = 0; i < PUTS; i++) {
        struct store_result result = loop_wait(&loop);
        assert_int_equal(result.status, STATUS_OK);
        counters[i] = result.intent_stamp - FIXTURE_WALL_US;
        store_result_release(&result);
    }
    loop_end(&loop);

    static bool seen[PUTS + 1];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < PUTS; i++) {
        assert_in_range(counters[i], 0, PUTS);
        assert_false(seen[counters[i]]);
        seen[counters[i]] = true;
    }
}

/* The stamp that a LIST_INTENTS gave for a directory. */
static uint64_t stamp_of(const struct store_result *result, const char *directory)
{
    for (size_t i = 0; i < result->intents.count; i++) {
        if (slice_equal(blob_slice(result->intents.intent[i].key),
                        slice_of_string(directory))) {
            return result->intents.intent[i].stamp;
        }
    }
    fail_msg("no intent for %s", directory);
    return 0;
}

/* What the core does step by step about a directory's intent. False when it has settled it. */
static bool settle_intent(struct loop *loop, const char *directory,
                          const struct store_result *result, uint64_t *stamp)
{
    if (result->operation == STORE_COORDINATE) {
        (void)loop_submit(loop, intents_request(INTENT_REVIVE));
        return true;
    }
    if (result->operation == STORE_LIST_INTENTS) {
        *stamp = stamp_of(result, directory);
        (void)loop_submit(loop, find_request(directory, NULL));
        return true;
    }
    if (result->operation == STORE_FIND_LIVE_ROW && result->list.row_count == 0) {
        (void)loop_submit(loop, clear_request(INTENT_REVIVE, directory, *stamp));
        return true;
    }
    return false;
}

/*
 * A directory is deleted on one thread while a row arrives on another. Whoever carries out the
 * intent finds no row yet and drops it: then the row must leave another one.
 */
static void race_row_and_delete(struct loop *loop, int round)
{
    char directory[32];
    char child[48];

    (void)snprintf(directory, sizeof directory, "d%d/", round);
    (void)snprintf(child, sizeof child, "d%d/%s", round, round % 2 == 0 ? "late" : "late/");
    struct store_result made = loop_run(loop, put_request(directory, NULL, ""));
    uint64_t row_token = loop_submit(loop, put_request(child, NULL, ""));
    (void)loop_submit(loop, put_request(directory, made.object, NULL));

    uint64_t stamp = 0;
    bool row_is_done = false;
    bool goes_on = true;
    while (goes_on || !row_is_done) {
        struct store_result result = loop_wait(loop);
        assert_int_equal(result.status, STATUS_OK);
        if (result.token == row_token) {
            row_is_done = true;
        } else {
            goes_on = settle_intent(loop, directory, &result, &stamp);
        }
        store_result_release(&result);
    }
    store_result_release(&made);
    stamp = stored_intent(loop->fixture, INTENT_REVIVE, directory);
    assert_int_not_equal(stamp, 0);
    apply_expect(loop->fixture, clear_request(INTENT_REVIVE, directory, stamp), STATUS_OK);
}

static void test_executor__row_races_with_its_directorys_end__intent_stays(void **state)
{
    struct fixture *fixture = *state;
    struct loop loop;

    /* Holds the row's batch back, after it has looked at the directory. */
    fixture->spy.slow_us = 2000;
    loop_begin(&loop, fixture, true);
    for (int round = 0; round < 100; round++) {
        fixture->spy.slow_suffix = round % 2 == 0 ? "/late" : "/late/";
        race_row_and_delete(&loop, round);
    }
    loop_end(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_executor__ten_thousand_on_few_keys__equal_sequential),
        ON_BOTH_ENGINES(test_executor__ten_thousand_all_queued__equal_sequential),
        ON_BOTH_ENGINES(test_executor__queue_full__is_busy_at_once_and_loses_nothing),
        ON_BOTH_ENGINES(test_executor__queued_together__are_committed_together),
        ON_BOTH_ENGINES(test_executor__quick_and_idle__runs_in_the_caller_without_a_wake),
        ON_BOTH_ENGINES(test_executor__what_may_wait__is_queued),
        ON_BOTH_ENGINES(test_executor__inline_read_was_slow__the_next_are_queued),
        ON_BOTH_ENGINES(test_executor__something_is_queued__nothing_overtakes_it),
        ON_BOTH_ENGINES(test_executor_free__queued_requests__are_finished),
        ON_BOTH_ENGINES(test_executor__puts_on_all_threads__have_distinct_counters),
        ON_MEMORY(test_executor__row_races_with_its_directorys_end__intent_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
