/*
 * test_disk.c - a disk that goes wrong under an open database: deleted, replaced, failing,
 * full.
 *
 * Rules: nothing is acknowledged as synced that is in files without a name; a failed sync is
 *        final; the state of the disk is told, with what and where. On a disk without room the
 *        database is opened all the same, to be read, and takes writes as soon as there is
 * room.
 *
 * The last needs a tmpfs in a mount namespace of its own; without that the test fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "node/store/reclaim.h"
#include "tests/store/fixture.h"

enum { HANG_S = 60, VALUE_SIZE = 20000, KEYS = 150 };

static bool sync_fails;
static uint64_t noise = 5;

/* LevelDB's as well: a program's own functions come before those of libraries. */
int fdatasync(int file);
int fdatasync(int file)
{
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

static struct engine *open_engine(const char *directory)
{
    struct engine *engine = NULL;
    struct error error = {0};

    if (engine_open_leveldb(directory, &engine, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return engine;
}

static enum status write_number(struct engine *engine, int number, bool sync)
{
    char key[32];
    uint8_t value[VALUE_SIZE];

    (void)snprintf(key, sizeof key, "x/key%05d", number);
    fill_noise(&noise, value, sizeof value);
    value[0] = (uint8_t)number;
    struct engine_write write = {.key = slice_of_string(key),
                                 .value = slice_of(value, sizeof value)};
    return engine->operations->write(engine, &write, 1, sync);
}

static void assert_readable(struct engine *engine, int end)
{
    char key[32];

    for (int i = 0; i < end; i++) {
        struct buffer value = {0};
        (void)snprintf(key, sizeof key, "x/key%05d", i);
        assert_int_equal(engine->operations->get(engine, slice_of_string(key), &value),
                         STATUS_OK);
        assert_int_equal(value.size, VALUE_SIZE);
        assert_int_equal(value.data[0], (uint8_t)i);
        buffer_release(&value);
    }
}

static void assert_state(struct engine *engine, enum disk_state state, const char *part)
{
    struct engine_health health = engine_health(engine);

    assert_int_equal(health.state, state);
    if (!strstr(health.text, part)) {
        fail_msg("'%s' does not say '%s'", health.text, part);
    }
}

static void test_disk__directory_deleted__no_synced_write_is_acknowledged(void **state)
{
    char directory[64];

    (void)state;
    make_directory(directory);
    struct engine *engine = open_engine(directory);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(write_number(engine, i, true), STATUS_OK);
    }
    assert_state(engine, DISK_WELL, "");

    remove_tree(directory);

    assert_int_equal(write_number(engine, 20, true), STATUS_IO);
    assert_state(engine, DISK_GONE, directory);
    assert_int_equal(write_number(engine, 21, false), STATUS_IO);
    assert_int_equal(write_number(engine, 22, true), STATUS_IO);
    assert_readable(engine, 20);
    engine->operations->close(engine);
}

static void test_disk__directory_deleted__unsynced_writes_end_soon(void **state)
{
    char directory[64];
    time_t deadline = time(NULL) + HANG_S;
    enum status status = STATUS_OK;

    (void)state;
    make_directory(directory);
    struct engine *engine = open_engine(directory);
    assert_int_equal(write_number(engine, 0, false), STATUS_OK);
    remove_tree(directory);
    struct timespec begin;
    struct timespec last;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (status == STATUS_OK && time(NULL) < deadline) {
        clock_gettime(CLOCK_MONOTONIC, &last); /* before the last one that was acknowledged */
        status = write_number(engine, 1, false);
        usleep(1000);
    }

    assert_int_equal(status, STATUS_IO);
    assert_state(engine, DISK_GONE, directory);
    assert_true(last.tv_sec - begin.tv_sec < HANG_S);
    engine->operations->close(engine);
}

/* As when a backup is put back, or a volume mounted, under a running node. */
static void test_disk__another_directory_in_its_place__is_gone(void **state)
{
    char directory[64];
    char from[80];
    char aside[80];

    (void)state;
    make_directory(directory);
    struct engine *engine = open_engine(directory);
    assert_int_equal(write_number(engine, 0, true), STATUS_OK);
    (void)snprintf(from, sizeof from, "%s/db", directory);
    (void)snprintf(aside, sizeof aside, "%s/aside", directory);
    assert_int_equal(rename(from, aside), 0);
    assert_int_equal(mkdir(from, 0700), 0);

    assert_state(engine, DISK_GONE, "another directory");

    assert_int_equal(write_number(engine, 1, true), STATUS_IO);
    engine->operations->close(engine);
    remove_tree(directory);
}

static void test_disk__log_deleted__is_gone(void **state)
{
    char directory[64];
    char command[128];

    (void)state;
    make_directory(directory);
    struct engine *engine = open_engine(directory);
    assert_int_equal(write_number(engine, 0, true), STATUS_OK);
    (void)snprintf(command, sizeof command, "rm %s/db/*.log", directory);
    assert_int_equal(system(command), 0);

    assert_int_equal(write_number(engine, 1, true), STATUS_IO);

    assert_state(engine, DISK_GONE, "log");
    engine->operations->close(engine);
    remove_tree(directory);
}

static void test_disk__sync_fails_once__nothing_more_is_acknowledged(void **state)
{
    char directory[64];

    (void)state;
    make_directory(directory);
    struct engine *engine = open_engine(directory);
    assert_int_equal(write_number(engine, 0, true), STATUS_OK);

    sync_fails = true;
    assert_int_equal(write_number(engine, 1, true), STATUS_IO);
    sync_fails = false;

    assert_state(engine, DISK_FAILING, "Input/output error");
    assert_int_equal(write_number(engine, 2, true), STATUS_IO);
    assert_int_equal(write_number(engine, 3, false), STATUS_IO);
    assert_readable(engine, 1);
    engine->operations->close(engine);
    remove_tree(directory);
}

/* Takes all room. */
static void fill_disk(const char *directory, const char *name)
{
    char path[128];
    uint8_t bytes[4096] = {1};

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    while (write(file, bytes, sizeof bytes) > 0) {
    }
    close(file);
}

static void remove_file(const char *directory, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

static void small_mount(char ret_path[64])
{
    make_directory(ret_path);
    if (mount("tmpfs", ret_path, "tmpfs", 0, "size=60m") != 0) {
        fail_msg("a small tmpfs cannot be mounted: %s", strerror(errno));
    }
}

static void small_unmount(const char *path)
{
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
}

static void test_disk__no_room_at_all__is_read_and_written_to_later(void **state)
{
    char directory[64];

    (void)state;
    small_mount(directory);
    struct engine *engine = open_engine(directory);
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(write_number(engine, i, false), STATUS_OK);
    }
    engine->operations->close(engine);
    remove_file(directory, "db.reserve");
    fill_disk(directory, "ballast");

    engine = open_engine(directory);

    assert_readable(engine, KEYS);
    assert_state(engine, DISK_FULL, "only read");
    assert_int_equal(write_number(engine, 0, false), STATUS_NO_SPACE);
    assert_false(engine_has_room(engine, 100, true));
    struct engine *second = NULL;
    struct error error = {0};
    assert_int_not_equal(engine_open_leveldb(directory, &second, &error), STATUS_OK);
    remove_file(directory, "ballast");
    assert_int_equal(write_number(engine, KEYS, true), STATUS_OK);
    assert_readable(engine, KEYS + 1);
    assert_state(engine, DISK_WELL, "");
    engine->operations->close(engine);
    engine = open_engine(directory);
    assert_readable(engine, KEYS + 1);
    engine->operations->close(engine);
    small_unmount(directory);
}

/* Another program takes all room: the reserve is for what frees some. */
static void test_disk__filled_by_others__deletes_use_the_reserve(void **state)
{
    char directory[64];
    char key[32];

    (void)state;
    small_mount(directory);
    struct engine *engine = open_engine(directory);
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(write_number(engine, i, i % 10 == 0), STATUS_OK);
    }
    fill_disk(directory, "ballast");

    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "x/key%05d", i);
        struct engine_write write = {.key = slice_of_string(key), .is_delete = true};
        assert_int_equal(engine->operations->write(engine, &write, 1, false), STATUS_OK);
    }

    assert_state(engine, DISK_FULL, "");
    assert_false(engine_has_room(engine, 100, false));
    engine->operations->close(engine);
    engine = open_engine(directory);
    struct buffer value = {0};
    assert_int_equal(engine->operations->get(engine, slice_of_string("x/key00000"), &value),
                     STATUS_NOT_FOUND);
    engine->operations->close(engine);
    small_unmount(directory);
}

/* The whole store: content is refused before the disk is full, and what frees room is not. */
static void test_disk__store_fills_up__deletes_free_it_for_good(void **state)
{
    enum { ROUNDS = 3, NAMES_MAX = 2000 };
    struct fixture fixture;
    struct store_request request = plain_request(STORE_SAVE_RING);
    char directory[64];
    char key[32];
    char content[40001];

    (void)state;
    small_mount(directory);
    fixture_open(&fixture, FIXTURE_LEVELDB, directory);
    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(&fixture, request, STATUS_OK);
    for (int round = 0; round < ROUNDS; round++) {
        enum status status = STATUS_OK;
        int count = 0;
        while (status == STATUS_OK && count < NAMES_MAX) {
            (void)snprintf(key, sizeof key, "k%d", count++);
            fill_noise(&noise, (uint8_t *)content, sizeof content - 1);
            for (size_t i = 0; i < sizeof content - 1; i++) {
                content[i] = (char)('!' + (uint8_t)content[i] % 90);
            }
            content[sizeof content - 1] = '\0';
            struct store_result result = apply(&fixture, put_request(key, NULL, content));
            status = result.status;
            store_result_release(&result);
        }
        assert_string_equal(status_name(status), "no_space");
        assert_true(count > 100);
        assert_int_equal(engine_health(fixture.disk).state, DISK_FULL);
        for (int i = 0; i < count; i++) {
            (void)snprintf(key, sizeof key, "k%d", i);
            struct object *object = stored_object(&fixture, key);
            apply_expect(&fixture, put_request(key, object, NULL), STATUS_OK);
            object_unref(object);
        }
        for (unsigned step = 0; step < RECLAIM_STEPS; step++) {
            store_reclaim(&fixture.state, step);
        }
        assert_int_equal(engine_health(fixture.disk).state, DISK_WELL);
    }
    fixture_close(&fixture);
    small_unmount(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk__directory_deleted__no_synced_write_is_acknowledged),
        cmocka_unit_test(test_disk__directory_deleted__unsynced_writes_end_soon),
        cmocka_unit_test(test_disk__another_directory_in_its_place__is_gone),
        cmocka_unit_test(test_disk__log_deleted__is_gone),
        cmocka_unit_test(test_disk__sync_fails_once__nothing_more_is_acknowledged),
        cmocka_unit_test(test_disk__no_room_at_all__is_read_and_written_to_later),
        cmocka_unit_test(test_disk__filled_by_others__deletes_use_the_reserve),
        cmocka_unit_test(test_disk__store_fills_up__deletes_free_it_for_good),
    };

    /* Before LevelDB starts its thread, which stays in the namespace where it began. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        perror("a mount namespace of its own");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
