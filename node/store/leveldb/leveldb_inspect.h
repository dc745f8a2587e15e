/*
 * leveldb_inspect.h - reads the files of a closed LevelDB database and says what is wrong.
 *
 * LevelDB notices a missing table and a bad checksum; it does not notice that a log was deleted
 * or cut off, and it cannot tell a tail that a power cut has torn from damage. Here each log is
 * read and compared with the manifest and with the note of what was synced
 * (leveldb_watch.h).
 *
 * Reads LevelDB's published formats (doc/log_format.md and doc/impl.md of LevelDB 1.23).
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_INSPECT_H
#define NODE_STORE_LEVELDB_LEVELDB_INSPECT_H

#include "ring/bytes.h"

enum leveldb_verdict {
    LEVELDB_WELL,
    LEVELDB_TORN,    /* only what was never acknowledged as synced is damaged */
    LEVELDB_DAMAGED, /* something that was synced is damaged or missing */
};

enum { LEVELDB_TORN_MAX = 8 };

struct leveldb_inspection {
    enum leveldb_verdict verdict;
    char text[256]; /* what and where; "" if all is well */
    /* TORN: the files that have to be cut, and where. */
    struct leveldb_torn {
        char name[32];
        uint64_t size;
    } torn[LEVELDB_TORN_MAX];
    size_t torn_count;
};

/* Inspects the database at `path`, which nobody may have open. A directory without a database
 * is well. STATUS_IO, with errno, if the files cannot be read; STATUS_NO_MEMORY. */
MUST_CHECK enum status leveldb_inspect(const char *path, struct leveldb_inspection *ret_found);
/* Cuts what is torn, synced. STATUS_IO, with errno. */
MUST_CHECK enum status leveldb_inspect_cut(const char *path,
                                           const struct leveldb_inspection *found);

#endif
