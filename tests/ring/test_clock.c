/*
 * test_clock.c - order of actors and dots, and the laws of clocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/ring/make.h"

static void test_actor_compare__node_then_birth__orders(void **state)
{
    (void)state;
    struct actor a = {1, 9};
    struct actor b = {2, 3};
    struct actor c = {2, 4};

    assert_true(actor_compare(a, b) < 0 && actor_compare(b, c) < 0 && actor_compare(a, c) < 0);
    assert_true(actor_compare(c, a) > 0);
    assert_int_equal(actor_compare(b, b), 0);
    assert_true(actor_equal(b, b));
    assert_false(actor_equal(b, c));
    assert_false(actor_equal(a, (struct actor){2, 9}));
}

static void test_dot_compare__counter_then_actor__orders(void **state)
{
    (void)state;
    struct dot old = make_dot("9.9:5");
    struct dot new_a = make_dot("1.1:6");
    struct dot new_b = make_dot("1.2:6");

    assert_true(dot_compare(old, new_a) < 0);
    assert_true(dot_compare(new_a, new_b) < 0);
    assert_true(dot_compare(new_b, old) > 0);
    assert_int_equal(dot_compare(old, old), 0);
    assert_true(dot_equal(old, old));
    assert_false(dot_equal(new_a, new_b));
}

static void test_clock_counter__each_actor__is_found(void **state)
{
    (void)state;
    struct made_clock made;
    make_clock("1.1:3 1.5:9 2.2:1 7.7:4 9.1:2", &made);

    for (uint32_t i = 0; i < made.clock.count; i++) {
        assert_int_equal(clock_counter(&made.clock, made.dots[i].actor), made.dots[i].counter);
        struct actor stranger = made.dots[i].actor;
        stranger.birth += 2;
        assert_int_equal(clock_counter(&made.clock, stranger), 0);
    }
    assert_int_equal(clock_counter(&made.clock, (struct actor){0, 0}), 0);
    assert_int_equal(clock_counter(&(struct clock){0}, (struct actor){1, 1}), 0);
}

static void test_clock_covers__counters__up_to_the_pair(void **state)
{
    (void)state;
    struct made_clock made;
    make_clock("1.1:3 2.2:5", &made);

    assert_true(clock_covers(&made.clock, make_dot("1.1:3")));
    assert_true(clock_covers(&made.clock, make_dot("1.1:1")));
    assert_false(clock_covers(&made.clock, make_dot("1.1:4")));
    assert_false(clock_covers(&made.clock, make_dot("1.2:1")));
    assert_false(clock_covers(NULL, make_dot("1.1:1")));
}

static void test_clock_descends__pairs__are_compared_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        bool descends;
        bool back;
    } cases[] = {
        {"", "", true, true},
        {"1.1:1", "", true, false},
        {"1.1:2", "1.1:1", true, false},
        {"1.1:2", "1.1:2", true, true},
        {"1.1:2", "2.1:1", false, false},
        {"1.1:2 2.1:1", "1.1:1 2.1:2", false, false},
        {"1.1:2 1.2:2 3.1:1", "1.2:2 3.1:1", true, false},
        {"1.1:2 3.1:1", "1.1:2 2.1:1", false, false},
        {"1.1:2 2.1:1", "1.2:2 2.1:1", false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct made_clock a;
        struct made_clock b;
        make_clock(cases[i].a, &a);
        make_clock(cases[i].b, &b);
        assert_int_equal(clock_descends(&a.clock, &b.clock), cases[i].descends);
        assert_int_equal(clock_descends(&b.clock, &a.clock), cases[i].back);
        assert_int_equal(clock_equal(&a.clock, &b.clock), cases[i].descends && cases[i].back);
    }
}

static void test_clock_descends__what_lies_behind_the_pairs__is_not_read(void **state)
{
    (void)state;
    struct made_clock a;
    struct made_clock b;
    make_clock("1.1:1 2.1:1 3.1:1", &a);
    make_clock("3.1:1", &b);

    a.clock.count = 1;
    assert_false(clock_descends(&a.clock, &b.clock));
    a.clock.count = 0;
    assert_false(clock_descends(&a.clock, &b.clock));
}

static void test_clock_greatest_counter__limit__leaves_out_what_is_ahead(void **state)
{
    (void)state;
    struct made_clock made;
    make_clock("1.1:30 2.2:70 3.3:50", &made);

    assert_int_equal(clock_greatest_counter(&made.clock, UINT64_MAX), 70);
    assert_int_equal(clock_greatest_counter(&made.clock, 70), 70);
    assert_int_equal(clock_greatest_counter(&made.clock, 69), 50);
    assert_int_equal(clock_greatest_counter(&made.clock, 29), 0);
    assert_int_equal(clock_greatest_counter(NULL, UINT64_MAX), 0);
}

static void test_clock_is_valid__each_broken_rule__is_found(void **state)
{
    (void)state;
    static const char *const good[] = {"", "1.0:1", "1.1:1 1.2:1 2.0:9"};
    static const char *const bad[] = {"0.1:1", "1.1:0", "1.1:1 1.1:1", "2.1:1 1.1:1",
                                      "1.2:1 1.1:1"};
    struct made_clock made;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        make_clock(good[i], &made);
        assert_true(clock_is_valid(&made.clock));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_clock(bad[i], &made);
        assert_false(clock_is_valid(&made.clock));
    }
    assert_false(clock_is_valid(&(struct clock){.count = 1, .pair = NULL}));
}

static void assert_merged(const char *a_text, const char *b_text, const char *expected)
{
    struct made_clock a;
    struct made_clock b;
    struct made_clock both;
    struct dot pairs[2 * MAKE_DOTS_MAX];
    make_clock(a_text, &a);
    make_clock(b_text, &b);
    make_clock(expected, &both);

    uint32_t count = clock_merge(&a.clock, &b.clock, pairs);
    struct clock merged = {.count = count, .pair = pairs};
    assert_true(clock_equal(&merged, &both.clock));
    assert_true(clock_is_valid(&merged));
    assert_true(clock_descends(&merged, &a.clock) && clock_descends(&merged, &b.clock));

    count = clock_merge(&b.clock, &a.clock, pairs);
    merged.count = count;
    assert_true(clock_equal(&merged, &both.clock));
}

static void test_clock_merge__two_clocks__gives_the_pairwise_maximum(void **state)
{
    (void)state;

    assert_merged("", "", "");
    assert_merged("1.1:1", "", "1.1:1");
    assert_merged("1.1:1", "1.1:2", "1.1:2");
    assert_merged("1.1:3 2.1:1", "1.1:2 2.1:5", "1.1:3 2.1:5");
    assert_merged("1.1:1 3.1:1", "2.1:1 4.1:1", "1.1:1 2.1:1 3.1:1 4.1:1");
    assert_merged("5.1:1", "1.1:1 2.1:1", "1.1:1 2.1:1 5.1:1");
}

static void test_clock_merge__null__is_the_empty_clock(void **state)
{
    (void)state;
    struct made_clock made;
    struct dot pairs[4];
    make_clock("1.1:1 2.1:7", &made);

    assert_int_equal(clock_merge(NULL, &made.clock, pairs), 2);
    assert_true(dot_equal(pairs[1], made.dots[1]));
    assert_int_equal(clock_merge(&made.clock, NULL, pairs), 2);
    assert_int_equal(clock_merge(NULL, NULL, pairs), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actor_compare__node_then_birth__orders),
        cmocka_unit_test(test_dot_compare__counter_then_actor__orders),
        cmocka_unit_test(test_clock_counter__each_actor__is_found),
        cmocka_unit_test(test_clock_covers__counters__up_to_the_pair),
        cmocka_unit_test(test_clock_descends__pairs__are_compared_one_by_one),
        cmocka_unit_test(test_clock_descends__what_lies_behind_the_pairs__is_not_read),
        cmocka_unit_test(test_clock_greatest_counter__limit__leaves_out_what_is_ahead),
        cmocka_unit_test(test_clock_is_valid__each_broken_rule__is_found),
        cmocka_unit_test(test_clock_merge__two_clocks__gives_the_pairwise_maximum),
        cmocka_unit_test(test_clock_merge__null__is_the_empty_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
