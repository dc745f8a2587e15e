/*
 * kv_memory.h - what tests can do to a store in memory.
 *
 * A write "from another mount" needs no knob: it is a kv_put with an empty context, which makes
 * a sibling as it would on a cluster.
 *
 * Threads:  every function from any thread.
 */
#ifndef NODE_CLIENT_KV_MEMORY_H
#define NODE_CLIENT_KV_MEMORY_H

#include "node/client/kv.h"

/* The next `count` calls (get, put, list or space) fail with `status` and do nothing. */
void kv_memory_fail(struct kv *kv, unsigned count, enum status status);

/* The next `count` puts take effect and report `status` all the same: how an indeterminate put
 * looks that did appear. */
void kv_memory_fail_after_put(struct kv *kv, unsigned count, enum status status);

/* A list call looks at no more than `rows` names, live or deleted, however many are wanted, so
 * that it may return few rows or none with more set, as a cluster may. 0: no such bound. */
void kv_memory_scan_max(struct kv *kv, unsigned rows);

/* How often each operation was called, failed calls included. */
struct kv_memory_calls {
    uint64_t get;
    uint64_t put;
    uint64_t list;
    uint64_t space;
};
struct kv_memory_calls kv_memory_calls(struct kv *kv);

#endif
