/*
 * fsck.h - looks at all that is stored through the eyes of a client: does every name have its
 *          file, every file its blocks, every block a reason?
 *
 * Shape:    first the directories, name by name: each file is read, with all its versions and
 *           their blocks. Then, if all is looked at, the block sets: each path that one notes
 *           has its name in its directory, and what no version names is young, or in use, or is
 *           waiting for a collector (node/client/collector.h).
 * Memory:   a page of names for each directory on the way down, and what one block set names.
 * Threads:  the calling one.
 * Source:   docs/design.md, Large files.
 * Never:    a guess. What cannot be read is told as such, and nothing is said of it; what changes
 *           meanwhile is read once more. It deletes nothing.
 */
#ifndef NODE_CLIENT_FSCK_H
#define NODE_CLIENT_FSCK_H

#include "node/client/kv.h"
#include "ring/block_key.h"

enum fsck_kind {
    FSCK_GONE,        /* a name is listed, and there is no such file or directory */
    FSCK_UNLISTED,    /* a file is there, and its directory does not list it */
    FSCK_DAMAGED,     /* no copy of a file can be read, or its list of blocks makes no sense */
    FSCK_BLOCKS,      /* blocks of a file are gone, or no copy of them is right */
    FSCK_UNNOTED,     /* a file is not noted in its block set: its blocks would be deleted */
    FSCK_UNANNOUNCED, /* a file's block set, or a part of it, is not announced: nobody would ever
                         look for what is unnamed in it */
    FSCK_UNNAMED,     /* blocks that no version names, longer than a collector takes */
    FSCK_NONSENSE,    /* a block set that cannot be understood: it is left alone for ever */
    FSCK_UNREAD,      /* could not be looked at */
    FSCK_KIND_COUNT,
};

struct fsck_finding {
    enum fsck_kind kind;
    struct slice key;            /* of a file or directory; empty: it is about a set */
    const struct block_set *set; /* or NULL */
    uint64_t blocks;             /* FSCK_BLOCKS, FSCK_UNNAMED: so many */
    uint64_t offset;             /* FSCK_BLOCKS: where in the file the first one is */
    enum status status;          /* FSCK_UNREAD: why */
    bool is_repaired;            /* it was so, and is no more */
};

struct fsck_stats {
    uint64_t directories;
    uint64_t files;
    uint64_t versions;
    uint64_t blocks; /* read; of large files */
    uint64_t bytes;  /* of contents */
    uint64_t sets;
    uint64_t sets_busy; /* changed while they were looked at, or are held: somebody works */
    uint64_t blocks_waiting;         /* unnamed not long enough to wonder */
    uint64_t found[FSCK_KIND_COUNT]; /* not repaired */
    uint64_t repaired;
    unsigned shards_done; /* of BLOCK_SHARDS */
};

struct fsck_options {
    struct kv *kv; /* borrowed */
    uint32_t deadline_ms;
    struct slice path; /* a key; that of the root: all is looked at */
    bool repair; /* reads all copies of each block, and stores anew what lacks something */
    uint64_t grace_us; /* of the mounts: how long a block may be unnamed */
    uint64_t (*wall_us)(void);
    void (*on_finding)(void *context, const struct fsck_finding *finding);
    void (*on_progress)(void *context, const struct fsck_stats *stats); /* often; may be NULL */
    void *context;
};

/* STATUS_OK: came to its end, whatever it found. STATUS_NOT_FOUND: there is nothing at the path.
 * STATUS_NO_MEMORY, STATUS_INTERRUPTED. After many things that could not be read it gives up with
 * the status of the last one. */
MUST_CHECK enum status fsck_run(const struct fsck_options *options,
                                struct fsck_stats *ret_stats);
/* True if nothing was found that is wrong; what could not be read is another matter. */
bool fsck_is_clean(const struct fsck_stats *stats);

#endif
