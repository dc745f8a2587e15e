/*
 * block_store.c - where the blocks of large files live best on a node.
 *
 * usage: block_store LAYOUT DIR [MEBIBYTES]
 *
 * LAYOUT  main   values of the database that has everything else
 *         own    values of a LevelDB of their own
 *         files  one file each, and a small record in the database
 * DIR is new or empty, best on a file system of its own (block_store.sh makes one): what was
 * written and what is in use is read from its device.
 *
 * Two threads store blocks of 256 KiB, each synced, as a node's do; meanwhile 200 small values of
 * 4 KiB a second are put into the database, not synced. Then all blocks are read cold, and are
 * deleted as the node does it: what stays is a small record. Prints one JSON object.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum {
    BLOCK = 256 << 10,
    SMALL = 4 << 10,
    RECORD = 150, /* of a row, of a tombstone */
    STRIPE = 256, /* blocks */
    KEY_SIZE = 24,
    SMALL_PER_SECOND = 200,
    SMALL_MAX = 1 << 20,
    IDLE_SECONDS = 5,
    WRITERS = 2,
    BUFFER_SIZE = 64 << 20, /* as a node's */
    CACHE_SIZE = 64 << 20,
};

static const char *directory;
static bool has_files;
static leveldb_t *database;
static leveldb_t *blocks; /* may be the same */
static unsigned count;
static uint8_t *noise; /* BLOCK bytes and some more: each block begins elsewhere */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "block_store: %s: %s\n", what, why);
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Blocks of a stripe are neighbours, in no order. */
static void block_key(unsigned index, char key[KEY_SIZE + 1])
{
    snprintf(key, KEY_SIZE + 1, "b%07x%016" PRIx64, index / STRIPE, mix(index + 1));
}

static leveldb_t *open_database(const char *name)
{
    char path[4096];
    char *error = NULL;
    leveldb_options_t *options = leveldb_options_create();

    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_cache(options, leveldb_cache_create_lru(CACHE_SIZE));
    leveldb_options_set_filter_policy(options, leveldb_filterpolicy_create_bloom(10));
    leveldb_options_set_write_buffer_size(options, BUFFER_SIZE);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    leveldb_t *opened = leveldb_open(options, path, &error);
    if (error) {
        fail(path, error);
    }
    return opened;
}

static void put(leveldb_t *where, const char *key, const void *value, size_t size, bool sync)
{
    char *error = NULL;
    leveldb_writeoptions_t *options = leveldb_writeoptions_create();

    leveldb_writeoptions_set_sync(options, sync);
    leveldb_put(where, options, key, KEY_SIZE, value, size, &error);
    leveldb_writeoptions_destroy(options);
    if (error) {
        fail(key, error);
    }
}

static void block_path(const char *key, char path[4096])
{
    snprintf(path, 4096, "%s/files/%.8s/%s", directory, key, key);
}

static void sync_directory_of(const char *path)
{
    char parent[4096];

    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    int file = open(parent, O_RDONLY | O_DIRECTORY);
    if (file < 0 || fsync(file) != 0) {
        fail(parent, strerror(errno));
    }
    close(file);
}

static void write_file(const char *key, const uint8_t *bytes)
{
    char path[4096];
    char stripe[4096];

    block_path(key, path);
    snprintf(stripe, sizeof stripe, "%.*s", (int)(strrchr(path, '/') - path), path);
    (void)mkdir(stripe, 0700);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0 || write(file, bytes, BLOCK) != BLOCK || fdatasync(file) != 0) {
        fail(path, strerror(errno));
    }
    close(file);
    sync_directory_of(path);
}

static void store_block(unsigned index)
{
    char key[KEY_SIZE + 1];
    const uint8_t *bytes = noise + index % 4096;

    block_key(index, key);
    if (has_files) {
        write_file(key, bytes);
        put(database, key, noise, RECORD, true);
    } else {
        put(blocks, key, bytes, BLOCK, true);
    }
}

static atomic_uint next_block;
static unsigned last_block;

static void *store_blocks(void *argument)
{
    for (;;) {
        unsigned index = atomic_fetch_add(&next_block, 1);
        if (index >= last_block) {
            return argument;
        }
        store_block(index);
    }
}

/* Small puts, each due at its time whatever became of those before it. */
static uint64_t *latencies;
static unsigned small_count;
static atomic_bool small_ends;

static void *put_small(void *argument)
{
    uint64_t begin = bench_now_ns();
    unsigned first = small_count;

    while (!atomic_load(&small_ends) && small_count < SMALL_MAX) {
        char key[KEY_SIZE + 1];
        uint64_t due =
            begin + (uint64_t)(small_count - first) * (1000000000u / SMALL_PER_SECOND);
        uint64_t now = bench_now_ns();
        if (now < due) {
            struct timespec pause = {.tv_nsec = (long)(due - now)};
            nanosleep(&pause, NULL);
        }
        snprintf(key, sizeof key, "s%023" PRIx64, mix(small_count));
        put(database, key, noise + small_count % 4096, SMALL, false);
        latencies[small_count++] = bench_now_ns() - due;
    }
    return argument;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void print_small(const char *name, unsigned first)
{
    unsigned n = small_count - first;

    qsort(latencies + first, n, sizeof *latencies, compare);
    printf("\"%s\": {\"puts\": %u, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}, ",
           name, n, (double)latencies[first + n / 2] / 1e6,
           (double)latencies[first + n * 99 / 100] / 1e6,
           (double)latencies[small_count - 1] / 1e6);
}

/* Bytes that the device of the directory was given so far. */
static uint64_t written_bytes(void)
{
    struct stat status;
    char path[64];
    unsigned long long sectors = 0;

    sync();
    if (stat(directory, &status) != 0) {
        fail(directory, strerror(errno));
    }
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(status.st_dev),
             minor(status.st_dev));
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1) {
        fail(path, "cannot be read");
    }
    fclose(file);
    return (uint64_t)sectors * 512;
}

static double used_mebibytes(void)
{
    struct statvfs status;

    sync();
    if (statvfs(directory, &status) != 0) {
        fail(directory, strerror(errno));
    }
    return (double)(status.f_blocks - status.f_bfree) * (double)status.f_frsize / (1 << 20);
}

/* Until nothing is compacted any more: nothing is written for two seconds. */
static void settle(void)
{
    uint64_t before = written_bytes();

    for (;;) {
        sleep(2);
        uint64_t now = written_bytes();
        if (now - before < 1 << 20) {
            return;
        }
        before = now;
    }
}

/* Stores blocks from `first` on; prints how fast, how much was written, and small puts. */
static void fill(unsigned first, unsigned end, const char *name)
{
    pthread_t writers[WRITERS];
    pthread_t small;
    unsigned first_small = small_count;
    char small_name[64];
    uint64_t written = written_bytes();
    uint64_t begin = bench_now_ns();

    atomic_store(&next_block, first);
    last_block = end;
    atomic_store(&small_ends, false);
    pthread_create(&small, NULL, put_small, NULL);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_create(&writers[i], NULL, store_blocks, NULL);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
    }
    double seconds = (double)(bench_now_ns() - begin) / 1e9;
    atomic_store(&small_ends, true);
    pthread_join(small, NULL);
    snprintf(small_name, sizeof small_name, "small_beside_%s", name);
    print_small(small_name, first_small);
    settle();
    double bytes = (double)(end - first) * BLOCK + (double)(small_count - first_small) * SMALL;
    printf("\"%s\": {\"mib_per_second\": %.1f, \"written_times\": %.2f}, ", name,
           (double)(end - first) * BLOCK / (1 << 20) / seconds,
           (double)(written_bytes() - written) / bytes);
    fflush(stdout);
}

static void read_block(unsigned index)
{
    char key[KEY_SIZE + 1];
    char path[4096];
    static uint8_t bytes[BLOCK];

    block_key(index, key);
    if (has_files) {
        block_path(key, path);
        int file = open(path, O_RDONLY);
        if (file < 0 || read(file, bytes, BLOCK) != BLOCK) {
            fail(path, strerror(errno));
        }
        close(file);
        return;
    }
    char *error = NULL;
    size_t size = 0;
    leveldb_readoptions_t *options = leveldb_readoptions_create();
    leveldb_readoptions_set_verify_checksums(options, 1);
    char *value = leveldb_get(blocks, options, key, KEY_SIZE, &size, &error);
    leveldb_readoptions_destroy(options);
    if (error || size != BLOCK) {
        fail(key, error ? error : "is not there");
    }
    leveldb_free(value);
}

static void read_all(void)
{
    sync();
    int caches = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (caches < 0 || write(caches, "3", 1) != 1) {
        fail("drop_caches", strerror(errno));
    }
    close(caches);
    uint64_t begin = bench_now_ns();
    for (unsigned i = 0; i < count; i++) {
        read_block(i);
    }
    double seconds = (double)(bench_now_ns() - begin) / 1e9;
    printf("\"read_cold_mib_per_second\": %.1f, ", (double)count * BLOCK / (1 << 20) / seconds);
}

static void delete_all(void)
{
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_SIZE + 1];
        char path[4096];
        block_key(i, key);
        if (has_files) {
            block_path(key, path);
            if (unlink(path) != 0) {
                fail(path, strerror(errno));
            }
        }
        put(has_files ? database : blocks, key, noise, RECORD, i % 64 == 0);
    }
}

int main(int argc, char **argv)
{
    static const char *const layouts[] = {"main", "own", "files"};
    unsigned layout = 0;

    while (argc >= 3 && layout < 3 && strcmp(argv[1], layouts[layout]) != 0) {
        layout++;
    }
    if (argc < 3 || argc > 4 || layout == 3) {
        fputs("usage: block_store main|own|files DIR [MEBIBYTES]\n", stderr);
        return 2;
    }
    directory = argv[2];
    count = bench_number("block_store", "MEBIBYTES", argc == 4 ? argv[3] : "1024", 1 << 20) * 4;
    has_files = layout == 2;
    noise = malloc(BLOCK + 4096);
    latencies = malloc(SMALL_MAX * sizeof *latencies);
    for (unsigned i = 0; i < (BLOCK + 4096) / 8; i++) {
        uint64_t word = mix(i + 77);
        memcpy(noise + 8 * (size_t)i, &word, 8);
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/files", directory);
    (void)mkdir(path, 0700);
    database = open_database("db");
    blocks = layout == 1 ? open_database("blocks") : database;

    printf("{\"layout\": \"%s\", \"mib\": %u, ", argv[1], count / 4);
    pthread_t small;
    pthread_create(&small, NULL, put_small, NULL);
    sleep(IDLE_SECONDS);
    atomic_store(&small_ends, true);
    pthread_join(small, NULL);
    print_small("small_alone", 0);
    fill(0, count, "fill");
    read_all();
    double full = used_mebibytes();
    delete_all();
    double deleted = used_mebibytes();
    settle();
    double settled = used_mebibytes();
    fill(count, count + count / 4, "refill");
    double refilled = used_mebibytes();
    leveldb_compact_range(blocks, NULL, 0, NULL, 0);
    settle();
    printf("\"used_mib\": {\"full\": %.0f, \"deleted\": %.0f, \"settled\": %.0f, "
           "\"refilled\": %.0f, \"compacted\": %.0f}}\n",
           full, deleted, settled, refilled, used_mebibytes());
    leveldb_close(database);
    if (blocks != database) {
        leveldb_close(blocks);
    }
    free(noise);
    free(latencies);
    return 0;
}
