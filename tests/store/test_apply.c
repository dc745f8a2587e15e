/*
 * test_apply.c - single requests and groups, on both engines.
 *
 * Rules: a put writes object, row and intent as one; a merge keeps what both know and writes
 *        only a change, but always with sync; later requests of a group see earlier ones; a
 *        failed batch fails all that depended on it; an intent is dropped only under its own
 *        stamp.
 */
#include "tests/store/fixture.h"

static void test_apply_get__no_copy__gives_none(void **state)
{
    struct store_result result = apply(*state, get_request("a"));

    assert_int_equal(result.status, STATUS_OK);
    assert_null(result.object);
    store_result_release(&result);
}

static void test_apply_coordinate__put__writes_object_row_and_intent(void **state)
{
    struct fixture *fixture = *state;

    struct store_result result = apply(fixture, put_request("f", NULL, "hello"));

    assert_int_equal(result.status, STATUS_OK);
    assert_content(result.object, "hello");
    assert_int_equal(result.object->own.node, FIXTURE_NODE);
    assert_int_equal(result.intent_stamp, result.object->versions[0].dot.counter);
    assert_false(result.revive);
    assert_int_equal(atomic_load(&fixture->spy.batches), 1);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 0);

    struct object *object = stored_object(fixture, "f");
    struct object *row = stored_row(fixture, "/", "f");
    assert_true(object_equal(object, result.object));
    assert_true(object_equal(row, result.object));
    assert_null(row->versions[0].content);
    assert_int_equal(row->versions[0].attributes.size, 5);
    assert_int_equal(row->own.node, 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), result.intent_stamp);
    object_unref(object);
    object_unref(row);
    store_result_release(&result);
}

static void test_apply_coordinate__own_pair__is_kept_on_disk_and_extended(void **state)
{
    struct fixture *fixture = *state;
    struct store_result first = apply(fixture, put_request("f", NULL, "1"));

    fixture_restart(fixture, true);
    struct store_result second = apply(fixture, put_request("f", first.object, "2"));

    assert_content(second.object, "2");
    assert_int_equal(second.object->clock.count, 1);
    assert_true(actor_equal(second.object->own, first.object->own));
    store_result_release(&first);
    store_result_release(&second);
}

static void test_apply_coordinate__without_row_and_intent__leaves_neither(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = put_request("f", NULL, "x");

    request.coordinate.with_row = false;
    request.coordinate.with_intent = false;
    struct store_result result = apply(fixture, request);

    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.intent_stamp, 0);
    assert_null(stored_row(fixture, "/", "f"));
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), 0);
    store_result_release(&result);
}

static void test_apply_coordinate__root__has_neither_row_nor_intent(void **state)
{
    struct fixture *fixture = *state;

    struct store_result result = apply(fixture, put_request("/", NULL, ""));

    assert_int_equal(result.status, STATUS_OK);
    assert_true(object_is_live(result.object));
    assert_int_equal(result.intent_stamp, 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "/"), 0);
    store_result_release(&result);
}

static void test_apply_coordinate__put_without_context__is_a_sibling(void **state)
{
    struct fixture *fixture = *state;

    apply_expect(fixture, put_request("f", NULL, "1"), STATUS_OK);
    apply_expect(fixture, put_request("f", NULL, "2"), STATUS_OK);

    struct object *object = stored_object(fixture, "f");
    struct object *row = stored_row(fixture, "/", "f");
    assert_int_equal(object->version_count, 2);
    assert_true(object_equal(object, row));
    object_unref(object);
    object_unref(row);
}

static void test_apply_coordinate__delete__leaves_a_tombstone_and_its_row(void **state)
{
    struct fixture *fixture = *state;
    struct store_result put = apply(fixture, put_request("f", NULL, "1"));

    apply_expect(fixture, put_request("f", put.object, NULL), STATUS_OK);

    struct object *object = stored_object(fixture, "f");
    struct object *row = stored_row(fixture, "/", "f");
    assert_non_null(object);
    assert_false(object_is_live(object));
    assert_true(object_equal(object, row));
    object_unref(object);
    object_unref(row);
    store_result_release(&put);
}

/* An object with an empty clock is no object: a copy that has it and one that has not would
 * never agree. */
static void test_apply__object_that_is_nothing__is_done_without_a_trace(void **state)
{
    struct fixture *fixture = *state;
    struct object *nothing = NULL;
    assert_int_equal(object_new(NULL, NULL, 0, (struct actor){0}, &nothing), STATUS_OK);
    struct store_request merge =
        merge_request("f", object_ref(nothing), REPLICA_OBJECT | REPLICA_ROW);
    merge.merge.with_intent = true;
    spy_engine_reset(&fixture->spy);

    struct store_result result = apply(fixture, put_request("f", NULL, NULL));
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.intent_stamp, 0);
    assert_true(object_is_nothing(result.object));
    store_result_release(&result);
    apply_expect(fixture, merge, STATUS_OK);

    assert_int_equal(atomic_load(&fixture->spy.batches), 0);
    assert_null(stored_object(fixture, "f"));
    assert_null(stored_row(fixture, "/", "f"));
    object_unref(nothing);
}

static void test_apply_coordinate__update_none__changes_nothing_but_pushes_the_row(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = put_request("f", NULL, "1");
    request.coordinate.with_row = false;
    struct store_result put = apply(fixture, request);
    spy_engine_reset(&fixture->spy);

    struct store_result none = apply(fixture, none_request("f"));

    assert_int_equal(none.status, STATUS_OK);
    assert_true(object_equal(none.object, put.object));
    struct object *row = stored_row(fixture, "/", "f");
    assert_true(object_equal(row, put.object));
    assert_int_equal(atomic_load(&fixture->spy.batches), 1);
    object_unref(row);
    store_result_release(&none);

    /* Once more there is nothing to write. */
    apply_expect(fixture, none_request("f"), STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.batches), 1);
    store_result_release(&put);
}

static void test_apply_coordinate__update_none_without_copy__is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = none_request("f");
    request.coordinate.with_intent = true;

    apply_expect(fixture, request, STATUS_NOT_FOUND);

    assert_int_equal(atomic_load(&fixture->spy.batches), 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), 0);
}

static void test_apply__sync_of_an_unchanged_copy__writes_it_synced(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = none_request("f");

    apply_expect(fixture, put_request("f", NULL, "1"), STATUS_OK);
    spy_engine_reset(&fixture->spy);
    request.sync = true;
    apply_expect(fixture, request, STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);

    struct object *object = stored_object(fixture, "f");
    request = merge_request("f", object, REPLICA_OBJECT | REPLICA_ROW);
    request.sync = true;
    apply_expect(fixture, request, STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 2);
}

static void test_apply_merge__new_object__is_stored_with_its_row(void **state)
{
    struct fixture *fixture = *state;

    struct store_result result = apply(
        fixture, merge_request("f", object_of(3, 100, "x"), REPLICA_OBJECT | REPLICA_ROW));

    assert_int_equal(result.status, STATUS_OK);
    assert_content(result.object, "x");
    assert_int_equal(result.object->own.node, 0);
    struct object *object = stored_object(fixture, "f");
    struct object *row = stored_row(fixture, "/", "f");
    assert_content(object, "x");
    assert_true(object_equal(object, row));
    object_unref(object);
    object_unref(row);
    store_result_release(&result);
}

static void test_apply_merge__same_again_or_older__writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

    apply_expect(fixture, merge_request("f", object_of(3, 100, "x"), both), STATUS_OK);
    apply_expect(fixture, merge_request("f", object_of(3, 200, "y"), both), STATUS_OK);
    assert_int_equal(atomic_load(&fixture->spy.batches), 2);
    apply_expect(fixture, merge_request("f", object_of(3, 200, "y"), both), STATUS_OK);
    apply_expect(fixture, merge_request("f", object_of(3, 100, "x"), both), STATUS_OK);

    assert_int_equal(atomic_load(&fixture->spy.batches), 2);
    struct object *object = stored_object(fixture, "f");
    assert_content(object, "y");
    object_unref(object);
}

static void test_apply_merge__concurrent__keeps_both_and_the_own_pair(void **state)
{
    struct fixture *fixture = *state;
    struct store_result put = apply(fixture, put_request("f", NULL, "mine"));

    struct store_result merged =
        apply(fixture, merge_request("f", object_of(3, 100, "theirs"), REPLICA_OBJECT));

    assert_int_equal(merged.object->version_count, 2);
    assert_true(actor_equal(merged.object->own, put.object->own));
    struct object *stored = stored_object(fixture, "f");
    assert_true(actor_equal(stored->own, put.object->own));
    object_unref(stored);
    store_result_release(&put);
    store_result_release(&merged);
}

static void test_apply_merge__row_alone__touches_no_object(void **state)
{
    struct fixture *fixture = *state;
    struct object *object = object_of(3, 100, "x");
    struct object *row = object_project(object);

    struct store_result result = apply(fixture, merge_request("f", row, REPLICA_ROW));

    assert_int_equal(result.status, STATUS_OK);
    assert_true(object_equal(result.object, object));
    assert_null(stored_object(fixture, "f"));
    struct object *stored = stored_row(fixture, "/", "f");
    assert_true(object_equal(stored, object));
    object_unref(stored);
    object_unref(object);
    store_result_release(&result);
}

static void test_apply_merge__row_as_an_object__is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct object *object = object_of(3, 100, "x");
    struct object *row = object_project(object);

    apply_expect(fixture, merge_request("f", row, REPLICA_OBJECT | REPLICA_ROW),
                 STATUS_BAD_MESSAGE);

    assert_null(stored_object(fixture, "f"));
    assert_null(stored_row(fixture, "/", "f"));
    object_unref(object);
}

static void test_apply__group__later_requests_see_earlier_ones_in_one_batch(void **state)
{
    struct fixture *fixture = *state;
    struct store_request requests[6] = {
        put_request("f", NULL, "1"),
        get_request("f"),
        merge_request("f", object_of(3, 100, "2"), REPLICA_OBJECT | REPLICA_ROW),
        get_request("f"),
        put_request("g", NULL, "3"),
        get_request("h"),
    };
    struct store_result results[6];
    requests[4].sync = true;

    apply_group(fixture, requests, 6, results);

    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(results[i].status, STATUS_OK);
    }
    assert_content(results[1].object, "1");
    assert_int_equal(results[3].object->version_count, 2);
    assert_null(results[5].object);
    assert_int_equal(atomic_load(&fixture->spy.batches), 1);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);
    for (size_t i = 0; i < 6; i++) {
        store_result_release(&results[i]);
    }
}

static void test_apply__scan_in_a_group__sees_what_was_written_before_it_only(void **state)
{
    struct fixture *fixture = *state;
    struct store_request requests[4] = {
        put_request("a", NULL, "1"),
        list_request("/", 10),
        put_request("b", NULL, "2"),
        list_request("/", 10),
    };
    struct store_result results[4];

    apply_group(fixture, requests, 4, results);

    assert_int_equal(results[1].list.row_count, 1);
    assert_int_equal(results[3].list.row_count, 2);
    for (size_t i = 0; i < 4; i++) {
        store_result_release(&results[i]);
    }
}

static void test_apply__batch_fails__writers_and_who_read_them_get_its_status(void **state)
{
    struct fixture *fixture = *state;
    struct store_request requests[5];
    struct store_result results[5];
    apply_expect(fixture, put_request("old", NULL, "1"), STATUS_OK);
    requests[0] = get_request("old");
    requests[1] = put_request("f", NULL, "1");
    requests[2] = get_request("f");
    requests[3] = none_request("missing");
    requests[4] = merge_request("g", object_of(3, 100, "x"), REPLICA_OBJECT);

    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    apply_group(fixture, requests, 5, results);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);

    assert_int_equal(results[0].status, STATUS_OK);
    assert_content(results[0].object, "1");
    assert_int_equal(results[1].status, STATUS_NO_SPACE);
    assert_null(results[1].object);
    assert_int_equal(results[1].intent_stamp, 0);
    assert_int_equal(results[2].status, STATUS_NO_SPACE);
    assert_null(results[2].object);
    assert_int_equal(results[3].status, STATUS_NOT_FOUND);
    assert_int_equal(results[4].status, STATUS_NO_SPACE);
    assert_null(stored_object(fixture, "f"));
    assert_null(stored_row(fixture, "/", "f"));
    for (size_t i = 0; i < 5; i++) {
        store_result_release(&results[i]);
    }
}

static void test_apply_clear_intents__other_stamp__is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct store_result first = apply(fixture, put_request("f", NULL, "1"));
    struct store_result second = apply(fixture, put_request("f", first.object, "2"));
    uint64_t old_stamp = first.intent_stamp;
    uint64_t stamp = second.intent_stamp;
    assert_true(stamp > old_stamp);

    apply_expect(fixture, clear_request(INTENT_ROW, "f", old_stamp), STATUS_OK);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), stamp);
    apply_expect(fixture, clear_request(INTENT_REVIVE, "f", stamp), STATUS_OK);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), stamp);
    apply_expect(fixture, clear_request(INTENT_ROW, "f", stamp), STATUS_OK);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), 0);
    apply_expect(fixture, clear_request(INTENT_ROW, "f", stamp), STATUS_OK);
    store_result_release(&first);
    store_result_release(&second);
}

static void test_apply_clear_intents__in_the_group_of_a_newer_put__is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct store_result first = apply(fixture, put_request("f", NULL, "1"));
    struct store_request requests[2] = {
        put_request("f", first.object, "2"),
        clear_request(INTENT_ROW, "f", first.intent_stamp),
    };
    struct store_result results[2];

    apply_group(fixture, requests, 2, results);

    assert_int_equal(stored_intent(fixture, INTENT_ROW, "f"), results[0].intent_stamp);
    store_result_release(&first);
    store_result_release(&results[0]);
    store_result_release(&results[1]);
}

static void test_apply_list_intents__pages_and_stamp_max__are_honoured(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request;
    uint64_t stamps[3];
    static const char *const keys[3] = {"a", "a/b", "c"};

    for (size_t i = 0; i < 3; i++) {
        struct store_result put = apply(fixture, put_request(keys[i], NULL, "1"));
        stamps[i] = put.intent_stamp;
        store_result_release(&put);
    }
    request = intents_request(INTENT_ROW);
    request.list_intents.limit = 1;
    struct store_result page = apply(fixture, request);
    assert_int_equal(page.intents.count, 1);
    assert_true(slice_equal(blob_slice(page.intents.intent[0].key), slice_of_string("a")));
    assert_true(page.intents.more);
    store_result_release(&page);

    request = intents_request(INTENT_ROW);
    request.key = key_of("a");
    page = apply(fixture, request);
    assert_int_equal(page.intents.count, 2);
    assert_true(slice_equal(blob_slice(page.intents.intent[0].key), slice_of_string("a/b")));
    assert_int_equal(page.intents.intent[1].stamp, stamps[2]);
    assert_false(page.intents.more);
    store_result_release(&page);

    request = intents_request(INTENT_ROW);
    request.list_intents.stamp_max = stamps[1];
    page = apply(fixture, request);
    assert_int_equal(page.intents.count, 2);
    assert_int_equal(page.intents.intent[1].stamp, stamps[1]);
    store_result_release(&page);
}

static void test_apply_holds_data__tells_objects_tombstones_and_rows(void **state)
{
    struct fixture *fixture = *state;
    struct store_result result = apply(fixture, plain_request(STORE_HOLDS_DATA));

    assert_int_equal(result.status, STATUS_OK);
    assert_false(result.holds_data); /* settings are no data */
    struct object *tombstone = object_of(3, 100, NULL);
    apply_expect(fixture, merge_request("f", tombstone, REPLICA_ROW), STATUS_OK);
    result = apply(fixture, plain_request(STORE_HOLDS_DATA));
    assert_true(result.holds_data);
}

static void test_apply_holds_data__object_alone__is_data(void **state)
{
    struct fixture *fixture = *state;
    struct object *tombstone = object_of(3, 100, NULL);

    apply_expect(fixture, merge_request("f", tombstone, REPLICA_OBJECT), STATUS_OK);

    struct store_result result = apply(fixture, plain_request(STORE_HOLDS_DATA));
    assert_true(result.holds_data);
}

static void test_apply__no_ring_yet__is_not_ready(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, FIXTURE_MEMORY, "");

    assert_false(fixture.identity.has_ring);
    apply_expect(&fixture, get_request("f"), STATUS_NOT_READY);
    apply_expect(&fixture, put_request("f", NULL, "1"), STATUS_NOT_READY);
    apply_expect(&fixture, list_request("/", 10), STATUS_NOT_READY);
    apply_expect(&fixture, plain_request(STORE_HOLDS_DATA), STATUS_OK);
    apply_expect(&fixture, intents_request(INTENT_ROW), STATUS_OK);
    fixture_close(&fixture);
}

static void test_apply_coordinate__far_ahead_context__does_not_drag_the_counter(void **state)
{
    struct fixture *fixture = *state;
    struct object *far = object_of(3, fixture->wall_us + 2 * COUNTER_AHEAD_MAX_US, "x");
    struct object *near = object_of(3, fixture->wall_us + COUNTER_AHEAD_MAX_US / 2, "x");

    struct store_result result = apply(fixture, put_request("f", far, "1"));
    assert_in_range(result.intent_stamp, fixture->wall_us, fixture->wall_us + 1000);
    store_result_release(&result);

    result = apply(fixture, put_request("g", near, "1"));
    assert_true(result.intent_stamp > near->versions[0].dot.counter);
    store_result_release(&result);
    object_unref(far);
    object_unref(near);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_apply_get__no_copy__gives_none),
        ON_BOTH_ENGINES(test_apply_coordinate__put__writes_object_row_and_intent),
        ON_BOTH_ENGINES(test_apply_coordinate__own_pair__is_kept_on_disk_and_extended),
        ON_BOTH_ENGINES(test_apply_coordinate__without_row_and_intent__leaves_neither),
        ON_BOTH_ENGINES(test_apply_coordinate__root__has_neither_row_nor_intent),
        ON_BOTH_ENGINES(test_apply_coordinate__put_without_context__is_a_sibling),
        ON_BOTH_ENGINES(test_apply_coordinate__delete__leaves_a_tombstone_and_its_row),
        ON_BOTH_ENGINES(test_apply__object_that_is_nothing__is_done_without_a_trace),
        ON_BOTH_ENGINES(test_apply_coordinate__update_none__changes_nothing_but_pushes_the_row),
        ON_BOTH_ENGINES(test_apply_coordinate__update_none_without_copy__is_not_found),
        ON_BOTH_ENGINES(test_apply__sync_of_an_unchanged_copy__writes_it_synced),
        ON_BOTH_ENGINES(test_apply_merge__new_object__is_stored_with_its_row),
        ON_BOTH_ENGINES(test_apply_merge__same_again_or_older__writes_nothing),
        ON_BOTH_ENGINES(test_apply_merge__concurrent__keeps_both_and_the_own_pair),
        ON_BOTH_ENGINES(test_apply_merge__row_alone__touches_no_object),
        ON_BOTH_ENGINES(test_apply_merge__row_as_an_object__is_refused),
        ON_BOTH_ENGINES(test_apply__group__later_requests_see_earlier_ones_in_one_batch),
        ON_BOTH_ENGINES(test_apply__scan_in_a_group__sees_what_was_written_before_it_only),
        ON_BOTH_ENGINES(test_apply__batch_fails__writers_and_who_read_them_get_its_status),
        ON_BOTH_ENGINES(test_apply_clear_intents__other_stamp__is_kept),
        ON_BOTH_ENGINES(test_apply_clear_intents__in_the_group_of_a_newer_put__is_kept),
        ON_BOTH_ENGINES(test_apply_list_intents__pages_and_stamp_max__are_honoured),
        ON_BOTH_ENGINES(test_apply_holds_data__tells_objects_tombstones_and_rows),
        ON_BOTH_ENGINES(test_apply_holds_data__object_alone__is_data),
        ON_BOTH_ENGINES(test_apply_coordinate__far_ahead_context__does_not_drag_the_counter),
        cmocka_unit_test(test_apply__no_ring_yet__is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
