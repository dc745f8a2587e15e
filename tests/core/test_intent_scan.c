/*
 * test_intent_scan.c - what was left undone is taken up again: which intents, how often, and
 * when.
 *
 * - a scan goes through all pages, takes up each intent once, and counts as no client's request
 * - one at a time of each kind; the next half a minute later, or as soon as something is left
 * - what fails is tried again after 1 s, 2 s, 4 s, ... 30 s; what is gone has not failed
 * - an intent whose put is under way is left to it
 * - none begins before there is a ring, or while the node stops
 * - a scan waits while the background's budget is used up, or there is no room or memory
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
#include "node/core/timers.h"
#include "tests/core/lone.h"
#include "tests/ring/make.h"

enum { SECOND = 1000000, PAGE = 16 };

static struct blob *blob_of(const char *text)
{
    return blob_new(slice_of_string(text));
}

/* A page of the disk: intents `first` and so on, under keys that tell their number. */
static struct store_result page_of(enum intent_kind kind, unsigned first, uint16_t count,
                                   bool more)
{
    struct store_result result = {.operation = STORE_LIST_INTENTS,
                                  .intents = {.count = count, .more = more}};
    result.intents.intent = calloc(count + 1U, sizeof *result.intents.intent);
    assert_non_null(result.intents.intent);
    for (uint16_t i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%03u%s", first + i, kind == INTENT_ROW ? "" : "/");
        result.intents.intent[i] =
            (struct intent){.kind = kind, .key = blob_of(key), .stamp = 1000 + first + i};
    }
    return result;
}

static struct action *scan_of(struct lone *lone, enum intent_kind kind)
{
    for (int i = 0; i < lone->count; i++) {
        struct action *action = lone->pending[i];
        if (action->type == ACTION_STORE && action->request.operation == STORE_LIST_INTENTS &&
            action->request.list_intents.kind == kind) {
            return action;
        }
    }
    return NULL;
}

/* A node alone, whose scans that follow its start are over. */
static struct lone *open_quiet(void)
{
    struct lone *lone = lone_open(1, 1);
    /* One of each kind. */
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 2);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 0, false));
    lone_stored(lone, scan_of(lone, INTENT_REVIVE), page_of(INTENT_REVIVE, 0, 0, false));
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    return lone;
}

/* The row scan that is due by now. */
static void begin_scan(struct lone *lone)
{
    intents_wanted(lone->core, INTENT_ROW, 0);
    lone_run(lone, 0);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 1);
    assert_non_null(scan_of(lone, INTENT_ROW));
    assert_null(scan_of(lone, INTENT_ROW)->request.key);
}

/* The put that takes the next intent up ends so. NOT_FOUND: the object is gone by now. */
static void end_push(struct lone *lone, enum status status)
{
    lone_stored(lone, lone_store(lone, STORE_COORDINATE),
                (struct store_result){.status = status});
}

static void test_scan__some_pages__takes_up_each_intent_once(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    uint32_t active = lone->core->active_count;
    begin_scan(lone);
    for (unsigned page = 0; page < 3; page++) {
        struct action *scan = scan_of(lone, INTENT_ROW);
        char after[16];
        (void)snprintf(after, sizeof after, "k%03u", page * PAGE - 1);
        assert_true(slice_equal(blob_slice(scan->request.key),
                                slice_of_string(page == 0 ? "" : after)));
        assert_int_equal(scan->request.list_intents.limit, PAGE);
        assert_true(scan->request.list_intents.stamp_max == UINT64_MAX);
        uint16_t count = page == 2 ? 1 : PAGE;
        lone_stored(lone, scan, page_of(INTENT_ROW, page * PAGE, count, page < 2));

        assert_int_equal(lone_stores(lone, STORE_COORDINATE), count);
        for (unsigned i = 0; i < count; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "k%03u", page * PAGE + i);
            /* None behind this page before all of it is done. */
            assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
            const struct store_request *push = &lone_store(lone, STORE_COORDINATE)->request;
            assert_true(slice_equal(blob_slice(push->key), slice_of_string(key)));
            assert_int_equal(push->coordinate.put->mode, UPDATE_NONE);
            end_push(lone, STATUS_NOT_FOUND);
        }
    }
    assert_int_equal(lone->core->stats.intents_retried, 2 * PAGE + 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    assert_int_equal(lone->core->active_count, active);
    lone_close(lone);
}

static void test_scan__ends__drops_all_that_it_was_given(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    begin_scan(lone);
    struct store_result pages[] = {page_of(INTENT_ROW, 0, 1, true),
                                   page_of(INTENT_ROW, 1, 1, false)};
    struct blob *keys[] = {blob_ref(pages[0].intents.intent[0].key),
                           blob_ref(pages[1].intents.intent[0].key)};
    for (int i = 0; i < 2; i++) {
        struct action *scan = scan_of(lone, INTENT_ROW);
        assert_ptr_equal(scan->request.key, i == 0 ? NULL : keys[0]);
        lone_stored(lone, scan, pages[i]);
        end_push(lone, STATUS_NOT_FOUND);
    }
    /* The intents themselves are dropped a moment later. */
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_CLEAR_INTENTS), 1);
    lone_drop(lone, lone_store(lone, STORE_CLEAR_INTENTS));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&keys[i]->references), 1);
        blob_unref(keys[i]);
    }
    lone_close(lone);
}

static void test_scan__under_way__is_the_only_one_and_no_clients(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    begin_scan(lone);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    intents_wanted(lone->core, INTENT_ROW, 0);
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 1);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 2, false));
    end_push(lone, STATUS_NOT_FOUND);
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    /* What was left since it began is looked after as soon as it ends. */
    end_push(lone, STATUS_NOT_FOUND);
    lone_run(lone, 0);
    assert_non_null(scan_of(lone, INTENT_ROW));
    lone_close(lone);
}

static void test_scan__nothing_to_do__comes_again_after_half_a_minute(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    lone_run(lone, RETRY_MAX_US - 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_run(lone, 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 2);
    lone_close(lone);
}

/* Runs until the next row scan has begun; how long that took. */
static uint64_t wait_for_scan(struct lone *lone)
{
    uint64_t begin_us = lone->now_us;
    while (!scan_of(lone, INTENT_ROW)) {
        assert_true(lone->now_us - begin_us < 40 * SECOND);
        lone_run(lone, 1000);
    }
    return lone->now_us - begin_us;
}

enum failure { CANNOT_READ, ONE_FAILS, FIRST_OF_TWO_FAILS, NO_ROOM, NO_MEMORY, FAILURES };

/* The scan that has begun ends so. */
static void fail_scan(struct lone *lone, enum failure failure)
{
    struct store_result page = page_of(INTENT_ROW, 0, failure == CANNOT_READ ? 0 : 2, false);
    if (failure == CANNOT_READ) {
        page.status = STATUS_IO;
        page.intents.more = true;
    }
    if (failure == NO_MEMORY) {
        lone_fail_allocation(0); /* of the put */
    }
    lone_fill_table(lone, failure == NO_ROOM);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page);
    lone_fill_table(lone, false);
    int expected[FAILURES] = {0, 2, 2, 0, 1};
    assert_int_equal(lone_stores(lone, STORE_COORDINATE), expected[failure]);
    assert_int_equal(lone_has_failed(), failure == NO_MEMORY);
    lone_fail_allocation(-1);
    if (failure == FIRST_OF_TWO_FAILS) {
        end_push(lone, STATUS_IO);
    }
    while (lone_store(lone, STORE_COORDINATE)) {
        bool fails = failure == ONE_FAILS && lone_stores(lone, STORE_COORDINATE) == 1;
        end_push(lone, fails ? STATUS_IO : STATUS_NOT_FOUND);
    }
    assert_null(scan_of(lone, INTENT_ROW));
}

static void test_scan__something_fails__tries_again_later_each_time(void **state)
{
    (void)state;
    static const uint64_t after_s[] = {1, 2, 4, 8, 16, 30, 30};
    for (int failure = 0; failure < FAILURES; failure++) {
        struct lone *lone = open_quiet();
        begin_scan(lone);
        for (int round = 0; round < 2; round++) {
            for (size_t i = 0; i < sizeof after_s / sizeof after_s[0]; i++) {
                fail_scan(lone, (enum failure)failure);
                /* Nodes that failed together do not try again together. */
                uint64_t waited_us = wait_for_scan(lone);
                assert_true(waited_us >= after_s[i] * SECOND);
                assert_true(waited_us <= (after_s[i] + 1) * SECOND + 1000);
            }
            lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 0, false));
            assert_true(wait_for_scan(lone) >= RETRY_MAX_US - SECOND);
        }
        lone_close(lone);
    }
}

/* What can be done is done although another thing fails, and what lies behind it. */
static void test_scan__something_fails__goes_on_with_the_next_page(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    begin_scan(lone);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 2, true));
    end_push(lone, STATUS_IO);
    end_push(lone, STATUS_NOT_FOUND);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 2, 1, false));
    end_push(lone, STATUS_NOT_FOUND);
    assert_int_equal(lone->core->stats.intents_retried, 3);
    uint64_t waited_us = wait_for_scan(lone);
    assert_true(waited_us >= SECOND && waited_us <= 2 * SECOND + 1000);
    lone_close(lone);
}

static void test_scan__put_is_under_way__its_intent_is_left_to_it(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    struct message put = {.type = MESSAGE_PUT, .request_id = 1};
    put.put.key = blob_of("k000");
    put.put.mode = UPDATE_ALL;
    put.put.has_value = true;
    put.put.value = make_version(make_dot("1.5:5"), "text");
    lone_ask(lone, put);
    struct store_result stored = {.object = make_object("1.5:5 | 1.5:5", NULL),
                                  .intent_stamp = 1000};
    lone_stored(lone, lone_store(lone, STORE_COORDINATE), stored);
    assert_true(lone_sends(lone, MESSAGE_REPLICA_PUT) > 0);

    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 2, true));

    assert_int_equal(lone_stores(lone, STORE_COORDINATE), 1);
    assert_true(slice_equal(blob_slice(lone_store(lone, STORE_COORDINATE)->request.key),
                            slice_of_string("k001")));
    end_push(lone, STATUS_NOT_FOUND);
    /* A page of nothing else is done at once, and nothing has failed. */
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 1, true));
    assert_int_equal(lone_stores(lone, STORE_COORDINATE), 0);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 2, 0, false));
    assert_true(lone->core->scans[0].backoff_us == 0 && !lone->core->scans[0].running);
    lone_close(lone);
}

static void test_scan__budget_is_used_up__waits_for_its_turn(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    begin_scan(lone);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 1, true));
    while (background_take(lone->core)) {
    }
    end_push(lone, STATUS_NOT_FOUND);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_run(lone, TURN_AFTER_US - 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_run(lone, 200000);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 1);
    /* Its turn came once. */
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 1);
    lone_close(lone);
}

static void test_scan__no_room_to_begin__comes_again_in_a_second(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    lone_fill_table(lone, true);
    intents_wanted(lone->core, INTENT_ROW, 0);
    lone_run(lone, RETRY_MIN_US - 1);
    lone_fill_table(lone, false);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_run(lone, 1);
    assert_non_null(scan_of(lone, INTENT_ROW));
    lone_close(lone);
}

static void test_scan__node_stops__ends_and_none_begins(void **state)
{
    (void)state;
    struct lone *lone = open_quiet();
    begin_scan(lone);
    lone_stored(lone, scan_of(lone, INTENT_ROW), page_of(INTENT_ROW, 0, 1, true));
    core_drain(lone->core);
    end_push(lone, STATUS_NOT_FOUND);
    intents_wanted(lone->core, INTENT_ROW, 0);
    lone_run(lone, 40 * SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_close(lone);
}

static void test_scan__no_ring_yet__none_begins(void **state)
{
    (void)state;
    struct lone *lone = lone_open(0, 1);
    lone_run(lone, 40 * SECOND);
    assert_int_equal(lone_stores(lone, STORE_SAVE_RING), 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_INTENTS), 0);
    lone_close(lone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan__some_pages__takes_up_each_intent_once),
        cmocka_unit_test(test_scan__ends__drops_all_that_it_was_given),
        cmocka_unit_test(test_scan__under_way__is_the_only_one_and_no_clients),
        cmocka_unit_test(test_scan__nothing_to_do__comes_again_after_half_a_minute),
        cmocka_unit_test(test_scan__something_fails__tries_again_later_each_time),
        cmocka_unit_test(test_scan__something_fails__goes_on_with_the_next_page),
        cmocka_unit_test(test_scan__put_is_under_way__its_intent_is_left_to_it),
        cmocka_unit_test(test_scan__budget_is_used_up__waits_for_its_turn),
        cmocka_unit_test(test_scan__no_room_to_begin__comes_again_in_a_second),
        cmocka_unit_test(test_scan__node_stops__ends_and_none_begins),
        cmocka_unit_test(test_scan__no_ring_yet__none_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
