/*
 * test_full_disk.c - the disk fills up, and has room again, on a small file system of its own.
 *
 * Rules: a write that does not fit is NO_SPACE and nothing of it is there; reads go on; with
 *        room again writes go on, without a restart; all that was acknowledged is there after
 *        one.
 *
 * Needs to mount a tmpfs, in a mount namespace of its own. Where that is not allowed the test
 * says so and counts as skipped (exit code 77).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/store/fixture.h"

enum { SKIPPED = 77, VALUE_SIZE = 20000, KEYS_MAX = 20000 };

static char mount_point[64];
static bool acknowledged[KEYS_MAX];
static uint64_t noise = 1;

static enum status write_key(struct engine *engine, int number, bool sync)
{
    char text[32];
    uint8_t value[VALUE_SIZE];

    (void)snprintf(text, sizeof text, "x/key%05d", number);
    fill_noise(&noise, value, sizeof value); /* not to be compressed */
    value[0] = (uint8_t)number;
    struct engine_write write = {.key = slice_of_string(text),
                                 .value = slice_of(value, sizeof value)};
    enum status status = engine->operations->write(engine, &write, 1, sync);
    acknowledged[number] = status == STATUS_OK;
    return status;
}

static void assert_acknowledged(struct engine *engine, int end)
{
    char text[32];

    for (int i = 0; i < end; i++) {
        struct buffer value = {0};
        (void)snprintf(text, sizeof text, "x/key%05d", i);
        enum status status = engine->operations->get(engine, slice_of_string(text), &value);
        if (acknowledged[i]) {
            assert_string_equal(status_name(status), "ok");
            assert_int_equal(value.size, VALUE_SIZE);
            assert_int_equal(value.data[0], (uint8_t)i);
        }
        buffer_release(&value);
    }
}

static void path_of(const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", mount_point, name);
}

static void take_room(size_t megabytes)
{
    char path[128];

    path_of("ballast", path);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    assert_int_equal(posix_fallocate(file, 0, (off_t)(megabytes << 20)), 0);
    close(file);
}

static void give_room(void)
{
    char path[128];

    path_of("ballast", path);
    assert_int_equal(unlink(path), 0);
}

static struct engine *open_data(const char *name)
{
    struct engine *engine = NULL;
    struct error error = {0};
    char path[128];

    path_of(name, path);
    if (engine_open_leveldb(path, &engine, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return engine;
}

/* Writes until the disk is full, twice over, with room in between. The first time the log does
 * not fit; with `size` above the write buffer, a table does not. */
static void fill_and_recover(const char *name, size_t ballast_megabytes, bool may_find_room)
{
    int next = 0;
    memset(acknowledged, 0, sizeof acknowledged);
    take_room(ballast_megabytes);
    struct engine *engine = open_data(name);

    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        assert_true(next < KEYS_MAX);
        status = write_key(engine, next, next % 50 == 0);
        next++;
    }
    assert_string_equal(status_name(status), "no_space");
    assert_true(next > 100);

    /* Still full: writes say so, reads go on. A table that did not fit may leave room behind.
     */
    for (int i = 0; i < 20; i++) {
        status = write_key(engine, next++, i % 2 == 0);
        assert_true(status == STATUS_NO_SPACE || (may_find_room && status == STATUS_OK));
        assert_acknowledged(engine, i * next / 20);
    }
    assert_acknowledged(engine, next);

    give_room();
    for (int i = 0; i < 500; i++) {
        assert_string_equal(status_name(write_key(engine, next++, i % 50 == 0)), "ok");
    }
    /* Quick again with the next memtable, at the latest. */
    for (int i = 0; i < 500 && !engine->operations->is_quick(engine, 100); i++) {
        assert_string_equal(status_name(write_key(engine, next++, false)), "ok");
    }
    assert_true(engine->operations->is_quick(engine, 100));
    assert_acknowledged(engine, next);
    engine->operations->close(engine);

    engine = open_data(name);
    assert_acknowledged(engine, next);
    assert_string_equal(status_name(write_key(engine, next++, true)), "ok");
    engine->operations->close(engine);

    char path[128];
    path_of(name, path);
    remove_tree(path);
}

static void test_full_disk__log_does_not_fit__recovers_with_room(void **state)
{
    (void)state;
    fill_and_recover("log", 370, false);
}

static void test_full_disk__table_does_not_fit__recovers_with_room(void **state)
{
    (void)state;
    fill_and_recover("table", 250, true);
}

/* The whole store on a full disk: the put fails, nothing of it shows, and it works later. */
static void test_full_disk__store__put_fails_whole_and_works_later(void **state)
{
    struct fixture fixture;
    struct store_request request = plain_request(STORE_SAVE_RING);
    char path[128];
    char key[32];
    char content[40000];
    int number = 0;
    enum status status = STATUS_OK;

    (void)state;
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    path_of("store", path);
    take_room(350);
    fixture_open(&fixture, FIXTURE_LEVELDB, path);
    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(&fixture, request, STATUS_OK);
    while (status == STATUS_OK) {
        (void)snprintf(key, sizeof key, "k%d", number++);
        struct store_result result = apply(&fixture, put_request(key, NULL, content));
        status = result.status;
        store_result_release(&result);
        assert_true(number < 10000);
    }
    assert_string_equal(status_name(status), "no_space");
    assert_null(stored_object(&fixture, key));
    assert_null(stored_row(&fixture, "/", key));
    assert_int_equal(stored_intent(&fixture, INTENT_ROW, key), 0);
    struct object *object = stored_object(&fixture, "k0");
    assert_content(object, content);
    object_unref(object);

    give_room();
    apply_expect(&fixture, put_request(key, NULL, content), STATUS_OK);
    fixture_restart(&fixture, true);
    object = stored_object(&fixture, key);
    assert_content(object, content);
    object_unref(object);
    fixture_close(&fixture);
    remove_tree(path);
}

/* A tmpfs of 400 MiB that nobody else sees; false if it cannot be had. */
static bool mount_small(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return false;
    }
    make_directory(mount_point);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=400m") != 0) {
        remove_tree(mount_point);
        return false;
    }
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk__log_does_not_fit__recovers_with_room),
        cmocka_unit_test(test_full_disk__table_does_not_fit__recovers_with_room),
        cmocka_unit_test(test_full_disk__store__put_fails_whole_and_works_later),
    };

    if (!mount_small()) {
        (void)fprintf(stderr, "SKIPPED: a small tmpfs cannot be mounted here (%s)\n",
                      strerror(errno));
        return SKIPPED;
    }
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    if (umount(mount_point) != 0 || rmdir(mount_point) != 0) {
        perror(mount_point);
        return 1;
    }
    return result;
}
