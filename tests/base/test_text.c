/*
 * test_text.c - texts that are safe to print.
 *
 *  - What is plain stays as it is, in any script.
 *  - Controls, marks of direction, separators, the invisible and what is no UTF-8 become
 * numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/base/text.h"

static void assert_printed(const char *text, size_t size, const char *expected)
{
    char *written = NULL;
    size_t written_size = 0;
    FILE *out = open_memstream(&written, &written_size);

    assert_non_null(out);
    text_print(out, slice_of(text, size));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(written, expected);
    free(written);
}

static void assert_same(const char *text)
{
    assert_printed(text, strlen(text), text);
}

static void test_text__plain__stays(void **state)
{
    (void)state;
    assert_same("");
    assert_same("carts/alice.json ~v1 'x' \"y\"");
    assert_same("h\303\244user \327\251\327\234\327\225\327\235 \346\227\245\346\234\254");
    assert_same("\360\237\221\250\342\200\215\360\237\221\251"); /* with a joiner */
}

static void test_text__controls__as_numbers(void **state)
{
    (void)state;
    assert_printed("a\0b\n\033[2J\177", 9, "a\\x00b\\x0a\\x1b[2J\\x7f");
    assert_printed("\302\233", 2, "\\xc2\\x9b");
}

static void test_text__marks_of_direction__as_numbers(void **state)
{
    static const char *const MARKS[] = {
        "\330\234",     "\342\200\216", "\342\200\217", "\342\200\252",
        "\342\200\256", "\342\201\246", "\342\201\251",
    };

    (void)state;
    for (size_t i = 0; i < sizeof MARKS / sizeof MARKS[0]; i++) {
        char expected[16] = "";
        for (size_t k = 0; MARKS[i][k] != '\0'; k++) {
            snprintf(expected + 4 * k, 5, "\\x%02x", (unsigned char)MARKS[i][k]);
        }
        assert_printed(MARKS[i], strlen(MARKS[i]), expected);
    }
}

static void test_text__separators_and_the_invisible__as_numbers(void **state)
{
    (void)state;
    assert_printed("a\342\200\250b", 5, "a\\xe2\\x80\\xa8b");
    assert_printed("a\342\200\213b", 5, "a\\xe2\\x80\\x8bb");
    assert_printed("\357\273\277", 3, "\\xef\\xbb\\xbf");
}

static void test_text__no_utf8__as_numbers(void **state)
{
    (void)state;
    assert_printed("\377a", 2, "\\xffa");
    assert_printed("\303", 1, "\\xc3");
    assert_printed("\300\257", 2, "\\xc0\\xaf");
    assert_printed("\355\240\200", 3, "\\xed\\xa0\\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__plain__stays),
        cmocka_unit_test(test_text__controls__as_numbers),
        cmocka_unit_test(test_text__marks_of_direction__as_numbers),
        cmocka_unit_test(test_text__separators_and_the_invisible__as_numbers),
        cmocka_unit_test(test_text__no_utf8__as_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
