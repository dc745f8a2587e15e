/*
 * fnv.h - FNV-1a, a hash that is cheap and has no key: for tables, and for telling damage and
 * difference apart from chance. It protects nothing from people.
 *
 * Source:   G. Fowler, L. C. Noll, K.-P. Vo; its two usual sizes.
 */
#ifndef RING_FNV_H
#define RING_FNV_H

#include "ring/bytes.h"

#define FNV64_BASIS UINT64_C(0xcbf29ce484222325)

uint32_t fnv32(struct slice bytes);
uint64_t fnv64(struct slice bytes);
/* Goes on from `hash` over further bytes; it begins with FNV64_BASIS. */
uint64_t fnv64_add(uint64_t hash, struct slice bytes);

#endif
