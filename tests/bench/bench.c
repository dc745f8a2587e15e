/*
 * bench.c - runs phases of operations and reports their latencies.
 */
#include "tests/bench/bench.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

struct worker {
    const struct bench_phase *phase;
    unsigned thread;
    uint64_t *latencies; /* of the whole phase; this worker writes every threads-th one */
    int failure;         /* errno of the first operation that failed, and its index */
    unsigned failed_index;
};

uint64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t bench_stolen_ns(void)
{
    FILE *file = fopen("/proc/stat", "r");
    unsigned long long user, nice, system, idle, waiting, interrupt, soft, stolen;
    long ticks = sysconf(_SC_CLK_TCK);

    if (!file) {
        return 0;
    }
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
               &idle, &waiting, &interrupt, &soft, &stolen) != 8) {
        stolen = 0;
    }
    fclose(file);
    return (uint64_t)stolen * (NS_PER_S / (uint64_t)ticks);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    const struct bench_phase *phase = worker->phase;

    for (unsigned i = worker->thread; i < phase->operations; i += phase->threads) {
        uint64_t begin = bench_now_ns();
        worker->failure = phase->operation(phase->context, worker->thread, i);
        worker->latencies[i] = bench_now_ns() - begin;
        if (worker->failure) {
            worker->failed_index = i;
            return NULL;
        }
    }
    return NULL;
}

static int compare_latencies(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void print_phase(struct bench_report *report, const struct bench_phase *phase,
                        const uint64_t *sorted, uint64_t total_ns, uint64_t stolen_ns)
{
    double seconds = (double)total_ns / NS_PER_S;
    double rate = phase->operations / seconds;
    double p50 = (double)sorted[phase->operations / 2] / 1000;
    double p99 = (double)sorted[(size_t)phase->operations * 99 / 100] / 1000;
    double longest = (double)sorted[phase->operations - 1] / 1000;
    double stolen = (double)stolen_ns / (double)total_ns;

    if (report->json) {
        printf("%s\n  \"%s\": {\"operations\": %u, \"seconds\": %.6f, \"per_second\": %.1f, "
               "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"stolen_cores\": %.3f}",
               report->phases ? "," : "", phase->name, phase->operations, seconds, rate, p50,
               p99, longest, stolen);
    } else {
        printf("%-12s %8u  %9.3f s  %10.0f /s  p50 %9.1f us  p99 %9.1f us%s\n", phase->name,
               phase->operations, seconds, rate, p50, p99, stolen > 0.1 ? "  (stolen)" : "");
    }
    fflush(stdout);
    report->phases++;
}

static void *allocate(const struct bench_report *report, size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        fprintf(stderr, "%s: out of memory\n", report->program);
        exit(1);
    }
    return memory;
}

void bench_run(struct bench_report *report, const struct bench_phase *phase)
{
    assert(phase->threads > 0);
    assert(phase->operations >= phase->threads);
    uint64_t *latencies = allocate(report, phase->operations, sizeof *latencies);
    struct worker *workers = allocate(report, phase->threads, sizeof *workers);
    pthread_t *threads = allocate(report, phase->threads, sizeof *threads);
    uint64_t stolen = bench_stolen_ns();
    uint64_t begin = bench_now_ns();

    for (unsigned i = 0; i < phase->threads; i++) {
        workers[i] = (struct worker){.phase = phase, .thread = i, .latencies = latencies};
        if (pthread_create(&threads[i], NULL, worker_run, &workers[i])) {
            fprintf(stderr, "%s: cannot start a thread\n", report->program);
            exit(1);
        }
    }
    for (unsigned i = 0; i < phase->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t total = bench_now_ns() - begin;
    stolen = bench_stolen_ns() - stolen;
    for (unsigned i = 0; i < phase->threads; i++) {
        if (workers[i].failure) {
            fprintf(stderr, "%s: %s: operation %u: %s\n", report->program, phase->name,
                    workers[i].failed_index, strerror(workers[i].failure));
            exit(1);
        }
    }
    qsort(latencies, phase->operations, sizeof *latencies, compare_latencies);
    print_phase(report, phase, latencies, total, stolen);
    free(latencies);
    free(workers);
    free(threads);
}

void bench_report_begin(struct bench_report *report, size_t size, unsigned threads)
{
    if (report->json) {
        printf("{\"program\": \"%s\", \"size\": %zu, \"threads\": %u, \"phases\": {",
               report->program, size, threads);
    }
}

void bench_report_end(struct bench_report *report)
{
    if (report->json) {
        printf("\n}}\n");
    }
}

unsigned bench_number(const char *program, const char *option, const char *text, unsigned max)
{
    char *end = NULL;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;

    if (!text || end == text || *end || number == 0 || number > max) {
        fprintf(stderr, "%s: %s wants a number from 1 to %u\n", program, option, max);
        exit(2);
    }
    return (unsigned)number;
}
