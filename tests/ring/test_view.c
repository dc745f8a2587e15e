/*
 * test_view.c - what a reader sees of an object, and rows.
 *
 * Rules: versions of one write id, or of equal content, type and size, are one
 * group, transitively;
 * a group is shown by its newest; groups are oldest first by that; rows are in the order of
 * name, then kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/row.h"
#include "ring/view.h"
#include "tests/ring/make.h"

/* One version: a letter for its write id ('-': none), its content, its type. */
struct shown {
    char write_id;
    const char *content;
    enum version_type type;
};

static struct object *object_of(const struct shown *shown, uint32_t count)
{
    struct version versions[16];
    for (uint32_t i = 0; i < count; i++) {
        struct dot dot = {{1, 1}, i + 1};
        versions[i] = make_version(dot, shown[i].content);
        memset(versions[i].write_id, shown[i].write_id == '-' ? 0 : shown[i].write_id,
               WRITE_ID_SIZE);
        versions[i].attributes.type = shown[i].type == 0 ? VERSION_FILE : shown[i].type;
    }
    struct dot pair = {{1, 1}, count};
    struct clock clock = {.count = 1, .pair = &pair};
    struct object *object = NULL;
    assert_int_equal(object_new(&clock, versions, count, (struct actor){0}, &object),
                     STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        version_drop(&versions[i]);
    }
    return object;
}

static void test_view_build__devices_of_other_numbers__are_shown_each(void **state)
{
    (void)state;
    struct version versions[3];
    struct dot pair = {{1, 1}, 3};
    struct clock clock = {.count = 1, .pair = &pair};
    struct object *object = NULL;
    struct view view;
    for (uint32_t i = 0; i < 3; i++) {
        versions[i] = make_version((struct dot){{1, 1}, i + 1}, "");
        memset(versions[i].write_id, (int)i + 1, WRITE_ID_SIZE);
        versions[i].attributes.type = VERSION_BLOCK_DEVICE;
        versions[i].attributes.size = i == 1 ? 0x802 : 0x801;
    }
    assert_int_equal(object_new(&clock, versions, 3, (struct actor){0}, &object), STATUS_OK);

    assert_int_equal(view_build(object, &view), STATUS_OK);
    assert_int_equal(view.count, 2);
    assert_int_equal(view.groups[0].newest->attributes.size, 0x802);
    assert_int_equal(view.groups[1].count, 2);

    view_release(&view);
    object_unref(object);
    for (uint32_t i = 0; i < 3; i++) {
        version_drop(&versions[i]);
    }
}

/* The groups as text: indexes of members, "," between groups: "0,13,2". */
static void assert_view(const struct shown *shown, uint32_t count, const char *expected)
{
    struct object *object = object_of(shown, count);
    struct object *row = object_project(object);
    const struct object *both[] = {object, row};
    for (size_t k = 0; k < 2; k++) {
        struct view view;
        assert_int_equal(view_build(both[k], &view), STATUS_OK);
        char text[64];
        size_t length = 0;
        for (uint32_t i = 0; i < view.count; i++) {
            const struct view_group *group = &view.groups[i];
            if (i > 0) {
                text[length++] = ',';
            }
            for (uint32_t j = 0; j < group->count; j++) {
                text[length++] = (char)('0' + view.members[group->first + j]);
            }
            uint32_t last = view.members[group->first + group->count - 1];
            assert_ptr_equal(group->newest, &both[k]->versions[last]);
        }
        text[length] = '\0';
        assert_string_equal(text, expected);
        view_release(&view);
        assert_int_equal(view.count, 0);
        assert_null(view.groups);
    }
    object_unref(object);
    object_unref(row);
}

static void test_view_build__nothing__is_empty(void **state)
{
    (void)state;
    struct object *tombstone = make_object("1.1:5 |", NULL);
    struct view view;

    assert_int_equal(view_build(NULL, &view), STATUS_OK);
    assert_int_equal(view.count, 0);
    view_release(&view);
    assert_int_equal(view_build(tombstone, &view), STATUS_OK);
    assert_int_equal(view.count, 0);
    view_release(&view);
    view_release(NULL);
    object_unref(tombstone);
}

static void test_view_build__versions_that_differ__are_shown_each(void **state)
{
    (void)state;
    const struct shown shown[] = {{'a', "milk", 0}, {'b', "bread", 0}, {'c', "tea", 0}};

    assert_view(shown, 1, "0");
    assert_view(shown, 3, "0,1,2");
}

static void test_view_build__one_write_id__is_shown_once(void **state)
{
    (void)state;
    const struct shown retried[] = {{'a', "milk", 0}, {'b', "bread", 0}, {'a', "tea", 0}};

    assert_view(retried, 3, "1,02");
}

static void test_view_build__equal_content__is_shown_once(void **state)
{
    (void)state;
    const struct shown equal[] = {{'a', "milk", 0}, {'b', "bread", 0}, {'c', "milk", 0}};

    assert_view(equal, 3, "1,02");
}

static void test_view_build__equal_content_of_another_type__is_another(void **state)
{
    (void)state;
    const struct shown types[] = {{'a', "milk", VERSION_FILE},
                                  {'b', "milk", VERSION_SYMLINK},
                                  {'c', "milk", VERSION_FILE}};

    assert_view(types, 3, "1,02");
}

static void test_view_build__no_write_id__groups_nothing(void **state)
{
    (void)state;
    const struct shown anonymous[] = {{'-', "milk", 0}, {'-', "bread", 0}, {'-', "milk", 0}};

    assert_view(anonymous, 3, "1,02");
}

static void test_view_build__chains__are_one_group(void **state)
{
    (void)state;
    const struct shown chain[] = {{'a', "milk", 0}, {'b', "bread", 0}, {'b', "milk", 0}};
    const struct shown joined_last[] = {
        {'a', "milk", 0}, {'b', "bread", 0}, {'a', "tea", 0},
        {'c', "jam", 0},  {'b', "rice", 0},  {'a', "bread", 0},
    };
    const struct shown two_chains[] = {
        {'a', "milk", 0},  {'b', "bread", 0}, {'c', "milk", 0},
        {'d', "bread", 0}, {'c', "tea", 0},   {'d', "jam", 0},
    };

    assert_view(chain, 3, "012");
    assert_view(joined_last, 6, "3,01245");
    assert_view(two_chains, 6, "024,135");
}

static struct row row_of(const char *name, enum row_kind kind)
{
    return (struct row){.name = blob_new(slice_of_string(name)),
                        .kind = kind,
                        .object = make_object("1.1:5 |", NULL)};
}

static void test_row_compare__rows__by_name_then_directory_first(void **state)
{
    (void)state;
    struct row rows[] = {row_of("a", ROW_DIRECTORY), row_of("a", ROW_FILE),
                         row_of("a.b", ROW_DIRECTORY), row_of("b", ROW_FILE)};

    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            int order = row_compare(&rows[i], &rows[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    for (int i = 0; i < 4; i++) {
        row_release(&rows[i]);
    }
}

static void test_row_release__shared_parts__lose_one_reference(void **state)
{
    (void)state;
    struct row *rows = malloc(2 * sizeof *rows);
    assert_non_null(rows);
    rows[0] = row_of("a", ROW_FILE);
    rows[1] = row_of("b", ROW_FILE);
    struct object *object = object_ref(rows[1].object);
    struct blob *record = blob_new(slice_of_string("record"));
    assert_non_null(record);
    rows[0].record = blob_ref(record);

    row_release(&rows[0]);
    assert_int_equal(atomic_load(&record->references), 1);
    blob_unref(record);
    assert_null(rows[0].name);
    assert_null(rows[0].object);
    rows_free(rows, 2);

    assert_int_equal(atomic_load(&object->references), 1);
    rows = malloc(sizeof *rows);
    assert_non_null(rows);
    rows[0] = (struct row){.object = object_ref(object)};
    rows_free(rows, 1);
    assert_int_equal(atomic_load(&object->references), 1);
    object_unref(object);
    rows_free(NULL, 0);
    row_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_build__nothing__is_empty),
        cmocka_unit_test(test_view_build__versions_that_differ__are_shown_each),
        cmocka_unit_test(test_view_build__one_write_id__is_shown_once),
        cmocka_unit_test(test_view_build__equal_content__is_shown_once),
        cmocka_unit_test(test_view_build__equal_content_of_another_type__is_another),
        cmocka_unit_test(test_view_build__devices_of_other_numbers__are_shown_each),
        cmocka_unit_test(test_view_build__no_write_id__groups_nothing),
        cmocka_unit_test(test_view_build__chains__are_one_group),
        cmocka_unit_test(test_row_compare__rows__by_name_then_directory_first),
        cmocka_unit_test(test_row_release__shared_parts__lose_one_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
