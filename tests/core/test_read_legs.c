/*
 * test_read_legs.c - whom requests ask, and when gets and listings ask more.
 *
 * - primaries: this node first, then those that are well in the list's order, suspects last
 * - two fallbacks for each primary that cannot be asked, each once; and this node in any case
 * - what a fallback may answer is not counted upon
 * - one replica more is asked after a moment, within the budget; the budget is left alone when
 *   there is nobody to ask
 * - a peer that outlasts its patience is suspected, and costs no budget
 * - an answer by the ring of another epoch has all asked anew, once
 */
#include "node/core/read_legs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/get.h"
#include "node/core/legs.h"
#include "node/core/request.h"
#include "ring/preference_list.h"

enum { NOW_US = 50000000 };

/* A node with two peers that are well, and a request with a leg for each and for itself. */
struct bench {
    struct core *core;
    struct request *request;
    struct ring ring;
};

static void bench_open(struct bench *bench, enum leg_state own, enum leg_state first,
                       enum leg_state second)
{
    struct core_config config = {
        .node = 1, .address = "10.0.0.1:7000", .partition_count = 64, .replica_count = 3};
    const enum leg_state states[] = {own, first, second};
    *bench = (struct bench){.core = core_new(&config), .ring = {.epoch = 5}};
    bench->request = calloc(1, sizeof *bench->request);
    assert_true(bench->core && bench->request);
    bench->request->kind = &get_kind;
    bench->request->state = STATE_ASKING;
    bench->core->now_us = NOW_US;
    bench->core->due_us = UINT64_MAX;
    bench->core->hedges = 0;
    bench->core->peer_count = 2;
    for (uint8_t i = 0; i < 3; i++) {
        bench->request->leg[i] =
            (struct leg){.peer = i == 0 ? PEER_SELF : (uint16_t)(i - 1), .state = states[i]};
        bench->request->leg[i].sent_us = NOW_US - HEDGE_AFTER_US;
    }
    bench->request->leg_count = 3;
    bench->core->peers[0].is_replica = true;
    bench->core->peers[1].is_replica = true;
}

static void bench_close(struct bench *bench)
{
    bench->core->ring = NULL;
    bench->core->peer_count = 0;
    core_free(bench->core);
    free(bench->request);
}

static void ask(struct core *core, struct request *request, uint8_t leg)
{
    assert_non_null(core);
    assert_int_equal(request->leg[leg].state, LEG_IDLE);
    request->leg[leg].state = LEG_SENT;
}

static void test_expected__fallback_is_awaited__is_not_counted_upon(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, LEG_DONE, LEG_SENT, LEG_SENT);
    assert_int_equal(read_hints_awaited(bench.request), 0);
    assert_int_equal(read_answers_expected(bench.request), 3);
    bench.request->leg[0].is_hint = true; /* has answered */
    bench.request->leg[2].is_hint = true;
    assert_int_equal(read_hints_awaited(bench.request), 1);
    assert_int_equal(read_answers_expected(bench.request), 2);
    assert_int_equal(read_legs_in(bench.request, LEG_SENT), 2);
    assert_int_equal(read_legs_in(bench.request, LEG_FAILED), 0);
    bench_close(&bench);
}

static void test_ask_more__some_are_idle__so_many_as_are_wanted(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, LEG_FAILED, LEG_IDLE, LEG_IDLE);
    read_ask_more(bench.core, bench.request, 1, ask);
    assert_int_equal(bench.request->leg[1].state, LEG_SENT);
    assert_int_equal(bench.request->leg[2].state, LEG_IDLE);
    read_ask_more(bench.core, bench.request, 1, ask);
    assert_int_equal(bench.request->leg[2].state, LEG_IDLE);
    read_ask_more(bench.core, bench.request, 3, ask);
    assert_int_equal(bench.request->leg[2].state, LEG_SENT);
    bench_close(&bench);
}

static void test_hedge__budget__one_more_for_each_that_is_taken(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, LEG_SENT, LEG_IDLE, LEG_IDLE);
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(read_legs_in(bench.request, LEG_IDLE), 2);
    assert_int_equal(bench.request->wake_us, NOW_US + HEDGE_AFTER_US);
    assert_true(bench.core->due_us <= NOW_US + HEDGE_AFTER_US);

    bench.core->hedges = HEDGE_BURST * HEDGE_SHARE;
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(read_legs_in(bench.request, LEG_IDLE), 1);
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(read_legs_in(bench.request, LEG_IDLE), 0);
    assert_int_equal(bench.core->stats.hedged_reads, 2);
    /* Nobody is left. */
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(bench.core->stats.hedged_reads, 2);
    bench_close(&bench);
}

static void test_hedge__peer_outlasts_its_patience__is_suspected_and_another_asked(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, LEG_DONE, LEG_SENT, LEG_IDLE);
    bench.request->leg[1].sent_us = NOW_US - PATIENCE_MIN_US + 1;
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(bench.request->leg[2].state, LEG_IDLE);
    assert_false(peer_is_suspect(bench.core, 0));

    bench.core->now_us++;
    read_hedge(bench.core, bench.request, ask);
    assert_int_equal(bench.request->leg[2].state, LEG_SENT);
    assert_true(peer_is_suspect(bench.core, 0));
    assert_int_equal(bench.core->stats.hedged_reads, 0);
    bench_close(&bench);
}

static void test_ring__replica_goes_by_another__all_are_asked_anew_once(void **state)
{
    (void)state;
    struct bench bench;
    struct message message = {.status = STATUS_STALE_RING, .ring_epoch = 5};
    bench_open(&bench, LEG_DONE, LEG_SENT, LEG_FAILED);
    bench.core->ring = &bench.ring;
    request_note_ring(bench.core, bench.request, &message); /* of the same epoch */
    message.ring_epoch = 6;
    message.status = STATUS_BUSY;
    request_note_ring(bench.core, bench.request, &message);
    assert_false(request_waits_for_ring(bench.core, bench.request));
    assert_int_equal(bench.request->leg_count, 3);

    message.status = STATUS_STALE_RING;
    request_note_ring(bench.core, bench.request, &message);
    message.status = STATUS_OK;
    request_note_ring(bench.core, bench.request, &message);
    assert_true(request_waits_for_ring(bench.core, bench.request));
    assert_int_equal(bench.request->state, STATE_WAITING);
    assert_int_equal(bench.request->leg_count, 0);
    assert_in_range(bench.request->wake_us, NOW_US + 1, NOW_US + 1000000);
    assert_int_equal(bench.core->due_us, bench.request->wake_us);
    assert_false(request_waits_for_ring(bench.core, bench.request));
    bench_close(&bench);
}

/* Seven members, of which the first by id is this node. */
enum { MEMBERS = 7, PARTITIONS = 64 };

static void bench_open_ring(struct bench *bench)
{
    bench_open(bench, LEG_IDLE, LEG_IDLE, LEG_IDLE);
    bench->request->leg_count = 0;
    struct member members[MEMBERS];
    for (uint16_t i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){.id = i + 1U};
        (void)snprintf(members[i].address, ADDRESS_SIZE, "10.0.0.%d:7000", i + 1);
        bench->core->member_peer[i] = i == 0 ? PEER_SELF : (uint16_t)(i - 1);
    }
    assert_int_equal(ring_create(9, PARTITIONS, 3, members, MEMBERS, &bench->ring), STATUS_OK);
    bench->core->ring = &bench->ring;
    bench->core->peer_count = MEMBERS - 1;
    for (uint16_t i = 0; i < MEMBERS - 1; i++) {
        bench->core->peers[i].is_replica = true;
    }
}

static uint16_t peer_at(const struct bench *bench, uint16_t partition, uint16_t place)
{
    struct preference_list list;
    preference_list_build(&bench->ring, partition, &list);
    return bench->core->member_peer[list.member[place]];
}

/* The legs from `first` on are to these peers, and to no other. */
static void assert_legs(const struct bench *bench, uint8_t first, const uint16_t *peers,
                        uint8_t count)
{
    assert_int_equal(bench->request->leg_count, first + count);
    for (uint8_t i = 0; i < count; i++) {
        assert_int_equal(bench->request->leg[first + i].peer, peers[i]);
    }
}

static void test_primaries__one_is_suspected__it_comes_last(void **state)
{
    (void)state;
    for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
        struct bench bench;
        bench_open_ring(&bench);
        uint16_t well[3];
        uint16_t suspected[3];
        uint8_t own = 0;
        for (uint16_t i = 0; i < 3; i++) {
            own = peer_at(&bench, partition, i) == PEER_SELF ? 1 : own;
        }
        uint8_t place = own;
        for (uint16_t i = 0; i < 3; i++) {
            uint16_t peer = peer_at(&bench, partition, i);
            well[peer == PEER_SELF ? 0 : place++] = peer;
        }
        request_add_primaries(bench.core, bench.request, partition);
        assert_legs(&bench, 0, well, 3);

        /* The others of another partition come behind them, in an order of their own. */
        memcpy(suspected, well, sizeof well);
        memmove(&suspected[own], &well[own + 1], (2U - own) * sizeof well[0]);
        suspected[2] = well[own];
        bench.core->peers[well[own]].is_suspect = true;
        request_add_primaries(bench.core, bench.request, partition);
        assert_legs(&bench, 3, suspected, 3);
        assert_int_equal(bench.request->leg[3].owner != 0, true);
        bench_close(&bench);
    }
}

/* Fallbacks of the partition but this node and those that are suspected, in order. */
static uint8_t fallbacks(const struct bench *bench, uint16_t partition, uint16_t *ret_peers)
{
    uint8_t count = 0;
    for (uint16_t i = 3; i < MEMBERS; i++) {
        uint16_t peer = peer_at(bench, partition, i);
        if (peer != PEER_SELF && !bench->core->peers[peer].is_suspect) {
            ret_peers[count++] = peer;
        }
    }
    return count;
}

static uint8_t hints_beside_own(const struct bench *bench, uint16_t *ret_peers)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < bench->request->leg_count; i++) {
        const struct leg *leg = &bench->request->leg[i];
        if (leg->is_hint && leg->peer != PEER_SELF) {
            ret_peers[count++] = leg->peer;
        }
    }
    return count;
}

static void test_fallbacks__all_primaries_are_well__this_node_alone(void **state)
{
    (void)state;
    for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
        struct bench bench;
        bench_open_ring(&bench);
        bool is_primary = false;
        for (uint16_t i = 0; i < 3; i++) {
            is_primary = is_primary || peer_at(&bench, partition, i) == PEER_SELF;
        }
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(bench.request->leg_count, is_primary ? 0 : 1);
        if (!is_primary) {
            assert_int_equal(bench.request->leg[0].peer, PEER_SELF);
            assert_true(bench.request->leg[0].is_hint);
        }
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(bench.request->leg_count, is_primary ? 0 : 1);
        bench_close(&bench);
    }
}

static void test_fallbacks__primaries_are_suspected__two_for_each(void **state)
{
    (void)state;
    for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
        struct bench bench;
        uint16_t expected[MEMBERS];
        uint16_t asked[MEMBERS];
        bench_open_ring(&bench);
        request_add_primaries(bench.core, bench.request, partition);
        uint16_t last = bench.request->leg[2].peer;
        bench.core->peers[last].is_suspect = true;
        (void)fallbacks(&bench, partition, expected);
        bench.core->peers[expected[0]].is_suspect = true;
        uint8_t count = fallbacks(&bench, partition, expected);
        assert_true(count >= 2);
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(hints_beside_own(&bench, asked), 2);
        assert_memory_equal(asked, expected, 2 * sizeof asked[0]);
        /* Again: nobody is asked twice. */
        uint8_t legs = bench.request->leg_count;
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(bench.request->leg_count, legs);
        /* Another primary is suspected: two more, of those that are left. */
        bench.core->peers[bench.request->leg[1].peer].is_suspect = true;
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(hints_beside_own(&bench, asked), count < 4 ? count : 4);
        assert_memory_equal(asked, expected, 2 * sizeof asked[0]);
        bench_close(&bench);
    }
}

static void test_fallbacks__asked_before_anybody_else__are_counted_once(void **state)
{
    (void)state;
    for (uint16_t partition = 0; partition < PARTITIONS; partition++) {
        struct bench bench;
        uint16_t asked[MEMBERS];
        bench_open_ring(&bench);
        uint16_t first = peer_at(&bench, partition, 0);
        uint16_t suspect = first == PEER_SELF ? peer_at(&bench, partition, 1) : first;
        bench.core->peers[suspect].is_suspect = true;
        for (int i = 0; i < 2; i++) {
            request_add_fallbacks(bench.core, bench.request, partition);
            assert_int_equal(hints_beside_own(&bench, asked), 2);
        }
        /* It is well again: more are asked than are wanted now, and that is all. */
        bench.core->peers[suspect].is_suspect = false;
        request_add_fallbacks(bench.core, bench.request, partition);
        assert_int_equal(hints_beside_own(&bench, asked), 2);
        bench_close(&bench);
    }
}

/* A leg behind the last one, as a request before this one may have left it, does not count. */
static void test_legs__first_and_last__are_looked_at(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, LEG_SENT, LEG_SENT, LEG_DONE);
    struct leg *leg = bench.request->leg;
    leg[0] = (struct leg){.peer = 0, .state = LEG_SENT, .is_hint = true, .sent_us = NOW_US};
    leg[1].peer = 1;
    leg[2].peer = 0;
    leg[3] = (struct leg){.peer = 1, .state = LEG_SENT, .is_hint = true, .sent_us = 0};
    leg[1].sent_us = NOW_US;
    assert_int_equal(read_hints_awaited(bench.request), 1);
    assert_false(request_suspect_slow(bench.core, bench.request));
    assert_false(peer_is_suspect(bench.core, 1));
    leg[0].sent_us = 0;
    assert_true(request_suspect_slow(bench.core, bench.request));
    assert_true(peer_is_suspect(bench.core, 0));

    assert_true(request_fail_legs(bench.request, 0));
    assert_int_equal(leg[0].state, LEG_FAILED);
    assert_int_equal(leg[1].state, LEG_SENT);
    assert_int_equal(leg[2].state, LEG_DONE);
    assert_false(request_fail_legs(bench.request, 0));
    assert_true(request_fail_legs(bench.request, 1));
    assert_int_equal(leg[1].state, LEG_FAILED);
    assert_int_equal(leg[3].state, LEG_SENT);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primaries__one_is_suspected__it_comes_last),
        cmocka_unit_test(test_fallbacks__all_primaries_are_well__this_node_alone),
        cmocka_unit_test(test_fallbacks__primaries_are_suspected__two_for_each),
        cmocka_unit_test(test_fallbacks__asked_before_anybody_else__are_counted_once),
        cmocka_unit_test(test_legs__first_and_last__are_looked_at),
        cmocka_unit_test(test_expected__fallback_is_awaited__is_not_counted_upon),
        cmocka_unit_test(test_ask_more__some_are_idle__so_many_as_are_wanted),
        cmocka_unit_test(test_hedge__budget__one_more_for_each_that_is_taken),
        cmocka_unit_test(
            test_hedge__peer_outlasts_its_patience__is_suspected_and_another_asked),
        cmocka_unit_test(test_ring__replica_goes_by_another__all_are_asked_anew_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
