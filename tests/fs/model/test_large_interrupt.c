/*
 * test_large_interrupt.c - a large content whose caller is interrupted while it waits: what fails
 *                          so has changed nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "fs/model/large.h"

enum { BLOCKS = 6 };

/* A store that finishes no put while it is shut. */
struct gate {
    struct kv kv;
    struct kv *inner;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_shut;
};

static struct gate gate;
static struct blocks blocks;
static struct large *large;
static uint8_t plain[BLOCKS * BLOCK_SIZE];
static uint8_t got[BLOCKS * BLOCK_SIZE];

static enum status gate_get(struct kv *kv, struct slice key, const struct kv_options *options,
                            struct object **ret_object, uint64_t *ret_names_us)
{
    (void)kv;
    (void)ret_names_us;
    return kv_get(gate.inner, key, options, ret_object);
}

static enum status gate_put(struct kv *kv, const struct kv_put *put,
                            const struct kv_options *options, struct object **ret_row)
{
    (void)kv;
    pthread_mutex_lock(&gate.lock);
    while (gate.is_shut) {
        pthread_cond_wait(&gate.opened, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    return kv_put(gate.inner, put, options, ret_row);
}

static const struct kv_operations operations = {.get = gate_get, .put = gate_put};

static void shut(bool is_shut)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_shut = is_shut;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void write_all(uint64_t offset, size_t size, uint8_t byte)
{
    memset(plain + offset, byte, size);
    assert_int_equal(large_write(large, slice_of(plain + offset, size), offset, false), 0);
}

/* A file that is stored, and known to the cluster. */
static int open_world(void **state)
{
    static const struct kv_options defaults;
    struct blob *manifest = NULL;

    (void)state;
    gate.kv.operations = &operations;
    pthread_mutex_init(&gate.lock, NULL);
    pthread_cond_init(&gate.opened, NULL);
    assert_int_equal(kv_open_memory(&gate.inner), STATUS_OK);
    blocks_init(&blocks, &gate.kv, &defaults);
    assert_int_equal(large_new(&blocks, &large), 0);
    for (uint8_t i = 0; i < BLOCKS; i++) {
        write_all((uint64_t)i * BLOCK_SIZE, BLOCK_SIZE, (uint8_t)('a' + i));
    }
    assert_int_equal(large_flush(large, &manifest), 0);
    large_was_put(large);
    blob_unref(manifest);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    shut(false);
    large_unref(large);
    blocks_release(&blocks);
    kv_close(gate.inner);
    pthread_cond_destroy(&gate.opened);
    pthread_mutex_destroy(&gate.lock);
    return 0;
}

static void assert_unchanged(void)
{
    size_t size = 0;

    assert_int_equal(large_size(large), sizeof plain);
    assert_int_equal(large_read(large, 0, got, sizeof got, &size), 0);
    assert_int_equal(size, sizeof plain);
    assert_memory_equal(got, plain, sizeof plain);
}

static void assert_interrupted_cut(uint64_t size)
{
    static const struct kv_limits interrupted = {.is_interrupted = at_once};

    kv_limits_begin(&interrupted);
    int failed = large_resize(large, size);
    kv_limits_end();
    assert_int_equal(failed, EINTR);
}

/* Blocks before the one that is being stored were holes by then. */
static void test_resize__interrupted_while_a_block_is_stored__nothing_is_cut(void **state)
{
    (void)state;
    shut(true);
    write_all(4 * BLOCK_SIZE, BLOCK_SIZE, 'X');

    assert_interrupted_cut(BLOCK_SIZE);
    assert_unchanged();
    assert_interrupted_cut(BLOCK_SIZE + 1000);
    assert_unchanged();

    shut(false);
    assert_int_equal(large_resize(large, BLOCK_SIZE + 1000), 0);
    assert_int_equal(large_resize(large, sizeof plain), 0);
    memset(plain + BLOCK_SIZE + 1000, 0, sizeof plain - BLOCK_SIZE - 1000);
    assert_unchanged();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_resize__interrupted_while_a_block_is_stored__nothing_is_cut, open_world,
            close_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
