/*
 * leveldb_accounting.c - what is known of the database's size: its logs, and its levels.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/leveldb/leveldb_files.h"
#include "node/store/leveldb/leveldb_internal.h"

enum {
    /* LevelDB delays writes from 8 level-0 files on; below 8 with a margin for those that come
       between two refreshes. */
    LEVEL0_QUICK_FILES = 6,
    LEVELS_MAX = 7,
    /* A compaction below level 1 takes one table with those that it overlaps, at most 25 of
       2 MiB each. */
    COMPACTION_SIZE_MAX = 50 << 20,
};

/* What a compaction may take for a while: all of the two upper levels, as they overlap, or one
 * table of a lower one with those that it meets. */
void leveldb_look_at_levels(struct leveldb_engine *leveldb)
{
    char *text = leveldb_property_value(leveldb->db, "leveldb.num-files-at-level0");
    bool is_low = text && strtol(text, NULL, 10) <= LEVEL0_QUICK_FILES;
    uint64_t upper = 0;
    uint64_t lower = 0;

    leveldb_free(text);
    leveldb->level0_bytes = 0;
    atomic_store(&leveldb->is_level0_low, is_low);
    text = leveldb_property_value(leveldb->db, "leveldb.stats");
    for (char *line = text; line; line = strchr(line, '\n')) {
        unsigned level = 0;
        unsigned files = 0;
        double megabytes = 0;

        line += *line == '\n' ? 1 : 0;
        if (sscanf(line, "%u %u %lf", &level, &files, &megabytes) == 3 && level < LEVELS_MAX) {
            /* It is told in whole MiB. */
            uint64_t size = (uint64_t)(megabytes + 1) << 20;
            *(level < 2 ? &upper : &lower) += files > 0 ? size : 0;
        }
    }
    leveldb_free(text);
    lower = lower < COMPACTION_SIZE_MAX ? lower : COMPACTION_SIZE_MAX;
    /* Until the next look there may be another table. */
    atomic_store(&leveldb->reserve.compaction_room, upper + lower + leveldb->buffer_size);
}

enum status leveldb_start_accounting(struct leveldb_engine *leveldb)
{
    struct leveldb_logs logs;
    enum status status = leveldb_files_logs(leveldb->path, &logs);

    if (status != STATUS_OK) {
        return status;
    }
    leveldb->look_bytes = 0;
    leveldb->newest_log = logs.newest;
    leveldb->synced_log = logs.newest;
    atomic_store(&leveldb->memtable_bytes, 0);
    atomic_store(&leveldb->failure, STATUS_OK);
    leveldb_look_at_levels(leveldb);
    return STATUS_OK;
}
