/*
 * test_disk.c - a node whose disk goes wrong: what its clients, its status and its log say.
 *
 *  - The data directory is deleted under it: nothing more is acknowledged; state gone.
 *  - A sync fails once: nothing more is acknowledged; state failing.
 *  - Each change of the state is one line in the log, with what and where.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/base/now.h"
#include "tests/server/node_fixture.h"
#include "tests/server/test_client.h"

enum { PUTS = 40 };

static atomic_bool sync_fails;

/* LevelDB's as well: a program's own functions come before those of libraries. */
int fdatasync(int file);
int fdatasync(int file)
{
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

static enum status put(struct test_client *client, int number, bool sync)
{
    struct message message;
    struct message reply;
    char key[16];

    snprintf(key, sizeof key, "k%d", number);
    client_make_put(&message, key, key);
    message.put.sync = sync;
    enum status status = client_call(client, &message, &reply);
    if (status == STATUS_OK) {
        status = reply.status;
        message_release(&reply);
    }
    return status;
}

static enum disk_state disk_state_of(struct test_client *client)
{
    struct message message = {.type = MESSAGE_STATUS};
    struct message reply;

    assert_int_equal(client_call(client, &message, &reply), STATUS_OK);
    enum disk_state state = reply.status_reply.disk_state;
    message_release(&reply);
    return state;
}

static bool wait_for_state(struct test_client *client, enum disk_state state)
{
    uint64_t until_ms = now_monotonic_ms() + CLIENT_TIMEOUT_MS;

    while (disk_state_of(client) != state) {
        if (now_monotonic_ms() > until_ms) {
            return false;
        }
        usleep(10000);
    }
    return true;
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void test_disk__directory_deleted__nothing_more_is_acknowledged(void **state)
{
    struct node_process process;
    struct test_client client;
    char *errors = NULL;
    char *text = NULL;

    (void)state;
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    assert_true(client_wait_members(process.address, 1));
    client_open(&client, process.address);
    for (int i = 0; i < PUTS; i++) {
        assert_int_equal(put(&client, i, i % 2 == 0), STATUS_OK);
    }
    assert_int_equal(disk_state_of(&client), DISK_WELL);

    fixture_remove_directory(fixture_directory);

    for (int i = 0; i < PUTS; i++) {
        assert_int_equal(put(&client, PUTS + i, true), STATUS_IO);
        assert_int_equal(put(&client, PUTS + i, false), STATUS_IO);
    }
    assert_true(wait_for_state(&client, DISK_GONE));
    assert_int_equal(client_get(&client, "k0", &text), STATUS_OK);
    free(text);
    client_close(&client);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait_errors(&process, &errors), 1);
    assert_int_equal(count_of(errors, "event=disk state=gone"), 1);
    assert_int_equal(count_of(errors, "where="), 1);
    free(errors);
}

/* Nobody writes: it is noticed all the same. */
static void test_disk__directory_deleted_under_an_idle_node__is_noticed(void **state)
{
    struct node_process process;
    struct test_client client;
    char *errors = NULL;

    (void)state;
    process_start_node(&process, fixture_directory, "127.0.0.1:0", NULL);
    assert_true(client_wait_members(process.address, 1));
    fixture_remove_directory(fixture_directory);
    client_open(&client, process.address);

    assert_true(wait_for_state(&client, DISK_GONE));

    client_close(&client);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait_errors(&process, &errors), 1);
    free(errors);
}

static void test_disk__sync_fails__nothing_more_is_acknowledged(void **state)
{
    struct node_thread node;
    struct test_client client;
    char *text = NULL;

    (void)state;
    node_start_alone(&node, fixture_directory);
    client_open(&client, node.address);
    assert_int_equal(put(&client, 0, true), STATUS_OK);

    atomic_store(&sync_fails, true);
    assert_int_equal(put(&client, 1, true), STATUS_IO);
    atomic_store(&sync_fails, false);

    assert_int_equal(put(&client, 2, true), STATUS_IO);
    assert_int_equal(put(&client, 3, false), STATUS_IO);
    assert_true(wait_for_state(&client, DISK_FAILING));
    assert_int_equal(client_get(&client, "k0", &text), STATUS_OK);
    free(text);
    client_close(&client);
    server_stop(node.server);
    assert_int_equal(node_wait(&node), STATUS_IO);
    fixture_remove_directory(fixture_directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_disk__directory_deleted__nothing_more_is_acknowledged,
                               fixture_setup),
        cmocka_unit_test_setup(test_disk__directory_deleted_under_an_idle_node__is_noticed,
                               fixture_setup),
        cmocka_unit_test_setup(test_disk__sync_fails__nothing_more_is_acknowledged,
                               fixture_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
