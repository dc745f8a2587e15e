/*
 * test_handoff.c - one hint on its way: who gets what of it, and what becomes of it.
 *
 * - its owner gets what it holds: the object, its row, or both, to survive a power cut
 * - if the owner left the ring, or holds the object no more, all primaries get it; it is dropped
 *   when each of them has it
 * - a marker stands for the own copy, as that is now; where it is of a row alone the copy goes as
 *   a put does
 * - what fails at any of these is kept
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/placement.h"
#include "node/core/timers.h"
#include "tests/core/lone_hints.h"
#include "tests/ring/make.h"

enum { SECOND = 1000000, MEMBERS = 7, SELF = 2, OWNER = 1, GONE = 99, BOTH = 3 };

static const char COPY[] = "1.5:5 | 1.5:5";

static bool holds(const struct lone *lone, node_id member, struct slice key)
{
    return peer_holds(lone->core, member == SELF ? PEER_SELF : lone_peer(lone, member), key);
}

/* The parts of the key that the member holds. */
static int parts_of(const struct lone *lone, node_id member, const char *text)
{
    struct slice key = slice_of_string(text);
    int parts = holds(lone, member, key) ? REPLICA_OBJECT : 0;
    return parts | (holds(lone, member, key_directory(key)) ? REPLICA_ROW : 0);
}

/* A key of which OWNER holds just these parts, and this node the object or not. */
static void find_key(int parts, bool is_primary, char ret_key[32])
{
    struct lone *lone = lone_open(MEMBERS, 3);
    bool found = false;
    for (int i = 0; i < 1000 && !found; i++) {
        (void)snprintf(ret_key, 32, "d%d/f", i);
        found = parts_of(lone, OWNER, ret_key) == parts &&
                is_primary == holds(lone, SELF, slice_of_string(ret_key));
    }
    assert_true(found);
    lone_close(lone);
}

/* The put that was sent to a replica of the key. */
static void assert_put(const struct message *message, const char *key, int parts,
                       bool leaves_intent)
{
    const struct message_replica_put *put = &message->replica_put;
    struct object *object = make_object(COPY, NULL);
    struct object *row = object_project(object);
    assert_true(slice_equal(blob_slice(put->key), slice_of_string(key)));
    assert_int_equal(put->parts, parts);
    assert_true(object_equal(put->object, parts == REPLICA_ROW ? row : object));
    assert_true(put->sync);
    assert_true(put->hint_for == 0);
    assert_int_equal(put->leave_intent, leaves_intent);
    object_unref(object);
    object_unref(row);
}

/* The hint was dropped, and the next look has time. Or it was not, and is tried again. */
static void assert_end(struct lone *lone, bool is_dropped)
{
    assert_int_equal(lone_stores(lone, STORE_CLEAR_HINTS), is_dropped ? 1 : 0);
    assert_int_equal(lone->core->stats.hints_delivered, is_dropped ? 1 : 0);
    if (is_dropped) {
        hints_dropped(lone, STATUS_OK);
    }
    assert_hints_next(lone, is_dropped ? 30 : 1);
    lone_close(lone);
}

static void test_hint__owner_holds_a_part__is_sent_that(void **state)
{
    (void)state;
    static const int held[] = {REPLICA_OBJECT, BOTH};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        char key[32];
        find_key(held[i], false, key);
        struct lone *lone = hints_open_one(MEMBERS, OWNER, HINT_OBJECT, key);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 1);
        struct action *sent = lone_sent(lone, MESSAGE_REPLICA_PUT);
        assert_int_equal(sent->peer, lone_peer(lone, OWNER));
        assert_put(&sent->message, key, held[i], true);
        hints_acknowledge(lone, STATUS_OK);
        assert_end(lone, true);
    }
}

static void test_hint__of_the_root__has_no_row(void **state)
{
    (void)state;
    for (int is_marker = 0; is_marker < 2; is_marker++) {
        struct lone *lone =
            hints_open_one(3, OWNER, is_marker ? HINT_MARKER : HINT_OBJECT, "/");
        if (is_marker) {
            lone_stored(lone, lone_store(lone, STORE_GET),
                        (struct store_result){.object = make_object(COPY, NULL)});
        }
        assert_put(&lone_sent(lone, MESSAGE_REPLICA_PUT)->message, "/", REPLICA_OBJECT,
                   !is_marker);
        hints_acknowledge(lone, STATUS_OK);
        assert_end(lone, true);
    }
}

/* Ends what was sent and stored, the own copy first or last; `bad`: the number of the one that
 * fails, or -1. */
static void end_all(struct lone *lone, int bad)
{
    for (int i = 0; i < 3; i++) {
        enum status status = i == bad ? STATUS_IO : STATUS_OK;
        assert_int_equal(lone_stores(lone, STORE_CLEAR_HINTS), 0);
        assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
        bool is_first = bad >= 1 || !lone_sent(lone, MESSAGE_REPLICA_PUT);
        if (lone_store(lone, STORE_MERGE) && is_first) {
            lone_stored(lone, lone_store(lone, STORE_MERGE),
                        (struct store_result){.status = status});
        } else {
            hints_acknowledge(lone, status);
        }
    }
}

/* The owner is no member any more, or holds just the row. */
static void check_all_primaries(node_id owner, bool is_primary, int bad)
{
    char key[32];
    find_key(REPLICA_ROW, is_primary, key);
    struct lone *lone = hints_open_one(MEMBERS, owner, HINT_OBJECT, key);
    assert_int_equal(lone_stores(lone, STORE_MERGE), is_primary ? 1 : 0);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), is_primary ? 2 : 3);
    for (node_id member = 1; member <= MEMBERS; member++) {
        if (member == SELF) {
            continue;
        }
        struct action *sent = NULL;
        for (int i = 0; i < lone->count; i++) {
            bool is_it = lone->pending[i]->type == ACTION_SEND &&
                         lone->pending[i]->message.type == MESSAGE_REPLICA_PUT &&
                         lone->pending[i]->peer == lone_peer(lone, member);
            sent = is_it ? lone->pending[i] : sent;
        }
        int parts = parts_of(lone, member, key);
        assert_int_equal(sent != NULL, (parts & REPLICA_OBJECT) != 0);
        if (sent) {
            assert_put(&sent->message, key, parts, true);
        }
    }
    if (is_primary) {
        const struct store_request *merge = &lone_store(lone, STORE_MERGE)->request;
        struct object *object = make_object(COPY, NULL);
        assert_true(slice_equal(blob_slice(merge->key), slice_of_string(key)));
        assert_true(object_equal(merge->merge.object, object));
        assert_int_equal(merge->merge.parts, parts_of(lone, SELF, key));
        assert_true(merge->sync && merge->merge.with_intent);
        object_unref(object);
    }
    end_all(lone, bad);
    if (is_primary) {
        /* The row that it left to an intent is looked after soon. */
        assert_true(lone->core->scans[0].due_us <= lone->now_us + LOOK_SOON_US);
    }
    assert_end(lone, bad < 0);
}

static void test_hint__owner_left__goes_to_all_primaries(void **state)
{
    (void)state;
    for (int bad = -1; bad < 3; bad++) {
        check_all_primaries(GONE, false, bad);
        check_all_primaries(GONE, true, bad);
    }
}

static void test_hint__owner_holds_just_the_row__goes_to_all_primaries(void **state)
{
    (void)state;
    for (int bad = -1; bad < 3; bad++) {
        check_all_primaries(OWNER, false, bad);
        check_all_primaries(OWNER, true, bad);
    }
}

/* The root has no row, so that no intent is left for it. */
static void test_hint__own_copy_of_the_root__leaves_no_intent(void **state)
{
    (void)state;
    struct lone *lone = hints_open_one(3, GONE, HINT_OBJECT, "/");
    const struct store_request *merge = &lone_store(lone, STORE_MERGE)->request;
    assert_int_equal(merge->merge.parts, REPLICA_OBJECT);
    assert_false(merge->merge.with_intent);
    end_all(lone, -1);
    assert_end(lone, true);
}

static void test_hint__one_of_the_primaries_is_away__is_kept(void **state)
{
    (void)state;
    for (int is_suspect = 0; is_suspect < 2; is_suspect++) {
        struct lone *lone = hints_open(3);
        struct store_result page = {0};
        hints_ask_owners(lone);
        hints_tell_owners(lone, GONE, 1, 0);
        hints_add(&page, GONE, HINT_OBJECT, "k");
        struct object *object = object_ref(page.hints.hint[0].object);
        if (is_suspect) {
            peer_failed(lone->core, lone_peer(lone, 3));
        } else {
            lone_disconnect(lone, lone_peer(lone, 3));
        }
        lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 1);
        assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
        hints_acknowledge(lone, STATUS_OK);
        lone_stored(lone, lone_store(lone, STORE_MERGE), (struct store_result){0});
        assert_int_equal(atomic_load(&object->references), 1);
        object_unref(object);
        assert_end(lone, false);
    }
}

static void test_hint__another_answer__is_no_acknowledgement(void **state)
{
    (void)state;
    struct lone *lone = hints_open_one(3, OWNER, HINT_OBJECT, "k");
    lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_PUT),
                (struct message){.type = MESSAGE_REPLICA_GET_REPLY});
    assert_end(lone, false);
}

static void test_hint__owner_does_not_answer__is_suspected(void **state)
{
    (void)state;
    struct lone *lone = hints_open_one(3, OWNER, HINT_OBJECT, "k");
    lone_run(lone, 5 * SECOND - 1);
    assert_false(peer_is_suspect(lone->core, lone_peer(lone, OWNER)));
    lone_run(lone, 1);
    assert_true(peer_is_suspect(lone->core, lone_peer(lone, OWNER)));
    lone_drop(lone, lone_sent(lone, MESSAGE_REPLICA_PUT));
    assert_end(lone, false);
}

/* The disk always answers: it is waited for longer than anybody else. */
static void test_hint__disk_is_slow__is_waited_for(void **state)
{
    (void)state;
    struct lone *lone = hints_open_one(3, OWNER, HINT_MARKER, "k");
    lone_run(lone, 9 * SECOND);
    lone_stored(lone, lone_store(lone, STORE_GET),
                (struct store_result){.object = make_object(COPY, NULL)});
    lone_run(lone, 4 * SECOND);
    hints_acknowledge(lone, STATUS_OK);
    lone_run(lone, 9 * SECOND);
    hints_dropped(lone, STATUS_OK);
    assert_int_equal(lone->core->stats.hints_delivered, 1);
    lone_close(lone);
}

/* Markers -------------------------------------------------------------------------------- */

static struct lone *open_marker(node_id owner, const char *key, const char *copy)
{
    struct lone *lone = hints_open_one(MEMBERS, owner, HINT_MARKER, key);
    assert_true(slice_equal(blob_slice(lone_store(lone, STORE_GET)->request.key),
                            slice_of_string(key)));
    lone_stored(lone, lone_store(lone, STORE_GET),
                (struct store_result){.object = copy ? make_object(copy, NULL) : NULL});
    return lone;
}

static void test_marker__owner_holds_the_object__is_sent_the_own_copy(void **state)
{
    (void)state;
    static const int held[] = {REPLICA_OBJECT, BOTH};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        char key[32];
        find_key(held[i], true, key);
        struct lone *lone = open_marker(OWNER, key, COPY);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 1);
        assert_put(&lone_sent(lone, MESSAGE_REPLICA_PUT)->message, key, held[i], false);
        hints_acknowledge(lone, STATUS_OK);
        assert_end(lone, true);
    }
}

/* This node holds the object no more, so that nobody waits for a quorum of it. */
static void test_marker__of_a_row_and_no_primary__is_sent_the_row(void **state)
{
    (void)state;
    char key[32];
    find_key(REPLICA_ROW, false, key);
    struct lone *lone = open_marker(OWNER, key, COPY);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 1);
    assert_put(&lone_sent(lone, MESSAGE_REPLICA_PUT)->message, key, REPLICA_ROW, false);
    hints_acknowledge(lone, STATUS_OK);
    assert_end(lone, true);
}

static void test_marker__of_a_row_and_primary__goes_as_a_put(void **state)
{
    (void)state;
    for (int is_good = 0; is_good < 2; is_good++) {
        char key[32];
        find_key(REPLICA_ROW, true, key);
        struct lone *lone = open_marker(OWNER, key, COPY);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
        struct action *push = lone_store(lone, STORE_COORDINATE);
        assert_true(slice_equal(blob_slice(push->request.key), slice_of_string(key)));
        assert_int_equal(push->request.coordinate.put->mode, UPDATE_NONE);
        assert_true(push->request.sync);
        /* "Nothing": a way to end the push, good or bad, without its copies. */
        lone_stored(lone, push,
                    (struct store_result){.status = is_good ? STATUS_OK : STATUS_IO,
                                          .object = make_object("|", NULL)});
        assert_end(lone, is_good != 0);
    }
}

static void test_marker__nothing_is_to_be_sent__is_dropped(void **state)
{
    (void)state;
    char key[32];
    find_key(0, true, key);
    struct lone *lone = open_marker(OWNER, key, COPY);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
    assert_end(lone, true);
    lone = open_marker(GONE, key, COPY);
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
    assert_end(lone, true);
    /* The own copy was reaped. It was delivered to nobody. */
    lone = hints_open_one(3, OWNER, HINT_MARKER, "k");
    lone_stored(lone, lone_store(lone, STORE_GET), (struct store_result){0});
    assert_int_equal(lone->core->stats.hints_delivered, 0);
    hints_dropped(lone, STATUS_OK);
    assert_hints_next(lone, 30);
    lone_close(lone);
}

static void test_marker__own_copy_cannot_be_read__is_kept(void **state)
{
    (void)state;
    struct lone *lone = hints_open_one(3, OWNER, HINT_MARKER, "k");
    lone_stored(lone, lone_store(lone, STORE_GET), (struct store_result){.status = STATUS_IO});
    assert_end(lone, false);
}

static void test_marker__memory_is_short__is_kept(void **state)
{
    (void)state;
    for (int is_primary = 0; is_primary < 2; is_primary++) {
        char key[32];
        find_key(REPLICA_ROW, is_primary != 0, key);
        struct lone *lone = hints_open_one(MEMBERS, OWNER, HINT_MARKER, key);
        lone_fail_allocation(0);
        lone_stored(lone, lone_store(lone, STORE_GET),
                    (struct store_result){.object = make_object(COPY, NULL)});
        assert_true(lone_has_failed());
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
        assert_int_equal(lone_stores(lone, STORE_COORDINATE), 0);
        assert_end(lone, false);
    }
}

/* A hint for this node itself, as a disk may name it: its row, too, needs memory first. */
static void test_marker__of_an_own_row_and_memory_is_short__is_kept(void **state)
{
    (void)state;
    for (int is_short = 0; is_short < 2; is_short++) {
        struct lone *lone = hints_open(MEMBERS);
        char key[32] = "d/f";
        for (int i = 0; i < 1000 && parts_of(lone, SELF, key) != REPLICA_ROW; i++) {
            (void)snprintf(key, sizeof key, "d%d/f", i);
        }
        assert_int_equal(parts_of(lone, SELF, key), REPLICA_ROW);
        struct store_result page = {0};
        hints_ask_owners(lone);
        hints_tell_owners(lone, GONE, 1, 0);
        hints_add(&page, SELF, HINT_MARKER, key);
        lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page);
        lone_fail_allocation(is_short ? 0 : -1);
        lone_stored(lone, lone_store(lone, STORE_GET),
                    (struct store_result){.object = make_object(COPY, NULL)});
        assert_int_equal(lone_has_failed(), is_short);
        assert_int_equal(lone_stores(lone, STORE_MERGE), is_short ? 0 : 1);
        if (!is_short) {
            assert_non_null(lone_store(lone, STORE_MERGE)->request.merge.object);
            lone_stored(lone, lone_store(lone, STORE_MERGE), (struct store_result){0});
        }
        assert_end(lone, !is_short);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hint__owner_holds_a_part__is_sent_that),
        cmocka_unit_test(test_hint__of_the_root__has_no_row),
        cmocka_unit_test(test_hint__owner_left__goes_to_all_primaries),
        cmocka_unit_test(test_hint__owner_holds_just_the_row__goes_to_all_primaries),
        cmocka_unit_test(test_hint__own_copy_of_the_root__leaves_no_intent),
        cmocka_unit_test(test_hint__one_of_the_primaries_is_away__is_kept),
        cmocka_unit_test(test_hint__another_answer__is_no_acknowledgement),
        cmocka_unit_test(test_hint__owner_does_not_answer__is_suspected),
        cmocka_unit_test(test_hint__disk_is_slow__is_waited_for),
        cmocka_unit_test(test_marker__owner_holds_the_object__is_sent_the_own_copy),
        cmocka_unit_test(test_marker__of_a_row_and_no_primary__is_sent_the_row),
        cmocka_unit_test(test_marker__of_a_row_and_primary__goes_as_a_put),
        cmocka_unit_test(test_marker__nothing_is_to_be_sent__is_dropped),
        cmocka_unit_test(test_marker__own_copy_cannot_be_read__is_kept),
        cmocka_unit_test(test_marker__memory_is_short__is_kept),
        cmocka_unit_test(test_marker__of_an_own_row_and_memory_is_short__is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
