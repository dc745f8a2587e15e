/*
 * test_merge.c - merges that one side knows already, and clocks that outgrow their bound.
 *
 * Rules: what adds nothing is not copied; beyond CLOCK_PAIRS_MERGED_MAX pairs the newest half
 *        stays, with what live versions need; an own pair that was truncated is own no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/ring/make.h"

static const struct actor no_own = {0};

/* The same for y, unless x has an own pair that it must keep. */
static void test_object_merge__y_knows_all__is_y_itself(void **state)
{
    (void)state;
    struct object *y = make_object("1.1:5 2.1:3 | 2.1:3 1.1:5", NULL);
    static const char *const known[] = {"1.1:5 2.1:2 | 1.1:5", "1.1:5 | 1.1:5", "2.1:3 | 2.1:3",
                                        "|"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct object *x = make_object(known[i], NULL);
        struct object *merged = object_merge(x, y);
        assert_ptr_equal(merged, y);
        object_unref(merged);
        object_unref(x);
    }
    struct object *received = object_merge(NULL, y);
    assert_ptr_equal(received, y);
    object_unref(received);
    assert_int_equal(atomic_load(&y->references), 1);
    object_unref(y);
}

/* A clock of `count` pairs, counters from `first` on, of one node. */
static struct object *object_of_pairs(uint32_t count, uint64_t first, bool has_oldest_version)
{
    static struct dot pairs[CLOCK_PAIRS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (struct dot){{1, first + i}, first + i};
    }
    struct clock clock = {.count = count, .pair = pairs};
    struct version version = {.dot = pairs[0], .attributes.type = VERSION_FILE};
    struct object *object = NULL;
    assert_int_equal(object_new(&clock, &version, has_oldest_version, no_own, &object),
                     STATUS_OK);
    return object;
}

/* Rule 2: a pair that was truncated may come back with less, and is own no more. */
static void assert_merged_own(struct object *old, struct object *new, struct actor own,
                              bool stays)
{
    old->own = own;
    struct object *merged = object_merge(old, new);
    assert_true(actor_equal(merged->own, stays ? own : no_own));
    object_unref(merged);
    old->own = no_own;
}

static void
test_object_merge__clocks_outgrow_the_bound__newest_and_needed_pairs_stay(void **state)
{
    (void)state;
    enum { HALF = CLOCK_PAIRS_MERGED_MAX / 2 };
    struct object *old = object_of_pairs(HALF + 1, 1, true);
    struct object *new = object_of_pairs(HALF, 100000, false);

    struct object *merged = object_merge(old, new);
    struct object *other_way = object_merge(new, old);

    assert_true(object_equal(merged, other_way));
    assert_int_equal(merged->clock.count, HALF);
    assert_int_equal(merged->version_count, 1);
    assert_true(clock_covers(&merged->clock, old->versions[0].dot));
    assert_true(clock_covers(&merged->clock, new->clock.pair[HALF - 1]));
    assert_false(clock_covers(&merged->clock, old->clock.pair[HALF]));
    assert_merged_own(old, new, old->clock.pair[0].actor, true);
    assert_merged_own(old, new, old->clock.pair[HALF].actor, false);
    object_unref(old);
    object_unref(new);
    object_unref(merged);
    object_unref(other_way);
}

static void test_object_merge__clocks_at_the_bound__keep_every_pair(void **state)
{
    (void)state;
    struct object *old = object_of_pairs(CLOCK_PAIRS_MERGED_MAX / 2, 1, true);
    struct object *new = object_of_pairs(CLOCK_PAIRS_MERGED_MAX / 2, 100000, false);
    struct object *merged = object_merge(old, new);
    assert_int_equal(merged->clock.count, CLOCK_PAIRS_MERGED_MAX);
    object_unref(old);
    object_unref(new);
    object_unref(merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_merge__y_knows_all__is_y_itself),
        cmocka_unit_test(
            test_object_merge__clocks_outgrow_the_bound__newest_and_needed_pairs_stay),
        cmocka_unit_test(test_object_merge__clocks_at_the_bound__keep_every_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
