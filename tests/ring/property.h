/*
 * property.h - seed and number of runs of a property test.
 *
 * SEED and HISTORIES in the environment, or the first and second argument, replay a run. Run k
 * has the seed SEED + k, which is what a failure prints.
 */
#ifndef TESTS_RING_PROPERTY_H
#define TESTS_RING_PROPERTY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct property {
    uint64_t seed;
    uint64_t runs;
};

static inline struct property property_read(int argc, char **argv, uint64_t runs)
{
    const char *seed_text = argc > 1 ? argv[1] : getenv("SEED");
    const char *runs_text = argc > 2 ? argv[2] : getenv("HISTORIES");
    struct property property = {
        .seed = !seed_text ? 1 : strtoull(seed_text, NULL, 0),
        .runs = !runs_text ? runs : strtoull(runs_text, NULL, 0),
    };
    printf("seed %lu, %lu runs (SEED=%lu HISTORIES=%lu)\n", property.seed, property.runs,
           property.seed, property.runs);
    return property;
}

#endif
