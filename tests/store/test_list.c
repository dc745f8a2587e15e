/*
 * test_list.c - listings and the search for a live row, on both engines.
 *
 * Rules: rows by name, then kind; bounds as asked; every page resumes where the one before it
 *        ended, without loss or repetition, wherever a bound cuts it; tombstones are rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/record.h"
#include "tests/store/fixture.h"

enum { TEXT_SIZE = 4096 };

static void put(struct fixture *fixture, const char *key)
{
    apply_expect(fixture, put_request(key, NULL, ""), STATUS_OK);
}

static void delete_key(struct fixture *fixture, const char *key)
{
    struct object *object = stored_object(fixture, key);

    apply_expect(fixture, put_request(key, object, NULL), STATUS_OK);
    object_unref(object);
}

/* Adds the rows of a page to `text`: name, kind, and a minus for a tombstone. */
static void print_rows(const struct store_result *result, char text[TEXT_SIZE])
{
    for (size_t i = 0; i < result->list.row_count; i++) {
        const struct row *row = &result->list.rows[i];
        size_t used = strlen(text);
        (void)snprintf(text + used, TEXT_SIZE - used, "%.*s%c%s ", (int)row->name->size,
                       (const char *)row->name->data, row->kind,
                       record_is_live(blob_slice(row->record)) ? "" : "-");
    }
}

/* All pages of the request; fails if one is empty and not the last. Takes the request. */
static size_t list_pages(struct fixture *fixture, struct store_request request,
                         char text[TEXT_SIZE])
{
    struct message_list list = request.list;
    struct blob *key = blob_ref(request.key);
    struct blob *end = blob_ref(list.end);
    size_t pages = 0;
    bool more = true;

    text[0] = '\0';
    while (more) {
        struct store_result result = apply(fixture, request);
        assert_int_equal(result.status, STATUS_OK);
        assert_true(result.list.row_count <= list.limit || list.limit == 1);
        print_rows(&result, text);
        more = result.list.more;
        assert_int_equal(more, result.list.resume != NULL);
        request = plain_request(STORE_LIST);
        request.key = blob_ref(key);
        request.list = list;
        request.list.start = blob_ref(result.list.resume);
        request.list.after_start = true;
        request.list.end = blob_ref(end);
        store_result_release(&result);
        assert_true(++pages < 1000);
    }
    store_request_release(&request);
    blob_unref(key);
    blob_unref(end);
    return pages;
}

static void assert_list(struct fixture *fixture, struct store_request request,
                        const char *expected)
{
    char text[TEXT_SIZE];

    (void)list_pages(fixture, request, text);
    assert_string_equal(text, expected);
}

/* d/ with a, b (file and directory), c, d (deleted), e; and neighbours that must not show. */
static void fill(struct fixture *fixture)
{
    static const char *const keys[] = {"d/",  "d/e", "d/b", "d/a",   "d/c",   "d/b/",
                                       "d/d", "d0",  "c/x", "d/b/y", "d\x01x"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        put(fixture, keys[i]);
    }
    delete_key(fixture, "d/d");
}

static void test_list__directory__rows_in_order_with_tombstones(void **state)
{
    struct store_request live = list_request("d/", 100);

    fill(*state);
    assert_list(*state, list_request("d/", 100), "af bd bf cf df- ef ");
    live.list.live_only = true;
    assert_list(*state, live, "af bd bf cf ef ");
    assert_list(*state, list_request("d/b/", 100), "yf ");
    assert_list(*state, list_request("nothing/", 100), "");
}

static void test_list__any_page_size__gives_the_same_rows(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    for (uint16_t limit = 1; limit <= 8; limit++) {
        struct store_request live = list_request("d/", limit);
        live.list.live_only = true;

        assert_list(fixture, list_request("d/", limit), "af bd bf cf df- ef ");
        assert_list(fixture, live, "af bd bf cf ef ");
    }
}

static void test_list__limit_reached_at_the_end__says_no_more(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    struct store_result result = apply(fixture, list_request("d/", 6));

    assert_int_equal(result.list.row_count, 6);
    assert_false(result.list.more);
    store_result_release(&result);
    result = apply(fixture, list_request("d/", 5));
    assert_int_equal(result.list.row_count, 5);
    assert_true(result.list.more);
    assert_true(slice_equal(blob_slice(result.list.resume), slice_of_string("d")));
    store_result_release(&result);
}

static struct store_request bounded(const char *start, bool after, const char *end,
                                    bool end_is_prefix)
{
    struct store_request request = list_request("d/", 100);

    request.list.start = !start ? NULL : key_of(start);
    request.list.after_start = after;
    request.list.end = !end ? NULL : key_of(end);
    request.list.end_is_prefix = end_is_prefix;
    return request;
}

static void test_list__bounds__are_honoured(void **state)
{
    struct fixture *fixture = *state;
    static const char *const keys[] = {"d/",   "d/a", "d/ab",   "d/abc",     "d/ab~",
                                       "d/ac", "d/b", "d/\xff", "d/\xff\xff"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        put(fixture, keys[i]);
    }
    assert_list(fixture, bounded("ab", false, NULL, false),
                "abf abcf ab~f acf bf \xff"
                "f \xff\xff"
                "f ");
    assert_list(fixture, bounded("ab", true, "ac", false), "abcf ab~f acf ");
    assert_list(fixture, bounded(NULL, false, "ab", false), "af abf ");
    assert_list(fixture, bounded("ab", false, "ab", false), "abf ");
    assert_list(fixture, bounded("ab", true, "ab", false), "");
    assert_list(fixture, bounded("b", false, "ab", false), "");
    assert_list(fixture, bounded(NULL, false, "ab", true), "abf abcf ab~f ");
    assert_list(fixture, bounded("abc", true, "ab", true), "ab~f ");
    assert_list(fixture, bounded("ab", true, "ab", true), "abcf ab~f ");
    assert_list(fixture, bounded("b", false, "ab", true), "");
    assert_list(fixture, bounded("a", true, "ab", true), "abf abcf ab~f ");
    assert_list(fixture, bounded(NULL, false, "\xff", true),
                "\xff"
                "f \xff\xff"
                "f ");
}

/* Rows of d/ that begin with t, from `first` on; all deleted. */
static void fill_deleted(struct fixture *fixture, int first, int count)
{
    enum { GROUP = 100 };
    struct store_request requests[GROUP];
    struct store_result results[GROUP];
    char key[32];

    assert_int_equal(count % GROUP, 0);
    for (int i = first; i < first + count; i += GROUP) {
        for (int j = 0; j < GROUP; j++) {
            (void)snprintf(key, sizeof key, "d/t%06d", i + j);
            requests[j] = merge_request(key, object_of(3, 100, NULL), REPLICA_ROW);
        }
        apply_group(fixture, requests, GROUP, results);
        for (int j = 0; j < GROUP; j++) {
            assert_int_equal(results[j].status, STATUS_OK);
            store_result_release(&results[j]);
        }
    }
}

static struct store_request live_request(uint16_t limit)
{
    struct store_request request = list_request("d/", limit);

    request.list.live_only = true;
    return request;
}

static void test_list__many_tombstones__are_skipped_in_bounded_steps(void **state)
{
    struct fixture *fixture = *state;
    char text[TEXT_SIZE];

    fill_deleted(fixture, 0, 20000);
    apply_expect(fixture, merge_request("d/z", object_of(3, 100, ""), REPLICA_ROW), STATUS_OK);

    /* Sixteen thousand rows are looked at for each page. */
    size_t pages = list_pages(fixture, live_request(2), text);

    assert_string_equal(text, "zf ");
    assert_int_equal(pages, 2);
}

static struct store_result list_live(struct fixture *fixture)
{
    struct store_result result = apply(fixture, live_request(ROWS_MAX));

    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.list.mark_count > 0);
    assert_null(result.list.marks[result.list.mark_count - 1].name);
    return result;
}

static bool same_mark(const struct list_mark *a, const struct list_mark *b)
{
    return slice_equal(blob_slice(a->name), blob_slice(b->name)) &&
           memcmp(a->digest, b->digest, DIGEST_SIZE) == 0;
}

/* The first name that a listing by marks does not vouch for: how many marks stay as they were.
 */
static size_t marks_kept(const struct store_result *before, const struct store_result *after)
{
    size_t kept = 0;

    while (kept < before->list.mark_count && kept < after->list.mark_count &&
           same_mark(&before->list.marks[kept], &after->list.marks[kept])) {
        kept++;
    }
    return kept;
}

static void test_list__marks__tell_a_change_from_there_on_and_not_before(void **state)
{
    struct fixture *fixture = *state;
    static const char *const changed[] = {"d/t000700", "d/t001999x", "d/a"};

    fill_deleted(fixture, 0, 2000);
    struct store_result before = list_live(fixture);
    assert_in_range(before.list.mark_count, 4, 20);
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        /* A tombstone with another clock: nothing that is live has changed. */
        apply_expect(fixture, merge_request(changed[i], object_of(4, 200, NULL), REPLICA_ROW),
                     STATUS_OK);
        struct store_result after = list_live(fixture);
        assert_int_equal(after.list.row_count, 0);
        size_t kept = marks_kept(&before, &after);
        struct slice name = slice_of_string(changed[i] + strlen("d/"));
        assert_true(kept < before.list.mark_count);
        for (size_t j = 0; j < before.list.mark_count; j++) {
            struct blob *mark = before.list.marks[j].name;
            bool is_before = mark && slice_compare(blob_slice(mark), name) < 0;
            assert_int_equal(j < kept, is_before);
        }
        store_result_release(&before);
        before = after;
    }
    store_result_release(&before);
}

static void test_list__same_rows_again__same_marks(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture);
    fill_deleted(fixture, 0, 1000);
    struct store_result one = list_live(fixture);
    struct store_result two = list_live(fixture);

    assert_int_equal(one.list.row_count, 5);
    assert_int_equal(marks_kept(&one, &two), one.list.mark_count);
    store_result_release(&one);
    store_result_release(&two);
}

/* Rows are small, but one with a thousand siblings is not. */
static void test_list__large_rows__a_page_is_bounded_in_bytes(void **state)
{
    enum { ROWS = 90, VERSIONS = 1000, VERSION_SIZE_MIN = 60 };
    struct fixture *fixture = *state;
    static struct version versions[VERSIONS];
    static struct dot pairs[VERSIONS];
    struct clock clock = {.count = VERSIONS, .pair = pairs};
    struct object *object = NULL;
    char key[32];

    for (uint32_t i = 0; i < VERSIONS; i++) {
        pairs[i] = (struct dot){.actor = {.node = i + 1, .birth = 1}, .counter = i + 1};
        versions[i] =
            (struct version){.dot = pairs[i], .attributes = {.type = VERSION_FILE, .size = 1}};
    }
    assert_int_equal(object_new(&clock, versions, VERSIONS, (struct actor){0}, &object),
                     STATUS_OK);
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(key, sizeof key, "d/t%02d", i);
        apply_expect(fixture, merge_request(key, object_ref(object), REPLICA_ROW), STATUS_OK);
    }

    struct store_result result = apply(fixture, list_request("d/", ROWS_MAX));

    assert_in_range(result.list.row_count, 10, (4 << 20) / (VERSIONS * VERSION_SIZE_MIN) + 1);
    assert_true(result.list.more);
    store_result_release(&result);
    char text[TEXT_SIZE];
    assert_in_range(list_pages(fixture, list_request("d/", ROWS_MAX), text), 2, 6);
    assert_int_equal(strlen(text), ROWS * strlen("t00f "));
    object_unref(object);
}

static void assert_found(struct fixture *fixture, const char *after, const char *name)
{
    struct store_result result = apply(fixture, find_request("d/", after));

    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.list.row_count, !name ? 0 : 1);
    assert_int_equal(result.object != NULL, name != NULL);
    if (name) {
        assert_true(slice_equal(blob_slice(result.list.rows[0].name), slice_of_string(name)));
        assert_true(object_is_live(result.object));
    }
    store_result_release(&result);
}

static void test_find_live_row__skips_tombstones_and_stays_inside(void **state)
{
    struct fixture *fixture = *state;
    char key[32];

    fill(fixture);
    assert_found(fixture, NULL, "a");
    assert_found(fixture, "a", "b");
    assert_found(fixture, "b", "c");
    assert_found(fixture, "c", "e");
    assert_found(fixture, "e", NULL);
    delete_key(fixture, "d/e");
    assert_found(fixture, "c", NULL);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof key, "d/t%02d", i);
        apply_expect(fixture, merge_request(key, object_of(3, 100, NULL), REPLICA_ROW),
                     STATUS_OK);
    }
    put(fixture, "d/z");
    assert_found(fixture, "c", "z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_list__directory__rows_in_order_with_tombstones),
        ON_BOTH_ENGINES(test_list__any_page_size__gives_the_same_rows),
        ON_BOTH_ENGINES(test_list__limit_reached_at_the_end__says_no_more),
        ON_BOTH_ENGINES(test_list__bounds__are_honoured),
        ON_BOTH_ENGINES(test_list__many_tombstones__are_skipped_in_bounded_steps),
        ON_BOTH_ENGINES(test_list__marks__tell_a_change_from_there_on_and_not_before),
        ON_BOTH_ENGINES(test_list__same_rows_again__same_marks),
        ON_BOTH_ENGINES(test_list__large_rows__a_page_is_bounded_in_bytes),
        ON_BOTH_ENGINES(test_find_live_row__skips_tombstones_and_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
