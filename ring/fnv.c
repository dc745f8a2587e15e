/*
 * fnv.c - see fnv.h.
 */
#include "ring/fnv.h"

#include <assert.h>

uint32_t fnv32(struct slice bytes)
{
    assert(bytes.data || bytes.size == 0);
    uint32_t hash = UINT32_C(0x811c9dc5);

    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ bytes.data[i]) * UINT32_C(0x01000193);
    }
    return hash;
}

uint64_t fnv64(struct slice bytes)
{
    return fnv64_add(FNV64_BASIS, bytes);
}

uint64_t fnv64_add(uint64_t hash, struct slice bytes)
{
    assert(bytes.data || bytes.size == 0);
    for (size_t i = 0; i < bytes.size; i++) {
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
