/*
 * bench.h - what the two benchmarks share: a clock, latencies, and how they are reported.
 *
 * Threads:  each thread fills its own part of a phase's latencies.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic, nanoseconds. */
uint64_t bench_now_ns(void);
/* Time stolen by the hypervisor since boot, summed over the CPUs, nanoseconds. */
uint64_t bench_stolen_ns(void);

/* One operation, number `index`, by `thread`. 0 or an errno. */
typedef int (*bench_operation)(void *context, unsigned thread, unsigned index);

struct bench_phase {
    const char *name;
    unsigned operations;
    unsigned threads;
    bench_operation operation;
    void *context;
};

/* The program's name, for messages; and how results are printed. */
struct bench_report {
    const char *program;
    bool json;
    unsigned phases; /* printed so far */
};

/*
 * Runs the phase: operation `i` on thread `i % threads`, each thread in order. Prints its
 * result. An operation that fails ends the program with a message: a figure with errors in it
 * is no figure.
 */
void bench_run(struct bench_report *report, const struct bench_phase *phase);
/* Around all phases. `size` is the bytes of one value. */
void bench_report_begin(struct bench_report *report, size_t size, unsigned threads);
void bench_report_end(struct bench_report *report);
/* The number in `text`, 1 to `max`, or the program ends with a message that names `option`. */
unsigned bench_number(const char *program, const char *option, const char *text, unsigned max);

#endif
