/*
 * test_large_grace.c - a slow writer of a large file beside a collector: what it stored long ago
 *                      and is about to name stays, and what was noted of its set comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/large_internal.h"
#include "node/base/now.h"
#include "node/client/collector.h"
#include "node/client/kv_memory.h"

enum { BLOCKS = 3, GRACE_US = 1000 };

struct world {
    struct kv *kv;
    struct blocks blocks;
    struct large *large;
    struct collector *collector;
    uint8_t bytes[BLOCKS * BLOCK_SIZE];
};

static const struct kv_options options;
static uint64_t clock_us;

static uint64_t now_us(void)
{
    return clock_us;
}

static int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    assert_int_equal(kv_open_memory(&world->kv), STATUS_OK);
    blocks_init(&world->blocks, world->kv, &options);
    assert_int_equal(large_new(&world->blocks, &world->large), 0);
    struct collector_options wanted = {.kv = world->kv, .grace_us = GRACE_US, .now_us = now_us};
    world->collector = collector_new(&wanted);
    assert_non_null(world->collector);
    for (size_t i = 0; i < sizeof world->bytes; i++) {
        world->bytes[i] = (uint8_t)(i / 1000 + 1);
    }
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;

    collector_free(world->collector);
    large_unref(world->large);
    blocks_release(&world->blocks);
    kv_close(world->kv);
    free(world);
    return 0;
}

/* A grace time passes, then the collector goes through everything. */
static void collect(struct world *world)
{
    bool is_over = false;

    clock_us += GRACE_US;
    while (!is_over) {
        assert_int_equal(collector_step(world->collector, &is_over), STATUS_OK);
    }
}

static void write_all(struct world *world)
{
    struct slice bytes = slice_of(world->bytes, sizeof world->bytes);

    assert_int_equal(large_write(world->large, bytes, 0, false), 0);
}

static struct blob *flush(struct world *world)
{
    struct blob *manifest = NULL;

    assert_int_equal(large_flush(world->large, &manifest), 0);
    assert_non_null(manifest);
    return manifest;
}

static bool has_head(struct world *world)
{
    struct block_set set;
    struct buffer key = {0};
    struct object *object = NULL;

    large_get_set(world->large, &set);
    block_key_head(&key, &set);
    enum status status = kv_get(world->kv, buffer_slice(&key), &options, &object);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    object_unref(object);
    buffer_release(&key);
    return status == STATUS_OK;
}

/* Reads everything back, by a mount that has no block of it yet. */
static void check_content(struct world *world, struct blob *manifest)
{
    struct blocks blocks;
    struct large *large = NULL;
    uint8_t *got = malloc(sizeof world->bytes);
    size_t size = 0;

    assert_non_null(got);
    blocks_init(&blocks, world->kv, &options);
    assert_int_equal(large_open(&blocks, manifest, &large), 0);
    assert_int_equal(large_read(large, 0, got, sizeof world->bytes, &size), 0);
    assert_int_equal(size, sizeof world->bytes);
    assert_memory_equal(got, world->bytes, sizeof world->bytes);
    large_unref(large);
    blocks_release(&blocks);
    free(got);
}

static void test_flush__blocks_are_old_and_marked__are_touched_and_stay(void **state)
{
    struct world *world = *state;
    world->blocks.grace_us = 0; /* all that it stored is old at once */
    write_all(world);
    blob_unref(flush(world));
    collect(world);
    assert_int_equal(collector_stats(world->collector)->marked, BLOCKS);

    struct blob *manifest = flush(world);
    collect(world);

    assert_int_equal(collector_stats(world->collector)->blocks_deleted, 0);
    check_content(world, manifest);
    blob_unref(manifest);
}

/* Another mount replaced the file long after it was opened here. */
static void test_flush__what_it_was_opened_with_is_marked__is_touched_and_stays(void **state)
{
    struct world *world = *state;
    write_all(world);
    struct blob *manifest = flush(world);
    large_unref(world->large);
    world->blocks.grace_us = 0;
    assert_int_equal(large_open(&world->blocks, manifest, &world->large), 0);
    blob_unref(manifest);
    collect(world);
    assert_int_equal(collector_stats(world->collector)->marked, BLOCKS);

    world->bytes[0] = 'x';
    assert_int_equal(large_write(world->large, slice_of(world->bytes, 1), 0, false), 0);
    manifest = flush(world);
    collect(world);

    check_content(world, manifest);
    blob_unref(manifest);
}

static void test_flush__what_it_was_opened_with_is_gone__eio(void **state)
{
    struct world *world = *state;
    struct blob *none = NULL;
    write_all(world);
    struct blob *manifest = flush(world);
    large_unref(world->large);
    world->blocks.grace_us = 0;
    assert_int_equal(large_open(&world->blocks, manifest, &world->large), 0);
    blob_unref(manifest);
    collect(world);
    collect(world);
    assert_int_equal(collector_stats(world->collector)->blocks_deleted, BLOCKS);

    assert_int_equal(large_flush(world->large, &none), EIO);
    assert_null(none);
}

/* The file is opened, emptied, and written as it was. */
static void begin_again(struct world *world)
{
    struct large *again = NULL;
    write_all(world);
    struct blob *manifest = flush(world);
    large_unref(world->large);
    assert_int_equal(large_open(&world->blocks, manifest, &world->large), 0);
    assert_int_equal(large_again(world->large, &again), 0);
    large_unref(world->large);
    world->large = again;
    blob_unref(manifest);
}

static void test_rewrite__blocks_are_young__are_not_stored_again(void **state)
{
    struct world *world = *state;
    begin_again(world);
    uint64_t puts = kv_memory_calls(world->kv).put;

    write_all(world);
    struct blob *manifest = flush(world);

    assert_int_equal(kv_memory_calls(world->kv).put, puts);
    check_content(world, manifest);
    blob_unref(manifest);
}

static void test_rewrite__blocks_are_old_and_gone__are_stored_anew(void **state)
{
    struct world *world = *state;
    begin_again(world);
    collect(world);
    collect(world);
    assert_int_equal(collector_stats(world->collector)->blocks_deleted, BLOCKS);
    world->blocks.grace_us = 0;

    write_all(world);
    struct blob *manifest = flush(world);

    check_content(world, manifest);
    blob_unref(manifest);
}

/* They were young when they were found to be the same, and are old when they are named. */
static void test_rewrite__blocks_are_old_at_the_flush__are_touched_and_stay(void **state)
{
    struct world *world = *state;
    begin_again(world);
    write_all(world);
    struct blob *manifest = flush(world);
    blob_unref(manifest);
    collect(world);
    assert_int_equal(collector_stats(world->collector)->marked, BLOCKS);
    world->blocks.grace_us = 0;

    manifest = flush(world);
    collect(world);

    check_content(world, manifest);
    blob_unref(manifest);
}

/* What was touched is what the content has by then, and not what it had before. */
static void test_rewrite__after_a_touch__what_was_not_touched_is_stored_anew(void **state)
{
    struct world *world = *state;
    begin_again(world);
    world->blocks.grace_us = 0;
    blob_unref(flush(world)); /* of an empty file */
    world->blocks.grace_us = BLOCK_GRACE_US;
    collect(world);
    collect(world);

    write_all(world);
    struct blob *manifest = flush(world);

    check_content(world, manifest);
    blob_unref(manifest);
}

static void test_flush__blocks_are_young__are_not_stored_again(void **state)
{
    struct world *world = *state;
    write_all(world);
    blob_unref(flush(world));
    uint64_t puts = kv_memory_calls(world->kv).put;

    blob_unref(flush(world));

    assert_int_equal(kv_memory_calls(world->kv).put, puts);
}

static void test_hold__content_is_open_for_long__stays(void **state)
{
    struct world *world = *state;
    world->blocks.grace_us = 0;
    write_all(world);
    blob_unref(flush(world));
    for (int i = 0; i < 4; i++) {
        blocks_hold(&world->blocks);
        collect(world);
    }
    assert_int_equal(collector_stats(world->collector)->blocks_deleted, 0);

    struct blob *manifest = flush(world);

    check_content(world, manifest);
    blob_unref(manifest);
}

static void test_flush__blocks_are_old_and_held__are_not_stored_again(void **state)
{
    struct world *world = *state;
    struct large *large = world->large;
    write_all(world);
    blob_unref(flush(world));
    large->unnamed_since_ns = now_monotonic_ns() - world->blocks.grace_us * 1000;
    uint64_t puts = kv_memory_calls(world->kv).put;

    blob_unref(flush(world));
    assert_int_equal(kv_memory_calls(world->kv).put, puts);
    large->held_ns = large->unnamed_since_ns; /* not any more */
    blob_unref(flush(world));
    assert_int_equal(kv_memory_calls(world->kv).put, puts + BLOCKS);
    large->unnamed_since_ns = large->held_ns;
    blocks_hold(
        &world->blocks); /* again, but not all the time; of the head it makes sure, too */
    blob_unref(flush(world));

    assert_int_equal(kv_memory_calls(world->kv).put, puts + 2 + 2 * BLOCKS);
}

static void test_hold__content_is_young__is_not_held(void **state)
{
    struct world *world = *state;
    write_all(world);
    blob_unref(flush(world));
    uint64_t puts = kv_memory_calls(world->kv).put;

    blocks_hold(&world->blocks);

    assert_int_equal(kv_memory_calls(world->kv).put, puts);
}

static void test_write__set_was_collected__its_head_is_there_again(void **state)
{
    struct world *world = *state;
    world->blocks.grace_us = 0;
    write_all(world);
    blob_unref(flush(world));
    assert_int_equal(large_resize(world->large, 0), 0);
    blob_unref(flush(world));
    large_was_put(world->large);
    for (int i = 0; i < 4; i++) {
        collect(world);
    }
    assert_int_equal(collector_stats(world->collector)->blocks_deleted, BLOCKS);
    assert_false(has_head(world));

    write_all(world);
    struct blob *manifest = flush(world);

    assert_true(has_head(world));
    check_content(world, manifest);
    blob_unref(manifest);
}

/* Its path will be noted in the set, and through the head alone that is found again. */
static void test_flush__holes_alone__the_set_has_a_head(void **state)
{
    struct world *world = *state;
    assert_int_equal(large_resize(world->large, sizeof world->bytes), 0);
    assert_false(has_head(world));

    struct blob *manifest = flush(world);

    assert_true(has_head(world));
    blob_unref(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
        TEST(test_flush__blocks_are_old_and_marked__are_touched_and_stay),
        TEST(test_flush__what_it_was_opened_with_is_marked__is_touched_and_stays),
        TEST(test_flush__what_it_was_opened_with_is_gone__eio),
        TEST(test_rewrite__blocks_are_young__are_not_stored_again),
        TEST(test_rewrite__blocks_are_old_and_gone__are_stored_anew),
        TEST(test_rewrite__blocks_are_old_at_the_flush__are_touched_and_stay),
        TEST(test_rewrite__after_a_touch__what_was_not_touched_is_stored_anew),
        TEST(test_flush__blocks_are_young__are_not_stored_again),
        TEST(test_hold__content_is_open_for_long__stays),
        TEST(test_flush__blocks_are_old_and_held__are_not_stored_again),
        TEST(test_hold__content_is_young__is_not_held),
        TEST(test_write__set_was_collected__its_head_is_there_again),
        TEST(test_flush__holes_alone__the_set_has_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
