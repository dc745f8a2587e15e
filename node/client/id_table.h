/*
 * id_table.h - a set of block ids.
 *
 * Shape:    open addressing. Ids are random, so a part of one is its hash.
 * Memory:   at most four places of 32 bytes for each id.
 */
#ifndef NODE_CLIENT_ID_TABLE_H
#define NODE_CLIENT_ID_TABLE_H

#include "ring/manifest.h"

/* Zeroed is empty and valid. */
struct id_table {
    struct block_entry *slots; /* owned; a hole is a free place */
    size_t count;
    size_t room; /* places: a power of two, or 0; over half of them are free */
};

/* Adds the id of an entry that is no hole; *ret_new says whether it was not there.
 * STATUS_NO_MEMORY. */
MUST_CHECK enum status id_table_add(struct id_table *table, const struct block_entry *entry,
                                    bool *ret_new);
bool id_table_has(const struct id_table *table, const uint8_t id[BLOCK_ID_SIZE]);
void id_table_release(struct id_table *table);

#endif
