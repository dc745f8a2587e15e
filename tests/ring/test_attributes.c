/*
 * test_attributes.c - attributes that were changed beside one another.
 *
 * Rules: each field is that of who set it last; the order and the repetition of merges do not
 *        matter.
 */
#include "ring/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ring/random.h"

/* Small numbers, so that fields and moments often are the same. */
static struct attributes random_attributes(struct random *random)
{
    return (struct attributes){
        .type = VERSION_FILE,
        .mode = (uint32_t)random_below(random, 3),
        .user = (uint32_t)random_below(random, 2),
        .group = (uint32_t)random_below(random, 2),
        .accessed_ns = (int64_t)random_below(random, 3),
        .modified_ns = (int64_t)random_below(random, 3),
        .changed_ns = (int64_t)random_below(random, 5),
        .modified_set_ns = (int64_t)random_below(random, 3),
        .mode_set_ns = (int64_t)random_below(random, 3),
        .owner_set_ns = (int64_t)random_below(random, 3),
    };
}

static struct attributes merged(struct attributes into, struct attributes other)
{
    attributes_merge(&into, &other);
    return into;
}

static bool same(const struct attributes *a, const struct attributes *b)
{
    return a->mode == b->mode && a->user == b->user && a->group == b->group &&
           a->accessed_ns == b->accessed_ns && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns && a->modified_set_ns == b->modified_set_ns &&
           a->mode_set_ns == b->mode_set_ns && a->owner_set_ns == b->owner_set_ns;
}

static void test_attributes_merge__any_three__order_and_repetition_do_not_matter(void **state)
{
    struct random random = {.state = 1};

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct attributes a = random_attributes(&random);
        struct attributes b = random_attributes(&random);
        struct attributes c = random_attributes(&random);
        struct attributes ab = merged(a, b);
        struct attributes ba = merged(b, a);
        struct attributes ab_c = merged(ab, c);
        struct attributes a_bc = merged(a, merged(b, c));
        struct attributes again = merged(ab, b);

        assert_true(same(&ab, &ba));
        assert_true(same(&ab_c, &a_bc));
        assert_true(same(&ab, &again));
    }
}

static void test_attributes_merge__each_field_set_by_another__all_are_kept(void **state)
{
    struct attributes base = {.mode = 0644, .user = 1, .group = 1, .modified_ns = 5};
    struct attributes mode = base;
    struct attributes owner = base;
    struct attributes times = base;

    (void)state;
    mode.mode = 0600;
    mode.mode_set_ns = 10;
    owner.user = 7;
    owner.group = 8;
    owner.owner_set_ns = 11;
    times.modified_ns = 1;
    times.accessed_ns = 2;
    times.modified_set_ns = 12;
    times.changed_ns = 12;

    struct attributes all = merged(merged(times, mode), owner);

    assert_int_equal(all.mode, 0600);
    assert_int_equal(all.user, 7);
    assert_int_equal(all.group, 8);
    assert_int_equal(all.modified_ns, 1); /* set back, but last */
    assert_int_equal(all.accessed_ns, 2);
    assert_int_equal(all.changed_ns, 12);
}

static void test_attributes_merge__same_field_twice__the_later_holds(void **state)
{
    struct attributes earlier = {.mode = 0777, .mode_set_ns = 1};
    struct attributes later = {.mode = 0600, .mode_set_ns = 2};

    (void)state;
    assert_int_equal(merged(earlier, later).mode, 0600);
    assert_int_equal(merged(later, earlier).mode, 0600);
}

static void
test_attributes_merge__owners_set_at_one_moment__the_greatest_pair_holds(void **state)
{
    struct attributes nobody = {.user = UINT32_MAX, .group = 0, .owner_set_ns = 1};
    struct attributes other = {.user = INT32_MAX, .group = UINT32_MAX, .owner_set_ns = 1};

    (void)state;
    assert_int_equal(merged(nobody, other).user, UINT32_MAX);
    assert_int_equal(merged(nobody, other).group, 0);
    assert_int_equal(merged(other, nobody).user, UINT32_MAX);
    assert_int_equal(merged(other, nobody).group, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes_merge__any_three__order_and_repetition_do_not_matter),
        cmocka_unit_test(test_attributes_merge__each_field_set_by_another__all_are_kept),
        cmocka_unit_test(test_attributes_merge__same_field_twice__the_later_holds),
        cmocka_unit_test(
            test_attributes_merge__owners_set_at_one_moment__the_greatest_pair_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
