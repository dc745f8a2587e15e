/*
 * test_apply_corrupt.c - requests that meet a record which is none.
 *
 * Rule: corrupt is never "not found", and changes nothing; the others of its group are done.
 */

#include "node/store/layout.h"
#include "node/wire/record.h"
#include "tests/store/fixture.h"

/* Puts bytes where the key's record is. */
static void overwrite(struct fixture *fixture, bool is_row, const char *key, struct slice bytes)
{
    struct buffer place = {0};

    if (is_row) {
        layout_row_of(&place, FIXTURE_PARTITIONS, slice_of_string(key));
    } else {
        layout_object(&place, FIXTURE_PARTITIONS, slice_of_string(key));
    }
    struct engine_write write = {.key = buffer_slice(&place), .value = bytes};
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
    buffer_release(&place);
}

static void test_apply__corrupt_object__is_corrupt_and_stays(void **state)
{
    struct fixture *fixture = *state;
    uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

    overwrite(fixture, false, "f", slice_of_string("noise"));
    apply_expect(fixture, get_request("f"), STATUS_CORRUPT);
    apply_expect(fixture, put_request("f", NULL, "1"), STATUS_CORRUPT);
    apply_expect(fixture, none_request("f"), STATUS_CORRUPT);
    apply_expect(fixture, merge_request("f", object_of(3, 100, "x"), both), STATUS_CORRUPT);

    assert_int_equal(atomic_load(&fixture->spy.batches), 0);
    assert_null(stored_row(fixture, "/", "f"));
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), 0);
}

static void test_apply__empty_value__is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    overwrite(fixture, false, "f", slice_of(NULL, 0));

    apply_expect(fixture, get_request("f"), STATUS_CORRUPT);
}

static void test_apply__corrupt_row__put_and_merge_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

    overwrite(fixture, true, "f", slice_of_string("noise"));
    apply_expect(fixture, put_request("f", NULL, "1"), STATUS_CORRUPT);
    apply_expect(fixture, merge_request("f", object_of(3, 100, "x"), both), STATUS_CORRUPT);
    apply_expect(fixture, list_request("/", 10), STATUS_CORRUPT);
    apply_expect(fixture, find_request("/", NULL), STATUS_CORRUPT);

    assert_null(stored_object(fixture, "f"));
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), 0);
}

static void test_apply_get__content_differs_from_its_hash__is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    struct object *object = object_of(3, 100, "sound");
    struct buffer record = {0};

    object->versions[0].content_hash[0] ^= 1;
    record_encode(object, true, &record);
    overwrite(fixture, false, "f", buffer_slice(&record));

    apply_expect(fixture, get_request("f"), STATUS_CORRUPT);
    buffer_release(&record);
    object_unref(object);
}

static void test_apply__corrupt_request_in_a_group__the_others_are_done(void **state)
{
    struct fixture *fixture = *state;
    struct store_request requests[3] = {
        put_request("a", NULL, "1"),
        put_request("bad", NULL, "2"),
        put_request("c", NULL, "3"),
    };
    struct store_result results[3];

    overwrite(fixture, false, "bad", slice_of_string("noise"));
    apply_group(fixture, requests, 3, results);

    assert_int_equal(results[0].status, STATUS_OK);
    assert_int_equal(results[1].status, STATUS_CORRUPT);
    assert_int_equal(results[2].status, STATUS_OK);
    struct object *object = stored_object(fixture, "c");
    assert_content(object, "3");
    object_unref(object);
    for (size_t i = 0; i < 3; i++) {
        store_result_release(&results[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_apply__corrupt_object__is_corrupt_and_stays),
        ON_BOTH_ENGINES(test_apply__empty_value__is_corrupt),
        ON_BOTH_ENGINES(test_apply__corrupt_row__put_and_merge_change_nothing),
        ON_BOTH_ENGINES(test_apply_get__content_differs_from_its_hash__is_corrupt),
        ON_BOTH_ENGINES(test_apply__corrupt_request_in_a_group__the_others_are_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
