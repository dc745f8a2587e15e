/*
 * test_ctl_text.c - what dynamoctl writes: JSON, names, modes, sizes, times.
 *
 * Rules: whatever the bytes, the JSON is JSON and UTF-8, and the bytes can be had back; nothing
 * that a name holds reaches a terminal as a control.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node/dynamoctl/ctl.h"

/* What is written to a stream, as a string. */
struct capture {
    char *text;
    size_t size;
    struct json json;
};

static void begin(struct capture *capture)
{
    *capture = (struct capture){0};
    capture->json.out = open_memstream(&capture->text, &capture->size);
    assert_non_null(capture->json.out);
}

static void assert_written(struct capture *capture, const char *expected)
{
    assert_int_equal(fclose(capture->json.out), 0);
    assert_int_equal(capture->size, strlen(capture->text));
    assert_string_equal(capture->text, expected);
    assert_false(capture->json.failed);
    free(capture->text);
}

static struct slice bytes_of(const char *text)
{
    return slice_of_string(text);
}

static void test_json__nested_values__commas_and_lines_where_they_belong(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);
    struct json *json = &capture.json;

    json_object_begin(json, NULL);
    json_string(json, "a", "b");
    json_array_begin(json, "list");
    json_unsigned(json, NULL, UINT64_MAX);
    json_signed(json, NULL, INT64_MIN);
    json_object_begin(json, NULL);
    json_object_end(json);
    json_array_end(json);
    json_array_begin(json, "none");
    json_array_end(json);
    json_bool(json, "yes", true);
    json_null(json, "nil");
    json_identity(json, "id", 255);
    json_fraction(json, "half", 0.5);
    json_object_end(json);

    assert_written(&capture, "{\n"
                             "  \"a\": \"b\",\n"
                             "  \"list\": [\n"
                             "    18446744073709551615,\n"
                             "    -9223372036854775808,\n"
                             "    {}\n"
                             "  ],\n"
                             "  \"none\": [],\n"
                             "  \"yes\": true,\n"
                             "  \"nil\": null,\n"
                             "  \"id\": \"00000000000000ff\",\n"
                             "  \"half\": 0.5000\n"
                             "}\n");
}

static void test_json_string__controls_quotes_and_utf8__escaped_or_kept(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);

    json_string(&capture.json, NULL,
                "\"\\\b\f\n\r\t\x01\x1f\x7f/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");

    assert_written(&capture, "\"\\\"\\\\\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\\u007f/"
                             "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void test_json_bytes__no_utf8__replaced_and_reported_exactly(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);

    json_object_begin(&capture.json, NULL);
    json_bytes(&capture.json, "name", bytes_of("a\xff\xc3"));
    json_bytes(&capture.json, "other", bytes_of("b"));
    json_object_end(&capture.json);

    assert_written(&capture,
                   "{\n  \"name\": \"a\\ufffd\\ufffd\",\n  \"name_base64\": \"Yf/D\",\n"
                   "  \"other\": \"b\"\n}\n");
}

static void test_json_string__marks_of_direction__escaped(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);

    json_string(&capture.json, NULL,
                "a\xe2\x80\xae"
                "b\xc2\x9b");

    assert_written(&capture, "\"a\\u202eb\\u009b\"");
}

static void test_json_content__text_and_bytes__utf8_only_for_text(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);

    json_object_begin(&capture.json, NULL);
    json_content(&capture.json, slice_of("a\0b", 3));
    json_object_end(&capture.json);
    json_object_begin(&capture.json, NULL);
    json_content(&capture.json, bytes_of("\x80"));
    json_object_end(&capture.json);

    assert_written(&capture, "{\n  \"base64\": \"YQBi\",\n  \"utf8\": \"a\\u0000b\"\n}\n"
                             "{\n  \"base64\": \"gA==\"\n}\n");
}

static void test_utf8__characters_and_what_only_looks_like_them__told_apart(void **state)
{
    (void)state;
    static const char *const valid[] = {"",
                                        "a",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    /* Lone continuations, overlong forms, surrogates, beyond Unicode, cut short. */
    static const char *const invalid[] = {"\x80",
                                          "\xbf",
                                          "\xc0\x80",
                                          "\xc1\xbf",
                                          "\xe0\x9f\xbf",
                                          "\xed\xa0\x80",
                                          "\xed\xbf\xbf",
                                          "\xf0\x8f\xbf\xbf",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xc3",
                                          "\xe2\x82",
                                          "\xf0\x9f\x98",
                                          "\xc3(",
                                          "\xff"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        assert_true(utf8_is_valid(bytes_of(valid[i])));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        assert_false(utf8_is_valid(bytes_of(invalid[i])));
    }
}

static void test_print_name__controls_and_foreign_bytes__as_numbers(void **state)
{
    (void)state;
    struct capture capture;
    begin(&capture);

    ctl_print_name(capture.json.out, bytes_of("a b\n\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9"));

    assert_written(&capture, "a b\\x0a\\x1b[2J\\x7f\\xc2\\x9b\\xff\xc3\xa9");
}

static void test_format_age__units__the_largest_with_two_of_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t seconds;
        const char *expected;
    } cases[] = {{0, "0 s"},         {119, "119 s"},
                 {120, "2 min"},     {2 * 3600 - 1, "119 min"},
                 {2 * 3600, "2 h"},  {48 * 3600 - 1, "47 h"},
                 {48 * 3600, "2 d"}, {UINT64_MAX / 1000000, "213503982 d"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CTL_AGE_TEXT];
        ctl_format_age(cases[i].seconds * 1000000 + 999, text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_format_bar__percents__fill_it(void **state)
{
    (void)state;
    static const struct {
        unsigned percent;
        const char *expected;
    } cases[] = {{0, "[                                        ]   0%"},
                 {42, "[################                        ]  42%"},
                 {99, "[####################################### ]  99%"},
                 {100, "[########################################] 100%"},
                 {101, "[########################################] 100%"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CTL_BAR_TEXT];
        ctl_format_bar(cases[i].percent, text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_format_mode__types_and_bits__as_ls_shows_them(void **state)
{
    (void)state;
    static const struct {
        enum version_type type;
        uint32_t mode;
        const char *expected;
    } cases[] = {
        {VERSION_FILE, 0644, "-rw-r--r--"},      {VERSION_DIRECTORY, 0755, "drwxr-xr-x"},
        {VERSION_SYMLINK, 0777, "lrwxrwxrwx"},   {VERSION_FILE, 04755, "-rwsr-xr-x"},
        {VERSION_FILE, 06644, "-rwSr-Sr--"},     {VERSION_DIRECTORY, 01777, "drwxrwxrwt"},
        {VERSION_DIRECTORY, 01000, "d--------T"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attributes attributes = {.type = cases[i].type, .mode = cases[i].mode};
        char text[CTL_MODE_TEXT];

        ctl_format_mode(&attributes, text);

        assert_string_equal(text, cases[i].expected);
    }
}

static void test_format_size__bytes_to_exbibytes__fits(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *expected;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {UINT64_C(5) << 30, "5.0 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CTL_SIZE_TEXT];

        ctl_format_size(cases[i].bytes, text);

        assert_string_equal(text, cases[i].expected);
    }
}

static void test_format_time__before_and_after_1970_and_absurd__never_fails(void **state)
{
    (void)state;
    char text[CTL_TIME_TEXT];
    setenv("TZ", "UTC0", 1);
    tzset();

    ctl_format_time(0, text);
    assert_string_equal(text, "1970-01-01 00:00:00");
    ctl_format_time(-1, text);
    assert_string_equal(text, "1969-12-31 23:59:59");
    ctl_format_time(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11 23:47:16");
    ctl_format_time(INT64_MIN, text);
    assert_string_equal(text, "1677-09-21 00:12:43");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__nested_values__commas_and_lines_where_they_belong),
        cmocka_unit_test(test_json_string__controls_quotes_and_utf8__escaped_or_kept),
        cmocka_unit_test(test_json_bytes__no_utf8__replaced_and_reported_exactly),
        cmocka_unit_test(test_json_string__marks_of_direction__escaped),
        cmocka_unit_test(test_json_content__text_and_bytes__utf8_only_for_text),
        cmocka_unit_test(test_utf8__characters_and_what_only_looks_like_them__told_apart),
        cmocka_unit_test(test_print_name__controls_and_foreign_bytes__as_numbers),
        cmocka_unit_test(test_format_age__units__the_largest_with_two_of_them),
        cmocka_unit_test(test_format_bar__percents__fill_it),
        cmocka_unit_test(test_format_mode__types_and_bits__as_ls_shows_them),
        cmocka_unit_test(test_format_size__bytes_to_exbibytes__fits),
        cmocka_unit_test(test_format_time__before_and_after_1970_and_absurd__never_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
