/*
 * test_repair_key.c - one row of which two replicas differ: what the other one tells of it.
 *
 * - a row of another name is not taken for it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/repair/repair_key.h"
#include "tests/core/lone_rows.h"

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

static void repair_row(struct core *core, void *context)
{
    struct request *parent = request_new(core, &parent_kind, UINT64_MAX, false);
    struct tree_entry entry = {.part = MERKLE_ROW, .key = blob_new(slice_of_string("d/a"))};
    ended = 0;
    assert_true(key_start(core, parent, &entry, *(const uint16_t *)context));
    blob_unref(entry.key);
}

static struct lone *open_repair(void)
{
    struct lone *lone = lone_open(3, 3);
    uint16_t peer = lone_peer(lone, 1);
    lone_do(lone, repair_row, &peer);
    const struct message_list *asked = &lone_sent(lone, MESSAGE_REPLICA_LIST)->message.list;
    assert_true(slice_equal(blob_slice(asked->start), slice_of_string("a")));
    assert_true(slice_equal(blob_slice(asked->end), slice_of_string("a")));
    return lone;
}

/* All three hold the object too: it is read first. */
static void test_row__other_one_has_more__its_object_is_read(void **state)
{
    (void)state;
    static const char *const cases[] = {"a=M", "a/=L a=M", ""};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = open_repair();
        rows_own(lone, "a=L");
        rows_peer(lone, cases[i]);
        assert_int_equal(ended, 0);
        assert_non_null(lone_store(lone, STORE_GET));
        lone_close(lone);
    }
}

static void test_row__other_one_tells_of_another_name__is_no_answer(void **state)
{
    (void)state;
    static const char *const cases[] = {"b=M", "b/=M", "Z=L a=M", "a=X"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lone *lone = open_repair();
        rows_own(lone, "a=L");
        rows_peer(lone, cases[i]);
        assert_int_equal(ended, 1);
        assert_int_equal(end_status, STATUS_UNREACHABLE);
        assert_int_equal(lone->core->stats.corrupt, 1);
        assert_null(lone_store(lone, STORE_MERGE));
        assert_null(lone_store(lone, STORE_GET));
        assert_int_equal(lone_sends(lone, MESSAGE_REPLICA_PUT), 0);
        lone_close(lone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row__other_one_has_more__its_object_is_read),
        cmocka_unit_test(test_row__other_one_tells_of_another_name__is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
