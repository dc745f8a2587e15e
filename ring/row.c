/*
 * row.c - order and ownership of rows.
 */
#include "ring/row.h"

#include <assert.h>
#include <stdlib.h>

int row_compare(const struct row *a, const struct row *b)
{
    assert(a != NULL && b != NULL);

    int order = slice_compare(blob_slice(a->name), blob_slice(b->name));
    if (order != 0) {
        return order;
    }
    return (a->kind > b->kind) - (a->kind < b->kind);
}

void row_release(struct row *row)
{
    if (row == NULL) {
        return;
    }
    blob_unref(row->name);
    object_unref(row->object);
    blob_unref(row->record);
    *row = (struct row){0};
}

void rows_free(struct row *rows, size_t count)
{
    assert(rows != NULL || count == 0);

    for (size_t i = 0; i < count; i++) {
        row_release(&rows[i]);
    }
    free(rows);
}
