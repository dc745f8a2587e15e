/*
 * leveldb_watch.h - is the database still where it was opened, and how far is it synced?
 *
 * LevelDB keeps its files open, so it does not notice when they are deleted, or when another
 * file system is mounted over them: it goes on writing into files that nobody will find again.
 * So the names are compared with what was opened before a synced write is acknowledged.
 *
 * What is synced is noted in a file beside the database: the newest log, and how much of it.
 * The note is written after the sync, in place and without a sync of its own; so it never says
 * too much, and after a power cut it may say too little. With it a tail that a power cut has
 * torn is told from damage, and a deleted log is missed.
 *
 * Threads:  one at a time.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_WATCH_H
#define NODE_STORE_LEVELDB_LEVELDB_WATCH_H

#include <sys/types.h>

#include "ring/bytes.h"

/* The newest log, and how many bytes of it are synced. Logs before it are synced whole. */
struct leveldb_synced {
    uint64_t log;
    uint64_t size;
};

struct leveldb_watch {
    const char *path; /* of the database; borrowed */
    int directory;    /* its descriptor; -1: not open */
    int note;         /* descriptor of the note; -1: none can be kept */
    dev_t device;
    ino_t inode;
    uint64_t newest_log; /* as last seen */
    uint64_t noted_log;  /* as last noted */
};

void leveldb_watch_init(struct leveldb_watch *watch, const char *path);
/* From now on the directory at `path` is the one. STATUS_IO or NO_SPACE with errno: it cannot
 * be watched. A note that cannot be made is done without. */
MUST_CHECK enum status leveldb_watch_open(struct leveldb_watch *watch);
void leveldb_watch_close(struct leveldb_watch *watch);

/* True if the directory is still at its path, with the log that is written to. Else `ret_why`
 * says what is not. Fills in the newest log and its size now. */
bool leveldb_watch_is_there(struct leveldb_watch *watch, struct leveldb_synced *ret_now,
                            char *ret_why, size_t size);
/* Notes what is synced; `durably`: and syncs the note (once an opening). */
void leveldb_watch_note(struct leveldb_watch *watch, struct leveldb_synced synced,
                        bool durably);
/* Reads the note of the database at `path`; false if there is none, or it is damaged. */
bool leveldb_watch_read_note(const char *path, struct leveldb_synced *ret_synced);

#endif
