/*
 * row.c - order and ownership of rows.
 */
#include "ring/row.h"

#include <assert.h>
#include <stdlib.h>

int row_compare(const struct row *a, const struct row *b)
{
    assert(a && b);

    int order = slice_compare(blob_slice(a->name), blob_slice(b->name));
    if (order != 0) {
        return order;
    }
    return (a->kind > b->kind) - (a->kind < b->kind);
}

void row_release(struct row *row)
{
    if (!row) {
        return;
    }
    blob_unref(row->name);
    object_unref(row->object);
    blob_unref(row->record);
    *row = (struct row){0};
}

void rows_free(struct row *rows, size_t count)
{
    assert(rows || count == 0);

    for (size_t i = 0; i < count; i++) {
        row_release(&rows[i]);
    }
    free(rows);
}

uint64_t row_names_us(const struct object *row)
{
    uint64_t latest_us = row ? row->deleted_us : 0;

    for (uint32_t i = 0; row && i < row->version_count; i++) {
        int64_t named_ns = row->versions[i].attributes.named_ns;
        uint64_t named_us = named_ns > 0 ? (uint64_t)named_ns / 1000 : 0;
        latest_us = named_us > latest_us ? named_us : latest_us;
    }
    return latest_us;
}

int64_t row_named_ns(const struct object *current, const struct attributes *value,
                     uint64_t counter)
{
    uint64_t limit_us = (uint64_t)INT64_MAX / 1000;
    int64_t now_ns = (int64_t)(counter < limit_us ? counter : limit_us) * 1000;
    int64_t named_ns = value->named_ns;

    if (named_ns == 0 && object_is_live(current)) {
        named_ns = object_newest(current)->attributes.named_ns;
    }
    return named_ns <= 0 || named_ns > now_ns ? now_ns : named_ns;
}
