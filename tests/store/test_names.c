/*
 * test_names.c - when a name in a directory appeared or vanished last.
 *
 * Rules: making and deleting a name is told with a get of its directory; overwriting is not;
 *        the time is that of the rows, so that copies that have the same rows say the same, in
 *        whatever order they came; it never goes back, and is kept like the rows; no name
 *        appears in the future.
 */
#include <string.h>

#include "ring/row.h"
#include "tests/store/fixture.h"

enum { A_SECOND = 1000000 };

static uint64_t names_us(struct fixture *fixture, const char *directory)
{
    struct store_result result = apply(fixture, get_request(directory));
    uint64_t got = result.names_us;

    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
    return got;
}

/* A put as a mount makes it, `named_us` after the beginning; the caller drops the object. */
static struct object *put_named(struct fixture *fixture, const char *key,
                                const struct object *seen, uint64_t named_us)
{
    struct store_request request = put_request(key, seen, "x");
    request.coordinate.put->value.attributes.named_ns =
        (int64_t)(FIXTURE_WALL_US + named_us) * 1000;
    struct store_result result = apply(fixture, request);
    struct object *object = object_ref(result.object);

    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
    return object;
}

static void test_names__nothing_known__is_0(void **state)
{
    struct fixture *fixture = *state;
    object_unref(put_named(fixture, "e/f", NULL, 0));

    assert_int_equal(names_us(fixture, "/"), 0);
    assert_int_equal(names_us(fixture, "d/"), 0);
    assert_int_equal(names_us(fixture, "e/f"), 0);
    assert_true(names_us(fixture, "e/") != 0);
}

static void test_names__made_and_overwritten__the_first_is_reported(void **state)
{
    struct fixture *fixture = *state;
    fixture->wall_us = FIXTURE_WALL_US + 10 * A_SECOND;
    struct object *made = put_named(fixture, "d/f", NULL, A_SECOND);
    assert_true(names_us(fixture, "d/") == FIXTURE_WALL_US + A_SECOND);

    struct object *overwritten = put_named(fixture, "d/f", made, A_SECOND);

    assert_true(names_us(fixture, "d/") == FIXTURE_WALL_US + A_SECOND);
    assert_int_equal(names_us(fixture, "/"), 0);
    object_unref(put_named(fixture, "d/g", NULL, 2 * A_SECOND));
    assert_true(names_us(fixture, "d/") == FIXTURE_WALL_US + 2 * A_SECOND);
    object_unref(put_named(fixture, "d/h", NULL, A_SECOND)); /* late: it never goes back */
    assert_true(names_us(fixture, "d/") == FIXTURE_WALL_US + 2 * A_SECOND);
    object_unref(made);
    object_unref(overwritten);
}

static void test_names__client_that_does_not_say__coordinator_does(void **state)
{
    struct fixture *fixture = *state;
    struct store_result made = apply(fixture, put_request("d/f", NULL, "1"));
    uint64_t made_us = names_us(fixture, "d/");
    assert_true(made_us >= FIXTURE_WALL_US);
    assert_int_equal(made.object->versions[0].attributes.named_ns / 1000, made_us);
    fixture->wall_us += A_SECOND;

    struct store_result overwritten = apply(fixture, put_request("d/f", made.object, "2"));

    assert_true(names_us(fixture, "d/") == made_us);
    store_result_release(&made);
    store_result_release(&overwritten);
}

static void test_names__in_the_future__is_now(void **state)
{
    struct fixture *fixture = *state;

    object_unref(put_named(fixture, "d/f", NULL, 3600 * UINT64_C(1000000)));

    assert_in_range(names_us(fixture, "d/"), FIXTURE_WALL_US, FIXTURE_WALL_US + A_SECOND);
}

static void test_names__deleted__the_delete_is_reported_and_stays(void **state)
{
    struct fixture *fixture = *state;
    struct object *made = put_named(fixture, "d/f", NULL, 0);
    fixture->wall_us += A_SECOND;

    struct store_result deleted = apply(fixture, put_request("d/f", made, NULL));

    uint64_t deleted_us = names_us(fixture, "d/");
    assert_true(deleted_us >= FIXTURE_WALL_US + A_SECOND);
    assert_true(deleted_us == deleted.object->deleted_us);
    fixture_restart(fixture, false);
    assert_true(names_us(fixture, "d/") == deleted_us);
    object_unref(made);
    store_result_release(&deleted);
}

/* As the rows come to other replicas, by whatever way. */
static void test_names__merged_in_any_order__as_at_the_coordinator(void **state)
{
    struct fixture *fixture = *state;
    struct object *made = put_named(fixture, "d/f", NULL, 0);
    struct object *other = put_named(fixture, "d/g", NULL, 0);
    fixture->wall_us += A_SECOND;
    struct store_result deleted = apply(fixture, put_request("d/f", made, NULL));
    uint64_t expected = names_us(fixture, "d/");
    struct object *orders[2][3] = {{made, other, deleted.object},
                                   {deleted.object, other, made}};

    for (int i = 0; i < 2; i++) {
        void *replica = &fixture_kinds[0];
        assert_int_equal(fixture_setup(&replica), 0);
        for (int k = 0; k < 3; k++) {
            const char *key = orders[i][k] == other ? "d/g" : "d/f";
            struct object *row = object_project(orders[i][k]);
            apply_expect(replica, merge_request(key, row, REPLICA_ROW), STATUS_OK);
        }
        assert_true(names_us(replica, "d/") == expected);
        assert_int_equal(fixture_teardown(&replica), 0);
    }
    object_unref(made);
    object_unref(other);
    store_result_release(&deleted);
}

/* Several changes of one group see each other. */
static void test_names__one_group__the_latest_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct store_request requests[2] = {put_request("d/f", NULL, "1"),
                                        put_request("d/g", NULL, "1")};
    struct store_result results[2] = {0};

    apply_group(fixture, requests, 2, results);

    assert_true(names_us(fixture, "d/") == row_names_us(results[1].object));
    assert_true(row_names_us(results[1].object) > row_names_us(results[0].object));
    store_result_release(&results[0]);
    store_result_release(&results[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_names__nothing_known__is_0),
        ON_BOTH_ENGINES(test_names__made_and_overwritten__the_first_is_reported),
        ON_BOTH_ENGINES(test_names__client_that_does_not_say__coordinator_does),
        ON_BOTH_ENGINES(test_names__in_the_future__is_now),
        ON_BOTH_ENGINES(test_names__deleted__the_delete_is_reported_and_stays),
        ON_MEMORY(test_names__merged_in_any_order__as_at_the_coordinator),
        ON_BOTH_ENGINES(test_names__one_group__the_latest_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
