/*
 * test_secret.c - secrets and the files that hold them.
 *
 *  - A secret is random, and its text is read back as it was written; other text is refused.
 *  - Codes differ by secret and by bytes.
 *  - A file that others could have read or written is refused, with the reason.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/secret.h"

enum { PATH_SIZE = 64 };

static char directory[PATH_SIZE];
static char path[PATH_SIZE + 16];

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/dynamofs-secret-XXXXXX");
    if (!mkdtemp(directory)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/secret", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

static struct secret made(void)
{
    struct secret secret;
    struct error error;

    assert_int_equal(secret_make(&secret, &error), STATUS_OK);
    return secret;
}

static void test_secret__two_made__differ(void **state)
{
    struct secret a = made();
    struct secret b = made();

    (void)state;
    assert_true(secret_equal(&a, &a));
    assert_false(secret_equal(&a, &b));
}

static void test_secret__formatted__is_read_back(void **state)
{
    struct secret secret = made();
    struct secret read = {.bytes = {0}};
    char text[SECRET_TEXT_SIZE];

    (void)state;
    secret_format(&secret, text);
    assert_int_equal(text[SECRET_TEXT_SIZE - 1], '\n');
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE), &read), STATUS_OK);
    assert_true(secret_equal(&secret, &read));
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE - 1), &read), STATUS_OK);
}

static void test_secret__other_text__refused(void **state)
{
    struct secret secret = made();
    char text[SECRET_TEXT_SIZE + 1];

    (void)state;
    secret_format(&secret, text);
    text[SECRET_TEXT_SIZE] = '\n';
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE + 1), &secret),
                     STATUS_REFUSED);
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE - 2), &secret),
                     STATUS_REFUSED);
    assert_int_equal(secret_parse(slice_of(text, 0), &secret), STATUS_REFUSED);
    text[10] = 'g';
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE), &secret), STATUS_REFUSED);
    text[10] = 'A';
    assert_int_equal(secret_parse(slice_of(text, SECRET_TEXT_SIZE), &secret), STATUS_REFUSED);
}

/* Computed by Python's hmac, so that it is HMAC-SHA256 and nothing else. */
static void test_secret_code__known_key__known_code(void **state)
{
    struct secret secret;
    uint8_t code[SECRET_CODE_SIZE];
    char text[2 * SECRET_CODE_SIZE + 1];

    (void)state;
    memset(secret.bytes, 0xaa, sizeof secret.bytes);
    secret_code(&secret, slice_of_string("what do ya want for nothing?"), code);
    for (size_t i = 0; i < SECRET_CODE_SIZE; i++) {
        snprintf(text + 2 * i, 3, "%02x", code[i]);
    }
    assert_string_equal(text, "40f7684c3cbd90ba46f70247ca1d7cc6"
                              "92d673f434b66926a93c7f224ec74a5e");
}

static void test_secret_code__other_bytes_or_secret__other_code(void **state)
{
    struct secret a = made();
    struct secret b = made();
    uint8_t code[3][SECRET_CODE_SIZE];

    (void)state;
    secret_code(&a, slice_of_string("said"), code[0]);
    secret_code(&a, slice_of_string("sad"), code[1]);
    secret_code(&b, slice_of_string("said"), code[2]);
    assert_false(secret_code_equal(code[0], code[1]));
    assert_false(secret_code_equal(code[0], code[2]));
    secret_code(&a, slice_of_string("said"), code[2]);
    assert_true(secret_code_equal(code[0], code[2]));
}

static void test_secret_file__written__read_back_and_private(void **state)
{
    struct secret secret = made();
    struct secret read = {.bytes = {0}};
    struct error error;
    struct stat attributes;

    (void)state;
    assert_int_equal(secret_read_file(path, &read, &error), STATUS_NOT_FOUND);
    mode_t mask = umask(0);
    assert_int_equal(secret_write_file(path, &secret, &error), STATUS_OK);
    assert_int_equal(secret_write_file(path, &secret, &error), STATUS_OK);
    (void)umask(mask);
    assert_int_equal(stat(path, &attributes), 0);
    assert_int_equal(attributes.st_mode & 0777, 0600);
    assert_int_equal(secret_read_file(path, &read, &error), STATUS_OK);
    assert_true(secret_equal(&secret, &read));
}

static void assert_refused(const char *why)
{
    struct secret read;
    struct error error = {.text = ""};

    assert_int_equal(secret_read_file(path, &read, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, why));
}

static void test_secret_file__open_to_others__refused(void **state)
{
    struct secret secret = made();
    struct error error;

    (void)state;
    assert_int_equal(secret_write_file(path, &secret, &error), STATUS_OK);
    for (mode_t bit = 1; bit <= 020; bit *= 2) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        if ((bit & 0027) != 0) {
            assert_refused("open to others");
        }
    }
    assert_int_equal(chmod(path, 0440), 0);
    assert_int_equal(secret_read_file(path, &secret, &error), STATUS_OK);
}

static void test_secret_file__no_secret_in_it__refused(void **state)
{
    (void)state;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "swordfish\n", 10), 10);
    assert_int_equal(close(descriptor), 0);
    assert_refused("64 hexadecimal digits");
}

static void test_secret_file__fifo__refused_without_waiting(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused("not a regular file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret__two_made__differ),
        cmocka_unit_test(test_secret__formatted__is_read_back),
        cmocka_unit_test(test_secret__other_text__refused),
        cmocka_unit_test(test_secret_code__known_key__known_code),
        cmocka_unit_test(test_secret_code__other_bytes_or_secret__other_code),
        cmocka_unit_test_setup_teardown(test_secret_file__written__read_back_and_private, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_secret_file__open_to_others__refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_secret_file__no_secret_in_it__refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_secret_file__fifo__refused_without_waiting, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
