/*
 * test_large_deadline.c - a large file on a cluster that does not answer:
 *
 *   who flushes, writes or reads has an error when the time of its operation is over, or when it
 *   is interrupted, although what it waits for goes on
 *   nothing is lost: once the cluster answers again everything is stored
 *   the calls of the threads that store and fetch blocks have one deadline for each block
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/large_internal.h"

enum { BUDGET_MS = 100, BLOCKS = EDITED_MAX + 4 };

/* A store that does not answer while it is shut. */
struct gate {
    struct kv kv;
    struct kv *inner;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_shut;
    atomic_uint calls;
    atomic_uint unbounded; /* by threads whose calls have no common deadline */
};

struct world {
    struct gate gate;
    struct blocks blocks;
    struct large *large;
    uint8_t block[BLOCK_SIZE];
};

static void pass(struct kv *kv)
{
    struct gate *gate = (struct gate *)kv;

    atomic_fetch_add(&gate->calls, 1);
    if (kv_limits_deadline(UINT64_MAX) == UINT64_MAX) {
        atomic_fetch_add(&gate->unbounded, 1);
    }
    pthread_mutex_lock(&gate->lock);
    while (gate->is_shut) {
        pthread_cond_wait(&gate->opened, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void set_shut(struct world *world, bool is_shut)
{
    pthread_mutex_lock(&world->gate.lock);
    world->gate.is_shut = is_shut;
    pthread_cond_broadcast(&world->gate.opened);
    pthread_mutex_unlock(&world->gate.lock);
}

static enum status gate_get(struct kv *kv, struct slice key, const struct kv_options *options,
                            struct object **ret_object, uint64_t *ret_names_us)
{
    (void)ret_names_us;
    pass(kv);
    return kv_get(((struct gate *)kv)->inner, key, options, ret_object);
}

static enum status gate_put(struct kv *kv, const struct kv_put *put,
                            const struct kv_options *options, struct object **ret_row)
{
    pass(kv);
    return kv_put(((struct gate *)kv)->inner, put, options, ret_row);
}

static const struct kv_operations gate_operations = {.get = gate_get, .put = gate_put};

static int world_open(void **state)
{
    static const struct kv_options defaults;
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->gate.kv.operations = &gate_operations;
    pthread_mutex_init(&world->gate.lock, NULL);
    pthread_cond_init(&world->gate.opened, NULL);
    assert_int_equal(kv_open_memory(&world->gate.inner), STATUS_OK);
    blocks_init(&world->blocks, &world->gate.kv, &defaults);
    assert_int_equal(large_new(&world->blocks, &world->large), 0);
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;

    set_shut(world, false);
    large_unref(world->large);
    blocks_release(&world->blocks);
    kv_close(world->gate.inner);
    pthread_cond_destroy(&world->gate.opened);
    pthread_mutex_destroy(&world->gate.lock);
    free(world);
    return 0;
}

static bool is_interrupted(void *context)
{
    return *(const bool *)context;
}

static void begin(const bool *interrupted)
{
    struct kv_limits limits = {.budget_ms = BUDGET_MS,
                               .is_interrupted = is_interrupted,
                               .context = (void *)(uintptr_t)interrupted};

    kv_limits_begin(&limits);
}

static int write_block(struct world *world, uint32_t index)
{
    memset(world->block, (int)index + 1, BLOCK_SIZE);
    return large_write(world->large, slice_of(world->block, BLOCK_SIZE),
                       (uint64_t)index << BLOCK_SIZE_LOG2, false);
}

static void assert_holds(struct world *world, uint32_t blocks)
{
    size_t got;

    assert_int_equal(large_size(world->large), (uint64_t)blocks << BLOCK_SIZE_LOG2);
    for (uint32_t i = 0; i < blocks; i++) {
        uint64_t at = (uint64_t)i << BLOCK_SIZE_LOG2;
        assert_int_equal(large_read(world->large, at, world->block, BLOCK_SIZE, &got), 0);
        for (size_t k = 0; k < BLOCK_SIZE; k++) {
            assert_int_equal(world->block[k], i + 1);
        }
    }
}

static void test_flush__cluster_does_not_answer__etimedout_and_nothing_is_lost(void **state)
{
    struct world *world = *state;
    struct blob *manifest = NULL;
    const bool never = false;
    set_shut(world, true);
    assert_int_equal(write_block(world, 0), 0);
    assert_int_equal(write_block(world, 1), 0);

    begin(&never);
    assert_int_equal(large_flush(world->large, &manifest), ETIMEDOUT);
    kv_limits_end();
    assert_null(manifest);
    set_shut(world, false);

    assert_int_equal(large_flush(world->large, &manifest), 0);
    blob_unref(manifest);
    assert_holds(world, 2);
}

static void test_flush__interrupted__eintr_and_nothing_is_lost(void **state)
{
    struct world *world = *state;
    struct blob *manifest = NULL;
    const bool now = true;
    set_shut(world, true);
    assert_int_equal(write_block(world, 0), 0);

    begin(&now);
    assert_int_equal(large_flush(world->large, &manifest), EINTR);
    kv_limits_end();
    set_shut(world, false);

    assert_int_equal(large_flush(world->large, &manifest), 0);
    blob_unref(manifest);
    assert_holds(world, 1);
}

/* The first ones have a place in memory; then a writer waits for the cluster. */
static void
test_write__cluster_does_not_answer__etimedout_when_all_places_are_taken(void **state)
{
    struct world *world = *state;
    const bool never = false;
    uint32_t written = 0;
    int failed = 0;
    set_shut(world, true);

    begin(&never);
    while (failed == 0 && written < BLOCKS) {
        failed = write_block(world, written);
        written += failed == 0 ? 1 : 0;
    }
    kv_limits_end();
    assert_int_equal(failed, ETIMEDOUT);
    assert_int_equal(written, EDITED_MAX);
    set_shut(world, false);

    for (; written < BLOCKS; written++) {
        assert_int_equal(write_block(world, written), 0);
    }
    assert_holds(world, BLOCKS);
}

/* Two readers of one block: the second one waits for what the first one fetches. */
static void *fetch(void *argument)
{
    struct world *world = argument;
    size_t got;
    uint8_t byte;

    assert_int_equal(large_read(world->large, 0, &byte, 1, &got), 0);
    return NULL;
}

static void test_read__of_what_another_one_fetches__etimedout(void **state)
{
    struct world *world = *state;
    struct blob *manifest = NULL;
    const bool never = false;
    pthread_t first;
    uint8_t byte;
    size_t got;
    assert_int_equal(write_block(world, 0), 0);
    assert_int_equal(large_flush(world->large, &manifest), 0);
    block_cache_release(&world->blocks.cache);
    block_cache_init(&world->blocks.cache);
    blob_unref(manifest);
    set_shut(world, true);
    unsigned calls = atomic_load(&world->gate.calls);
    assert_int_equal(pthread_create(&first, NULL, fetch, world), 0);
    while (atomic_load(&world->gate.calls) == calls) {
        sched_yield();
    }

    begin(&never);
    assert_int_equal(large_read(world->large, 0, &byte, 1, &got), ETIMEDOUT);
    kv_limits_end();

    set_shut(world, false);
    pthread_join(first, NULL);
}

static void test_store__behind_the_writer__calls_have_a_common_deadline(void **state)
{
    struct world *world = *state;
    struct blob *manifest = NULL;

    assert_int_equal(write_block(world, 0), 0);
    assert_int_equal(write_block(world, 1), 0);
    assert_int_equal(large_flush(world->large, &manifest), 0);

    assert_true(atomic_load(&world->gate.calls) > 0);
    assert_int_equal(atomic_load(&world->gate.unbounded), 0);
    blob_unref(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
        TEST(test_flush__cluster_does_not_answer__etimedout_and_nothing_is_lost),
        TEST(test_flush__interrupted__eintr_and_nothing_is_lost),
        TEST(test_write__cluster_does_not_answer__etimedout_when_all_places_are_taken),
        TEST(test_read__of_what_another_one_fetches__etimedout),
        TEST(test_store__behind_the_writer__calls_have_a_common_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
