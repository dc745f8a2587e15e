/*
 * test_bounds.c - the rules of bounds.h:
 *   1. one whole value, exactly filling the bytes
 *   2. nil, booleans, integers, strings, bytes, arrays; nothing else
 *   3. every number and length in its shortest form, as msgpack-c writes it
 *   4. depth and element count are limited, and are not believed before they are there
 */
#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/bounds.h"
#include "node/wire/writer.h"
#include "tests/wire/sample.h"

#define BYTES(...) slice_of((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static bool accepts(struct slice bytes)
{
    uint32_t count;

    return bounds_check(bytes, &count);
}

/* What msgpack-c itself makes of the bytes: read whole, of our kinds, and written back. */
static bool is_one_of_our_kinds(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_BOOLEAN:
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return true;
    case MSGPACK_OBJECT_ARRAY:
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            if (!is_one_of_our_kinds(&object->via.array.ptr[i])) {
                return false;
            }
        }
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_MAP:
    case MSGPACK_OBJECT_EXT:
        break;
    }
    return false;
}

static bool oracle(struct slice bytes)
{
    msgpack_unpacked unpacked;
    msgpack_sbuffer out;
    msgpack_packer packer;
    size_t offset = 0;
    bool same = false;

    msgpack_unpacked_init(&unpacked);
    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
    if (msgpack_unpack_next(&unpacked, (const char *)bytes.data, bytes.size, &offset) ==
            MSGPACK_UNPACK_SUCCESS &&
        offset == bytes.size && is_one_of_our_kinds(&unpacked.data)) {
        assert_int_equal(msgpack_pack_object(&packer, unpacked.data), 0);
        same = out.size == bytes.size && memcmp(out.data, bytes.data, out.size) == 0;
    }
    msgpack_sbuffer_destroy(&out);
    msgpack_unpacked_destroy(&unpacked);
    return same;
}

static void test_bounds__all_inputs_of_two_bytes__agree_with_msgpack(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[2] = {(uint8_t)first, 0};

        assert_int_equal(accepts(slice_of(bytes, 1)), oracle(slice_of(bytes, 1)));
        for (unsigned second = 0; second < 256; second++) {
            bytes[1] = (uint8_t)second;
            assert_int_equal(accepts(slice_of(bytes, 2)), oracle(slice_of(bytes, 2)));
        }
    }
}

/* After each wide head, numbers around the border where the next shorter form would do. */
static void test_bounds__borders_of_each_width__agree_with_msgpack(void **state)
{
    static const uint8_t heads[] = {0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3};
    static const int64_t borders[] = {0,          -32,       127,        INT8_MIN,  UINT8_MAX,
                                      INT16_MIN,  INT16_MAX, UINT16_MAX, INT32_MIN, INT32_MAX,
                                      UINT32_MAX, INT64_MIN, INT64_MAX};
    unsigned accepted = 0;

    (void)state;
    for (size_t i = 0; i < sizeof heads; i++) {
        size_t width = (size_t)1 << i % 4;

        for (size_t j = 0; j < 3 * sizeof borders / sizeof borders[0]; j++) {
            uint64_t number = (uint64_t)borders[j / 3] + j % 3 - 1;
            uint8_t bytes[9] = {heads[i]};

            for (size_t k = 0; k < width; k++) {
                bytes[1 + k] = (uint8_t)(number >> 8 * (width - 1 - k));
            }
            accepted += accepts(slice_of(bytes, 1 + width));
            assert_int_equal(accepts(slice_of(bytes, 1 + width)),
                             oracle(slice_of(bytes, 1 + width)));
        }
    }
    assert_true(accepted > 20);
}

static void test_bounds__random_inputs__agree_with_msgpack(void **state)
{
    struct sample sample = sample_seeded();
    unsigned accepted = 0;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[24];
        size_t size = 1 + sample_below(&sample, sizeof bytes);
        struct slice input = slice_of(bytes, size);

        for (size_t k = 0; k < size; k++) {
            bytes[k] = (uint8_t)sample_bits(&sample);
        }
        bytes[0] = (uint8_t)(0x90 + sample_below(&sample, 6)); /* mostly arrays */
        if (accepts(input)) {
            accepted++;
            assert_true(oracle(input));
        }
    }
    assert_true(accepted > 100);
}

static void test_bounds__lengths__are_in_their_shortest_form(void **state)
{
    static const size_t sizes[] = {0, 31, 32, 255, 256, 65535, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sample sample = {.state = i};
        struct blob *body = sample_bytes(&sample, sizes[i]);
        struct buffer buffer = {0};
        struct writer writer = writer_over(&buffer);

        writer_bytes(&writer, blob_slice(body));
        assert_true(accepts(buffer_slice(&buffer)));
        buffer_reset(&buffer);
        writer_string(&writer, blob_slice(body));
        assert_true(accepts(buffer_slice(&buffer)));
        /* The same with four bytes of length. */
        for (size_t k = 0; k < 2; k++) {
            uint8_t head = k == 0 ? 0xc6 : 0xdb;

            buffer_reset(&buffer);
            buffer_append_slice(&buffer, BYTES(head, 0, (uint8_t)(sizes[i] >> 16),
                                               (uint8_t)(sizes[i] >> 8), (uint8_t)sizes[i]));
            buffer_append_slice(&buffer, blob_slice(body));
            assert_int_equal(accepts(buffer_slice(&buffer)), sizes[i] > 65535);
        }
        buffer_release(&buffer);
        blob_unref(body);
    }
}

static void test_bounds__other_kinds__are_refused(void **state)
{
    (void)state;
    assert_false(accepts(BYTES(0x80)));                               /* map */
    assert_false(accepts(BYTES(0xde, 0, 16)));                        /* map 16 */
    assert_false(accepts(BYTES(0xc1)));                               /* never used */
    assert_false(accepts(BYTES(0xca, 0x3f, 0x80, 0, 0)));             /* float */
    assert_false(accepts(BYTES(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0))); /* double */
    assert_false(accepts(BYTES(0xd4, 1, 2)));                         /* fixext */
    assert_false(accepts(BYTES(0xc7, 0, 1)));                         /* ext 8 */
}

static void test_bounds__nothing_or_more_than_one_value__is_refused(void **state)
{
    (void)state;
    assert_false(accepts((struct slice){0}));
    assert_false(accepts(BYTES(1, 2)));
    assert_false(accepts(BYTES(0x91, 1, 2)));
    assert_false(accepts(BYTES(0x92, 1)));
    assert_true(accepts(BYTES(0x92, 1, 2)));
}

/* A few bytes must not make anybody allocate for what they claim. */
static void test_bounds__great_claims_in_few_bytes__are_refused(void **state)
{
    (void)state;
    assert_false(accepts(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)));
    assert_false(accepts(BYTES(0xdc, 0x7f, 0xff, 0xc0)));
    assert_false(accepts(BYTES(0x9f, 0xc0)));
    assert_false(accepts(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff, 0)));
    assert_false(accepts(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff, 0)));
    assert_false(accepts(BYTES(0xc4, 2, 0)));
}

static void test_bounds__depth__is_limited(void **state)
{
    uint8_t bytes[BOUNDS_DEPTH_MAX + 2];

    (void)state;
    memset(bytes, 0x91, sizeof bytes);
    bytes[BOUNDS_DEPTH_MAX] = 0xc0;
    assert_true(accepts(slice_of(bytes, BOUNDS_DEPTH_MAX + 1)));
    bytes[BOUNDS_DEPTH_MAX] = 0x91;
    bytes[BOUNDS_DEPTH_MAX + 1] = 0xc0;
    assert_false(accepts(slice_of(bytes, BOUNDS_DEPTH_MAX + 2)));
    bytes[BOUNDS_DEPTH_MAX] = 0x90; /* an empty array is one too */
    assert_false(accepts(slice_of(bytes, BOUNDS_DEPTH_MAX + 1)));
}

static void test_bounds__element_count__is_reported_and_limited(void **state)
{
    static uint8_t bytes[BOUNDS_ELEMENTS_MAX + 8];
    uint32_t count = 0;

    (void)state;
    memset(bytes, 0xc0, sizeof bytes);
    /* An array of MAX - 1 elements, itself counted. */
    memcpy(bytes, (uint8_t[]){0xdc, 0x7f, 0xff}, 3);
    assert_true(bounds_check(slice_of(bytes, 3 + BOUNDS_ELEMENTS_MAX - 1), &count));
    assert_int_equal(count, BOUNDS_ELEMENTS_MAX);
    memcpy(bytes, (uint8_t[]){0xdc, 0x80, 0x00}, 3);
    assert_false(bounds_check(slice_of(bytes, 3 + BOUNDS_ELEMENTS_MAX), &count));
    /* In two arrays neither of which is over it. */
    memcpy(bytes, (uint8_t[]){0x92, 0xc0, 0xdc, 0x7f, 0xfd}, 5);
    assert_true(bounds_check(slice_of(bytes, 5 + BOUNDS_ELEMENTS_MAX - 3), &count));
    assert_int_equal(count, BOUNDS_ELEMENTS_MAX);
    memcpy(bytes, (uint8_t[]){0x92, 0xc0, 0xdc, 0x7f, 0xfe}, 5);
    assert_false(bounds_check(slice_of(bytes, 5 + BOUNDS_ELEMENTS_MAX - 2), &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds__all_inputs_of_two_bytes__agree_with_msgpack),
        cmocka_unit_test(test_bounds__borders_of_each_width__agree_with_msgpack),
        cmocka_unit_test(test_bounds__random_inputs__agree_with_msgpack),
        cmocka_unit_test(test_bounds__lengths__are_in_their_shortest_form),
        cmocka_unit_test(test_bounds__other_kinds__are_refused),
        cmocka_unit_test(test_bounds__nothing_or_more_than_one_value__is_refused),
        cmocka_unit_test(test_bounds__great_claims_in_few_bytes__are_refused),
        cmocka_unit_test(test_bounds__depth__is_limited),
        cmocka_unit_test(test_bounds__element_count__is_reported_and_limited),
    };

    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
