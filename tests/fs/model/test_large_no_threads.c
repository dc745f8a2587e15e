/*
 * test_large_no_threads.c - a large content while the machine gives no threads to store it with:
 *                           writers are told, nobody waits for ever, and nothing is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/large.h"

enum { BLOCKS = 40 }; /* more than are edited at once */

static struct kv *kv;
static struct blocks blocks;
static struct large *large;
static bool is_short;
static uint8_t plain[BLOCK_SIZE];
static uint8_t got[BLOCK_SIZE];

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument)
{
    return is_short ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

static int open_world(void **state)
{
    static const struct kv_options defaults;

    (void)state;
    is_short = true;
    assert_int_equal(kv_open_memory(&kv), STATUS_OK);
    blocks_init(&blocks, kv, &defaults);
    assert_int_equal(large_new(&blocks, &large), 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    large_unref(large);
    blocks_release(&blocks);
    kv_close(kv);
    return 0;
}

static int write_number(uint32_t index)
{
    uint64_t offset = (uint64_t)index << BLOCK_SIZE_LOG2;

    memset(plain, (int)('A' + index), sizeof plain);
    return large_write(large, slice_of(plain, sizeof plain), offset, false);
}

static void assert_number(uint32_t index)
{
    uint64_t offset = (uint64_t)index << BLOCK_SIZE_LOG2;
    size_t size = 0;

    memset(plain, (int)('A' + index), sizeof plain);
    assert_int_equal(large_read(large, offset, got, sizeof got, &size), 0);
    assert_int_equal(size, sizeof got);
    assert_memory_equal(got, plain, sizeof got);
}

/* As another open would find it. */
static void reopen(struct blob *manifest)
{
    large_was_put(large);
    large_unref(large);
    assert_int_equal(large_open(&blocks, manifest, &large), 0);
    blob_unref(manifest);
}

static void test_flush__no_threads__fails_and_stores_once_there_are(void **state)
{
    struct blob *manifest = NULL;

    (void)state;
    assert_int_equal(write_number(0), 0);
    assert_int_equal(large_flush(large, &manifest), ENOMEM);
    assert_null(manifest);
    assert_number(0);

    is_short = false;
    assert_int_equal(large_flush(large, &manifest), 0);
    reopen(manifest);
    assert_number(0);
}

static void test_write__no_threads__fails_when_no_more_can_be_kept(void **state)
{
    struct blob *manifest = NULL;
    uint32_t written = 0;
    int failed = 0;

    (void)state;
    while (failed == 0 && written < BLOCKS) {
        failed = write_number(written);
        written += failed == 0 ? 1 : 0;
    }
    assert_int_equal(failed, ENOMEM);
    assert_true(written > 0);

    is_short = false;
    for (uint32_t i = written; i < BLOCKS; i++) {
        assert_int_equal(write_number(i), 0);
    }
    assert_int_equal(large_flush(large, &manifest), 0);
    reopen(manifest);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_number(i);
    }
}

/* Without threads nothing is fetched ahead. A mount that is new has none yet. */
static void test_read__no_threads__content_is_read(void **state)
{
    static const struct kv_options defaults;
    struct blob *manifest = NULL;
    struct blocks fresh;

    (void)state;
    is_short = false;
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(write_number(i), 0);
    }
    assert_int_equal(large_flush(large, &manifest), 0);
    large_unref(large);
    is_short = true;
    blocks_init(&fresh, kv, &defaults);
    assert_int_equal(large_open(&fresh, manifest, &large), 0);

    for (uint32_t i = 0; i < 8; i++) {
        assert_number(i);
    }

    large_unref(large);
    blocks_release(&fresh);
    blob_unref(manifest);
    assert_int_equal(large_new(&blocks, &large), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_flush__no_threads__fails_and_stores_once_there_are),
        TEST(test_write__no_threads__fails_when_no_more_can_be_kept),
        TEST(test_read__no_threads__content_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
