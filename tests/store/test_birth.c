/*
 * test_birth.c - what tells an own pair from every other that its node ever opened.
 *
 * Rules: births of one life differ; what is opened above the end of a period has a greater birth
 * than all before; two lives of one data directory open different pairs at the same counter.
 */
#include <stdlib.h>
#include <string.h>

#include "node/store/birth.h"
#include "tests/store/fixture.h"

enum { COUNTERS = 1 << 16 };

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void test_birth__one_life__no_two_are_the_same(void **state)
{
    uint64_t *births = malloc(COUNTERS * sizeof *births);
    uint64_t first = birth_period_end(FIXTURE_WALL_US) + 1;

    (void)state;
    assert_non_null(births);
    for (uint64_t i = 0; i < COUNTERS; i++) {
        births[i] = birth_of(first + i, 12345);
        assert_true(births[i] >= birth_least(first) &&
                    births[i] < birth_least(first + COUNTERS));
    }
    qsort(births, COUNTERS, sizeof *births, compare_numbers);
    for (size_t i = 1; i < COUNTERS; i++) {
        assert_true(births[i - 1] < births[i]);
    }
    free(births);
}

static void test_birth__end_of_a_period__parts_before_from_after(void **state)
{
    uint64_t start = birth_period_end(FIXTURE_WALL_US) + 1;

    (void)state;
    for (uint64_t salt = 1; salt != 0; salt <<= 1) {
        assert_true(birth_of(start - 1, salt) < birth_least(start));
        assert_true(birth_of(start, salt) >= birth_least(start));
    }
    assert_int_equal(birth_least(0), 0);
    /* A clock that is centuries ahead: what was opened by it is not trusted. */
    assert_true(birth_of(UINT64_MAX, 1) < birth_least(UINT64_MAX));
}

/* Starts the store of a copy of one data directory, in another life, with its clock set back. */
static struct store_result put_in_life(struct fixture *fixture, node_id random_id,
                                       const char *content)
{
    struct error error = {0};

    assert_int_equal(store_state_close(&fixture->state), STATUS_OK);
    assert_int_equal(store_state_open(&fixture->state, &fixture->spy.base, random_id,
                                      fixture->wall_us, &fixture->identity, &error),
                     STATUS_OK);
    assert_int_equal(fixture->identity.node, FIXTURE_NODE);
    return apply(fixture, put_request("f", NULL, content));
}

static void test_birth__two_lives_of_one_backup__open_different_pairs(void **state)
{
    struct fixture *copies[2];
    struct store_result results[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        void *context = &fixture_kinds[0];
        assert_int_equal(fixture_setup(&context), 0);
        copies[i] = context;
        results[i] = put_in_life(copies[i], 1000 + (node_id)i, i == 0 ? "one" : "other");
        assert_int_equal(results[i].status, STATUS_OK);
    }
    /* They are at one counter, and still neither takes the other's version for its own. */
    struct object *a = results[0].object;
    struct object *b = results[1].object;
    assert_int_equal(a->versions[0].dot.counter, b->versions[0].dot.counter);
    struct object *merged = object_merge(a, b);
    assert_non_null(merged);
    assert_int_equal(merged->version_count, 2);
    object_unref(merged);
    for (int i = 0; i < 2; i++) {
        void *context = copies[i];
        store_result_release(&results[i]);
        (void)fixture_teardown(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_birth__one_life__no_two_are_the_same),
        cmocka_unit_test(test_birth__end_of_a_period__parts_before_from_after),
        cmocka_unit_test(test_birth__two_lives_of_one_backup__open_different_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
