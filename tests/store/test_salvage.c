/*
 * test_salvage.c - a damaged database is salvaged: what can be read is kept, and it works
 * again.
 *
 * Rules: whatever noise hits, after a salvage nothing is corrupt, what is there is right, trees
 *        are those of the data, identity, ring and counters are kept, no own pair from before
 * is extended, the node counts as incomplete, and writes work, also where a compaction had met
 * the damage; a salvage that was cut short is finished at the next start.
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
#include "node/store/layout.h"
#include "tests/store/loop.h"
#include "tests/store/tree_check.h"

enum { KEYS = 300, CONTENT_SIZE = 2000, FILES_MAX = 32, NAME_SIZE = 64 };

static uint64_t noise = 77;

static void key_text(int number, char text[32])
{
    (void)snprintf(text, 32, "d/key%04d", number);
}

/* Letters that do not compress, the same for each number. */
static void content_text(int number, char text[CONTENT_SIZE + 1])
{
    uint64_t random = (uint64_t)number + 1;

    fill_noise(&random, (uint8_t *)text, CONTENT_SIZE);
    for (int i = 0; i < CONTENT_SIZE; i++) {
        text[i] = (char)('!' + (uint8_t)text[i] % 90);
    }
    text[CONTENT_SIZE] = '\0';
}

static void put_all(struct fixture *fixture)
{
    char text[32];
    char content[CONTENT_SIZE + 1];

    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        content_text(i, content);
        apply_expect(fixture, put_request(text, NULL, content), STATUS_OK);
    }
}

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

static struct store_result salvage(struct fixture *fixture)
{
    struct store_result result = apply(fixture, plain_request(STORE_SALVAGE));

    assert_string_equal(status_name(result.status), "ok");
    assert_non_null(result.text);
    return result;
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

static void write_record(struct fixture *fixture, struct slice key, const char *value)
{
    struct engine_write write = {.key = key, .value = slice_of_string(value)};

    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
}

static void test_salvage__unreadable_records__are_dropped_and_counted(void **state)
{
    static const char text[] = "the database was repaired, 4 records dropped";
    struct fixture *fixture = *state;
    struct buffer key = {0};

    change_some(fixture, 60);
    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string("broken"));
    write_record(fixture, buffer_slice(&key), "no record");
    buffer_release(&key);
    write_record(fixture, slice_of_string("ra"), "no row");
    write_record(fixture, slice_of_string("ix"), "short");
    write_record(fixture, slice_of_string("v//"), "12345678");
    apply_expect(fixture, get_request("broken"), STATUS_CORRUPT);

    struct store_result result = salvage(fixture);
    assert_true(slice_equal(blob_slice(result.text), slice_of_string(text)));
    store_result_release(&result);
    assert_null(stored_object(fixture, "broken"));
    assert_trees_true(fixture);
    change_some(fixture, 20);
    assert_trees_true(fixture);
}

/* An own pair from before may stand for writes that are lost. */
static void test_salvage__own_pair_from_before__is_not_extended(void **state)
{
    struct fixture *fixture = *state;
    struct store_result first = apply(fixture, put_request("a", NULL, "one"));
    struct store_result second = apply(fixture, put_request("a", first.object, "two"));

    assert_true(actor_equal(first.object->own, second.object->own));
    struct store_result result = salvage(fixture);
    store_result_release(&result);
    struct store_result third = apply(fixture, put_request("a", second.object, "three"));
    assert_int_equal(third.status, STATUS_OK);
    assert_false(actor_equal(third.object->own, second.object->own));
    struct store_result fourth = apply(fixture, put_request("a", third.object, "four"));
    assert_true(actor_equal(fourth.object->own, third.object->own));
    store_result_release(&first);
    store_result_release(&second);
    store_result_release(&third);
    store_result_release(&fourth);
}

/* Nothing is believed of the directory that was there. */
/* Three members: others may know better. */
static void share_ring(struct fixture *fixture)
{
    struct store_request request = {.operation = STORE_SAVE_RING,
                                    .save_ring = {.ring = malloc(sizeof(struct ring))}};
    struct ring *ring = request.save_ring.ring;
    assert_non_null(ring);
    *ring = *fixture->state.ring;
    ring->epoch++;
    ring->replica_count = 3;
    ring->member_count = 3;
    for (uint16_t i = 1; i < 3; i++) {
        ring->members[i].id = FIXTURE_NODE + i;
        (void)snprintf(ring->members[i].address, ADDRESS_SIZE, "127.0.0.1:%u", 900U + i);
    }
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        ring->owner[i] = i % 3;
    }
    apply_expect(fixture, request, STATUS_OK);
}

static struct store_request salvage_of(const struct fixture *fixture, uint64_t grace_us)
{
    return (struct store_request){.operation = STORE_SALVAGE,
                                  .wall_us = fixture->wall_us,
                                  .salvage = {.grace_us = grace_us}};
}

/* The state before a deletion that nobody remembers must not count; a young one cannot be. */
static void test_salvage__old_copies__count_when_others_have_them(void **state)
{
    struct fixture *fixture = *state;
    for (int by_hand = 0; by_hand <= 1; by_hand++) {
        share_ring(fixture);
        apply_expect(fixture, put_request("old", NULL, "1"), STATUS_OK);
        fixture->wall_us += 10000000;
        apply_expect(fixture, put_request("young", NULL, "2"), STATUS_OK);

        apply_expect(fixture, salvage_of(fixture, 5000000), STATUS_OK);
        assert_null(stored_object(fixture, "old"));
        assert_null(stored_row(fixture, "/", "old"));
        struct object *young = stored_object(fixture, "young");
        assert_true(object_is_live(young));
        assert_trees_true(fixture);
        object_unref(young);

        struct store_request complete = plain_request(STORE_SET_COMPLETE);
        complete.set_complete.is_complete = true;
        complete.set_complete.brings_back = by_hand;
        apply_expect(fixture, complete, STATUS_OK);
        struct object *old = stored_object(fixture, "old");
        assert_int_equal(object_is_live(old), by_hand);
        object_unref(old);
        assert_trees_true(fixture);
    }
}

static void test_salvage__only_member__keeps_what_is_old(void **state)
{
    struct fixture *fixture = *state;
    apply_expect(fixture, put_request("old", NULL, "1"), STATUS_OK);
    fixture->wall_us += 10000000;

    apply_expect(fixture, salvage_of(fixture, 5000000), STATUS_OK);

    struct object *old = stored_object(fixture, "old");
    assert_true(object_is_live(old));
    object_unref(old);
}

static void test_salvage__directory_dropped__its_next_row_revives_it(void **state)
{
    struct fixture *fixture = *state;
    struct buffer key = {0};

    apply_expect(fixture, put_request("dir/", NULL, ""), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct store_result result = apply(fixture, put_request("dir/a", NULL, "x"));
        assert_int_equal(result.status, STATUS_OK);
        assert_false(result.revive);
        store_result_release(&result);
    }
    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string("dir/"));
    write_record(fixture, buffer_slice(&key), "no record");
    buffer_release(&key);
    struct store_result result = salvage(fixture);
    store_result_release(&result);

    result = apply(fixture, put_request("dir/b", NULL, "x"));
    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.revive);
    store_result_release(&result);
}

static void test_salvage__cannot_write__fails_and_is_finished_later(void **state)
{
    struct fixture *fixture = *state;

    change_some(fixture, 40);
    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    struct store_result result = apply(fixture, plain_request(STORE_SALVAGE));
    assert_int_equal(result.status, STATUS_NO_SPACE);
    assert_non_null(result.text);
    store_result_release(&result);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);
    result = salvage(fixture);
    store_result_release(&result);
    fixture_restart(fixture, true);
    assert_false(fixture->identity.is_complete);
    assert_trees_true(fixture);
}

/* As LevelDB does when a compaction at the start meets a damaged block. */
static void test_salvage__no_write_works_at_the_start__is_done_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    change_some(fixture, 40);
    for (int round = 0; round < 2; round++) {
        uint64_t issued = atomic_load(&fixture->state.issued);
        assert_int_equal(store_state_close(&fixture->state), STATUS_OK);
        atomic_store(&fixture->spy.write_failure, STATUS_CORRUPT);
        assert_int_equal(store_state_open(&fixture->state, &fixture->spy.base, FIXTURE_NODE,
                                          fixture->wall_us, &fixture->identity, &error),
                         STATUS_OK);
        assert_false(fixture->identity.is_complete);
        assert_true(fixture->identity.has_ring);
        assert_true(fixture->state.trusted_since > issued);
        assert_trees_true(fixture);
        change_some(fixture, 10);
        assert_trees_true(fixture);
    }
    fixture_restart(fixture, false);
    assert_false(fixture->identity.is_complete);
    assert_trees_true(fixture);
}

/* Everything at once over the executor's lanes; for ThreadSanitizer too. */
static void test_salvage__other_requests_under_way__none_is_lost(void **state)
{
    enum { ROUNDS = 40, REQUESTS = 12 };
    struct fixture *fixture = *state;
    struct loop loop;
    char text[32];

    put_all(fixture);
    loop_begin(&loop, fixture, true);
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t partition = (uint16_t)(round % FIXTURE_PARTITIONS);
        for (int i = 0; i < REQUESTS; i++) {
            key_text(round * REQUESTS + i, text);
            (void)loop_submit(&loop, put_request(text, NULL, "over"));
            (void)loop_submit(&loop, get_request(text));
        }
        (void)loop_submit(&loop, tree_request(partition, MERKLE_BUCKETS));
        (void)loop_submit(&loop, tree_keys_request(partition, 10));
        (void)loop_submit(&loop, scrub_request(partition, 10));
        if (round % 10 == 5) {
            (void)loop_submit(&loop, plain_request(STORE_SALVAGE));
        }
        while (executor_pending(loop.executor) > 0) {
            struct store_result result = loop_wait(&loop);
            assert_string_equal(status_name(result.status), "ok");
            store_result_release(&result);
        }
    }
    loop_end(&loop);
    assert_trees_true(fixture);
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
        ON_BOTH_ENGINES(test_salvage__unreadable_records__are_dropped_and_counted),
        ON_BOTH_ENGINES(test_salvage__own_pair_from_before__is_not_extended),
        ON_BOTH_ENGINES(test_salvage__old_copies__count_when_others_have_them),
        ON_BOTH_ENGINES(test_salvage__only_member__keeps_what_is_old),
        ON_MEMORY(test_salvage__directory_dropped__its_next_row_revives_it),
        ON_BOTH_ENGINES(test_salvage__cannot_write__fails_and_is_finished_later),
        ON_BOTH_ENGINES(test_salvage__no_write_works_at_the_start__is_done_at_once),
        ON_BOTH_ENGINES(test_salvage__other_requests_under_way__none_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
