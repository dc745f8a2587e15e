/*
 * test_layout.c - the keys of the store.
 *
 * Rules: partition first; rows in the order of names, then kinds; a row's key gives back name
 *        and kind; malformed row keys are refused; kinds of keys do not mix.
 */
#include <string.h>

#include "node/store/layout.h"
#include "tests/store/fixture.h"

static struct buffer row_key(const char *key)
{
    struct buffer buffer = {0};

    layout_row_of(&buffer, FIXTURE_PARTITIONS, slice_of_string(key));
    assert_false(buffer.failed);
    return buffer;
}

static void test_layout__rows_of_a_directory__sort_by_name_then_kind(void **state)
{
    /* In the order in which they must sort; the kind breaks the tie of "b". */
    static const char *const keys[] = {"d/a",  "d/a\x01", "d/a b", "d/ab",
                                       "d/b/", "d/b",     "d/b0"};

    (void)state;
    for (size_t i = 0; i + 1 < sizeof keys / sizeof keys[0]; i++) {
        struct buffer first = row_key(keys[i]);
        struct buffer second = row_key(keys[i + 1]);

        if (slice_compare(buffer_slice(&first), buffer_slice(&second)) >= 0) {
            fail_msg("%s does not sort before %s", keys[i], keys[i + 1]);
        }
        buffer_release(&first);
        buffer_release(&second);
    }
}

static void test_layout__a_row__lies_under_its_directory_alone(void **state)
{
    struct buffer row = row_key("d/e/f");
    struct buffer own = {0};
    struct buffer above = {0};

    (void)state;
    layout_rows(&own, FIXTURE_PARTITIONS, slice_of_string("d/e/"));
    layout_rows(&above, FIXTURE_PARTITIONS, slice_of_string("d/"));

    assert_true(slice_has_prefix(buffer_slice(&row), buffer_slice(&own)));
    assert_false(slice_has_prefix(buffer_slice(&row), buffer_slice(&above)));
    buffer_release(&row);
    buffer_release(&own);
    buffer_release(&above);
}

static void test_layout__top_level_row__lies_under_the_root(void **state)
{
    struct buffer row = row_key("top/");
    struct buffer prefix = {0};
    struct slice name;
    enum row_kind kind = ROW_FILE;

    (void)state;
    layout_rows(&prefix, FIXTURE_PARTITIONS, slice_of_string("/"));

    assert_true(slice_has_prefix(buffer_slice(&row), buffer_slice(&prefix)));
    assert_true(layout_parse_row(buffer_slice(&row), prefix.size, &name, &kind));
    assert_true(slice_equal(name, slice_of_string("top")));
    assert_int_equal(kind, ROW_DIRECTORY);
    buffer_release(&row);
    buffer_release(&prefix);
}

static void test_layout_parse_row__malformed__is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},       {"a", 1},      {"\0f", 2},  {"af", 2},    {"a\0", 2}, {"a\0x", 3},
        {"a\0\0f", 4}, {"a/b\0f", 5}, {".\0f", 3}, {"..\0d", 4}, {"aaf", 3},
    };
    struct slice name = {0};
    enum row_kind kind = ROW_FILE;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (layout_parse_row(slice_of(bad[i].bytes, bad[i].size), 0, &name, &kind)) {
            fail_msg("number %zu was accepted", i);
        }
    }
    assert_true(layout_parse_row(slice_of("a\0f", 3), 0, &name, &kind));
    assert_int_equal(kind, ROW_FILE);
}

static void test_layout_object__two_keys_of_one_partition__share_a_prefix(void **state)
{
    struct slice key = slice_of_string("carts/alice.json");
    struct position position = position_of(key);
    uint16_t partition = position_partition(&position, 1024);
    struct buffer buffer = {0};

    (void)state;
    layout_object(&buffer, 1024, key);

    assert_int_equal(buffer.size, 3 + key.size);
    assert_int_equal(buffer.data[0], 'o');
    assert_int_equal(buffer.data[1] << 8 | buffer.data[2], partition);
    assert_memory_equal(buffer.data + 3, key.data, key.size);
    buffer_release(&buffer);
}

static void test_layout__a_directory_and_its_rows__are_in_one_partition(void **state)
{
    struct buffer directory = {0};
    struct buffer row = row_key("some/dir/x");

    (void)state;
    layout_object(&directory, FIXTURE_PARTITIONS, slice_of_string("some/dir/"));

    assert_memory_equal(directory.data + 1, row.data + 1, 2);
    assert_int_equal(row.data[0], 'r');
    buffer_release(&directory);
    buffer_release(&row);
}

static void test_layout_parse_entry__any_object_or_row__gives_its_object(void **state)
{
    static const char *const keys[] = {"/", "a", "a/", "a/b", "a/b/", "d-/x.y", "d/e/f"};
    struct buffer scratch = {0};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof keys / sizeof keys[0]; i++) {
        struct slice key = slice_of_string(keys[i / 2]);
        enum merkle_part part = i % 2 == 0 ? MERKLE_OBJECT : MERKLE_ROW;
        struct buffer stored = {0};
        struct layout_entry entry;
        if (part == MERKLE_ROW && key_is_root(key)) {
            continue;
        }
        if (part == MERKLE_OBJECT) {
            layout_object(&stored, 16, key);
        } else {
            layout_row_of(&stored, 16, key);
        }
        assert_int_equal(layout_parse_entry(buffer_slice(&stored), &scratch, &entry),
                         STATUS_OK);
        assert_int_equal(entry.part, part);
        assert_int_equal(entry.partition, stored.data[1] << 8 | stored.data[2]);
        assert_true(slice_equal(entry.object_key, key));
        buffer_release(&stored);
    }
    buffer_release(&scratch);
}

static void test_layout_parse_entry__malformed__is_corrupt(void **state)
{
    static const struct slice malformed[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"o", 1},
        {(const uint8_t *)"o\0\1", 3},
        {(const uint8_t *)"o\0\1//", 5},
        {(const uint8_t *)"o\0\1a\0b", 6},
        {(const uint8_t *)"x\0\1a", 4},
        {(const uint8_t *)"r\0\1a/", 5},
        {(const uint8_t *)"r\0\1a/\0b", 7},
        {(const uint8_t *)"r\0\1a\0b\0f", 8},
        {(const uint8_t *)"r\0\1a/\0b\0x", 9},
        {(const uint8_t *)"r\0\1a/\0\0f", 8},
        {(const uint8_t *)"r\0\1\0b\0f", 7},
    };
    struct buffer scratch = {0};
    struct layout_entry entry;
    char text[DAMAGE_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(layout_parse_entry(malformed[i], &scratch, &entry), STATUS_CORRUPT);
        layout_describe(malformed[i], "gone", text);
        assert_non_null(strstr(text, "gone"));
    }
    buffer_release(&scratch);
}

static void test_layout_describe__longest_key__fits_and_shows_no_control_bytes(void **state)
{
    struct buffer key = {0};
    char text[DAMAGE_TEXT_SIZE];

    (void)state;
    layout_partition(&key, MERKLE_OBJECT, 3);
    for (int i = 0; i < 4000; i++) {
        buffer_append_byte(&key, (uint8_t)(i % 200 == 199 ? '/' : 1 + i % 46));
    }
    buffer_append_byte(&key, 'x');
    layout_describe(buffer_slice(&key), "unreadable record", text);
    assert_int_equal(strncmp(text, "object ", 7), 0);
    assert_non_null(strstr(text, "...: unreadable record"));
    for (size_t i = 0; text[i] != '\0'; i++) {
        assert_true(text[i] >= ' ');
    }
    buffer_release(&key);
}

static void test_layout_leaf__any__is_parsed_back(void **state)
{
    uint8_t key[LEAF_KEY_SIZE];
    uint16_t partition = 0;
    uint16_t leaf = 0;

    (void)state;
    for (uint16_t i = 0; i < MERKLE_LEAVES; i = (uint16_t)(i + 33)) {
        layout_leaf((uint16_t)(1023 - i), i, key);
        assert_true(layout_parse_leaf(slice_of(key, sizeof key), &partition, &leaf));
        assert_int_equal(partition, 1023 - i);
        assert_int_equal(leaf, i);
    }
    assert_false(layout_parse_leaf(slice_of(key, sizeof key - 1), &partition, &leaf));
    key[3] = 4; /* leaf 1024 and above */
    assert_false(layout_parse_leaf(slice_of(key, sizeof key), &partition, &leaf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_parse_entry__any_object_or_row__gives_its_object),
        cmocka_unit_test(test_layout_parse_entry__malformed__is_corrupt),
        cmocka_unit_test(test_layout_describe__longest_key__fits_and_shows_no_control_bytes),
        cmocka_unit_test(test_layout_leaf__any__is_parsed_back),
        cmocka_unit_test(test_layout__rows_of_a_directory__sort_by_name_then_kind),
        cmocka_unit_test(test_layout__a_row__lies_under_its_directory_alone),
        cmocka_unit_test(test_layout__top_level_row__lies_under_the_root),
        cmocka_unit_test(test_layout_parse_row__malformed__is_refused),
        cmocka_unit_test(test_layout_object__two_keys_of_one_partition__share_a_prefix),
        cmocka_unit_test(test_layout__a_directory_and_its_rows__are_in_one_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
