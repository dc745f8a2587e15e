/*
 * test_hints_damage.c - hints where bytes are damaged, or the database was salvaged.
 *
 * Rules: a hint that cannot be read is CORRUPT and never "none", and does not stand in the way
 *        of others; a salvage keeps what can be read, and nothing that may be old by then is
 *        used; the own copies and the hints are damaged and salvaged each for themselves.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/layout.h"
#include "tests/store/house.h"

/* Takes what the buffer holds. */
static void delete_key(struct house *house, struct buffer *key)
{
    struct engine_write write = {.key = buffer_slice(key), .is_delete = true};

    assert_false(key->failed);
    assert_int_equal(house->disk->operations->write(house->disk, &write, 1, false), STATUS_OK);
    buffer_release(key);
}

static void delete_hint(struct house *house, node_id owner, enum hint_kind kind,
                        const char *name)
{
    struct buffer key = {0};

    layout_hint(&key, owner, (char)kind, slice_of_string(name));
    delete_key(house, &key);
}

static void test_damage__bytes_are_no_hint__is_corrupt_and_blocks_no_other(void **state)
{
    static const char *const damages[] = {"", "short", "sixteen bytes 1234 and no record"};
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    bool any = false;

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct slice damage = slice_of_string(damages[i]);
        house_keep(house, "b", "one", ANNA);
        overwrite_hint(house, ANNA, HINT_OBJECT, "b", damage);

        apply_expect(fixture, list_hints_request(ANNA, 10), STATUS_CORRUPT);
        apply_expect(fixture, for_owners(get_request("b"), ANNA, BERT), STATUS_CORRUPT);
        apply_expect(fixture, hint_request("b", object_of(4, 20, "two"), ANNA, 0),
                     STATUS_CORRUPT);
        apply_expect(fixture, fallback_request("b", NULL, "two", BERT, ANNA), STATUS_CORRUPT);
        assert_int_equal(stored_owner(house, BERT).count, 0);

        house_keep(house, "a", "one", ANNA);
        house_keep(house, "c", "one", ANNA);
        assert_int_equal(count_hints(house, ANNA), 2);
        house_restart(house, true);
        assert_int_equal(stored_owner(house, ANNA).count, i < 2 ? 2 : 3);
        assert_int_equal(count_hints(house, ANNA), 2);
        house_drop(house, ANNA, HINT_OBJECT, "a");
        house_drop(house, ANNA, HINT_OBJECT, "c");
        apply_expect(fixture, list_hints_request(ANNA, 10), STATUS_CORRUPT);
        enum status status = hints_any_for_key(&fixture->state, slice_of_string("b"), &any);
        assert_string_equal(status_name(status), i < 2 ? "corrupt" : "ok");
        assert_true(i < 2 || any);
        assert_false(has_any_hint(house, "c"));
        delete_hint(house, ANNA, HINT_OBJECT, "b");
    }
}

/* It has no record that would tell. */
static void test_damage__bytes_are_no_marker__is_corrupt(void **state)
{
    struct house *house = *state;

    house_keep(house, "m", NULL, ANNA);
    overwrite_hint(house, ANNA, HINT_MARKER, "m", slice_of_string("short"));

    apply_expect(house->fixture, list_hints_request(ANNA, 10), STATUS_CORRUPT);
}

/* The record is whole, but a content is not the one that was hashed. */
static void test_damage__content_fails_its_checksum__is_corrupt(void **state)
{
    struct house *house = *state;
    struct buffer value = {0};
    struct buffer key = {0};

    house_keep(house, "b", "some content", ANNA);
    layout_hint(&key, ANNA, HINT_OBJECT, slice_of_string("b"));
    assert_int_equal(house->disk->operations->get(house->disk, buffer_slice(&key), &value),
                     STATUS_OK);
    uint8_t *content = memmem(value.data, value.size, "some content", 12);
    assert_non_null(content);
    content[3] ^= 1;
    overwrite_hint(house, ANNA, HINT_OBJECT, "b", buffer_slice(&value));
    house_keep(house, "c", "one", ANNA);

    apply_expect(house->fixture, for_owners(get_request("b"), ANNA, 0), STATUS_CORRUPT);
    assert_int_equal(count_hints(house, ANNA), 1);
    buffer_release(&value);
    buffer_release(&key);
}

static void test_damage__clear_of_several__drops_those_that_can_be_read(void **state)
{
    struct house *house = *state;
    struct store_request request = clear_hint_request(ANNA, HINT_OBJECT, "a", 1);
    struct store_request other = clear_hint_request(ANNA, HINT_OBJECT, "b", 0);

    house_keep(house, "a", "one", ANNA);
    house_keep(house, "b", "one", ANNA);
    other.clear_hints.hints[0].stamp = stored_stamp(house, ANNA, HINT_OBJECT, "b");
    overwrite_hint(house, ANNA, HINT_OBJECT, "a", slice_of_string("noise"));
    request.clear_hints.hints =
        realloc(request.clear_hints.hints, 2 * sizeof *request.clear_hints.hints);
    assert_non_null(request.clear_hints.hints);
    request.clear_hints.hints[1] = other.clear_hints.hints[0];
    request.clear_hints.count = 2;
    free(other.clear_hints.hints);

    apply_expect(house->fixture, request, STATUS_OK);
    assert_false(has_any_hint(house, "b"));
    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_OBJECT, "a", 1), STATUS_CORRUPT);
}

/* Stands for an engine that drops what it cannot read. */
static enum status salvage_nothing(struct engine *engine, struct error *error)
{
    (void)engine;
    (void)error;
    return STATUS_OK;
}

static void test_salvage__damaged_hints__keeps_the_others_and_counts_anew(void **state)
{
    struct house *house = *state;
    struct engine_operations operations = *house->spy.base.operations;
    struct error error = {0};
    struct buffer key = {0};
    char name[16];

    house_keep(house, "oldest", NULL, ANNA);
    house->fixture->wall_us += 500;
    for (int i = 0; i < 700; i++) {
        (void)snprintf(name, sizeof name, "k%03d", i);
        house_keep(house, name, "one", i % 2 == 0 ? ANNA : BERT);
    }
    overwrite_hint(house, ANNA, HINT_OBJECT, "k100", slice_of_string("noise"));
    overwrite_hint(house, BERT, HINT_OBJECT, "k101",
                   slice_of_string("noise of 16 bytes at least"));
    /* A hint without its place in the order of age, and a place without its hint. */
    layout_hint_age(&key, BERT, FIXTURE_WALL_US + 500, HINT_OBJECT, slice_of_string("k103"));
    delete_key(house, &key);
    delete_hint(house, ANNA, HINT_MARKER, "oldest");
    operations.salvage = salvage_nothing;
    house->spy.base.operations = &operations;
    (void)count_hints(house, ANNA); /* meets the damage */

    assert_int_equal(hint_store_salvage(&house->fixture->state, 0, &error), STATUS_OK);

    struct hint_owner anna = stored_owner(house, ANNA);
    assert_int_equal(anna.count, 349);
    assert_int_equal(anna.oldest_us, FIXTURE_WALL_US + 500);
    assert_int_equal(count_hints(house, ANNA), 349);
    assert_int_equal(stored_owner(house, BERT).count, 349);
    assert_int_equal(count_hints(house, BERT), 349);
    assert_false(has_any_hint(house, "k100"));
    assert_false(has_any_hint(house, "k101"));
    house_keep(house, "k100", "one", ANNA);
    for (int i = 1; i < 700; i += 2) {
        (void)snprintf(name, sizeof name, "k%03d", i);
        if (i != 101) {
            house_drop(house, BERT, HINT_OBJECT, name);
        }
    }
    assert_int_equal(stored_owner(house, BERT).oldest_us, 0);
}

/* Salvaging brings old states back, and takes long: sound hints are left alone. */
static void test_salvage__no_damage_was_met__does_nothing(void **state)
{
    struct house *house = *state;
    struct engine_operations operations = *house->spy.base.operations;
    struct error error = {0};

    house_keep(house, "k", "one", ANNA);
    (void)count_hints(house, ANNA);
    spy_engine_reset(&house->spy);
    operations.salvage = NULL; /* would be a crash */
    house->spy.base.operations = &operations;

    assert_int_equal(hint_store_salvage(&house->fixture->state, 0, &error), STATUS_OK);

    assert_int_equal(house->spy.batches, 0);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
}

/* The own copies are sound: they are not salvaged, and go on to count. */
static void test_salvage__of_the_hints_only__leaves_the_own_copies_alone(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct engine_operations operations = *fixture->spy.base.operations;
    struct store_request request = plain_request(STORE_SALVAGE);

    apply_expect(fixture, put_request("main", NULL, "one"), STATUS_OK);
    house_keep(house, "a", "one", ANNA);
    house_keep(house, "b", "one", ANNA);
    overwrite_hint(house, ANNA, HINT_OBJECT, "b", slice_of_string("noise"));
    (void)count_hints(house, ANNA);
    struct store_result result =
        apply(fixture, hint_request("b", object_of(4, 20, "two"), ANNA, 0));
    assert_int_equal(result.status, STATUS_CORRUPT);
    assert_true(result.is_hint_damage);
    store_result_release(&result);
    uint64_t issued = atomic_load(&fixture->state.issued);
    operations.salvage = NULL; /* would be a crash */
    fixture->spy.base.operations = &operations;

    request.salvage.hints_only = true;
    apply_expect(fixture, request, STATUS_OK);

    assert_true(fixture->state.trusted_since > issued);
    assert_int_equal(count_hints(house, ANNA), 1);
    house_keep(house, "b", "one", ANNA);
    struct object *object = stored_object(fixture, "main");
    assert_content(object, "one");
    object_unref(object);
    house_restart(house, true);
    assert_true(fixture->identity.is_complete);
    assert_true(fixture->state.trusted_since > issued);
    assert_int_equal(count_hints(house, ANNA), 2);
}

static void join_others(struct house *house)
{
    struct store_request request = plain_request(STORE_SAVE_RING);

    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(3);
    apply_expect(house->fixture, request, STATUS_OK);
}

enum { GRACE_US = 1000000 };

static struct store_request judge_request(void)
{
    struct store_request request = plain_request(STORE_SALVAGE);

    request.salvage.hints_only = true;
    request.salvage.grace_us = GRACE_US;
    return request;
}

/* One that is older than the grace time, one that is not, and an old marker. */
static void keep_old_and_young(struct house *house)
{
    uint64_t young_us = FIXTURE_WALL_US - GRACE_US + 1;

    house_keep(house, "old", "one", ANNA);
    house_keep(house, "mark", NULL, ANNA);
    apply_expect(house->fixture, hint_request("young", object_of(3, young_us, "one"), ANNA, 0),
                 STATUS_OK);
}

static void assert_kept(struct house *house, bool old, bool young)
{
    assert_int_equal(has_any_hint(house, "old"), old);
    assert_int_equal(has_any_hint(house, "young"), young);
    assert_true(has_any_hint(house, "mark"));
    assert_int_equal(count_hints(house, ANNA), 1U + old + young);
    assert_int_equal(stored_owner(house, ANNA).count, 1U + old + young);
}

/* It may have been handed over long ago, then deleted and reaped: nobody would delete it again. */
static void test_salvage__hint_is_older_than_the_grace_time__is_dropped(void **state)
{
    struct house *house = *state;

    join_others(house);
    keep_old_and_young(house);
    assert_kept(house, true, true);

    apply_expect(house->fixture, judge_request(), STATUS_OK);

    assert_kept(house, false, true);
    house_restart(house, false);
    assert_kept(house, false, true);
}

static void test_salvage__nobody_else_has_copies__old_hints_are_kept(void **state)
{
    struct house *house = *state;

    keep_old_and_young(house);

    apply_expect(house->fixture, judge_request(), STATUS_OK);

    assert_kept(house, true, true);
}

static void told_once(struct engine *engine, char *ret_text, size_t size)
{
    (void)engine;
    (void)snprintf(ret_text, size, "000001.ldb");
}

static void assert_not_used(struct house *house)
{
    struct store_request requests[] = {
        plain_request(STORE_HINT_OWNERS), /* a node's first, after its start */
        list_hints_request(ANNA, 10),
        hint_request("old", object_of(4, 20, "two"), ANNA, 0),
        for_owners(get_request("young"), ANNA, 0),
    };

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct store_result result = apply(house->fixture, requests[i]);
        assert_string_equal(status_name(result.status), "corrupt");
        assert_true(result.is_hint_damage);
        store_result_release(&result);
    }
}

/* The start does not know the grace time, so nothing is used before a STORE_SALVAGE tells it. */
static void test_open__engine_was_salvaged__hints_are_judged_before_they_are_used(void **state)
{
    struct house *house = *state;
    struct engine_operations operations = *house->spy.base.operations;
    struct error error = {0};

    join_others(house);
    keep_old_and_young(house);
    hint_store_release(&house->fixture->state);
    operations.last_corruption = told_once;
    house->spy.base.operations = &operations;
    assert_int_equal(store_hints_open(&house->fixture->state, &house->spy.base, &error),
                     STATUS_OK);

    assert_not_used(house);
    house_restart(house, false); /* before anybody did; the engine has forgotten it */
    assert_not_used(house);
    apply_expect(house->fixture, judge_request(), STATUS_OK);

    assert_kept(house, false, true);
    house_restart(house, false);
    assert_kept(house, false, true);
}

static void test_damage__of_an_own_copy__is_not_of_the_hints(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct buffer key = {0};

    house_keep(house, "a", "one", ANNA);
    layout_object(&key, FIXTURE_PARTITIONS, slice_of_string("k"));
    struct engine_write write = {.key = buffer_slice(&key), .value = slice_of_string("noise")};
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
    buffer_release(&key);

    struct store_result result = apply(fixture, get_request("k"));

    assert_int_equal(result.status, STATUS_CORRUPT);
    assert_false(result.is_hint_damage);
    store_result_release(&result);
}

static void test_open__newer_format__is_refused(void **state)
{
    struct house *house = *state;
    uint8_t number[8] = {[7] = 2};
    struct buffer key = {0};
    struct error error;

    layout_hint_owner(&key, 0);
    buffer_append_slice(&key, slice_of_string("format"));
    struct engine_write write = {.key = buffer_slice(&key),
                                 .value = slice_of(number, sizeof number)};
    assert_int_equal(house->disk->operations->write(house->disk, &write, 1, true), STATUS_OK);
    buffer_release(&key);
    hint_store_release(&house->fixture->state);

    assert_int_equal(house_open_hints(house, &error), STATUS_BAD_VERSION);
    assert_int_equal(error.code, STATUS_BAD_VERSION);
    assert_non_null(strstr(error.text, "hints"));
    assert_null(house->fixture->state.hints);
}

/* The largest table of the hints' database. */
static void find_table(const struct house *house, char path[512])
{
    char database[128];
    off_t largest = -1;

    (void)snprintf(database, sizeof database, "%s/hints/db", house->fixture->directory);
    DIR *listing = opendir(database);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
        const char *dot = strrchr(entry->d_name, '.');
        char candidate[512];
        struct stat information;
        (void)snprintf(candidate, sizeof candidate, "%s/%s", database, entry->d_name);
        if (!dot || strcmp(dot, ".ldb") != 0) {
            continue;
        }
        assert_int_equal(stat(candidate, &information), 0);
        if (information.st_size > largest) {
            largest = information.st_size;
            memcpy(path, candidate, sizeof candidate);
        }
    }
    closedir(listing);
    assert_true(largest > 100 << 10);
}

static void test_damage__block_of_the_database__others_are_still_listed(void **state)
{
    enum { HINTS = 200, SIZE = 3000 };
    struct house *house = *state;
    uint64_t noise = 1;
    char content[SIZE + 1];
    char path[512];
    bool any = false;

    for (int i = 0; i < HINTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "k%03d", i);
        fill_noise(&noise, (uint8_t *)content, SIZE);
        for (int j = 0; j < SIZE; j++) {
            content[j] = (char)(content[j] | 1);
        }
        content[SIZE] = '\0';
        house_keep(house, name, content, ANNA);
    }
    house_restart(house, true); /* twice: opening turns the log into a table */
    house_close_hints(house);
    find_table(house, path);
    int file = open(path, O_WRONLY);
    assert_true(file >= 0);
    fill_noise(&noise, (uint8_t *)content, 512);
    assert_int_equal(pwrite(file, content, 512, 100 << 10), 512);
    close(file);

    struct error error;
    if (house_open_hints(house, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    size_t count = count_hints(house, ANNA);
    assert_in_range(count, HINTS - 8, HINTS - 1);
    assert_int_equal(stored_owner(house, ANNA).count, count);
    /* It may be among those that cannot be read. */
    assert_int_equal(hints_any_for_key(&house->fixture->state, slice_of_string("other"), &any),
                     STATUS_CORRUPT);
    house_keep(house, "new", "one", BERT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_BOTH(test_damage__bytes_are_no_hint__is_corrupt_and_blocks_no_other),
        HOUSE_ON_BOTH(test_damage__bytes_are_no_marker__is_corrupt),
        HOUSE_ON_BOTH(test_damage__content_fails_its_checksum__is_corrupt),
        HOUSE_ON_MEMORY(test_damage__clear_of_several__drops_those_that_can_be_read),
        HOUSE_ON_MEMORY(test_salvage__damaged_hints__keeps_the_others_and_counts_anew),
        HOUSE_ON_MEMORY(test_salvage__no_damage_was_met__does_nothing),
        HOUSE_ON_BOTH(test_salvage__of_the_hints_only__leaves_the_own_copies_alone),
        HOUSE_ON_BOTH(test_salvage__hint_is_older_than_the_grace_time__is_dropped),
        HOUSE_ON_BOTH(test_salvage__nobody_else_has_copies__old_hints_are_kept),
        HOUSE_ON_MEMORY(test_open__engine_was_salvaged__hints_are_judged_before_they_are_used),
        HOUSE_ON_BOTH(test_damage__of_an_own_copy__is_not_of_the_hints),
        HOUSE_ON_MEMORY(test_open__newer_format__is_refused),
        HOUSE_ON_LEVELDB(test_damage__block_of_the_database__others_are_still_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
