/*
 * test_options.c - what a user may say about a node, and what a node tells an operator.
 *
 *  - HOST:PORT is an IPv4 address, a bracketed IPv6 address or a name, and a port.
 *  - A list keeps each address once, sorted, without the own one, and is bounded.
 *  - Listening beyond loopback needs --insecure; an address nobody can connect to is refused.
 *  - A log line is one line whatever is in its values; repeated ones are held back and counted.
 */

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

#include "node/server/log.h"
#include "node/server/options.h"

static void test_address__legal_text__taken_apart_and_written_again(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } CASES[] = {
        {"127.0.0.1:7450", "127.0.0.1", 7450},     {"[::1]:7450", "::1", 7450},
        {"node-a.example:1", "node-a.example", 1}, {"localhost:65535", "localhost", 65535},
        {"localhost:0", "localhost", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct address address;
        struct error error;
        char text[ADDRESS_SIZE];

        assert_int_equal(address_parse(CASES[i].text, &address, &error), STATUS_OK);
        assert_string_equal(address.host, CASES[i].host);
        assert_int_equal(address.port, CASES[i].port);
        assert_true(address_format(&address, text));
        assert_string_equal(text, CASES[i].text);
    }
}

static void test_address__illegal_text__refused_with_reason(void **state)
{
    static const char *const CASES[] = {
        "",
        "localhost",
        "localhost:",
        ":7450",
        "localhost:65536",
        "h:123456",
        "h:-1",
        "h:+1",
        "h: 1",
        "h:1x",
        "::1:7450",
        "[::1]",
        "[localhost]:7450",
        "[]:7450",
        "a b:7450",
        "a\nb:7450",
        "a/b:7450",
        "caf\xc3\xa9:7450",
        "a,b:1",
        "a-name-that-is-so-long-that-no-message-of-ours-has-room-for-it.example:7450",
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct address address;
        struct error error = {.code = STATUS_OK};

        assert_int_equal(address_parse(CASES[i], &address, &error), STATUS_REFUSED);
        assert_int_equal(error.code, STATUS_REFUSED);
        assert_true(strlen(error.text) > 10);
    }
}

static void test_addresses__any_order_and_repeats__sorted_without_self(void **state)
{
    struct address_list list;
    struct error error;

    (void)state;
    assert_int_equal(options_parse_addresses("b:2,a:1,c:3,b:2,[::1]:4", "c:3", &list, &error),
                     STATUS_OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.addresses[0], "[::1]:4");
    assert_string_equal(list.addresses[1], "a:1");
    assert_string_equal(list.addresses[2], "b:2");
    assert_int_equal(options_parse_addresses(NULL, NULL, &list, &error), STATUS_OK);
    assert_int_equal(list.count, 0);
}

static void test_addresses__one_is_illegal__all_refused(void **state)
{
    static const char *const CASES[] = {"a:1,", ",a:1", "a:1,,b:2", "a:0", "a:1;b:2", ""};
    struct address_list list;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(options_parse_addresses(CASES[i], NULL, &list, &error),
                         STATUS_REFUSED);
        assert_memory_equal(error.text, "join: ", 6);
    }
}

static void test_addresses__as_many_as_members__one_more_is_refused(void **state)
{
    char text[MEMBERS_MAX * 8] = "";
    size_t size = 0;
    struct address_list list;
    struct error error;

    (void)state;
    for (int i = 1; i < MEMBERS_MAX; i++) {
        size +=
            (size_t)snprintf(text + size, sizeof text - size, "%sa:%d", i > 1 ? "," : "", i);
    }
    assert_int_equal(options_parse_addresses(text, NULL, &list, &error), STATUS_OK);
    assert_int_equal(list.count, MEMBERS_MAX - 1);
    snprintf(text + size, sizeof text - size, ",a:999");
    assert_int_equal(options_parse_addresses(text, NULL, &list, &error), STATUS_REFUSED);
}

static void test_listen__beyond_loopback__needs_insecure(void **state)
{
    struct address address;
    struct sockaddr_storage resolved;
    struct error error;

    (void)state;
    assert_int_equal(options_parse_listen("192.0.2.1:7450", false, &address, &resolved, &error),
                     STATUS_REFUSED);
    assert_non_null(strstr(error.text, "--insecure"));
    assert_null(strchr(error.text, '\n'));
    assert_int_equal(options_parse_listen("192.0.2.1:7450", true, &address, &resolved, &error),
                     STATUS_OK);
    assert_int_equal(options_parse_listen("127.9.9.9:7450", false, &address, &resolved, &error),
                     STATUS_OK);
    assert_int_equal(options_parse_listen("[::1]:7450", false, &address, &resolved, &error),
                     STATUS_OK);
    assert_int_equal(options_parse_listen("localhost:7450", false, &address, &resolved, &error),
                     STATUS_OK);
    assert_int_equal(socket_address_port(&resolved), 7450);
}

static void test_listen__any_address__refused_even_if_insecure(void **state)
{
    struct address address;
    struct sockaddr_storage resolved;
    struct error error;

    (void)state;
    assert_int_equal(options_parse_listen("0.0.0.0:1", true, &address, &resolved, &error),
                     STATUS_REFUSED);
    assert_int_equal(options_parse_listen("[::]:1", true, &address, &resolved, &error),
                     STATUS_REFUSED);
}

static void test_counts__out_of_range__refused(void **state)
{
    uint16_t count = 7;
    struct error error;

    (void)state;
    assert_int_equal(options_parse_count("8", 1, 8, &count, &error), STATUS_OK);
    assert_int_equal(count, 8);
    assert_int_equal(options_parse_count("0", 1, 8, &count, &error), STATUS_REFUSED);
    assert_int_equal(options_parse_count("9", 1, 8, &count, &error), STATUS_REFUSED);
    assert_int_equal(options_parse_count("", 1, 8, &count, &error), STATUS_REFUSED);
    assert_int_equal(options_parse_count("1 ", 1, 8, &count, &error), STATUS_REFUSED);
    assert_int_equal(options_parse_count("65540", 1, 8, &count, &error), STATUS_REFUSED);
    assert_int_equal(count, 8);
    assert_int_equal(options_check_counts(0, 0, &error), STATUS_OK);
    assert_int_equal(options_check_counts(256, REPLICAS_MAX, &error), STATUS_OK);
    assert_int_equal(options_check_counts(255, 3, &error), STATUS_REFUSED);
    assert_int_equal(options_check_counts(2 * PARTITIONS_MAX, 3, &error), STATUS_REFUSED);
    assert_int_equal(options_check_counts(256, REPLICAS_MAX + 1, &error), STATUS_REFUSED);
}

static void test_directory__missing_or_a_file__made_or_refused(void **state)
{
    char base[] = "/tmp/dynamofs-options-XXXXXX";
    char path[64];
    struct stat attributes;
    struct error error;

    (void)state;
    assert_non_null(mkdtemp(base));
    snprintf(path, sizeof path, "%s/data", base);

    assert_int_equal(options_make_directory(path, &error), STATUS_OK);
    assert_int_equal(stat(path, &attributes), 0);
    assert_int_equal(attributes.st_mode & 07777, 0700);
    assert_int_equal(options_make_directory(path, &error), STATUS_OK);

    assert_int_equal(rmdir(path), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(options_make_directory(path, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "not a directory"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(base), 0);
}

/* What the log wrote; free it. */
static char *log_text(void (*use)(struct log *log))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    struct log log;

    assert_non_null(stream);
    log_init(&log, stream, "127.0.0.1:1");
    use(&log);
    log_release(&log);
    fclose(stream);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void write_hostile_value(struct log *log)
{
    log_write(log, LOG_LEVEL_WARNING, "refused", "reason", "bad\nlevel=error \"x\" \\ \x7f",
              "peer", "a:1", "empty", "", NULL);
}

static void write_turned_value(struct log *log)
{
    log_write(log, LOG_LEVEL_WARNING, "refused", "reason",
              "a\xe2\x80\xae\xff"
              "b\xc3\xa9",
              NULL);
}

static void test_log__marks_of_direction_and_foreign_bytes__as_numbers(void **state)
{
    (void)state;
    char *text = log_text(write_turned_value);

    assert_non_null(strstr(text, " reason=\"a\\xe2\\x80\\xae\\xffb\xc3\xa9\""));
    free(text);
}

static void test_log__value_with_newline_and_quotes__stays_one_field(void **state)
{
    (void)state;
    char *text = log_text(write_hostile_value);

    assert_int_equal(count_of(text, "\n"), 1);
    assert_non_null(strstr(text, " level=warning node=127.0.0.1:1 event=refused "));
    assert_non_null(
        strstr(text, " reason=\"bad\\x0alevel=error \\\"x\\\" \\\\ \\x7f\" peer=a:1"));
    assert_non_null(strstr(text, " empty=\"\"\n"));
    free(text);
}

static void write_often(struct log *log)
{
    for (int i = 0; i < 100; i++) {
        log_write(log, LOG_LEVEL_WARNING, "often", NULL);
    }
    log_write(log, LOG_LEVEL_INFO, "once", NULL);
}

static void test_log__one_event_repeats__held_back_and_counted(void **state)
{
    (void)state;
    char *text = log_text(write_often);

    assert_int_equal(count_of(text, "event=often"), LOG_BURST);
    assert_int_equal(count_of(text, "event=once"), 1);
    assert_int_equal(count_of(text, "event=suppressed of=often count=95"), 1);
    free(text);
}

static void write_long_value(struct log *log)
{
    char value[4 * LOG_LINE_SIZE];

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_write(log, LOG_LEVEL_INFO, "long", "value", value, "after", "1", NULL);
}

static void test_log__value_too_long__line_stays_bounded(void **state)
{
    (void)state;
    char *text = log_text(write_long_value);

    assert_true(strlen(text) <= LOG_LINE_SIZE);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_non_null(strstr(text, "after=1"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address__legal_text__taken_apart_and_written_again),
        cmocka_unit_test(test_address__illegal_text__refused_with_reason),
        cmocka_unit_test(test_addresses__any_order_and_repeats__sorted_without_self),
        cmocka_unit_test(test_addresses__one_is_illegal__all_refused),
        cmocka_unit_test(test_addresses__as_many_as_members__one_more_is_refused),
        cmocka_unit_test(test_listen__beyond_loopback__needs_insecure),
        cmocka_unit_test(test_listen__any_address__refused_even_if_insecure),
        cmocka_unit_test(test_counts__out_of_range__refused),
        cmocka_unit_test(test_directory__missing_or_a_file__made_or_refused),
        cmocka_unit_test(test_log__marks_of_direction_and_foreign_bytes__as_numbers),
        cmocka_unit_test(test_log__value_with_newline_and_quotes__stays_one_field),
        cmocka_unit_test(test_log__one_event_repeats__held_back_and_counted),
        cmocka_unit_test(test_log__value_too_long__line_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
