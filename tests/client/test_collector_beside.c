/*
 * test_collector_beside.c - what is touched, named or moved while the collector looks stays; what
 *                           cannot be read or makes no sense is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector_fixture.h"

static const struct kv_options options;

static void touch(struct fixture *fixture, uint32_t index)
{
    struct block_place place = {.set = fixture->set, .index = index};

    assert_int_equal(block_touch(fixture->kv, &place, &fixture->entries[index], &options),
                     STATUS_OK);
}

static void test_pass__touched_between__block_stays_a_grace_time_longer(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    touch(fixture, 0);

    grace_passes();
    good_pass(fixture);

    assert_true(has_block(fixture, 0));
    grace_passes();
    good_pass(fixture);
    assert_false(has_block(fixture, 0));
}

/* Just before the delete, which is the only put: as late as can be. */
static void touch_late(struct probe *probe, struct slice key, bool is_list)
{
    struct buffer block = {0};

    block_key_block(&block, &current->set, 0, &current->entries[0]);
    if (!is_list && slice_equal(key, buffer_slice(&block)) && probe->step++ == 0) {
        touch(current, 0);
    }
    buffer_release(&block);
}

static void test_pass__touched_just_before_the_delete__block_stays(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    grace_passes();
    fixture->probe.before = touch_late;

    good_pass(fixture);

    assert_int_equal(fixture->probe.step, 1);
    assert_true(has_block(fixture, 0));
}

static bool is_set_directory(struct slice key)
{
    struct buffer directory = {0};

    block_key_set(&directory, &current->set);
    bool is_it = slice_equal(key, buffer_slice(&directory));
    buffer_release(&directory);
    return is_it;
}

static void name_before_second_list(struct probe *probe, struct slice key, bool is_list)
{
    if (is_list && is_set_directory(key) && probe->step++ == 1) {
        write_file(current, "late", current->entries, 1);
    }
}

static void test_pass__path_named_while_it_looks__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    grace_passes();
    fixture->probe.before = name_before_second_list;

    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
    fixture->probe.before = NULL;
    collect(fixture);
    assert_true(has_block(fixture, 0));
}

static void hold_before_second_list(struct probe *probe, struct slice key, bool is_list)
{
    if (is_list && is_set_directory(key) && probe->step++ == 1) {
        hold(current);
    }
}

static void test_pass__held_while_it_looks__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    good_pass(fixture);
    grace_passes();
    fixture->probe.before = hold_before_second_list;

    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
    assert_int_equal(stats(fixture)->sets_busy, 1);
}

static void test_pass__path_noted_again_while_it_looks__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    note_path(fixture, "late");
    good_pass(fixture);
    grace_passes();
    fixture->probe.before = name_before_second_list;

    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
    assert_true(has_note(fixture, "late"));
    assert_int_equal(stats(fixture)->sets_busy, 1);
    assert_int_equal(stats(fixture)->sets_left_alone, 0);
}

static void time_passes(struct probe *probe, struct slice key, bool is_list)
{
    (void)probe;
    clock_us += is_list && is_set_directory(key) ? 1 : 0;
}

static void test_pass__looking_takes_time__the_grace_time_is_whole(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    fixture->probe.before = time_passes;
    good_pass(fixture);
    uint64_t marked_us = clock_us;

    clock_us = marked_us + GRACE_US - 1;
    good_pass(fixture);
    assert_true(clock_us > marked_us + GRACE_US);
    assert_true(has_block(fixture, 0));
    good_pass(fixture);

    assert_false(has_block(fixture, 0));
}

/* The two paths in the order in which they are read. */
static void order_paths(const char *ret_paths[2])
{
    struct buffer keys[2] = {{0}};

    block_key_path(&keys[0], &current->set, slice_of_string("one"));
    block_key_path(&keys[1], &current->set, slice_of_string("two"));
    bool is_one_first = slice_compare(buffer_slice(&keys[0]), buffer_slice(&keys[1])) < 0;
    ret_paths[0] = is_one_first ? "one" : "two";
    ret_paths[1] = is_one_first ? "two" : "one";
    buffer_release(&keys[0]);
    buffer_release(&keys[1]);
}

/* The path that is read first had nothing then; now it has all, and the second nothing. */
static void move_behind_reader(struct probe *probe, struct slice key, bool is_list)
{
    const char *paths[2];

    order_paths(paths);
    if (!is_list && slice_equal(key, slice_of_string(paths[1])) && probe->step++ == 0) {
        put_blocks(current, paths[0], current->entries, 1, false);
        remove_file(current, paths[1]);
    }
}

static void test_pass__file_moves_behind_the_reader__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *paths[2];
    order_paths(paths);
    store_blocks(fixture, 1);
    note_path(fixture, paths[0]);
    write_file(fixture, paths[1], fixture->entries, 1);
    fixture->probe.before = move_behind_reader;

    assert_int_equal(pass(fixture), 1);
    write_file(fixture, paths[1], fixture->entries, 1);
    remove_file(fixture, paths[0]);
    grace_passes();
    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
    assert_int_equal(stats(fixture)->marked, 0);
}

/* --- errors --- */

/* A set of which every kind of thing is to be read, and one block, which was marked long ago, is
 * to go. */
static void make_due(struct fixture *fixture)
{
    start_collector(fixture, 0);
    fixture->probe.fail_at = -1;
    fixture->entries[1] = store(fixture, 1, slice_of_string("unnamed"));
    good_pass(fixture);
    grace_passes();
    assert_int_equal(stats(fixture)->marked, 1);
}

/* Each call of the pass that deletes fails in its turn. */
static void check_failure(void **state, enum status failure)
{
    struct fixture *fixture = *state;
    struct block_entry mapped;
    unsigned failed_passes = 0;
    bool is_reached = true;
    int calls = 0;
    write_mapped(fixture, "mapped", &mapped);
    store_blocks(fixture, 1);
    write_file(fixture, "file", fixture->entries, 1);
    make_due(fixture);
    fixture->probe.failure = failure;

    while (is_reached) {
        fixture->probe.fail_at = calls;
        unsigned failed = pass(fixture);
        assert_int_equal(has_block(fixture, 1), failed == 1);
        assert_int_equal(fixture->probe.puts, 1 - failed);
        failed_passes += failed;
        is_reached = fixture->probe.calls > calls;
        calls += is_reached ? 1 : 0;
        if (failed == 0) {
            make_due(fixture);
        }
    }

    /* What has the hash that is asked for may come from one copy: if that fails, from all. */
    assert_int_equal(failed_passes, failure == STATUS_TIMEOUT ? calls : calls - 1);
    assert_true(calls > 12);
    assert_true(has_block(fixture, 0));
    assert_true(has_block_at(fixture, MAP_BLOCKS + 1, mapped));
}

static void test_pass__any_call_lacks_its_quorum__nothing_is_deleted(void **state)
{
    check_failure(state, STATUS_NO_QUORUM);
}

static void test_pass__any_call_times_out__nothing_is_deleted(void **state)
{
    check_failure(state, STATUS_TIMEOUT);
}

static void test_pass__path_cannot_be_read__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    store_blocks(fixture, 1);
    write_file(fixture, "file", fixture->entries, 1);
    fixture->probe.failure = STATUS_UNREACHABLE;
    fixture->probe.fails_always = slice_of_string("file");

    assert_int_equal(pass(fixture), 1);
    grace_passes();
    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
}

static void test_pass__map_makes_no_sense__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    uint64_t size = (uint64_t)2 * MAP_BLOCKS * BLOCK_SIZE;
    struct block_entry of_file[2] = {0};
    store_blocks(fixture, 1);
    of_file[0] = store(fixture, 0, slice_of_string("no entries"));
    note_path(fixture, "file");
    put_content(fixture, "file", manifest_of(fixture, of_file, 2, size), size, false);

    assert_int_equal(pass(fixture), 1);
    grace_passes();
    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
}

static void put_internal(struct fixture *fixture, const struct buffer *key, const char *content)
{
    struct version value = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new(slice_of_string(content))};
    struct kv_put put = {.key = buffer_slice(key), .mode = UPDATE_ALL, .value = &value};

    assert_int_equal(kv_put(fixture->kv, &put, &options, NULL), STATUS_OK);
    blob_unref(value.content);
}

static void test_pass__name_in_the_set_makes_no_sense__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *names[] = {"nonsense", "s12", "sABCDEF00", "00000000/x", "hnote", "o12"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buffer key = {0};
        assert_int_equal(block_set_new(&fixture->set), STATUS_OK);
        store_blocks(fixture, 1);
        block_key_set(&key, &fixture->set);
        buffer_append_slice(&key, slice_of_string(names[i]));
        put_internal(fixture, &key, "file");
        assert_int_equal(pass(fixture), i + 1);
        grace_passes();
        assert_int_equal(pass(fixture), i + 1);
        assert_true(has_block(fixture, 0));
        buffer_release(&key);
    }
}

static void test_pass__note_is_of_another_path__set_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct buffer key = {0};
    store_blocks(fixture, 1);
    block_key_path(&key, &fixture->set, slice_of_string("file"));
    put_internal(fixture, &key, "other");
    put_blocks(fixture, "file", fixture->entries, 1, false);
    buffer_release(&key);

    assert_int_equal(pass(fixture), 1);
    grace_passes();
    assert_int_equal(pass(fixture), 1);

    assert_true(has_block(fixture, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_pass__touched_between__block_stays_a_grace_time_longer),
        TEST(test_pass__touched_just_before_the_delete__block_stays),
        TEST(test_pass__path_named_while_it_looks__set_is_left_alone),
        TEST(test_pass__held_while_it_looks__set_is_left_alone),
        TEST(test_pass__path_noted_again_while_it_looks__set_is_left_alone),
        TEST(test_pass__looking_takes_time__the_grace_time_is_whole),
        TEST(test_pass__file_moves_behind_the_reader__set_is_left_alone),
        TEST(test_pass__any_call_lacks_its_quorum__nothing_is_deleted),
        TEST(test_pass__any_call_times_out__nothing_is_deleted),
        TEST(test_pass__path_cannot_be_read__set_is_left_alone),
        TEST(test_pass__map_makes_no_sense__set_is_left_alone),
        TEST(test_pass__name_in_the_set_makes_no_sense__set_is_left_alone),
        TEST(test_pass__note_is_of_another_path__set_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
