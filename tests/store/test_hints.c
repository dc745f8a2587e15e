/*
 * test_hints.c - requests about hints: kept, merged, coordinated at a fallback, dropped.
 *
 * Rules: what is handed over for an owner is merged into one hint, under the time of the first;
 *        each write has a stamp of its own, and only the hint that still has it is dropped; a
 *        fallback's own pair lives and dies with the hint for the first owner (rule 2); a
 *        fallback leaves its own copy alone; a handed-off object takes the duty to push its
 *        row along.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/house.h"

static void hand_over(struct house *house, const char *key, struct object *object,
                      node_id owner)
{
    apply_expect(house->fixture, hint_request(key, object, owner, 0), STATUS_OK);
}

/* The copy after a put at a fallback; the caller drops it. */
static struct object *fallback_put(struct house *house, const char *key,
                                   const struct object *seen, const char *content)
{
    struct store_result result =
        apply(house->fixture, fallback_request(key, seen, content, ANNA, BERT));
    struct object *object = object_ref(result.object);

    assert_string_equal(status_name(result.status), "ok");
    assert_non_null(object);
    assert_int_equal(result.intent_stamp, 0);
    store_result_release(&result);
    return object;
}

static void test_hint__two_hand_offs__are_merged_under_the_first_time(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    struct hint first = stored_hint_of(house, ANNA, HINT_OBJECT, "k");
    house->fixture->wall_us += 5000;
    hand_over(house, "k", object_of(4, 20, "two"), ANNA);

    struct hint second = stored_hint_of(house, ANNA, HINT_OBJECT, "k");
    assert_int_equal(second.object->version_count, 2);
    assert_true(second.stamp > first.stamp);
    assert_int_equal(second.created_us, FIXTURE_WALL_US);
    assert_int_equal(first.created_us, FIXTURE_WALL_US);
    assert_int_equal(stored_stamp(house, BERT, HINT_OBJECT, "k"), 0);
    assert_null(stored_object(house->fixture, "k"));
    object_unref(first.object);
    object_unref(second.object);
}

static void test_hint__several_owners__each_has_it_under_its_own_stamp(void **state)
{
    struct house *house = *state;

    apply_expect(house->fixture, hint_request("k", object_of(3, 10, "one"), BERT, ANNA),
                 STATUS_OK);

    uint64_t anna = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    uint64_t bert = stored_stamp(house, BERT, HINT_OBJECT, "k");
    assert_true(anna != 0 && bert != 0 && anna != bert);
    assert_int_equal(house->spy.batches, 1);
    assert_int_equal(house->fixture->spy.batches, 0);
}

static void test_hint__nothing_new__is_not_written_unless_synced(void **state)
{
    struct house *house = *state;
    struct object *object = object_of(3, 10, "one");

    hand_over(house, "k", object_ref(object), ANNA);
    uint64_t stamp = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    hand_over(house, "k", object_ref(object), ANNA);
    assert_int_equal(house->spy.batches, 1);
    assert_int_equal(stored_stamp(house, ANNA, HINT_OBJECT, "k"), stamp);

    struct store_request synced = hint_request("k", object, ANNA, 0);
    synced.sync = true;
    apply_expect(house->fixture, synced, STATUS_OK);

    assert_int_equal(house->spy.batches, 2);
    assert_int_equal(house->spy.synced_batches, 1);
    assert_true(stored_stamp(house, ANNA, HINT_OBJECT, "k") > stamp);
}

static void test_hint__object_with_own_pair__comes_without_it(void **state)
{
    struct house *house = *state;
    struct object *plain = object_of(3, 10, "one");
    struct object *object = NULL;

    assert_int_equal(object_new(&plain->clock, plain->versions, 1,
                                (struct actor){.node = 3, .birth = 1}, &object),
                     STATUS_OK);
    object_unref(plain);
    hand_over(house, "k", object, ANNA);

    struct hint hint = stored_hint_of(house, ANNA, HINT_OBJECT, "k");
    assert_int_equal(hint.object->own.node, 0);
    object_unref(hint.object);
}

static void test_hint__row_for_an_object__is_refused(void **state)
{
    struct house *house = *state;
    struct object *object = object_of(3, 10, "one");
    struct object *row = object_project(object);

    apply_expect(house->fixture, hint_request("k", row, ANNA, 0), STATUS_BAD_MESSAGE);

    assert_int_equal(stored_owner(house, ANNA).count, 0);
    object_unref(object);
}

static void test_hint__marker__is_kept_beside_the_object_with_a_new_stamp(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", NULL, ANNA);
    uint64_t first = stored_stamp(house, ANNA, HINT_MARKER, "k");
    assert_int_equal(stored_stamp(house, ANNA, HINT_OBJECT, "k"), 0);
    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    hand_over(house, "k", NULL, ANNA);

    assert_true(first != 0);
    assert_true(stored_stamp(house, ANNA, HINT_MARKER, "k") > first);
    assert_true(stored_stamp(house, ANNA, HINT_OBJECT, "k") > first);
    assert_int_equal(stored_owner(house, ANNA).count, 2);
}

static void test_clear__other_stamp__keeps_the_hint(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    uint64_t old = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    hand_over(house, "k", object_of(4, 20, "two"), ANNA);

    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_OBJECT, "k", old), STATUS_OK);

    uint64_t stamp = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    assert_true(stamp > old);
    apply_expect(house->fixture, clear_hint_request(BERT, HINT_OBJECT, "k", stamp), STATUS_OK);
    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_MARKER, "k", stamp), STATUS_OK);
    assert_int_equal(stored_owner(house, ANNA).count, 1);
    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_OBJECT, "k", stamp), STATUS_OK);
    assert_int_equal(stored_stamp(house, ANNA, HINT_OBJECT, "k"), 0);
    assert_int_equal(stored_owner(house, ANNA).count, 0);
}

static void test_clear__then_again__has_a_new_stamp_and_time(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    uint64_t old = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_OBJECT, "k", old), STATUS_OK);
    house->fixture->wall_us += 7;
    hand_over(house, "k", object_of(3, 10, "one"), ANNA);

    struct hint hint = stored_hint_of(house, ANNA, HINT_OBJECT, "k");
    assert_true(hint.stamp > old);
    assert_int_equal(hint.created_us, FIXTURE_WALL_US + 7);
    object_unref(hint.object);
}

static void test_clear__one_named_twice__is_counted_once(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    hand_over(house, "l", object_of(3, 11, "one"), ANNA);
    uint64_t stamp = stored_stamp(house, ANNA, HINT_OBJECT, "k");
    struct store_request request = clear_hint_request(ANNA, HINT_OBJECT, "k", stamp);
    struct store_request other = clear_hint_request(ANNA, HINT_OBJECT, "k", stamp);
    request.clear_hints.hints =
        realloc(request.clear_hints.hints, 2 * sizeof *request.clear_hints.hints);
    assert_non_null(request.clear_hints.hints);
    request.clear_hints.hints[1] = other.clear_hints.hints[0];
    request.clear_hints.count = 2;
    free(other.clear_hints.hints);

    apply_expect(house->fixture, request, STATUS_OK);

    assert_int_equal(stored_owner(house, ANNA).count, 1);
    assert_true(stored_stamp(house, ANNA, HINT_OBJECT, "l") != 0);
}

/* Rule 2: the own pair belongs to the hint. */
static void test_coordinate__hint_lives__extends_its_pair(void **state)
{
    struct house *house = *state;
    struct object *first = fallback_put(house, "k", NULL, "one");
    struct object *second = fallback_put(house, "k", first, "two");

    assert_int_equal(first->own.node, FIXTURE_NODE);
    assert_true(actor_equal(first->own, second->own));
    assert_content(second, "two");
    assert_int_equal(second->clock.count, 1);
    struct hint anna = stored_hint_of(house, ANNA, HINT_OBJECT, "k");
    struct hint bert = stored_hint_of(house, BERT, HINT_OBJECT, "k");
    assert_true(object_equal(anna.object, second));
    assert_true(object_equal(bert.object, second));
    assert_true(actor_equal(anna.object->own, second->own));
    assert_int_equal(bert.object->own.node, 0);
    object_unref(anna.object);
    object_unref(bert.object);
    object_unref(first);
    object_unref(second);
}

static void test_coordinate__hint_was_dropped__opens_a_new_pair(void **state)
{
    struct house *house = *state;
    struct object *first = fallback_put(house, "k", NULL, "one");
    uint64_t stamp = stored_stamp(house, ANNA, HINT_OBJECT, "k");

    /* That for the other owner stays, and knows the old pair. */
    apply_expect(house->fixture, clear_hint_request(ANNA, HINT_OBJECT, "k", stamp), STATUS_OK);
    struct object *second = fallback_put(house, "k", first, "two");

    assert_int_equal(second->own.node, FIXTURE_NODE);
    assert_false(actor_equal(first->own, second->own));
    assert_int_equal(second->clock.count, 2);
    assert_content(second, "two");
    object_unref(first);
    object_unref(second);
}

static void test_coordinate__unclean_stop__opens_a_new_pair(void **state)
{
    struct house *house = *state;
    struct object *first = fallback_put(house, "k", NULL, "one");

    house_restart(house, true);
    struct object *second = fallback_put(house, "k", first, "two");
    house_restart(house, false);
    struct object *third = fallback_put(house, "k", second, "three");

    assert_true(actor_equal(first->own, second->own));
    assert_false(actor_equal(second->own, third->own));
    object_unref(first);
    object_unref(second);
    object_unref(third);
}

static void test_coordinate__hints_of_all_owners__are_known_to_the_update(void **state)
{
    struct house *house = *state;

    hand_over(house, "k", object_of(3, 10, "for Bert"), BERT);
    struct object *blind = fallback_put(house, "k", NULL, "new");
    assert_int_equal(blind->version_count, 2);
    struct object *after = fallback_put(house, "k", blind, "both seen");

    assert_content(after, "both seen");
    object_unref(blind);
    object_unref(after);
}

static void test_coordinate__at_a_fallback__leaves_copy_and_intents_alone(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct object *copy = object_of(9, 5, "own copy");

    apply_expect(fixture, merge_request("d/k", object_ref(copy), REPLICA_OBJECT), STATUS_OK);
    object_unref(fallback_put(house, "d/k", NULL, "for others"));

    struct object *stored = stored_object(fixture, "d/k");
    assert_true(object_equal(stored, copy));
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "d/k"), 0);
    assert_null(stored_row(fixture, "d/", "k"));
    object_unref(stored);
    object_unref(copy);
}

static void test_coordinate__with_row__merges_it_and_revives_its_directory(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request request = fallback_request("d/k", NULL, "new", ANNA, BERT);

    request.coordinate.with_row = true;
    request.coordinate.with_intent = true;
    struct store_result result = apply(fixture, request);

    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.revive);
    assert_int_equal(result.intent_stamp, 0);
    assert_content(result.object, "new");
    struct object *row = stored_row(fixture, "d/", "k");
    assert_true(object_equal(row, result.object));
    assert_true(stored_intent(fixture, INTENT_REVIVE, "d/") != 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "d/k"), 0);
    assert_null(stored_object(fixture, "d/k"));
    object_unref(row);
    store_result_release(&result);
}

static void test_coordinate__none_at_a_fallback__gives_the_hint_or_nothing(void **state)
{
    struct house *house = *state;

    apply_expect(house->fixture, for_owners(none_request("k"), ANNA, BERT), STATUS_NOT_FOUND);
    assert_int_equal(stored_owner(house, ANNA).count, 0);
    hand_over(house, "k", object_of(3, 10, "one"), BERT);
    struct store_result result =
        apply(house->fixture, for_owners(none_request("k"), ANNA, BERT));

    assert_int_equal(result.status, STATUS_OK);
    assert_content(result.object, "one");
    assert_true(stored_stamp(house, ANNA, HINT_OBJECT, "k") != 0);
    store_result_release(&result);
}

static void test_get__with_owners__merges_their_hints_alone(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;

    apply_expect(fixture, merge_request("k", object_of(9, 5, "own copy"), REPLICA_OBJECT),
                 STATUS_OK);
    struct store_result none = apply(fixture, for_owners(get_request("k"), ANNA, BERT));
    hand_over(house, "k", object_of(3, 10, "one"), ANNA);
    hand_over(house, "k", object_of(4, 20, "two"), BERT);
    hand_over(house, "k", object_of(5, 30, "three"), CARL);
    hand_over(house, "k", NULL, ANNA);
    struct store_result both = apply(fixture, for_owners(get_request("k"), ANNA, BERT));
    struct store_result one = apply(fixture, for_owners(get_request("k"), BERT, 0));

    assert_int_equal(none.status, STATUS_OK);
    assert_null(none.object);
    assert_int_equal(both.status, STATUS_OK);
    assert_int_equal(both.object->version_count, 2);
    assert_content(one.object, "two");
    store_result_release(&none);
    store_result_release(&both);
    store_result_release(&one);
}

static void test_list__pages__give_each_hint_of_the_owner_once(void **state)
{
    struct house *house = *state;
    char key[16];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "k%02d", i);
        hand_over(house, key, object_of(3, 10, "one"), ANNA);
        hand_over(house, key, NULL, i % 2 == 0 ? ANNA : BERT);
    }

    assert_int_equal(count_hints(house, ANNA), 30);
    assert_int_equal(count_hints(house, BERT), 10);
    assert_int_equal(count_hints(house, CARL), 0);
    struct store_result result = apply(house->fixture, list_hints_request(ANNA, 30));
    assert_false(result.hints.more);
    assert_int_equal(result.hints.count, 30);
    assert_int_equal(result.hints.hint[9].kind, HINT_MARKER);
    assert_int_equal(result.hints.hint[10].kind, HINT_OBJECT);
    store_result_release(&result);
}

static void test_list__large_hints__are_cut_at_about_a_mebibyte(void **state)
{
    enum { SIZE = 400 << 10 };
    struct house *house = *state;
    char *content = malloc(SIZE + 1);
    char key[16];

    assert_non_null(content);
    memset(content, 'x', SIZE);
    content[SIZE] = '\0';
    for (int i = 0; i < 8; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        hand_over(house, key, object_of(3, 10, content), ANNA);
    }
    free(content);

    struct store_result result = apply(house->fixture, list_hints_request(ANNA, 100));
    assert_int_equal(result.hints.count, 3);
    assert_true(result.hints.more);
    assert_int_equal(count_hints(house, ANNA), 8);
    store_result_release(&result);
}

static void test_merge__with_intent__takes_over_the_duty_for_the_row(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;
    struct store_request request =
        merge_request("d/k", object_of(3, 10, "one"), REPLICA_OBJECT);

    apply_expect(fixture, merge_request("d/j", object_of(3, 10, "one"), REPLICA_OBJECT),
                 STATUS_OK);
    request.merge.with_intent = true;
    struct store_result result = apply(fixture, request);
    struct store_request root = merge_request("/", object_of(3, 10, NULL), REPLICA_OBJECT);
    root.merge.with_intent = true;
    apply_expect(fixture, root, STATUS_OK);

    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.intent_stamp != 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "d/k"), result.intent_stamp);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "d/j"), 0);
    assert_int_equal(stored_intent(fixture, INTENT_ROW, "/"), 0);
    store_result_release(&result);
}

static void test_any_for_key__either_kind_for_any_owner__is_found(void **state)
{
    struct house *house = *state;

    assert_false(has_any_hint(house, "k"));
    hand_over(house, "k", NULL, CARL);
    hand_over(house, "l", object_of(3, 10, "one"), ANNA);
    assert_true(has_any_hint(house, "k"));
    assert_true(has_any_hint(house, "l"));
    assert_false(has_any_hint(house, "m"));
    house_restart(house, false);
    assert_true(has_any_hint(house, "k"));

    uint64_t stamp = stored_stamp(house, CARL, HINT_MARKER, "k");
    apply_expect(house->fixture, clear_hint_request(CARL, HINT_MARKER, "k", stamp), STATUS_OK);
    assert_false(has_any_hint(house, "k"));
}

static void test_hints__not_open__are_not_ready(void **state)
{
    struct house *house = *state;
    struct fixture *fixture = house->fixture;

    hint_store_release(&fixture->state);

    apply_expect(fixture, hint_request("k", NULL, ANNA, 0), STATUS_NOT_READY);
    apply_expect(fixture, for_owners(get_request("k"), ANNA, 0), STATUS_NOT_READY);
    apply_expect(fixture, fallback_request("k", NULL, "one", ANNA, 0), STATUS_NOT_READY);
    apply_expect(fixture, list_hints_request(ANNA, 1), STATUS_NOT_READY);
    apply_expect(fixture, clear_hint_request(ANNA, HINT_OBJECT, "k", 1), STATUS_NOT_READY);
    apply_expect(fixture, plain_request(STORE_HINT_OWNERS), STATUS_NOT_READY);
    apply_expect(fixture, get_request("k"), STATUS_OK);
    assert_false(has_any_hint(house, "k"));
}

static void test_quick__small_and_not_synced__runs_in_the_caller(void **state)
{
    struct house *house = *state;
    struct store_state *store = &house->fixture->state;
    struct store_request request = hint_request("k", object_of(3, 10, "one"), ANNA, BERT);

    assert_true(store_request_is_quick(store, &request));
    request.sync = true;
    assert_false(store_request_is_quick(store, &request));
    request.sync = false;
    atomic_store(&house->spy.never_quick, true);
    assert_false(store_request_is_quick(store, &request));
    struct store_request put = fallback_request("k", NULL, "one", ANNA, BERT);
    put.wall_us = house->fixture->wall_us;
    assert_false(store_request_is_quick(store, &put));
    atomic_store(&house->spy.never_quick, false);
    assert_true(store_request_is_quick(store, &put));
    store_request_release(&request);
    store_request_release(&put);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_BOTH(test_hint__two_hand_offs__are_merged_under_the_first_time),
        HOUSE_ON_BOTH(test_hint__several_owners__each_has_it_under_its_own_stamp),
        HOUSE_ON_MEMORY(test_hint__nothing_new__is_not_written_unless_synced),
        HOUSE_ON_MEMORY(test_hint__object_with_own_pair__comes_without_it),
        HOUSE_ON_MEMORY(test_hint__row_for_an_object__is_refused),
        HOUSE_ON_BOTH(test_hint__marker__is_kept_beside_the_object_with_a_new_stamp),
        HOUSE_ON_BOTH(test_clear__other_stamp__keeps_the_hint),
        HOUSE_ON_MEMORY(test_clear__then_again__has_a_new_stamp_and_time),
        HOUSE_ON_MEMORY(test_clear__one_named_twice__is_counted_once),
        HOUSE_ON_BOTH(test_coordinate__hint_lives__extends_its_pair),
        HOUSE_ON_BOTH(test_coordinate__hint_was_dropped__opens_a_new_pair),
        HOUSE_ON_BOTH(test_coordinate__unclean_stop__opens_a_new_pair),
        HOUSE_ON_MEMORY(test_coordinate__hints_of_all_owners__are_known_to_the_update),
        HOUSE_ON_MEMORY(test_coordinate__at_a_fallback__leaves_copy_and_intents_alone),
        HOUSE_ON_BOTH(test_coordinate__with_row__merges_it_and_revives_its_directory),
        HOUSE_ON_MEMORY(test_coordinate__none_at_a_fallback__gives_the_hint_or_nothing),
        HOUSE_ON_BOTH(test_get__with_owners__merges_their_hints_alone),
        HOUSE_ON_BOTH(test_list__pages__give_each_hint_of_the_owner_once),
        HOUSE_ON_MEMORY(test_list__large_hints__are_cut_at_about_a_mebibyte),
        HOUSE_ON_BOTH(test_merge__with_intent__takes_over_the_duty_for_the_row),
        HOUSE_ON_BOTH(test_any_for_key__either_kind_for_any_owner__is_found),
        HOUSE_ON_MEMORY(test_hints__not_open__are_not_ready),
        HOUSE_ON_MEMORY(test_quick__small_and_not_synced__runs_in_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
