/*
 * listing.h - names as a listing shows them, in its order, each with what it stands for.
 *
 * Shape:    names that only this mount knows (the dots, pending files), or those of rows by
 *           (name, kind), siblings behind the file that they are versions of, by number.
 * Threads:  one at a time.
 */
#ifndef FS_MODEL_LISTING_H
#define FS_MODEL_LISTING_H

#include "fs/model/fs.h"

/* One name. */
struct entry {
    uint32_t name; /* offset in `names`, NUL at its end */
    uint8_t name_size;
    uint8_t base_size;  /* of the name in the row */
    bool is_base_apart; /* that is not where the name begins, but behind its NUL */
    uint32_t number;    /* of a sibling, otherwise 0 */
    enum row_kind kind;
    struct object *row; /* counted; NULL for local names */
    struct dot dot;     /* of the version shown */
};

struct listing {
    struct buffer names;
    struct entry *entries;
    size_t count;
    size_t capacity;
};

void listing_release(struct listing *listing);

/* Inside the listing, until names are added. */
const char *listing_name(const struct listing *listing, const struct entry *entry);
struct slice listing_base(const struct listing *listing, size_t position);

/* Appends a local name. NULL when memory is short. */
struct entry *listing_add(struct listing *listing, struct slice name);
/* Appends a copy of another listing's name. NULL when memory is short. */
struct entry *listing_copy(struct listing *listing, const struct listing *from,
                           size_t position);
/* Appends what the rows of the directory `key` show, but for files whose names are in `local`.
 * Asks for siblings' numbers. Errno; then some of them may have been added. */
int listing_add_rows(struct listing *listing, struct fs *fs, struct slice key,
                     const struct kv_rows *rows, const struct listing *local);

#endif
