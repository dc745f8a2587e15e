/*
 * test_large.c - a large content against the same bytes in plain memory:
 *
 *   whatever is written, appended, cut, cleared and flushed, both read the same, also after it
 *   was opened again from its manifest
 *   a store that fails is an error of the call, and nothing is lost: once it works again
 *   everything is there
 *   a flush beside a writer gives a manifest that is one
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fs/model/large.h"

enum {
    WINDOW = 3 * BLOCK_SIZE,
    PART_MAX = 5 * BLOCK_SIZE / 2,
    STEP = 20 * BLOCK_SIZE + 77, /* more than is edited at once */
};
#define MAP_SIZE ((uint64_t)MAP_BLOCKS * BLOCK_SIZE)
#define SPAN     (2 * MAP_SIZE + 8 * (uint64_t)BLOCK_SIZE)

/* Where things happen: at the borders of blocks and maps. */
static const uint64_t places[] = {0, 3 * BLOCK_SIZE, MAP_SIZE, 2 * MAP_SIZE};
enum { PLACES = sizeof places / sizeof places[0] };

/* A store of which every n-th call fails, before or after it was done. */
struct faulty {
    struct kv kv;
    struct kv *inner;
    atomic_uint every; /* 0: none */
    atomic_uint calls;
    atomic_uint yields; /* of each put: others get on meanwhile */
};

struct world {
    struct faulty faulty;
    struct blocks blocks;
    struct large *large;
    uint8_t *plain; /* SPAN bytes */
    uint64_t size;
    uint64_t random;
    uint8_t *part; /* STEP bytes */
};

static bool fails(struct kv *kv, bool *ret_done)
{
    struct faulty *faulty = (struct faulty *)kv;
    unsigned every = atomic_load(&faulty->every);
    unsigned call = atomic_fetch_add(&faulty->calls, 1);

    *ret_done = call % 2 == 0;
    return every > 0 && call % every == 0;
}

static enum status faulty_get(struct kv *kv, struct slice key, const struct kv_options *options,
                              struct object **ret_object, uint64_t *ret_names_us)
{
    struct kv *inner = ((struct faulty *)kv)->inner;
    bool is_done;

    (void)ret_names_us;
    return fails(kv, &is_done) ? STATUS_NO_QUORUM : kv_get(inner, key, options, ret_object);
}

static enum status faulty_put(struct kv *kv, const struct kv_put *put,
                              const struct kv_options *options, struct object **ret_row)
{
    assert_true(put->sync); /* what a version may name survives what the version does */
    struct kv *inner = ((struct faulty *)kv)->inner;
    unsigned yields = atomic_load(&((struct faulty *)kv)->yields);
    bool is_done;

    for (unsigned i = 0; i < yields; i++) {
        sched_yield();
    }
    if (!fails(kv, &is_done)) {
        return kv_put(inner, put, options, ret_row);
    }
    if (is_done) {
        enum status status = kv_put(inner, put, options, NULL);
        assert_int_equal(status, STATUS_OK);
    }
    return STATUS_TIMEOUT;
}

static const struct kv_operations faulty_operations = {.get = faulty_get, .put = faulty_put};

static int world_open(void **state)
{
    static const struct kv_options defaults;
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->random = 88172645463325252;
    world->faulty.kv.operations = &faulty_operations;
    assert_int_equal(kv_open_memory(&world->faulty.inner), STATUS_OK);
    blocks_init(&world->blocks, &world->faulty.kv, &defaults);
    assert_int_equal(large_new(&world->blocks, &world->large), 0);
    world->plain = mmap(NULL, SPAN, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(world->plain != MAP_FAILED);
    world->part = malloc(STEP);
    assert_non_null(world->part);
    *state = world;
    return 0;
}

static int world_close(void **state)
{
    struct world *world = *state;

    large_unref(world->large);
    blocks_release(&world->blocks);
    kv_close(world->faulty.inner);
    munmap(world->plain, SPAN);
    free(world->part);
    free(world);
    return 0;
}

static uint64_t choose(struct world *world, uint64_t count)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (world->random >> 11) % count;
}

/* Something near one of the places, and often just at a border. */
static uint64_t choose_offset(struct world *world)
{
    uint64_t at = places[choose(world, PLACES)] + choose(world, WINDOW);

    switch (choose(world, 3)) {
    case 0:
        return at & ~(uint64_t)(BLOCK_SIZE - 1);
    case 1:
        at = (at & ~(uint64_t)(BLOCK_SIZE - 1)) + choose(world, 3);
        return at > 0 ? at - 1 : 0;
    default:
        return at;
    }
}

static size_t choose_size(struct world *world)
{
    static const size_t most[] = {16, 4096, BLOCK_SIZE, PART_MAX};

    return 1 + (size_t)choose(world, most[choose(world, 4)]);
}

static struct slice choose_bytes(struct world *world)
{
    size_t size = choose_size(world);

    for (size_t i = 0; i < size; i++) {
        world->part[i] = (uint8_t)(i * 7 + (i >> 12));
    }
    for (size_t i = 0; i < size; i += 1 + (size_t)choose(world, 2000)) {
        world->part[i] = (uint8_t)choose(world, 256);
    }
    if (choose(world, 8) == 0) {
        memset(world->part, 0, size);
    }
    return slice_of(world->part, size);
}

/* Memory of whole pages goes back: what is cut off is read as zeroes by that, too. */
static void plain_clear(struct world *world, uint64_t from, uint64_t end)
{
    uint64_t first = (from + 4095) & ~UINT64_C(4095);
    uint64_t last = end & ~UINT64_C(4095);

    if (first >= last) {
        memset(world->plain + from, 0, end - from);
        return;
    }
    memset(world->plain + from, 0, first - from);
    assert_int_equal(madvise(world->plain + first, last - first, MADV_DONTNEED), 0);
    memset(world->plain + last, 0, end - last);
}

/* Calls fail now and then; once more, and it may succeed. */
#define REPEAT(call)                                                                           \
    do {                                                                                       \
        int failed_ = EIO;                                                                     \
        for (unsigned try_ = 0; failed_ != 0 && try_ < 1000; try_++) {                         \
            failed_ = (call);                                                                  \
            assert_true(failed_ == 0 || atomic_load(&world->faulty.every) > 0);                \
        }                                                                                      \
        assert_int_equal(failed_, 0);                                                          \
    } while (0)

static void do_write(struct world *world)
{
    uint64_t offset = choose_offset(world);
    struct slice bytes = choose_bytes(world);
    bool append = choose(world, 4) == 0 && world->size + bytes.size <= SPAN &&
                  atomic_load(&world->faulty.every) == 0;

    bytes.size = bytes.size < SPAN - offset ? bytes.size : (size_t)(SPAN - offset);
    REPEAT(large_write(world->large, bytes, offset, append));
    offset = append ? world->size : offset;
    memcpy(world->plain + offset, bytes.data, bytes.size);
    world->size = offset + bytes.size > world->size ? offset + bytes.size : world->size;
}

static void do_resize(struct world *world)
{
    uint64_t size = choose(world, 10) == 0 ? 0 : choose_offset(world);

    REPEAT(large_resize(world->large, size));
    if (size < world->size) {
        plain_clear(world, size, world->size);
    }
    world->size = size;
}

static void do_clear(struct world *world)
{
    uint64_t from = choose_offset(world);
    uint64_t end = choose(world, 3) == 0 ? choose_offset(world) : from + choose_size(world);

    if (from >= end) {
        return;
    }
    REPEAT(large_clear(world->large, from, end - from));
    end = end < world->size ? end : world->size;
    if (from < end) {
        plain_clear(world, from, end);
    }
}

static void assert_same(struct world *world, uint64_t offset, size_t size)
{
    size_t got = 0;

    assert_true(size <= PART_MAX);
    memset(world->part, 0x5a, size);
    REPEAT(large_read(world->large, offset, world->part, size, &got));
    uint64_t there = offset < world->size ? world->size - offset : 0;
    assert_int_equal(got, size < there ? size : there);
    assert_memory_equal(world->part, world->plain + offset, got);
}

static void assert_all_same(struct world *world)
{
    assert_int_equal(large_size(world->large), world->size);
    for (unsigned i = 0; i < PLACES; i++) {
        for (unsigned block = 0; block < 6; block++) {
            assert_same(world, places[i] + (uint64_t)block * BLOCK_SIZE, BLOCK_SIZE);
        }
    }
}

static struct blob *flushed(struct world *world)
{
    struct blob *manifest = NULL;

    REPEAT(large_flush(world->large, &manifest));
    assert_true(manifest_has_size(blob_slice(manifest), world->size));
    return manifest;
}

/* As another mount, which has nothing in its cache. */
static void do_reopen(struct world *world)
{
    struct kv_options options = world->blocks.options;
    struct blob *manifest = flushed(world);

    large_unref(world->large);
    blocks_release(&world->blocks);
    blocks_init(&world->blocks, &world->faulty.kv, &options);
    assert_int_equal(large_open(&world->blocks, manifest, &world->large), 0);
    blob_unref(manifest);
}

static void do_seek(struct world *world)
{
    uint64_t offset = choose_offset(world);
    bool data = choose(world, 2) == 0;
    uint64_t found = 0;
    int failed = large_seek(world->large, offset, data, &found);

    if (atomic_load(&world->faulty.every) > 0 && failed != 0) {
        return;
    }
    if (offset >= world->size) {
        assert_int_equal(failed, ENXIO);
    } else if (failed == 0) {
        assert_true(found >= offset && found <= world->size);
    } else {
        assert_true(data && failed == ENXIO);
    }
    /* What is passed over in search of data is zeroes. */
    uint64_t end = !data ? offset : failed == 0 ? found : world->size;
    end = end < offset + WINDOW ? end : offset + WINDOW;
    for (uint64_t at = offset; at < end && at < world->size; at++) {
        assert_int_equal(world->plain[at], 0);
    }
}

static void do_anything(struct world *world)
{
    struct blob *manifest;
    uint64_t choice = choose(world, 20);

    if (choice < 9) {
        do_write(world);
    } else if (choice < 11) {
        do_resize(world);
    } else if (choice < 13) {
        do_clear(world);
    } else if (choice < 16) {
        assert_same(world, choose_offset(world), choose_size(world));
    } else if (choice < 17) {
        do_seek(world);
    } else if (choice < 19) {
        manifest = flushed(world);
        blob_unref(manifest);
        if (choose(world, 2) == 0) {
            large_was_put(world->large);
        }
    } else {
        do_reopen(world);
    }
}

static void run(struct world *world, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        do_anything(world);
        assert_int_equal(large_size(world->large), world->size);
    }
    atomic_store(&world->faulty.every, 0);
    assert_all_same(world);
    do_reopen(world);
    assert_all_same(world);
}

static void test_large__random_operations__as_in_plain_memory(void **state)
{
    run(*state, 1500);
}

static void test_large__every_nth_call_fails__nothing_is_lost(void **state)
{
    struct world *world = *state;

    /* Noting a set is two calls, which both must succeed. */
    for (unsigned every = 3; every < 12; every++) {
        atomic_store(&world->faulty.every, every);
        run(world, 60);
    }
}

/* All fail for a while: each call says so, and what was written goes out later. */
static void test_large__store_is_gone__errors_and_later_the_content(void **state)
{
    struct world *world = *state;
    struct blob *manifest = NULL;
    unsigned errors = 0;
    uint64_t end = 0;

    atomic_store(&world->faulty.every, 1);
    memset(world->part, 'x', BLOCK_SIZE);
    for (unsigned i = 0; i < 40; i++) {
        int failed = large_write(world->large, slice_of(world->part, BLOCK_SIZE), end, false);
        errors += failed != 0 ? 1 : 0;
        if (failed == 0) {
            memset(world->plain + end, 'x', BLOCK_SIZE);
            end += BLOCK_SIZE;
        }
    }
    world->size = end;
    assert_true(errors > 0);
    assert_true(end > 0);
    assert_int_not_equal(large_flush(world->large, &manifest), 0);
    assert_null(manifest);
    assert_int_equal(large_size(world->large), end);
    assert_all_same(world); /* what is not stored is read from memory */

    atomic_store(&world->faulty.every, 0);
    do_reopen(world);
    assert_all_same(world);
}

/* Cutting either is done or has changed nothing. */
static void test_resize__store_is_gone__all_or_nothing(void **state)
{
    struct world *world = *state;
    static const uint64_t ends[] = {MAP_SIZE + 10, 10, MAP_SIZE};

    world->size = 2 * MAP_SIZE + 3 * BLOCK_SIZE;
    REPEAT(large_resize(world->large, world->size));
    for (unsigned i = 0; i < PLACES; i++) {
        memset(world->part, 'a' + (int)i, BLOCK_SIZE);
        memset(world->plain + places[i], 'a' + (int)i, BLOCK_SIZE);
        REPEAT(large_write(world->large, slice_of(world->part, BLOCK_SIZE), places[i], false));
    }
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        do_reopen(world);
        atomic_store(&world->faulty.every, 1);
        bool is_cut = large_resize(world->large, ends[i]) == 0;
        atomic_store(&world->faulty.every, 0);
        if (is_cut) {
            plain_clear(world, ends[i], world->size);
            world->size = ends[i];
        }
        assert_all_same(world);
        REPEAT(large_resize(world->large, SPAN)); /* what was cut off is zeroes */
        uint64_t size = world->size;
        world->size = SPAN;
        assert_all_same(world);
        REPEAT(large_resize(world->large, size));
        world->size = size;
    }
}

static void test_large__sizes_at_the_limits__are_kept(void **state)
{
    static const uint64_t sizes[] = {
        0,
        1,
        BLOCK_SIZE - 1,
        BLOCK_SIZE,
        BLOCK_SIZE + 1,
        MAP_SIZE,
        MAP_SIZE - 1,
        MAP_SIZE + 1,
        FILE_SIZE_MAX,
    };
    struct world *world = *state;
    struct slice byte = slice_of_string("z");
    uint8_t last = 0;
    size_t got = 0;

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        REPEAT(large_resize(world->large, 0));
        if (sizes[i] > 0) {
            REPEAT(large_write(world->large, byte, sizes[i] - 1, false));
        }
        world->size = sizes[i];
        do_reopen(world);
        assert_int_equal(large_size(world->large), sizes[i]);
        if (sizes[i] > 0) {
            REPEAT(large_read(world->large, sizes[i] - 1, &last, 1, &got));
            assert_int_equal(got, 1);
            assert_int_equal(last, 'z');
        }
    }
    assert_int_equal(large_write(world->large, byte, FILE_SIZE_MAX, false), EFBIG);
    assert_int_equal(large_write(world->large, byte, 0, true), EFBIG);
    assert_int_equal(large_write(world->large, byte, UINT64_MAX, false), EFBIG);
    assert_int_equal(large_resize(world->large, FILE_SIZE_MAX + 1), EFBIG);
    assert_int_equal(large_size(world->large), FILE_SIZE_MAX);
    REPEAT(large_resize(world->large, 0));
    world->size = 0;
}

static void test_large_open__not_a_manifest__eio(void **state)
{
    struct world *world = *state;
    struct large *large = NULL;
    struct blob *text = blob_new(slice_of_string("text"));

    assert_int_equal(large_open(&world->blocks, text, &large), EIO);
    assert_int_equal(large_open(&world->blocks, NULL, &large), EIO);
    assert_null(large);
    blob_unref(text);
}

/* A map may be left out of a version, and is collected then; a later version needs its own. */
static void test_large__cut_below_one_map_and_grown__its_map_is_stored_anew(void **state)
{
    struct world *world = *state;
    struct manifest old;
    struct manifest new;

    memset(world->part, 'm', BLOCK_SIZE);
    memset(world->plain, 'm', BLOCK_SIZE);
    REPEAT(large_write(world->large, slice_of(world->part, BLOCK_SIZE), 0, false));
    world->size = MAP_SIZE + 1;
    REPEAT(large_resize(world->large, world->size));
    struct blob *first = flushed(world);
    large_was_put(world->large);
    world->size = MAP_SIZE;
    REPEAT(large_resize(world->large, world->size));
    blob_unref(flushed(world));
    large_was_put(world->large);
    world->size = MAP_SIZE + 1;
    REPEAT(large_resize(world->large, world->size));
    struct blob *last = flushed(world);

    assert_int_equal(manifest_parse(blob_slice(first), &old), STATUS_OK);
    assert_int_equal(manifest_parse(blob_slice(last), &new), STATUS_OK);
    struct block_entry before = manifest_entry(old.entries, 0);
    struct block_entry after = manifest_entry(new.entries, 0);
    assert_false(block_entry_is_hole(&after));
    assert_memory_not_equal(before.id, after.id, BLOCK_ID_SIZE);
    blob_unref(first);
    blob_unref(last);
    assert_all_same(world);
}

/* --- several threads --------------------------------------------------------------------- */

enum { WRITERS = 2, ROUNDS = 8 };

struct writer {
    struct large *large;
    unsigned number;
    bool appends;
    unsigned failures; /* cmocka's asserts belong to the main thread */
};

/* Each its own part of the file, or, to the end, pieces that all can tell apart. */
static void *run_writer(void *argument)
{
    struct writer *writer = argument;
    uint8_t *bytes = malloc(STEP);

    for (unsigned i = 0; bytes && i < ROUNDS; i++) {
        uint64_t at =
            MAP_SIZE - 8 * BLOCK_SIZE + (uint64_t)(i * WRITERS + writer->number) * STEP;
        memset(bytes, 'a' + (int)writer->number, STEP);
        bytes[0] = 'A';
        writer->failures +=
            large_write(writer->large, slice_of(bytes, STEP), at, writer->appends) != 0;
    }
    writer->failures += bytes ? 0 : 1;
    free(bytes);
    return NULL;
}

struct flusher {
    struct large *large;
    atomic_bool ends;
    unsigned failures;
    unsigned flushes;
};

static void *run_flusher(void *argument)
{
    struct flusher *flusher = argument;
    struct manifest parts;

    while (!atomic_load(&flusher->ends)) {
        struct blob *manifest = NULL;
        if (large_flush(flusher->large, &manifest) != 0 ||
            manifest_parse(blob_slice(manifest), &parts) != STATUS_OK) {
            flusher->failures++;
        } else if (flusher->flushes++ % 2 == 0) {
            large_was_put(flusher->large);
        }
        blob_unref(manifest);
    }
    return NULL;
}

static void *run_reader(void *argument)
{
    struct flusher *reader = argument;
    uint8_t bytes[5000];
    size_t got;

    for (uint64_t at = 0; !atomic_load(&reader->ends); at = (at + 65537) % SPAN) {
        uint64_t from = MAP_SIZE / 2 + at;
        reader->failures += large_read(reader->large, from, bytes, sizeof bytes, &got) != 0;
    }
    return NULL;
}

static void run_threads(struct world *world, bool appends)
{
    pthread_t threads[WRITERS + 2];
    struct writer writers[WRITERS];
    struct flusher flusher = {.large = world->large};
    struct flusher reader = {.large = world->large};

    atomic_store(&world->faulty.yields, 20);
    pthread_create(&threads[WRITERS], NULL, run_flusher, &flusher);
    pthread_create(&threads[WRITERS + 1], NULL, run_reader, &reader);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.large = world->large, .number = i, .appends = appends};
        pthread_create(&threads[i], NULL, run_writer, &writers[i]);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].failures, 0);
    }
    atomic_store(&flusher.ends, true);
    atomic_store(&reader.ends, true);
    pthread_join(threads[WRITERS], NULL);
    pthread_join(threads[WRITERS + 1], NULL);
    assert_int_equal(flusher.failures, 0);
    assert_int_equal(reader.failures, 0);
    assert_true(flusher.flushes > 0);
    world->size = large_size(world->large);
    do_reopen(world);
}

/* Each piece is whole, whoever wrote it. */
static unsigned whole_pieces(struct world *world, uint64_t from)
{
    unsigned pieces = 0;
    size_t got;

    for (uint64_t at = from; at < world->size; at += STEP) {
        REPEAT(large_read(world->large, at, world->part, STEP, &got));
        assert_int_equal(got, STEP);
        assert_int_equal(world->part[0], 'A');
        for (size_t i = 2; i < STEP; i++) {
            assert_int_equal(world->part[i], world->part[1]);
        }
        pieces++;
    }
    return pieces;
}

static void test_large__flushes_beside_writers__all_is_there(void **state)
{
    struct world *world = *state;

    REPEAT(large_resize(world->large, MAP_SIZE + 1));
    run_threads(world, false);
    assert_int_equal(whole_pieces(world, MAP_SIZE - 8 * BLOCK_SIZE), WRITERS * ROUNDS);
}

static void test_large__appends_beside_each_other__each_is_whole(void **state)
{
    struct world *world = *state;

    run_threads(world, true);
    assert_int_equal(whole_pieces(world, 0), WRITERS * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_large__random_operations__as_in_plain_memory),
        TEST(test_large__every_nth_call_fails__nothing_is_lost),
        TEST(test_large__store_is_gone__errors_and_later_the_content),
        TEST(test_resize__store_is_gone__all_or_nothing),
        TEST(test_large__sizes_at_the_limits__are_kept),
        TEST(test_large_open__not_a_manifest__eio),
        TEST(test_large__cut_below_one_map_and_grown__its_map_is_stored_anew),
        TEST(test_large__flushes_beside_writers__all_is_there),
        TEST(test_large__appends_beside_each_other__each_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
