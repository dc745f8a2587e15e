/*
 * bench_kv.c - how fast a cluster puts and gets values, through the same door as the mount.
 *
 * The client blocks, so `in flight` is the number of threads that each have one call under way.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/kv.h"
#include "tests/bench/bench.h"

enum { OPERATIONS_LIMIT = 10000000, THREADS_LIMIT = 256 };

struct work {
    struct kv *kv;
    struct blob *content;
    enum status status; /* of the call that failed, for the message */
};

static int key_of(unsigned index, char *key, size_t size)
{
    return snprintf(key, size, "bench-kv/%08u", index);
}

static int failure_of(struct work *work, enum status status)
{
    if (status == STATUS_OK) {
        return 0;
    }
    work->status = status;
    fprintf(stderr, "bench_kv: %s\n", status_text(status));
    return EIO;
}

static int do_put(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char key[64];
    int length = key_of(index, key, sizeof key);
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                            .content = work->content};
    struct kv_put put = {
        .key = slice_of(key, (size_t)length), .mode = UPDATE_ALL, .value = &value};

    (void)thread;
    return failure_of(work, kv_put(work->kv, &put, NULL, NULL));
}

static int do_get(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char key[64];
    int length = key_of(index, key, sizeof key);
    struct object *object = NULL;

    (void)thread;
    enum status status = kv_get(work->kv, slice_of(key, (size_t)length), NULL, &object);
    if (status == STATUS_OK) {
        const struct version *newest = object_newest(object);
        if (!slice_equal(blob_slice(newest->content), blob_slice(work->content))) {
            status = STATUS_CORRUPT;
        }
    }
    object_unref(object);
    return failure_of(work, status);
}

/* Deletes what the benchmark wrote, so that it can run again. */
static int do_delete(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char key[64];
    int length = key_of(index, key, sizeof key);
    struct slice name = slice_of(key, (size_t)length);
    struct object *object = NULL;

    (void)thread;
    enum status status = kv_get(work->kv, name, NULL, &object);
    if (status == STATUS_OK) {
        struct kv_put put = {.key = name, .mode = UPDATE_ALL, .context = object->clock};
        status = kv_put(work->kv, &put, NULL, NULL);
    }
    object_unref(object);
    return failure_of(work, status == STATUS_NOT_FOUND ? STATUS_OK : status);
}

static void usage(void)
{
    fputs("usage: bench_kv --cluster HOST:PORT[,...] [--operations N] [--size BYTES]\n"
          "                [--in-flight N] [--json]\n",
          stderr);
    exit(2);
}

static void run_all(struct work *work, struct bench_report *report, unsigned operations,
                    unsigned threads)
{
    struct bench_phase phase = {.operations = operations, .threads = threads, .context = work};

    bench_report_begin(report, blob_slice(work->content).size, threads);
    phase.name = "put";
    phase.operation = do_put;
    bench_run(report, &phase);
    phase.name = "get";
    phase.operation = do_get;
    bench_run(report, &phase);
    phase.name = "delete";
    phase.operation = do_delete;
    bench_run(report, &phase);
    bench_report_end(report);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"cluster", required_argument, NULL, 'c'}, {"operations", required_argument, NULL, 'o'},
        {"size", required_argument, NULL, 's'},    {"in-flight", required_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0}};
    struct bench_report report = {.program = "bench_kv"};
    struct work work = {0};
    struct error error = {0};
    const char *cluster = NULL;
    unsigned operations = 5000;
    unsigned threads = 1;
    size_t size = 1024;

    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (letter) {
        case 'c':
            cluster = optarg;
            break;
        case 'o':
            operations = bench_number(report.program, "--operations", optarg, OPERATIONS_LIMIT);
            break;
        case 's':
            size = bench_number(report.program, "--size", optarg, VALUE_SIZE_MAX);
            break;
        case 'i':
            threads = bench_number(report.program, "--in-flight", optarg, THREADS_LIMIT);
            break;
        case 'j':
            report.json = true;
            break;
        default:
            usage();
        }
    }
    if (!cluster || optind != argc || operations < threads) {
        usage();
    }
    work.content = blob_new_uninitialised(size);
    if (!work.content) {
        fputs("bench_kv: out of memory\n", stderr);
        return 1;
    }
    memset(work.content->data, 'k', size);
    if (kv_open_cluster(cluster, NULL, &work.kv, &error) != STATUS_OK) {
        fprintf(stderr, "bench_kv: %s\n", error.text);
        return 1;
    }
    run_all(&work, &report, operations, threads);
    kv_close(work.kv);
    blob_unref(work.content);
    return 0;
}
