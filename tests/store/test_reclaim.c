/*
 * test_reclaim.c - the room of what was deleted comes back to the disk, where it is much of a
 *                  partition; and nothing else goes.
 */
#include "node/store/reclaim.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/store/fixture.h"

enum { CONTENT_SIZE = 64 << 10 };

static uint64_t noise = 1;

/* Of LevelDB's tables and logs; bytes. */
static uint64_t disk_use(const struct fixture *fixture)
{
    uint64_t sum = 0;
    char database[128];
    (void)snprintf(database, sizeof database, "%s/db", fixture->directory);
    DIR *directory = opendir(database);

    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        const char *end = strrchr(entry->d_name, '.');
        struct stat found;
        char path[512];
        if (end && (strcmp(end, ".ldb") == 0 || strcmp(end, ".log") == 0)) {
            (void)snprintf(path, sizeof path, "%s/%s", database, entry->d_name);
            assert_int_equal(stat(path, &found), 0);
            sum += (uint64_t)found.st_size;
        }
    }
    closedir(directory);
    return sum;
}

static void write_names(struct fixture *fixture, const char *directory, int first, int count)
{
    static char content[CONTENT_SIZE + 1];
    char key[64];

    for (int i = first; i < first + count; i++) {
        fill_noise(&noise, (uint8_t *)content, CONTENT_SIZE);
        for (size_t k = 0; k < CONTENT_SIZE; k++) {
            content[k] = (char)('!' + (uint8_t)content[k] % 90);
        }
        (void)snprintf(key, sizeof key, "%sk%05d", directory, i);
        apply_expect(fixture, put_request(key, NULL, content), STATUS_OK);
    }
}

static void delete_names(struct fixture *fixture, const char *directory, int first, int count)
{
    char key[64];

    for (int i = first; i < first + count; i++) {
        (void)snprintf(key, sizeof key, "%sk%05d", directory, i);
        struct object *object = stored_object(fixture, key);
        assert_true(object_is_live(object));
        apply_expect(fixture, put_request(key, object, NULL), STATUS_OK);
        object_unref(object);
    }
}

static void assert_live(struct fixture *fixture, const char *directory, int first, int count)
{
    char key[64];

    for (int i = first; i < first + count; i++) {
        (void)snprintf(key, sizeof key, "%sk%05d", directory, i);
        struct object *object = stored_object(fixture, key);
        assert_true(object_is_live(object) && object_is_sound(object));
        object_unref(object);
    }
}

static void reclaim_all(struct fixture *fixture)
{
    while (store_reclaim_is_due(&fixture->state)) {
        store_reclaim_deleted(&fixture->state);
    }
}

/* As the blocks of a large file lie: in one directory, and so in one partition. */
static void test_reclaim__a_partition_is_deleted__its_room_comes_back(void **state)
{
    enum { NAMES = 400 };
    struct fixture *fixture = *state;
    write_names(fixture, "/gone/", 0, NAMES);
    write_names(fixture, "/kept/", 0, 50);
    uint64_t before = disk_use(fixture);
    assert_true(before > (uint64_t)NAMES * CONTENT_SIZE * 3 / 4);
    assert_false(store_reclaim_is_due(&fixture->state));

    delete_names(fixture, "/gone/", 0, NAMES);
    assert_true(store_reclaim_is_due(&fixture->state));
    assert_true(disk_use(fixture) >= before);
    reclaim_all(fixture);

    assert_true(disk_use(fixture) < before / 4);
    assert_live(fixture, "/kept/", 0, 50);
    struct object *object = stored_object(fixture, "/gone/k00000");
    assert_true(object && !object_is_live(object));
    object_unref(object);
}

static void test_reclaim__little_was_deleted__nothing_is_done(void **state)
{
    enum { FEW = RECLAIM_BYTES_MIN / CONTENT_SIZE };
    struct fixture *fixture = *state;
    write_names(fixture, "/d/", 0, FEW);

    delete_names(fixture, "/d/", 0, FEW - 1);

    assert_false(store_reclaim_is_due(&fixture->state));
    delete_names(fixture, "/d/", FEW - 1, 1);
    assert_true(store_reclaim_is_due(&fixture->state));
}

/* To rewrite a large partition for little would cost more than it gives. */
static void test_reclaim__less_than_a_quarter_was_deleted__waits_for_more(void **state)
{
    enum { NAMES = 1200, PART = 150 };
    struct fixture *fixture = *state;
    write_names(fixture, "/d/", 0, NAMES);
    for (unsigned step = 0; step < RECLAIM_STEPS; step++) {
        store_reclaim(&fixture->state, step); /* into tables, whose size is known */
    }
    uint64_t before = disk_use(fixture);
    delete_names(fixture, "/d/", 0, PART);
    assert_true(store_reclaim_is_due(&fixture->state));
    store_reclaim_deleted(&fixture->state);
    assert_false(store_reclaim_is_due(&fixture->state));
    assert_true(disk_use(fixture) >= before);

    delete_names(fixture, "/d/", PART, 2 * PART);
    assert_true(store_reclaim_is_due(&fixture->state));
    reclaim_all(fixture);

    assert_true(disk_use(fixture) < before - (uint64_t)2 * PART * CONTENT_SIZE * 3 / 4);
    assert_live(fixture, "/d/", 3 * PART, NAMES - 3 * PART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LEVELDB(test_reclaim__a_partition_is_deleted__its_room_comes_back),
        ON_LEVELDB(test_reclaim__little_was_deleted__nothing_is_done),
        ON_LEVELDB(test_reclaim__less_than_a_quarter_was_deleted__waits_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
