/*
 * listing.h - names as a listing shows them, in its order, each with what it stands for.
 *
 * Shape:    first the names that only this mount knows (the dots, pending files), then those of
 *           rows by (name, kind), siblings behind the file that they are versions of.
 * Threads:  one at a time.
 */
#ifndef FS_MODEL_LISTING_H
#define FS_MODEL_LISTING_H

#include "fs/model/fs.h"

/* One name. Small: a handle keeps one for each name that it has listed. */
struct entry {
    uint32_t name; /* offset in `names`, NUL at its end */
    uint8_t name_size;
    uint8_t base_size;  /* of the name in the row */
    bool is_base_apart; /* that is not where the name begins, but behind its NUL */
    uint32_t number;    /* of a sibling, otherwise 0 */
    enum row_kind kind;
    struct object *row; /* counted; NULL for local names, and for what is not in memory */
    struct dot dot;     /* of the version shown */
};

struct listing {
    struct buffer names;
    struct entry *entries;
    size_t count;
    size_t capacity;
    size_t local_count; /* the first ones, which have no row */
};

void listing_release(struct listing *listing);
/* Drops all names, and keeps the memory. */
void listing_reset(struct listing *listing);
/* Drops the names from `count` on. */
void listing_truncate(struct listing *listing, size_t count);
/* Drops the rows of the names from `first` to before `end`. */
void listing_drop_rows(struct listing *listing, size_t first, size_t end);

/* Inside the listing, until names are added. */
const char *listing_name(const struct listing *listing, const struct entry *entry);
struct slice listing_base(const struct listing *listing, size_t position);

/* Appends a local name. NULL when memory is short. */
struct entry *listing_add(struct listing *listing, struct slice name);
/* Appends what the rows of the directory `key` show, but for files of the local names. Asks for
 * siblings' numbers. Errno; then some of them may have been added. */
int listing_add_rows(struct listing *listing, struct fs *fs, struct slice key,
                     const struct kv_rows *rows);

/*
 * Gives the names from `position` on the rows that they have in `again`, which were asked for
 * from that name on, up to the name `last` (empty: to the end of the directory). A name that is
 * not among them gets none. Returns where the names behind `last` begin.
 */
size_t listing_fill(struct listing *listing, size_t position, struct listing *again,
                    struct slice last);

#endif
