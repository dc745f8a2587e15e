/*
 * test_context.c - a context as text.
 *
 * Rules: every clock comes back as it was, by one text only; a text that was changed, cut or
 * lengthened anywhere is refused; the alphabet is safe in a shell and a file name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/client/base64.h"
#include "node/client/kv.h"

static const struct dot pairs[] = {
    {.actor = {1, 5}, .counter = 7},
    {.actor = {1, UINT64_MAX}, .counter = 1767225600000000},
    {.actor = {UINT64_MAX, 1}, .counter = UINT64_MAX},
};

static struct buffer format(uint32_t pair_count)
{
    struct clock clock = {.count = pair_count, .pair = pairs};
    struct buffer buffer = {0};
    assert_int_equal(kv_context_format(&clock, &buffer), STATUS_OK);
    return buffer;
}

static void test_context__formatted_and_parsed__same_clock(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 3; count++) {
        struct clock clock = {.count = count, .pair = pairs};
        struct buffer buffer = format(count);
        struct object *object = NULL;

        assert_int_equal(kv_context_parse(buffer_slice(&buffer), &object), STATUS_OK);

        assert_true(clock_equal(&object->clock, &clock));
        assert_false(object_is_live(object));
        object_unref(object);
        buffer_release(&buffer);
    }
}

static void test_context__text__safe_in_a_shell_and_a_name(void **state)
{
    (void)state;
    struct buffer buffer = format(3);

    for (size_t i = 0; i < buffer.size; i++) {
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789-_.",
                               buffer.data[i]));
    }

    buffer_release(&buffer);
}

static void assert_refused(struct slice text)
{
    struct object *object = NULL;
    assert_int_equal(kv_context_parse(text, &object), STATUS_BAD_MESSAGE);
    assert_null(object);
}

/* Every other byte in place of the one at `at`. */
static void assert_refused_when_changed(const struct buffer *buffer, size_t at)
{
    uint8_t was = buffer->data[at];
    for (unsigned step = 1; step < 256; step++) {
        buffer->data[at] = (uint8_t)(was + step);
        assert_refused(buffer_slice(buffer));
    }
    buffer->data[at] = was;
}

static void test_context__any_letter_changed__refused(void **state)
{
    (void)state;
    struct buffer buffer = format(3);
    for (size_t at = 0; at < buffer.size; at++) {
        assert_refused_when_changed(&buffer, at);
    }
    buffer_release(&buffer);
}

static void test_context__cut_or_lengthened__refused(void **state)
{
    (void)state;
    struct buffer buffer = format(2);
    for (size_t size = 0; size < buffer.size; size++) {
        assert_refused(slice_of(buffer.data, size));
    }
    buffer_append_byte(&buffer, 'A');
    assert_refused(buffer_slice(&buffer));
    buffer_release(&buffer);
    assert_refused(slice_of_string("c2.AAAA"));
    assert_refused(slice_of_string(""));
}

/* Vectors of RFC 4648, section 10. */
static void test_base64__known_texts__as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buffer buffer = {0};
        base64_encode(slice_of_string(vectors[i].bytes), &buffer);
        assert_true(slice_equal(buffer_slice(&buffer), slice_of_string(vectors[i].text)));

        /* The alphabet for names is the same here, but for the padding. */
        buffer_reset(&buffer);
        size_t size = strcspn(vectors[i].text, "=");
        assert_true(base64_name_decode(slice_of(vectors[i].text, size), &buffer));
        assert_true(slice_equal(buffer_slice(&buffer), slice_of_string(vectors[i].bytes)));
        buffer_release(&buffer);
    }
}

static void test_base64_name__every_byte__there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[256 + 2];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t size = sizeof bytes - 3; size <= sizeof bytes; size++) {
        struct buffer text = {0};
        struct buffer back = {0};
        base64_name_encode(slice_of(bytes, size), &text);

        assert_true(base64_name_decode(buffer_slice(&text), &back));

        assert_true(slice_equal(buffer_slice(&back), slice_of(bytes, size)));
        buffer_release(&text);
        buffer_release(&back);
    }
}

static void test_base64_name__texts_of_no_bytes__refused_and_nothing_appended(void **state)
{
    (void)state;
    /* A lone letter, bits beyond the last byte, padding, foreign characters. */
    static const char *const texts[] = {"A",    "AAAAA",  "AB", "AAB",
                                        "Zg==", "Zm9v\n", "Z+", "Z/A"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer buffer = {0};
        buffer_append_byte(&buffer, 'x');

        assert_false(base64_name_decode(slice_of_string(texts[i]), &buffer));

        assert_int_equal(buffer.size, 1);
        buffer_release(&buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context__formatted_and_parsed__same_clock),
        cmocka_unit_test(test_context__text__safe_in_a_shell_and_a_name),
        cmocka_unit_test(test_context__any_letter_changed__refused),
        cmocka_unit_test(test_context__cut_or_lengthened__refused),
        cmocka_unit_test(test_base64__known_texts__as_the_standard_says),
        cmocka_unit_test(test_base64_name__every_byte__there_and_back),
        cmocka_unit_test(test_base64_name__texts_of_no_bytes__refused_and_nothing_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
