/*
 * test_put_legs.c - who gets which part of a put, message by message; bench.h says how to read
 * them.
 *
 * - objects go out first; who holds just the row gets it when W hold the object
 * - a push that is done again sends whole objects to those alone that lack them
 * - a fallback's own copy is the last primary's, and no row
 * - nobody keeps two copies of one put
 * - a suspect is asked only if the quorum needs it, each once; so is a primary whose place a
 *   fallback took
 * - who is slow costs a fallback, or, with none left, another suspect
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";
static const char OTHER[] = "2.1:5 | 2.1:5";

/* A put whose own copy is on the disk. */
static const char *put_stored(struct bench *bench, uint8_t w)
{
    (void)bench_put(bench, w, NULL);
    return bench_stored(bench, STORE_COORDINATE, STATUS_OK, ONE);
}

static const char *push_stored(struct bench *bench)
{
    (void)bench_find_intent(bench, 9);
    return bench_stored(bench, STORE_COORDINATE, STATUS_OK, ONE);
}

/* Objects and rows -------------------------------------------------------------------------- */

static void test_put__all_are_well__rows_alone_wait_for_the_quorum_of_the_object(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_put(&bench, 2, NULL), "disk:put+row+intent");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B:or C:o");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "G:r");
    assert_gives(bench_answer(&bench, 'G', STATUS_OK), "ok");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:5");
    bench_close(&bench);
}

static void test_put__root__has_no_row(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 3, 3);
    bench_place_root(&bench);
    assert_gives(bench_put(&bench, 3, NULL), "disk:put");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "A:o B:o");
    assert_gives(bench_answer(&bench, 'A', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    bench_close(&bench);
}

/* N = 8 and nobody holds both: as many legs as there may be. */
static void test_put__sixteen_nodes_take_part__each_gets_its_part(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 16, REPLICAS_MAX);
    bench_place(&bench, 'A', "IJKLMNOP");
    assert_gives(put_stored(&bench, 2), "B:o C:o D:o E:o F:o G:o H:o");
    assert_gives(bench_answer(&bench, 'H', STATUS_OK), "I:r J:r K:r L:r M:r N:r O:r P:r");
    assert_gives(bench_answer(&bench, 'P', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'I', STATUS_OK), "ok");
    bench_close(&bench);
}

/* The answer needs memory too. Whoever lacks the row gets a marker. */
static void test_put__no_memory_for_a_row__it_fails_alone(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(put_stored(&bench, 3), "B:or C:o");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    bench_fail_after(0);
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "no_memory disk:hint/G");
    bench_close(&bench);
}

/* Pushed again ------------------------------------------------------------------------------ */

/* Of the background, for this moment. */
static int64_t budget_left(const struct bench *bench)
{
    return (int64_t)bench->core->background.left - bench->core->background.debt;
}

static void test_push__some_hold_it__whole_objects_go_to_those_that_do_not(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_find_intent(&bench, 9), "disk:put+row");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B?dr C?dr");
    assert_true(background_take(bench.core)); /* the first one of this interval */
    int64_t budget = budget_left(&bench);
    assert_gives(bench_answer_digest(&bench, 'C', OTHER), "C:o");
    assert_int_equal(bench.core->stats.objects_pushed, 1);
    assert_int_equal(budget_left(&bench), budget - 1);
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "B:r G:r");
    assert_gives(bench_answer(&bench, 'G', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_int_equal(bench.core->stats.objects_pushed, 1);
    assert_int_equal(budget_left(&bench), budget - 1);
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:9");
    bench_close(&bench);
}

static void test_push__all_hold_it__it_ends_without_an_object(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "AFG");
    assert_gives(push_stored(&bench), "B?dr C?dr");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "F:r G:r");
    assert_gives(bench_answer(&bench, 'F', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'G', STATUS_OK), "");
    assert_gives(bench_answer_digest(&bench, 'C', ONE), "");
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:9");
    bench_close(&bench);
}

/* Whatever comes that is no digest of a sound copy: a fallback is given the object. */
static void test_push__answer_is_no_digest__fallback_takes_the_place(void **state)
{
    (void)state;
    struct message answers[] = {
        {.status = STATUS_OK},
        {.status = STATUS_NOT_READY},
        {.status = STATUS_NOT_READY, .replica_get_reply.has_digest = true},
        {.type = MESSAGE_PING_REPLY, .replica_get_reply.has_digest = true},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct bench bench;
        bench_open(&bench, 7, 3);
        bench_place(&bench, 'A', "ABG");
        assert_gives(push_stored(&bench), "B?dr C?dr");
        if (answers[i].replica_get_reply.has_digest) {
            struct object *one = make_object(ONE, NULL);
            object_digest(one, answers[i].replica_get_reply.digest);
            object_unref(one);
        }
        assert_gives(bench_answer_with(&bench, 'C', &answers[i]), "D:o/C");
        assert_gives(bench_answer(&bench, 'D', STATUS_OK), "G:r");
        bench_close(&bench);
    }
}

static void test_push__no_digest_in_time__fallback_takes_the_place(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(push_stored(&bench), "B?dr C?dr");
    assert_true(core_deadline(bench.core) <= bench.lone->now_us + PATIENCE_MIN_US);
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "D:o/B E:o/C");
    assert_gives(bench_answer(&bench, 'D', STATUS_OK), "G:r");
    bench_close(&bench);
}

/* At a fallback ----------------------------------------------------------------------------- */

static void test_fallback__own_copy__is_the_last_primarys_and_no_row(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 7, "ABC");
    assert_gives(bench_put(&bench, 1, NULL), "disk:put_hint/ABC");
    /* Nobody that is well may hold the row: it is left behind. */
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "E:o/A F:o/B ok");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'F', STATUS_OK), "");
    assert_int_equal(bench.core->stats.rows_left_to_intent, 1);
    bench_close(&bench);
}

static void sync_it(struct message *message)
{
    message->put.sync = true;
}

static void test_fallback__holds_the_directory__row_is_stored_and_counts(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 7, "BCD");
    assert_gives(bench_put(&bench, 1, sync_it), "disk:put_hint!/ABC");
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE),
                 "E:o/A! F:o/B! disk:merge:r!");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "");
    assert_gives(bench_stored(&bench, STORE_MERGE, STATUS_OK, ONE), "ok");
    assert_gives(bench_answer(&bench, 'F', STATUS_OK), "");
    assert_int_equal(bench.core->stats.rows_left_to_intent, 0);
    bench_close(&bench);
}

/* With nobody else left the quorum needs one of two suspects for the object, both for the row. */
static void test_fallback__none_is_left__suspects_are_asked_as_needed(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 4, "ABC");
    (void)bench_put(&bench, 2, NULL);
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "A:or B:or");
    bench_close(&bench);
}

/* Suspects ---------------------------------------------------------------------------------- */

static void suspects_open(struct bench *bench, int members, const char *rows,
                          const char *suspects, const char *away)
{
    bench_open_first(bench, members, rows);
    for (; *away; away++) {
        (void)bench_lose(bench, *away);
    }
    bench_suspect(bench, suspects);
}

static void test_suspects__one_is_needed__the_other_is_asked_when_it_fails(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 3, "ABC", "BC", "");
    assert_gives(put_stored(&bench, 2), "B:or");
    /* It has its time. */
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US - 1), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_SPACE), "C:or");
    assert_gives(bench_answer(&bench, 'C', STATUS_NO_SPACE), "no_space");
    bench_close(&bench);
}

static void test_suspects__one_does_not_answer__the_other_is_asked_beside_it(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 3, "ABC", "BC", "");
    assert_gives(put_stored(&bench, 2), "B:or");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "C:or");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
    bench_close(&bench);
}

static void test_suspects__both_are_needed__both_are_asked(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABD", "BC", "D");
    assert_gives(put_stored(&bench, 3), "B:or C:o");
    bench_close(&bench);
}

/* By its digest B holds the object: that is the quorum. */
static void test_suspects__digests_make_the_quorum__none_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABD", "C", "D");
    assert_gives(push_stored(&bench), "B?dr");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "B:r");
    bench_close(&bench);
}

static void test_suspects__all_that_is_well_suffices__none_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 3, "ABC", "C", "");
    assert_gives(put_stored(&bench, 2), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
    bench_close(&bench);
}

/* Rows alone: so many as the row's quorum lacks. */
static void test_suspects__hold_rows_alone__are_asked_as_needed(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 7, "AFG", "FG", "");
    assert_gives(put_stored(&bench, 2), "B:o C:o");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "F:r");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'F', STATUS_NO_SPACE), "G:r");
    assert_gives(bench_answer(&bench, 'G', STATUS_OK), "ok disk:hint/F");
    bench_close(&bench);
}

static void test_suspects__row_has_its_quorum__none_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 7, "ABG", "G", "");
    assert_gives(put_stored(&bench, 2), "B:or C:o");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/G");
    bench_close(&bench);
}

/* The fallback keeps a copy for one already: another copy there would be none. */
static void test_fallback__has_a_copy__gets_no_second_one(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABC", "", "B");
    assert_gives(put_stored(&bench, 3), "C:or D:o/B");
    assert_gives(bench_answer(&bench, 'D', STATUS_OK), "");
    bench_suspect(&bench, "D");
    assert_gives(bench_answer(&bench, 'C', STATUS_NO_SPACE), "no_space");
    bench_close(&bench);
}

static void test_fallback__keeps_the_first_primarys_copy__gets_no_second_one(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 5, 3);
    bench_place(&bench, 'D', "ABC");
    (void)bench_lose(&bench, 'C');
    bench_suspect(&bench, "A");
    bench_suspect(&bench, "B");
    (void)bench_put(&bench, 3, NULL);
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "B:or E:o/A");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "");
    bench_suspect(&bench, "E");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_SPACE), "A:or E:o/B");
    assert_gives(bench_answer(&bench, 'A', STATUS_NO_SPACE), "B:or E:o/A");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_SPACE), "no_space");
    bench_close(&bench);
}

/* Primaries after all ----------------------------------------------------------------------- */

/* The only fallback took B's place; it is needed for C, who cannot be asked. */
static void test_primary__was_suspected__is_asked_and_its_fallback_is_for_another(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABC", "B", "C");
    assert_gives(put_stored(&bench, 3), "B:or D:o/B D:o/C");
    assert_gives(bench_answer(&bench, 'D', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    bench_close(&bench);
}
static void test_primary__its_own_fallback_fails__is_asked_in_its_place(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 5, "ABE", "BC", "");
    assert_gives(put_stored(&bench, 3), "D:o/B E:o/C");
    assert_gives(bench_answer(&bench, 'D', STATUS_NO_SPACE), "B:or");
    assert_gives(bench_answer(&bench, 'E', STATUS_NO_SPACE), "C:o");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "E:r");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "ok");
    bench_close(&bench);
}

/* It could not be reached when the other's fallback failed; now it can. */
static void test_primary__came_back_in_the_middle__is_asked_too(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 5, "ABE", "C", "B");
    assert_gives(put_stored(&bench, 3), "D:o/C E:o/B");
    assert_gives(bench_answer(&bench, 'D', STATUS_NO_SPACE), "C:o");
    (void)bench_find(&bench, 'B');
    assert_gives(bench_answer(&bench, 'E', STATUS_NO_SPACE), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "E:r");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "ok");
    bench_close(&bench);
}

static void test_primary__an_earlier_one_came_back__is_asked_too(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 5, "ABE", "BC", "");
    assert_gives(put_stored(&bench, 3), "D:o/B E:o/C");
    (void)bench_lose(&bench, 'B');
    assert_gives(bench_answer(&bench, 'E', STATUS_NO_SPACE), "C:o");
    (void)bench_find(&bench, 'B');
    assert_gives(bench_answer(&bench, 'D', STATUS_NO_SPACE), "B:or");
    bench_close(&bench);
}

/* Once B is asked the object may have its quorum: C is left alone. */
static void test_primary__suffices_for_the_quorum__no_other_is_asked(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABD", "BC", "");
    assert_gives(put_stored(&bench, 2), "D:o/B");
    assert_gives(bench_answer(&bench, 'D', STATUS_NO_SPACE), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "D:r ok");
    bench_close(&bench);
}

static void test_leg__nobody_can_take_it__the_next_one_may(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABD", "C", "D");
    assert_gives(put_stored(&bench, 2), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_SPACE), "C:o");
    bench_close(&bench);
}

static void test_primary__asked_after_all_fails__is_not_asked_again(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABC", "B", "C");
    assert_gives(put_stored(&bench, 3), "B:or D:o/B D:o/C");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_SPACE), "no_space");
    bench_close(&bench);
}

static void test_primary__of_the_root__is_asked_for_the_object_alone(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place_root(&bench);
    assert_int_equal(bench.self, 'A');
    bench_suspect(&bench, "B");
    (void)bench_lose(&bench, 'C');
    assert_gives(put_stored(&bench, 3), "B:o D:o/B D:o/C");
    bench_close(&bench);
}

/* The slow ---------------------------------------------------------------------------------- */

static void test_slow__quorum_is_met__nobody_else_is_asked_but_a_fallback(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABC", "D", "");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "disk:hint/C");
    bench_close(&bench);
}

static void test_slow__no_fallback_is_well__a_suspect_is_asked_if_it_is_needed(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 4, "ABC", "D", "");
    assert_gives(put_stored(&bench, 3), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "D:o/C");
    assert_gives(bench_answer(&bench, 'D', STATUS_OK), "ok");
    bench_close(&bench);
}

/* The row of one that is slow is another's to hold. */
static void test_slow__row_lacks_its_quorum__a_suspect_is_asked_for_it(void **state)
{
    (void)state;
    struct bench bench;
    suspects_open(&bench, 7, "CDE", "E", "");
    assert_gives(put_stored(&bench, 2), "B:o C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "D:r");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "E:r");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "ok disk:hint/D");
    bench_close(&bench);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__all_are_well__rows_alone_wait_for_the_quorum_of_the_object),
        cmocka_unit_test(test_put__root__has_no_row),
        cmocka_unit_test(test_put__sixteen_nodes_take_part__each_gets_its_part),
        cmocka_unit_test(test_put__no_memory_for_a_row__it_fails_alone),
        cmocka_unit_test(test_push__some_hold_it__whole_objects_go_to_those_that_do_not),
        cmocka_unit_test(test_push__all_hold_it__it_ends_without_an_object),
        cmocka_unit_test(test_push__answer_is_no_digest__fallback_takes_the_place),
        cmocka_unit_test(test_push__no_digest_in_time__fallback_takes_the_place),
        cmocka_unit_test(test_fallback__own_copy__is_the_last_primarys_and_no_row),
        cmocka_unit_test(test_fallback__holds_the_directory__row_is_stored_and_counts),
        cmocka_unit_test(test_fallback__none_is_left__suspects_are_asked_as_needed),
        cmocka_unit_test(test_suspects__one_is_needed__the_other_is_asked_when_it_fails),
        cmocka_unit_test(test_suspects__one_does_not_answer__the_other_is_asked_beside_it),
        cmocka_unit_test(test_suspects__both_are_needed__both_are_asked),
        cmocka_unit_test(test_suspects__digests_make_the_quorum__none_is_asked),
        cmocka_unit_test(test_suspects__all_that_is_well_suffices__none_is_asked),
        cmocka_unit_test(test_suspects__hold_rows_alone__are_asked_as_needed),
        cmocka_unit_test(test_suspects__row_has_its_quorum__none_is_asked),
        cmocka_unit_test(test_fallback__has_a_copy__gets_no_second_one),
        cmocka_unit_test(test_fallback__keeps_the_first_primarys_copy__gets_no_second_one),
        cmocka_unit_test(test_primary__was_suspected__is_asked_and_its_fallback_is_for_another),
        cmocka_unit_test(test_primary__its_own_fallback_fails__is_asked_in_its_place),
        cmocka_unit_test(test_primary__came_back_in_the_middle__is_asked_too),
        cmocka_unit_test(test_primary__an_earlier_one_came_back__is_asked_too),
        cmocka_unit_test(test_primary__suffices_for_the_quorum__no_other_is_asked),
        cmocka_unit_test(test_leg__nobody_can_take_it__the_next_one_may),
        cmocka_unit_test(test_primary__asked_after_all_fails__is_not_asked_again),
        cmocka_unit_test(test_primary__of_the_root__is_asked_for_the_object_alone),
        cmocka_unit_test(test_slow__quorum_is_met__nobody_else_is_asked_but_a_fallback),
        cmocka_unit_test(test_slow__no_fallback_is_well__a_suspect_is_asked_if_it_is_needed),
        cmocka_unit_test(test_slow__row_lacks_its_quorum__a_suspect_is_asked_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
