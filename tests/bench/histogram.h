/*
 * histogram.h - latencies of one phase: percentiles, and a histogram with logarithmic buckets.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct percentiles {
    uint32_t p50_us;
    uint32_t p99_us;
    uint32_t p999_us;
    uint32_t max_us;
};

/* Sorts the latencies. The share of them that is not above a percentile is at least that of its
 * name; all are 0 if there are none. */
struct percentiles histogram_percentiles(uint32_t *latencies_us, size_t count);
/* One line a bucket, each twice as wide as the one before. The bar's length is the logarithm of
 * the count, so that a single slow operation is seen. The latencies are sorted. */
void histogram_print(FILE *out, const uint32_t *sorted_us, size_t count);
/* The same buckets as a JSON array of [upper bound in us, count], the empty ones left out. */
void histogram_print_json(FILE *out, const uint32_t *sorted_us, size_t count);

#endif
