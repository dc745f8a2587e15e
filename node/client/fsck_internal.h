/*
 * fsck_internal.h - what the parts of the check share.
 *
 * fsck.c        the door; the directories, name by name
 * fsck_file.c   one file: its versions, their blocks, what its block sets know of it
 * fsck_sets.c   the block sets
 * fsck_tell.c   what is found is told; what all of them ask
 */
#ifndef NODE_CLIENT_FSCK_INTERNAL_H
#define NODE_CLIENT_FSCK_INTERNAL_H

#include "node/client/fsck.h"

enum {
    FSCK_PAGE_ROWS = 256,
    FSCK_UNREAD_MAX = 32, /* so many things that cannot be read are told before it gives up */
};

struct fsck {
    const struct fsck_options *options;
    struct kv_options quorum; /* reads of a quorum */
    struct kv_options all;    /* ... of all who hold the key */
    struct fsck_stats stats;
    enum status end; /* it is over before its end, for this reason */
};

/* fsck_tell.c */
void fsck_found(struct fsck *fsck, const struct fsck_finding *finding);
/* What cannot be read; over FSCK_UNREAD_MAX, or if it is this side's matter, all ends. */
void fsck_unread(struct fsck *fsck, struct slice key, const struct block_set *set,
                 enum status status);
bool fsck_is_over(const struct fsck *fsck);
void fsck_progress(struct fsck *fsck);
/* Stores the copies of the key and its row again. */
enum status fsck_push(struct fsck *fsck, struct slice key);
/* Is the key, which is not the root, listed in its directory? */
enum status fsck_is_listed(struct fsck *fsck, struct slice key, bool *ret_is);

/* fsck_file.c: what is at the key of a file, or of a directory, that is listed. */
void fsck_look_at_file(struct fsck *fsck, struct slice key);
void fsck_look_at_directory(struct fsck *fsck, struct slice key);

/* fsck_sets.c */
void fsck_look_at_sets(struct fsck *fsck);

#endif
