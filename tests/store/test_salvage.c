/*
 * test_salvage.c - a damaged database is salvaged: what can be read is kept, and it works
 * again.
 *
 * Rules: whatever noise hits, after a salvage nothing is corrupt, what is there is right, trees
 *        are those of the data, identity, ring and counters are kept, no own pair from before
 *        is extended, the node counts as incomplete, and writes work, also where a compaction
 *        had met the damage; a salvage that was cut short is finished at the next start.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/store/birth.h"
#include "tests/store/salvaging.h"
#include "tests/store/tree_check.h"

enum { FILES_MAX = 32, NAME_SIZE = 64 };

static uint64_t noise = 77;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The oldest first, whatever the order of the file system. */
static size_t list_tables(const char *directory, char names[FILES_MAX][NAME_SIZE])
{
    char database[128];
    size_t count = 0;

    (void)snprintf(database, sizeof database, "%s/db", directory);
    DIR *listing = opendir(database);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".ldb") == 0) {
            assert_true(count < FILES_MAX && strlen(entry->d_name) < NAME_SIZE);
            memcpy(names[count++], entry->d_name, strlen(entry->d_name) + 1);
        }
    }
    closedir(listing);
    qsort(names, count, NAME_SIZE, compare_names);
    return count;
}

static void overwrite(const char *directory, const char *name, off_t offset, size_t size)
{
    char path[256];
    uint8_t bytes[4096];

    (void)snprintf(path, sizeof path, "%s/db/%s", directory, name);
    int file = open(path, O_WRONLY);
    assert_true(file >= 0 && size <= sizeof bytes);
    fill_noise(&noise, bytes, size);
    assert_int_equal(pwrite(file, bytes, size, offset), (ssize_t)size);
    close(file);
}

/* Hits the largest table, which holds the objects, at one place in `parts`. Gives its name. */
static void damage(const char *directory, int part, int parts, char ret_name[NAME_SIZE])
{
    char names[FILES_MAX][NAME_SIZE];
    size_t count = list_tables(directory, names);
    off_t largest = 0;

    for (size_t i = 0; i < count; i++) {
        char path[256];
        struct stat information;
        (void)snprintf(path, sizeof path, "%s/db/%s", directory, names[i]);
        assert_int_equal(stat(path, &information), 0);
        if (information.st_size > largest) {
            largest = information.st_size;
            memcpy(ret_name, names[i], NAME_SIZE);
        }
    }
    assert_true(largest > KEYS * CONTENT_SIZE / 2);
    overwrite(directory, ret_name, largest / parts * part + 100, 300);
}

struct counts {
    int whole;
    int missing;
    int corrupt;
    bool is_named; /* each corrupt one by this file */
};

static struct counts read_all(struct fixture *fixture, const char *name)
{
    struct counts counts = {.is_named = true};
    char text[32];
    char content[CONTENT_SIZE + 1];

    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        content_text(i, content);
        struct store_result result = apply(fixture, get_request(text));
        if (result.status == STATUS_CORRUPT) {
            counts.corrupt++;
            counts.is_named = counts.is_named && result.text && name &&
                              slice_has_prefix(blob_slice(result.text), slice_of_string(name));
        } else {
            assert_int_equal(result.status, STATUS_OK);
            counts.missing += !result.object;
            if (result.object) {
                assert_content(result.object, content);
                counts.whole++;
            }
        }
        store_result_release(&result);
    }
    return counts;
}

/* All that holds of a store that was salvaged, now and after a restart. */
static void assert_salvaged(struct fixture *fixture)
{
    char mark[128];

    assert_int_equal(read_all(fixture, NULL).corrupt, 0);
    assert_trees_true(fixture);
    (void)snprintf(mark, sizeof mark, "%s/db.salvaging", fixture->directory);
    assert_int_equal(access(mark, F_OK), -1);
    fixture_restart(fixture, true);
    assert_false(fixture->identity.is_complete);
    assert_int_equal(fixture->identity.node, FIXTURE_NODE);
    assert_true(fixture->identity.has_ring);
    assert_int_equal(fixture->identity.ring.cluster_id, 99);
    assert_trees_true(fixture);
}

static void test_salvage__block_overwritten__keeps_the_rest_and_works(void **state)
{
    enum { PARTS = 6 };
    char directory[64];
    char name[NAME_SIZE];
    struct store_request request;

    (void)state;
    for (int part = 0; part < PARTS; part++) {
        enum fixture_kind kind = FIXTURE_LEVELDB;
        void *context = &kind;
        assert_int_equal(fixture_setup(&context), 0);
        struct fixture *fixture = context;
        memcpy(directory, fixture->directory, sizeof directory);
        put_all(fixture);
        fixture_restart(fixture, true); /* which makes a table of the log */
        damage(directory, part, PARTS, name);

        struct counts before = read_all(fixture, name);
        assert_true(before.is_named);
        uint64_t issued = atomic_load(&fixture->state.issued);
        struct store_result result = salvage(fixture);
        store_result_release(&result);
        assert_true(fixture->state.trusted_since > issued);
        struct counts after = read_all(fixture, NULL);
        assert_int_equal(after.corrupt, 0);
        assert_true(after.whole >= before.whole);
        assert_true(after.whole >= KEYS - 20);
        assert_salvaged(fixture);

        request = put_request("d/key0000", NULL, "new");
        request.sync = true;
        result = apply(fixture, request);
        assert_int_equal(result.status, STATUS_OK);
        assert_true(result.object->own.birth >= birth_least(issued + 1));
        store_result_release(&result);
        put_all(fixture);
        assert_trees_true(fixture);
        (void)fixture_teardown(&context);
    }
}

/* Waits until a compaction has met the damage, after which LevelDB refuses every write. */
static enum status write_until_it_fails(struct engine *engine)
{
    time_t deadline = time(NULL) + 20;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && time(NULL) < deadline) {
        struct engine_write write = {.key = slice_of_string("zzz"),
                                     .value = slice_of_string("value")};
        status = engine->operations->write(engine, &write, 1, false);
    }
    return status;
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

/* Rounds of the same keys, each a table of its own, so that LevelDB will merge them. The value
 * begins with the number of its round. */
static void make_rounds(const char *directory, int first, int end)
{
    char text[32];
    uint8_t value[CONTENT_SIZE];

    for (int round = first; round < end; round++) {
        struct engine *engine = open_engine(directory);
        for (int i = 0; i < KEYS; i++) {
            key_text(i, text);
            fill_noise(&noise, value, sizeof value);
            value[0] = (uint8_t)round;
            struct engine_write write = {.key = slice_of_string(text),
                                         .value = slice_of(value, sizeof value)};
            assert_int_equal(engine->operations->write(engine, &write, 1, false), STATUS_OK);
        }
        engine->operations->close(engine);
    }
}

static void test_salvage__compaction_met_the_damage__writes_work_again(void **state)
{
    char directory[64];
    char text[256];
    char names[FILES_MAX][NAME_SIZE];
    struct error error = {0};
    struct buffer value = {0};

    (void)state;
    make_directory(directory);
    make_rounds(directory, 1, 4);
    size_t count = list_tables(directory, names);
    assert_true(count > 0);
    overwrite(directory, names[0], 50000, 300);
    make_rounds(directory, 4, 5);
    struct engine *engine = open_engine(directory);

    assert_string_equal(status_name(write_until_it_fails(engine)), "corrupt");
    engine->operations->last_corruption(engine, text, sizeof text);
    assert_non_null(strstr(text, names[0]));
    assert_int_equal(write_until_it_fails(engine), STATUS_CORRUPT);
    assert_int_equal(engine->operations->salvage(engine, &error), STATUS_OK);

    engine->operations->last_corruption(engine, text, sizeof text);
    assert_string_equal(text, "");
    assert_true(engine->operations->is_quick(engine, 100));
    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        buffer_reset(&value);
        assert_int_equal(engine->operations->get(engine, slice_of_string(text), &value),
                         STATUS_OK);
        /* The newest value, in whichever file that is. */
        assert_int_equal(value.data[0], 4);
    }
    struct engine_write write = {.key = slice_of_string("zz"), .value = slice_of_string("on")};
    assert_int_equal(engine->operations->write(engine, &write, 1, true), STATUS_OK);
    engine->operations->close(engine);
    make_rounds(directory, 5, 11);
    engine = open_engine(directory);
    assert_int_equal(engine->operations->write(engine, &write, 1, true), STATUS_OK);
    engine->operations->close(engine);
    buffer_release(&value);
    remove_tree(directory);
}

static void make_mark(const char *directory)
{
    char mark[128];

    (void)snprintf(mark, sizeof mark, "%s/db.salvaging", directory);
    int file = open(mark, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
}

static void rename_file(const char *directory, const char *from, const char *to)
{
    char old_path[256];
    char new_path[256];

    (void)snprintf(old_path, sizeof old_path, "%s/db/%s", directory, from);
    (void)snprintf(new_path, sizeof new_path, "%s/db/%s", directory, to);
    assert_int_equal(rename(old_path, new_path), 0);
}

/* As compactions number them: a repaired database has all on one level, where LevelDB takes the
 * value of the file with the greater number. */
static void test_salvage__older_table_has_the_greater_number__newest_value_is_read(void **state)
{
    char directory[64];
    char text[32];
    char names[FILES_MAX][NAME_SIZE];
    struct buffer value = {0};

    (void)state;
    make_directory(directory);
    make_rounds(directory, 1, 3);
    struct engine *engine = open_engine(directory);
    engine->operations->close(engine);
    assert_int_equal(list_tables(directory, names), 2);
    rename_file(directory, names[0], "swapped");
    rename_file(directory, names[1], names[0]);
    rename_file(directory, "swapped", names[1]);
    make_mark(directory);

    engine = open_engine(directory);

    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        buffer_reset(&value);
        assert_int_equal(engine->operations->get(engine, slice_of_string(text), &value),
                         STATUS_OK);
        assert_int_equal(value.data[0], 2);
    }
    engine->operations->close(engine);
    buffer_release(&value);
    remove_tree(directory);
}

/* The process ended within LevelDB's repair: there may be no manifest that is whole. */
static void test_salvage__cut_short_in_the_engine__is_finished_at_the_next_start(void **state)
{
    struct fixture *fixture = *state;
    char name[NAME_SIZE];
    char current[128];
    char directory[64];

    memcpy(directory, fixture->directory, sizeof directory);
    put_all(fixture);
    fixture_restart(fixture, true);
    damage(fixture->directory, 1, 3, name);
    uint64_t issued = atomic_load(&fixture->state.issued);
    fixture_close(fixture);
    (void)snprintf(current, sizeof current, "%s/db/CURRENT", fixture->directory);
    int file = open(current, O_WRONLY | O_TRUNC);
    assert_true(file >= 0);
    assert_int_equal(write(file, "MANIFEST-999999\n", 16), 16);
    close(file);
    make_mark(fixture->directory);

    fixture_open(fixture, FIXTURE_LEVELDB, directory);

    assert_false(fixture->identity.is_complete);
    assert_true(fixture->state.trusted_since > issued);
    struct counts counts = read_all(fixture, NULL);
    assert_true(counts.whole >= KEYS - 20);
    assert_salvaged(fixture);
}

struct kill_round {
    char directory[64];
    long delay_ns;
};

static void salvage_in_child(const struct kill_round *round)
{
    static struct fixture fixture;

    fixture_open(&fixture, FIXTURE_LEVELDB, round->directory);
    struct store_result result = apply(&fixture, plain_request(STORE_SALVAGE));
    _exit(result.status == STATUS_OK ? 0 : 2);
}

/* At whatever moment: the next start finds a store that says what it is. */
static void test_salvage__killed_at_any_moment__is_finished_at_the_next_start(void **state)
{
    struct fixture *fixture = *state;
    struct kill_round round = {.delay_ns = 0};
    char name[NAME_SIZE];

    put_all(fixture);
    fixture_restart(fixture, true);
    damage(fixture->directory, 1, 3, name);
    memcpy(round.directory, fixture->directory, sizeof round.directory);
    fixture_close(fixture);
    for (int i = 0; i < 25; i++) {
        int status = 0;
        struct timespec pause = {.tv_nsec = round.delay_ns};
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            salvage_in_child(&round);
        }
        (void)nanosleep(&pause, NULL);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        round.delay_ns += 4000000;

        fixture_open(fixture, FIXTURE_LEVELDB, round.directory);
        assert_int_equal(fixture->identity.node, FIXTURE_NODE);
        assert_true(fixture->identity.has_ring);
        struct counts counts = read_all(fixture, NULL);
        assert_true(counts.whole >= KEYS - 20);
        assert_true(counts.corrupt == 0 || fixture->identity.is_complete);
        if (counts.corrupt == 0) {
            assert_trees_true(fixture);
        }
        fixture_close(fixture);
    }
    fixture_open(fixture, FIXTURE_LEVELDB, round.directory);
    struct store_result result = salvage(fixture);
    store_result_release(&result);
    assert_salvaged(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_salvage__block_overwritten__keeps_the_rest_and_works),
        cmocka_unit_test(test_salvage__compaction_met_the_damage__writes_work_again),
        cmocka_unit_test(
            test_salvage__older_table_has_the_greater_number__newest_value_is_read),
        ON_LEVELDB(test_salvage__cut_short_in_the_engine__is_finished_at_the_next_start),
        ON_LEVELDB(test_salvage__killed_at_any_moment__is_finished_at_the_next_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
