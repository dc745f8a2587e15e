/*
 * test_key.c - which keys are legal, and how a key splits into directory and name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/key.h"

static void test_key_is_valid__legal_keys__are_taken(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "/",     "a",       "a/",       "a/b",     "a/b/", "carts/alice.json", "...", ".hidden",
        "..a/b", "a/.../b", "\xff\xfe", "a b\n/c", "~v1",  "x~v1/y~v2/",
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_true(key_is_valid(slice_of_string(keys[i])));
    }
}

static void test_key_is_valid__illegal_keys__are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",    "//",   "/a",    "a//",   "a//b", ".",     "..",   "/./",
        "./",  "../",  "a/.",   "a/./b", "a/..", "a/../", "../a", "///",
        "//a", "/a//", "/a//b", "/../a", "/a/.", "/a/..",
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_false(key_is_valid(slice_of_string(keys[i])));
    }
    assert_false(key_is_valid(slice_of("a\0b", 3)));
    assert_false(key_is_valid(slice_of("a/b\0", 4)));
    assert_false(key_is_valid(slice_of(NULL, 0)));
}

static void test_key_is_valid__name_sizes__end_at_the_limit(void **state)
{
    (void)state;
    uint8_t key[2 * NAME_SIZE_MAX];
    memset(key, 'n', sizeof key);
    key[0] = 'd';
    key[1] = '/';

    assert_true(key_is_valid(slice_of(key, 2 + NAME_SIZE_MAX)));
    assert_false(key_is_valid(slice_of(key, 2 + NAME_SIZE_MAX + 1)));
    assert_true(key_name_is_valid(slice_of(key + 2, NAME_SIZE_MAX)));
    assert_false(key_name_is_valid(slice_of(key + 2, NAME_SIZE_MAX + 1)));
}

static void test_key_is_valid__key_sizes__end_at_the_limit(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE_MAX + 2];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = i % 2 == 0 ? 'a' : '/';
    }

    assert_true(key_is_valid(slice_of(key, KEY_SIZE_MAX - 1)));
    assert_true(key_is_valid(slice_of(key, KEY_SIZE_MAX)));
    assert_false(key_is_valid(slice_of(key, KEY_SIZE_MAX + 1)));
}

static void test_key_name_is_valid__edges__are_right(void **state)
{
    (void)state;

    assert_true(key_name_is_valid(slice_of_string("a")));
    assert_true(key_name_is_valid(slice_of_string("...")));
    assert_false(key_name_is_valid(slice_of_string("")));
    assert_false(key_name_is_valid(slice_of_string(".")));
    assert_false(key_name_is_valid(slice_of_string("..")));
    assert_false(key_name_is_valid(slice_of_string("a/")));
    assert_false(key_name_is_valid(slice_of_string("/")));
    assert_false(key_name_is_valid(slice_of("\0", 1)));
}

static void test_key__split_and_joined__is_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *directory;
        const char *name;
        enum row_kind kind;
    } cases[] = {
        {"a", "/", "a", ROW_FILE},
        {"a/", "/", "a", ROW_DIRECTORY},
        {"a/b", "a/", "b", ROW_FILE},
        {"a/b/", "a/", "b", ROW_DIRECTORY},
        {"carts/2007/alice.json", "carts/2007/", "alice.json", ROW_FILE},
        {"carts/2007/", "carts/", "2007", ROW_DIRECTORY},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice key = slice_of_string(cases[i].key);
        assert_true(slice_equal(key_directory(key), slice_of_string(cases[i].directory)));
        assert_true(slice_equal(key_name(key), slice_of_string(cases[i].name)));
        assert_int_equal(key_row_kind(key), cases[i].kind);
        assert_true(key_is_valid(key_directory(key)));

        struct buffer buffer = {0};
        key_append_child(&buffer, key_directory(key), key_name(key), key_row_kind(key));
        assert_true(slice_equal(buffer_slice(&buffer), key));
        buffer_release(&buffer);
    }
}

static void test_key__climbed__ends_at_the_root(void **state)
{
    (void)state;
    struct slice key = slice_of_string("a/b/c/d");
    unsigned steps = 0;

    while (!key_is_root(key)) {
        key = key_directory(key);
        assert_true(key_is_directory(key));
        steps++;
    }

    assert_int_equal(steps, 4);
}

static void test_key__internal_ones__are_valid_and_placed_by_their_directory(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *placed_by;
        const char *directory;
        const char *name;
    } cases[] = {
        {"/a/", "/a/", NULL, NULL},
        {"/a/b", "/a/", "/a/", "b"},
        {"/a/b/c", "/a/b/", "/a/b/", "c"},
        {"/a/b/", "/a/b/", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice key = slice_of_string(cases[i].key);
        assert_true(key_is_valid(key));
        assert_true(key_is_internal(key));
        assert_true(slice_equal(key_placed_by(key), slice_of_string(cases[i].placed_by)));
        if (cases[i].name) {
            assert_true(slice_equal(key_directory(key), slice_of_string(cases[i].directory)));
            assert_true(slice_equal(key_name(key), slice_of_string(cases[i].name)));
        }
    }
}

static void test_key__of_users__is_placed_by_itself(void **state)
{
    (void)state;
    static const char *const keys[] = {"/", "a", "a/", "a/b", "a/b/"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct slice key = slice_of_string(keys[i]);
        assert_false(key_is_internal(key));
        assert_true(slice_equal(key_placed_by(key), key));
    }
    assert_false(key_is_internal(slice_of(NULL, 0)));
}

static void test_key_is_directory__kinds__are_told_apart(void **state)
{
    (void)state;

    assert_true(key_is_directory(slice_of_string("/")));
    assert_true(key_is_directory(slice_of_string("a/")));
    assert_false(key_is_directory(slice_of_string("a")));
    assert_false(key_is_directory(slice_of(NULL, 0)));
    assert_true(key_is_root(slice_of_string("/")));
    assert_false(key_is_root(slice_of_string("a/")));
    assert_false(key_is_root(slice_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_is_valid__legal_keys__are_taken),
        cmocka_unit_test(test_key_is_valid__illegal_keys__are_refused),
        cmocka_unit_test(test_key_is_valid__name_sizes__end_at_the_limit),
        cmocka_unit_test(test_key_is_valid__key_sizes__end_at_the_limit),
        cmocka_unit_test(test_key_name_is_valid__edges__are_right),
        cmocka_unit_test(test_key__split_and_joined__is_the_same),
        cmocka_unit_test(test_key__climbed__ends_at_the_root),
        cmocka_unit_test(test_key__internal_ones__are_valid_and_placed_by_their_directory),
        cmocka_unit_test(test_key__of_users__is_placed_by_itself),
        cmocka_unit_test(test_key_is_directory__kinds__are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
