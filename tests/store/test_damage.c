/*
 * test_damage.c - what is wrong with the files of the database is told, never "not found".
 *
 * Rules: a table or log overwritten with noise gives CORRUPT, or the database does not open; a
 *        missing file does not open; a database that lost CURRENT is not replaced by a new one;
 *        the damaged file is named.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/store/fixture.h"

enum { KEYS = 600, VALUE_SIZE = 3000, FLUSH_SIZE = 1 << 20 };

static uint64_t noise = 1;

static void key_text(int number, char text[32])
{
    (void)snprintf(text, 32, "x/key%05d", number);
}

/* Fills a database below a new directory; its content is in tables if `flushed`, else in the
 * log, of which a little over one half is synced. Closed when done. */
static void make_database(char directory[64], bool flushed)
{
    struct engine *engine = NULL;
    struct error error = {0};
    uint8_t value[VALUE_SIZE];
    char text[32];

    make_directory(directory);
    assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_OK);
    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        fill_noise(&noise, value, sizeof value); /* so that nothing is compressed away */
        value[0] = (uint8_t)i;
        struct engine_write write = {.key = slice_of_string(text),
                                     .value = slice_of(value, sizeof value)};
        bool sync = i == KEYS / 2;
        assert_int_equal(engine->operations->write(engine, &write, 1, sync), STATUS_OK);
    }
    engine->operations->close(engine);
    if (flushed) {
        /* Opening turns the log into a table. */
        assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_OK);
        engine->operations->close(engine);
    }
}

/* The largest file of the database with this extension. */
static void find_file(const char *directory, const char *extension, char path[512])
{
    char database[128];
    off_t largest = -1;

    (void)snprintf(database, sizeof database, "%s/db", directory);
    DIR *listing = opendir(database);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        const char *dot = strrchr(entry->d_name, '.');
        struct stat information;
        char candidate[512];
        (void)snprintf(candidate, sizeof candidate, "%s/%s", database, entry->d_name);
        if (!dot || strcmp(dot, extension) != 0) {
            continue;
        }
        assert_int_equal(stat(candidate, &information), 0);
        if (information.st_size > largest) {
            largest = information.st_size;
            memcpy(path, candidate, sizeof candidate);
        }
    }
    closedir(listing);
    assert_true(largest > FLUSH_SIZE);
}

static void overwrite(const char *path, off_t offset, size_t size)
{
    int file = open(path, O_WRONLY);
    uint8_t bytes[4096];

    assert_true(file >= 0 && size <= sizeof bytes);
    fill_noise(&noise, bytes, size);
    assert_int_equal(pwrite(file, bytes, size, offset), (ssize_t)size);
    close(file);
}

/* The engine tells which file it is. */
static void assert_named(struct engine *engine, const char *path)
{
    char text[256];
    const char *name = strrchr(path, '/') + 1;

    engine->operations->last_corruption(engine, text, sizeof text);
    if (strncmp(text, name, strlen(name)) != 0) {
        fail_msg("\"%s\" does not name %s", text, name);
    }
}

/* Reads every key: how many are corrupt. Fails if one is missing or wrong. */
static int count_corrupt(struct engine *engine)
{
    int corrupt = 0;
    char text[32];

    for (int i = 0; i < KEYS; i++) {
        struct buffer value = {0};
        key_text(i, text);
        enum status status = engine->operations->get(engine, slice_of_string(text), &value);
        if (status == STATUS_OK) {
            assert_int_equal(value.size, VALUE_SIZE);
            assert_int_equal(value.data[0], (uint8_t)i);
        } else {
            assert_string_equal(status_name(status), "corrupt");
            corrupt++;
        }
        buffer_release(&value);
    }
    return corrupt;
}

static bool on_pair(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(int *)context;
    return true;
}

static void test_damage__table_block_overwritten__is_corrupt_and_never_missing(void **state)
{
    char directory[64];
    char path[512];

    (void)state;
    for (int round = 0; round < 12; round++) {
        struct engine *engine = NULL;
        struct error error = {0};
        int visited = 0;
        make_database(directory, true);
        find_file(directory, ".ldb", path);
        overwrite(path, 4096 + round * 100000, 512);

        assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_OK);
        char text[256];
        engine->operations->last_corruption(engine, text, sizeof text);
        assert_string_equal(text, "");
        assert_in_range(count_corrupt(engine), 1, 8);
        enum status status = engine->operations->scan(
            engine, slice_of_string("x/"), slice_of_string("x0"), true, on_pair, &visited);
        assert_string_equal(status_name(status), "corrupt");
        assert_true(visited < KEYS);
        assert_named(engine, path);
        engine->operations->close(engine);
        remove_tree(directory);
    }
}

/* The footer, the index and the filter of a table: they lead to the blocks. */
static void test_damage__table_end_overwritten__is_corrupt_and_never_missing(void **state)
{
    static const off_t before_end[] = {48, 200, 700, 1500, 4000, 8000};
    char directory[64];
    char path[512];

    (void)state;
    for (size_t i = 0; i < sizeof before_end / sizeof before_end[0]; i++) {
        struct engine *engine = NULL;
        struct error error = {0};
        struct stat information;
        make_database(directory, true);
        find_file(directory, ".ldb", path);
        assert_int_equal(stat(path, &information), 0);
        overwrite(path, information.st_size - before_end[i], 48);

        assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_OK);
        if (count_corrupt(engine) > 0) {
            assert_named(engine, path);
        }
        engine->operations->close(engine);
        remove_tree(directory);
    }
}

static void test_damage__log_overwritten__does_not_open(void **state)
{
    char directory[64];
    char path[512];

    (void)state;
    for (int round = 0; round < 12; round++) {
        struct engine *engine = NULL;
        struct error error = {0};
        make_database(directory, false);
        find_file(directory, ".log", path);
        overwrite(path, 5000 + round * 70000, 512);

        enum status status = engine_open_leveldb(directory, &engine, &error);

        assert_string_equal(status_name(status), "corrupt");
        assert_int_equal(error.code, STATUS_CORRUPT);
        assert_non_null(strstr(error.text, path));
        remove_tree(directory);
    }
}

/* How many keys from the first on are there; fails if one behind a gap is. */
static int count_prefix(struct engine *engine)
{
    int count = 0;
    char text[32];

    for (int i = 0; i < KEYS; i++) {
        struct buffer value = {0};
        key_text(i, text);
        enum status status = engine->operations->get(engine, slice_of_string(text), &value);
        buffer_release(&value);
        if (status == STATUS_OK) {
            assert_int_equal(count, i);
            count++;
        } else {
            assert_int_equal(status, STATUS_NOT_FOUND);
        }
    }
    return count;
}

/* Opens what was synced up to the middle: the rest is cut where it is damaged, and told. */
static void assert_cut(const char *directory, const char *path)
{
    struct engine_leveldb_options options = {.path = directory};
    struct engine *engine = NULL;
    struct engine_start start;
    struct error error = {0};

    if (engine_open_leveldb_with(&options, &engine, &start, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(start.kind, ENGINE_CUT);
    assert_non_null(strstr(start.text, strrchr(path, '/') + 1));
    assert_in_range(count_prefix(engine), KEYS / 2 + 1, KEYS - 1);
    engine->operations->close(engine);
    assert_int_equal(engine_open_leveldb_with(&options, &engine, &start, &error), STATUS_OK);
    assert_int_equal(start.kind, ENGINE_WELL);
    assert_in_range(count_prefix(engine), KEYS / 2 + 1, KEYS - 1);
    engine->operations->close(engine);
}

/* A power cut leaves anything behind what was synced: noise, zeros, a shorter file. */
static void test_damage__unsynced_tail__is_cut_and_reported(void **state)
{
    static const off_t before_end[] = {1, 5000, 40000, 400000, 800000};
    char directory[64];
    char path[512];

    (void)state;
    for (size_t i = 0; i < 3 * sizeof before_end / sizeof before_end[0]; i++) {
        struct stat information;
        off_t before = before_end[i / 3];
        make_database(directory, false);
        find_file(directory, ".log", path);
        assert_int_equal(stat(path, &information), 0);
        if (i % 3 == 0) {
            assert_int_equal(truncate(path, information.st_size - before), 0);
        } else if (i % 3 == 1) {
            overwrite(path, information.st_size - before, before < 4096 ? 1 : 4096);
        } else {
            assert_int_equal(truncate(path, information.st_size - before), 0);
            assert_int_equal(truncate(path, information.st_size), 0);
        }
        assert_cut(directory, path);
        remove_tree(directory);
    }
}

/* Opens nothing, and says which file it is. */
static void assert_refused(const char *directory, const char *part)
{
    struct engine *engine = NULL;
    struct error error = {0};

    assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_CORRUPT);
    if (!strstr(error.text, part)) {
        fail_msg("'%s' does not say '%s'", error.text, part);
    }
}

static void test_damage__log_missing_or_too_short__is_noticed(void **state)
{
    char directory[64];
    char path[512];

    (void)state;
    make_database(directory, false);
    find_file(directory, ".log", path);
    assert_int_equal(truncate(path, 100000), 0);
    assert_refused(directory, "was synced up to");
    assert_int_equal(remove(path), 0);
    assert_refused(directory, "is missing");
    remove_tree(directory);
}

static void test_damage__table_too_short__is_noticed(void **state)
{
    char directory[64];
    char path[512];
    struct stat information;

    (void)state;
    make_database(directory, true);
    find_file(directory, ".ldb", path);
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(truncate(path, information.st_size - 1), 0);
    assert_refused(directory, "instead of");
    remove_tree(directory);
}

/* Whoever has copies elsewhere lets it be salvaged: what can be read is there. */
static void test_damage__others_have_copies__opens_what_can_be_read(void **state)
{
    char directory[64];
    char path[512];

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct engine_leveldb_options options = {.can_salvage = true, .path = directory};
        struct engine *engine = NULL;
        struct engine_start start;
        struct error error = {0};
        char command[256];
        make_database(directory, kind < 2);
        find_file(directory, kind < 2 ? ".ldb" : ".log", path);
        if (kind == 1) {
            (void)snprintf(command, sizeof command, "rm %s/db/CURRENT %s/db/MANIFEST*",
                           directory, directory);
            assert_int_equal(system(command), 0);
        } else if (kind == 3) {
            overwrite(path, 70000, 512);
        } else {
            assert_int_equal(truncate(path, 700000), 0);
        }

        if (engine_open_leveldb_with(&options, &engine, &start, &error) != STATUS_OK) {
            fail_msg("%s", error.text);
        }

        char text[256];
        assert_int_equal(start.kind, ENGINE_SALVAGED);
        engine->operations->last_corruption(engine, text, sizeof text);
        assert_string_not_equal(text, "");
        struct engine_write write = {.key = slice_of_string("y"),
                                     .value = slice_of_string("z")};
        assert_int_equal(engine->operations->write(engine, &write, 1, true), STATUS_OK);
        int visited = 0;
        assert_int_equal(engine->operations->scan(engine, slice_of_string("x/"),
                                                  slice_of_string("x0"), true, on_pair,
                                                  &visited),
                         STATUS_OK);
        assert_in_range(visited, kind == 0 ? 0 : 150, KEYS);
        engine->operations->close(engine);
        remove_tree(directory);
    }
}

static void test_damage__table_missing__does_not_open(void **state)
{
    char directory[64];
    char path[512];
    struct engine *engine = NULL;
    struct error error = {0};

    (void)state;
    make_database(directory, true);
    find_file(directory, ".ldb", path);
    assert_int_equal(remove(path), 0);

    enum status status = engine_open_leveldb(directory, &engine, &error);

    assert_string_equal(status_name(status), "corrupt");
    remove_tree(directory);
}

static void test_damage__current_missing__is_no_new_database(void **state)
{
    char directory[64];
    char path[512];
    char current[128];
    struct engine *engine = NULL;
    struct error error = {0};

    (void)state;
    for (int flushed = 0; flushed <= 1; flushed++) {
        make_database(directory, flushed);
        find_file(directory, flushed ? ".ldb" : ".log", path);
        (void)snprintf(current, sizeof current, "%s/db/CURRENT", directory);
        assert_int_equal(remove(current), 0);

        assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "CURRENT"));
        assert_int_equal(access(path, F_OK), 0); /* nothing was thrown away */
        remove_tree(directory);
    }
}

/* A crash may leave half a record at the end of the log: that is no damage. */
static void test_damage__log_cut_short__opens_with_what_is_whole(void **state)
{
    char directory[64];
    char path[512];
    struct engine *engine = NULL;
    struct error error = {0};
    struct stat information;
    char text[32];
    struct buffer value = {0};

    (void)state;
    make_database(directory, false);
    find_file(directory, ".log", path);
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(truncate(path, information.st_size - VALUE_SIZE / 2), 0);

    assert_int_equal(engine_open_leveldb(directory, &engine, &error), STATUS_OK);
    key_text(KEYS - 2, text);
    assert_int_equal(engine->operations->get(engine, slice_of_string(text), &value), STATUS_OK);
    key_text(KEYS - 1, text);
    assert_int_equal(engine->operations->get(engine, slice_of_string(text), &value),
                     STATUS_NOT_FOUND);
    buffer_release(&value);
    engine->operations->close(engine);
    remove_tree(directory);
}

/* The only copy of some objects is in a bad block: it can be written over and deleted. */
static void test_damage__only_copy__is_written_over_and_deleted(void **state)
{
    enum { NAMES = 150 };
    struct fixture fixture;
    struct store_request request = plain_request(STORE_SAVE_RING);
    char directory[64];
    char path[512];
    char key[32];
    char content[9001];
    int lost = 0;

    (void)state;
    make_directory(directory);
    fixture_open(&fixture, FIXTURE_LEVELDB, directory);
    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(&fixture, request, STATUS_OK);
    for (int i = 0; i < NAMES; i++) {
        fill_noise(&noise, (uint8_t *)content, sizeof content - 1);
        for (size_t j = 0; j < sizeof content - 1; j++) {
            content[j] = (char)('!' + (uint8_t)content[j] % 90);
        }
        content[sizeof content - 1] = '\0';
        (void)snprintf(key, sizeof key, "d/k%d", i);
        apply_expect(&fixture, put_request(key, NULL, content), STATUS_OK);
    }
    fixture_close(&fixture);
    fixture_open(&fixture, FIXTURE_LEVELDB, directory);
    fixture_close(&fixture);
    find_file(directory, ".ldb", path);
    overwrite(path, 400000, 300);
    fixture_open(&fixture, FIXTURE_LEVELDB, directory);

    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(key, sizeof key, "d/k%d", i);
        struct store_result result = apply(&fixture, get_request(key));
        enum status status = result.status;
        store_result_release(&result);
        if (status == STATUS_OK) {
            continue;
        }
        assert_int_equal(status, STATUS_CORRUPT);
        struct object *row = stored_row(&fixture, "d/", key + 2);
        assert_non_null(row);
        apply_expect(&fixture, put_request(key, row, "new"), STATUS_CORRUPT);
        request = none_request(key); /* what is pushed is not written over */
        request.coordinate.over_damage = true;
        apply_expect(&fixture, request, STATUS_CORRUPT);
        request = put_request(key, row, lost % 2 == 0 ? "new" : NULL);
        request.coordinate.over_damage = true;
        apply_expect(&fixture, request, STATUS_OK);
        object_unref(row);
        row = stored_row(&fixture, "d/", key + 2);
        struct object *object = stored_object(&fixture, key);
        if (lost % 2 == 0) {
            assert_content(object, "new");
            assert_int_equal(row->version_count, 1);
        } else {
            assert_false(object_is_live(object) || object_is_live(row));
        }
        object_unref(object);
        object_unref(row);
        lost++;
    }
    assert_in_range(lost, 1, 10);
    fixture_close(&fixture);
    remove_tree(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__table_block_overwritten__is_corrupt_and_never_missing),
        cmocka_unit_test(test_damage__table_end_overwritten__is_corrupt_and_never_missing),
        cmocka_unit_test(test_damage__log_overwritten__does_not_open),
        cmocka_unit_test(test_damage__only_copy__is_written_over_and_deleted),
        cmocka_unit_test(test_damage__unsynced_tail__is_cut_and_reported),
        cmocka_unit_test(test_damage__log_missing_or_too_short__is_noticed),
        cmocka_unit_test(test_damage__table_too_short__is_noticed),
        cmocka_unit_test(test_damage__others_have_copies__opens_what_can_be_read),
        cmocka_unit_test(test_damage__table_missing__does_not_open),
        cmocka_unit_test(test_damage__current_missing__is_no_new_database),
        cmocka_unit_test(test_damage__log_cut_short__opens_with_what_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
