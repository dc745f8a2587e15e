/*
 * test_hints_memory.c - each allocation of a group of requests about hints fails once.
 *
 * Rules: a request is applied whole or not at all; what was not applied says NO_MEMORY; what is
 *        counted is what is there; nothing leaks (run under AddressSanitizer).
 */
#include "tests/store/house.h"
#include "tests/wire/allocate.h"

enum { REQUESTS = 9 };

static void make_requests(struct house *house, struct store_request requests[REQUESTS])
{
    uint64_t stamp = stored_stamp(house, CARL, HINT_MARKER, "old");

    requests[0] = hint_request("k", object_of(3, 10, "one"), ANNA, BERT);
    requests[1] = fallback_request("d/l", NULL, "two", ANNA, BERT);
    requests[1].coordinate.with_row = true;
    requests[2] = for_owners(get_request("old"), ANNA, BERT);
    requests[3] = list_hints_request(ANNA, 10);
    requests[4] = plain_request(STORE_HINT_OWNERS);
    requests[5] = clear_hint_request(CARL, HINT_MARKER, "old", stamp);
    requests[6] = hint_request("old", object_of(4, 20, "newer"), ANNA, 0);
    requests[7] = merge_request("d/m", object_of(5, 30, "home"), REPLICA_OBJECT);
    requests[7].merge.with_intent = true;
    requests[8] = hint_request("n", NULL, ANNA, BERT);
}

static bool has_hint(struct house *house, node_id owner, enum hint_kind kind, const char *key)
{
    return stored_stamp(house, owner, kind, key) != 0;
}

static void assert_whole(struct house *house, const struct store_result results[REQUESTS])
{
    static const node_id owners[] = {ANNA, BERT};
    struct fixture *fixture = house->fixture;
    bool ok[REQUESTS];

    for (size_t i = 0; i < REQUESTS; i++) {
        ok[i] = results[i].status == STATUS_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(has_hint(house, owners[i], HINT_OBJECT, "k"), ok[0]);
        assert_int_equal(has_hint(house, owners[i], HINT_MARKER, "n"), ok[8]);
        /* It may be kept although the row of the same put was not. */
        assert_true(has_hint(house, owners[i], HINT_OBJECT, "d/l") || !ok[1]);
        assert_int_equal(stored_owner(house, owners[i]).count, count_hints(house, owners[i]));
    }
    assert_int_equal(has_hint(house, ANNA, HINT_OBJECT, "d/l"),
                     has_hint(house, BERT, HINT_OBJECT, "d/l"));
    struct object *row = stored_row(fixture, "d/", "l");
    assert_int_equal(row != NULL, ok[1]);
    object_unref(row);
    assert_int_equal(has_hint(house, CARL, HINT_MARKER, "old"), !ok[5]);
    struct hint old = stored_hint_of(house, ANNA, HINT_OBJECT, "old");
    assert_int_equal(old.object->version_count, ok[6] ? 2 : 1);
    object_unref(old.object);
    struct object *home = stored_object(fixture, "d/m");
    assert_int_equal(home != NULL, ok[7]);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "d/m") != 0, ok[7]);
    object_unref(home);
}

/* False if no allocation failed. */
static bool run_with_failure(unsigned count)
{
    enum fixture_kind kind = FIXTURE_MEMORY;
    void *state = &kind;
    struct store_request requests[REQUESTS];
    struct store_result results[REQUESTS];
    size_t failed = 0;
    assert_int_equal(house_setup(&state), 0);
    struct house *house = state;
    apply_expect(house->fixture, hint_request("old", object_of(3, 10, "old"), ANNA, 0),
                 STATUS_OK);
    apply_expect(house->fixture, hint_request("old", NULL, CARL, 0), STATUS_OK);
    make_requests(house, requests);
    for (size_t i = 0; i < REQUESTS; i++) {
        requests[i].wall_us = house->fixture->wall_us;
    }

    allocate_fail_after(count);
    store_apply(&house->fixture->state, requests, REQUESTS, results);
    bool did_fail = allocate_did_fail();
    allocate_never_fail();

    for (size_t i = 0; i < REQUESTS; i++) {
        assert_true(results[i].status == STATUS_OK || results[i].status == STATUS_NO_MEMORY);
        failed += results[i].status != STATUS_OK;
    }
    assert_true(did_fail || failed == 0);
    assert_whole(house, results);
    if (results[2].status == STATUS_OK) {
        assert_content(results[2].object, "old");
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        store_request_release(&requests[i]);
        store_result_release(&results[i]);
    }
    assert_int_equal(house_teardown(&state), 0);
    return did_fail;
}

static void test_short_memory__any_allocation_fails__hints_are_whole(void **state)
{
    unsigned count = 0;

    (void)state;
    while (run_with_failure(count)) {
        count++;
    }
    /* So many were there to fail; if it were few, the wrapping would not have worked. */
    assert_in_range(count, 50, 10000);
}

/* A start that lacks memory is refused, and leaves nothing behind. */
static void test_short_memory__start__fails_and_can_be_tried_again(void **state)
{
    enum fixture_kind kind = FIXTURE_MEMORY;
    void *memory = &kind;
    struct error error = {0};
    enum status status = STATUS_NO_MEMORY;
    unsigned count = 0;

    (void)state;
    assert_int_equal(house_setup(&memory), 0);
    struct house *house = memory;
    apply_expect(house->fixture, hint_request("k", NULL, ANNA, 0), STATUS_OK);
    while (status != STATUS_OK) {
        hint_store_release(&house->fixture->state);
        allocate_fail_after(count++);
        status = house_open_hints(house, &error);
        allocate_never_fail();
        assert_true(status == STATUS_OK || status == STATUS_NO_MEMORY);
        assert_int_equal(house->fixture->state.hints != NULL, status == STATUS_OK);
    }
    assert_in_range(count, 3, 100);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    assert_int_equal(house_teardown(&memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_memory__any_allocation_fails__hints_are_whole),
        cmocka_unit_test(test_short_memory__start__fails_and_can_be_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
