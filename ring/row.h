/*
 * row.h - one name in a directory: a projection of the object behind the name.
 *
 * Source:   docs/design.md, Objects and rows: same clock and dots as the object, contents left
 *           out.
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
/*
 * When the name of the row (a projection or an object; NULL: none) appeared or vanished last,
 * microseconds; 0: never, as far as is known. The same for all copies that are equal. A name
 * that is overwritten neither appears nor vanishes.
 */
uint64_t row_names_us(const struct object *row);
/*
 * When the name of a value that is put over `current` (NULL: none) appeared, for its named_ns:
 * as its client says; or else as the newest version of this copy says; or else now. `counter`
 * is that of the put. Nothing appears in the future, or its directory's times would stand still
 * until then.
 */
int64_t row_named_ns(const struct object *current, const struct attributes *value,
                     uint64_t counter);
/* Drops what `row` owns and zeroes it. */
void row_release(struct row *row);
/* Drops `count` rows and the array. */
void rows_free(struct row *rows, size_t count);

#endif
