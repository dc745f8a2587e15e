/*
 * test_put_steps.c - what a put's coordinator does with each answer, message by message;
 * bench.h says how to read them.
 *
 * - a version that is named is read first, and what was read is merged before; so is what an
 *   fsync is to sync, which fails where that cannot be stored
 * - the intent is dropped when who lacks something has a marker, and not before
 * - at its deadline a put whose object has its quorum is done; who has his answer waits no more
 *   than a second for those that are slow
 * - who coordinates after others have failed tells the most telling failure
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "node/core/timers.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";
static const char OTHER[] = "2.1:6 | 2.1:6";

static const char *put_stored(struct bench *bench, uint8_t w)
{
    (void)bench_put(bench, w, NULL);
    return bench_stored(bench, STORE_COORDINATE, STATUS_OK, ONE);
}

/* Versions that are named ------------------------------------------------------------------- */

static void as_some(struct message *message)
{
    message->put.mode = UPDATE_SOME;
    message->put.dots = calloc(1, sizeof *message->put.dots);
    assert_non_null(message->put.dots);
    message->put.dots[0] = make_dot("2.1:6");
    message->put.dot_count = 1;
}

static void test_named__somebody_knows_it__is_merged_before(void **state)
{
    (void)state;
    static const struct {
        uint8_t w;
        const char *asked;
    } cases[] = {{1, "B?d C?d disk:get"},
                 {2, "B?d disk:get"},
                 {0, "B?d disk:get"},
                 {3, "B?d C?d disk:get"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 7, "ABG");
        assert_gives(bench_put(&bench, cases[i].w, as_some), cases[i].asked);
        assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, OTHER),
                     "disk:merge:or disk:put+row+intent");
        bench_close(&bench);
    }
    struct bench bench;
    bench_open_first(&bench, 7, "BCD");
    assert_gives(bench_put(&bench, 2, as_some), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, OTHER),
                 "disk:merge:o disk:put+intent");
    bench_close(&bench);
}

static void test_named__nobody_knows_it__the_store_judges(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "ABG");
    assert_gives(bench_put(&bench, 2, as_some), "B?d disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, NULL), "");
    assert_gives(bench_answer_digest(&bench, 'B', NULL), "disk:put+row+intent");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_UNKNOWN_VERSION, NULL),
                 "unknown_version");
    bench_close(&bench);
}

static void test_named__too_few_answer__is_not_stored(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_put(&bench, 2, as_some), "B?d disk:get");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "C?d");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, ONE), "no_quorum");
    bench_close(&bench);
}

/* Others know it: that the own disk did not take what was read is why it is not known here. */
static void test_named__what_was_read_is_not_stored__that_is_told(void **state)
{
    (void)state;
    static const struct {
        enum status merged, stored;
        const char *given;
    } cases[] = {{STATUS_NO_SPACE, STATUS_UNKNOWN_VERSION, "no_space"},
                 {STATUS_OK, STATUS_UNKNOWN_VERSION, "unknown_version"},
                 {STATUS_NO_SPACE, STATUS_IO, "io"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 7, "ABG");
        assert_gives(bench_put(&bench, 2, as_some), "B?d disk:get");
        assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, OTHER),
                     "disk:merge:or disk:put+row+intent");
        assert_gives(bench_stored(&bench, STORE_MERGE, cases[i].merged, NULL), "");
        assert_gives(bench_stored(&bench, STORE_COORDINATE, cases[i].stored, NULL),
                     cases[i].given);
        bench_close(&bench);
    }
}

/* What was read goes into the hint that the update works on. */
static void test_named__at_a_fallback__is_merged_into_the_first_hint(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 4, "ABC");
    assert_gives(bench_put(&bench, 2, as_some), "A?d B?d disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, OTHER),
                 "disk:hint:o/A disk:put_hint/ABC");
    bench_close(&bench);
}

/* Fsyncs ------------------------------------------------------------------------------------ */

static void as_fsync(struct message *message)
{
    message->put.mode = UPDATE_NONE;
    message->put.has_value = false;
    message->put.sync = true;
}

/* The own copy lags, and is not what was to be synced. */
static void test_fsync__what_was_read_is_not_stored__that_is_told(void **state)
{
    (void)state;
    static const struct {
        enum status merged, stored;
        const char *given;
    } cases[] = {{STATUS_NO_SPACE, STATUS_OK, "no_space"},
                 {STATUS_NO_MEMORY, STATUS_OK, "no_memory"},
                 {STATUS_IO, STATUS_OK, "io"},
                 {STATUS_NO_SPACE, STATUS_NOT_FOUND, "no_space"},
                 {STATUS_OK, STATUS_OK, "B:or! C:o!"},
                 {STATUS_OK, STATUS_IO, "io"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 7, "ABG");
        assert_gives(bench_put(&bench, 2, as_fsync), "B?d disk:get");
        assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, OTHER), "");
        assert_gives(bench_answer_digest(&bench, 'B', OTHER),
                     "disk:merge:or disk:put!+row+intent");
        assert_gives(bench_stored(&bench, STORE_MERGE, cases[i].merged, NULL), "");
        bench.core->scans[0].due_us = UINT64_MAX;
        assert_gives(bench_stored(&bench, STORE_COORDINATE, cases[i].stored,
                                  cases[i].stored == STATUS_OK ? ONE : NULL),
                     cases[i].given);
        /* The row intent that was left is taken up. */
        assert_int_equal(bench.core->scans[0].due_us != UINT64_MAX,
                         cases[i].merged != STATUS_OK);
        bench_close(&bench);
    }
}

static void test_fsync__hint_of_what_was_read_is_not_stored__that_is_told(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 4, "ABC");
    assert_gives(bench_put(&bench, 2, as_fsync), "A?d B?d disk:get_hints/ABC");
    assert_gives(bench_stored(&bench, STORE_GET_HINTS, STATUS_OK, NULL), "");
    assert_gives(bench_answer_digest(&bench, 'A', OTHER), "");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "A? B?");
    assert_gives(bench_answer_object(&bench, 'A', OTHER), "");
    assert_gives(bench_answer_object(&bench, 'B', OTHER), "disk:hint:o/A disk:put_hint!/ABC");
    assert_gives(bench_stored(&bench, STORE_HINT, STATUS_NO_SPACE, NULL), "");
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "no_space");
    bench_close(&bench);
}

/* Intents and markers ----------------------------------------------------------------------- */

static void forget_timers(struct bench *bench)
{
    bench->core->scans[0].due_us = UINT64_MAX;
    bench->core->hints_timer.due_us = UINT64_MAX;
}

static void test_marker__is_written__then_the_intent_goes(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_suspect(&bench, "C");
    assert_gives(put_stored(&bench, 2), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
    forget_timers(&bench);
    assert_gives(bench_wait(&bench, 2 * PATIENCE_MAX_US), "");
    assert_gives(bench_stored(&bench, STORE_HINT, STATUS_OK, NULL), "");
    assert_true(bench.core->hints_timer.due_us <= bench.lone->now_us + RETRY_MIN_US);
    assert_int_equal(bench.core->scans[0].due_us, UINT64_MAX);
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:5");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_marker__cannot_be_written__the_intent_stays(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_suspect(&bench, "C");
    assert_gives(put_stored(&bench, 2), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
    forget_timers(&bench);
    assert_gives(bench_stored(&bench, STORE_HINT, STATUS_IO, NULL), "");
    assert_true(bench.core->scans[0].due_us <= bench.lone->now_us + INTENT_AFTER_US);
    assert_gives(bench_wait(&bench, 60000), "");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* The root has no row, so there is no intent to be dropped. */
static void test_marker__of_the_root__no_intent_goes(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place_root(&bench);
    bench_suspect(&bench, "C");
    (void)bench_lose(&bench, 'D');
    assert_gives(put_stored(&bench, 2), "B:o");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
    assert_gives(bench_stored(&bench, STORE_HINT, STATUS_OK, NULL), "");
    assert_gives(bench_wait(&bench, 60000), "");
    (void)bench_find(&bench, 'C');
    assert_gives(put_stored(&bench, 2), "B:o C:o");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_gives(bench_wait(&bench, 60000), "");
    bench_close(&bench);
}

static void test_intent__w_is_1__goes_when_all_have_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 1), "B:or C:or ok");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(bench_wait(&bench, 60000), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:5");
    bench_close(&bench);
}

static void test_intent__object_is_gone__it_goes(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_find_intent(&bench, 1), "disk:put+row");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_NOT_FOUND, NULL), "");
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:1");
    bench_close(&bench);
}

static void test_intent__object_cannot_be_read__it_stays(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_find_intent(&bench, 9), "disk:put+row");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_IO, NULL), "");
    assert_gives(bench_wait(&bench, 60000), "");
    bench_close(&bench);
}

static void synced(struct message *message)
{
    message->put.sync = true;
}

static void test_marker__of_a_put_that_is_synced__is_synced(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_suspect(&bench, "C");
    assert_gives(bench_put(&bench, 2, synced), "disk:put!+row+intent");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B:or!");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint!/C");
    bench_close(&bench);
}

/* An answer that comes while the marker is written is too late to matter. */
static void test_marker__its_owner_answers_meanwhile__changes_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "disk:hint/C");
    assert_gives(bench_answer(&bench, 'C', STATUS_OK), "");
    assert_gives(bench_stored(&bench, STORE_HINT, STATUS_OK, NULL), "");
    assert_gives(bench_wait(&bench, 60000), "disk:clear_intents:5");
    bench_close(&bench);
}

static void test_intent__quorum_was_missed__it_is_taken_up_again(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    forget_timers(&bench);
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "no_quorum");
    assert_true(bench.core->scans[0].due_us <= bench.lone->now_us + INTENT_AFTER_US);
    bench_close(&bench);
    /* The root has none. */
    bench_open(&bench, 3, 3);
    bench_place_root(&bench);
    forget_timers(&bench);
    assert_gives(put_stored(&bench, 2), "A:o B:o");
    assert_gives(bench_answer(&bench, 'A', STATUS_BUSY), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "no_quorum");
    assert_int_equal(bench.core->scans[0].due_us, UINT64_MAX);
    bench_close(&bench);
}

/* Time ---------------------------------------------------------------------------------------- */

static void hurried(struct message *message)
{
    message->put.deadline_ms = 50;
}

/* The object has its quorum: its row is left to the intent. */
static void test_deadline__only_the_row_is_awaited__the_put_is_done(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 7, "AFG");
    (void)bench_put(&bench, 2, hurried);
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B:o C:o");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "F:r G:r");
    assert_gives(bench_wait(&bench, 50000), "ok disk:hint/CFG");
    bench_close(&bench);
}

static void test_deadline__store_has_not_answered__nothing_is_known(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_put(&bench, 2, hurried), "disk:put+row+intent");
    assert_gives(bench_wait(&bench, 50000), "timeout");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_deadline__a_fallback_has_not_answered__is_suspected(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 7, "ABC");
    (void)bench_put(&bench, 1, hurried);
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "E:o/A F:o/B ok");
    assert_gives(bench_answer(&bench, 'F', STATUS_OK), "");
    assert_gives(bench_wait(&bench, 50000), "");
    assert_true(peer_is_suspect(bench.core, bench_peer(&bench, 'E')));
    assert_false(peer_is_suspect(bench.core, bench_peer(&bench, 'F')));
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* Who has his answer does not wait for one who is slow by nature: not for longer than that. */
static void test_drain__one_is_very_slow__is_waited_for_a_second(void **state)
{
    (void)state;
    enum { DRAIN_US = 1000000 };
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench.core->peers[bench_peer(&bench, 'B')].latency_us = 10000000;
    bench.core->peers[bench_peer(&bench, 'C')].latency_us = 10000000;
    (void)bench_put(&bench, 2, synced);
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B:or! C:or!");
    assert_gives(bench_wait(&bench, 1000), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_true(core_deadline(bench.core) <= bench.lone->now_us + DRAIN_US);
    assert_gives(bench_wait(&bench, DRAIN_US - 1), "");
    assert_gives(bench_wait(&bench, 1), "disk:hint!/C");
    bench_close(&bench);
}

/* Handed on ----------------------------------------------------------------------------------- */

static void test_fallback__others_failed_before__the_most_telling_is_passed_on(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    assert_gives(bench_put(&bench, 2, NULL), "A>put");
    assert_gives(bench_answer(&bench, 'A', STATUS_IO), "B>put");
    assert_gives(bench_answer(&bench, 'B', STATUS_NO_QUORUM), "C>put");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "disk:put_hint/ABC");
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "A:or B:or");
    assert_gives(bench_answer(&bench, 'A', STATUS_BUSY), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "C:or");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "A:or");
    assert_gives(bench_answer(&bench, 'A', STATUS_BUSY), "B:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "io");
    assert_int_equal(bench.reply.request_id, 1);
    bench_close(&bench);
}

/* What the client has waited is what background work yields to. */
static void test_fallback__others_were_tried_before__their_time_counts(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 4, 3);
    bench_place(&bench, 'D', "ABC");
    assert_gives(bench_put(&bench, 1, NULL), "A>put");
    assert_gives(bench_wait(&bench, 2 * PATIENCE_MIN_US), "B>put");
    assert_gives(bench_wait(&bench, 2 * PATIENCE_MIN_US), "C>put");
    assert_gives(bench_wait(&bench, 2 * PATIENCE_MIN_US), "disk:put_hint/ABC");
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE), "A:or");
    assert_gives(bench_answer(&bench, 'A', STATUS_OK), "ok");
    bench.core->now_us += 1000000;
    (void)background_take(bench.core);
    assert_true(bench.core->background.p99_us >= 5 * PATIENCE_MIN_US);
    bench_close(&bench);
}

static void as_push(struct message *message)
{
    message->put.mode = UPDATE_NONE;
    message->put.has_value = false;
}

static void test_push__by_a_client_of_nothing__is_not_found_and_no_intent_goes(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_put(&bench, 2, as_push), "disk:put+row+intent");
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_NOT_FOUND, NULL), "not_found");
    assert_gives(bench_wait(&bench, 60000), "");
    bench_close(&bench);
}

/* An intent for a key that this node is no primary of any more: it can push nothing. */
static void test_intent__of_anothers_key__fails_and_leaves_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 7, "ABC");
    assert_gives(bench_find_intent(&bench, 9), "");
    assert_int_equal(bench.core->active_count, bench.idle_count - 1); /* the scan has ended */
    bench_close(&bench);
}

/* Legs --------------------------------------------------------------------------------------- */

static void test_fallback__own_row_cannot_be_stored__is_left_behind(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_fallback(&bench, 7, "BCD");
    (void)bench_put(&bench, 1, NULL);
    assert_gives(bench_stored(&bench, STORE_COORDINATE_HINT, STATUS_OK, ONE),
                 "E:o/A F:o/B disk:merge:r");
    assert_gives(bench_stored(&bench, STORE_MERGE, STATUS_IO, NULL), "ok");
    assert_gives(bench_answer(&bench, 'E', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'F', STATUS_OK), "");
    assert_int_equal(bench.core->stats.rows_left_to_intent, 1);
    bench_close(&bench);
}

/* Only a bad copy of this node's own is a reason to heal it, when another has told. */
static void test_reply__copy_is_refused__own_one_is_healed_if_it_is_bad(void **state)
{
    (void)state;
    static const struct {
        bool is_bad;
        enum status status;
        const char *given;
    } cases[] = {{false, STATUS_BAD_MESSAGE, "D:o/B"},
                 {true, STATUS_BUSY, "D:o/B"},
                 {true, STATUS_BAD_MESSAGE, "B?d C?d D:o/B"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        struct store_result result = {.operation = STORE_COORDINATE, .status = STATUS_OK};
        bench_open_first(&bench, 4, "ABC");
        (void)bench_put(&bench, 2, NULL);
        result.object = make_object(ONE, NULL);
        result.object->versions[0].content_hash[0] ^= cases[i].is_bad ? 1 : 0;
        assert_gives(bench_stored_with(&bench, &result), "B:or C:or");
        assert_gives(bench_answer(&bench, 'B', cases[i].status), cases[i].given);
        bench_close(&bench);
    }
}

static void test_lost__all_that_were_awaited__the_put_fails_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_lose(&bench, 'B'), "");
    assert_gives(bench_lose(&bench, 'C'), "no_quorum");
    bench_close(&bench);
}

/* Its marker is being written: nobody takes its place any more, whatever becomes of it. */
static void test_marker__its_owner_fails_meanwhile__changes_nothing(void **state)
{
    (void)state;
    for (int is_lost = 0; is_lost < 2; is_lost++) {
        struct bench bench;
        bench_open_first(&bench, 4, "ABC");
        assert_gives(put_stored(&bench, 2), "B:or C:or");
        bench_suspect(&bench, "C");
        assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok disk:hint/C");
        assert_gives(is_lost ? bench_lose(&bench, 'C') : bench_answer(&bench, 'C', STATUS_BUSY),
                     "");
        bench_close(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named__somebody_knows_it__is_merged_before),
        cmocka_unit_test(test_named__nobody_knows_it__the_store_judges),
        cmocka_unit_test(test_named__too_few_answer__is_not_stored),
        cmocka_unit_test(test_named__what_was_read_is_not_stored__that_is_told),
        cmocka_unit_test(test_named__at_a_fallback__is_merged_into_the_first_hint),
        cmocka_unit_test(test_fsync__what_was_read_is_not_stored__that_is_told),
        cmocka_unit_test(test_fsync__hint_of_what_was_read_is_not_stored__that_is_told),
        cmocka_unit_test(test_marker__is_written__then_the_intent_goes),
        cmocka_unit_test(test_marker__cannot_be_written__the_intent_stays),
        cmocka_unit_test(test_marker__of_the_root__no_intent_goes),
        cmocka_unit_test(test_intent__w_is_1__goes_when_all_have_it),
        cmocka_unit_test(test_intent__object_is_gone__it_goes),
        cmocka_unit_test(test_intent__object_cannot_be_read__it_stays),
        cmocka_unit_test(test_marker__of_a_put_that_is_synced__is_synced),
        cmocka_unit_test(test_marker__its_owner_answers_meanwhile__changes_nothing),
        cmocka_unit_test(test_intent__quorum_was_missed__it_is_taken_up_again),
        cmocka_unit_test(test_deadline__only_the_row_is_awaited__the_put_is_done),
        cmocka_unit_test(test_deadline__store_has_not_answered__nothing_is_known),
        cmocka_unit_test(test_deadline__a_fallback_has_not_answered__is_suspected),
        cmocka_unit_test(test_drain__one_is_very_slow__is_waited_for_a_second),
        cmocka_unit_test(test_fallback__others_failed_before__the_most_telling_is_passed_on),
        cmocka_unit_test(test_fallback__others_were_tried_before__their_time_counts),
        cmocka_unit_test(test_push__by_a_client_of_nothing__is_not_found_and_no_intent_goes),
        cmocka_unit_test(test_intent__of_anothers_key__fails_and_leaves_nothing),
        cmocka_unit_test(test_fallback__own_row_cannot_be_stored__is_left_behind),
        cmocka_unit_test(test_reply__copy_is_refused__own_one_is_healed_if_it_is_bad),
        cmocka_unit_test(test_lost__all_that_were_awaited__the_put_fails_at_once),
        cmocka_unit_test(test_marker__its_owner_fails_meanwhile__changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
