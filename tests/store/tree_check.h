/*
 * tree_check.h - are the trees of a store what its data says?
 */
#ifndef TESTS_STORE_TREE_CHECK_H
#define TESTS_STORE_TREE_CHECK_H

#include "tests/store/fixture.h"

/* Below `below`, of a fixed sequence. */
uint32_t draw_below(uint32_t below);
/* Groups of puts, merges, deletes and projections of a few dozen keys, at random. */
void change_some(struct fixture *fixture, int groups);

struct forest {
    struct merkle_tree tree[FIXTURE_PARTITIONS];
};

/* What the objects and rows of the engine add up to. */
void forest_of_data(struct fixture *fixture, struct forest *ret_forest);
/* What STORE_TREE answers, checked: buckets must fit their leaves. */
void forest_of_answers(struct fixture *fixture, struct forest *ret_forest);
/* Data, answers and the leaves on the disk all say the same. */
void assert_trees_true(struct fixture *fixture);

struct store_request tree_request(uint16_t partition, uint16_t bucket);
/* From the beginning; all leaves. */
struct store_request tree_keys_request(uint16_t partition, uint16_t limit);
struct store_request scrub_request(uint16_t partition, uint16_t limit);
/* Goes on behind the last entry of `result`. */
void continue_behind(struct store_request *request, const struct store_result *result);

/* The partition of an object, or of a row. */
uint16_t partition_of(enum merkle_part part, const char *key);

#endif
