/*
 * test_large_sleep.c - a machine that sleeps while a large file is written on it: others go on,
 *                      and what was stored before it slept is old when it wakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "fs/model/large_internal.h"
#include "node/base/now.h"
#include "node/client/collector.h"
#include "node/client/kv_memory.h"

enum { BLOCKS = 2 };

static int64_t asleep_s;
static uint8_t bytes[BLOCKS * BLOCK_SIZE];

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* CLOCK_MONOTONIC stands while the machine sleeps. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = __real_clock_gettime(clock, now);

    now->tv_sec += clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME ? asleep_s : 0;
    return failed;
}

/* The collector's machine is awake. */
static uint64_t awake_us(void)
{
    return now_elapsed_ns() / 1000;
}

static void collect(struct collector *collector)
{
    bool is_over = false;

    while (!is_over) {
        assert_int_equal(collector_step(collector, &is_over), STATUS_OK);
    }
}

static void test_flush__machine_slept_for_long__what_it_stored_is_touched(void **state)
{
    static const struct kv_options options;
    struct blocks blocks;
    struct kv *kv = NULL;
    struct large *large = NULL;
    struct blob *manifest = NULL;

    (void)state;
    assert_int_equal(kv_open_memory(&kv), STATUS_OK);
    struct collector_options wanted = {
        .kv = kv, .grace_us = BLOCK_GRACE_US, .now_us = awake_us};
    struct collector *collector = collector_new(&wanted);
    blocks_init(&blocks, kv, &options);
    assert_int_equal(large_new(&blocks, &large), 0);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i / 1000 + 1);
    }
    assert_int_equal(large_write(large, slice_of(bytes, sizeof bytes), 0, false), 0);
    assert_int_equal(large_flush(large, &manifest), 0);
    blob_unref(manifest);
    collect(collector);
    assert_int_equal(collector_stats(collector)->marked, BLOCKS);

    asleep_s = 2 * (int64_t)(BLOCK_GRACE_US / 1000000);
    assert_int_equal(large_flush(large, &manifest), 0);
    collect(collector);

    assert_int_equal(collector_stats(collector)->blocks_deleted, 0);
    blob_unref(manifest);
    large_unref(large);
    blocks_release(&blocks);
    collector_free(collector);
    kv_close(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush__machine_slept_for_long__what_it_stored_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
