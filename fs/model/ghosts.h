/*
 * ghosts.h - names of siblings that a listing has given out, for as long as it is open.
 *
 * Why:      `rm -r` removes `f`, which drops all its versions, and then `f~v1`, which it was
 *           given before: that must not fail because it is gone. The kernel looks the name up
 *           first, so a name that such a listing gave is found, as an empty file, until the
 *           listing is closed; only removing it succeeds.
 * Threads:  every function from any thread; it has its own lock.
 */
#ifndef FS_MODEL_GHOSTS_H
#define FS_MODEL_GHOSTS_H

#include <pthread.h>

#include "ring/bytes.h"

/* Further names of one listing are not remembered. */
enum { GHOSTS_MAX = 4096 };

/* What one listing gave out. */
struct given_names {
    struct given_names *next;
    struct given_names *previous;
    uint64_t directory; /* its inode's id */
    uint64_t *hashes;   /* owned */
    size_t count;
    size_t capacity;
};

struct ghosts {
    pthread_mutex_t lock;
    struct given_names *first; /* borrowed: of the listings that are open */
};

void ghosts_init(struct ghosts *ghosts);
void ghosts_release(struct ghosts *ghosts);

/* A listing of the directory begins; it gave no name yet. */
void ghosts_open(struct ghosts *ghosts, struct given_names *names, uint64_t directory);
void ghosts_close(struct ghosts *ghosts, struct given_names *names);
/* It gave this name. Forgotten when memory is short. */
void ghosts_give(struct ghosts *ghosts, struct given_names *names, struct slice name);

/* True if a listing of the directory that is still open gave the name. */
bool ghosts_have(struct ghosts *ghosts, uint64_t directory, struct slice name);

#endif
