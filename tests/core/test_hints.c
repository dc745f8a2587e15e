/*
 * test_hints.c - walks through what is kept for members that were away: which hints are sent,
 * when, and when they are dropped.
 *
 * - each hint of a member that is well is sent once, page by page, and dropped once it is
 *   acknowledged; not before, and not if anything failed
 * - one walk for each member; none for those that are away or suspected: they are waited for
 * - what fails is tried again after 1 s, 2 s, 4 s, ... 30 s
 * - a walk waits while the background's budget is used up, or there is no room or memory
 * - by hand all that is kept for one member is dropped and counted
 */
#include "node/core/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "node/core/timers.h"
#include "tests/core/lone_hints.h"

enum { SECOND = 1000000, PAGE = 16, OWNER = 1, OTHER = 3, DEADLINE_US = 5 * SECOND };

/* Hints for OWNER, under keys that tell their number. */
static struct store_result page_of(unsigned first, unsigned count, bool more)
{
    struct store_result result = {.operation = STORE_LIST_HINTS, .hints = {.more = more}};
    for (unsigned i = first; i < first + count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%03u", i);
        hints_add(&result, OWNER, HINT_OBJECT, key);
    }
    return result;
}

static void assert_key(const struct blob *key, const char *expected)
{
    assert_true(slice_equal(blob_slice(key), slice_of_string(expected)));
}

/* The walk for OWNER has begun; its first page is asked for. */
static struct lone *open_walk(void)
{
    struct lone *lone = hints_open(3);
    hints_ask_owners(lone);
    hints_tell_owners(lone, OWNER, 1, 0);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 1);
    return lone;
}

static void take_page(struct lone *lone, unsigned first, unsigned count, bool more)
{
    struct action *list = lone_store(lone, STORE_LIST_HINTS);
    char key[16];
    (void)snprintf(key, sizeof key, "k%03u", first - 1);
    assert_true(list->request.list_hints.owner == OWNER);
    assert_int_equal(list->request.list_hints.limit, PAGE);
    assert_key(list->request.key, first == 0 ? "" : key);
    assert_true(first == 0 || list->request.list_hints.kind == HINT_OBJECT);
    lone_stored(lone, list, page_of(first, count, more));
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), count);
    assert_int_equal(lone_stores(lone, STORE_CLEAR_HINTS), 0);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    for (unsigned i = 0; i < count; i++) {
        hints_acknowledge(lone, STATUS_OK);
        const struct store_request *clear = &lone_store(lone, STORE_CLEAR_HINTS)->request;
        (void)snprintf(key, sizeof key, "k%03u", first + i);
        assert_int_equal(clear->clear_hints.count, 1);
        assert_true(clear->clear_hints.hints[0].owner == OWNER);
        assert_int_equal(clear->clear_hints.hints[0].kind, HINT_OBJECT);
        assert_int_equal(clear->clear_hints.hints[0].stamp, HINT_STAMP + i);
        assert_key(clear->clear_hints.hints[0].key, key);
        /* None behind this page before all of it is done. */
        assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
        hints_dropped(lone, STATUS_OK);
    }
}

static void test_walk__some_pages__sends_and_drops_each_hint_once(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    uint32_t active = lone->core->active_count - 1;
    take_page(lone, 0, PAGE, true);
    take_page(lone, PAGE, 1, true);
    take_page(lone, PAGE + 1, PAGE, false);
    assert_int_equal(lone->core->stats.hints_delivered, 2 * PAGE + 1);
    assert_int_equal(lone->core->active_count, active);
    assert_hints_next(lone, 30);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    lone_close(lone);
}

static void test_walk__ends__drops_all_that_it_was_given(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    struct blob *key[2];
    struct object *object[2];
    for (unsigned i = 0; i < 2; i++) {
        struct action *list = lone_store(lone, STORE_LIST_HINTS);
        assert_ptr_equal(list->request.key, i == 0 ? NULL : key[0]);
        struct store_result page = page_of(i, 1, i == 0);
        key[i] = blob_ref(page.hints.hint[0].key);
        object[i] = object_ref(page.hints.hint[0].object);
        lone_stored(lone, list, page);
        hints_acknowledge(lone, STATUS_OK);
        hints_dropped(lone, STATUS_OK);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&key[i]->references), 1);
        assert_int_equal(atomic_load(&object[i]->references), 1);
        blob_unref(key[i]);
        object_unref(object[i]);
    }
    lone_close(lone);
}

static void test_walk__under_way__is_the_only_one_for_its_owner(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    hints_ask_owners(lone);
    hints_tell_owners(lone, OWNER, 7, OTHER);
    assert_int_equal(lone->core->stats.hints_kept, 14);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 2);
    struct action *list = lone_store(lone, STORE_LIST_HINTS);
    assert_true(list->request.list_hints.owner == OWNER);
    lone_drop(lone, list);
    list = lone_store(lone, STORE_LIST_HINTS);
    assert_true(list->request.list_hints.owner == OTHER);
    /* One at a time, too, who asks for owners. */
    hints_ask_owners(lone);
    hints_wanted(lone->core, 0);
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 1);
    lone_close(lone);
}

static void test_owners__nothing_is_kept__nobody_is_walked_for(void **state)
{
    (void)state;
    struct lone *lone = hints_open(3);
    uint32_t active = lone->core->active_count;
    hints_ask_owners(lone);
    hints_tell_owners(lone, OWNER, 0, OTHER);
    assert_int_equal(lone->core->active_count, active);
    assert_int_equal(lone->core->stats.hints_kept, 0);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
    assert_hints_next(lone, 30);
    lone_close(lone);
}

static void make_away(struct lone *lone, node_id member, bool is_suspect)
{
    if (is_suspect) {
        peer_failed(lone->core, lone_peer(lone, member));
    } else {
        lone_disconnect(lone, lone_peer(lone, member));
    }
}

static void test_owners__one_is_away__is_waited_for(void **state)
{
    (void)state;
    static const uint64_t after_s[] = {1, 2, 4, 8, 16, 30, 30};
    for (int is_suspect = 0; is_suspect < 2; is_suspect++) {
        struct lone *lone = hints_open(3);
        make_away(lone, OWNER, is_suspect != 0);
        hints_ask_owners(lone);
        for (size_t i = 0; i < sizeof after_s / sizeof after_s[0]; i++) {
            hints_tell_owners(lone, OWNER, 1, 0);
            assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
            assert_hints_next(lone, after_s[i]);
        }
        /* The other one is served meanwhile. */
        hints_tell_owners(lone, OWNER, 1, OTHER);
        assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 1);
        assert_true(lone_store(lone, STORE_LIST_HINTS)->request.list_hints.owner == OTHER);
        /* As soon as it is back. */
        if (is_suspect) {
            lone_answer(lone, lone_sent(lone, MESSAGE_PING), (struct message){0});
        } else {
            lone_connect(lone, lone_peer(lone, OWNER));
        }
        lone_run(lone, LOOK_SOON_US);
        assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 1);
        hints_tell_owners(lone, OWNER, 1, 0);
        assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 2);
        lone_close(lone);
    }
}

enum failure {
    OWNERS_UNREAD,
    PAGE_UNREAD,
    REFUSED,
    CONNECTION_BREAKS,
    NO_ANSWER,
    NOT_DROPPED,
    NO_ROOM,
    NO_MEMORY,
    FAILURES
};

/* It has looked for owners, and what follows fails so; another hint of the page is delivered. */
static void fail_so(struct lone *lone, enum failure failure)
{
    if (failure == OWNERS_UNREAD) {
        lone_stored(lone, lone_store(lone, STORE_HINT_OWNERS),
                    (struct store_result){.status = STATUS_IO});
        return;
    }
    hints_tell_owners(lone, OWNER, 1, 0);
    struct store_result page =
        page_of(0, failure == PAGE_UNREAD ? 0 : 2, failure == PAGE_UNREAD);
    page.status = failure == PAGE_UNREAD ? STATUS_IO : STATUS_OK;
    lone_fill_table(lone, failure == NO_ROOM);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page);
    lone_fill_table(lone, false);
    if (failure == PAGE_UNREAD || failure == NO_ROOM) {
        return;
    }
    hints_acknowledge(lone, failure == REFUSED ? STATUS_IO : STATUS_OK);
    if (failure == NO_MEMORY) {
        lone_fail_allocation(0);
    }
    if (failure == CONNECTION_BREAKS) {
        lone_disconnect(lone, lone_peer(lone, OWNER));
    } else if (failure == NO_ANSWER) {
        lone_run(lone, DEADLINE_US);
    } else {
        hints_acknowledge(lone, STATUS_OK);
    }
    lone_fail_allocation(-1);
    while (lone_store(lone, STORE_CLEAR_HINTS)) {
        bool fails = failure == NOT_DROPPED && lone_stores(lone, STORE_CLEAR_HINTS) == 1;
        hints_dropped(lone, fails ? STATUS_IO : STATUS_OK);
    }
}

static void restore(struct lone *lone)
{
    uint16_t peer = lone_peer(lone, OWNER);
    if (!peer_is_usable(lone->core, peer)) {
        lone->core->peers[peer].is_replica = true;
    }
    lone->core->peers[peer].is_suspect = false;
    while (lone_sent(lone, MESSAGE_REPLICA_PUT)) {
        lone_drop(lone, lone_sent(lone, MESSAGE_REPLICA_PUT));
    }
}

static void test_walk__something_fails__tries_again_later_each_time(void **state)
{
    (void)state;
    static const uint64_t after_s[] = {1, 2, 4, 8, 16, 30, 30};
    for (int failure = 0; failure < FAILURES; failure++) {
        struct lone *lone = hints_open(3);
        hints_ask_owners(lone);
        for (int round = 0; round < 2; round++) {
            for (size_t i = 0; i < sizeof after_s / sizeof after_s[0]; i++) {
                fail_so(lone, (enum failure)failure);
                restore(lone);
                assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
                /* Half a minute after the last look at the latest. */
                uint64_t passed_s = failure == NO_ANSWER ? DEADLINE_US / SECOND : 0;
                bool is_last = after_s[i] + passed_s > 30;
                assert_hints_next(lone, is_last ? 30 - passed_s : after_s[i]);
            }
            hints_tell_owners(lone, 0, 0, 0);
            assert_hints_next(lone, 30);
        }
        lone_close(lone);
    }
}

/* One member that is away, and one that refuses: they count as one failure. */
static void test_walks__several_fail__count_once(void **state)
{
    (void)state;
    struct lone *lone = hints_open(3);
    hints_ask_owners(lone);
    for (uint64_t after_s = 1; after_s < 16; after_s *= 2) {
        hints_tell_owners(lone, OWNER, 1, OTHER);
        for (int i = 0; i < 2; i++) {
            lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(0, 1, false));
            hints_acknowledge(lone, STATUS_IO);
        }
        assert_hints_next(lone, after_s);
    }
    lone_close(lone);
}

/* Those behind it would never come to their turn. */
static void test_walk__one_hint_is_refused__goes_on_behind_it(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    for (unsigned i = 0; i < 3; i++) {
        lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(i * 2, 2, true));
        hints_acknowledge(lone, i == 1 ? STATUS_OK : STATUS_IO);
        hints_acknowledge(lone, i == 2 ? STATUS_IO : STATUS_OK);
        while (lone_store(lone, STORE_CLEAR_HINTS)) {
            hints_dropped(lone, STATUS_OK);
        }
        /* Where none gets through the owner is left alone. */
        assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), i == 2 ? 0 : 1);
    }
    assert_int_equal(lone->core->stats.hints_delivered, 3);
    assert_hints_next(lone, 1);
    lone_close(lone);
}

static void test_walk__budget_is_used_up__waits_for_its_turn(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(0, 1, true));
    hints_acknowledge(lone, STATUS_OK);
    while (background_take(lone->core)) {
    }
    hints_dropped(lone, STATUS_OK);
    lone_run(lone, TURN_AFTER_US - 1);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
    lone_run(lone, 200000);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 1);
    lone_run(lone, SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 1);
    /* A page that takes longer than anything else is waited for. */
    lone_run(lone, UINT64_C(300) * SECOND);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(1, 1, false));
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 1);
    lone_close(lone);
}

static void test_walk__no_room_to_begin__is_tried_in_a_second(void **state)
{
    (void)state;
    struct lone *lone = hints_open(3);
    lone_fill_table(lone, true);
    hints_wanted(lone->core, 0);
    lone_run(lone, 0);
    lone_fill_table(lone, false);
    assert_hints_next(lone, 1);
    /* The walk itself finds none: the request that asked has its place still. */
    lone_fill_table(lone, true);
    hints_tell_owners(lone, OWNER, 1, 0);
    lone_fill_table(lone, false);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
    assert_hints_next(lone, 1);
    hints_tell_owners(lone, OWNER, 1, 0);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 1);
    lone_close(lone);
}

static void test_walk__node_stops__ends_and_none_begins(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(0, 1, true));
    hints_acknowledge(lone, STATUS_OK);
    core_drain(lone->core);
    hints_dropped(lone, STATUS_OK);
    hints_wanted(lone->core, 0);
    lone_run(lone, 40 * SECOND);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
    lone_close(lone);
}

static void test_walk__no_ring_yet__none_begins(void **state)
{
    (void)state;
    struct lone *lone = lone_open(0, 1);
    lone_run(lone, 40 * SECOND);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
    lone_close(lone);
}

/* By hand -------------------------------------------------------------------------------- */

static void ask_to_drop(struct lone *lone, node_id owner)
{
    struct message message = {.type = MESSAGE_DROP_HINTS, .request_id = 9};
    message.drop_hints.owner = owner;
    lone_ask(lone, message);
}

static void assert_told(struct lone *lone, enum status status, uint64_t count)
{
    struct action *reply = lone_reply(lone, MESSAGE_DROP_HINTS_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->message.request_id, 9);
    assert_int_equal(reply->handle, LONE_HANDLE);
    assert_int_equal(reply->message.status, status);
    assert_int_equal(reply->message.drop_hints_reply.count, count);
    lone_drop(lone, reply);
}

static void test_drop__some_pages__all_are_dropped_and_counted(void **state)
{
    (void)state;
    struct lone *lone = hints_open(3);
    uint32_t active = lone->core->active_count;
    ask_to_drop(lone, OWNER);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    struct blob *last[2];
    unsigned first = 0;
    for (unsigned count = 2; count > 0; count--) {
        struct action *list = lone_store(lone, STORE_LIST_HINTS);
        char key[16];
        (void)snprintf(key, sizeof key, "k%03u", first - 1);
        assert_true(list->request.list_hints.owner == OWNER);
        assert_key(list->request.key, first == 0 ? "" : key);
        assert_true(first == 0 || list->request.list_hints.kind == HINT_OBJECT);
        struct store_result page = page_of(first, count, true);
        last[2 - count] = blob_ref(page.hints.hint[count - 1].key);
        lone_stored(lone, list, page);
        const struct store_request *clear = &lone_store(lone, STORE_CLEAR_HINTS)->request;
        assert_int_equal(clear->clear_hints.count, count);
        assert_int_equal(clear->clear_hints.hints[count - 1].stamp, HINT_STAMP + count - 1);
        assert_ptr_equal(clear->clear_hints.hints[count - 1].key, last[2 - count]);
        assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
        hints_dropped(lone, STATUS_OK);
        first += count;
    }
    assert_null(lone_reply(lone, MESSAGE_DROP_HINTS_REPLY));
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(0, 0, false));
    assert_told(lone, STATUS_OK, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&last[i]->references), 1);
        blob_unref(last[i]);
    }
    assert_int_equal(lone->core->active_count, active);
    /* They are counted anew. */
    lone_run(lone, 0);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 1);
    lone_close(lone);
}

static void test_drop__disk_fails__says_so_and_how_many_are_gone(void **state)
{
    (void)state;
    struct lone *lone = hints_open(3);
    ask_to_drop(lone, OWNER);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS),
                (struct store_result){.status = STATUS_IO});
    assert_told(lone, STATUS_IO, 0);
    ask_to_drop(lone, OWNER);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(0, 2, true));
    hints_dropped(lone, STATUS_OK);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page_of(2, 3, true));
    hints_dropped(lone, STATUS_IO);
    assert_int_equal(lone_stores(lone, STORE_LIST_HINTS), 0);
    assert_told(lone, STATUS_IO, 2);
    lone_close(lone);
}

static void test_drop__owner_is_walked_for_or_there_is_no_room__is_told_to_wait(void **state)
{
    (void)state;
    struct lone *lone = open_walk();
    ask_to_drop(lone, OWNER);
    assert_told(lone, STATUS_BUSY, 0);
    ask_to_drop(lone, OTHER);
    assert_null(lone_reply(lone, MESSAGE_DROP_HINTS_REPLY));
    ask_to_drop(lone, OTHER); /* once is enough */
    assert_told(lone, STATUS_BUSY, 0);
    lone_fill_table(lone, true);
    ask_to_drop(lone, 4);
    assert_told(lone, STATUS_BUSY, 0);
    lone_close(lone);
    lone = lone_open(0, 1);
    ask_to_drop(lone, OWNER);
    assert_told(lone, STATUS_NOT_READY, 0);
    lone_close(lone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk__some_pages__sends_and_drops_each_hint_once),
        cmocka_unit_test(test_walk__ends__drops_all_that_it_was_given),
        cmocka_unit_test(test_walk__under_way__is_the_only_one_for_its_owner),
        cmocka_unit_test(test_walk__something_fails__tries_again_later_each_time),
        cmocka_unit_test(test_walks__several_fail__count_once),
        cmocka_unit_test(test_walk__one_hint_is_refused__goes_on_behind_it),
        cmocka_unit_test(test_walk__budget_is_used_up__waits_for_its_turn),
        cmocka_unit_test(test_walk__no_room_to_begin__is_tried_in_a_second),
        cmocka_unit_test(test_walk__node_stops__ends_and_none_begins),
        cmocka_unit_test(test_walk__no_ring_yet__none_begins),
        cmocka_unit_test(test_owners__nothing_is_kept__nobody_is_walked_for),
        cmocka_unit_test(test_owners__one_is_away__is_waited_for),
        cmocka_unit_test(test_drop__some_pages__all_are_dropped_and_counted),
        cmocka_unit_test(test_drop__disk_fails__says_so_and_how_many_are_gone),
        cmocka_unit_test(test_drop__owner_is_walked_for_or_there_is_no_room__is_told_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
