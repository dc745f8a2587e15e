/*
 * leveldb_tables.h - finds damage in LevelDB's tables, which LevelDB itself tells without a
 * name.
 *
 * Reads LevelDB's published format of tables (doc/table_format.md of LevelDB 1.23), and changes
 * nothing.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_TABLES_H
#define NODE_STORE_LEVELDB_LEVELDB_TABLES_H

#include "ring/bytes.h"

/*
 * Looks for a damaged block that may hold keys from `start` (included) to `end` (left out;
 * empty: no end), in every table of the database in `path`. True if there is one; then
 * `ret_text` says where, as "000012.ldb: block checksum mismatch at 40960". Reads at most
 * `bytes_max`, however large the database is, so it may find nothing where there is something.
 */
bool leveldb_tables_find_damage(const char *path, struct slice start, struct slice end,
                                uint64_t bytes_max, char *ret_text, size_t size);

/* Takes a number of seven bits a byte off the front; false if there is none. */
bool leveldb_take_varint(struct slice *bytes, uint64_t *ret_number);

#endif
