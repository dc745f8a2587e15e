/*
 * test_list_marks.c - a listing by live rows alone, and how it is asked for.
 *
 * - up to the last mark that all have in common the rows of one are the answer; behind a mark
 *   that differs nothing is believed
 * - where nothing is in common all rows are asked for, from the same place, and merged; who
 *   answers by marks after that is asked again
 * - R answers decide; one that cannot be used is made up for by another replica
 * - what cannot be answered is said: no quorum, no time, no room
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/background.h"
#include "node/core/list.h"
#include "node/core/placement.h"
#include "node/core/read_legs.h"
#include "tests/core/lone_rows.h"

enum { SECOND = 1000000 };

/* NULL: they have nothing in common. */
struct comparison {
    const char *own, *peer, *expected;
};

static const struct comparison comparisons[] = {
    {"a=L c=L #b:1 #:2", "a=L c=L #b:1 #:2", "a=L c=L"},
    {"a=L c=L #b:1 #:2", "a=L c=M #b:1 #:3", "a=L >b"},
    {"a=L c=L d=L #c:1 #:2", "a=L c=L #c:1 #:3", "a=L c=L >c"},
    {"c=L d=L #b:1 #:2", "#b:1 #:3", ">b"},
    /* Each mark tells of all before it. */
    {"a=L #b:1 #:2", "a=L #b:9 #:2", NULL},
    {"a=L c=L #b:1 #d:2 #:3", "a=L c=L #b:1 #d:8 #:3", "a=L >b"},
    /* One of them has marks that the other has not. */
    {"a=L c=L e=L #b:1 #d:2 #:3", "a=L c=L e=L #d:2 #:3", "a=L c=L e=L"},
    {"a=L c=L e=L #d:2 #:3", "a=L c=L e=L #b:1 #d:2 #:3", "a=L c=L e=L"},
    {"a=L #:2", "a=L #b:1 #:2", "a=L"},
    {"a=L #b:1 #:2", "a=L #:2", "a=L"},
    {"a=L c=L #b:1 #d:3", "a=L c=L #b:1 #c:2 #e:4", "a=L >b"},
    /* One of them ends its page sooner. */
    {"a=L c=L #b:1 #:2", "a=L #b:1", "a=L >b"},
    {"a=L #b:1", "a=L c=L #b:1 #:2", "a=L >b"},
    {"a=L #b:1", "a=L #c:1", NULL},
    {"a=L #c:1", "a=L #b:1", NULL},
    {"a=L #:1", "a=L #b:1", NULL},
    {"#:1", "#:1", ""},
    {"a=L c=L #b:1 | #:2", "a=L c=L #b:1 #:2", "a=L >b"},
    {"a=L c=L #b:1 #:2", "a=L c=L #b:1 | #:2", "a=L >b"},
};

static void test_marks__of_two__tell_what_is_in_common(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        const struct comparison *it = &comparisons[i];
        for (int peer_first = 0; peer_first < 2; peer_first++) {
            struct lone *lone = lone_open(3, 3);
            uint32_t active = lone->core->active_count;
            lone_ask(lone, rows_listing(100, 0, true));
            assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 1);
            if (peer_first) {
                rows_peer(lone, it->peer);
            }
            rows_own(lone, it->own);
            if (!peer_first) {
                assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
                rows_peer(lone, it->peer);
            }
            if (it->expected) {
                assert_rows(lone, it->expected);
                assert_int_equal(lone->core->active_count, active);
            }
            assert_int_equal(lone->core->stats.lists_differed, it->expected ? 0 : 1);
            assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), it->expected ? 0 : 1);
            lone_close(lone);
        }
    }
}

static void test_marks__of_three__tell_what_all_have_in_common(void **state)
{
    (void)state;
    static const struct {
        const char *own, *first, *second, *expected;
    } cases[] = {
        {"a=L c=L e=L #b:1 #d:2 #:3", "#b:1 #d:2 #:9", "#b:1 #d:8 #:3", "a=L >b"},
        {"a=L c=L e=L #b:1 #d:2 #:3", "#b:1 #d:8 #:3", "#b:1 #d:2 #:3", "a=L >b"},
        {"a=L c=L e=L #b:1 #d:2 #:3", "#b:1 #d:2 #:3", "#b:1 #d:2 #:3", "a=L c=L e=L"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = lone_open(3, 3);
        lone_ask(lone, rows_listing(100, 3, true));
        rows_own(lone, cases[i].own);
        rows_peer(lone, cases[i].first);
        assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
        rows_peer(lone, cases[i].second);
        assert_rows(lone, cases[i].expected);
        lone_close(lone);
    }
}

static void assert_asked(const struct message_list *list, bool by_marks, uint16_t limit)
{
    assert_int_equal(list->live_only, by_marks);
    assert_int_equal(list->limit, limit);
    assert_true(slice_equal(blob_slice(list->start), slice_of_string("a")));
    assert_true(list->after_start);
    assert_null(list->end);
}

static void test_marks__nothing_in_common__all_rows_are_asked_for(void **state)
{
    (void)state;
    static const uint16_t limits[][2] = {{100, 256}, {255, 256}, {256, 256}, {300, 300}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct lone *lone = lone_open(3, 3);
        struct message listing = rows_listing(limits[i][0], 0, true);
        listing.list.start = blob_new(slice_of_string("a"));
        listing.list.after_start = true;
        lone_ask(lone, listing);
        for (int round = 0; round < 2; round++) {
            struct action *own = lone_store(lone, STORE_LIST);
            struct action *sent = lone_sent(lone, MESSAGE_REPLICA_LIST);
            assert_true(slice_equal(blob_slice(own->request.key), slice_of_string("d/")));
            assert_null(own->request.list.directory);
            assert_true(
                slice_equal(blob_slice(sent->message.list.directory), slice_of_string("d/")));
            assert_asked(&own->request.list, round == 0, limits[i][round]);
            assert_asked(&sent->message.list, round == 0, limits[i][round]);
            rows_own(lone, round == 0 ? "b=L c=L #:1" : "b=L c=L");
            rows_peer(lone, round == 0 ? "c=L #:2" : "b=D c=L");
        }
        assert_rows(lone, "c=L");
        assert_int_equal(lone->core->stats.lists_differed, 1);
        assert_int_equal(lone->core->stats.lists, 1);
        assert_int_equal(lone->core->stats.lists_failed, 0);
        lone_close(lone);
    }
}

/* The first peer is slow: another one is asked; its marks come when they are no use any more. */
static void test_marks__come_too_late__are_asked_again(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_ask(lone, rows_listing(100, 0, true));
    struct action *slow = lone_sent(lone, MESSAGE_REPLICA_LIST);
    uint16_t slow_peer = slow->peer;
    lone_run(lone, HEDGE_AFTER_US - 1);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 1);
    lone_run(lone, 1);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 2);
    rows_own(lone, "a=L #:1");
    struct action *other = lone->pending[lone->count - 1];
    assert_true(other != slow && other->message.type == MESSAGE_REPLICA_LIST);
    lone_answer(lone, other, (struct message){.list_reply = rows_of("#:2")});
    assert_int_equal(lone->core->stats.lists_differed, 1);

    rows_peer(lone, "a=L #:1");

    struct action *again = lone->pending[lone->count - 1];
    assert_int_equal(again->message.type, MESSAGE_REPLICA_LIST);
    assert_int_equal(again->peer, slow_peer);
    assert_false(again->message.list.live_only);
    assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
    lone_answer(lone, again, (struct message){.list_reply = rows_of("a=L b=D")});
    rows_own(lone, "a=L b=L");
    assert_rows(lone, "a=L");
    lone_close(lone);
}

/* Whom an answer is missing of is made up for by the third; then there is nobody left. */
static void test_list__an_answer_is_no_use__another_is_asked(void **state)
{
    (void)state;
    enum { IO, OTHERWISE, NO_MARKS, GONE, WAYS };
    for (int way = 0; way < 2 * WAYS; way++) {
        struct lone *lone = lone_open(3, 3);
        lone_ask(lone, rows_listing(100, 0, true));
        rows_own(lone, "a=L #:1");
        for (int i = 0; i < 2; i++) {
            struct action *sent = lone_sent(lone, MESSAGE_REPLICA_LIST);
            assert_non_null(sent);
            if (i == 1 && way >= WAYS) {
                rows_peer(lone, "a=L #:1");
                break;
            }
            struct message reply = {.list_reply = rows_of("a=L #:1")};
            if (way % WAYS == GONE) {
                list_reply_release(&reply.list_reply);
                lone_disconnect(lone, sent->peer);
                lone_drop(lone, sent);
                continue;
            }
            if (way % WAYS == NO_MARKS) {
                list_reply_release(&reply.list_reply);
                reply.list_reply = rows_of("a=L");
            }
            if (way % WAYS == OTHERWISE) {
                list_reply_release(&reply.list_reply);
                reply.type = MESSAGE_PING_REPLY;
            }
            reply.status = way % WAYS == IO ? STATUS_IO : STATUS_OK;
            lone_answer(lone, sent, reply);
        }
        if (way >= WAYS) {
            assert_rows(lone, "a=L");
        } else {
            assert_rows_failed(lone, STATUS_NO_QUORUM);
        }
        assert_int_equal(lone->core->stats.lists_failed, way >= WAYS ? 0 : 1);
        lone_close(lone);
    }
}

/* A listing of the names behind "c", or from there on, of which the own disk tells "d". */
static struct lone *open_behind(bool after_start, bool by_marks, const char *end,
                                bool is_prefix)
{
    struct lone *lone = lone_open(3, 3);
    struct message listing = rows_listing(100, 0, by_marks);
    listing.list.start = blob_new(slice_of_string("c"));
    listing.list.after_start = after_start;
    listing.list.end = end ? blob_new(slice_of_string(end)) : NULL;
    listing.list.end_is_prefix = is_prefix;
    lone_ask(lone, listing);
    rows_own(lone, by_marks ? "d=L #:1" : "d=L");
    return lone;
}

/* Names that were not asked for would be listed, or lead its reader round for ever. */
static void test_list__an_answer_is_of_other_names__another_is_asked(void **state)
{
    (void)state;
    static const struct {
        bool by_marks;
        const char *end;
        bool is_prefix;
        const char *told;
    } cases[] = {
        {true, NULL, false, "b=L d=L #:1"},  {true, NULL, false, "c=L d=L #:1"},
        {true, NULL, false, "d=L #c:1 #:1"}, {true, NULL, false, "d=L #b:1"},
        {true, NULL, false, "d=L e=D #:1"},  {false, NULL, false, "c=L d=L"},
        {false, NULL, false, ">c"},          {false, NULL, false, "d=L f=L >e"},
        {false, "k", false, "d=L l=L"},      {false, "k", false, "d=L >l"},
        {false, "d", true, "d=L e=L"},       {false, "d", true, "c0=L d=L"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone =
            open_behind(true, cases[i].by_marks, cases[i].end, cases[i].is_prefix);
        rows_peer(lone, cases[i].told);
        assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
        assert_int_equal(lone->core->stats.corrupt, 1);
        rows_peer(lone, cases[i].by_marks ? "d=L #:1" : "d=L");
        assert_rows(lone, "d=L");
        lone_close(lone);
    }
}

static void test_list__an_answer_fills_its_range__is_believed(void **state)
{
    (void)state;
    static const struct {
        bool after_start, by_marks;
        const char *end;
        bool is_prefix;
        const char *told, *expected;
    } cases[] = {
        {false, false, NULL, false, "c=L d=L", "c=L d=L"},
        {true, false, NULL, false, "c0=L d=D", "c0=L d=D"},
        {true, false, "d", false, "d=L >d", "d=L >d"},
        {true, false, "d", true, "d=L d9=L", "d=L d9=L"},
        {true, false, NULL, false, "d=L >z", "d=L >z"},
        {false, true, NULL, false, "d=L #c:2 #:1", "d=L"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = open_behind(cases[i].after_start, cases[i].by_marks, cases[i].end,
                                        cases[i].is_prefix);
        rows_peer(lone, cases[i].told);
        assert_rows(lone, cases[i].expected);
        assert_int_equal(lone->core->stats.corrupt, 0);
        lone_close(lone);
    }
}

/* What it told by marks is no answer any more. */
static void test_list__replica_goes_before_all_rows_are_asked_for__is_made_up_for(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_ask(lone, rows_listing(100, 0, true));
    uint16_t peer = lone_sent(lone, MESSAGE_REPLICA_LIST)->peer;
    rows_peer(lone, "a=L #:1");
    lone_disconnect(lone, peer);
    rows_own(lone, "#:2");
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 1);
    assert_true(lone_sent(lone, MESSAGE_REPLICA_LIST)->peer != peer);
    rows_own(lone, "a=D");
    rows_peer(lone, "a=L b=L");
    assert_rows(lone, "b=L");
    lone_close(lone);
}

/* The own disk fails, or the own copies are not complete: the others answer. */
static void test_list__own_rows_are_no_use__others_are_asked(void **state)
{
    (void)state;
    for (int is_refilling = 0; is_refilling < 2; is_refilling++) {
        struct lone *lone = lone_open(3, 3);
        lone->core->is_complete = !is_refilling;
        lone_ask(lone, rows_listing(100, 0, true));
        if (!is_refilling) {
            lone_stored(lone, lone_store(lone, STORE_LIST),
                        (struct store_result){.status = STATUS_IO});
        }
        assert_int_equal(lone_stores(lone, STORE_LIST), 0);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 2);
        rows_peer(lone, "a=L c=L #b:1 #:2");
        rows_peer(lone, "a=L #b:1 #:3");
        assert_rows(lone, "a=L >b");
        lone_close(lone);
    }
}

static void test_list__nobody_answers__ends_with_its_deadline(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    uint32_t active = lone->core->active_count;
    lone_ask(lone, rows_listing(100, 0, true));
    assert_int_equal(core_requests_in_flight(lone->core), 1);
    lone_run(lone, 5 * SECOND - 1);
    assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
    lone_run(lone, 1);
    assert_rows_failed(lone, STATUS_TIMEOUT);
    assert_int_equal(lone->core->active_count, active);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    lone_close(lone);
}

/* A ring is handed round: all are asked anew in a moment. */
static void test_list__replica_has_a_newer_ring__asks_again(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_ask(lone, rows_listing(100, 0, true));
    lone->core->ring_mark++; /* it has come meanwhile */
    for (int i = 0; i < 2; i++) {
        lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                    (struct message){.status = STATUS_STALE_RING});
    }
    lone_drop(lone, lone_store(lone, STORE_LIST));
    lone_run(lone, HEDGE_AFTER_US - 1);
    assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 1);
    rows_own(lone, "a=L #:1");
    rows_peer(lone, "a=L #:1");
    assert_rows(lone, "a=L");
    lone_close(lone);
}

/* Two rings of one epoch stay two: there is nothing to wait for. */
static void test_list__replicas_have_another_ring_of_this_epoch__is_told_at_once(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_ask(lone, rows_listing(100, 0, true));
    for (int i = 0; i < 2; i++) {
        lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                    (struct message){.status = STATUS_STALE_RING});
    }
    assert_rows_failed(lone, STATUS_NO_QUORUM);
    lone_close(lone);
}

/* One read in ten may be hedged: listings count. */
static void test_list__is_read__pays_for_a_part_of_a_hedge(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone->core->hedges = 0;
    for (uint32_t i = 1; i <= 5; i++) {
        lone_ask(lone, rows_listing(100, 0, true));
        rows_own(lone, "#:1");
        rows_peer(lone, "#:1");
        assert_rows(lone, "");
        assert_int_equal(lone->core->hedges, i);
    }
    lone_close(lone);
}

static void hold_bytes(struct core *core, void *context)
{
    (void)context;
    struct request *request = request_new(core, &list_kind, UINT64_MAX, false);
    assert_non_null(request);
    request_charge(core, request, core->bytes_max - core->bytes_max / 4); /* clients' share */
}

static void test_list__no_room__is_told_so(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_fill_table(lone, true);
    lone_ask(lone, rows_listing(100, 0, true));
    assert_rows_failed(lone, STATUS_BUSY);
    lone_fill_table(lone, false);
    lone_do(lone, hold_bytes, NULL);
    lone_ask(lone, rows_listing(100, 0, true));
    assert_rows_failed(lone, STATUS_BUSY);
    assert_int_equal(lone->core->stats.lists, 0);
    lone_close(lone);
}

/* The listing of a directory that this node does not hold. */
static struct message listing_elsewhere(const struct lone *lone)
{
    struct message listing = rows_listing(100, 0, true);
    for (int i = 0; peer_holds(lone->core, PEER_SELF, blob_slice(listing.list.directory));
         i++) {
        char directory[16];
        (void)snprintf(directory, sizeof directory, "d%d/", i);
        blob_unref(listing.list.directory);
        listing.list.directory = blob_new(slice_of_string(directory));
    }
    return listing;
}

/* No primary can be asked to coordinate it: this node does, and reaches none either. */
static void test_list__fallback_coordinates__says_what_it_lacks(void **state)
{
    (void)state;
    for (int has_room = 0; has_room < 2; has_room++) {
        struct lone *lone = lone_open(7, 3);
        lone_ask(lone, listing_elsewhere(lone));
        uint16_t asked = lone_sent(lone, MESSAGE_LIST)->peer;
        for (uint16_t peer = 0; peer < lone->core->peer_count; peer++) {
            if (peer != asked) {
                lone_disconnect(lone, peer);
            }
        }
        assert_int_equal(lone->core->stats.lists, 0);
        lone_fill_table(lone, !has_room);
        lone_disconnect(lone, asked);
        lone_fill_table(lone, false);
        assert_rows_failed(lone, STATUS_NO_QUORUM);
        assert_int_equal(lone->core->stats.lists, has_room ? 1 : 0);
        lone_close(lone);
    }
}

/* All primaries say that they cannot coordinate it, and answer this node. */
static void test_list__primaries_do_not_coordinate__this_node_does(void **state)
{
    (void)state;
    for (int is_good = 0; is_good < 2; is_good++) {
        struct lone *lone = lone_open(7, 3);
        struct message listing = listing_elsewhere(lone);
        listing.list.start = blob_new(slice_of_string("a"));
        listing.list.after_start = true;
        lone_ask(lone, listing);
        lone_run(lone, SECOND / 4);
        while (lone_sent(lone, MESSAGE_LIST)) {
            lone_answer(lone, lone_sent(lone, MESSAGE_LIST),
                        (struct message){.status = STATUS_CORRUPT});
        }
        assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_LIST), 2);
        assert_asked(&lone_sent(lone, MESSAGE_REPLICA_LIST)->message.list, true, 100);
        assert_int_equal(core_requests_in_flight(lone->core), 1);
        while (!is_good && lone_sent(lone, MESSAGE_REPLICA_LIST)) {
            lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                        (struct message){.status = STATUS_BUSY});
        }
        if (is_good) {
            rows_peer(lone, "b=L #:1");
            rows_peer(lone, "b=L #:1");
            assert_rows(lone, "b=L");
        } else {
            /* It tells more than that there is no quorum. */
            assert_rows_failed(lone, STATUS_CORRUPT);
        }
        /* How long it took counts from when the client asked. */
        lone_run(lone, SECOND / 10);
        lone_ask(lone, rows_listing(100, 0, true));
        (void)background_take(lone->core);
        assert_true(lone->core->background.p99_us >= SECOND / 4);
        lone_close(lone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks__of_two__tell_what_is_in_common),
        cmocka_unit_test(test_marks__of_three__tell_what_all_have_in_common),
        cmocka_unit_test(test_marks__nothing_in_common__all_rows_are_asked_for),
        cmocka_unit_test(test_marks__come_too_late__are_asked_again),
        cmocka_unit_test(test_list__an_answer_is_no_use__another_is_asked),
        cmocka_unit_test(test_list__an_answer_is_of_other_names__another_is_asked),
        cmocka_unit_test(test_list__an_answer_fills_its_range__is_believed),
        cmocka_unit_test(test_list__replica_goes_before_all_rows_are_asked_for__is_made_up_for),
        cmocka_unit_test(test_list__own_rows_are_no_use__others_are_asked),
        cmocka_unit_test(test_list__nobody_answers__ends_with_its_deadline),
        cmocka_unit_test(test_list__replica_has_a_newer_ring__asks_again),
        cmocka_unit_test(test_list__replicas_have_another_ring_of_this_epoch__is_told_at_once),
        cmocka_unit_test(test_list__is_read__pays_for_a_part_of_a_hedge),
        cmocka_unit_test(test_list__no_room__is_told_so),
        cmocka_unit_test(test_list__fallback_coordinates__says_what_it_lacks),
        cmocka_unit_test(test_list__primaries_do_not_coordinate__this_node_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
