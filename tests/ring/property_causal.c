/*
 * property_causal.c - random histories keep every promise of causal_model.h; and, in the build
 * with planted bugs, each broken rule is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring/planted.h"
#include "tests/ring/causal_model.h"
#include "tests/ring/property.h"

static struct property property;

static void print_broken(unsigned broken)
{
    for (unsigned i = 0; i < CAUSAL_PROMISES; i++) {
        if ((broken >> i & 1) != 0) {
            printf("the history %s\n", causal_promise_text(i));
        }
    }
}

static void print_counts(const struct causal_counts *counts)
{
    printf("histories %lu, writes %lu, acknowledged %lu, retries %lu, deletes %lu, some %lu\n",
           counts->histories, counts->writes, counts->acknowledged, counts->retries,
           counts->deletes, counts->some);
    printf("truncations %lu, crashes %lu, pairs reopened %lu, hand-offs %lu, exact %lu, "
           "most siblings %lu\n",
           counts->truncated, counts->rolled_back, counts->reopened, counts->handed_off,
           counts->exact, counts->siblings_most);
}

static void assert_all_kept(void)
{
    struct causal_counts counts = {0};
    for (uint64_t run = 0; run < property.runs; run++) {
        unsigned broken = causal_run(property.seed + run, false, &counts);
        print_broken(broken);
        if (broken != CAUSAL_KEPT) {
            fail_msg("failed at SEED=%lu HISTORIES=1", property.seed + run);
        }
    }
    print_counts(&counts);
    /* The histories must have been through what they are meant to show. */
    if (property.runs >= 1000) {
        assert_true(counts.acknowledged > property.runs);
        assert_true(counts.retries > property.runs / 2);
        assert_true(counts.some > property.runs / 4);
        assert_true(counts.truncated > property.runs / 100);
        assert_true(counts.rolled_back > property.runs / 2);
        assert_true(counts.reopened > 0);
        assert_true(counts.exact > property.runs / 100);
    }
}

#ifdef DYNAMOFS_PLANTED

/* Small, so that every history truncates. */
enum { PAIRS_KEPT = 3, PLANTED_RUNS = 10000 };

static int set_up(void **state)
{
    (void)state;
    planted_bug = PLANTED_NONE;
    planted_pairs_kept = PAIRS_KEPT;
    return 0;
}

static void test_histories__three_pairs_kept__keep_every_promise(void **state)
{
    (void)state;

    assert_all_kept();
}

/* Runs histories with the bug; each of the promises in `expected` must be seen broken. */
static void assert_found(enum planted_bug bug, const char *name, unsigned expected)
{
    uint64_t found[CAUSAL_PROMISES] = {0};
    uint64_t first[CAUSAL_PROMISES] = {0};
    struct causal_counts counts = {0};
    planted_bug = bug;

    for (uint64_t run = 0; run < PLANTED_RUNS; run++) {
        unsigned broken = causal_run(property.seed + run, bug == PLANTED_SINGLY, &counts);
        for (unsigned i = 0; i < CAUSAL_PROMISES; i++) {
            if ((broken >> i & 1) != 0) {
                first[i] = found[i] == 0 ? property.seed + run : first[i];
                found[i]++;
            }
        }
    }
    planted_bug = PLANTED_NONE;

    printf("%s: of %d histories\n", name, PLANTED_RUNS);
    for (unsigned i = 0; i < CAUSAL_PROMISES; i++) {
        if (found[i] > 0) {
            printf("  %6lu %s, first seed %lu\n", found[i], causal_promise_text(i), first[i]);
        }
        assert_true(found[i] > 0 || (expected >> i & 1) == 0);
    }
}

static void test_histories__one_version_per_actor__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_NO_DOTS, "no dots", CAUSAL_LOST);
}

static void test_histories__one_actor_per_node__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_BIRTH, "birth", CAUSAL_LOST);
}

static void test_histories__pair_extended_after_a_crash__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_TRUST, "trust", CAUSAL_LOST);
}

static void test_histories__superseding_some_covers_all__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_NAME_DOTS, "name dots", CAUSAL_LOST);
}

static void test_histories__versions_sent_singly__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_SINGLY, "singly", CAUSAL_LOST);
}

static void test_histories__truncation_in_merges__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_PRUNE_IN_MERGE, "prune in merge", CAUSAL_DIVERGED);
}

static void test_histories__truncation_of_live_pairs__is_found(void **state)
{
    (void)state;

    assert_found(PLANTED_PRUNE_LIVE, "prune live", CAUSAL_STILL_THERE | CAUSAL_BROKEN_RULES);
}

int main(int argc, char **argv)
{
    property = property_read(argc, argv, 200000);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_histories__three_pairs_kept__keep_every_promise, set_up),
        cmocka_unit_test_setup(test_histories__one_version_per_actor__is_found, set_up),
        cmocka_unit_test_setup(test_histories__one_actor_per_node__is_found, set_up),
        cmocka_unit_test_setup(test_histories__pair_extended_after_a_crash__is_found, set_up),
        cmocka_unit_test_setup(test_histories__superseding_some_covers_all__is_found, set_up),
        cmocka_unit_test_setup(test_histories__versions_sent_singly__is_found, set_up),
        cmocka_unit_test_setup(test_histories__truncation_in_merges__is_found, set_up),
        cmocka_unit_test_setup(test_histories__truncation_of_live_pairs__is_found, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_histories__shipping_limit__keep_every_promise(void **state)
{
    (void)state;

    assert_all_kept();
}

int main(int argc, char **argv)
{
    property = property_read(argc, argv, 200000);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories__shipping_limit__keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
