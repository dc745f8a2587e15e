/*
 * trail.h - where in a directory each position of a listing was.
 *
 * Shape:    batches of positions, one behind the other from `first` on; of each name that was
 *           listed a mark of 8 bytes, by which it is known again when its batch is listed once
 *           more.
 * Threads:  one at a time.
 */
#ifndef FS_MODEL_TRAIL_H
#define FS_MODEL_TRAIL_H

#include "fs/model/listing.h"

struct trail_batch {
    uint64_t first;   /* the position of its first name */
    size_t count;     /* of names, as they were when it was listed */
    uint64_t *marks;  /* owned; one for each */
    struct blob *end; /* counted; it ends with this name, NULL: with the directory */
};

struct trail {
    struct trail_batch *batches;
    size_t count;
    size_t capacity;
};

void trail_release(struct trail *trail);

/* Appends a batch: what is listed, of which the first name has the position `first`. ENOMEM. */
int trail_add(struct trail *trail, uint64_t first, const struct listing *listing,
              struct blob *end);

/* The number of the batch with the position, which is one of the trail's. */
size_t trail_find(const struct trail *trail, uint64_t position);

/*
 * Makes a window of a batch that is listed once more, in pages: adds to `window` what of `page`
 * was listed before, and an entry without a name for each that is gone. *next counts the names
 * that are done; it is 0 before the first page, and the batch's count after the last one
 * (`is_last`). What is new has no position and is left out. ENOMEM.
 */
int trail_match(const struct trail_batch *batch, size_t *next, const struct listing *page,
                bool is_last, struct listing *window);

#endif
