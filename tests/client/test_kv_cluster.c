/*
 * test_kv_cluster.c - the client of a cluster, against nodes that misbehave.
 *
 * Rules: the first node of the preference list is asked first; a failure leads to the next node
 * with the same write id; nodes that failed are avoided; what is answered by a rule is final; a
 * put whose outcome is open is never reported as surely undone, nor one surely undone as open;
 * a newer ring is fetched and used, another cluster's never; corrupt content is not handed on;
 * every call ends by its deadline.
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

#include "node/client/socket.h"
#include "tests/client/cluster_fixture.h"

static void always(struct fake_node *node, enum status status)
{
    fake_node_always(node, (struct step){.kind = STEP_STATUS, .status = status});
}

static void once(struct fake_node *node, enum step_kind kind, enum status status)
{
    struct step step = {.kind = kind, .status = status};
    fake_node_script(node, &step, 1);
}

static void test_put_and_get__healthy_cluster__first_of_the_list_alone_is_asked(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(put_k(fixture, 0), STATUS_OK);
    assert_int_equal(get_k(fixture, 0), STATUS_OK);

    assert_requests(fixture, 2, 0, 0);
}

static void test_get__key_that_is_not_there__not_found_by_one_node(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_requests(fixture, 1, 0, 0);
}

static void test_put__first_node_cannot__next_gets_the_same_write_id(void **state)
{
    static const struct step steps[] = {
        {STEP_STATUS, STATUS_BUSY},     {STEP_STATUS, STATUS_NOT_READY},
        {STEP_STATUS, STATUS_CORRUPT},  {STEP_STATUS, STATUS_IO},
        {STEP_STATUS, STATUS_NO_SPACE}, {STEP_STATUS, STATUS_NO_QUORUM},
        {STEP_STATUS, STATUS_CLOSED},   {STEP_STATUS, STATUS_TIMEOUT},
        {STEP_SERVE_CLOSE, STATUS_OK},  {STEP_GARBAGE, STATUS_OK},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct fixture *fixture = *state;
        fake_node_script(fixture->nodes[0], &steps[i], 1);

        assert_int_equal(put_k(fixture, 0), STATUS_OK);

        assert_requests(fixture, 1, 1, 0);
        struct fake_request first = fake_node_request(fixture->nodes[0], 0);
        struct fake_request second = fake_node_request(fixture->nodes[1], 0);
        assert_memory_equal(first.write_id, second.write_id, WRITE_ID_SIZE);
        assert_in_range(first.deadline_ms, 1, DEADLINE_MS / 4);
        cluster_tear_down(state);
        assert_int_equal(cluster_set_up(state), 0);
    }
}

static void test_get__first_node_is_down__it_is_avoided_afterwards(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_k(fixture, 0), STATUS_OK);
    fake_node_stop(fixture->nodes[0]);

    for (int i = 0; i < 5; i++) {
        assert_int_equal(get_k(fixture, 0), STATUS_OK);
    }

    assert_requests(fixture, 1, 5, 0);
}

static void test_get__busy_node_is_well_again__used_again_after_its_pause(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_k(fixture, 0), STATUS_OK);
    once(fixture->nodes[0], STEP_STATUS, STATUS_BUSY);
    assert_int_equal(get_k(fixture, 0), STATUS_OK);
    assert_requests(fixture, 2, 1, 0);
    uint64_t give_up = client_now_ns() + DEADLINE_MS * NS_PER_MS;

    while (fake_node_requests(fixture->nodes[0]) == 2 && client_now_ns() < give_up) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        assert_int_equal(get_k(fixture, 0), STATUS_OK);
    }

    assert_true(fake_node_requests(fixture->nodes[0]) > 2);
}

static void test_get__corrupt_content__other_replica_answers(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put_k(fixture, 0), STATUS_OK);
    once(fixture->nodes[0], STEP_CORRUPT, STATUS_OK);
    struct object *object = NULL;

    assert_int_equal(kv_get(fixture->kv, text("k"), NULL, &object), STATUS_OK);

    assert_true(slice_equal(blob_slice(object->versions[0].content), text("x")));
    object_unref(object);
    assert_requests(fixture, 2, 1, 0);
}

static void test_get__corrupt_everywhere__corrupt_after_one_look_at_each(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        fake_node_always(fixture->nodes[i], (struct step){.kind = STEP_CORRUPT});
    }

    assert_int_equal(get_k(fixture, 0), STATUS_CORRUPT);

    assert_requests(fixture, 1, 1, 1);
}

static void test_get__no_quorum__one_other_coordinator_is_believed(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        always(fixture->nodes[i], STATUS_NO_QUORUM);
    }

    assert_int_equal(get_k(fixture, 0), STATUS_NO_QUORUM);

    assert_requests(fixture, 1, 1, 0);
}

static void test_put__answers_by_a_rule__reported_as_they_are_at_once(void **state)
{
    static const enum status rules[] = {
        STATUS_TOO_LARGE, STATUS_BAD_KEY,     STATUS_TOO_MANY_VERSIONS, STATUS_UNKNOWN_VERSION,
        STATUS_REFUSED,   STATUS_BAD_MESSAGE, STATUS_BAD_VERSION};
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
        once(fixture->nodes[0], STEP_STATUS, rules[i]);

        assert_int_equal(put_k(fixture, 0), rules[i]);

        assert_requests(fixture, i + 1, 0, 0);
    }
}

static void test_put__no_space_everywhere__no_space(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        always(fixture->nodes[i], STATUS_NO_SPACE);
    }

    assert_int_equal(put_k(fixture, 0), STATUS_NO_SPACE);

    assert_requests(fixture, 1, 1, 1);
}

/* The first node may have written it: whatever the others say, the put is open. */
static void test_put__an_attempt_is_open__never_reported_as_undone(void **state)
{
    static const struct {
        struct step first;
        enum status others;
        enum status expected;
    } cases[] = {
        {{STEP_SERVE_CLOSE, STATUS_OK}, STATUS_TOO_MANY_VERSIONS, STATUS_TIMEOUT},
        {{STEP_CLOSE, STATUS_OK}, STATUS_NO_SPACE, STATUS_NO_SPACE},
        {{STEP_SILENT, STATUS_OK}, STATUS_REFUSED, STATUS_TIMEOUT},
        {{STEP_WRONG_ID, STATUS_OK}, STATUS_BUSY, STATUS_TIMEOUT},
        {{STEP_STATUS, STATUS_TIMEOUT}, STATUS_BUSY, STATUS_TIMEOUT},
        {{STEP_STATUS, STATUS_CLOSED}, STATUS_NO_SPACE, STATUS_NO_SPACE},
        {{STEP_STATUS, STATUS_IO}, STATUS_IO, STATUS_IO},
        {{STEP_STATUS, STATUS_NO_QUORUM}, STATUS_NO_SPACE, STATUS_NO_QUORUM},
        {{STEP_STATUS, STATUS_NO_QUORUM}, STATUS_BUSY, STATUS_NO_QUORUM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *fixture = *state;
        fake_node_always(fixture->nodes[0], cases[i].first);
        always(fixture->nodes[1], cases[i].others);
        always(fixture->nodes[2], cases[i].others);

        enum status status = put_k(fixture, SHORT_MS);

        assert_int_equal(status, cases[i].expected);
        assert_true(kv_status_is_indeterminate(status));
        cluster_tear_down(state);
        assert_int_equal(cluster_set_up(state), 0);
    }
}

static void test_put__no_node_took_it__determinate(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        always(fixture->nodes[i], STATUS_BUSY);
    }
    assert_int_equal(put_k(fixture, SHORT_MS), STATUS_BUSY);
    for (int i = 0; i < NODES; i++) {
        assert_true(fake_node_requests(fixture->nodes[i]) > 1);
        fake_node_stop(fixture->nodes[i]);
    }

    /* On an idle connection one cannot see whether the node was gone before the request. */
    assert_int_equal(put_k(fixture, SHORT_MS), STATUS_TIMEOUT);
    assert_int_equal(put_k(fixture, SHORT_MS), STATUS_UNREACHABLE);
    assert_int_equal(get_k(fixture, SHORT_MS), STATUS_UNREACHABLE);
}

static void test_call__all_nodes_silent__ends_at_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        fake_node_always(fixture->nodes[i], (struct step){.kind = STEP_SILENT});
    }
    uint64_t before = client_now_ns();

    assert_int_equal(get_k(fixture, SHORT_MS), STATUS_TIMEOUT);

    uint64_t took_ms = (client_now_ns() - before) / NS_PER_MS;
    assert_in_range(took_ms, SHORT_MS / 2, 3 * SHORT_MS);
}

static void test_get__node_restarts_within_the_deadline__answered_in_a_later_round(void **state)
{
    struct fixture *fixture = *state;
    static const struct step steps[] = {{STEP_STATUS, STATUS_NOT_READY},
                                        {STEP_STATUS, STATUS_NOT_READY}};
    fake_node_stop(fixture->nodes[1]);
    fake_node_stop(fixture->nodes[2]);
    fake_node_script(fixture->nodes[0], steps, 2);

    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_int_equal(fake_node_requests(fixture->nodes[0]), 3);
}

/* A ring of a later epoch in which the second node is alone. */
static void make_newer_ring(struct fixture *fixture, struct ring *ring)
{
    cluster_make_ring(&fixture->nodes[1], 1, ring);
    ring->epoch = fixture->ring.epoch + 1;
}

static void test_get__stale_ring__newer_one_is_fetched_and_followed(void **state)
{
    struct fixture *fixture = *state;
    struct ring newer;
    make_newer_ring(fixture, &newer);
    fake_node_set_ring(fixture->nodes[0], &newer);
    fake_node_set_ring(fixture->nodes[1], &newer);
    always(fixture->nodes[0], STATUS_STALE_RING);

    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_requests(fixture, 1, 2, 0);
}

/* A refusal for the sake of a ring left nothing behind, so the put goes on elsewhere. */
static void test_put__stale_ring__newer_one_is_fetched_and_followed(void **state)
{
    struct fixture *fixture = *state;
    struct ring newer;
    make_newer_ring(fixture, &newer);
    fake_node_set_ring(fixture->nodes[0], &newer);
    fake_node_set_ring(fixture->nodes[1], &newer);
    always(fixture->nodes[0], STATUS_STALE_RING);

    assert_int_equal(put_k(fixture, 0), STATUS_OK);

    assert_requests(fixture, 1, 1, 0);
    assert_memory_equal(fake_node_request(fixture->nodes[0], 0).write_id,
                        fake_node_request(fixture->nodes[1], 0).write_id, WRITE_ID_SIZE);
}

/* They are asked again and again, and nothing is left open. */
static void test_put__stale_ring_everywhere__is_determinate(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        always(fixture->nodes[i], STATUS_STALE_RING);
    }

    assert_int_equal(put_k(fixture, SHORT_MS), STATUS_STALE_RING);

    assert_true(fake_node_requests(fixture->nodes[2]) > 1);
}

static void test_get__answer_of_a_newer_epoch__next_call_uses_the_new_ring(void **state)
{
    struct fixture *fixture = *state;
    struct ring newer;
    make_newer_ring(fixture, &newer);
    fake_node_set_ring(fixture->nodes[0], &newer);
    unsigned before = fake_node_ring_requests(fixture->nodes[0]);

    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);

    assert_requests(fixture, 1, 1, 0);
    assert_int_equal(fake_node_ring_requests(fixture->nodes[0]), before + 1);
}

static void test_get__ring_of_another_cluster__not_believed(void **state)
{
    struct fixture *fixture = *state;
    struct ring other;
    make_newer_ring(fixture, &other);
    other.cluster_id = CLUSTER + 1;
    fake_node_set_ring(fixture->nodes[0], &other);

    /* Its connections from before still answer, and tell of a newer epoch. */
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    fake_node_break_connections(fixture->nodes[0]);
    assert_int_equal(get_k(fixture, 0), STATUS_NOT_FOUND);
    struct buffer replicas = {0};
    assert_int_equal(kv_replicas(fixture->kv, text("k"), &replicas), STATUS_OK);

    unsigned commas = 0;
    for (size_t i = 0; i < replicas.size; i++) {
        commas += replicas.data[i] == ',';
    }
    assert_int_equal(commas, NODES - 1);
    buffer_release(&replicas);
}

static void test_replicas__key__addresses_in_order_of_the_preference_list(void **state)
{
    struct fixture *fixture = *state;
    struct buffer replicas = {0};
    char expected[NODES * ADDRESS_SIZE];
    int size =
        snprintf(expected, sizeof expected, "%s,%s,%s", fake_node_address(fixture->nodes[0]),
                 fake_node_address(fixture->nodes[1]), fake_node_address(fixture->nodes[2]));

    assert_int_equal(kv_replicas(fixture->kv, text("k"), &replicas), STATUS_OK);

    assert_int_equal(replicas.size, size);
    assert_memory_equal(replicas.data, expected, replicas.size);
    buffer_release(&replicas);
}

static void test_space__any_node__what_it_tells(void **state)
{
    struct fixture *fixture = *state;
    struct kv_space space;

    assert_int_equal(kv_space(fixture->kv, NULL, &space), STATUS_OK);

    assert_int_equal(space.total, 1000);
    assert_int_equal(space.free_bytes, 400);
}

static void put_name(struct kv *kv, const char *key)
{
    struct version value = {.attributes = {.type = VERSION_FILE}};
    struct kv_put put = {.key = text(key), .mode = UPDATE_ALL, .value = &value};
    assert_int_equal(kv_put(kv, &put, NULL, NULL), STATUS_OK);
}

static void test_list__pages__every_name_once_in_order(void **state)
{
    struct fixture *fixture = *state;
    char key[32];
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "d/%d", i);
        put_name(fixture->kv, key);
    }
    struct kv_list list = {.directory = text("d/"), .limit = 4};
    struct kv_rows rows = {0};
    unsigned total = 0;
    do {
        struct blob *resume = blob_ref(rows.resume);
        kv_rows_release(&rows);
        list.start = blob_slice(resume);
        list.after_start = true;
        assert_int_equal(kv_list(fixture->kv, &list, NULL, &rows), STATUS_OK);
        for (size_t i = 0; i < rows.count; i++) {
            assert_int_equal(rows.rows[i].name->data[0], '0' + total);
            total++;
        }
        blob_unref(resume);
    } while (rows.more);

    assert_int_equal(total, 10);
    kv_rows_release(&rows);
}

static void test_list__page_that_leads_back__not_believed(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < NODES; i++) {
        fake_node_always(fixture->nodes[i], (struct step){.kind = STEP_STUCK_LIST});
    }
    struct kv_list list = {.directory = text("d/"), .limit = 4, .start = text("a")};
    struct kv_rows rows = {0};

    assert_int_equal(kv_list(fixture->kv, &list, NULL, &rows), STATUS_BAD_MESSAGE);

    assert_null(rows.rows);
}

static void test_put__value_over_the_limit__never_sent(void **state)
{
    struct fixture *fixture = *state;
    struct version value = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new_uninitialised(VALUE_SIZE_MAX + 1)};
    struct kv_put put = {.key = text("k"), .mode = UPDATE_ALL, .value = &value};

    assert_int_equal(kv_put(fixture->kv, &put, NULL, NULL), STATUS_TOO_LARGE);

    assert_requests(fixture, 0, 0, 0);
    blob_unref(value.content);
}

static enum status open_at(const char *addresses, struct error *error)
{
    struct kv_options defaults = {.deadline_ms = DEADLINE_MS};
    struct kv *kv = NULL;
    enum status status = kv_open_cluster(addresses, &defaults, &kv, error);
    kv_close(kv);
    return status;
}

static void test_open__first_address_is_dead__second_is_used(void **state)
{
    struct fixture *fixture = *state;
    char addresses[2 * ADDRESS_SIZE + 1];
    struct error error;
    fake_node_stop(fixture->nodes[0]);
    snprintf(addresses, sizeof addresses, "%s,%s", fake_node_address(fixture->nodes[0]),
             fake_node_address(fixture->nodes[1]));

    assert_int_equal(open_at(addresses, &error), STATUS_OK);
}

static void test_open__nobody_there__says_which_address_and_why(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    fake_node_stop(fixture->nodes[0]);

    assert_int_equal(open_at(fake_node_address(fixture->nodes[0]), &error), STATUS_UNREACHABLE);

    assert_int_equal(error.code, STATUS_UNREACHABLE);
    assert_non_null(strstr(error.text, fake_node_address(fixture->nodes[0])));
    assert_non_null(strstr(error.text, "refused"));
}

static void test_open__node_without_a_ring__not_ready(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    fake_node_set_ring(fixture->nodes[0], NULL);

    assert_int_equal(open_at(fake_node_address(fixture->nodes[0]), &error), STATUS_NOT_READY);
}

static void test_open__malformed_addresses__refused_before_anything_is_asked(void **state)
{
    struct fixture *fixture = *state;
    char addresses[2 * ADDRESS_SIZE];
    struct error error;
    unsigned before = fake_node_connections(fixture->nodes[0]);
    snprintf(addresses, sizeof addresses, "%s,nonsense", fake_node_address(fixture->nodes[0]));

    assert_int_equal(open_at(addresses, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "nonsense"));
    assert_int_equal(open_at("", &error), STATUS_REFUSED);
    assert_int_equal(open_at(",", &error), STATUS_REFUSED);

    assert_int_equal(fake_node_connections(fixture->nodes[0]), before);
}

enum { THREADS = 6, CALLS = 60 };

struct caller {
    struct fixture *fixture;
    pthread_t thread;
    unsigned answered;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    struct kv *kv = caller->fixture->kv;
    for (int i = 0; i < CALLS; i++) {
        struct object *object = NULL;
        struct buffer replicas = {0};
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        caller->answered += kv_get(kv, text(key), NULL, &object) == STATUS_NOT_FOUND &&
                            kv_replicas(kv, text(key), &replicas) == STATUS_OK;
        object_unref(object);
        buffer_release(&replicas);
    }
    return NULL;
}

/* Nodes refuse now and then and the ring changes all the while: every call is answered. */
static void test_get__many_threads_failing_nodes_and_new_rings__all_answered(void **state)
{
    struct fixture *fixture = *state;
    struct caller callers[THREADS] = {0};
    struct step steps[40];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        steps[i] = (struct step){.kind = i % 4 == 1 ? STEP_STATUS : STEP_SERVE,
                                 .status = i % 8 == 1 ? STATUS_BUSY : STATUS_STALE_RING};
    }
    for (int i = 0; i < NODES; i++) {
        fake_node_script(fixture->nodes[i], steps, sizeof steps / sizeof *steps);
    }

    for (int i = 0; i < THREADS; i++) {
        callers[i].fixture = fixture;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (unsigned change = 0; change < 50; change++) {
        fixture->ring.epoch++;
        fake_node_set_ring(fixture->nodes[change % NODES], &fixture->ring);
    }

    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].answered, CALLS);
    }
}

static void test_census__some_nodes_gone__counts_those_that_answer(void **state)
{
    struct fixture *fixture = *state;
    struct kv_options options = {.deadline_ms = SHORT_MS};
    struct kv_census census;
    kv_census(fixture->kv, text("k"), &options, &census);
    assert_int_equal(census.holders, NODES);
    assert_int_equal(census.answering, NODES);
    assert_int_equal(census.needed, 2);
    fake_node_stop(fixture->nodes[0]);
    fake_node_freeze(fixture->nodes[1]);
    options.r = 1;

    kv_census(fixture->kv, text("k"), &options, &census);

    assert_int_equal(census.holders, NODES);
    assert_int_equal(census.answering, 1);
    assert_int_equal(census.needed, 1);
}

#define CLUSTER_TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(test_put_and_get__healthy_cluster__first_of_the_list_alone_is_asked),
        CLUSTER_TEST(test_get__key_that_is_not_there__not_found_by_one_node),
        CLUSTER_TEST(test_put__first_node_cannot__next_gets_the_same_write_id),
        CLUSTER_TEST(test_get__first_node_is_down__it_is_avoided_afterwards),
        CLUSTER_TEST(test_get__busy_node_is_well_again__used_again_after_its_pause),
        CLUSTER_TEST(test_get__corrupt_content__other_replica_answers),
        CLUSTER_TEST(test_get__corrupt_everywhere__corrupt_after_one_look_at_each),
        CLUSTER_TEST(test_get__no_quorum__one_other_coordinator_is_believed),
        CLUSTER_TEST(test_put__answers_by_a_rule__reported_as_they_are_at_once),
        CLUSTER_TEST(test_put__no_space_everywhere__no_space),
        CLUSTER_TEST(test_put__an_attempt_is_open__never_reported_as_undone),
        CLUSTER_TEST(test_put__no_node_took_it__determinate),
        CLUSTER_TEST(test_call__all_nodes_silent__ends_at_the_deadline),
        CLUSTER_TEST(test_get__node_restarts_within_the_deadline__answered_in_a_later_round),
        CLUSTER_TEST(test_get__stale_ring__newer_one_is_fetched_and_followed),
        CLUSTER_TEST(test_get__answer_of_a_newer_epoch__next_call_uses_the_new_ring),
        CLUSTER_TEST(test_get__ring_of_another_cluster__not_believed),
        CLUSTER_TEST(test_get__many_threads_failing_nodes_and_new_rings__all_answered),
        CLUSTER_TEST(test_replicas__key__addresses_in_order_of_the_preference_list),
        CLUSTER_TEST(test_space__any_node__what_it_tells),
        CLUSTER_TEST(test_list__pages__every_name_once_in_order),
        CLUSTER_TEST(test_list__page_that_leads_back__not_believed),
        CLUSTER_TEST(test_put__stale_ring__newer_one_is_fetched_and_followed),
        CLUSTER_TEST(test_put__stale_ring_everywhere__is_determinate),
        CLUSTER_TEST(test_put__value_over_the_limit__never_sent),
        CLUSTER_TEST(test_open__first_address_is_dead__second_is_used),
        CLUSTER_TEST(test_open__nobody_there__says_which_address_and_why),
        CLUSTER_TEST(test_open__node_without_a_ring__not_ready),
        CLUSTER_TEST(test_open__malformed_addresses__refused_before_anything_is_asked),
        CLUSTER_TEST(test_census__some_nodes_gone__counts_those_that_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
