/*
 * shard_kv.h - spares a collector the listing of shards in which there never was a set: some 250
 * of 256, which take most of a pass and tell nothing.
 */
#ifndef TESTS_SIM_SHARD_KV_H
#define TESTS_SIM_SHARD_KV_H

#include "tests/sim/book.h"

struct shard_kv {
    struct kv kv;
    struct kv *inner;        /* borrowed */
    const struct book *book; /* borrowed */
};

void shard_kv_init(struct shard_kv *shard_kv, struct kv *inner, const struct book *book);

#endif
