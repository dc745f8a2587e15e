/*
 * test_list_merge.c - streams of rows merged, row by row, and what is brought up by it.
 *
 * - each row once, in order, with all that any of R replicas knows of it; up to the first name
 *   behind which one of them has not told all
 * - a page is full between names; no name's file and directory are torn apart
 * - a replica that lags gets the merged row, with its object where it holds that; one listing
 *   brings up a bounded number
 * - a row that cannot be read takes its replica out, and another is asked
 * - short memory fails the listing, or leaves a repair to the next one
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/list.h"
#include "node/core/placement.h"
#include "tests/core/lone_rows.h"
#include "tests/ring/make.h"

enum { SECOND = 1000000, ALL = 1000, REPAIRS_MAX = 32 };

struct merging {
    const char *own, *peer, *expected;
    unsigned repairs; /* names of which somebody is brought up */
};

static const struct merging mergings[] = {
    {"a=L b=D", "a=L b=D", "a=L b=D", 0},
    {"", "", "", 0},
    {"a=L", "a=M", "a=B", 1},
    {"a=D", "a=M", "a=N", 1},
    {"a=L", "a=D", "a=D", 1},
    {"a=L", "", "a=L", 1},
    {"", "a=L", "a=L", 1},
    {"a=L c=M", "b=L c=L", "a=L b=L c=B", 3},
    {"a/=L a=L", "a/=L a=L", "a/=L a=L", 0},
    {"a/=L", "a=L", "a/=L a=L", 2},
    {"a=L a.=L b=L", "a=L a.=L b=L", "a=L a.=L b=L", 0},
    /* Behind the last name that one of them has told nothing is known. */
    {"a=L c=L >c", "a=L c=L d=L", "a=L c=L >c", 0},
    {"a=L c=L d=L", "a=L c=L >c", "a=L c=L >c", 0},
    {"a=L >a", "b=L c=L >c", "a=L >a", 1},
    {"b=L c=L >c", "a=L >a", "a=L >a", 1},
    {"a=L >m", "a=L n=L", "a=L >m", 0},
    {">m", "z=L", ">m", 0},
};

static void drop_repairs(struct lone *lone)
{
    while (lone_sent(lone, MESSAGE_REPLICA_GET)) {
        lone_drop(lone, lone_sent(lone, MESSAGE_REPLICA_GET));
    }
    while (lone_store(lone, STORE_GET)) {
        lone_drop(lone, lone_store(lone, STORE_GET));
    }
}

static void test_merge__of_two__is_what_either_knows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mergings / sizeof mergings[0]; i++) {
        const struct merging *it = &mergings[i];
        struct lone *lone = lone_open(3, 3);
        lone_ask(lone, rows_listing(ALL, 0, false));
        assert_int_equal(lone_store(lone, STORE_LIST)->request.list.limit, ALL);
        assert_false(lone_store(lone, STORE_LIST)->request.list.live_only);
        rows_peer(lone, it->peer);
        assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
        rows_own(lone, it->own);
        assert_rows(lone, it->expected);
        /* All three hold the objects: these are read, to go with their rows. */
        assert_int_equal(lone_stores(lone, STORE_GET), it->repairs);
        assert_int_equal(lone_stores(lone, STORE_MERGE), 0);
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
        lone_close(lone);
    }
}

/* With an end only some names are wanted, which are few: marks would not pay. */
static void test_merge__live_rows_are_wanted__leaves_out_the_dead(void **state)
{
    (void)state;
    struct lone *lone = lone_open(3, 3);
    struct message listing = rows_listing(10, 0, true);
    listing.list.end = blob_new(slice_of_string("x"));
    lone_ask(lone, listing);
    const struct message_list *asked = &lone_store(lone, STORE_LIST)->request.list;
    assert_false(asked->live_only);
    assert_int_equal(asked->limit, 10);
    assert_true(slice_equal(blob_slice(asked->end), slice_of_string("x")));
    rows_own(lone, "a=D b=L c=L d=M e=D");
    rows_peer(lone, "a=D b=L c=D d=M e=M");
    assert_rows(lone, "b=L d=M e=N");
    lone_close(lone);
}

/* Pages ---------------------------------------------------------------------------------- */

/* The replicas were asked by marks first, and differ. */
static void begin_differing(struct lone *lone, uint16_t limit)
{
    lone_ask(lone, rows_listing(limit, 0, true));
    rows_own(lone, "#:1");
    rows_peer(lone, "#:2");
}

static void test_merge__page_is_full__ends_between_names(void **state)
{
    (void)state;
    static const struct {
        uint16_t limit;
        const char *own, *peer, *expected;
    } cases[] = {
        {2, "a=L b=L c=L", "a=M b=L c=L", "a=B b=L >b"},
        {2, "a=L b=L", "a=L b=L", "a=L b=L"},
        {1, "a/=L a=L b=L", "a/=L a=L b=L", "a/=L a=L >a"},
        {1, "a=L b/=L b=L", "a=L b/=L b=L", "a=L >a"},
        {2, "a=L b/=L b=L c=L", "a=L b/=L b=L c=L", "a=L b/=L b=L >b"},
        {1, "a=D b=D c=L d=D e=L", "a=D b=D c=L d=D e=L", "c=L >c"},
        {2, "a=L b=L c=L >c", "a=L b=L c=L >c", "a=L b=L >b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = lone_open(3, 3);
        begin_differing(lone, cases[i].limit);
        rows_own(lone, cases[i].own);
        rows_peer(lone, cases[i].peer);
        assert_rows(lone, cases[i].expected);
        lone_close(lone);
    }
}

/* The last name that has room is a directory and a file. Rows that nobody else has are brought
 * up, but not all at once. */
static void check_most_rows(unsigned before, unsigned expected, const char *resume)
{
    struct lone *lone = lone_open(3, 3);
    struct message_list_reply own = rows_of("");
    struct message_list_reply peer = rows_of("y=L z=L");
    for (unsigned i = 0; i < before; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%04u", i);
        rows_add(&own, name, ROW_FILE, 'L');
    }
    rows_add(&own, "x", ROW_DIRECTORY, 'L');
    rows_add(&own, "x", ROW_FILE, 'L');
    lone_ask(lone, rows_listing(ROWS_MAX, 0, false));
    lone_stored(lone, lone_store(lone, STORE_LIST), (struct store_result){.list = own});
    lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                (struct message){.list_reply = peer});
    struct action *reply = lone_reply(lone, MESSAGE_LIST_REPLY);
    const struct message_list_reply *list = &reply->message.list_reply;
    assert_int_equal(reply->message.status, STATUS_OK);
    assert_int_equal(list->row_count, expected);
    assert_true(list->more);
    assert_true(slice_equal(blob_slice(list->resume), slice_of_string(resume)));
    assert_true(
        slice_equal(blob_slice(list->rows[expected - 1].name), slice_of_string(resume)));
    assert_int_equal(lone_stores(lone, STORE_GET), REPAIRS_MAX);
    lone_close(lone);
}

static void test_merge__most_rows_there_may_be__ends_between_names(void **state)
{
    (void)state;
    check_most_rows(ROWS_MAX - 2, ROWS_MAX, "x");
    check_most_rows(ROWS_MAX - 3, ROWS_MAX - 1, "x");
    check_most_rows(ROWS_MAX - 4, ROWS_MAX - 1, "y");
}

/* Repairs -------------------------------------------------------------------------------- */

/* A directory that this node and two others hold, and a name in it whose object just those of
 * `holders` (bits: this node, the first and the second of the others) hold. */
static void find_name(struct lone *lone, unsigned holders, char ret_directory[16],
                      char ret_name[16])
{
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(ret_directory, 16, "d%d/", i / 50);
        (void)snprintf(ret_name, 16, "n%d", i % 50);
        char key[32];
        (void)snprintf(key, sizeof key, "%s%s", ret_directory, ret_name);
        unsigned found = 0;
        unsigned count = 1;
        if (!peer_holds(lone->core, PEER_SELF, slice_of_string(ret_directory))) {
            continue;
        }
        found = peer_holds(lone->core, PEER_SELF, slice_of_string(key)) ? 1 : 0;
        struct message listing = rows_listing(ALL, 3, false);
        blob_unref(listing.list.directory);
        listing.list.directory = blob_new(slice_of_string(ret_directory));
        lone_ask(lone, listing);
        for (int j = 0; j < lone->count; j++) {
            const struct action *action = lone->pending[j];
            if (action->type == ACTION_SEND && action->message.type == MESSAGE_REPLICA_LIST) {
                bool holds = peer_holds(lone->core, action->peer, slice_of_string(key));
                found |= holds ? 1U << count : 0;
                count++;
            }
        }
        assert_int_equal(count, 3);
        if (found == holders) {
            return;
        }
        while (lone->count > 0) {
            lone_drop(lone, lone->pending[0]);
        }
    }
    fail_msg("no such name");
}

static void answer_name(struct lone *lone, int who, const char *name, char state)
{
    struct message_list_reply rows = rows_of("");
    if (state != ' ') {
        rows_add(&rows, name, ROW_FILE, state);
    }
    if (who == 0) {
        lone_stored(lone, lone_store(lone, STORE_LIST), (struct store_result){.list = rows});
    } else {
        lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                    (struct message){.list_reply = rows});
    }
}

static void assert_row_sent(const struct blob *key, const struct object *object, uint8_t parts,
                            const char *expected_key, const char *expected)
{
    struct object *whole = make_object(expected, NULL);
    struct object *row = object_project(whole);
    assert_true(slice_equal(blob_slice(key), slice_of_string(expected_key)));
    assert_true(object_equal(object, row));
    assert_int_equal(parts, REPLICA_ROW);
    object_unref(row);
    object_unref(whole);
}

/* States of the row here, at the first and at the second of the others; who gets the row alone
 * (bits), and whether the object is read to be repaired with it. */
static void check_repair(unsigned holders, const char states[4], unsigned rows, bool object)
{
    struct lone *lone = lone_open(7, 3);
    char directory[16];
    char name[16];
    char key[32];
    find_name(lone, holders, directory, name);
    (void)snprintf(key, sizeof key, "%s%s", directory, name);
    uint16_t peers[2] = {lone_sent(lone, MESSAGE_REPLICA_LIST)->peer, 0};
    for (int who = 0; who < 3; who++) {
        if (who == 2) {
            peers[1] = lone_sent(lone, MESSAGE_REPLICA_LIST)->peer;
        }
        answer_name(lone, who, name, states[who]);
    }
    const char *merged = strpbrk(states, "MB") ? "1.5:5 2.6:6 | 1.5:5 2.6:6" : "1.5:5 | 1.5:5";
    assert_int_equal(lone_stores(lone, STORE_MERGE), rows & 1);
    if (rows & 1) {
        const struct store_request *merge = &lone_store(lone, STORE_MERGE)->request;
        assert_row_sent(merge->key, merge->merge.object, merge->merge.parts, key, merged);
    }
    for (int i = 0; i < 2; i++) {
        struct action *sent = lone_sent(lone, MESSAGE_REPLICA_PUT);
        bool is_wanted = (rows >> (i + 1) & 1) != 0;
        assert_true(!is_wanted || sent);
        if (is_wanted) {
            const struct message_replica_put *put = &sent->message.replica_put;
            assert_int_equal(sent->peer, peers[i]);
            assert_row_sent(put->key, put->object, put->parts, key, merged);
            lone_drop(lone, sent);
        }
    }
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
    bool is_read = lone_store(lone, STORE_GET) || lone_sent(lone, MESSAGE_REPLICA_GET);
    assert_int_equal(is_read, object);
    unsigned count = (rows & 1) + (rows >> 1 & 1) + (rows >> 2 & 1);
    assert_int_equal(lone->core->stats.read_repairs, count);
    lone_close(lone);
}

static void test_repair__replica_lags__gets_the_merged_row(void **state)
{
    (void)state;
    check_repair(0, "LLL", 0, false);
    check_repair(0, " LL", 1, false);
    check_repair(0, "L L", 2, false);
    check_repair(0, "LL ", 4, false);
    check_repair(0, "  L", 3, false);
    check_repair(0, "LLM", 7, false);
    check_repair(0, "BLB", 2, false);
}

/* A row must not be ahead of its object on one disk. */
static void test_repair__replica_holds_the_object__it_is_read(void **state)
{
    (void)state;
    check_repair(1, " LL", 0, true);
    check_repair(1, "L L", 2, false);
    check_repair(1, "  L", 2, true);
    check_repair(2, "L L", 0, true);
    check_repair(2, " LL", 1, false);
}

/* What has answered and is gone since gets nothing. */
static void test_repair__replica_is_gone__is_left_to_the_next_listing(void **state)
{
    (void)state;
    struct lone *lone = lone_open(7, 3);
    char directory[16];
    char name[16];
    find_name(lone, 0, directory, name);
    uint16_t first = lone_sent(lone, MESSAGE_REPLICA_LIST)->peer;
    answer_name(lone, 1, name, ' ');
    answer_name(lone, 1, name, 'L');
    lone_disconnect(lone, first);
    answer_name(lone, 0, name, 'L');
    assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
    lone_close(lone);
}

/* Damage and shortage -------------------------------------------------------------------- */

static void test_merge__row_cannot_be_read__another_replica_is_asked(void **state)
{
    (void)state;
    for (int is_own = 0; is_own < 2; is_own++) {
        struct lone *lone = lone_open(3, 3);
        lone_ask(lone, rows_listing(ALL, 0, false));
        rows_own(lone, is_own ? "a=L b=X >m" : "a=L b=L >m");
        rows_peer(lone, is_own ? "a=L b=L >m" : "a=L b=X >m");
        assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
        assert_int_equal(lone->core->stats.corrupt, 1);
        drop_repairs(lone);
        rows_peer(lone, "a=L b=L >m");
        assert_rows(lone, "a=L b=L >m");
        lone_close(lone);
    }
    struct lone *lone = lone_open(3, 3);
    lone_ask(lone, rows_listing(ALL, 3, false));
    rows_own(lone, "a=L");
    rows_peer(lone, "a=X");
    rows_peer(lone, "a=L");
    assert_rows_failed(lone, STATUS_NO_QUORUM);
    lone_close(lone);
}

/* Each allocation of the last step fails once. */
static void test_merge__memory_is_short__fails_or_is_right(void **state)
{
    (void)state;
    bool has_failed = true;
    unsigned failures = 0;
    for (int n = 0; has_failed; n++) {
        struct lone *lone = lone_open(3, 3);
        lone_ask(lone, rows_listing(ALL, 0, false));
        struct action *sent = lone_sent(lone, MESSAGE_REPLICA_LIST);
        rows_own(lone, "a=L b=L c=L d=M");
        struct message reply = {.list_reply = rows_of("a=L b=D c=M d=L >d")};
        lone_fail_allocation(n);
        lone_answer(lone, sent, reply);
        has_failed = lone_has_failed();
        struct action *told = lone_reply(lone, MESSAGE_LIST_REPLY);
        if (told && told->message.status == STATUS_OK) {
            assert_rows(lone, "a=L b=D c=B d=B >d");
        } else if (told) {
            failures++;
            assert_rows_failed(lone, STATUS_NO_MEMORY);
        } else {
            fail_msg("no answer");
        }
        lone_close(lone);
    }
    assert_true(failures > 3);
}

/* A name, for others of this node ---------------------------------------------------------- */

static int ended;
static enum status end_status;
static char end_rows[ROWS_TEXT_SIZE];

static void parent_on_child(struct core *core, struct request *parent,
                            struct child_result *result)
{
    (void)core;
    (void)parent;
    ended++;
    end_status = result->status;
    end_rows[0] = '\0';
    if (result->status == STATUS_OK) {
        for (uint16_t i = 0; i < result->list->row_count; i++) {
            assert_non_null(result->list->rows[i].object);
        }
        rows_print(result->list, end_rows);
    }
}

static const struct request_kind parent_kind = {.name = "parent", .on_child = parent_on_child};

static void look_up(struct core *core, void *context)
{
    bool *ret_started = context;
    struct request *parent = request_new(core, &parent_kind, UINT64_MAX, false);
    struct blob *directory = blob_new(slice_of_string("d/"));
    struct blob *name = blob_new(slice_of_string("a"));
    ended = 0;
    while (!*ret_started && request_new(core, &parent_kind, UINT64_MAX, false)) {
    }
    *ret_started = list_start_child(core, parent, directory, name);
    blob_unref(directory);
    blob_unref(name);
}

static struct lone *open_look_up(void)
{
    struct lone *lone = lone_open(3, 3);
    bool started = true;
    lone_do(lone, look_up, &started);
    assert_true(started);
    assert_int_equal(core_requests_in_flight(lone->core), 0);
    const struct message_list *asked = &lone_store(lone, STORE_LIST)->request.list;
    assert_true(slice_equal(blob_slice(asked->start), slice_of_string("a")));
    assert_true(slice_equal(blob_slice(asked->end), slice_of_string("a")));
    assert_false(asked->after_start || asked->live_only);
    assert_int_equal(asked->limit, 2);
    return lone;
}

static void test_look_up__of_a_name__gives_its_rows_opened(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a/=D a=L", "a/=D a=L", "a/=D a=L"}, {"a=L", "a=M", "a=B"}, {"", "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = open_look_up();
        rows_own(lone, cases[i][0]);
        rows_peer(lone, cases[i][1]);
        assert_int_equal(ended, 1);
        assert_int_equal(end_status, STATUS_OK);
        assert_string_equal(end_rows, cases[i][2]);
        lone_close(lone);
    }
}

static void test_look_up__goes_wrong__says_so(void **state)
{
    (void)state;
    struct lone *lone = open_look_up();
    rows_own(lone, "a=X");
    rows_peer(lone, "a=X");
    assert_int_equal(end_status, STATUS_CORRUPT);
    lone_close(lone);

    lone = open_look_up();
    lone_run(lone, 5 * SECOND - 1);
    assert_int_equal(ended, 0);
    lone_run(lone, 1);
    assert_int_equal(ended, 1);
    assert_int_equal(end_status, STATUS_TIMEOUT);
    assert_int_equal(lone->core->stats.lists_failed, 0);
    lone_close(lone);

    lone = lone_open(3, 3);
    bool started = false;
    lone_do(lone, look_up, &started);
    assert_false(started);
    lone_close(lone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge__of_two__is_what_either_knows),
        cmocka_unit_test(test_merge__live_rows_are_wanted__leaves_out_the_dead),
        cmocka_unit_test(test_merge__page_is_full__ends_between_names),
        cmocka_unit_test(test_merge__most_rows_there_may_be__ends_between_names),
        cmocka_unit_test(test_repair__replica_lags__gets_the_merged_row),
        cmocka_unit_test(test_repair__replica_holds_the_object__it_is_read),
        cmocka_unit_test(test_repair__replica_is_gone__is_left_to_the_next_listing),
        cmocka_unit_test(test_merge__row_cannot_be_read__another_replica_is_asked),
        cmocka_unit_test(test_merge__memory_is_short__fails_or_is_right),
        cmocka_unit_test(test_look_up__of_a_name__gives_its_rows_opened),
        cmocka_unit_test(test_look_up__goes_wrong__says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
