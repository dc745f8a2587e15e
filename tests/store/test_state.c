/*
 * test_state.c - identity, ring, and counters across restarts.
 *
 * Rules: the identity is made once; counters are unique and ascend, also across a crash and
 *        with a clock that jumps back; the lease is synced before it is used; after an unclean
 *        stop no older own pair is extended; what is newer or damaged is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/birth.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/store/settings.h"
#include "tests/store/fixture.h"

static uint64_t next_counter(struct fixture *fixture)
{
    uint64_t counter = 0;

    assert_int_equal(store_state_counter(&fixture->state, 0, fixture->wall_us, &counter),
                     STATUS_OK);
    return counter;
}

static void set_setting(struct fixture *fixture, const char *name, const uint64_t *number)
{
    struct buffer key = {0};
    uint8_t bytes[NUMBER_SIZE];
    struct engine_write write = {.is_delete = !number};

    layout_setting(&key, name);
    write.key = buffer_slice(&key);
    if (number) {
        number_encode(*number, bytes);
        write.value = slice_of(bytes, sizeof bytes);
    }
    assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                     STATUS_OK);
    buffer_release(&key);
}

static uint64_t setting_of(struct fixture *fixture, const char *name)
{
    uint64_t number = 0;

    assert_int_equal(settings_read_number(fixture->disk, name, &number), STATUS_OK);
    return number;
}

static enum status try_open(struct fixture *fixture, struct error *error)
{
    struct store_state other;
    struct store_identity identity;

    memset(error, 0, sizeof *error);
    enum status status =
        store_state_open(&other, fixture->disk, 1, fixture->wall_us, &identity, error);
    store_state_release(&other);
    return status;
}

/* The block of the settings is damaged: they are in a file beside the database as well. */
static void test_state__settings_damaged__are_taken_from_beside_the_database(void **state)
{
    static const char *const names[] = {"node", "format", "ring", "clean"};
    struct fixture *fixture = *state;
    struct store_request request = plain_request(STORE_SAVE_RING);

    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(fixture, request, STATUS_OK);
    apply_expect(fixture, put_request("k", NULL, "one"), STATUS_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buffer key = {0};
        uint64_t counter = next_counter(fixture);
        layout_setting(&key, names[i]);
        struct engine_write write = {.key = buffer_slice(&key),
                                     .value = slice_of_string("noise")};
        assert_int_equal(store_state_close(&fixture->state), STATUS_OK);
        assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, true),
                         STATUS_OK);
        buffer_release(&key);

        struct error error = {0};
        assert_int_equal(store_state_open(&fixture->state, fixture->disk, 1, fixture->wall_us,
                                          &fixture->identity, &error),
                         STATUS_OK);

        assert_int_equal(fixture->identity.node, FIXTURE_NODE);
        assert_true(fixture->identity.has_ring);
        assert_int_equal(fixture->identity.ring.cluster_id, 99);
        assert_false(fixture->identity.was_clean);
        assert_true(next_counter(fixture) > counter);
        assert_true(fixture->state.trusted_since > counter);
        struct object *object = stored_object(fixture, "k");
        assert_content(object, "one");
        object_unref(object);
    }
}

static void test_state__new_store__takes_the_random_id_and_counts_as_clean(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture->identity.node, FIXTURE_NODE);
    assert_true(fixture->identity.was_clean);
    assert_false(fixture->identity.has_ring);
    assert_int_equal(fixture->state.trusted_since, 0);
}

static void test_state__restarted__keeps_identity_and_ring(void **state)
{
    struct fixture *fixture = *state;

    for (int clean = 0; clean <= 1; clean++) {
        fixture_restart(fixture, clean);

        assert_int_equal(fixture->identity.node, FIXTURE_NODE);
        assert_int_equal(fixture->identity.was_clean, clean);
        assert_true(fixture->identity.has_ring);
        assert_int_equal(fixture->identity.ring.cluster_id, 99);
        assert_int_equal(fixture->state.partition_count, FIXTURE_PARTITIONS);
        assert_int_equal(fixture->identity.ring.member_count, 1);
    }
}

static void test_state__counters__ascend_across_every_kind_of_restart(void **state)
{
    struct fixture *fixture = *state;
    uint64_t last = next_counter(fixture);

    assert_true(last >= fixture->wall_us);
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 100; i++) {
            uint64_t counter = next_counter(fixture);
            assert_true(counter > last);
            last = counter;
        }
        if (round == 3) {
            fixture->wall_us -= UINT64_C(3600000000);
        }
        fixture_restart(fixture, round % 2 == 0);
        uint64_t counter = next_counter(fixture);
        assert_true(counter > last);
        last = counter;
    }
}

static void test_state__clean_restart__does_not_run_ahead_of_the_clock(void **state)
{
    struct fixture *fixture = *state;

    fixture_restart(fixture, true);
    fixture->wall_us += 10;

    assert_int_equal(next_counter(fixture), fixture->wall_us);
}

static void test_state__lease__is_on_disk_and_synced_before_it_is_used(void **state)
{
    struct fixture *fixture = *state;
    struct buffer key = {0};
    layout_setting(&key, "counter_lease");

    for (int i = 0; i < 40; i++) {
        struct buffer value = {0};
        uint64_t lease = 0;

        fixture->wall_us += 1000000;
        uint64_t counter = next_counter(fixture);
        assert_int_equal(
            fixture->disk->operations->get(fixture->disk, buffer_slice(&key), &value),
            STATUS_OK);
        assert_true(number_decode(buffer_slice(&value), &lease));
        assert_true(counter <= lease);
        buffer_release(&value);
    }
    /* 40 s in leases of 2 s, renewed when less than half of one is left. */
    assert_int_equal(atomic_load(&fixture->spy.batches),
                     atomic_load(&fixture->spy.synced_batches));
    assert_in_range(atomic_load(&fixture->spy.batches), 18, 22);
    buffer_release(&key);
}

static void test_state__lease_cannot_be_renewed__counters_end_at_the_mark(void **state)
{
    struct fixture *fixture = *state;
    uint64_t counter = 0;

    atomic_store(&fixture->spy.write_failure, STATUS_NO_SPACE);
    fixture->wall_us += COUNTER_LEASE_US - 500000;
    assert_int_equal(store_state_counter(&fixture->state, 0, fixture->wall_us, &counter),
                     STATUS_OK);
    assert_false(store_state_has_lease(&fixture->state, fixture->wall_us));
    fixture->wall_us += 2000000;
    assert_int_equal(store_state_counter(&fixture->state, 0, fixture->wall_us, &counter),
                     STATUS_NO_SPACE);
    atomic_store(&fixture->spy.write_failure, STATUS_OK);
    assert_int_equal(store_state_counter(&fixture->state, 0, fixture->wall_us, &counter),
                     STATUS_OK);
    assert_true(store_state_has_lease(&fixture->state, fixture->wall_us));
}

/* Forty crashes within a second, with writes in between: the readings stay near the clock. */
static void test_state__many_crashes__counters_stay_near_the_clock(void **state)
{
    struct fixture *fixture = *state;
    uint64_t last = 0;

    for (int crash = 0; crash < 40; crash++) {
        fixture->wall_us += 25000;
        fixture_restart(fixture, false);
        for (int i = 0; i < 5; i++) {
            uint64_t counter = next_counter(fixture);
            assert_true(counter > last);
            assert_true(counter <= fixture->wall_us + 2 * COUNTER_LEASE_US);
            last = counter;
        }
    }
    fixture->wall_us += 2 * COUNTER_LEASE_US;
    assert_int_equal(next_counter(fixture), fixture->wall_us);
}

/* Ahead of a clock that was set back, a lease costs a sync for thousands of counters. */
static void test_state__clock_set_back__counters_go_on_in_small_leases(void **state)
{
    struct fixture *fixture = *state;
    uint64_t last = next_counter(fixture);

    fixture->wall_us -= UINT64_C(3600000000);
    for (int crash = 0; crash < 10; crash++) {
        fixture_restart(fixture, false);
        uint64_t first = next_counter(fixture);
        assert_true(first > last && first < last + 2 * COUNTER_LEASE_US);
        spy_engine_reset(&fixture->spy);
        for (int i = 0; i < 5 * COUNTER_STEP_US; i++) {
            last = next_counter(fixture);
        }
        assert_int_equal(last, first + 5 * COUNTER_STEP_US);
        assert_in_range(atomic_load(&fixture->spy.synced_batches), 5, 11);
    }
}

static void test_state__counter_floor__is_exceeded(void **state)
{
    struct fixture *fixture = *state;
    uint64_t floor = fixture->wall_us + 50000000;
    uint64_t counter = 0;

    assert_int_equal(store_state_counter(&fixture->state, floor, fixture->wall_us, &counter),
                     STATUS_OK);
    assert_int_equal(counter, floor + 1);
    fixture_restart(fixture, false);
    assert_true(next_counter(fixture) > floor + 1);
}

/* Puts to one key before and after a restart; true if the own pair was extended. */
static bool is_extended_over(struct fixture *fixture, bool clean)
{
    struct store_result before = apply(fixture, put_request("f", NULL, "1"));
    assert_int_equal(before.status, STATUS_OK);

    fixture_restart(fixture, clean);
    struct store_result after = apply(fixture, put_request("f", before.object, "2"));
    assert_int_equal(after.status, STATUS_OK);
    bool is_extended = actor_equal(before.object->own, after.object->own);
    assert_int_equal(after.object->clock.count, is_extended ? 1 : 2);
    store_result_release(&before);
    store_result_release(&after);
    return is_extended;
}

static void test_state__unclean_stop__own_pair_is_not_extended(void **state)
{
    assert_false(is_extended_over(*state, false));
}

static void test_state__clean_stop__own_pair_is_extended(void **state)
{
    assert_true(is_extended_over(*state, true));
}

static uint64_t vouch(struct fixture *fixture, node_id member, uint64_t incarnation,
                      uint64_t nonce)
{
    struct store_request request = {
        .operation = STORE_VOUCH,
        .vouch = {.node = member, .incarnation = incarnation, .nonce = nonce}};
    struct store_result result = apply(fixture, request);
    assert_int_equal(result.status, STATUS_OK);
    uint64_t before = result.incarnation;
    store_result_release(&result);
    return before;
}

static void test_vouch__starts_of_a_member__are_remembered(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(vouch(fixture, 7, 4, 40), 0);
    assert_int_equal(vouch(fixture, 7, 4, 40), 0); /* the answer was lost, it asks again */
    spy_engine_reset(&fixture->spy);
    assert_int_equal(vouch(fixture, 7, 5, 50), 4);
    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);
    fixture_restart(fixture, false);
    assert_int_equal(vouch(fixture, 7, 5, 50), 4);
    assert_int_equal(vouch(fixture, 7, 5, 51), 5); /* another start of the same number */
    assert_int_equal(vouch(fixture, 7, 3, 30), 5);
    assert_int_equal(vouch(fixture, 7, 6, 60), 5);
    assert_int_equal(vouch(fixture, 8, 1, 10), 0);
}

static void test_state__incarnation__grows_with_each_start(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture->identity.incarnation, 1);
    fixture_restart(fixture, true);
    assert_int_equal(fixture->identity.incarnation, 2);
    fixture_restart(fixture, false);
    assert_int_equal(fixture->identity.incarnation, 3);
    assert_int_equal(store_state_trust(&fixture->state, 9), STATUS_OK);
    fixture_restart(fixture, true);
    assert_int_equal(fixture->identity.incarnation, 10);
}

/* Somebody holds a write of this node that this node never made. */
static void test_merge__it_knows_more_of_this_node__own_pairs_are_left(void **state)
{
    struct fixture *fixture = *state;
    struct store_result before = apply(fixture, put_request("f", NULL, "1"));
    uint64_t known = atomic_load(&fixture->state.issued);
    struct object *news = object_of(FIXTURE_NODE, known + 1000, "lost");
    struct object *far =
        object_of(FIXTURE_NODE, fixture->wall_us + 2 * COUNTER_AHEAD_MAX_US, "far");
    struct object *old = object_of(FIXTURE_NODE, known, "known");

    struct store_result result = apply(fixture, merge_request("g", old, REPLICA_OBJECT));
    assert_false(result.is_outdone);
    store_result_release(&result);
    result = apply(fixture, merge_request("h", far, REPLICA_OBJECT));
    assert_false(result.is_outdone);
    store_result_release(&result);
    result = apply(fixture, merge_request("i", news, REPLICA_OBJECT));
    assert_true(result.is_outdone);
    store_result_release(&result);

    struct store_result after = apply(fixture, put_request("f", before.object, "2"));
    assert_false(actor_equal(before.object->own, after.object->own));
    assert_true(after.object->own.birth > birth_least(known + 1000));
    store_result_release(&before);
    store_result_release(&after);
}

static void test_state__unclean_then_clean_stops__old_pair_stays_distrusted(void **state)
{
    struct fixture *fixture = *state;
    struct store_result before = apply(fixture, put_request("f", NULL, "1"));

    fixture_restart(fixture, false);
    fixture_restart(fixture, true);
    fixture_restart(fixture, true);
    struct store_result after = apply(fixture, put_request("f", before.object, "2"));

    assert_false(actor_equal(before.object->own, after.object->own));
    store_result_release(&before);
    store_result_release(&after);
}

static void test_state__pair_opened_since_the_crash__is_extended(void **state)
{
    struct fixture *fixture = *state;

    fixture_restart(fixture, false);
    struct store_result first = apply(fixture, put_request("f", NULL, "1"));
    struct store_result second = apply(fixture, put_request("f", first.object, "2"));

    assert_true(actor_equal(first.object->own, second.object->own));
    store_result_release(&first);
    store_result_release(&second);
}

static void test_state__another_format__is_refused_in_one_line(void **state)
{
    struct fixture *fixture = *state;
    uint64_t format = STORE_FORMAT + 1;
    struct error error;

    set_setting(fixture, "format", &format);

    assert_int_equal(try_open(fixture, &error), STATUS_BAD_VERSION);
    assert_int_equal(error.code, STATUS_BAD_VERSION);
    assert_non_null(strstr(error.text, "format 4"));
    assert_null(strchr(error.text, '\n'));
}

static void test_state__format_before__is_taken_up_and_renewed(void **state)
{
    struct fixture *fixture = *state;
    uint64_t format = STORE_FORMAT_BEFORE;
    struct error error;

    set_setting(fixture, "format", &format);

    assert_int_equal(try_open(fixture, &error), STATUS_OK);
    assert_int_equal(try_open(fixture, &error), STATUS_OK);
    assert_int_equal(setting_of(fixture, SETTING_FORMAT), STORE_FORMAT);
    /* Births were counters then. */
    assert_true(fixture->wall_us < birth_least(fixture->wall_us));
}

/* Memory keeps nothing beside itself. */
static void test_state__settings_damaged__are_corrupt(void **state)
{
    static const char *const names[] = {"format",        "node",          "clean",
                                        "counter_lease", "trusted_since", "incarnation"};
    struct fixture *fixture = *state;
    struct error error;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buffer key = {0};
        struct buffer value = {0};
        layout_setting(&key, names[i]);
        assert_int_equal(
            fixture->disk->operations->get(fixture->disk, buffer_slice(&key), &value),
            STATUS_OK);

        set_setting(fixture, names[i], NULL);
        assert_int_equal(try_open(fixture, &error), STATUS_CORRUPT);
        assert_true(strlen(error.text) > 0);

        struct engine_write write = {.key = buffer_slice(&key), .value = buffer_slice(&value)};
        assert_int_equal(fixture->disk->operations->write(fixture->disk, &write, 1, false),
                         STATUS_OK);
        buffer_release(&key);
        buffer_release(&value);
    }
    assert_int_equal(try_open(fixture, &error), STATUS_OK);
}

static void test_state__ring_damaged__is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    uint64_t noise = 1;
    struct error error;

    set_setting(fixture, "ring", &noise);

    assert_int_equal(try_open(fixture, &error), STATUS_CORRUPT);
}

static void test_state_save_ring__grown_ring__replaces_it(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = plain_request(STORE_SAVE_RING);
    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(5);

    apply_expect(fixture, request, STATUS_OK);

    assert_int_equal(atomic_load(&fixture->spy.synced_batches), 1);
    fixture_restart(fixture, false);
    assert_int_equal(fixture->identity.ring.member_count, 5);
    assert_memory_equal(&fixture->identity.ring, fixture_ring(5), sizeof(struct ring));

    struct buffer key = {0};
    struct buffer before = {0};
    layout_setting(&key, "ring_before");
    assert_int_equal(fixture->disk->operations->get(fixture->disk, buffer_slice(&key), &before),
                     STATUS_OK);
    assert_true(before.size > 0);
    buffer_release(&key);
    buffer_release(&before);
}

static void test_state_save_ring__other_partition_count__is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_request request = plain_request(STORE_SAVE_RING);
    struct member member = {.id = FIXTURE_NODE, .address = "127.0.0.1:1"};
    request.save_ring.ring = calloc(1, sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    assert_int_equal(
        ring_create(99, 2 * FIXTURE_PARTITIONS, 3, &member, 1, request.save_ring.ring),
        STATUS_OK);

    apply_expect(fixture, request, STATUS_REFUSED);

    assert_int_equal(fixture->state.partition_count, FIXTURE_PARTITIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LEVELDB(test_state__settings_damaged__are_taken_from_beside_the_database),
        ON_BOTH_ENGINES(test_state__new_store__takes_the_random_id_and_counts_as_clean),
        ON_BOTH_ENGINES(test_state__restarted__keeps_identity_and_ring),
        ON_BOTH_ENGINES(test_state__counters__ascend_across_every_kind_of_restart),
        ON_BOTH_ENGINES(test_state__clean_restart__does_not_run_ahead_of_the_clock),
        ON_BOTH_ENGINES(test_state__lease__is_on_disk_and_synced_before_it_is_used),
        ON_BOTH_ENGINES(test_state__lease_cannot_be_renewed__counters_end_at_the_mark),
        ON_BOTH_ENGINES(test_state__many_crashes__counters_stay_near_the_clock),
        ON_BOTH_ENGINES(test_state__clock_set_back__counters_go_on_in_small_leases),
        ON_BOTH_ENGINES(test_state__counter_floor__is_exceeded),
        ON_BOTH_ENGINES(test_state__unclean_stop__own_pair_is_not_extended),
        ON_BOTH_ENGINES(test_state__clean_stop__own_pair_is_extended),
        ON_BOTH_ENGINES(test_vouch__starts_of_a_member__are_remembered),
        ON_BOTH_ENGINES(test_state__incarnation__grows_with_each_start),
        ON_BOTH_ENGINES(test_merge__it_knows_more_of_this_node__own_pairs_are_left),
        ON_BOTH_ENGINES(test_state__unclean_then_clean_stops__old_pair_stays_distrusted),
        ON_BOTH_ENGINES(test_state__pair_opened_since_the_crash__is_extended),
        ON_BOTH_ENGINES(test_state__format_before__is_taken_up_and_renewed),
        ON_BOTH_ENGINES(test_state__another_format__is_refused_in_one_line),
        ON_MEMORY(test_state__settings_damaged__are_corrupt),
        ON_MEMORY(test_state__ring_damaged__is_corrupt),
        ON_BOTH_ENGINES(test_state_save_ring__grown_ring__replaces_it),
        ON_BOTH_ENGINES(test_state_save_ring__other_partition_count__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
