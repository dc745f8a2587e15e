/*
 * test_hints_disk.c - hints over restarts, on a full disk, and where bytes are damaged.
 *
 * Rules: what is kept is counted for each owner, also after a restart; a hint is as durable as
 *        its request asks; what fails leaves nothing half done; a hint that cannot be read is
 *        CORRUPT and never "none", and does not stand in the way of others.
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

static void hand_over(struct house *house, const char *key, const char *content, node_id owner)
{
    struct object *object = !content ? NULL : object_of(3, 10, content);

    apply_expect(house->fixture, hint_request(key, object, owner, 0), STATUS_OK);
}

static void drop(struct house *house, node_id owner, enum hint_kind kind, const char *key)
{
    uint64_t stamp = stored_stamp(house, owner, kind, key);

    assert_true(stamp != 0);
    apply_expect(house->fixture, clear_hint_request(owner, kind, key, stamp), STATUS_OK);
}

static void assert_owner(struct house *house, node_id owner, uint64_t count, uint64_t bytes,
                         uint64_t oldest_us)
{
    struct hint_owner found = stored_owner(house, owner);

    assert_int_equal(found.count, count);
    assert_int_equal(found.bytes, bytes);
    assert_int_equal(found.oldest_us, oldest_us);
}

static void test_owners__hints_come_and_go__are_counted_also_after_a_restart(void **state)
{
    struct house *house = *state;
    /* Owner, kind, key of one letter, stamp, creation. */
    const uint64_t marker_bytes = 8 + 1 + 1 + 8 + 8;

    assert_owner(house, ANNA, 0, 0, 0);
    hand_over(house, "a", NULL, ANNA);
    house->fixture->wall_us += 1000;
    hand_over(house, "b", "one", ANNA);
    house->fixture->wall_us += 1000;
    hand_over(house, "a", NULL, ANNA);
    hand_over(house, "c", NULL, ANNA);
    hand_over(house, "c", NULL, BERT);
    struct hint_owner anna = stored_owner(house, ANNA);
    assert_int_equal(anna.count, 3);
    assert_int_equal(anna.oldest_us, FIXTURE_WALL_US);
    assert_true(anna.bytes > 3 * marker_bytes);

    for (int clean = 0; clean <= 1; clean++) {
        house_restart(house, clean);
        assert_owner(house, ANNA, 3, anna.bytes, FIXTURE_WALL_US);
        assert_owner(house, BERT, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    }
    drop(house, ANNA, HINT_MARKER, "a");
    assert_owner(house, ANNA, 2, anna.bytes - marker_bytes, FIXTURE_WALL_US + 1000);
    drop(house, ANNA, HINT_OBJECT, "b");
    assert_owner(house, ANNA, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    drop(house, BERT, HINT_MARKER, "c");
    assert_owner(house, BERT, 0, 0, 0);
    house_restart(house, false);
    assert_owner(house, ANNA, 1, marker_bytes, FIXTURE_WALL_US + 2000);
    assert_owner(house, BERT, 0, 0, 0);
}

static void test_owners__object_grows_and_is_merged__bytes_follow(void **state)
{
    struct house *house = *state;

    hand_over(house, "a", "one", ANNA);
    struct hint_owner before = stored_owner(house, ANNA);
    apply_expect(house->fixture,
                 hint_request("a", object_of(4, 20, "a longer content"), ANNA, 0), STATUS_OK);
    struct hint_owner after = stored_owner(house, ANNA);
    house_restart(house, true);
    struct hint_owner counted = stored_owner(house, ANNA);

    assert_int_equal(after.count, 1);
    assert_true(after.bytes > before.bytes + strlen("a longer content"));
    assert_int_equal(counted.bytes, after.bytes);
}

static void test_owners__more_than_a_cluster_has__are_busy_until_one_is_served(void **state)
{
    struct house *house = *state;

    for (node_id owner = 1; owner <= MEMBERS_MAX; owner++) {
        hand_over(house, "k", NULL, owner);
    }
    apply_expect(house->fixture, hint_request("k", NULL, MEMBERS_MAX + 1, 5), STATUS_BUSY);
    hand_over(house, "l", NULL, 5);
    drop(house, 77, HINT_MARKER, "k");
    apply_expect(house->fixture, hint_request("k", NULL, MEMBERS_MAX + 1, 0), STATUS_OK);

    struct store_result result = apply(house->fixture, plain_request(STORE_HINT_OWNERS));
    assert_int_equal(result.owners.count, MEMBERS_MAX);
    store_result_release(&result);
    assert_int_equal(stored_owner(house, 77).count, 0);
    assert_int_equal(stored_owner(house, 5).count, 2);
    assert_int_equal(stored_owner(house, MEMBERS_MAX + 1).count, 1);
}

static void test_stamps__after_a_restart__go_on_above_all_that_are_stored(void **state)
{
    struct house *house = *state;

    for (int i = 0; i < 10; i++) {
        hand_over(house, "a", NULL, ANNA);
    }
    uint64_t before = stored_stamp(house, ANNA, HINT_MARKER, "a");
    house_restart(house, false);
    hand_over(house, "b", NULL, ANNA);

    assert_true(stored_stamp(house, ANNA, HINT_MARKER, "b") > before);
    assert_int_equal(stored_stamp(house, ANNA, HINT_MARKER, "a"), before);
}

static void test_sync__is_passed_on_to_the_hints_and_costs_the_others_nothing(void **state)
{
    struct house *house = *state;
    struct store_request requests[] = {
        put_request("main", NULL, "one"),
        hint_request("k", object_of(3, 10, "one"), ANNA, BERT),
        fallback_request("l", NULL, "one", ANNA, BERT),
        hint_request("m", NULL, ANNA, 0),
    };
    struct store_result results[4];

    requests[1].sync = true;
    requests[2].sync = true;
    apply_group(house->fixture, requests, 4, results);

    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(status_name(results[i].status), "ok");
        store_result_release(&results[i]);
    }
    assert_int_equal(house->spy.batches, 3);
    assert_int_equal(house->spy.synced_batches, 2);
    assert_int_equal(house->fixture->spy.batches, 1);
    assert_int_equal(house->fixture->spy.synced_batches, 0);
}

static void test_sync__fallback_with_row__reaches_both_engines(void **state)
{
    struct house *house = *state;
    struct store_request request = fallback_request("d/k", NULL, "one", ANNA, BERT);

    request.coordinate.with_row = true;
    request.sync = true;
    apply_expect(house->fixture, request, STATUS_OK);

    assert_int_equal(house->spy.synced_batches, 1);
    assert_int_equal(house->fixture->spy.synced_batches, 1);
}

/* The clean mark says that nothing was lost: so the hints must be on the disk before it. */
static void test_sync__clean_stop__syncs_the_hints_before_the_clean_mark(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", "one", ANNA);
    assert_int_equal(house->spy.synced_batches, 0);
    atomic_store(&house->fixture->spy.write_failure, STATUS_IO);
    assert_int_equal(store_state_close(&house->fixture->state), STATUS_IO);
    assert_int_equal(house->spy.synced_batches, 1);
}

static void test_sync__hints_fail_at_a_clean_stop__leaves_no_clean_mark(void **state)
{
    struct house *house = *state;

    atomic_store(&house->spy.write_failure, STATUS_IO);
    assert_int_equal(store_state_close(&house->fixture->state), STATUS_IO);
    house_restart(house, false);

    assert_false(house->fixture->identity.was_clean);
}

static void test_no_space__hints_are_full__nothing_is_half_done(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request requests[] = {
        put_request("main", NULL, "one"),
        hint_request("k", object_of(3, 10, "one"), ANNA, BERT),
        fallback_request("d/l", NULL, "one", ANNA, BERT),
        clear_hint_request(CARL, HINT_MARKER, "k", 0),
    };
    struct store_result results[4];

    hand_over(house, "k", NULL, CARL);
    requests[2].coordinate.with_row = true;
    requests[3].clear_hints.hints[0].stamp = stored_stamp(house, CARL, HINT_MARKER, "k");
    atomic_store(&house->spy.write_failure, STATUS_NO_SPACE);
    apply_group(fixture, requests, 4, results);
    atomic_store(&house->spy.write_failure, STATUS_OK);

    assert_string_equal(status_name(results[0].status), "ok");
    for (size_t i = 1; i < 4; i++) {
        assert_string_equal(status_name(results[i].status), "no_space");
        assert_null(results[i].object);
    }
    for (size_t i = 0; i < 4; i++) {
        store_result_release(&results[i]);
    }
    assert_int_equal(stored_owner(house, ANNA).count, 0);
    assert_int_equal(stored_owner(house, BERT).count, 0);
    assert_int_equal(stored_owner(house, CARL).count, 1);
    assert_null(stored_row(fixture, "d/", "l"));
    assert_int_equal(stored_intent(fixture, INTENT_REVIVE, "d/"), 0);
    hand_over(house, "k", "one", ANNA);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    house_restart(house, false);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    assert_int_equal(stored_owner(house, BERT).count, 0);
}

/* The put is indeterminate: its object is kept for the owners, but no answer says so. */
static void test_no_space__data_are_full__fallback_with_row_fails_others_do_not(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request requests[] = {
        hint_request("k", object_of(3, 10, "one"), ANNA, 0),
        fallback_request("d/l", NULL, "one", BERT, 0),
        fallback_request("m", NULL, "one", CARL, 0),
        for_owners(get_request("k"), ANNA, 0),
    };
    struct store_result results[4];

    requests[1].coordinate.with_row = true;
    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    apply_group(fixture, requests, 4, results);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);

    assert_string_equal(status_name(results[0].status), "ok");
    assert_string_equal(status_name(results[1].status), "no_space");
    assert_string_equal(status_name(results[2].status), "ok");
    assert_content(results[3].object, "one");
    for (size_t i = 0; i < 4; i++) {
        store_result_release(&results[i]);
    }
    assert_null(stored_row(fixture, "d/", "l"));
}

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
        hand_over(house, "b", "one", ANNA);
        overwrite_hint(house, ANNA, HINT_OBJECT, "b", damage);

        apply_expect(fixture, list_hints_request(ANNA, 10), STATUS_CORRUPT);
        apply_expect(fixture, for_owners(get_request("b"), ANNA, BERT), STATUS_CORRUPT);
        apply_expect(fixture, hint_request("b", object_of(4, 20, "two"), ANNA, 0),
                     STATUS_CORRUPT);
        apply_expect(fixture, fallback_request("b", NULL, "two", BERT, ANNA), STATUS_CORRUPT);
        assert_int_equal(stored_owner(house, BERT).count, 0);

        hand_over(house, "a", "one", ANNA);
        hand_over(house, "c", "one", ANNA);
        assert_int_equal(count_hints(house, ANNA), 2);
        house_restart(house, true);
        assert_int_equal(stored_owner(house, ANNA).count, i < 2 ? 2 : 3);
        assert_int_equal(count_hints(house, ANNA), 2);
        drop(house, ANNA, HINT_OBJECT, "a");
        drop(house, ANNA, HINT_OBJECT, "c");
        apply_expect(fixture, list_hints_request(ANNA, 10), STATUS_CORRUPT);
        enum status status = hints_any_for_key(&fixture->state, slice_of_string("b"), &any);
        assert_string_equal(status_name(status), i < 2 ? "corrupt" : "ok");
        assert_true(i < 2 || any);
        assert_false(has_any_hint(house, "c"));
        delete_hint(house, ANNA, HINT_OBJECT, "b");
    }
}

/* The record is whole, but a content is not the one that was hashed. */
static void test_damage__content_fails_its_checksum__is_corrupt(void **state)
{
    struct house *house = *state;
    struct buffer value = {0};
    struct buffer key = {0};

    hand_over(house, "b", "some content", ANNA);
    layout_hint(&key, ANNA, HINT_OBJECT, slice_of_string("b"));
    assert_int_equal(house->disk->operations->get(house->disk, buffer_slice(&key), &value),
                     STATUS_OK);
    uint8_t *content = memmem(value.data, value.size, "some content", 12);
    assert_non_null(content);
    content[3] ^= 1;
    overwrite_hint(house, ANNA, HINT_OBJECT, "b", buffer_slice(&value));
    hand_over(house, "c", "one", ANNA);

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

    hand_over(house, "a", "one", ANNA);
    hand_over(house, "b", "one", ANNA);
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

    hand_over(house, "oldest", NULL, ANNA);
    house->fixture->wall_us += 500;
    for (int i = 0; i < 700; i++) {
        (void)snprintf(name, sizeof name, "k%03d", i);
        hand_over(house, name, "one", i % 2 == 0 ? ANNA : BERT);
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
    hand_over(house, "k100", "one", ANNA);
    for (int i = 1; i < 700; i += 2) {
        (void)snprintf(name, sizeof name, "k%03d", i);
        if (i != 101) {
            drop(house, BERT, HINT_OBJECT, name);
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

    hand_over(house, "k", "one", ANNA);
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
    hand_over(house, "a", "one", ANNA);
    hand_over(house, "b", "one", ANNA);
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
    hand_over(house, "b", "one", ANNA);
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

    hand_over(house, "old", "one", ANNA);
    hand_over(house, "mark", NULL, ANNA);
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

    hand_over(house, "a", "one", ANNA);
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
        hand_over(house, name, content, ANNA);
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
    hand_over(house, "new", "one", BERT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_BOTH(test_owners__hints_come_and_go__are_counted_also_after_a_restart),
        HOUSE_ON_BOTH(test_owners__object_grows_and_is_merged__bytes_follow),
        HOUSE_ON_MEMORY(test_owners__more_than_a_cluster_has__are_busy_until_one_is_served),
        HOUSE_ON_BOTH(test_stamps__after_a_restart__go_on_above_all_that_are_stored),
        HOUSE_ON_MEMORY(test_sync__is_passed_on_to_the_hints_and_costs_the_others_nothing),
        HOUSE_ON_MEMORY(test_sync__fallback_with_row__reaches_both_engines),
        HOUSE_ON_MEMORY(test_sync__clean_stop__syncs_the_hints_before_the_clean_mark),
        HOUSE_ON_MEMORY(test_sync__hints_fail_at_a_clean_stop__leaves_no_clean_mark),
        HOUSE_ON_MEMORY(test_no_space__hints_are_full__nothing_is_half_done),
        HOUSE_ON_MEMORY(test_no_space__data_are_full__fallback_with_row_fails_others_do_not),
        HOUSE_ON_BOTH(test_damage__bytes_are_no_hint__is_corrupt_and_blocks_no_other),
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
