/*
 * test_bad_copy.c - contents that do not match their hash, on both engines.
 *
 * Rules: such a copy is never taken, neither as a copy nor as a hint; one that is there already
 *        is told as a bad copy of its key, and nothing else; a merge that heals replaces what
 *        does not match, and only that.
 */
#include <stdlib.h>
#include <string.h>

#include "node/store/layout.h"
#include "node/wire/record.h"
#include "tests/store/fixture.h"

enum { BOTH = REPLICA_OBJECT | REPLICA_ROW };

/* An object whose newest content is not what its hash says. */
static struct object *bad_object(uint64_t counter, const char *content)
{
    struct object *object = object_of(3, counter, content);

    object->versions[object->version_count - 1].content_hash[0] ^= 1;
    return object;
}

/* Puts the object's record on the disk, behind the store's back. */
static void write_record(struct fixture *fixture, const char *key, struct object *object)
{
    struct buffer place = {0};
    struct buffer record = {0};

    layout_object(&place, FIXTURE_PARTITIONS, slice_of_string(key));
    record_encode(object, true, &record);
    struct engine_write write = {.key = buffer_slice(&place), .value = buffer_slice(&record)};
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
    buffer_release(&place);
    buffer_release(&record);
    object_unref(object);
}

static struct store_request heal_request(const char *key, struct object *object)
{
    struct store_request request = merge_request(key, object, BOTH);

    request.merge.heals = true;
    return request;
}

/* The object has two versions, of which the second one is `content`, bad if asked. */
static struct object *with_sibling(const char *first, const char *content, bool is_bad)
{
    struct object *one = object_of(3, 100, first);
    struct object *two = object_of(4, 200, content);
    struct object *both = object_merge(one, two);

    assert_non_null(both);
    both->versions[1].content_hash[0] ^= is_bad ? 1 : 0;
    object_unref(one);
    object_unref(two);
    return both;
}

static void
test_merge__content_differs_from_its_hash__is_refused_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    apply_expect(fixture, merge_request("f", bad_object(100, "text"), BOTH),
                 STATUS_BAD_MESSAGE);
    assert_null(stored_object(fixture, "f"));
    assert_null(stored_row(fixture, "/", "f"));
    apply_expect(fixture, merge_request("f", with_sibling("1", "2", true), BOTH),
                 STATUS_BAD_MESSAGE);
    assert_null(stored_object(fixture, "f"));

    assert_int_equal(atomic_load(&fixture->spy.batches), 0);
    apply_expect(fixture, merge_request("f", object_of(3, 100, "text"), BOTH), STATUS_OK);
    apply_expect(fixture, get_request("f"), STATUS_OK);
}

static void test_hint__content_differs_from_its_hash__is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = plain_request(STORE_HINT);
    struct engine *hints = NULL;
    struct error error = {0};

    assert_int_equal(engine_open_memory(&hints), STATUS_OK);
    assert_int_equal(store_hints_open(&fixture->state, hints, &error), STATUS_OK);
    request.key = key_of("f");
    request.hint.object = bad_object(100, "text");
    request.hint.owners = (struct owner_list){.id = {9}, .count = 1};
    apply_expect(fixture, request, STATUS_BAD_MESSAGE);

    struct store_result result = apply(fixture, plain_request(STORE_HINT_OWNERS));
    assert_int_equal(result.owners.count, 0);
    store_result_release(&result);
    fixture_restart(fixture, false);
    hints->operations->close(hints);
}

static void test_get__bad_copy__is_told_as_one(void **state)
{
    struct fixture *fixture = *state;

    write_record(fixture, "f", bad_object(100, "text"));
    apply_expect(fixture, put_request("g", NULL, "well"), STATUS_OK);

    struct store_result result = apply(fixture, get_request("f"));
    assert_int_equal(result.status, STATUS_CORRUPT);
    assert_true(result.is_bad_copy);
    store_result_release(&result);
    apply_expect(fixture, get_request("g"), STATUS_OK);
}

static void test_heal__bad_content__is_replaced_and_the_rest_stays(void **state)
{
    struct fixture *fixture = *state;

    write_record(fixture, "f", with_sibling("one", "two", true));
    /* A merge alone keeps what is there. */
    apply_expect(fixture, merge_request("f", object_of(4, 200, "two"), BOTH), STATUS_OK);
    apply_expect(fixture, get_request("f"), STATUS_CORRUPT);

    apply_expect(fixture, heal_request("f", object_of(4, 200, "two")), STATUS_OK);

    struct store_result result = apply(fixture, get_request("f"));
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.object->version_count, 2);
    assert_int_equal(record_verify(result.object), STATUS_OK);
    store_result_release(&result);
}

static void test_heal__others_lack_the_content__stays_bad(void **state)
{
    struct fixture *fixture = *state;

    write_record(fixture, "f", bad_object(100, "text"));

    apply_expect(fixture, heal_request("f", object_of(4, 200, "other")), STATUS_CORRUPT);

    apply_expect(fixture, get_request("f"), STATUS_CORRUPT);
}

static void test_heal__others_superseded_it__is_dropped(void **state)
{
    struct fixture *fixture = *state;

    write_record(fixture, "f", bad_object(100, "text"));

    apply_expect(fixture, heal_request("f", object_of(3, 101, "newer")), STATUS_OK);

    struct store_result result = apply(fixture, get_request("f"));
    assert_int_equal(result.status, STATUS_OK);
    assert_content(result.object, "newer");
    store_result_release(&result);
}

static void test_scrub__bad_copy__is_reported_and_the_scrub_goes_on(void **state)
{
    struct fixture *fixture = *state;
    unsigned bad = 0;
    unsigned well = 0;

    apply_expect(fixture, merge_request("f", object_of(3, 100, "text"), BOTH), STATUS_OK);
    apply_expect(fixture, merge_request("g", object_of(3, 100, "text"), BOTH), STATUS_OK);
    write_record(fixture, "f", bad_object(100, "text"));
    for (uint16_t i = 0; i < FIXTURE_PARTITIONS; i++) {
        struct store_request request = plain_request(STORE_SCRUB);
        request.entries.partition = i;
        request.entries.limit = 100;
        struct store_result result = apply(fixture, request);
        assert_int_equal(result.status, STATUS_OK);
        assert_false(result.entries.tree_differed);
        for (uint16_t j = 0; j < result.entries.count; j++) {
            bad += result.entries.scrubbed[j].is_bad_copy ? 1 : 0;
            well += result.entries.scrubbed[j].is_bad_copy ? 0 : 1;
        }
        store_result_release(&result);
    }
    assert_int_equal(bad, 1);
    assert_int_equal(well, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(
            test_merge__content_differs_from_its_hash__is_refused_and_changes_nothing),
        ON_MEMORY(test_hint__content_differs_from_its_hash__is_refused),
        ON_BOTH_ENGINES(test_get__bad_copy__is_told_as_one),
        ON_BOTH_ENGINES(test_heal__bad_content__is_replaced_and_the_rest_stays),
        ON_BOTH_ENGINES(test_heal__others_lack_the_content__stays_bad),
        ON_BOTH_ENGINES(test_heal__others_superseded_it__is_dropped),
        ON_BOTH_ENGINES(test_scrub__bad_copy__is_reported_and_the_scrub_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
