/*
 * test_hints_lanes.c - hints through the executor, whose threads work side by side.
 *
 * Rules: what several lanes keep and drop is counted right; a hint that was written anew
 *        between its listing and its dropping stays. Run it under ThreadSanitizer.
 */
#include <stdio.h>
#include <string.h>

#include "tests/store/house.h"
#include "tests/store/loop.h"

enum { KEYS = 40, ROUNDS = 20 };

static struct store_request kept(int number, int round)
{
    char key[16];

    (void)snprintf(key, sizeof key, "key%d", number);
    return hint_request(key, object_of((node_id)(3 + round), 10, "one"), ANNA,
                        number % 2 == 0 ? BERT : 0);
}

/* The drop of what a listing gave. */
static struct store_request drop_of(struct store_result *listing)
{
    struct store_request request = plain_request(STORE_CLEAR_HINTS);

    request.clear_hints.hints = listing->hints.hint;
    request.clear_hints.count = listing->hints.count;
    listing->hints.hint = NULL;
    listing->hints.count = 0;
    return request;
}

/* Notes which rounds of which keys the listed hints hold. */
static void note(const struct store_result *listing, bool seen[KEYS][ROUNDS])
{
    for (size_t i = 0; i < listing->hints.count; i++) {
        const struct hint *hint = &listing->hints.hint[i];
        char key[16] = "";
        int number = -1;
        memcpy(key, hint->key->data, hint->key->size);
        assert_int_equal(sscanf(key, "key%d", &number), 1);
        for (uint32_t j = 0; j < hint->object->version_count; j++) {
            seen[number][hint->object->versions[j].dot.actor.node - 3] = true;
        }
    }
}

static void note_what_is_left(struct house *house, node_id owner, bool seen[KEYS][ROUNDS])
{
    struct store_result result = apply(house->fixture, list_hints_request(owner, 1000));

    assert_int_equal(result.status, STATUS_OK);
    note(&result, seen);
    store_result_release(&result);
}

/* One round: all keys are kept, while those of one owner are listed and dropped. */
static size_t run_round(struct loop *loop, int round, bool seen[KEYS][ROUNDS])
{
    size_t submitted = KEYS + 2;
    size_t listed = 0;

    for (int i = 0; i < KEYS; i++) {
        (void)loop_submit(loop, kept(i, round));
        if (i == KEYS / 2) {
            (void)loop_submit(loop, plain_request(STORE_HINT_OWNERS));
            (void)loop_submit(loop, list_hints_request(BERT, 1000));
        }
    }
    for (size_t i = 0; i < submitted; i++) {
        struct store_result result = loop_wait(loop);
        assert_string_equal(status_name(result.status), "ok");
        if (result.operation == STORE_LIST_HINTS) {
            note(&result, seen);
            listed += result.hints.count;
            (void)loop_submit(loop, drop_of(&result));
            submitted++;
        }
        store_result_release(&result);
    }
    return listed;
}

/* What was listed before it was dropped, and what is left, is all there ever was. */
static void test_lanes__keep_and_drop_side_by_side__nothing_is_lost(void **state)
{
    struct house *house = *state;
    bool of_anna[KEYS][ROUNDS] = {0};
    bool of_bert[KEYS][ROUNDS] = {0};
    struct loop loop;
    size_t listed = 0;

    loop_begin(&loop, house->fixture, true);
    for (int round = 0; round < ROUNDS; round++) {
        listed += run_round(&loop, round, of_bert);
    }
    loop_end(&loop);
    note_what_is_left(house, ANNA, of_anna);
    note_what_is_left(house, BERT, of_bert);

    assert_true(listed > 0);
    for (int i = 0; i < KEYS; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            assert_true(of_anna[i][round]);
            assert_int_equal(of_bert[i][round], i % 2 == 0);
        }
    }
    struct hint_owner anna = stored_owner(house, ANNA);
    struct hint_owner bert = stored_owner(house, BERT);
    assert_int_equal(anna.count, KEYS);
    assert_int_equal(bert.count, count_hints(house, BERT));
    house_restart(house, true);
    assert_int_equal(stored_owner(house, ANNA).bytes, anna.bytes);
    assert_int_equal(stored_owner(house, BERT).count, bert.count);
    assert_int_equal(stored_owner(house, BERT).bytes, bert.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_ON_BOTH(test_lanes__keep_and_drop_side_by_side__nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
