/*
 * leveldb_shadow.h - a database on a full disk, read from another file system.
 *
 * LevelDB cannot be opened without writing: it makes a table of its log, a manifest and a new
 * log. So a directory is made where there is room, with a symbolic link to each file of the
 * database, and LevelDB writes there. It removes or replaces links, and never what they lead
 * to. What is written there is thrown away with it: the database itself is not changed.
 *
 * A shadow of a database has always the same name on a machine, so one that a killed process
 * left behind is replaced by the next.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_SHADOW_H
#define NODE_STORE_LEVELDB_LEVELDB_SHADOW_H

#include "ring/bytes.h"

/* Makes a shadow of the database at `path`, with `room` bytes beside what its logs become, and,
 * with `elsewhere`, on another file system. *ret_shadow is its path, to be freed with
 * leveldb_shadow_remove_take. STATUS_NO_SPACE if there is room nowhere; STATUS_IO with errno.
 */
MUST_CHECK enum status leveldb_shadow_make(const char *path, uint64_t room, bool elsewhere,
                                           char **ret_shadow);
/* Removes the shadow, after LevelDB has closed it. NULL is allowed. */
void leveldb_shadow_remove_take(char *shadow);

#endif
