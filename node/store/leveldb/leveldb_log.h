/*
 * leveldb_log.h - reads the records of a LevelDB log or manifest, and where they stop making
 * sense.
 *
 * A log is a sequence of blocks of 32 KiB; a record is cut into fragments that do not cross a
 * block: checksum (masked CRC-32C), length, type, data.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_LOG_H
#define NODE_STORE_LEVELDB_LEVELDB_LOG_H

#include "ring/bytes.h"

/* One whole record. False stops the reading. */
typedef bool leveldb_on_record(void *context, struct slice record);

struct leveldb_log_end {
    uint64_t good_size; /* where the last whole record ends */
    uint64_t file_size;
    bool is_bad;   /* behind it are bytes that are no record, and are not nothing */
    bool has_more; /* ... and behind these records that are whole */
};

/* Reads the log in `directory`/`name`; `on_record` may be NULL. STATUS_NOT_FOUND, STATUS_IO
 * with errno, STATUS_NO_MEMORY. */
MUST_CHECK enum status leveldb_log_read(int directory, const char *name,
                                        leveldb_on_record *on_record, void *context,
                                        struct leveldb_log_end *ret_end);

/* LevelDB's masked CRC-32C of some bytes. */
uint32_t leveldb_masked_crc(struct slice bytes);

#endif
