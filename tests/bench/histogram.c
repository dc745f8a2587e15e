/*
 * histogram.c - see histogram.h.
 */
#include "tests/bench/histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    FIRST_BOUND_US = 125,
    BUCKETS = 20, /* the last one ends at 65 s */
    BAR_STEP = 3, /* characters for each doubling of the count */
};

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* The smallest one that `share` of 1000 are not above. */
static uint32_t percentile(const uint32_t *sorted_us, size_t count, size_t share)
{
    return sorted_us[(count * share + 999) / 1000 - 1];
}

struct percentiles histogram_percentiles(uint32_t *latencies_us, size_t count)
{
    if (count == 0) {
        return (struct percentiles){0};
    }
    qsort(latencies_us, count, sizeof *latencies_us, compare);
    return (struct percentiles){.p50_us = percentile(latencies_us, count, 500),
                                .p99_us = percentile(latencies_us, count, 990),
                                .p999_us = percentile(latencies_us, count, 999),
                                .max_us = latencies_us[count - 1]};
}

static uint32_t upper_bound(unsigned bucket)
{
    return (uint32_t)FIRST_BOUND_US << bucket;
}

static void fill(const uint32_t *sorted_us, size_t count, size_t counts[BUCKETS])
{
    unsigned bucket = 0;

    for (size_t i = 0; i < count; i++) {
        while (bucket + 1 < BUCKETS && sorted_us[i] >= upper_bound(bucket)) {
            bucket++;
        }
        counts[bucket]++;
    }
}

static void print_bar(FILE *out, size_t count)
{
    for (size_t rest = count; rest > 0; rest /= 2) {
        for (unsigned i = 0; i < BAR_STEP; i++) {
            fputc('#', out);
        }
    }
}

void histogram_print(FILE *out, const uint32_t *sorted_us, size_t count)
{
    size_t counts[BUCKETS] = {0};
    size_t seen = 0;

    fill(sorted_us, count, counts);
    for (unsigned i = 0; i < BUCKETS && seen < count; i++) {
        seen += counts[i];
        if (seen == 0) {
            continue;
        }
        fprintf(out, "  < %9.3f ms %8zu %8.3f %%  ", upper_bound(i) / 1000.0, counts[i],
                100.0 * (double)seen / (double)count);
        print_bar(out, counts[i]);
        fputc('\n', out);
    }
}

void histogram_print_json(FILE *out, const uint32_t *sorted_us, size_t count)
{
    size_t counts[BUCKETS] = {0};
    bool is_first = true;

    fill(sorted_us, count, counts);
    fputc('[', out);
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (counts[i] > 0) {
            fprintf(out, "%s[%" PRIu32 ", %zu]", is_first ? "" : ", ", upper_bound(i),
                    counts[i]);
            is_first = false;
        }
    }
    fputc(']', out);
}
