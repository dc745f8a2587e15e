/*
 * test_row.c - when a name came and went.
 *
 * Rules: the latest change of any version counts; a put says when its name came, else the
 *        version before it does; nothing was named before it was written, or later than now.
 */
#include "ring/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/ring/make.h"

static void test_row_names__never_named__is_no_time(void **state)
{
    struct object *row = make_object("1.1:5 | 1.1:5", NULL);

    (void)state;
    row->versions[0].attributes.named_ns = 0;
    assert_int_equal(row_names_us(row), 0);
    row->versions[0].attributes.named_ns = -5000;
    assert_int_equal(row_names_us(row), 0);
    object_unref(row);
}

static int64_t named(const struct object *current, int64_t named_ns, uint64_t counter)
{
    struct attributes value = {.type = VERSION_FILE, .named_ns = named_ns};
    return row_named_ns(current, &value, counter);
}

static void test_row_named__put_that_does_not_say__the_version_before_it_does(void **state)
{
    struct object *live = make_object("1.1:5 2.1:7 | 1.1:5 2.1:7", NULL);
    struct object *deleted = make_object("1.1:5 |", NULL);

    (void)state;
    live->versions[0].attributes.named_ns = 2000;
    live->versions[1].attributes.named_ns = 3000;
    assert_int_equal(named(live, 0, 50), 3000);
    assert_int_equal(named(NULL, 0, 50), 50000);
    assert_int_equal(named(deleted, 0, 50), 50000);
    live->versions[1].attributes.named_ns = 0;
    assert_int_equal(named(live, 0, 50), 50000);
    object_unref(live);
    object_unref(deleted);
}

static void test_row_named__put_that_says__is_believed_up_to_now(void **state)
{
    struct object *live = make_object("1.1:5 | 1.1:5", NULL);

    (void)state;
    live->versions[0].attributes.named_ns = 3000;
    assert_int_equal(named(live, 4000, 50), 4000);
    assert_int_equal(named(NULL, 1, 50), 1);
    assert_int_equal(named(live, 1, 50), 1);
    assert_int_equal(named(NULL, 50000, 50), 50000);
    assert_int_equal(named(NULL, 50001, 50), 50000);
    assert_int_equal(named(NULL, -1, 50), 50000);
    object_unref(live);
}

static void test_row_named__counter_beyond_all_times__is_the_last_time(void **state)
{
    const int64_t last_ns = INT64_MAX / 1000 * 1000;

    (void)state;
    assert_int_equal(named(NULL, 0, UINT64_MAX), last_ns);
    assert_int_equal(named(NULL, INT64_MAX, UINT64_MAX), last_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_names__never_named__is_no_time),
        cmocka_unit_test(test_row_named__put_that_does_not_say__the_version_before_it_does),
        cmocka_unit_test(test_row_named__put_that_says__is_believed_up_to_now),
        cmocka_unit_test(test_row_named__counter_beyond_all_times__is_the_last_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
