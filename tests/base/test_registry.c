/*
 * test_registry.c - where nodes of one user leave their secret.
 *
 *  - What was entered is found, by others too, until it is taken out.
 *  - What a node left that ended without taking it out is not taken for that of one that runs.
 *  - A directory that others could have written into is not used.
 *  - Who holds the lock is alone.
 *  - Spellings of one address in numbers are the same; different ones differ.
 */
#include <fcntl.h>
#include <ftw.h>
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

#include "node/base/address.h"
#include "node/base/numeric.h"
#include "node/base/registry.h"

enum { PATIENCE_MS = 10000 };

static const char NAME[] = "127.0.0.1:7450";
static char base[64];
static char directory[80];

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/dynamofs-registry-XXXXXX");
    if (!mkdtemp(base)) {
        return -1;
    }
    snprintf(directory, sizeof directory, "%s/run", base);
    return setenv("DYNAMOFS_RUNTIME_DIR", directory, 1);
}

static int remove_one(const char *path, const struct stat *attributes, int type,
                      struct FTW *position)
{
    (void)attributes;
    (void)type;
    (void)position;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void enter(struct registry *registry, const struct secret *secret)
{
    struct error error = {.text = ""};

    assert_int_equal(registry_lock(registry, PATIENCE_MS, &error), STATUS_OK);
    assert_int_equal(registry_enter(registry, NAME, secret, &error), STATUS_OK);
    registry_unlock(registry);
}

static struct secret made(void)
{
    struct secret secret;
    struct error error;

    assert_int_equal(secret_make(&secret, &error), STATUS_OK);
    return secret;
}

static void test_registry__entered__found_until_taken_out(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret secret = made();
    struct secret found;

    (void)state;
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    enter(&registry, &secret);
    assert_int_equal(registry_find(NAME, true, &found), STATUS_OK);
    assert_true(secret_equal(&found, &secret));
    assert_int_equal(registry_find("127.0.0.1:7451", false, &found), STATUS_NOT_FOUND);
    registry_leave(&registry);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    registry_leave(&registry);
}

static void test_registry__entered_again__the_later_counts(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret first = made();
    struct secret second = made();
    struct secret found;

    (void)state;
    enter(&registry, &first);
    enter(&registry, &second);
    assert_int_equal(registry_find(NAME, true, &found), STATUS_OK);
    assert_true(secret_equal(&found, &second));
    registry_leave(&registry);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
}

/* As after SIGKILL: the descriptor is gone and with it the lock, the file is not. */
static void test_registry__its_node_was_killed__does_not_count_as_running(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret secret = made();
    struct secret found;

    (void)state;
    enter(&registry, &secret);
    assert_int_equal(close(registry.names[0].descriptor - 1), 0);
    assert_int_equal(close(registry.directory - 1), 0);
    assert_int_equal(registry_find(NAME, true, &found), STATUS_NOT_FOUND);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_OK);

    struct registry next = {.directory = 0};
    struct secret other = made();
    enter(&next, &other);
    assert_int_equal(registry_find(NAME, true, &found), STATUS_OK);
    assert_true(secret_equal(&found, &other));
    registry_leave(&next);
}

static void test_registry__nodes_were_killed__the_next_one_takes_their_entries_out(void **state)
{
    struct registry killed = {.directory = 0};
    struct registry alive = {.directory = 0};
    struct registry next = {.directory = 0};
    struct secret secret = made();
    struct secret found;
    struct error error;

    (void)state;
    enter(&killed, &secret);
    assert_int_equal(registry_lock(&alive, PATIENCE_MS, &error), STATUS_OK);
    assert_int_equal(registry_enter(&alive, "127.0.0.1:7451", &secret, &error), STATUS_OK);
    registry_unlock(&alive);
    assert_int_equal(close(killed.names[0].descriptor - 1), 0);
    assert_int_equal(close(killed.directory - 1), 0);
    assert_int_equal(registry_lock(&next, PATIENCE_MS, &error), STATUS_OK);
    assert_int_equal(registry_enter(&next, "127.0.0.1:7452", &secret, &error), STATUS_OK);
    registry_unlock(&next);

    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    assert_int_equal(registry_find("127.0.0.1:7451", true, &found), STATUS_OK);
    assert_int_equal(registry_find("127.0.0.1:7452", true, &found), STATUS_OK);
    registry_leave(&alive);
    registry_leave(&next);
}

static void test_registry__another_took_the_name__is_left_to_it(void **state)
{
    struct registry first = {.directory = 0};
    struct registry second = {.directory = 0};
    struct secret a = made();
    struct secret b = made();
    struct secret found;

    (void)state;
    enter(&first, &a);
    enter(&second, &b);
    registry_leave(&first);
    assert_int_equal(registry_find(NAME, true, &found), STATUS_OK);
    assert_true(secret_equal(&found, &b));
    registry_leave(&second);
}

static void assert_unusable(void)
{
    struct registry registry = {.directory = 0};
    struct secret found;
    struct error error = {.text = ""};

    assert_int_equal(registry_lock(&registry, PATIENCE_MS, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, directory));
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    registry_leave(&registry);
}

static void test_registry__directory_open_to_others__not_used(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret secret = made();

    (void)state;
    enter(&registry, &secret);
    assert_int_equal(chmod(directory, 0720), 0);
    assert_unusable();
    assert_int_equal(chmod(directory, 0701), 0);
    assert_unusable();
    registry_leave(&registry);
}

static void test_registry__directory_is_a_link__not_used(void **state)
{
    char real[100];

    (void)state;
    snprintf(real, sizeof real, "%s/real", base);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink(real, directory), 0);
    assert_unusable();
}

static void test_registry__entry_is_a_link_or_open__not_believed(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret secret = made();
    struct secret found;
    char entry[160];
    char moved[160];

    (void)state;
    enter(&registry, &secret);
    snprintf(entry, sizeof entry, "%s/%s", directory, NAME);
    snprintf(moved, sizeof moved, "%s/moved", directory);
    assert_int_equal(chmod(entry, 0644), 0);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    assert_int_equal(chmod(entry, 0600), 0);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_OK);
    assert_int_equal(rename(entry, moved), 0);
    assert_int_equal(symlink(moved, entry), 0);
    assert_int_equal(registry_find(NAME, false, &found), STATUS_NOT_FOUND);
    registry_leave(&registry);
}

static void test_registry__name_that_leads_elsewhere__refused(void **state)
{
    struct registry registry = {.directory = 0};
    struct secret secret = made();
    struct error error;

    (void)state;
    assert_int_equal(registry_lock(&registry, PATIENCE_MS, &error), STATUS_OK);
    assert_int_equal(registry_enter(&registry, "../x:1", &secret, &error), STATUS_REFUSED);
    assert_int_equal(registry_enter(&registry, ".lock", &secret, &error), STATUS_REFUSED);
    assert_int_equal(registry_find("../x:1", false, &secret), STATUS_NOT_FOUND);
    registry_leave(&registry);
}

static void test_registry__lock_is_held__another_is_told_so(void **state)
{
    struct registry first = {.directory = 0};
    struct registry second = {.directory = 0};
    struct error error = {.text = ""};

    (void)state;
    assert_int_equal(registry_lock(&first, PATIENCE_MS, &error), STATUS_OK);
    assert_int_equal(registry_lock(&second, 20, &error), STATUS_BUSY);
    registry_unlock(&first);
    assert_int_equal(registry_lock(&second, PATIENCE_MS, &error), STATUS_OK);
    registry_leave(&second);
    registry_leave(&first);
}

static void test_numeric__spellings_of_one_address__do_not_differ(void **state)
{
    char text[ADDRESS_SIZE];

    (void)state;
    assert_false(numeric_differ("127.0.0.1:7450", "127.0.0.1:7450"));
    assert_false(numeric_differ("[::1]:7450", "[0:0::1]:7450"));
    assert_false(numeric_differ("localhost:1", "127.0.0.1:7450"));
    assert_false(numeric_differ("", "127.0.0.1:7450"));
    assert_true(numeric_differ("127.0.0.1:7451", "127.0.0.1:7450"));
    assert_true(numeric_differ("127.0.0.2:7450", "127.0.0.1:7450"));
    assert_true(numeric_differ("[::1]:7450", "127.0.0.1:7450"));
    assert_true(numeric_of_text("[0:0::1]:7450", text));
    assert_string_equal(text, "[::1]:7450");
}

static void test_address__of_the_form_or_not(void **state)
{
    static const char *const GOOD[] = {"a:1", "127.0.0.1:7450", "[::1]:65535",
                                       "node.example:80"};
    static const char *const BAD[] = {
        "",         "host",  "host:", ":1",          "host:65536", "host:1x",     "ho st:1",
        "host:1\n", "::1:1", "[]:1",  "host:123456", "h/t:1",      "h\303\244:1", "host:-1",
        "a@b:7450", "[a]:1"};

    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        assert_true(address_text_is_valid(GOOD[i], false));
        assert_true(address_list_is_valid(GOOD[i]));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(address_text_is_valid(BAD[i], true));
        assert_false(address_list_is_valid(BAD[i]));
    }
    assert_true(address_text_is_valid("host:0", true));
    assert_false(address_text_is_valid("host:0", false));
    assert_true(address_list_is_valid("a:1,b:2"));
    assert_false(address_list_is_valid("a:1,,b:2"));
    assert_false(address_list_is_valid("a:1,"));
    assert_false(address_list_is_valid("a:1,b:0"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registry__entered__found_until_taken_out),
        TEST(test_registry__entered_again__the_later_counts),
        TEST(test_registry__its_node_was_killed__does_not_count_as_running),
        TEST(test_registry__nodes_were_killed__the_next_one_takes_their_entries_out),
        TEST(test_registry__another_took_the_name__is_left_to_it),
        TEST(test_registry__directory_open_to_others__not_used),
        TEST(test_registry__directory_is_a_link__not_used),
        TEST(test_registry__entry_is_a_link_or_open__not_believed),
        TEST(test_registry__name_that_leads_elsewhere__refused),
        TEST(test_registry__lock_is_held__another_is_told_so),
        cmocka_unit_test(test_address__of_the_form_or_not),
        cmocka_unit_test(test_numeric__spellings_of_one_address__do_not_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
