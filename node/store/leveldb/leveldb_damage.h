/*
 * leveldb_damage.h - what was found damaged last, for people.
 *
 * LevelDB says what is wrong and not in which file. That is looked for when somebody asks, and
 * not more than once a second: one damaged block may be met by many reads.
 *
 * Threads:  any.
 */
#ifndef NODE_STORE_LEVELDB_LEVELDB_DAMAGE_H
#define NODE_STORE_LEVELDB_LEVELDB_DAMAGE_H

#include <pthread.h>

#include "ring/bytes.h"

struct leveldb_damage {
    pthread_mutex_t lock; /* guards what follows */
    char text[256];       /* "": nothing */
    struct buffer start;  /* the range of keys in which it was met */
    struct buffer end;    /* empty: no end */
    bool is_placed;       /* the file was looked for */
    int64_t placed_ms;    /* when last */
};

void leveldb_damage_init(struct leveldb_damage *damage);
void leveldb_damage_release(struct leveldb_damage *damage);
/* LevelDB reported `text` when it read keys from `start` to `end` (empty: no end). */
void leveldb_damage_note(struct leveldb_damage *damage, const char *text, struct slice start,
                         struct slice end);
void leveldb_damage_forget(struct leveldb_damage *damage);
/* As engine.h's last_corruption, for the database in `path`. */
void leveldb_damage_tell(struct leveldb_damage *damage, const char *path, char *ret_text,
                         size_t size);

#endif
