/*
 * test_revival.c - a live row revives its directory: who leaves the intent, in every order.
 *
 * Rules: a live row under a directory that is missing or deleted here, and a directory that
 *        becomes deleted, leave the directory's revival intent; the root needs none; the usual
 *        case, a directory that lives, costs no read.
 */
#include <string.h>

#include "tests/store/fixture.h"

static const uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

/* Puts and returns what was stored; the caller drops it. */
static struct object *put(struct fixture *fixture, const char *key, const struct object *seen,
                          const char *content, bool expect_revive)
{
    struct store_result result = apply(fixture, put_request(key, seen, content));
    struct object *object = object_ref(result.object);

    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.revive, expect_revive);
    store_result_release(&result);
    return object;
}

static void put_and_forget(struct fixture *fixture, const char *key, const char *content,
                           bool expect_revive)
{
    object_unref(put(fixture, key, NULL, content, expect_revive));
}

static bool has_intent(struct fixture *fixture, const char *directory)
{
    return stored_intent(fixture, INTENT_REVIVE, directory) != 0;
}

/* Drops the intent as the core does once it is carried out. */
static void settle(struct fixture *fixture, const char *directory)
{
    uint64_t stamp = stored_intent(fixture, INTENT_REVIVE, directory);

    assert_int_not_equal(stamp, 0);
    apply_expect(fixture, clear_request(INTENT_REVIVE, directory, stamp), STATUS_OK);
    assert_false(has_intent(fixture, directory));
}

static void test_revival__row_in_the_root__leaves_none(void **state)
{
    struct fixture *fixture = *state;

    put_and_forget(fixture, "f", "x", false);

    assert_false(has_intent(fixture, "/"));
}

static void test_revival__row_under_a_missing_directory__leaves_an_intent(void **state)
{
    put_and_forget(*state, "d/f", "x", true);

    assert_true(has_intent(*state, "d/"));
}

static void test_revival__directory_under_a_missing_one__leaves_an_intent(void **state)
{
    put_and_forget(*state, "d/e/", "", true);

    assert_true(has_intent(*state, "d/"));
    assert_false(has_intent(*state, "d/e/"));
}

static void test_revival__row_under_a_live_directory__leaves_none(void **state)
{
    struct fixture *fixture = *state;

    put_and_forget(fixture, "d/", "", false);
    put_and_forget(fixture, "d/f", "x", false);

    assert_false(has_intent(fixture, "d/"));
}

static void test_revival__live_directory_known__is_not_read_again(void **state)
{
    struct fixture *fixture = *state;

    put_and_forget(fixture, "d/", "", false);
    put_and_forget(fixture, "d/first", "x", false);
    spy_engine_reset(&fixture->spy);
    put_and_forget(fixture, "d/second", "x", false);

    /* The object, the row, and the directory's times; not whether the directory is live. */
    assert_int_equal(atomic_load(&fixture->spy.reads), 3);
}

static void test_revival__directory_deleted_then_row__both_leave_an_intent(void **state)
{
    struct fixture *fixture = *state;
    struct object *directory = put(fixture, "d/", NULL, "", false);
    put_and_forget(fixture, "d/other", "x", false); /* the directory is known to be live */

    object_unref(put(fixture, "d/", directory, NULL, true));
    settle(fixture, "d/");
    put_and_forget(fixture, "d/f", "x", true);

    assert_true(has_intent(fixture, "d/"));
    object_unref(directory);
}

static void test_revival__row_then_directory_deleted__leaves_an_intent(void **state)
{
    struct fixture *fixture = *state;
    struct object *directory = put(fixture, "d/", NULL, "", false);

    put_and_forget(fixture, "d/f", "x", false);
    object_unref(put(fixture, "d/", directory, NULL, true));

    assert_true(has_intent(fixture, "d/"));
    object_unref(directory);
}

static void test_revival__in_one_group__either_order_leaves_an_intent(void **state)
{
    struct fixture *fixture = *state;

    for (int row_first = 0; row_first <= 1; row_first++) {
        const char *name = row_first ? "d/" : "e/";
        const char *file = row_first ? "d/f" : "e/f";
        struct object *directory = put(fixture, name, NULL, "", false);
        struct store_request requests[2];
        struct store_result results[2];

        requests[row_first ? 0 : 1] = put_request(file, NULL, "x");
        requests[row_first ? 1 : 0] = put_request(name, directory, NULL);
        apply_group(fixture, requests, 2, results);

        assert_true(has_intent(fixture, name));
        assert_true(results[1].revive);
        store_result_release(&results[0]);
        store_result_release(&results[1]);
        object_unref(directory);
    }
}

static void test_revival__deleted_row__leaves_none(void **state)
{
    struct fixture *fixture = *state;
    struct object *file = put(fixture, "d/f", NULL, "x", true);

    settle(fixture, "d/");
    object_unref(put(fixture, "d/f", file, NULL, false));

    assert_false(has_intent(fixture, "d/"));
    object_unref(file);
}

static void test_revival__directory_created_again__rows_leave_none(void **state)
{
    struct fixture *fixture = *state;
    struct object *directory = put(fixture, "d/", NULL, "", false);
    struct object *tombstone = put(fixture, "d/", directory, NULL, true);

    settle(fixture, "d/");
    object_unref(put(fixture, "d/", tombstone, "", false));
    put_and_forget(fixture, "d/f", "x", false);

    assert_false(has_intent(fixture, "d/"));
    object_unref(directory);
    object_unref(tombstone);
}

static void test_revival__merged_row__leaves_an_intent(void **state)
{
    struct fixture *fixture = *state;
    struct object *object = object_of(3, 100, "x");

    struct store_result result =
        apply(fixture, merge_request("d/f", object_project(object), REPLICA_ROW));

    assert_true(result.revive);
    assert_true(has_intent(fixture, "d/"));
    object_unref(object);
    store_result_release(&result);
}

static void test_revival__merged_object_without_row__leaves_none(void **state)
{
    struct fixture *fixture = *state;

    struct store_result result =
        apply(fixture, merge_request("d/f", object_of(3, 100, "x"), REPLICA_OBJECT));

    assert_false(result.revive);
    assert_false(has_intent(fixture, "d/"));
    store_result_release(&result);
}

static void test_revival__merged_tombstone_of_a_directory__leaves_an_intent(void **state)
{
    struct fixture *fixture = *state;
    apply_expect(fixture, merge_request("d/", object_of(3, 100, ""), both), STATUS_OK);
    apply_expect(fixture, merge_request("d/f", object_of(3, 101, "x"), both), STATUS_OK);
    assert_false(has_intent(fixture, "d/"));

    struct store_result result =
        apply(fixture, merge_request("d/", object_of(3, 200, NULL), both));

    assert_true(result.revive);
    assert_true(has_intent(fixture, "d/"));
    store_result_release(&result);
}

static void test_revival__root_deleted__leaves_none(void **state)
{
    struct fixture *fixture = *state;
    struct object *root = put(fixture, "/", NULL, "", false);

    object_unref(put(fixture, "/", root, NULL, false));

    assert_false(has_intent(fixture, "/"));
    object_unref(root);
}

static void test_revival__left_again__has_another_stamp(void **state)
{
    struct fixture *fixture = *state;

    put_and_forget(fixture, "d/f", "x", true);
    uint64_t first = stored_intent(fixture, INTENT_REVIVE, "d/");
    put_and_forget(fixture, "d/g", "x", true);
    uint64_t second = stored_intent(fixture, INTENT_REVIVE, "d/");

    assert_true(second > first);
    apply_expect(fixture, clear_request(INTENT_REVIVE, "d/", first), STATUS_OK);
    assert_int_equal(stored_intent(fixture, INTENT_REVIVE, "d/"), second);
}

static void test_revival__batch_of_the_directory_failed__is_not_taken_for_live(void **state)
{
    struct fixture *fixture = *state;

    atomic_store(&fixture->spy.write_failure, STATUS_IO);
    struct store_request requests[2] = {put_request("d/", NULL, ""),
                                        put_request("d/f", NULL, "x")};
    struct store_result results[2];
    apply_group(fixture, requests, 2, results);
    assert_int_equal(results[0].status, STATUS_IO);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);

    put_and_forget(fixture, "d/f", "x", true);
    assert_true(has_intent(fixture, "d/"));
    store_result_release(&results[0]);
    store_result_release(&results[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_revival__row_in_the_root__leaves_none),
        ON_BOTH_ENGINES(test_revival__row_under_a_missing_directory__leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__directory_under_a_missing_one__leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__row_under_a_live_directory__leaves_none),
        ON_BOTH_ENGINES(test_revival__live_directory_known__is_not_read_again),
        ON_BOTH_ENGINES(test_revival__directory_deleted_then_row__both_leave_an_intent),
        ON_BOTH_ENGINES(test_revival__row_then_directory_deleted__leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__in_one_group__either_order_leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__deleted_row__leaves_none),
        ON_BOTH_ENGINES(test_revival__directory_created_again__rows_leave_none),
        ON_BOTH_ENGINES(test_revival__merged_row__leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__merged_object_without_row__leaves_none),
        ON_BOTH_ENGINES(test_revival__merged_tombstone_of_a_directory__leaves_an_intent),
        ON_BOTH_ENGINES(test_revival__root_deleted__leaves_none),
        ON_BOTH_ENGINES(test_revival__left_again__has_another_stamp),
        ON_BOTH_ENGINES(test_revival__batch_of_the_directory_failed__is_not_taken_for_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
