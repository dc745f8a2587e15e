/*
 * test_manifest.c - manifests and the keys of blocks: what was written is read back, and nothing
 * else is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/block_key.h"
#include "tests/ring/make.h"

#define MAP_SIZE ((uint64_t)MAP_BLOCKS * BLOCK_SIZE)

enum { HEAD_SIZE = 4 + 1 + BLOCK_SET_SIZE + 8, SIZE_AT = HEAD_SIZE - 8 };

static uint32_t entries_for(uint64_t size)
{
    uint32_t blocks = manifest_block_count(size);
    uint32_t maps = manifest_map_count(blocks);

    return maps > 0 ? maps : blocks;
}

/* A manifest of that size, whose entries can be told apart. */
static struct blob *make_manifest(uint64_t size)
{
    struct buffer entries = {0};
    struct buffer bytes = {0};
    struct manifest manifest = {.size = size};

    memset(manifest.set.byte, 0xa5, BLOCK_SET_SIZE);
    for (uint32_t i = 0; i < entries_for(size); i++) {
        for (unsigned k = 0; k < BLOCK_ENTRY_SIZE; k++) {
            buffer_append_byte(&entries, (uint8_t)(i + 3 * k + (i >> 8) + 1));
        }
    }
    manifest.entries = buffer_slice(&entries);
    manifest_append(&bytes, &manifest);
    assert_false(bytes.failed);
    struct blob *blob = blob_new(buffer_slice(&bytes));
    assert_non_null(blob);
    buffer_release(&entries);
    buffer_release(&bytes);
    return blob;
}

static const struct {
    uint64_t size;
    uint32_t count;
    bool has_maps;
} sizes[] = {
    {0, 0, false},
    {1, 1, false},
    {BLOCK_SIZE - 1, 1, false},
    {BLOCK_SIZE, 1, false},
    {BLOCK_SIZE + 1, 2, false},
    {MAP_SIZE - 1, MAP_BLOCKS, false},
    {MAP_SIZE, MAP_BLOCKS, false},
    {MAP_SIZE + 1, 2, true},
    {2 * MAP_SIZE, 2, true},
    {2 * MAP_SIZE + 1, 3, true},
    {FILE_SIZE_MAX - 1, FILE_SIZE_MAX / MAP_SIZE, true},
    {FILE_SIZE_MAX, FILE_SIZE_MAX / MAP_SIZE, true},
};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void test_manifest__written_and_read__is_the_same(void **state)
{
    (void)state;

    for (size_t i = 0; i < SIZES; i++) {
        struct blob *bytes = make_manifest(sizes[i].size);
        struct manifest manifest;
        struct buffer again = {0};

        assert_int_equal(manifest_parse(blob_slice(bytes), &manifest), STATUS_OK);
        assert_int_equal(manifest.size, sizes[i].size);
        assert_int_equal(manifest.count, sizes[i].count);
        assert_int_equal(manifest.has_maps, sizes[i].has_maps);
        assert_int_equal(manifest.set.byte[0], 0xa5);
        assert_int_equal(manifest.set.byte[BLOCK_SET_SIZE - 1], 0xa5);
        for (uint32_t k = 0; k < manifest.count; k++) {
            struct block_entry entry = manifest_entry(manifest.entries, k);
            assert_int_equal(entry.id[0], (uint8_t)(k + (k >> 8) + 1));
            assert_int_equal(entry.hash[0], (uint8_t)(k + 3 * BLOCK_ID_SIZE + (k >> 8) + 1));
        }
        assert_true(manifest_has_size(blob_slice(bytes), sizes[i].size));
        assert_false(manifest_has_size(blob_slice(bytes), sizes[i].size + 1));
        manifest_append(&again, &manifest);
        assert_true(slice_equal(buffer_slice(&again), blob_slice(bytes)));
        assert_true(bytes->size <= VALUE_SIZE_MAX);
        buffer_release(&again);
        blob_unref(bytes);
    }
}

static void test_manifest_parse__cut_anywhere_or_longer__is_refused(void **state)
{
    (void)state;
    static const uint64_t some[] = {0, 1, 3 * BLOCK_SIZE, MAP_SIZE + 1};

    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct blob *bytes = make_manifest(some[i]);
        struct manifest manifest = {.count = 77};
        struct buffer longer = {0};

        for (size_t size = 0; size < bytes->size; size++) {
            assert_int_equal(manifest_parse(slice_of(bytes->data, size), &manifest),
                             STATUS_BAD_MESSAGE);
        }
        buffer_append_slice(&longer, blob_slice(bytes));
        for (size_t more = 0; more < 2 * BLOCK_ENTRY_SIZE; more++) {
            buffer_append_byte(&longer, 0);
            assert_int_equal(manifest_parse(buffer_slice(&longer), &manifest),
                             STATUS_BAD_MESSAGE);
        }
        assert_int_equal(manifest.count, 77); /* untouched */
        buffer_release(&longer);
        blob_unref(bytes);
    }
    struct manifest manifest;
    assert_int_equal(manifest_parse(slice_of(NULL, 0), &manifest), STATUS_BAD_MESSAGE);
}

/* Every byte of the head with every other value: refused, or another set or size that asks for
 * just as many entries. */
static void
test_manifest_parse__wrong_byte_in_the_head__refused_or_as_many_entries(void **state)
{
    (void)state;
    static const uint64_t some[] = {0, 1, 3 * BLOCK_SIZE, MAP_SIZE, MAP_SIZE + 1};

    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct blob *bytes = make_manifest(some[i]);
        struct manifest manifest;

        for (size_t at = 0; at < HEAD_SIZE; at++) {
            uint8_t good = bytes->data[at];
            for (unsigned flip = 1; flip < 256; flip++) {
                bytes->data[at] = (uint8_t)(good ^ flip);
                enum status status = manifest_parse(blob_slice(bytes), &manifest);
                bool is_set = at >= 5 && at < SIZE_AT;
                if (status == STATUS_OK) {
                    assert_true(is_set || at >= SIZE_AT);
                    assert_true(manifest.size <= FILE_SIZE_MAX);
                    assert_int_equal(manifest.count, entries_for(manifest.size));
                    assert_int_equal(manifest.entries.size,
                                     (size_t)manifest.count * BLOCK_ENTRY_SIZE);
                } else {
                    assert_int_equal(status, STATUS_BAD_MESSAGE);
                    assert_false(is_set);
                }
            }
            bytes->data[at] = good;
        }
        blob_unref(bytes);
    }
}

static void test_manifest_parse__size_beyond_the_limit__is_refused(void **state)
{
    (void)state;
    struct blob *bytes = make_manifest(FILE_SIZE_MAX);
    struct manifest manifest;

    bytes->data[HEAD_SIZE - 1] = 1;
    assert_int_equal(manifest_parse(blob_slice(bytes), &manifest), STATUS_BAD_MESSAGE);
    memset(bytes->data + SIZE_AT, 0xff, 8);
    assert_int_equal(manifest_parse(blob_slice(bytes), &manifest), STATUS_BAD_MESSAGE);
    blob_unref(bytes);
}

static void test_block_entry__holes_and_equality__are_seen(void **state)
{
    (void)state;
    struct block_entry a = {{0}, {0}};
    struct block_entry b = {{0}, {0}};

    assert_true(block_entry_is_hole(&a));
    assert_true(block_entry_equal(&a, &b));
    b.hash[BLOCK_HASH_SIZE - 1] = 1;
    assert_true(block_entry_is_hole(&b)); /* nothing is stored under no id */
    assert_false(block_entry_equal(&a, &b));
    a.id[BLOCK_ID_SIZE - 1] = 1;
    assert_false(block_entry_is_hole(&a));
    b = a;
    b.id[0] = 1;
    assert_false(block_entry_equal(&a, &b));
}

/* --- keys ---------------------------------------------------------------------------------- */

static const struct block_set some_set = {
    {0xab, 0x01, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}};

/* A valid internal key; the caller releases it. */
static void assert_key(struct buffer *key, const char *text, bool is_directory)
{
    struct slice slice = buffer_slice(key);

    assert_true(slice_equal(slice, slice_of_string(text)));
    assert_true(key_is_valid(slice));
    assert_true(key_is_internal(slice));
    assert_int_equal(key_is_directory(slice), is_directory);
    assert_true(key_is_directory(key_placed_by(slice)));
    assert_true(key_is_valid(key_placed_by(slice)));
    buffer_release(key);
}

static void test_block_key__each_kind__is_a_valid_internal_key(void **state)
{
    (void)state;
    struct buffer key = {0};
    struct block_entry entry = {{0}, {0}};
    entry.id[0] = 0x12;
    entry.id[BLOCK_ID_SIZE - 1] = 0xef;

    block_key_shard(&key, 0x0f);
    assert_key(&key, "/0f/", true);
    block_key_head(&key, &some_set);
    assert_key(&key, "/ab/ab0102030405060708090a0b0c0d0eff", false);
    block_key_set(&key, &some_set);
    assert_key(&key, "/ab0102030405060708090a0b0c0d0eff/", true);
    block_key_path(&key, &some_set, slice_of_string("abc"));
    assert_key(&key,
               "/ab0102030405060708090a0b0c0d0eff/h"
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
               false);
    block_key_mark(&key, &some_set, 0x01020304);
    assert_key(&key, "/ab0102030405060708090a0b0c0d0eff/s01020304", false);
    block_key_stripe(&key, &some_set, 0xfffffffe);
    assert_key(&key, "/ab0102030405060708090a0b0c0d0eff/fffffffe/", true);
    block_key_block(&key, &some_set, 3 * STRIPE_BLOCKS + 1, &entry);
    assert_key(&key,
               "/ab0102030405060708090a0b0c0d0eff/00000003/120000000000000000000000000000ef",
               false);
}

static void test_block_key__names__are_read_back(void **state)
{
    (void)state;
    struct buffer key = {0};
    struct block_set set;
    uint32_t stripe;
    uint8_t id[BLOCK_ID_SIZE];
    struct block_entry entry = {{9, 8, 7}, {0}};

    block_key_head(&key, &some_set);
    assert_true(block_key_parse_set(key_name(buffer_slice(&key)), &set));
    assert_memory_equal(set.byte, some_set.byte, BLOCK_SET_SIZE);
    buffer_release(&key);
    block_key_mark(&key, &some_set, 0x89abcdef);
    assert_true(block_key_parse_mark(key_name(buffer_slice(&key)), &stripe));
    assert_int_equal(stripe, 0x89abcdef);
    assert_false(block_key_parse_set(key_name(buffer_slice(&key)), &set));
    assert_false(block_key_parse_id(key_name(buffer_slice(&key)), id));
    buffer_release(&key);
    block_key_block(&key, &some_set, 0, &entry);
    assert_true(block_key_parse_id(key_name(buffer_slice(&key)), id));
    assert_memory_equal(id, entry.id, BLOCK_ID_SIZE);
    assert_false(block_key_parse_mark(key_name(buffer_slice(&key)), &stripe));
    buffer_release(&key);
}

static void test_block_key__other_names__are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "s",
        "s0000000",
        "s000000000",
        "s0000000G",
        "S00000000",
        "00000000",
        "ab0102030405060708090a0b0c0d0ef",
        "ab0102030405060708090a0b0c0d0eff0",
        "AB0102030405060708090a0b0c0d0eff",
        "ab0102030405060708090a0b0c0d0ef ",
        "hab0102030405060708090a0b0c0d0ef",
    };
    struct block_set set;
    uint32_t stripe;
    uint8_t id[BLOCK_ID_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice name = slice_of_string(names[i]);
        assert_false(block_key_parse_set(name, &set));
        assert_false(block_key_parse_mark(name, &stripe));
        assert_false(block_key_parse_id(name, id));
    }
}

/* --- versions ------------------------------------------------------------------------------ */

static enum status try_version(uint64_t size, struct slice content)
{
    struct made_clock clock;
    struct object *object = NULL;
    struct version version = make_version(make_dot("1.1:5"), "");

    blob_unref(version.content);
    version.content = blob_new(content);
    version.attributes.type = VERSION_LARGE_FILE;
    version.attributes.size = size;
    make_clock("1.1:5", &clock);
    enum status status = object_new(&clock.clock, &version, 1, (struct actor){0, 0}, &object);
    object_unref(object);
    version_drop(&version);
    return status;
}

static void test_object_new__large_file__content_must_be_a_manifest_of_its_size(void **state)
{
    (void)state;
    struct blob *bytes = make_manifest(3 * BLOCK_SIZE);
    struct slice all = blob_slice(bytes);

    assert_int_equal(try_version(3 * BLOCK_SIZE, all), STATUS_OK);
    assert_int_equal(try_version(3 * BLOCK_SIZE - 1, all), STATUS_BAD_MESSAGE);
    assert_int_equal(try_version(all.size, all), STATUS_BAD_MESSAGE);
    assert_int_equal(try_version(3 * BLOCK_SIZE, slice_of(all.data, all.size - 1)),
                     STATUS_BAD_MESSAGE);
    assert_int_equal(try_version(4, slice_of_string("text")), STATUS_BAD_MESSAGE);
    assert_int_equal(try_version(0, slice_of(NULL, 0)), STATUS_BAD_MESSAGE);
    blob_unref(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest__written_and_read__is_the_same),
        cmocka_unit_test(test_manifest_parse__cut_anywhere_or_longer__is_refused),
        cmocka_unit_test(
            test_manifest_parse__wrong_byte_in_the_head__refused_or_as_many_entries),
        cmocka_unit_test(test_manifest_parse__size_beyond_the_limit__is_refused),
        cmocka_unit_test(test_block_entry__holes_and_equality__are_seen),
        cmocka_unit_test(test_block_key__each_kind__is_a_valid_internal_key),
        cmocka_unit_test(test_block_key__names__are_read_back),
        cmocka_unit_test(test_block_key__other_names__are_refused),
        cmocka_unit_test(test_object_new__large_file__content_must_be_a_manifest_of_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
