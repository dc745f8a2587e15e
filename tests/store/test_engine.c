/*
 * test_engine.c - what every engine must do, on both.
 *
 * Rules: get appends; missing is NOT_FOUND; a batch is applied in order and whole; scans visit
 *        [start, end) ascending and stop when told; values survive a reopen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/leveldb/leveldb_files.h"
#include "tests/store/fixture.h"

int __real_fdatasync(int file);
int __wrap_fdatasync(int file);

static atomic_size_t synced_files; /* by the store itself; LevelDB is linked elsewhere */

int __wrap_fdatasync(int file)
{
    atomic_fetch_add(&synced_files, 1);
    return __real_fdatasync(file);
}

static struct engine *engine_of(void **state)
{
    return ((struct fixture *)*state)->disk;
}

static void write_one(struct engine *engine, const char *key, const char *value)
{
    struct engine_write write = {.key = slice_of_string(key)};

    write.is_delete = !value;
    write.value = !value ? slice_of(NULL, 0) : slice_of_string(value);
    assert_int_equal(engine->operations->write(engine, &write, 1, false), STATUS_OK);
}

static void assert_value(struct engine *engine, const char *key, const char *value)
{
    struct buffer buffer = {0};
    enum status status = engine->operations->get(engine, slice_of_string(key), &buffer);

    assert_int_equal(status, !value ? STATUS_NOT_FOUND : STATUS_OK);
    if (value) {
        assert_true(slice_equal(buffer_slice(&buffer), slice_of_string(value)));
    }
    buffer_release(&buffer);
}

static void test_engine__written_and_deleted__get_tells(void **state)
{
    struct engine *engine = engine_of(state);

    assert_value(engine, "xk", NULL);
    write_one(engine, "xk", "one");
    assert_value(engine, "xk", "one");
    write_one(engine, "xk", "two");
    assert_value(engine, "xk", "two");
    write_one(engine, "xk", "");
    assert_value(engine, "xk", "");
    write_one(engine, "xk", NULL);
    assert_value(engine, "xk", NULL);
    write_one(engine, "xk", NULL);
    assert_value(engine, "xk", NULL);
}

static void test_engine_get__buffer_has_content__value_is_appended(void **state)
{
    struct engine *engine = engine_of(state);
    struct buffer buffer = {0};

    write_one(engine, "xk", "value");
    buffer_append(&buffer, "head ", 5);
    assert_int_equal(engine->operations->get(engine, slice_of_string("xk"), &buffer),
                     STATUS_OK);

    assert_true(slice_equal(buffer_slice(&buffer), slice_of_string("head value")));
    buffer_release(&buffer);
}

static void test_engine_write__one_key_twice_in_a_batch__the_last_one_counts(void **state)
{
    struct engine *engine = engine_of(state);
    struct engine_write writes[] = {
        {.key = slice_of_string("xa"), .value = slice_of_string("1")},
        {.key = slice_of_string("xb"), .value = slice_of_string("2")},
        {.key = slice_of_string("xa"), .value = slice_of_string("3")},
        {.key = slice_of_string("xb"), .is_delete = true},
    };

    assert_int_equal(engine->operations->write(engine, writes, 4, true), STATUS_OK);

    assert_value(engine, "xa", "3");
    assert_value(engine, "xb", NULL);
}

/* Collects visited keys as one text; stops after `limit`. */
struct visited {
    char text[256];
    size_t count;
    size_t limit;
};

static bool on_visit(void *context, struct slice key, struct slice value)
{
    struct visited *visited = context;
    size_t used = strlen(visited->text);

    (void)snprintf(visited->text + used, sizeof visited->text - used, "%.*s=%.*s ",
                   (int)key.size, (const char *)key.data, (int)value.size,
                   (const char *)value.data);
    return ++visited->count < visited->limit;
}

static void assert_scan(struct engine *engine, const char *start, const char *end, size_t limit,
                        const char *expected)
{
    struct visited visited = {.limit = limit};

    assert_int_equal(engine->operations->scan(engine, slice_of_string(start),
                                              slice_of_string(end), false, on_visit, &visited),
                     STATUS_OK);
    assert_string_equal(visited.text, expected);
}

static void test_engine_scan__range__visits_ascending_without_the_end(void **state)
{
    struct engine *engine = engine_of(state);

    write_one(engine, "x3", "c");
    write_one(engine, "x1", "a");
    write_one(engine, "x4", "d");
    write_one(engine, "x2", "b");
    write_one(engine, "x22", "bb");

    assert_scan(engine, "x1", "x4", 99, "x1=a x2=b x22=bb x3=c ");
    assert_scan(engine, "x11", "x3", 99, "x2=b x22=bb ");
    assert_scan(engine, "x2", "", 99, "x2=b x22=bb x3=c x4=d ");
    assert_scan(engine, "x1", "x4", 2, "x1=a x2=b ");
    assert_scan(engine, "x3", "x1", 99, "");
    assert_scan(engine, "y", "", 99, "");
}

/* Many random writes against a plain array: the same in the end. */
static void test_engine__many_random_writes__equal_a_table(void **state)
{
    enum { KEYS = 300, WRITES = 5000 };
    struct engine *engine = engine_of(state);
    static int table[KEYS];
    uint64_t random = 12345;
    char key[16];
    char value[16];

    memset(table, 0, sizeof table);
    for (int i = 1; i <= WRITES; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        int at = (int)(random >> 33) % KEYS;
        bool is_delete = (random >> 20) % 4 == 0;
        (void)snprintf(key, sizeof key, "x%03d", at);
        (void)snprintf(value, sizeof value, "%d", i);
        write_one(engine, key, is_delete ? NULL : value);
        table[at] = is_delete ? 0 : i;
    }
    for (int at = 0; at < KEYS; at++) {
        (void)snprintf(key, sizeof key, "x%03d", at);
        (void)snprintf(value, sizeof value, "%d", table[at]);
        assert_value(engine, key, table[at] == 0 ? NULL : value);
    }
}

static void test_engine__reopened__holds_what_was_written(void **state)
{
    struct fixture *fixture = *state;

    write_one(fixture->disk, "xk", "kept");
    fixture_restart(fixture, false);

    assert_value(fixture->disk, "xk", "kept");
}

static void test_engine_leveldb__open_twice__says_that_it_is_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct engine *second = NULL;
    struct error error = {0};

    enum status status = engine_open_leveldb(fixture->directory, &second, &error);

    assert_int_not_equal(status, STATUS_OK);
    assert_int_equal(error.code, status);
    assert_non_null(strstr(error.text, "is in use by another process"));
    assert_non_null(strstr(error.text, fixture->directory));
}

static void test_engine_leveldb__path_cannot_be_made__says_why(void **state)
{
    struct engine *engine = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(engine_open_leveldb("/dev/null/data", &engine, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "Not a directory"));
    assert_null(strchr(error.text, '\n'));
}

/* Beyond the memtable: LevelDB switches, flushes and compacts; our estimate must know that a
 * write may wait then, and that it does not afterwards. */
static void test_engine_leveldb__memtable_fills__is_quick_turns_off_and_on_again(void **state)
{
    enum { VALUE_SIZE = 1 << 20, ROUNDS_MAX = 200 };
    struct engine *engine = engine_of(state);
    uint8_t *value = malloc(VALUE_SIZE);
    int slow_at = -1;
    int quick_again_at = -1;

    assert_non_null(value);
    assert_true(engine->operations->is_quick(engine, 4096));
    for (int i = 0; i < ROUNDS_MAX && quick_again_at < 0; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "x%04d", i);
        memset(value, i, VALUE_SIZE);
        struct engine_write write = {.key = slice_of_string(key),
                                     .value = slice_of(value, VALUE_SIZE)};
        assert_int_equal(engine->operations->write(engine, &write, 1, false), STATUS_OK);
        bool is_quick = engine->operations->is_quick(engine, 4096);
        if (slow_at < 0 && !is_quick) {
            slow_at = i;
        } else if (slow_at >= 0 && is_quick) {
            quick_again_at = i;
        }
    }
    free(value);

    /* LevelDB switches when 64 MiB are in the memtable, at the 65th write. */
    assert_in_range(slow_at, 30, 64);
    assert_in_range(quick_again_at, 60, ROUNDS_MAX);
}

static void write_megabyte(struct engine *engine, int number, bool sync)
{
    enum { VALUE_SIZE = 1 << 20 };
    uint8_t *value = malloc(VALUE_SIZE);
    uint64_t noise = (uint64_t)number + 1;
    char key[16];

    assert_non_null(value);
    (void)snprintf(key, sizeof key, "x%04d", number);
    fill_noise(&noise, value, VALUE_SIZE); /* so that a flush takes its time */
    struct engine_write write = {.key = slice_of_string(key),
                                 .value = slice_of(value, VALUE_SIZE)};
    assert_int_equal(engine->operations->write(engine, &write, 1, sync), STATUS_OK);
    free(value);
}

/* LevelDB syncs the log that it writes to. What was written before the memtable was switched is
 * in the older log, until that is a table: a synced write must cover it too. */
static void test_engine_leveldb__sync_after_a_switch__syncs_the_older_log(void **state)
{
    enum { ROUNDS_MAX = 10 };
    struct fixture *fixture = *state;
    struct engine *engine = fixture->disk;
    struct leveldb_logs logs = {0};
    char path[80];
    bool had_older_log = false;
    int number = 0;

    (void)snprintf(path, sizeof path, "%s/db", fixture->directory);
    for (int round = 0; round < ROUNDS_MAX && !had_older_log; round++) {
        assert_int_equal(leveldb_files_logs(path, &logs), STATUS_OK);
        uint64_t newest = logs.newest;
        while (logs.newest == newest) {
            write_megabyte(engine, number++, false);
            assert_int_equal(leveldb_files_logs(path, &logs), STATUS_OK);
        }
        atomic_store(&synced_files, 0);
        size_t older_before = logs.count - 1;
        write_one(engine, "xk", "synced");
        struct engine_write write = {.key = slice_of_string("xk")};
        assert_int_equal(engine->operations->write(engine, &write, 1, true), STATUS_OK);
        size_t synced = atomic_load(&synced_files);

        /* If the older log is still there after the write, it was there during it. */
        assert_int_equal(leveldb_files_logs(path, &logs), STATUS_OK);
        if (logs.count > 1) {
            assert_in_range(synced, 1, older_before); /* one may have become a table since */
            had_older_log = true;

            /* Once is enough. */
            assert_int_equal(engine->operations->write(engine, &write, 1, true), STATUS_OK);
            assert_int_equal(atomic_load(&synced_files), synced);
        }
    }
    assert_true(had_older_log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_ENGINES(test_engine__written_and_deleted__get_tells),
        ON_BOTH_ENGINES(test_engine_get__buffer_has_content__value_is_appended),
        ON_BOTH_ENGINES(test_engine_write__one_key_twice_in_a_batch__the_last_one_counts),
        ON_BOTH_ENGINES(test_engine_scan__range__visits_ascending_without_the_end),
        ON_BOTH_ENGINES(test_engine__many_random_writes__equal_a_table),
        ON_BOTH_ENGINES(test_engine__reopened__holds_what_was_written),
        ON_LEVELDB(test_engine_leveldb__open_twice__says_that_it_is_in_use),
        ON_LEVELDB(test_engine_leveldb__path_cannot_be_made__says_why),
        ON_LEVELDB(test_engine_leveldb__memtable_fills__is_quick_turns_off_and_on_again),
        ON_LEVELDB(test_engine_leveldb__sync_after_a_switch__syncs_the_older_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
