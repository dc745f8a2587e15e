/*
 * test_gets.c - what a get asks, waits for and tells, message by message; bench.h says how to
 * read them.
 *
 * - R are asked, the own copy and digests of others; a copy whose digest is new is asked for
 * - one that lacks something is sent the merged object, with its row if it holds that
 * - one that fails or is slow costs one more
 * - while a primary cannot be asked, fallbacks are: what they hold counts, "nothing" does not,
 *   and they are waited for a moment alone
 * - who wants all is answered by all primaries, or not at all
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

static void assert_told(const struct bench *bench, uint8_t answers, const char *object)
{
    assert_int_equal(bench->reply.type, MESSAGE_GET_REPLY);
    assert_int_equal(bench->reply.request_id, 1);
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
    bench_open_first(&bench, 7, "ABG");
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
    bench_open_first(&bench, 7, "ABG");
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
    bench_open_first(&bench, 7, "ABG");
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
    bench_open_first(&bench, 7, "BCD");
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
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "");
    assert_gives(bench_lose(&bench, 'B'), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "C?d");
    assert_gives(bench_answer_digest(&bench, 'C', OTHER), "C?");
    assert_gives(bench_answer_object(&bench, 'C', OTHER), "C:o disk:merge:or ok");
    assert_told(&bench, 2, BOTH);
    bench_close(&bench);
}

/* It had told all, and is gone before it could be sent what it lacks. */
static void test_get__one_that_lags_is_lost__is_not_sent_to(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 3, NULL), "B?d C?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_lose(&bench, 'B'), "");
    assert_gives(bench_answer_digest(&bench, 'C', BOTH), "C?");
    assert_gives(bench_answer_object(&bench, 'C', BOTH), "disk:merge:or ok");
    bench_close(&bench);
}

/* Whoever knows of the latest change in a directory tells it, also with a digest. */
static void test_get__of_a_directory__tells_the_latest_change(void **state)
{
    (void)state;
    for (uint64_t of_other_us = 1; of_other_us <= 3; of_other_us++) {
        struct bench bench;
        bench_open(&bench, 4, 3);
        bench_place_root(&bench);
        assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
        struct message answer = {.status = STATUS_OK};
        answer.replica_get_reply.has_digest = true;
        answer.replica_get_reply.names_us = of_other_us;
        struct store_result result = {.operation = STORE_GET, .names_us = 2};
        result.object = make_object(ONE, NULL);
        object_digest(result.object, answer.replica_get_reply.digest);
        assert_gives(bench_answer_with(&bench, 'B', &answer), "");
        assert_gives(bench_stored_with(&bench, &result), "ok");
        assert_int_equal(bench.reply.get_reply.names_us, of_other_us > 2 ? of_other_us : 2);
        bench_close(&bench);
    }
}

/* The slow and the failing ------------------------------------------------------------------ */

static void test_get__one_fails__another_is_asked_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_NOT_READY), "C?d");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "no_quorum");
    assert_told(&bench, 1, "none");
    assert_int_equal(bench.core->stats.gets_failed, 1);
    bench_close(&bench);
}

static void test_get__one_is_slow__another_is_asked_after_a_moment(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_true(core_deadline(bench.core) <= bench.lone->now_us + HEDGE_AFTER_US);
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_wait(&bench, HEDGE_AFTER_US), "C?d");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "ok");
    assert_told(&bench, 2, ONE);
    bench_close(&bench);
}

static void hurried(struct message *message)
{
    message->get.deadline_ms = 50;
}

static void test_get__nobody_answers__ends_at_its_deadline(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_get(&bench, 2, hurried), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_wait(&bench, 50000), "timeout");
    assert_told(&bench, 1, "none");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_get__own_disk_fails__others_are_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_IO, NULL), "C?d");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "B? C?");
    assert_gives(bench_answer_object(&bench, 'B', ONE), "");
    assert_gives(bench_answer_object(&bench, 'C', ONE), "ok");
    bench_close(&bench);
}

/* An answer of another kind, or a refusal that carries something, is none. */
static void test_get__answer_makes_no_sense__another_is_asked(void **state)
{
    (void)state;
    struct message answers[] = {
        {.status = STATUS_BUSY, .replica_get_reply.has_digest = true},
        {.type = MESSAGE_PING_REPLY, .replica_get_reply.has_digest = true},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 7, "ABG");
        assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
        assert_gives(bench_answer_with(&bench, 'B', &answers[i]), "C?d");
        bench_close(&bench);
    }
}

static void test_get__copy_is_bad__another_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "B?");
    struct message bad = {.status = STATUS_OK};
    bad.replica_get_reply.object = make_object(OTHER, NULL);
    bad.replica_get_reply.object->versions[0].content_hash[0] ^= 1;
    assert_gives(bench_answer_with(&bench, 'B', &bad), "C?d");
    assert_int_equal(bench.core->stats.copies_refused, 1);
    bench_close(&bench);
}

/* Rings ------------------------------------------------------------------------------------- */

static void test_get__others_go_by_another_ring__all_are_asked_anew(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    struct message stale = {.status = STATUS_STALE_RING, .ring_epoch = bench.ring.epoch + 1};
    assert_gives(bench_answer_with(&bench, 'B', &stale), "C?d");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "");
    assert_gives(bench_wait(&bench, HEDGE_AFTER_US), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "ok");
    bench_close(&bench);
}

/* Fallbacks --------------------------------------------------------------------------------- */

static void test_hints__a_primary_is_suspected__what_fallbacks_hold_counts(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    bench_suspect(&bench, "B");
    assert_gives(bench_get(&bench, 2, NULL), "C?d D?h E?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "");
    assert_gives(bench_answer(&bench, 'E', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer_object(&bench, 'D', OTHER), "C:o disk:merge:or ok");
    assert_told(&bench, 3, BOTH);
    bench_close(&bench);
}

static void test_hints__fallbacks_are_slow__are_waited_for_a_moment(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    bench_suspect(&bench, "B");
    assert_gives(bench_get(&bench, 2, NULL), "C?d D?h E?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "");
    assert_gives(bench_wait(&bench, HEDGE_AFTER_US - 1), "");
    assert_gives(bench_wait(&bench, 1), "B?d ok");
    assert_told(&bench, 2, ONE);
    bench_close(&bench);
}

static void test_hints__fallbacks_hold_nothing__that_is_no_answer(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    (void)bench_lose(&bench, 'B');
    (void)bench_lose(&bench, 'C');
    assert_gives(bench_get(&bench, 2, NULL), "D?h E?h F?h G?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer(&bench, 'D', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer(&bench, 'E', STATUS_BUSY), "");
    assert_gives(bench_answer(&bench, 'F', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer(&bench, 'G', STATUS_NOT_FOUND), "no_quorum");
    bench_close(&bench);
}

static void test_hints__a_fallback_holds_it__makes_the_quorum(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    (void)bench_lose(&bench, 'B');
    (void)bench_lose(&bench, 'C');
    assert_gives(bench_get(&bench, 2, NULL), "D?h E?h F?h G?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, NULL), "");
    assert_gives(bench_answer(&bench, 'D', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer(&bench, 'E', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer(&bench, 'F', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer_object(&bench, 'G', ONE), "disk:merge:or ok");
    assert_told(&bench, 2, ONE);
    bench_close(&bench);
}

/* A primary goes while the get is under way. */
static void test_hints__a_primary_is_lost_meanwhile__fallbacks_are_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, 3, NULL), "B?d C?d disk:get");
    assert_gives(bench_lose(&bench, 'B'), "D?h E?h");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "");
    assert_gives(bench_answer_object(&bench, 'D', ONE), "");
    assert_gives(bench_answer(&bench, 'E', STATUS_NOT_FOUND), "ok");
    bench_close(&bench);
}

/* What is kept for C is merged, and is no answer of C's. */
static void test_hints__all_are_wanted__do_not_count(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    bench_suspect(&bench, "C");
    assert_gives(bench_get(&bench, REPLICAS_MAX, NULL), "B?d C?d D?h E?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_object(&bench, 'D', OTHER), "");
    assert_gives(bench_answer(&bench, 'E', STATUS_NOT_FOUND), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "B:or C:o disk:merge:or ok");
    assert_told(&bench, 4, BOTH);
    bench_suspect(&bench, "C");
    assert_gives(bench_get(&bench, REPLICAS_MAX, NULL), "B?d C?d D?h E?h disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_object(&bench, 'D', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "no_quorum");
    bench_close(&bench);
}

static void test_hints__all_are_wanted_and_one_is_lost__fallbacks_are_not_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_get(&bench, REPLICAS_MAX, NULL), "B?d C?d disk:get");
    assert_gives(bench_lose(&bench, 'B'), "no_quorum");
    bench_close(&bench);
}

/* A node that holds nothing of the key coordinates: its hints do not count either. */
static void test_fallback__all_are_wanted__its_own_hints_do_not_count(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    bench_suspect(&bench, "ABC");
    assert_gives(bench_get(&bench, REPLICAS_MAX, NULL), "A?d B?d C?d disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'A', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "no_quorum");
    bench_close(&bench);
}

/* With N = 8 there is no room to ask two for each. */
static void test_hints__more_fallbacks_than_legs__as_many_as_there_are_are_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 20, REPLICAS_MAX);
    bench_place(&bench, 'A', "ABCDEFGH");
    bench_suspect(&bench, "BCDEFGH");
    assert_gives(bench_get(&bench, 1, NULL), "I?h J?h K?h L?h M?h N?h O?h P?h disk:get");
    bench_close(&bench);
}

static void test_fallback__coordinates__its_own_hints_count(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    bench_suspect(&bench, "ABC");
    assert_gives(bench_get(&bench, 2, NULL), "A?d B?d disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'A', ONE), "ok");
    assert_told(&bench, 2, ONE);
    assert_int_equal(bench.reply.request_id, 1);
    assert_int_equal(bench.core->stats.gets, 1);
    /* Nothing in them, or nothing that can be read, is no answer. */
    for (int i = 0; i < 2; i++) {
        bench_suspect(&bench, "ABC");
        assert_gives(bench_get(&bench, 2, NULL), "A?d B?d disk:get_hints/ABC");
        assert_int_equal(core_requests_in_flight(bench.core), 1);
        assert_gives(
            bench_stored(&bench, STORE_GET_HINTS, i == 0 ? STATUS_OK : STATUS_IO, NULL), "");
        assert_gives(bench_answer_digest(&bench, 'A', NULL), "");
        assert_gives(bench_answer_digest(&bench, 'B', NULL), "A? B?");
        assert_gives(bench_answer_object(&bench, 'A', NULL), "");
        assert_gives(bench_answer_object(&bench, 'B', NULL), "not_found");
        assert_told(&bench, 2, "none");
    }
    bench_close(&bench);
}

static void test_fallback__others_failed_before__the_most_telling_is_passed_on(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    assert_gives(bench_get(&bench, 2, NULL), "A>get");
    assert_gives(bench_answer(&bench, 'A', STATUS_IO), "B>get");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "C>get");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "A?d B?d disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, NULL), "");
    assert_gives(bench_answer(&bench, 'A', STATUS_BUSY), "C?d");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "io");
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
        cmocka_unit_test(test_get__one_that_lags_is_lost__is_not_sent_to),
        cmocka_unit_test(test_get__of_a_directory__tells_the_latest_change),
        cmocka_unit_test(test_get__one_fails__another_is_asked_at_once),
        cmocka_unit_test(test_get__one_is_slow__another_is_asked_after_a_moment),
        cmocka_unit_test(test_get__nobody_answers__ends_at_its_deadline),
        cmocka_unit_test(test_get__own_disk_fails__others_are_asked),
        cmocka_unit_test(test_get__answer_makes_no_sense__another_is_asked),
        cmocka_unit_test(test_get__copy_is_bad__another_is_asked),
        cmocka_unit_test(test_get__others_go_by_another_ring__all_are_asked_anew),
        cmocka_unit_test(test_hints__a_primary_is_suspected__what_fallbacks_hold_counts),
        cmocka_unit_test(test_hints__fallbacks_are_slow__are_waited_for_a_moment),
        cmocka_unit_test(test_hints__fallbacks_hold_nothing__that_is_no_answer),
        cmocka_unit_test(test_hints__a_fallback_holds_it__makes_the_quorum),
        cmocka_unit_test(test_hints__a_primary_is_lost_meanwhile__fallbacks_are_asked),
        cmocka_unit_test(test_hints__all_are_wanted__do_not_count),
        cmocka_unit_test(test_hints__all_are_wanted_and_one_is_lost__fallbacks_are_not_asked),
        cmocka_unit_test(test_fallback__all_are_wanted__its_own_hints_do_not_count),
        cmocka_unit_test(test_hints__more_fallbacks_than_legs__as_many_as_there_are_are_asked),
        cmocka_unit_test(test_fallback__coordinates__its_own_hints_count),
        cmocka_unit_test(test_fallback__others_failed_before__the_most_telling_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
