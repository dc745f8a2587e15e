/*
 * leveldb_files.h - what the LevelDB engine must know of LevelDB's own files.
 *
 * LevelDB names its logs NNNNNN.log, ascending. The newest takes the writes; an older one is
 * there until its memtable has become a table.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_FILES_H
#define NODE_STORE_LEVELDB_LEVELDB_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/bytes.h"

struct leveldb_logs {
    uint32_t count;
    uint64_t newest;     /* number of the newest log; 0 if there is none */
    uint64_t size_bytes; /* of all of them */
};

/* Makes the directory and those above it. STATUS_IO or STATUS_NO_SPACE, with errno. */
MUST_CHECK enum status leveldb_files_make_directory(const char *path);

/*
 * STATUS_CORRUPT if the directory holds tables or logs but no CURRENT: LevelDB would take it
 * for a new database and delete them. STATUS_OK also if there is no directory.
 */
MUST_CHECK enum status leveldb_files_check(const char *path);

MUST_CHECK enum status leveldb_files_logs(const char *path, struct leveldb_logs *ret_logs);

/* The numbers of the logs in an open directory, ascending; at most `max` of the newest ones.
 * STATUS_IO, with errno. */
MUST_CHECK enum status leveldb_files_list_logs(int directory, uint64_t *ret_logs, size_t max,
                                               size_t *ret_count);

/* Syncs the logs numbered from `first` up to `end` (left out). One that is gone is fine: its
 * content is in a table, and tables are synced. */
MUST_CHECK enum status leveldb_files_sync_logs(const char *path, uint64_t first, uint64_t end);

/*
 * The mark that a salvage of the database has begun and that its outcome is not known to its
 * owner: a file beside the directory, synced. Taking it away cannot fail in a way that matters:
 * the database is salvaged once more.
 */
enum status leveldb_files_mark_salvage(const char *path, bool marked);
bool leveldb_files_has_salvage_mark(const char *path);
/* Removes what an earlier repair put aside. STATUS_IO, with errno. */
MUST_CHECK enum status leveldb_files_remove_lost(const char *path);

/* Locks the database at `path` as LevelDB does, before LevelDB: *ret_lock is a descriptor. The
 * lock is one of the process, and whoever closes that descriptor gives up LevelDB's lock as
 * well. STATUS_BUSY if another process holds it; STATUS_IO or NO_SPACE, with errno. */
MUST_CHECK enum status leveldb_files_lock(const char *path, int *ret_lock);

/* Syncs the directory that holds the file, so that its name is there or gone for good.
 * STATUS_IO, with errno. */
MUST_CHECK enum status leveldb_files_sync_directory_of(const char *path);

/* Keeps bytes in a file beside the database at `path`, with a checksum, synced: the whole file
 * or the one before. STATUS_IO or NO_SPACE, with errno. */
MUST_CHECK enum status leveldb_files_keep(const char *path, struct slice bytes);
/* STATUS_NOT_FOUND, CORRUPT, NO_MEMORY; STATUS_IO, with errno. */
MUST_CHECK enum status leveldb_files_kept(const char *path, struct buffer *ret_bytes);

/* Bytes that the files in the directory hold; 0 if it cannot be told. */
uint64_t leveldb_files_size(const char *path);
/* Bytes that may still be written to the file system of `path`; 0 if it cannot be told. */
uint64_t leveldb_files_free_bytes(const char *path);

#endif
