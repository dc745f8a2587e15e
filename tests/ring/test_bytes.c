/*
 * test_bytes.c - slices, blobs and buffers.
 *
 * Rules: order of slices is bytewise, a shorter prefix first; a blob lives until its last
 * reference goes; a failed append leaves the buffer as it was and is remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/bytes.h"

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void test_slice_compare__pairs__are_in_store_order(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        int order;
    } cases[] = {
        {"", "", 0},     {"", "a", -1},   {"a", "a", 0},    {"a", "b", -1},     {"ab", "a", 1},
        {"ab", "b", -1}, {"a", "ab", -1}, {"\xff", "a", 1}, {"a\xff", "b", -1}, {"a/", "a", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice a = slice_of_string(cases[i].a);
        struct slice b = slice_of_string(cases[i].b);
        assert_int_equal(sign(slice_compare(a, b)), cases[i].order);
        assert_int_equal(sign(slice_compare(b, a)), -cases[i].order);
        assert_int_equal(slice_equal(a, b), cases[i].order == 0);
    }
}

static void test_slice_compare__zero_bytes__count_as_bytes(void **state)
{
    (void)state;

    assert_true(slice_compare(slice_of("a\0b", 3), slice_of("a\0c", 3)) < 0);
    assert_true(slice_compare(slice_of("a\0", 2), slice_of("a", 1)) > 0);
    assert_false(slice_equal(slice_of("a\0b", 3), slice_of("a\0c", 3)));
}

static void test_slice_has_prefix__edges__are_right(void **state)
{
    (void)state;
    struct slice whole = slice_of_string("carts/alice");

    assert_true(slice_has_prefix(whole, slice_of_string("carts/")));
    assert_true(slice_has_prefix(whole, whole));
    assert_true(slice_has_prefix(whole, slice_of_string("c")));
    assert_false(slice_has_prefix(whole, slice_of_string("d")));
    assert_true(slice_has_prefix(whole, slice_of(NULL, 0)));
    assert_true(slice_has_prefix(slice_of(NULL, 0), slice_of(NULL, 0)));
    assert_false(slice_has_prefix(whole, slice_of_string("carts/alice.json")));
    assert_false(slice_has_prefix(whole, slice_of_string("Carts")));
}

static void test_blob_new__bytes__are_copied(void **state)
{
    (void)state;
    char text[] = "milk";

    struct blob *blob = blob_new(slice_of_string(text));
    text[0] = 's';

    assert_non_null(blob);
    assert_true(slice_equal(blob_slice(blob), slice_of_string("milk")));
    blob_unref(blob);
}

static void test_blob__empty_and_null__are_empty_slices(void **state)
{
    (void)state;

    struct blob *blob = blob_new(slice_of(NULL, 0));

    assert_non_null(blob);
    assert_int_equal(blob_slice(blob).size, 0);
    assert_int_equal(blob_slice(NULL).size, 0);
    assert_null(blob_ref(NULL));
    blob_unref(NULL);
    blob_unref(blob);
}

static void test_blob_unref__one_of_two__keeps_the_bytes(void **state)
{
    (void)state;
    struct blob *blob = blob_new(slice_of_string("milk"));

    assert_ptr_equal(blob_ref(blob), blob);
    blob_unref(blob);

    assert_int_equal(atomic_load(&blob->references), 1);
    assert_memory_equal(blob->data, "milk", 4);
    blob_unref(blob);
}

static void test_blob_new_uninitialised__size_too_great__gives_null(void **state)
{
    (void)state;

    assert_null(blob_new_uninitialised(SIZE_MAX));
    assert_null(blob_new_uninitialised(SIZE_MAX - sizeof(struct blob) + 1));
}

static void test_buffer_append__many__keeps_all_in_order(void **state)
{
    (void)state;
    struct buffer buffer = {0};

    for (size_t i = 0; i < 1000; i++) {
        buffer_append_byte(&buffer, (uint8_t)i);
        buffer_append(&buffer, "xy", 2);
        buffer_append_slice(&buffer, slice_of(NULL, 0));
    }

    assert_false(buffer.failed);
    struct slice bytes = buffer_slice(&buffer);
    assert_int_equal(bytes.size, 3000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(bytes.data[3 * i], (uint8_t)i);
        assert_memory_equal(bytes.data + 3 * i + 1, "xy", 2);
    }
    buffer_release(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.capacity, 0);
}

static void test_buffer_reserve__too_much__fails_and_keeps_the_bytes(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append(&buffer, "abc", 3);

    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    buffer_append_byte(&buffer, 'd');

    assert_true(buffer.failed);
    assert_true(slice_equal(buffer_slice(&buffer), slice_of_string("abc")));
    buffer_release(&buffer);
}

static void test_buffer_reset__after_failure__is_usable_again(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append(&buffer, "abc", 3);
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    uint8_t *memory = buffer.data;

    buffer_reset(&buffer);
    buffer_append(&buffer, "de", 2);

    assert_false(buffer.failed);
    assert_ptr_equal(buffer.data, memory);
    assert_true(slice_equal(buffer_slice(&buffer), slice_of_string("de")));
    buffer_release(&buffer);
    buffer_release(&buffer);
    buffer_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_compare__pairs__are_in_store_order),
        cmocka_unit_test(test_slice_compare__zero_bytes__count_as_bytes),
        cmocka_unit_test(test_slice_has_prefix__edges__are_right),
        cmocka_unit_test(test_blob_new__bytes__are_copied),
        cmocka_unit_test(test_blob__empty_and_null__are_empty_slices),
        cmocka_unit_test(test_blob_unref__one_of_two__keeps_the_bytes),
        cmocka_unit_test(test_blob_new_uninitialised__size_too_great__gives_null),
        cmocka_unit_test(test_buffer_append__many__keeps_all_in_order),
        cmocka_unit_test(test_buffer_reserve__too_much__fails_and_keeps_the_bytes),
        cmocka_unit_test(test_buffer_reset__after_failure__is_usable_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
