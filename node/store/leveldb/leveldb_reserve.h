/*
 * leveldb_reserve.h - room on the disk that is kept for what must still be possible on a full
 * one: deletes, the marks and leases of a start, and turning the log into a table, which every
 * opening of LevelDB does.
 *
 * A preallocated file beside the database takes the room from other programs, and is deleted
 * when the room is needed. From the own new content it is kept by asking before each write.
 *
 * Threads:  any for leveldb_reserve_has_room; the others one at a time.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_RESERVE_H
#define NODE_STORE_LEVELDB_LEVELDB_RESERVE_H

#include <stdatomic.h>

#include "ring/bytes.h"

struct leveldb_reserve {
    const char *path;  /* of the database; borrowed */
    uint64_t size;     /* of the file, bytes; 0: there is to be none */
    uint64_t log_room; /* what the logs may take, and the tables made of them */
    atomic_bool is_held;
    atomic_uint_fast64_t compaction_room; /* what a compaction may take until it is over */
};

/* How large LevelDB's write buffer, and so its log, is to be on the file system of `path`: at
 * most `size_max`, less on a small one. Bytes. */
uint64_t leveldb_reserve_buffer_size(const char *path, uint64_t size_max);
void leveldb_reserve_init(struct leveldb_reserve *reserve, const char *path,
                          uint64_t buffer_size, bool has_file);
/* Makes the file if there is room for it and more; does without if not. */
void leveldb_reserve_hold(struct leveldb_reserve *reserve);
/* Deletes the file. True if that gave room. */
bool leveldb_reserve_release(struct leveldb_reserve *reserve);

/* True if `size` bytes may be written such that the logs can still become tables, and (unless
 * the write `is_vital`) such that a compaction can give back what is deleted. */
bool leveldb_reserve_has_room(const struct leveldb_reserve *reserve, uint64_t size,
                              bool is_vital);

#endif
