/*
 * marks.h - what was unnamed when it was looked at last, and since when.
 *
 * Shape:    by block set; of each set an array of marks in the order of their keys.
 */
#ifndef NODE_CLIENT_MARKS_H
#define NODE_CLIENT_MARKS_H

#include "node/client/survey.h"

struct mark {
    struct unnamed what; /* owned */
    uint64_t since_us;   /* by the collector's clock */
};

struct marked_set {
    struct marked_set *next; /* of its shard */
    struct block_set set;
    uint64_t pass;      /* in which it was there last */
    struct mark *marks; /* owned array */
    size_t count;
};

/* Zeroed is empty and valid. */
struct marks {
    struct marked_set *shards[BLOCK_SHARDS]; /* by the first byte of the set */
    size_t count;                            /* marks, of all sets */
};

/* The set's marks, for the caller to free or to put back; NULL: none. */
struct marked_set *marks_take(struct marks *marks, const struct block_set *set);
/* Takes `marked`. Its marks may be in any order; a set without any is freed. */
void marks_put(struct marks *marks, struct marked_set *marked);
/* The mark of `key`, or NULL; `marked` was taken, and may be NULL. */
struct mark *marked_find(const struct marked_set *marked, const struct blob *key);
void marked_free(struct marked_set *marked); /* NULL is allowed */
/* Forgets the sets of the shard that were not there in this pass: those with another number. */
void marks_drop_old(struct marks *marks, uint8_t shard, uint64_t pass);
void marks_release(struct marks *marks);

#endif
