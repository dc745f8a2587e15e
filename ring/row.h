/*
 * row.h - one name in a directory: a projection of the object behind the name.
 *
 * Source:   design.md section 4: same clock and dots as the object, contents left out.
 */
#ifndef RING_ROW_H
#define RING_ROW_H

#include "ring/key.h"
#include "ring/object.h"

struct row {
    struct blob *name;
    enum row_kind kind;
    struct object *object; /* a projection; NULL while only `record` is known */
    struct blob *record; /* its canonical bytes, unchecked, or NULL: what passes through a node
                            from disk to reader is not decoded on the way */
};

/* By name, then kind: the order of the store and of listings. */
int row_compare(const struct row *a, const struct row *b);
/* Drops what `row` owns and zeroes it. */
void row_release(struct row *row);
/* Drops `count` rows and the array. */
void rows_free(struct row *rows, size_t count);

#endif
