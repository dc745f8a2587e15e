/*
 * birth.h - what tells an own pair from every other that its node ever opened.
 *
 * A birth is made of the counter at which the pair was opened, in periods of 65 ms, and of a
 * number that no other opening in that period has: in one life of the node for certain, in two
 * lives but for a chance of 1 in 2^28 for each key that both open in one period. Two lives reach
 * the same counters when a data directory is put back from a backup while the clock is behind
 * what was issued since; with the counter alone both would open the same pair then, and each
 * would claim the other's writes (docs/decisions/0036).
 */
#ifndef NODE_STORE_BIRTH_H
#define NODE_STORE_BIRTH_H

#include <stdint.h>

/* Of a pair that is opened at this counter, in the life of the node that drew `salt` at its
 * start. */
uint64_t birth_of(uint64_t counter, uint64_t salt);
/* The least birth of a pair opened in the period of this counter. Counters beyond the year 2112
 * are all of one: nobody can tell when a pair was opened then, so this is above them all. */
uint64_t birth_least(uint64_t counter);
/* The last counter of the period: pairs that are opened above it are told from all before. */
uint64_t birth_period_end(uint64_t counter);

#endif
