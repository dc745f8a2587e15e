/*
 * test_hash.c - positions, partitions, content hashes and status names.
 *
 * Rules: a position is the MD5 of the key, as RFC 1321 has it; a partition is its top bits; a
 * content hash is SHA-256, as FIPS 180 has it; FNV-1a is as its authors have it, in one go or in
 * pieces; every status has a name and a text of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/fnv.h"
#include "ring/hash.h"

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[2 * CONTENT_HASH_SIZE + 1] = "";
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    assert_string_equal(text, expected);
}

static void test_position_of__rfc_1321_vectors__match(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"1234567890123456789012345678901234567890"
         "1234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct position position = position_of(slice_of_string(vectors[i][0]));
        assert_hex(position.byte, POSITION_SIZE, vectors[i][1]);
    }
}

static void test_content_hash__fips_180_vectors__match(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t hash[CONTENT_HASH_SIZE];
        uint8_t digest[DIGEST_SIZE];
        content_hash(slice_of_string(vectors[i][0]), hash);
        digest_of(slice_of_string(vectors[i][0]), digest);
        assert_hex(hash, CONTENT_HASH_SIZE, vectors[i][1]);
        assert_memory_equal(digest, hash, DIGEST_SIZE);
    }
}

static void test_fnv__known_vectors__match(void **state)
{
    (void)state;
    assert_int_equal(fnv32(slice_of_string("")), 0x811c9dc5);
    assert_int_equal(fnv32(slice_of_string("foobar")), 0xbf9cf968);
    assert_true(fnv64(slice_of_string("")) == FNV64_BASIS);
    assert_true(fnv64(slice_of_string("foobar")) == UINT64_C(0x85944171f73967e8));
    assert_true(fnv64_add(fnv64(slice_of_string("foo")), slice_of_string("bar")) ==
                fnv64(slice_of_string("foobar")));
}

static void test_position_partition__top_bits__choose(void **state)
{
    (void)state;
    struct position position = {.byte = {0xb7, 0x40}};

    assert_int_equal(position_partition(&position, 1), 0);
    assert_int_equal(position_partition(&position, 2), 1);
    assert_int_equal(position_partition(&position, 16), 0xb);
    assert_int_equal(position_partition(&position, 256), 0xb7);
    assert_int_equal(position_partition(&position, 1024), 0xb7 << 2 | 1);
}

static void test_position_partition__ends__are_first_and_last(void **state)
{
    (void)state;
    struct position first = {{0}};
    struct position last;
    memset(last.byte, 0xff, sizeof last.byte);

    for (uint16_t count = 1; count <= 1024; count = (uint16_t)(2 * count)) {
        assert_int_equal(position_partition(&first, count), 0);
        assert_int_equal(position_partition(&last, count), count - 1);
    }
}

static void test_status__each__has_its_own_name_and_text(void **state)
{
    (void)state;

    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_non_null(status_name((enum status)i));
        assert_non_null(status_text((enum status)i));
        assert_string_not_equal(status_name((enum status)i), "unknown");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(status_name((enum status)i), status_name((enum status)j));
            assert_string_not_equal(status_text((enum status)i), status_text((enum status)j));
        }
    }
    assert_string_equal(status_name((enum status)STATUS_COUNT), "unknown");
    assert_string_equal(status_name((enum status) - 1), "unknown");
    assert_string_equal(status_text((enum status)999), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position_of__rfc_1321_vectors__match),
        cmocka_unit_test(test_content_hash__fips_180_vectors__match),
        cmocka_unit_test(test_fnv__known_vectors__match),
        cmocka_unit_test(test_position_partition__top_bits__choose),
        cmocka_unit_test(test_position_partition__ends__are_first_and_last),
        cmocka_unit_test(test_status__each__has_its_own_name_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
