/*
 * test_intents.c - intents that are done are dropped from the disk, many at a time.
 *
 * - those of one moment go together, 50 ms after the first, each once
 * - more than are kept at a time go in several batches, and none is forgotten
 */
#include "node/core/intents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/state.h"

enum { START_US = 5000000, AFTER_US = 50000, MANY = 2 * CLEARED_INTENTS_MAX + 1 };

/* A core that does nothing else, and what it asks its disk for. */
struct bench {
    struct core *core;
    struct outbox *outbox;
    unsigned dropped[MANY]; /* how often, by the stamp */
};

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){.core = calloc(1, sizeof *bench->core),
                            .outbox = calloc(1, sizeof *bench->outbox)};
    assert_true(bench->core && bench->outbox);
    bench->core->now_us = START_US;
    bench->core->due_us = UINT64_MAX;
    bench->core->outbox = bench->outbox;
}

static void bench_close(struct bench *bench)
{
    assert_int_equal(bench->core->cleared_count, 0);
    free(bench->outbox);
    free(bench->core);
}

static void clear(struct bench *bench, unsigned stamp)
{
    char text[16];
    (void)snprintf(text, sizeof text, "k%u", stamp);
    struct blob *key = blob_new(slice_of_string(text));
    intents_clear(bench->core, stamp % 2 == 0 ? INTENT_ROW : INTENT_REVIVE, key, stamp);
    blob_unref(key);
}

static void tick_at(struct bench *bench, uint64_t now_us)
{
    bench->core->now_us = now_us;
    bench->core->due_us = UINT64_MAX;
    intents_on_tick(bench->core);
}

/* Carries out what the disk was asked for; the number of batches. */
static unsigned take_batches(struct bench *bench)
{
    unsigned batches = bench->outbox->count;
    for (unsigned i = 0; i < batches; i++) {
        struct action *action = &bench->outbox->actions[i];
        assert_int_equal(action->type, ACTION_STORE);
        assert_int_equal(action->request.operation, STORE_CLEAR_INTENTS);
        assert_true(action->request.clear_intents.count > 0);
        for (uint16_t j = 0; j < action->request.clear_intents.count; j++) {
            const struct intent *intent = &action->request.clear_intents.intents[j];
            char text[16];
            (void)snprintf(text, sizeof text, "k%u", (unsigned)intent->stamp);
            assert_true(slice_equal(blob_slice(intent->key), slice_of_string(text)));
            assert_int_equal(intent->kind, intent->stamp % 2 == 0 ? INTENT_ROW : INTENT_REVIVE);
            bench->dropped[intent->stamp]++;
        }
        action_release(action);
    }
    bench->outbox->count = 0;
    return batches;
}

static void test_intents__some_in_a_moment__are_dropped_together(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    clear(&bench, 0);
    assert_true(bench.core->due_us == START_US + AFTER_US);
    tick_at(&bench, START_US + 1);
    assert_true(bench.core->due_us == START_US + AFTER_US);
    bench.core->now_us = START_US + AFTER_US - 1;
    clear(&bench, 1);
    clear(&bench, 2);
    tick_at(&bench, START_US + AFTER_US - 1);
    assert_int_equal(take_batches(&bench), 0);

    tick_at(&bench, START_US + AFTER_US);

    assert_int_equal(take_batches(&bench), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bench.dropped[i], 1);
    }
    /* Nothing is left to be done, until there is another one. */
    tick_at(&bench, START_US + 3 * AFTER_US);
    assert_int_equal(take_batches(&bench), 0);
    assert_true(bench.core->due_us == UINT64_MAX);
    clear(&bench, 3);
    tick_at(&bench, START_US + 4 * AFTER_US);
    assert_int_equal(take_batches(&bench), 1);
    assert_int_equal(bench.dropped[3], 1);
    bench_close(&bench);
}

static void test_intents__more_than_have_room__go_in_batches(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    for (unsigned i = 0; i < MANY; i++) {
        clear(&bench, i);
    }
    assert_int_equal(take_batches(&bench), 2);
    tick_at(&bench, START_US + AFTER_US);
    assert_int_equal(take_batches(&bench), 1);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(bench.dropped[i], 1);
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intents__some_in_a_moment__are_dropped_together),
        cmocka_unit_test(test_intents__more_than_have_room__go_in_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
