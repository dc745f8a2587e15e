/*
 * test_reap_steps.c - a tombstone's end, message by message: what a node looks at before it
 * agrees, and whom the one that proposes waits for.
 *
 * - who is asked looks at the tombstone and at hints, then at what is placed elsewhere, and
 *   syncs before it says yes; whatever fails or is found is a no
 * - a row of the same name and kind that lives, and an object of any kind, stand in the way
 * - every other member is asked, each once, however many; then the primaries drop theirs, then
 *   the own copy goes
 * - one that refuses, is away, breaks off, or does not answer stops it; and a new ring does
 */
#include "node/core/repair/reap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/repair/task.h"
#include "tests/core/lone.h"
#include "tests/ring/make.h"

enum { SECOND = 1000000, MEMBERS = 7, MANY = 40, BOTH = REPLICA_OBJECT | REPLICA_ROW };

static const uint64_t GRACE_US = UINT64_C(604800000000);

/* A key of which this node holds just these parts. */
static void find_key(struct lone *lone, int parts, char ret_key[32])
{
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(ret_key, 32, "d%d/f", i);
        struct slice key = slice_of_string(ret_key);
        int held = repair_holds(lone->core, PEER_SELF, MERKLE_OBJECT, key) ? REPLICA_OBJECT : 0;
        held |= repair_holds(lone->core, PEER_SELF, MERKLE_ROW, key) ? REPLICA_ROW : 0;
        if (held == parts) {
            return;
        }
    }
    fail_msg("no such key");
}

static void fill_digest(uint8_t digest[DIGEST_SIZE])
{
    for (int i = 0; i < DIGEST_SIZE; i++) {
        digest[i] = (uint8_t)(i + 1);
    }
}

/* What a node says ----------------------------------------------------------------------- */

static void ask(struct lone *lone, enum merkle_part part, const char *key, bool drop)
{
    struct message message = {.type = MESSAGE_REAP, .request_id = 9};
    message.reap.part = part;
    message.reap.key = blob_new(slice_of_string(key));
    message.reap.deleted_us = lone->wall_us - GRACE_US - 1;
    message.reap.drop = drop;
    fill_digest(message.reap.digest);
    lone_ask(lone, message);
}

/* The first look is at this part (0: at hints alone), and goes so. */
static void first_look(struct lone *lone, const char *key, enum merkle_part part, bool drop,
                       enum status status)
{
    uint8_t digest[DIGEST_SIZE];
    fill_digest(digest);
    struct action *look = lone_store(lone, STORE_REAP);
    assert_non_null(look);
    assert_true(slice_equal(blob_slice(look->request.key), slice_of_string(key)));
    assert_int_equal(look->request.reap.part, part);
    assert_int_equal(look->request.reap.drop, drop);
    assert_memory_equal(look->request.reap.digest, digest, DIGEST_SIZE);
    lone_stored(lone, look, (struct store_result){.status = status});
}

static void sync_look(struct lone *lone, enum status status)
{
    assert_null(lone_reply(lone, MESSAGE_REAP_REPLY));
    lone_stored(lone, lone_store(lone, STORE_SYNC), (struct store_result){.status = status});
}

static void assert_said(struct lone *lone, enum status status)
{
    struct action *reply = lone_reply(lone, MESSAGE_REAP_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->message.status, status);
    lone_drop(lone, reply);
    assert_int_equal(lone_stores(lone, STORE_REAP), 0);
    assert_int_equal(lone_stores(lone, STORE_LIST), 0);
    assert_int_equal(lone_stores(lone, STORE_GET), 0);
    assert_int_equal(lone_stores(lone, STORE_SYNC), 0);
}

/* The rows that the second look finds: of the file "f" or the directory "f/". */
static struct store_result rows_of(const char *file, const char *directory)
{
    struct store_result result = {.list.rows = calloc(2, sizeof *result.list.rows)};
    assert_non_null(result.list.rows);
    const char *text[] = {file, directory};
    for (int i = 0; i < 2; i++) {
        if (text[i]) {
            result.list.rows[result.list.row_count++] =
                (struct row){.name = blob_new(slice_of_string("f")),
                             .kind = i == 0 ? ROW_FILE : ROW_DIRECTORY,
                             .object = make_object(text[i], NULL)};
        }
    }
    return result;
}

static void test_answer__of_an_object__looks_at_its_row_and_syncs(void **state)
{
    (void)state;
    static const char LIVE[] = "1.5:5 | 1.5:5";
    static const char DEAD[] = "1.5:5 |";
    static const struct {
        const char *file, *directory;
        enum status expected;
    } cases[] = {{NULL, NULL, STATUS_OK},      {DEAD, NULL, STATUS_OK},
                 {NULL, LIVE, STATUS_OK},      {DEAD, LIVE, STATUS_OK},
                 {LIVE, NULL, STATUS_REFUSED}, {LIVE, DEAD, STATUS_REFUSED}};
    struct lone *lone = lone_open(MEMBERS, 3);
    char key[32];
    find_key(lone, BOTH, key);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(lone, MERKLE_OBJECT, key, false);
        first_look(lone, key, MERKLE_OBJECT, false, STATUS_OK);
        const struct store_request *look = &lone_store(lone, STORE_LIST)->request;
        assert_true(slice_equal(blob_slice(look->key), key_directory(slice_of_string(key))));
        assert_true(slice_equal(blob_slice(look->list.start), slice_of_string("f")));
        assert_true(slice_equal(blob_slice(look->list.end), slice_of_string("f")));
        assert_int_equal(look->list.limit, 2);
        lone_stored(lone, lone_store(lone, STORE_LIST),
                    rows_of(cases[i].file, cases[i].directory));
        if (cases[i].expected == STATUS_OK) {
            sync_look(lone, STATUS_OK);
        }
        assert_said(lone, cases[i].expected);
    }
    lone_close(lone);
}

static void test_answer__of_a_row__looks_at_its_object_and_syncs(void **state)
{
    (void)state;
    struct lone *lone = lone_open(MEMBERS, 3);
    char key[32];
    find_key(lone, BOTH, key);
    for (int is_there = 0; is_there < 2; is_there++) {
        ask(lone, MERKLE_ROW, key, false);
        first_look(lone, key, MERKLE_ROW, false, STATUS_OK);
        struct action *look = lone_store(lone, STORE_GET);
        assert_true(slice_equal(blob_slice(look->request.key), slice_of_string(key)));
        lone_stored(
            lone, look,
            (struct store_result){.object = is_there ? make_object("1.5:5 |", NULL) : NULL});
        if (!is_there) {
            sync_look(lone, STATUS_OK);
        }
        assert_said(lone, is_there ? STATUS_REFUSED : STATUS_OK);
    }
    lone_close(lone);
}

/* There is no second look, and of what is not held no first one but at hints. */
static void test_answer__holds_not_all__looks_at_what_it_holds(void **state)
{
    (void)state;
    struct lone *lone = lone_open(MEMBERS, 3);
    for (int held = 0; held <= REPLICA_ROW; held++) {
        for (int part = MERKLE_OBJECT; part <= MERKLE_ROW; part++) {
            bool is_held = part == MERKLE_OBJECT ? held == REPLICA_OBJECT : held == REPLICA_ROW;
            bool has_other = held != 0 && !is_held;
            char key[32];
            find_key(lone, held, key);
            ask(lone, (enum merkle_part)part, key, false);
            first_look(lone, key, (enum merkle_part)(is_held ? part : 0), false, STATUS_OK);
            if (has_other) {
                enum store_operation second = part == MERKLE_OBJECT ? STORE_LIST : STORE_GET;
                lone_stored(lone, lone_store(lone, second), (struct store_result){0});
            }
            sync_look(lone, STATUS_OK);
            assert_said(lone, STATUS_OK);
            /* To drop it: nothing is looked at that was agreed on. */
            ask(lone, (enum merkle_part)part, key, true);
            first_look(lone, key, (enum merkle_part)(is_held ? part : 0), is_held, STATUS_OK);
            assert_said(lone, STATUS_OK);
        }
    }
    lone_close(lone);
}

static void test_answer__a_look_fails__is_a_no(void **state)
{
    (void)state;
    struct lone *lone = lone_open(MEMBERS, 3);
    char key[32];
    find_key(lone, BOTH, key);
    for (int failing = 0; failing < 3; failing++) {
        for (int part = MERKLE_OBJECT; part <= MERKLE_ROW; part++) {
            enum store_operation second = part == MERKLE_OBJECT ? STORE_LIST : STORE_GET;
            ask(lone, (enum merkle_part)part, key, false);
            first_look(lone, key, (enum merkle_part)part, false,
                       failing == 0 ? STATUS_IO : STATUS_OK);
            if (failing > 0) {
                lone_stored(
                    lone, lone_store(lone, second),
                    (struct store_result){.status = failing == 1 ? STATUS_IO : STATUS_OK});
            }
            if (failing > 1) {
                sync_look(lone, STATUS_IO);
            }
            assert_said(lone, STATUS_IO);
        }
    }
    ask(lone, MERKLE_OBJECT, key, true);
    first_look(lone, key, MERKLE_OBJECT, true, STATUS_REFUSED);
    assert_said(lone, STATUS_REFUSED);
    /* Of the directory's key, and of the name. */
    for (int n = 0; n < 2; n++) {
        ask(lone, MERKLE_OBJECT, key, false);
        lone_fail_allocation(n);
        first_look(lone, key, MERKLE_OBJECT, false, STATUS_OK);
        assert_true(lone_has_failed());
        assert_said(lone, STATUS_NO_MEMORY);
    }
    lone_close(lone);
}

static void test_answer__by_its_own_clock__must_be_old(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    assert_true(reap_grace_us(lone->core) == GRACE_US);
    assert_false(reap_is_old(lone->core, lone->wall_us - GRACE_US));
    assert_true(reap_is_old(lone->core, lone->wall_us - GRACE_US - 1));
    lone->core->repair_config.grace_us = 1;
    assert_true(reap_grace_us(lone->core) == 1);
    /* A clock that was never set is no reason to reap anything. */
    lone->core->wall_us = 1;
    assert_false(reap_is_old(lone->core, 0));
    lone->core->wall_us = 2;
    assert_true(reap_is_old(lone->core, 0));
    lone_close(lone);
}

/* The one that proposes ------------------------------------------------------------------ */

/* Who hears of the end. */
static int ended;
static enum status end_status;

static void parent_on_child(struct core *core, struct request *parent,
                            struct child_result *result)
{
    (void)core;
    (void)parent;
    ended++;
    end_status = result->status;
}

static const struct request_kind parent_kind = {.name = "parent", .on_child = parent_on_child};

struct proposal {
    const char *key;
    enum merkle_part part;
    bool fills_table;
    bool has_begun;
};

static void propose_now(struct core *core, void *context)
{
    struct proposal *proposal = context;
    struct scrubbed_entry entry = {.tombstone_us = 77};
    entry.entry.key = blob_new(slice_of_string(proposal->key));
    entry.entry.part = proposal->part;
    fill_digest(entry.entry.digest);
    struct request *parent = request_new(core, &parent_kind, UINT64_MAX, false);
    while (proposal->fills_table && request_new(core, &parent_kind, UINT64_MAX, false)) {
    }
    proposal->has_begun = parent && reap_start(core, parent, &entry);
    blob_unref(entry.entry.key);
}

static bool propose(struct lone *lone, const char *key, enum merkle_part part)
{
    struct proposal proposal = {.key = key, .part = part};
    ended = 0;
    lone_do(lone, propose_now, &proposal);
    return proposal.has_begun;
}

static void assert_ended(struct lone *lone, bool is_reaped)
{
    assert_int_equal(ended, 1);
    assert_int_equal(end_status, is_reaped ? STATUS_OK : STATUS_REFUSED);
    assert_int_equal(lone->core->stats.tombstones_reaped, is_reaped ? 1 : 0);
    assert_int_equal(lone->core->stats.reaps_blocked, is_reaped ? 0 : 1);
    /* Nothing more is dropped. */
    assert_int_equal(lone_stores(lone, STORE_REAP), 0);
    lone_run(lone, 20 * SECOND);
    assert_int_equal(ended, 1);
    lone_close(lone);
}

/* A proposal whose own look is over, all members well. The key is of an object held here,
 * without its row where that can be. */
static struct lone *open_asking(uint16_t members, char key[32])
{
    struct lone *lone = lone_open(members, 3);
    find_key(lone, members > 3 ? REPLICA_OBJECT : BOTH, key);
    assert_true(propose(lone, key, MERKLE_OBJECT));
    first_look(lone, key, MERKLE_OBJECT, false, STATUS_OK);
    if (members <= 3) {
        lone_stored(lone, lone_store(lone, STORE_LIST), (struct store_result){0});
    }
    assert_int_equal(lone_sends(lone, MESSAGE_REAP), 0);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    lone_run(lone, 10 * SECOND); /* the own disk is waited for */
    sync_look(lone, STATUS_OK);
    return lone;
}

/* All that is asked now is answered well; how many that were. Counts by peer. */
static int agree(struct lone *lone, const char *key, bool drop, unsigned asked[MEMBERS_MAX])
{
    int count = 0;
    uint8_t digest[DIGEST_SIZE];
    fill_digest(digest);
    while (lone_sent(lone, MESSAGE_REAP)) {
        struct action *sent = lone_sent(lone, MESSAGE_REAP);
        const struct message_reap *reap = &sent->message.reap;
        if (reap->drop != drop) {
            break;
        }
        assert_true(slice_equal(blob_slice(reap->key), slice_of_string(key)));
        assert_int_equal(reap->part, MERKLE_OBJECT);
        assert_true(reap->deleted_us == 77);
        assert_memory_equal(reap->digest, digest, DIGEST_SIZE);
        assert_int_equal(lone_stores(lone, STORE_REAP), 0);
        asked[sent->peer]++;
        count++;
        lone_answer(lone, sent, (struct message){0});
    }
    return count;
}

static void test_propose__all_agree__primaries_drop_it_and_then_this_node(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {2, MEMBERS, MANY};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char key[32];
        struct lone *lone = open_asking(sizes[i], key);
        unsigned asked[MEMBERS_MAX] = {0};
        uint32_t active = lone->core->active_count;
        assert_int_equal(agree(lone, key, false, asked), sizes[i] - 1);
        for (uint16_t peer = 0; peer < lone->core->peer_count; peer++) {
            assert_int_equal(asked[peer], 1);
        }
        int others = sizes[i] == 2 ? 1 : 2;
        assert_int_equal(lone_sends(lone, MESSAGE_REAP), others);
        assert_int_equal(agree(lone, key, true, asked), others);
        for (uint16_t peer = 0; peer < lone->core->peer_count; peer++) {
            bool holds = repair_holds(lone->core, peer, MERKLE_OBJECT, slice_of_string(key));
            assert_int_equal(asked[peer], holds ? 2 : 1);
        }
        lone_run(lone, 10 * SECOND);
        assert_int_equal(ended, 0);
        first_look(lone, key, MERKLE_OBJECT, true, STATUS_OK);
        assert_int_equal(lone->core->active_count, active - 1);
        assert_ended(lone, true);
    }
}

static void test_propose__alone__goes_at_once(void **state)
{
    (void)state;
    struct lone *lone = lone_open(1, 1);
    assert_true(propose(lone, "k", MERKLE_ROW));
    first_look(lone, "k", MERKLE_ROW, false, STATUS_OK);
    lone_stored(lone, lone_store(lone, STORE_GET), (struct store_result){0});
    sync_look(lone, STATUS_OK);
    first_look(lone, "k", MERKLE_ROW, true, STATUS_OK);
    assert_ended(lone, true);
}

static void test_propose__own_disk_says_no__asks_nobody(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    assert_true(propose(lone, "k", MERKLE_OBJECT));
    first_look(lone, "k", MERKLE_OBJECT, false, STATUS_REFUSED);
    assert_int_equal(lone_sends(lone, MESSAGE_REAP), 0);
    assert_ended(lone, false);
}

static void test_propose__own_copy_changes_in_the_end__is_told(void **state)
{
    (void)state;
    char key[32];
    struct lone *lone = open_asking(MEMBERS, key);
    unsigned asked[MEMBERS_MAX] = {0};
    (void)agree(lone, key, false, asked);
    (void)agree(lone, key, true, asked);
    first_look(lone, key, MERKLE_OBJECT, true, STATUS_REFUSED);
    assert_ended(lone, false);
}

enum trouble { REFUSES, ANSWERS_OTHERWISE, BREAKS_OFF, IS_SILENT, TROUBLES };

/* One of those that were asked does this; the others agree. */
static void make_trouble(struct lone *lone, enum trouble trouble)
{
    struct action *sent = lone_sent(lone, MESSAGE_REAP);
    uint16_t peer = sent->peer;
    if (trouble == BREAKS_OFF) {
        lone_disconnect(lone, peer);
    } else if (trouble == IS_SILENT) {
        lone_drop(lone, sent);
        while (lone_sent(lone, MESSAGE_REAP)) {
            lone_answer(lone, lone_sent(lone, MESSAGE_REAP), (struct message){0});
        }
        lone_run(lone, REPAIR_DEADLINE_US - 1);
        assert_int_equal(ended, 0);
        lone_run(lone, 1);
        for (uint16_t other = 0; other < lone->core->peer_count; other++) {
            assert_int_equal(peer_is_suspect(lone->core, other), other == peer);
        }
    } else {
        struct message reply = {.status = STATUS_REFUSED};
        if (trouble == ANSWERS_OTHERWISE) {
            reply = (struct message){.type = MESSAGE_PING_REPLY};
        }
        lone_answer(lone, sent, reply);
    }
    while (lone_sent(lone, MESSAGE_REAP)) {
        lone_drop(lone, lone_sent(lone, MESSAGE_REAP));
    }
}

static void test_propose__one_does_not_agree__stays(void **state)
{
    (void)state;
    for (int trouble = 0; trouble < TROUBLES; trouble++) {
        for (int i = 0; i < 4; i++) {
            char key[32];
            bool drops = i % 2 == 1;
            bool is_first = i / 2 == 1;
            struct lone *lone = open_asking(MEMBERS, key);
            unsigned asked[MEMBERS_MAX] = {0};
            if (drops) {
                (void)agree(lone, key, false, asked);
            }
            if (!is_first) {
                lone_answer(lone, lone_sent(lone, MESSAGE_REAP), (struct message){0});
            }
            make_trouble(lone, (enum trouble)trouble);
            assert_ended(lone, false);
        }
    }
}

static void test_propose__member_is_away__does_not_begin(void **state)
{
    (void)state;
    for (int is_suspect = 0; is_suspect < 2; is_suspect++) {
        for (node_id member = 1; member <= MEMBERS; member++) {
            struct lone *lone = lone_open(MEMBERS, 3);
            if (member == lone->core->node) {
                lone_close(lone);
                continue;
            }
            if (is_suspect) {
                peer_failed(lone->core, lone_peer(lone, member));
            } else {
                lone_disconnect(lone, lone_peer(lone, member));
            }
            assert_false(propose(lone, "k", MERKLE_OBJECT));
            assert_int_equal(lone->core->stats.reaps_blocked, 1);
            assert_int_equal(lone_stores(lone, STORE_REAP), 0);
            lone_close(lone);
        }
    }
}

static void test_propose__member_goes_meanwhile__stays(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    assert_true(propose(lone, "k", MERKLE_OBJECT));
    peer_failed(lone->core, lone_peer(lone, 3));
    first_look(lone, "k", MERKLE_OBJECT, false, STATUS_OK);
    lone_stored(lone, lone_store(lone, STORE_LIST), (struct store_result){0});
    sync_look(lone, STATUS_OK);
    assert_int_equal(lone_sends(lone, MESSAGE_REAP), 1);
    assert_ended(lone, false);
}

static void test_propose__primary_goes_before_it_drops__stays(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    assert_true(propose(lone, "k", MERKLE_OBJECT));
    first_look(lone, "k", MERKLE_OBJECT, false, STATUS_OK);
    lone_stored(lone, lone_store(lone, STORE_LIST), (struct store_result){0});
    sync_look(lone, STATUS_OK);
    struct action *sent = lone_sent(lone, MESSAGE_REAP);
    uint16_t first = sent->peer;
    lone_answer(lone, sent, (struct message){0});
    peer_failed(lone->core, first);
    lone_answer(lone, lone_sent(lone, MESSAGE_REAP), (struct message){0});
    assert_ended(lone, false);
}

static void test_propose__ring_changes_meanwhile__stays(void **state)
{
    (void)state;
    char key[32];
    struct lone *lone = open_asking(MEMBERS, key);
    unsigned asked[MEMBERS_MAX] = {0};
    lone->core->ring->epoch++;
    assert_int_equal(agree(lone, key, false, asked), MEMBERS - 1);
    assert_int_equal(lone_sends(lone, MESSAGE_REAP), 0);
    assert_ended(lone, false);
}

static void test_propose__no_room_or_memory__does_not_begin(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    lone_fail_allocation(1); /* the first is the test's own */
    assert_false(propose(lone, "k", MERKLE_OBJECT));
    assert_true(lone_has_failed());
    lone_fail_allocation(-1);
    struct proposal proposal = {.key = "k", .part = MERKLE_OBJECT, .fills_table = true};
    lone_do(lone, propose_now, &proposal);
    assert_false(proposal.has_begun);
    assert_int_equal(lone_stores(lone, STORE_REAP), 0);
    lone_close(lone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer__of_an_object__looks_at_its_row_and_syncs),
        cmocka_unit_test(test_answer__of_a_row__looks_at_its_object_and_syncs),
        cmocka_unit_test(test_answer__holds_not_all__looks_at_what_it_holds),
        cmocka_unit_test(test_answer__a_look_fails__is_a_no),
        cmocka_unit_test(test_answer__by_its_own_clock__must_be_old),
        cmocka_unit_test(test_propose__all_agree__primaries_drop_it_and_then_this_node),
        cmocka_unit_test(test_propose__alone__goes_at_once),
        cmocka_unit_test(test_propose__own_disk_says_no__asks_nobody),
        cmocka_unit_test(test_propose__own_copy_changes_in_the_end__is_told),
        cmocka_unit_test(test_propose__one_does_not_agree__stays),
        cmocka_unit_test(test_propose__member_is_away__does_not_begin),
        cmocka_unit_test(test_propose__member_goes_meanwhile__stays),
        cmocka_unit_test(test_propose__primary_goes_before_it_drops__stays),
        cmocka_unit_test(test_propose__ring_changes_meanwhile__stays),
        cmocka_unit_test(test_propose__no_room_or_memory__does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
