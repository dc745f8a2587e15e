/*
 * test_whose_damage.c - which database a failed request found damaged, and what it says of it.
 *
 * - a reap reads both databases: what it could not read in the hints is theirs, unless the own
 *   one is known to be damaged too
 * - the text is of the database that is damaged; or of the hints' if the own one has none
 */
#include <stdio.h>
#include <string.h>

#include "node/store/layout.h"
#include "tests/store/house.h"

static void own_tells(struct engine *engine, char *ret_text, size_t size)
{
    (void)engine;
    (void)snprintf(ret_text, size, "000001.ldb");
}

static void hints_tell(struct engine *engine, char *ret_text, size_t size)
{
    (void)engine;
    (void)snprintf(ret_text, size, "000002.ldb");
}

static void hand_over(struct house *house, const char *key)
{
    apply_expect(house->fixture, hint_request(key, object_of(3, 10, "one"), ANNA, 0),
                 STATUS_OK);
}

static void overwrite_object(struct house *house, const char *name)
{
    struct engine *disk = house->fixture->disk;
    struct buffer key = {0};

    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string(name));
    struct engine_write write = {.key = buffer_slice(&key), .value = slice_of_string("noise")};
    assert_int_equal(disk->operations->write(disk, &write, 1, false), STATUS_OK);
    buffer_release(&key);
}

static void assert_reap_is_corrupt(struct house *house, const char *key, bool is_hint_damage,
                                   const char *text)
{
    struct store_request request = plain_request(STORE_REAP);

    request.key = key_of(key);
    request.reap.part = MERKLE_OBJECT;
    struct store_result result = apply(house->fixture, request);
    struct slice said = blob_slice(result.text);
    assert_int_equal(result.status, STATUS_CORRUPT);
    assert_int_equal(result.is_hint_damage, is_hint_damage);
    assert_int_equal(said.size, strlen(text));
    assert_memory_equal(said.size > 0 ? said.data : (const uint8_t *)"", text, said.size);
    store_result_release(&result);
}

static void test_reap__hint_cannot_be_read__it_is_the_hints(void **state)
{
    struct house *house = *state;

    hand_over(house, "k");
    overwrite_hint(house, ANNA, HINT_OBJECT, "k", slice_of_string("noise"));

    assert_reap_is_corrupt(house, "k", true, "");
}

static void test_reap__hints_are_not_judged__it_is_the_hints(void **state)
{
    struct house *house = *state;

    hand_over(house, "other");
    atomic_store(&house->fixture->state.hints->is_unjudged, true);

    assert_reap_is_corrupt(house, "k", true, "");
}

static void test_reap__own_copy_cannot_be_read__it_is_not_the_hints(void **state)
{
    struct house *house = *state;

    overwrite_object(house, "k");
    assert_reap_is_corrupt(house, "k", false, "object k: unreadable record");
    atomic_store(&house->fixture->state.hints->is_damaged, true);
    assert_reap_is_corrupt(house, "k", false, "object k: unreadable record");
}

static void test_reap__own_engine_is_damaged_too__it_is_not_the_hints(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct engine_operations operations = *fixture->spy.base.operations;

    hand_over(house, "other");
    atomic_store(&fixture->state.hints->is_unjudged, true);
    operations.last_corruption = own_tells;
    fixture->spy.base.operations = &operations;

    assert_reap_is_corrupt(house, "k", false, "000001.ldb");
}

static void assert_says(struct store_result result, const char *text)
{
    struct slice said = blob_slice(result.text);
    assert_int_equal(result.status, STATUS_CORRUPT);
    assert_int_equal(said.size, strlen(text));
    assert_memory_equal(said.data, text, said.size);
    store_result_release(&result);
}

static void test_text__both_engines_tell__it_is_of_the_damaged_one(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct engine_operations own = *fixture->spy.base.operations;
    struct engine_operations hints = *house->spy.base.operations;

    own.last_corruption = own_tells;
    hints.last_corruption = hints_tell;
    fixture->spy.base.operations = &own;
    house->spy.base.operations = &hints;
    house->spy.write_failure = STATUS_CORRUPT;
    fixture->spy.write_failure = STATUS_CORRUPT;

    assert_says(apply(fixture, hint_request("k", object_of(3, 10, "one"), ANNA, 0)),
                "000002.ldb");
    assert_says(apply(fixture, put_request("k", NULL, "one")), "000001.ldb");
}

static void test_text__own_engine_tells_nothing__it_is_of_the_hints(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct engine_operations hints = *house->spy.base.operations;

    hints.last_corruption = hints_tell;
    house->spy.base.operations = &hints;
    fixture->spy.write_failure = STATUS_CORRUPT;

    assert_says(apply(fixture, put_request("k", NULL, "one")), "000002.ldb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_MEMORY(test_reap__hint_cannot_be_read__it_is_the_hints),
        HOUSE_ON_MEMORY(test_reap__hints_are_not_judged__it_is_the_hints),
        HOUSE_ON_MEMORY(test_reap__own_copy_cannot_be_read__it_is_not_the_hints),
        HOUSE_ON_MEMORY(test_reap__own_engine_is_damaged_too__it_is_not_the_hints),
        HOUSE_ON_MEMORY(test_text__both_engines_tell__it_is_of_the_damaged_one),
        HOUSE_ON_MEMORY(test_text__own_engine_tells_nothing__it_is_of_the_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
