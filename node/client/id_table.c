/*
 * id_table.c - see id_table.h.
 */
#include "node/client/id_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

/* Where the id is, or its free place. There is one, for the table is never full. */
static size_t find(const struct id_table *table, const uint8_t id[BLOCK_ID_SIZE])
{
    size_t at;

    assert(table->room > 0);
    memcpy(&at, id, sizeof at);
    at &= table->room - 1;
    while (!block_entry_is_hole(&table->slots[at]) &&
           memcmp(table->slots[at].id, id, BLOCK_ID_SIZE) != 0) {
        at = (at + 1) & (table->room - 1);
    }
    return at;
}

static enum status grow(struct id_table *table)
{
    struct id_table grown = {.count = table->count,
                             .room = table->room > 0 ? 2 * table->room : ROOM_FIRST};

    grown.slots = calloc(grown.room, sizeof *grown.slots);
    if (!grown.slots) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < table->room; i++) {
        if (!block_entry_is_hole(&table->slots[i])) {
            grown.slots[find(&grown, table->slots[i].id)] = table->slots[i];
        }
    }
    free(table->slots);
    *table = grown;
    return STATUS_OK;
}

enum status id_table_add(struct id_table *table, const struct block_entry *entry, bool *ret_new)
{
    assert(table && ret_new && !block_entry_is_hole(entry));

    if (2 * (table->count + 1) > table->room) {
        enum status status = grow(table);
        if (status != STATUS_OK) {
            return status;
        }
    }
    size_t at = find(table, entry->id);
    *ret_new = block_entry_is_hole(&table->slots[at]);
    if (*ret_new) {
        table->slots[at] = *entry;
        table->count++;
    }
    return STATUS_OK;
}

bool id_table_has(const struct id_table *table, const uint8_t id[BLOCK_ID_SIZE])
{
    return table->room > 0 && !block_entry_is_hole(&table->slots[find(table, id)]);
}

void id_table_release(struct id_table *table)
{
    free(table->slots);
    *table = (struct id_table){.slots = NULL};
}
