/*
 * test_embed.c - the node inside the mount's process.
 *
 * Rules: it answers once embed_start has returned and the ring is formed; a second start on the
 * same data finds the first one's address; what cannot be started is told in one line; after
 * embed_stop the data is free again.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/dynamofs/embed.h"
#include "node/client/kv.h"

enum { PATH_SIZE = 128, WAIT_ROUNDS = 400 };

static char directory[PATH_SIZE];

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/dynamofs-embed.XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char command[PATH_SIZE + 16];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static void on_failed(const struct error *error)
{
    print_error("the node stopped: %s\n", error->text);
}

static enum status start(const char *data, const char *listen, struct embed **ret_embed,
                         struct error *error)
{
    struct embed_options options = {.data = data, .listen = listen, .on_failed = on_failed};

    return embed_start(&options, ret_embed, error);
}

/* The ring of a new node is formed a moment after the port is open. */
static struct kv *open_client(const struct embed *embed)
{
    struct error error = {.code = STATUS_OK};
    struct kv *kv = NULL;

    for (int i = 0; i < WAIT_ROUNDS; i++) {
        if (kv_open_cluster(embed_address(embed), NULL, &kv, &error) == STATUS_OK) {
            return kv;
        }
        (void)usleep(50000);
    }
    fail_msg("%s: %s", embed_address(embed), error.text);
    return NULL;
}

static void test_embed__started__answers_and_keeps_its_data(void **state)
{
    char data[PATH_SIZE + 16];
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644}};
    struct kv_put put = {.key = slice_of_string("key"), .mode = UPDATE_ALL, .value = &value};
    struct object *object = NULL;
    struct embed *embed;
    struct error error;

    (void)state;
    (void)snprintf(data, sizeof data, "%s/some/data", directory);
    assert_int_equal(start(data, "127.0.0.1:0", &embed, &error), STATUS_OK);
    assert_false(embed_is_foreign(embed));
    assert_false(embed_has_failed(embed, &error));
    struct kv *kv = open_client(embed);
    value.content = blob_new(slice_of_string("content"));
    assert_int_equal(kv_put(kv, &put, NULL, NULL), STATUS_OK);
    blob_unref(value.content);
    kv_close(kv);
    embed_stop(embed);

    assert_int_equal(start(data, "127.0.0.1:0", &embed, &error), STATUS_OK);
    kv = open_client(embed);
    assert_int_equal(kv_get(kv, slice_of_string("key"), NULL, &object), STATUS_OK);
    assert_int_equal(object->version_count, 1);
    object_unref(object);
    kv_close(kv);
    embed_stop(embed);
}

static void test_embed__data_in_use__finds_the_node_that_runs(void **state)
{
    char data[PATH_SIZE + 16];
    struct embed *first;
    struct embed *second;
    struct error error;

    (void)state;
    (void)snprintf(data, sizeof data, "%s/shared", directory);
    assert_int_equal(start(data, "127.0.0.1:0", &first, &error), STATUS_OK);
    assert_int_equal(start(data, "127.0.0.1:0", &second, &error), STATUS_OK);

    assert_true(embed_is_foreign(second));
    assert_string_equal(embed_address(second), embed_address(first));
    embed_stop(second);
    kv_close(open_client(first));
    embed_stop(first);
}

static void test_embed__busy_port__says_so(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char data[PATH_SIZE + 16];
    char listen_on[32];
    struct embed *embed = NULL;
    struct error error;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(data, sizeof data, "%s/busy", directory);
    (void)snprintf(listen_on, sizeof listen_on, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_not_equal(start(data, listen_on, &embed, &error), STATUS_OK);

    assert_null(embed);
    assert_non_null(strstr(error.text, listen_on));
    assert_non_null(strstr(error.text, "in use"));
    assert_null(strchr(error.text, '\n'));
    (void)close(fd);
}

static void test_embed__data_that_cannot_be_made__says_where(void **state)
{
    struct embed *embed = NULL;
    struct error error;

    (void)state;
    assert_int_not_equal(start("/proc/none/data", "127.0.0.1:0", &embed, &error), STATUS_OK);

    assert_non_null(strstr(error.text, "/proc/none"));
    assert_null(strchr(error.text, '\n'));
}

static void test_embed__beyond_this_machine__is_refused(void **state)
{
    char data[PATH_SIZE + 16];
    struct embed *embed = NULL;
    struct error error;

    (void)state;
    (void)snprintf(data, sizeof data, "%s/wide", directory);
    assert_int_not_equal(start(data, "192.0.2.1:7450", &embed, &error), STATUS_OK);

    assert_non_null(strstr(error.text, "--insecure"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed__started__answers_and_keeps_its_data),
        cmocka_unit_test(test_embed__data_in_use__finds_the_node_that_runs),
        cmocka_unit_test(test_embed__busy_port__says_so),
        cmocka_unit_test(test_embed__data_that_cannot_be_made__says_where),
        cmocka_unit_test(test_embed__beyond_this_machine__is_refused),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
