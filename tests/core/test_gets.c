/*
 * test_gets.c - what a get asks, waits for, tells and repairs, message by message; bench.h says
 * how to read them.
 *
 * - R are asked, the own copy and digests of others; a copy whose digest is new is asked for
 * - one that lacks something is sent the merged object, with its row if it holds that
 * - one that fails or is slow costs one more
 * - while a primary cannot be asked, fallbacks are: what they hold counts, "nothing" does not,
 *   and they are waited for a moment alone
 * - a node that refills keeps its own copy out of the answer, but not what it keeps for others
 * - a bad own copy is replaced by what the others hold
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/read_legs.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";
static const char OTHER[] = "2.1:6 | 2.1:6";
static const char BOTH[] = "1.1:5 2.1:6 | 1.1:5 2.1:6";
static const char DEAD[] = "1.1:5 |";

static void assert_gives(const char *given, const char *expected)
{
    assert_string_equal(given, expected);
}

/* A bench whose node is A. */
static void bench_at_first(struct bench *bench, int members, const char *rows)
{
    bench_open(bench, members, 3);
    bench_place(bench, 'A', rows);
}

static void assert_told(const struct bench *bench, uint8_t answers, const char *object)
{
    assert_int_equal(bench->reply.type, MESSAGE_GET_REPLY);
    assert_int_equal(bench->reply.get_reply.answers, answers);
    assert_object(bench->reply.get_reply.object, object);
}

static void assert_sent(const struct bench *bench, char letter, const char *object)
{
    const struct message *asked = &bench->asked[letter - 'A'];
    assert_int_equal(asked->type, MESSAGE_REPLICA_PUT);
    assert_object(asked->replica_put.object, object);
}

/* Whom it asks ------------------------------------------------------------------------------ */

static void test_get__r__so_many_are_asked_and_must_agree(void **state)
{
    (void)state;
    struct bench bench;
    bench_at_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 1, NULL), "disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "ok");
    assert_told(&bench, 1, ONE);
    assert_gives(bench_get(&bench, 0, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "ok");
    assert_told(&bench, 2, ONE);
    assert_gives(bench_get(&bench, 3, NULL), "B?d C?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "ok");
    assert_told(&bench, 3, ONE);
    assert_int_equal(bench.core->stats.gets, 3);
    assert_int_equal(bench.core->stats.gets_failed, 0);
    assert_int_equal(bench.core->stats.siblings_returned, 0);
    assert_int_equal(bench.core->stats.read_repairs, 0);
    bench_close(&bench);
}

static void test_get__nobody_has_a_live_version__is_not_found(void **state)
{
    (void)state;
    struct bench bench;
    bench_at_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, NULL), "");
    assert_gives(bench_answer_digest(&bench, 'B', NULL), "not_found");
    assert_told(&bench, 2, "none");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, DEAD), "");
    assert_gives(bench_answer_digest(&bench, 'B', DEAD), "not_found");
    assert_told(&bench, 2, DEAD);
    assert_int_equal(bench.core->stats.gets_failed, 0);
    bench_close(&bench);
}

/* Differences ------------------------------------------------------------------------------- */

static void test_get__copies_differ__all_get_what_they_lack(void **state)
{
    (void)state;
    struct bench bench;
    bench_at_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 3, NULL), "B?d C?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "B?");
    assert_gives(bench_answer_object(&bench, 'B', OTHER), "B:or C:o disk:merge:or ok");
    assert_told(&bench, 3, BOTH);
    assert_sent(&bench, 'B', BOTH);
    assert_sent(&bench, 'C', BOTH);
    assert_int_equal(bench.core->stats.read_repairs, 3);
    assert_int_equal(bench.core->stats.siblings_returned, 1);
    bench_close(&bench);
}

static void test_get__one_lacks_it__it_alone_is_sent_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_at_first(&bench, 7, "BCD");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', NULL), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "B?");
    assert_gives(bench_answer_object(&bench, 'B', NULL), "B:or ok");
    /* The own one, and no row is held here. */
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, NULL), "B?");
    assert_gives(bench_answer_object(&bench, 'B', ONE), "disk:merge:o ok");
    assert_int_equal(bench.core->stats.read_repairs, 2);
    bench_close(&bench);
}

static void test_get__of_the_root__repairs_no_row(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place_root(&bench);
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "B?");
    assert_gives(bench_answer_object(&bench, 'B', OTHER), "B:o disk:merge:o ok");
    bench_close(&bench);
}

/* B tells its digest and is gone: somebody else's copy is as good. */
static void test_get__who_has_the_copy_is_lost__another_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_at_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "");
    assert_gives(bench_lose(&bench, 'B'), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "C?d");
    assert_gives(bench_answer_digest(&bench, 'C', OTHER), "C?");
    assert_gives(bench_answer_object(&bench, 'C', OTHER), "C:o disk:merge:or ok");
    assert_told(&bench, 2, BOTH);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get__r__so_many_are_asked_and_must_agree),
        cmocka_unit_test(test_get__nobody_has_a_live_version__is_not_found),
        cmocka_unit_test(test_get__copies_differ__all_get_what_they_lack),
        cmocka_unit_test(test_get__one_lacks_it__it_alone_is_sent_it),
        cmocka_unit_test(test_get__of_the_root__repairs_no_row),
        cmocka_unit_test(test_get__who_has_the_copy_is_lost__another_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
