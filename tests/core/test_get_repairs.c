/*
 * test_get_repairs.c - gets that nobody waits for, and those that may not go on, message by
 * message; bench.h says how to read them.
 *
 * - a node that refills keeps its own copy out of the answer, but not what it keeps for others
 * - a bad own copy is replaced by what the others hold
 * - a repair asks all, also those that refill
 * - without room for it a get is refused; one in ten may cost another replica an answer
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/get.h"
#include "node/core/read_legs.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";
static const char OTHER[] = "2.1:6 | 2.1:6";
static const char BOTH[] = "1.1:5 2.1:6 | 1.1:5 2.1:6";

/* A node that refills ----------------------------------------------------------------------- */

static void test_refill__own_copy__is_no_answer(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    bench.core->is_complete = false;
    assert_gives(bench_get(&bench, 2, NULL), "B?d C?d");
    bench_close(&bench);
}

static void test_refill__own_hints__are_whole(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    bench_suspect(&bench, "ABC");
    bench.core->is_complete = false;
    assert_gives(bench_get(&bench, 2, NULL), "A?d B?d disk:get_hints/ABC");
    bench_close(&bench);
}

/* A bad copy -------------------------------------------------------------------------------- */

static void test_heal__others_are_well__what_they_hold_takes_its_place(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_call(&bench, get_start_heal), "B?d C?d");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', BOTH), "B? C?");
    assert_gives(bench_answer_object(&bench, 'B', ONE), "");
    assert_gives(bench_answer_object(&bench, 'C', BOTH), "B:or disk:heal:or");
    assert_int_equal(bench.core->stats.copies_healed, 1);
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_heal__some_are_suspected__the_rest_will_do(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "BCD");
    bench_suspect(&bench, "C");
    assert_gives(bench_call(&bench, get_start_heal), "B?d");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "B?");
    assert_gives(bench_answer_object(&bench, 'B', ONE), "disk:heal:o");
    bench_suspect(&bench, "B");
    assert_gives(bench_call(&bench, get_start_heal), "");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_heal__nobody_has_it__nothing_is_written(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_call(&bench, get_start_heal), "B?d C?d");
    assert_gives(bench_answer_digest(&bench, 'B', NULL), "");
    assert_gives(bench_answer_digest(&bench, 'C', NULL), "B? C?");
    assert_gives(bench_answer_object(&bench, 'B', NULL), "");
    assert_gives(bench_answer_object(&bench, 'C', NULL), "");
    assert_int_equal(bench.core->stats.copies_healed, 0);
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_heal__of_the_root__has_no_row(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place_root(&bench);
    bench_suspect(&bench, "C");
    assert_gives(bench_call(&bench, get_start_heal), "B?d");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "B?");
    assert_gives(bench_answer_object(&bench, 'B', ONE), "disk:heal:o");
    bench_close(&bench);
}

/* The next read finds it again. */
static void test_heal__another_ring_is_met__it_ends(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_suspect(&bench, "C");
    assert_gives(bench_call(&bench, get_start_heal), "B?d");
    struct message stale = {.status = STATUS_STALE_RING, .ring_epoch = bench.ring.epoch + 1};
    assert_gives(bench_answer_with(&bench, 'B', &stale), "");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* For repair -------------------------------------------------------------------------------- */

static void test_repair__a_node_that_refills__all_are_asked_all_the_same(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    bench.core->is_complete = false;
    assert_gives(bench_call(&bench, get_start_repair), "B?dr C?dr disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "");
    assert_gives(bench_answer_digest(&bench, 'C', OTHER), "C?r");
    assert_gives(bench_answer_object(&bench, 'C', OTHER), "B:or C:o disk:merge:or");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* No room ----------------------------------------------------------------------------------- */

static void test_full_table__get__is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_fill_table(&bench, 0);
    assert_gives(bench_get(&bench, 2, NULL), "busy");
    assert_gives(bench_call(&bench, get_start_heal), "");
    assert_gives(bench_call(&bench, get_start_repair), "");
    bench_close(&bench);
    /* Room to hand it on, none to coordinate it here. */
    bench_open(&bench, 7, 3);
    bench_place(&bench, 'D', "ABC");
    bench_suspect(&bench, "ABC");
    bench_fill_table(&bench, 1);
    assert_gives(bench_get(&bench, 2, NULL), "busy");
    assert_int_equal(bench.core->active_count, REQUESTS_MAX - 1);
    bench_close(&bench);
}

/* They are no clients' requests. */
static void test_full_of_clients__heals_and_repairs__begin(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_fill_clients(&bench, 0);
    assert_gives(bench_call(&bench, get_start_heal), "B?d C?d");
    assert_gives(bench_call(&bench, get_start_repair), "B?dr C?dr disk:get");
    bench_close(&bench);
}

static void large(struct message *message)
{
    uint8_t *bytes = calloc(1, VALUE_SIZE_MAX);
    assert_non_null(bytes);
    message->put.value.content = blob_new(slice_of(bytes, VALUE_SIZE_MAX));
    free(bytes);
}

/* Clients' requests hold so much that what is left is for other nodes'. */
static void test_no_room_for_contents__get__is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench.core->bytes_max = VALUE_SIZE_MAX / 4 * 5;
    assert_gives(bench_put(&bench, 2, large), "disk:put+row+intent");
    assert_gives(bench_get(&bench, 2, NULL), "busy");
    bench_close(&bench);
}

static void test_get__in_flight__is_counted_with_what_has_come(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    struct object *one = make_object(ONE, NULL);
    assert_gives(bench_get(&bench, 3, NULL), "B?d C?d disk:get");
    assert_int_equal(core_requests_in_flight(bench.core), 1);
    assert_gives(bench_answer_object(&bench, 'B', NULL), "");
    assert_int_equal(bench.core->bytes_in_flight, 0);
    assert_gives(bench_answer_object(&bench, 'C', ONE), "");
    assert_true(object_content_size(one) > 0);
    assert_int_equal(bench.core->bytes_in_flight, object_content_size(one));
    object_unref(one);
    bench_close(&bench);
}

static void test_no_memory__merged_object__is_said(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "B?");
    bench_fail_after(0);
    assert_gives(bench_answer_object(&bench, 'B', OTHER), "no_memory");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* One in ten may cost another replica an answer. */
static void test_budget__is_used_up__ten_gets_give_one_more(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench.core->hedges = 0;
    for (int i = 1; i < HEDGE_SHARE; i++) {
        assert_gives(bench_get(&bench, 1, NULL), "disk:get");
        assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "ok");
    }
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_wait(&bench, HEDGE_AFTER_US), "C?d");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "");
    assert_gives(bench_answer_digest(&bench, 'B', ONE), "ok");
    assert_gives(bench_get(&bench, 2, NULL), "B?d disk:get");
    assert_gives(bench_wait(&bench, HEDGE_AFTER_US), "");
    bench_close(&bench);
}

/* The client has waited for others: what fallbacks may know is not waited for as well. */
static void test_fallback__others_were_tried_before__hints_are_not_waited_for(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 5, 3);
    bench_place(&bench, 'D', "ABC");
    assert_gives(bench_get(&bench, 2, NULL), "A>get");
    assert_gives(bench_wait(&bench, 2 * PATIENCE_MIN_US), "B>get");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "C>get");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "B?d C?d E?h disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, NULL), "");
    assert_gives(bench_answer_digest(&bench, 'B', NULL), "");
    assert_gives(bench_answer_digest(&bench, 'C', NULL), "B? C?");
    assert_gives(bench_answer_object(&bench, 'B', NULL), "");
    assert_gives(bench_answer_object(&bench, 'C', NULL), "not_found");
    bench_close(&bench);
}

static void test_get__nobody_can_be_asked__fails_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    (void)bench_lose(&bench, 'B');
    (void)bench_lose(&bench, 'C');
    bench.core->is_complete = false;
    assert_gives(bench_get(&bench, 1, NULL), "no_quorum");
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refill__own_copy__is_no_answer),
        cmocka_unit_test(test_refill__own_hints__are_whole),
        cmocka_unit_test(test_heal__others_are_well__what_they_hold_takes_its_place),
        cmocka_unit_test(test_heal__some_are_suspected__the_rest_will_do),
        cmocka_unit_test(test_heal__nobody_has_it__nothing_is_written),
        cmocka_unit_test(test_heal__of_the_root__has_no_row),
        cmocka_unit_test(test_heal__another_ring_is_met__it_ends),
        cmocka_unit_test(test_repair__a_node_that_refills__all_are_asked_all_the_same),
        cmocka_unit_test(test_full_table__get__is_refused_and_leaves_nothing),
        cmocka_unit_test(test_full_of_clients__heals_and_repairs__begin),
        cmocka_unit_test(test_no_room_for_contents__get__is_refused),
        cmocka_unit_test(test_get__in_flight__is_counted_with_what_has_come),
        cmocka_unit_test(test_no_memory__merged_object__is_said),
        cmocka_unit_test(test_budget__is_used_up__ten_gets_give_one_more),
        cmocka_unit_test(test_fallback__others_were_tried_before__hints_are_not_waited_for),
        cmocka_unit_test(test_get__nobody_can_be_asked__fails_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
