/*
 * test_content.c - where the contents of open files are kept.
 *
 * Rules: contents that are only held open cost HELD_SIZE_MAX of memory in all, however many
 *        they are; each is what it was, whatever became of its name, and can be edited.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fs/model/fixture.h"

enum { SIZE = 1 << 20, COUNT = 100 };

static struct blob *filled(unsigned seed)
{
    struct blob *blob = blob_new_uninitialised(SIZE);

    assert_non_null(blob);
    memset(blob->data, 'a' + (int)(seed % 26), SIZE);
    (void)snprintf((char *)blob->data, 16, "%u", seed);
    return blob;
}

static void assert_is_filled(const struct content *content, unsigned seed)
{
    struct blob *expected = filled(seed);
    struct blob *got = NULL;
    struct slice bytes;

    assert_int_equal(content_size(content), SIZE);
    assert_int_equal(content_whole(content, &got), 0);
    assert_true(slice_equal(blob_slice(got), blob_slice(expected)));
    blob_unref(got);
    assert_int_equal(content_read(content, SIZE - 100, 100, &bytes, &got), 0);
    assert_true(slice_equal(bytes, slice_of(expected->data + SIZE - 100, 100)));
    blob_unref(got);
    blob_unref(expected);
}

static struct content *hold_many(struct content_keeper *keeper)
{
    struct content *contents = calloc(COUNT, sizeof *contents);

    assert_non_null(contents);
    for (unsigned i = 0; i < COUNT; i++) {
        struct blob *blob = filled(i);
        content_init(&contents[i], keeper);
        struct version version = {.attributes = {.type = VERSION_FILE}, .content = blob};
        assert_int_equal(content_set(&contents[i], &version), 0);
        blob_unref(blob);
    }
    return contents;
}

static void release_many(struct content *contents)
{
    for (unsigned i = 0; i < COUNT; i++) {
        content_release(&contents[i]);
    }
    free(contents);
}

static void test_content__many_are_held__memory_is_bounded_and_each_is_right(void **state)
{
    struct content_keeper keeper;
    (void)state;
    content_keeper_init(&keeper, NULL);

    struct content *contents = hold_many(&keeper);

    assert_true(atomic_load(&keeper.held) <= HELD_SIZE_MAX);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_is_filled(&contents[i], i);
    }
    release_many(contents);
    assert_int_equal(atomic_load(&keeper.held), 0);
    content_keeper_release(&keeper);
}

static void test_content__spilled__can_be_edited(void **state)
{
    struct content_keeper keeper;
    (void)state;
    content_keeper_init(&keeper, NULL);
    struct content *contents = hold_many(&keeper);
    struct content *last = &contents[COUNT - 1];
    assert_true(last->is_spilled);

    assert_int_equal(content_resize(last, content_size(last)), 0);

    assert_is_filled(last, COUNT - 1);
    last->edited.data[0] = 'X';
    content_clear(&contents[COUNT - 2]);
    assert_int_equal(content_size(&contents[COUNT - 2]), 0);
    release_many(contents);
    content_keeper_release(&keeper);
}

static void test_content__no_place_for_temporary_files__stays_in_memory(void **state)
{
    struct content_keeper keeper;
    (void)state;
    content_keeper_init(&keeper, NULL);
    content_keeper_release(&keeper);
    keeper.directory = -1;

    struct content *contents = hold_many(&keeper);

    assert_is_filled(&contents[COUNT - 1], COUNT - 1);
    release_many(contents);
    assert_int_equal(atomic_load(&keeper.held), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content__many_are_held__memory_is_bounded_and_each_is_right),
        cmocka_unit_test(test_content__spilled__can_be_edited),
        cmocka_unit_test(test_content__no_place_for_temporary_files__stays_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
