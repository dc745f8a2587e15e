/*
 * lone_hints.h - a core that keeps hints, as tests of node/core/hints.c begin with it.
 */
#ifndef TESTS_CORE_LONE_HINTS_H
#define TESTS_CORE_LONE_HINTS_H

#include "tests/core/lone.h"

enum { HINT_STAMP = 100 };

/* A core of a ring of so many members, with N = 3, that has just seen that it keeps none. */
struct lone *hints_open(uint16_t members);
/* It looks whom it keeps some for, now; the answer: so many for two members (0: for none). */
void hints_ask_owners(struct lone *lone);
void hints_tell_owners(struct lone *lone, node_id first, uint64_t count, node_id second);
/* One more to a page of the disk, with the object "1.5:5 | 1.5:5" if it has one, and the stamp
 * HINT_STAMP + its place. */
void hints_add(struct store_result *page, node_id owner, enum hint_kind kind, const char *key);
/* A walk through those of a member has just been given its only page, of one hint. */
struct lone *hints_open_one(uint16_t members, node_id owner, enum hint_kind kind,
                            const char *key);
/* The oldest put that was sent to a replica ends so; so does dropping the oldest hint. */
void hints_acknowledge(struct lone *lone, enum status status);
void hints_dropped(struct lone *lone, enum status status);
/* Fails the test unless the core looks again after so many seconds, or one more at most. */
void assert_hints_next(struct lone *lone, uint64_t seconds);

#endif
