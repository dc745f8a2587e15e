/*
 * test_put_rings.c - a put while a ring is handed round, message by message; bench.h says how to
 * read them.
 *
 * - who goes by another ring is sent all anew, once, with what the put holds counted on
 * - not where the newer ring makes another thing of the own copy, as it was written
 * - the put ends at its deadline, or at once when nobody can be asked any more
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";

enum { PAUSE_US = 20000 };

static void with_content(struct message *message)
{
    message->put.value.content = blob_new(slice_of_string("tea"));
}

static const char *put_stored(struct bench *bench, uint8_t w)
{
    (void)bench_put(bench, w, with_content);
    return bench_stored(bench, STORE_COORDINATE, STATUS_OK, ONE);
}

static const char *refuse_by_ring(struct bench *bench, char letter)
{
    struct message stale = {.status = STATUS_STALE_RING, .ring_epoch = bench->ring.epoch + 1};
    return bench_answer_with(bench, letter, &stale);
}

/* All is sent again, and counted anew, once. */
static void test_ring__others_go_by_another__copies_are_sent_again(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 4, "ABC");
    (void)bench_lose(&bench, 'C');
    assert_gives(put_stored(&bench, 3), "B:or D:o/C");
    assert_int_equal(bench.core->bytes_in_flight, 3);
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "");
    assert_gives(refuse_by_ring(&bench, 'D'), "");
    assert_int_equal(bench.core->bytes_in_flight, 3);
    assert_true(core_deadline(bench.core) <= bench.lone->now_us + PAUSE_US);
    assert_gives(bench_wait(&bench, PAUSE_US), "B:or D:o/C");
    assert_gives(bench_answer(&bench, 'D', STATUS_OK), "");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_int_equal(bench.core->stats.rows_left_to_intent, 1); /* two of three have it */
    bench_close(&bench);
}

/* Who was asked after all, or as a suspect, may be again. */
static void test_ring__suspects_were_asked__they_are_again(void **state)
{
    (void)state;
    static const struct {
        const char *suspected;
        const char *given;
    } cases[] = {{"B", "B:or D:o/B D:o/C"}, {"D", "B:or D:o/C"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 4, "ABC");
        (void)bench_lose(&bench, 'C');
        bench_suspect(&bench, cases[i].suspected);
        assert_gives(put_stored(&bench, 3), cases[i].given);
        assert_gives(refuse_by_ring(&bench, 'B'), "");
        bench_suspect(&bench, cases[i].suspected);
        assert_gives(bench_wait(&bench, PAUSE_US), cases[i].given);
        bench_close(&bench);
    }
}

static void test_ring__refused_again_for_another_reason__the_put_fails(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(refuse_by_ring(&bench, 'B'), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "");
    assert_gives(bench_wait(&bench, PATIENCE_MIN_US), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_BUSY), "");
    assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), "no_quorum");
    bench_close(&bench);
}

static void in_a_great_hurry(struct message *message)
{
    message->put.deadline_ms = 10;
}

static void test_ring__deadline_comes_first__the_put_ends_then(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    (void)bench_put(&bench, 2, in_a_great_hurry);
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B:or C:or");
    assert_gives(refuse_by_ring(&bench, 'B'), "");
    assert_gives(refuse_by_ring(&bench, 'C'), "");
    assert_gives(bench_wait(&bench, 10000), "timeout");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

/* The first of the members is one like the others. */
static void test_ring__node_is_the_first_member__copies_are_sent_again(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_as(&bench, 1, 3, 3);
    bench_place(&bench, 'A', "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(refuse_by_ring(&bench, 'B'), "");
    assert_gives(refuse_by_ring(&bench, 'C'), "");
    assert_gives(bench_wait(&bench, PAUSE_US), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    bench_close(&bench);
}

/* This node has taken up a ring by which it and the node of the letter have changed places. */
static void change_places(struct bench *bench, char letter)
{
    struct ring *ring = bench->core->ring;
    uint16_t self = (uint16_t)bench->core->self;
    uint16_t other = bench->member_at[letter - 'A'];
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        uint16_t owner = ring->owner[i];
        ring->owner[i] = owner == self ? other : owner == other ? self : owner;
    }
    ring->epoch++;
    bench->core->ring_mark = ring_mark(ring);
}

/* Its copy was written as a primary's, where it would be a hint now. */
static void test_ring__node_is_no_primary_by_it__the_put_fails(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 4, "ABC");
    (void)bench_lose(&bench, 'D');
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    change_places(&bench, 'D');
    assert_gives(refuse_by_ring(&bench, 'B'), "");
    assert_gives(refuse_by_ring(&bench, 'C'), "no_quorum");
    bench_close(&bench);
}

static void test_ring__nobody_is_left_after_the_pause__the_put_fails_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(refuse_by_ring(&bench, 'B'), "");
    assert_gives(refuse_by_ring(&bench, 'C'), "");
    assert_gives(bench_lose(&bench, 'B'), "");
    assert_gives(bench_lose(&bench, 'C'), "");
    assert_gives(bench_wait(&bench, PAUSE_US), "no_quorum");
    assert_int_equal(bench.core->stats.puts_failed, 1);
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring__others_go_by_another__copies_are_sent_again),
        cmocka_unit_test(test_ring__suspects_were_asked__they_are_again),
        cmocka_unit_test(test_ring__refused_again_for_another_reason__the_put_fails),
        cmocka_unit_test(test_ring__deadline_comes_first__the_put_ends_then),
        cmocka_unit_test(test_ring__node_is_the_first_member__copies_are_sent_again),
        cmocka_unit_test(test_ring__node_is_no_primary_by_it__the_put_fails),
        cmocka_unit_test(test_ring__nobody_is_left_after_the_pause__the_put_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
