/*
 * test_kv_memory.c - the store in memory behaves as a node does.
 *
 * Rules: a put without a context makes a sibling, one with it supersedes; a delete leaves a
 * tombstone with a context; what a later write adds survives an older context; directories of
 * live names exist; listings are ordered, bounded, resumable and never tear a name; bad keys
 * and values are refused before the store sees them; knobs fail exactly as many calls as asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/client/kv_memory.h"

static struct slice text(const char *string)
{
    return slice_of_string(string);
}

static int open_store(void **state)
{
    struct kv *kv = NULL;
    if (kv_open_memory(&kv) != STATUS_OK) {
        return -1;
    }
    *state = kv;
    return 0;
}

static int close_store(void **state)
{
    kv_close(*state);
    return 0;
}

/* Puts a file under `key` with the context of `seen` (NULL: none). */
static struct object *put_file(struct kv *kv, const char *key, const char *content,
                               const struct object *seen)
{
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                            .content = blob_new(text(content))};
    struct kv_put put = {.key = text(key), .mode = UPDATE_ALL, .value = &value};
    if (seen) {
        put.context = seen->clock;
    }
    struct object *row = NULL;
    assert_int_equal(kv_put(kv, &put, NULL, &row), STATUS_OK);
    blob_unref(value.content);
    return row;
}

static void put_directory(struct kv *kv, const char *key)
{
    struct version value = {.attributes = {.type = VERSION_DIRECTORY, .mode = 0700}};
    struct kv_put put = {.key = text(key), .mode = UPDATE_ALL, .value = &value};
    assert_int_equal(kv_put(kv, &put, NULL, NULL), STATUS_OK);
}

static void delete_seen(struct kv *kv, const char *key, const struct object *seen)
{
    struct kv_put put = {.key = text(key), .mode = UPDATE_ALL, .context = seen->clock};
    assert_int_equal(kv_put(kv, &put, NULL, NULL), STATUS_OK);
}

static struct object *get_live(struct kv *kv, const char *key)
{
    struct object *object = NULL;
    assert_int_equal(kv_get(kv, text(key), NULL, &object), STATUS_OK);
    return object;
}

static void assert_content(const struct version *version, const char *content)
{
    assert_true(slice_equal(blob_slice(version->content), text(content)));
}

static void put_and_forget(struct kv *kv, const char *key)
{
    object_unref(put_file(kv, key, key, NULL));
}

/* The names of a listing in one line, directories with a slash. */
static void assert_names(const struct kv_rows *rows, const char *expected)
{
    char names[512] = "";
    size_t length = 0;
    for (size_t i = 0; i < rows->count; i++) {
        struct slice name = blob_slice(rows->rows[i].name);
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%.*s%s",
                                   i ? " " : "", (int)name.size, (const char *)name.data,
                                   rows->rows[i].kind == ROW_DIRECTORY ? "/" : "");
    }
    assert_string_equal(names, expected);
}

static void test_get__key_never_written__not_found_and_no_object(void **state)
{
    struct object *object = NULL;

    assert_int_equal(kv_get(*state, text("a"), NULL, &object), STATUS_NOT_FOUND);

    assert_null(object);
}

static void test_put__new_key__get_returns_content_and_size(void **state)
{
    object_unref(put_file(*state, "a", "hello", NULL));

    struct object *object = get_live(*state, "a");

    assert_int_equal(object->version_count, 1);
    assert_content(&object->versions[0], "hello");
    assert_int_equal(object->versions[0].attributes.size, 5);
    object_unref(object);
}

static void test_put__without_context__makes_a_sibling(void **state)
{
    object_unref(put_file(*state, "a", "one", NULL));
    struct object *row = put_file(*state, "a", "two", NULL);

    struct object *object = get_live(*state, "a");

    assert_int_equal(object->version_count, 2);
    assert_content(&object->versions[0], "one");
    assert_content(&object->versions[1], "two");
    assert_int_equal(row->version_count, 2);
    assert_null(row->versions[0].content);
    object_unref(row);
    object_unref(object);
}

static void test_put__with_context__supersedes_what_was_seen_and_no_more(void **state)
{
    struct object *seen = put_file(*state, "a", "one", NULL);
    object_unref(put_file(*state, "a", "late", NULL));
    object_unref(put_file(*state, "a", "mine", seen));

    struct object *object = get_live(*state, "a");

    assert_int_equal(object->version_count, 2);
    assert_content(&object->versions[0], "late");
    assert_content(&object->versions[1], "mine");
    object_unref(seen);
    object_unref(object);
}

static void test_put__some_named_sibling__drops_that_one_alone(void **state)
{
    object_unref(put_file(*state, "a", "one", NULL));
    struct object *both = put_file(*state, "a", "two", NULL);
    struct kv_put put = {
        .key = text("a"), .mode = UPDATE_SOME, .dots = &both->versions[0].dot, .dot_count = 1};
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_OK);

    struct object *object = get_live(*state, "a");

    assert_int_equal(object->version_count, 1);
    assert_content(&object->versions[0], "two");
    object_unref(object);
    object_unref(both);
}

static void test_delete__all_that_was_seen__tombstone_carries_the_context(void **state)
{
    struct object *seen = put_file(*state, "a", "one", NULL);
    delete_seen(*state, "a", seen);
    struct object *tombstone = NULL;

    assert_int_equal(kv_get(*state, text("a"), NULL, &tombstone), STATUS_NOT_FOUND);

    assert_non_null(tombstone);
    assert_true(clock_descends(&tombstone->clock, &seen->clock));
    object_unref(tombstone);
    object_unref(seen);
}

static void test_delete__against_a_write__the_write_stays(void **state)
{
    struct object *seen = put_file(*state, "a", "one", NULL);
    object_unref(put_file(*state, "a", "late", NULL));
    delete_seen(*state, "a", seen);

    struct object *object = get_live(*state, "a");

    assert_int_equal(object->version_count, 1);
    assert_content(&object->versions[0], "late");
    object_unref(object);
    object_unref(seen);
}

static void test_put__each_call__has_its_own_write_id(void **state)
{
    object_unref(put_file(*state, "a", "one", NULL));
    struct object *row = put_file(*state, "a", "two", NULL);

    assert_memory_not_equal(row->versions[0].write_id, row->versions[1].write_id,
                            WRITE_ID_SIZE);

    object_unref(row);
}

static void test_put__below_missing_directories__makes_them(void **state)
{
    put_and_forget(*state, "a/b/c");

    struct object *upper = get_live(*state, "a/");
    struct object *lower = get_live(*state, "a/b/");

    assert_int_equal(object_newest(upper)->attributes.type, VERSION_DIRECTORY);
    assert_int_equal(object_newest(upper)->attributes.mode, 0755);
    assert_int_equal(object_newest(lower)->attributes.type, VERSION_DIRECTORY);
    object_unref(upper);
    object_unref(lower);
}

static void test_delete__of_a_directory_over_a_live_name__directory_is_back(void **state)
{
    put_directory(*state, "a/");
    put_and_forget(*state, "a/b");
    struct object *seen = get_live(*state, "a/");
    delete_seen(*state, "a/", seen);

    struct object *object = get_live(*state, "a/");

    assert_int_equal(object->version_count, 1);
    assert_true(dot_compare(object->versions[0].dot, seen->versions[0].dot) > 0);
    object_unref(object);
    object_unref(seen);
}

static void test_delete__of_an_emptied_directory__stays_deleted(void **state)
{
    put_directory(*state, "a/");
    struct object *file = put_file(*state, "a/b", "x", NULL);
    delete_seen(*state, "a/b", file);
    struct object *seen = get_live(*state, "a/");
    delete_seen(*state, "a/", seen);
    struct object *object = NULL;

    assert_int_equal(kv_get(*state, text("a/"), NULL, &object), STATUS_NOT_FOUND);

    object_unref(object);
    object_unref(seen);
    object_unref(file);
}

static void list_into(struct kv *kv, const struct kv_list *list, struct kv_rows *rows)
{
    *rows = (struct kv_rows){0};
    assert_int_equal(kv_list(kv, list, NULL, rows), STATUS_OK);
}

static void test_list__mixed_directory__live_names_in_order_without_deeper_ones(void **state)
{
    put_and_forget(*state, "d/b");
    put_and_forget(*state, "d/a/deep");
    put_and_forget(*state, "d/a");
    put_and_forget(*state, "e");
    struct object *gone = put_file(*state, "d/c", "x", NULL);
    delete_seen(*state, "d/c", gone);
    object_unref(gone);
    struct kv_rows rows;

    list_into(*state, &(struct kv_list){.directory = text("d/"), .limit = 100}, &rows);

    assert_names(&rows, "a/ a b");
    assert_false(rows.more);
    assert_null(rows.rows[1].object->versions[0].content);
    assert_int_equal(rows.rows[1].object->versions[0].attributes.size, 3);
    kv_rows_release(&rows);
}

static void test_list__root__holds_the_top_level_and_not_itself(void **state)
{
    put_directory(*state, "/");
    put_and_forget(*state, "b");
    put_and_forget(*state, "a/x");
    struct kv_rows rows;

    list_into(*state, &(struct kv_list){.directory = text("/"), .limit = 10}, &rows);

    assert_names(&rows, "a/ b");
    kv_rows_release(&rows);
}

static void test_list__bounds__start_end_and_prefix_hold(void **state)
{
    const char *keys[] = {"d/a", "d/ab", "d/abc", "d/b", "d/ba", "d/c"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_and_forget(*state, keys[i]);
    }
    struct kv_rows rows;
    struct kv_list list = {.directory = text("d/"), .limit = 100, .start = text("ab")};

    list_into(*state, &list, &rows);
    assert_names(&rows, "ab abc b ba c");
    kv_rows_release(&rows);

    list.after_start = true;
    list.end = text("b");
    list_into(*state, &list, &rows);
    assert_names(&rows, "abc b");
    kv_rows_release(&rows);

    list.start = (struct slice){0};
    list.after_start = false;
    list.end_is_prefix = true;
    list_into(*state, &list, &rows);
    assert_names(&rows, "b ba");
    kv_rows_release(&rows);
}

/* Collects a whole listing page by page, which must never repeat, lose or tear a name. */
static void assert_pages(struct kv *kv, uint16_t limit, size_t expected)
{
    struct kv_list list = {.directory = text("d/"), .limit = limit};
    struct blob *at = NULL;
    struct row last = {0};
    size_t total = 0;
    size_t pages = 0;
    bool more = true;
    while (more) {
        struct kv_rows rows;
        list_into(kv, &list, &rows);
        for (size_t i = 0; i < rows.count; i++) {
            assert_true(!last.name || row_compare(&last, &rows.rows[i]) < 0);
            blob_unref(last.name);
            last.name = blob_ref(rows.rows[i].name);
            last.kind = rows.rows[i].kind;
        }
        total += rows.count;
        more = rows.more;
        assert_true(!more || rows.resume);
        blob_unref(at);
        at = blob_ref(rows.resume);
        list.start = blob_slice(at);
        list.after_start = true;
        kv_rows_release(&rows);
        assert_true(++pages < 1000);
    }
    blob_unref(at);
    blob_unref(last.name);
    assert_int_equal(total, expected);
}

static void test_list__pages_of_any_size__every_live_row_once(void **state)
{
    char key[64];
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "d/name%02d", i);
        if (i % 4 == 0) {
            put_and_forget(*state, key);
            snprintf(key, sizeof key, "d/name%02d/", i);
            put_directory(*state, key);
            continue;
        }
        struct object *row = put_file(*state, key, "x", NULL);
        if (i % 4 == 1) {
            delete_seen(*state, key, row);
        }
        object_unref(row);
    }

    for (uint16_t limit = 1; limit < 45; limit++) {
        assert_pages(*state, limit, 40);
    }
}

static void test_list__scan_bounded__pages_may_be_empty_but_go_on(void **state)
{
    char key[64];
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "d/name%02d", i);
        struct object *row = put_file(*state, key, "x", NULL);
        if (i < 10) {
            delete_seen(*state, key, row);
        }
        object_unref(row);
    }
    kv_memory_scan_max(*state, 3);
    struct kv_rows rows;

    list_into(*state, &(struct kv_list){.directory = text("d/"), .limit = 100}, &rows);

    assert_int_equal(rows.count, 0);
    assert_true(rows.more);
    kv_rows_release(&rows);
    assert_pages(*state, 100, 10);
}

static void test_put__keys_and_values_that_break_rules__refused_and_nothing_stored(void **state)
{
    struct version file = {.attributes = {.type = VERSION_FILE}};
    struct version directory = {.attributes = {.type = VERSION_DIRECTORY}};
    struct version large = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new_uninitialised(VALUE_SIZE_MAX + 1)};
    struct kv_put put = {.key = text("a//b"), .mode = UPDATE_ALL, .value = &file};
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_BAD_KEY);
    put.key = text("a/");
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_BAD_KEY);
    put.key = text("a");
    put.value = &directory;
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_BAD_KEY);
    put.value = &large;
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_TOO_LARGE);
    put.value = NULL;
    put.key = text("/");
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_BAD_KEY);
    struct dot unordered[2] = {{{2, 1}, 1}, {{1, 1}, 1}};
    put.key = text("a");
    put.context = (struct clock){.count = 2, .pair = unordered};
    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_BAD_MESSAGE);

    assert_int_equal(kv_memory_calls(*state).put, 0);
    blob_unref(large.content);
}

static void test_list__of_what_is_no_directory__bad_key(void **state)
{
    struct kv_rows rows;

    struct kv_list list = {.directory = text("a"), .limit = 1};

    assert_int_equal(kv_list(*state, &list, NULL, &rows), STATUS_BAD_KEY);
}

static void test_put__more_siblings_than_allowed__refused(void **state)
{
    char content[16];
    for (int i = 0; i < VERSIONS_PUT_MAX; i++) {
        snprintf(content, sizeof content, "%d", i);
        object_unref(put_file(*state, "a", content, NULL));
    }
    struct version value = {.attributes = {.type = VERSION_FILE}};
    struct kv_put put = {.key = text("a"), .mode = UPDATE_ALL, .value = &value};

    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_TOO_MANY_VERSIONS);

    struct object *object = get_live(*state, "a");
    assert_int_equal(object->version_count, VERSIONS_PUT_MAX);
    object_unref(object);
}

static void test_fail__two_calls__those_fail_and_the_third_works(void **state)
{
    struct object *object = NULL;
    struct version value = {.attributes = {.type = VERSION_FILE}};
    struct kv_put put = {.key = text("a"), .mode = UPDATE_ALL, .value = &value};
    kv_memory_fail(*state, 2, STATUS_NO_QUORUM);

    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_NO_QUORUM);
    assert_int_equal(kv_get(*state, text("a"), NULL, &object), STATUS_NO_QUORUM);
    assert_int_equal(kv_get(*state, text("a"), NULL, &object), STATUS_NOT_FOUND);

    assert_null(object);
    assert_int_equal(kv_memory_calls(*state).get, 2);
    assert_int_equal(kv_memory_calls(*state).put, 1);
}

static void test_fail_after_put__one_call__fails_and_is_there_all_the_same(void **state)
{
    struct version value = {.attributes = {.type = VERSION_FILE}};
    struct kv_put put = {.key = text("a"), .mode = UPDATE_ALL, .value = &value};
    kv_memory_fail_after_put(*state, 1, STATUS_TIMEOUT);

    assert_int_equal(kv_put(*state, &put, NULL, NULL), STATUS_TIMEOUT);

    object_unref(get_live(*state, "a"));
}

static void test_status_is_indeterminate__only_where_a_put_may_yet_appear(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        bool is_open = status == STATUS_TIMEOUT || status == STATUS_NO_QUORUM ||
                       status == STATUS_INTERRUPTED || status == STATUS_IO ||
                       status == STATUS_NO_SPACE;

        assert_int_equal(kv_status_is_indeterminate((enum status)status), is_open);
    }
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_get__key_never_written__not_found_and_no_object),
        STORE_TEST(test_put__new_key__get_returns_content_and_size),
        STORE_TEST(test_put__without_context__makes_a_sibling),
        STORE_TEST(test_put__with_context__supersedes_what_was_seen_and_no_more),
        STORE_TEST(test_put__some_named_sibling__drops_that_one_alone),
        STORE_TEST(test_put__each_call__has_its_own_write_id),
        STORE_TEST(test_delete__all_that_was_seen__tombstone_carries_the_context),
        STORE_TEST(test_delete__against_a_write__the_write_stays),
        STORE_TEST(test_put__below_missing_directories__makes_them),
        STORE_TEST(test_delete__of_a_directory_over_a_live_name__directory_is_back),
        STORE_TEST(test_delete__of_an_emptied_directory__stays_deleted),
        STORE_TEST(test_list__mixed_directory__live_names_in_order_without_deeper_ones),
        STORE_TEST(test_list__root__holds_the_top_level_and_not_itself),
        STORE_TEST(test_list__bounds__start_end_and_prefix_hold),
        STORE_TEST(test_list__pages_of_any_size__every_live_row_once),
        STORE_TEST(test_list__scan_bounded__pages_may_be_empty_but_go_on),
        STORE_TEST(test_put__keys_and_values_that_break_rules__refused_and_nothing_stored),
        STORE_TEST(test_list__of_what_is_no_directory__bad_key),
        STORE_TEST(test_put__more_siblings_than_allowed__refused),
        STORE_TEST(test_fail__two_calls__those_fail_and_the_third_works),
        STORE_TEST(test_fail_after_put__one_call__fails_and_is_there_all_the_same),
        cmocka_unit_test(test_status_is_indeterminate__only_where_a_put_may_yet_appear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
