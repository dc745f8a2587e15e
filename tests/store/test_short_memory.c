/*
 * test_short_memory.c - each allocation of a group fails once.
 *
 * Rules: a request is applied whole or not at all; what was not applied says NO_MEMORY; nothing
 *        leaks (run under AddressSanitizer).
 */
#include <string.h>

#include "tests/store/fixture.h"
#include "tests/wire/allocate.h"

enum { REQUESTS = 8 };

static struct store_request live_request(void)
{
    struct store_request request = list_request("q/", 10);

    request.list.live_only = true;
    return request;
}

static void make_requests(struct store_request requests[REQUESTS])
{
    requests[0] = put_request("d/f", NULL, "new");
    requests[1] = merge_request("d/g", object_of(3, 100, "x"), REPLICA_OBJECT | REPLICA_ROW);
    requests[2] = get_request("old");
    requests[3] = list_request("/", 10);
    requests[4] = intents_request(INTENT_ROW);
    requests[5] = clear_request(INTENT_ROW, "old", 1);
    requests[6] = put_request("h", NULL, "last");
    requests[7] = live_request();
}

/* One row, and what shows whether others hold the same: it must not be of a part of it. */
static void take_mark(const struct store_result *result, uint8_t ret_digest[DIGEST_SIZE])
{
    assert_int_equal(result->list.row_count, 1);
    assert_int_equal(result->list.mark_count, 1);
    memcpy(ret_digest, result->list.marks[0].digest, DIGEST_SIZE);
}

/* Object, row and intent are all there, or none. */
static void assert_whole(struct fixture *fixture, const char *key, enum status status)
{
    bool is_there = status == STATUS_OK;
    const char *directory = key[0] == 'd' ? "d/" : "/";
    const char *name = key[0] == 'd' ? key + 2 : key;
    struct object *object = stored_object(fixture, key);
    struct object *row = stored_row(fixture, directory, name);

    assert_int_equal(object_is_live(object), is_there);
    assert_int_equal(object_is_live(row), is_there);
    if (strcmp(key, "d/g") != 0) {
        assert_int_equal(stored_intent(fixture, INTENT_ROW, key) != 0, is_there);
    }
    if (is_there && key[0] == 'd') {
        assert_int_not_equal(stored_intent(fixture, INTENT_REVIVE, "d/"), 0);
    }
    object_unref(object);
    object_unref(row);
}

/* False if no allocation failed. */
static bool run_with_failure(unsigned count)
{
    enum fixture_kind kind = FIXTURE_MEMORY;
    void *state = &kind;
    struct store_request requests[REQUESTS];
    struct store_result results[REQUESTS];
    assert_int_equal(fixture_setup(&state), 0);
    struct fixture *fixture = state;
    apply_expect(fixture, put_request("old", NULL, "old"), STATUS_OK);
    apply_expect(fixture, put_request("q/r", NULL, "live"), STATUS_OK);
    uint8_t expected[DIGEST_SIZE];
    uint8_t digest[DIGEST_SIZE];
    struct store_result live = apply(fixture, live_request());
    take_mark(&live, expected);
    store_result_release(&live);
    make_requests(requests);
    for (size_t i = 0; i < REQUESTS; i++) {
        requests[i].wall_us = fixture->wall_us;
    }

    allocate_fail_after(count);
    store_apply(&fixture->state, requests, REQUESTS, results);
    bool did_fail = allocate_did_fail();
    allocate_never_fail();

    size_t failed = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        assert_true(results[i].status == STATUS_OK || results[i].status == STATUS_NO_MEMORY);
        failed += results[i].status != STATUS_OK;
    }
    assert_true(did_fail || failed == 0);
    assert_whole(fixture, "d/f", results[0].status);
    assert_whole(fixture, "d/g", results[1].status);
    assert_whole(fixture, "h", results[6].status);
    if (results[2].status == STATUS_OK) {
        assert_content(results[2].object, "old");
    }
    for (uint16_t i = 0; results[3].status == STATUS_OK && i < results[3].list.row_count; i++) {
        assert_non_null(results[3].list.rows[i].name);
        assert_non_null(results[3].list.rows[i].record);
    }
    if (results[7].status == STATUS_OK) {
        take_mark(&results[7], digest);
        assert_memory_equal(digest, expected, DIGEST_SIZE);
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        store_request_release(&requests[i]);
        store_result_release(&results[i]);
    }
    assert_int_equal(fixture_teardown(&state), 0);
    return did_fail;
}

static void test_short_memory__any_allocation_fails__each_request_is_whole(void **state)
{
    unsigned count = 0;

    (void)state;
    while (run_with_failure(count)) {
        count++;
    }
    /* So many were there to fail; if it were few, the wrapping would not have worked. */
    assert_in_range(count, 50, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_memory__any_allocation_fails__each_request_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
