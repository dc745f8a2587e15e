/*
 * mounts.h - mounts at work with files that are kept in blocks: each is a process with programs
 * that write, rename, remove and resolve, a thread that holds what is open, and a collector.
 *
 * Contents, the cache, what stores blocks behind the writer's back and the collector are the
 * shipping code (fs/model/large.h, node/client/), on fibers. What a program asks for above that
 * is done here as fs/model/ does it.
 */
#ifndef TESTS_SIM_MOUNTS_H
#define TESTS_SIM_MOUNTS_H

#include "tests/sim/book.h"
#include "tests/sim/world.h"

enum { MOUNTS_MAX = 4, MOUNTS_NAMES_MAX = 6 };

struct mounts_options {
    int mounts;   /* 0: there are none in this run */
    int programs; /* of each */
    int nodes;
    int names;
    uint8_t r, w;
    bool reads_are_current; /* as in load.h */
    uint32_t operations;    /* of all programs together */
    uint64_t think_us;      /* at most so long between a program's operations */
    uint64_t grace_us;      /* of blocks that no version names */
    uint64_t death_us; /* on the average, until a mount dies, and another takes its place, or
                               stands still, for up to one and a half grace times */
};

struct mounts;

struct mounts *mounts_new(struct world *world, const struct mounts_options *options);
void mounts_free(struct mounts *mounts);
/* Call it after each step of the world. */
void mounts_step(struct mounts *mounts);
/* True once the programs have done all that they do. */
bool mounts_are_done(const struct mounts *mounts);
/* From now on mounts collect, and do nothing else; until they do nothing at all. */
void mounts_begin_collecting(struct mounts *mounts);
void mounts_end(struct mounts *mounts);
/* So many passes came to their end without leaving anything alone. */
uint64_t mounts_passes(const struct mounts *mounts);
/* One of them reads all files; mounts_are_done once it has. */
void mounts_begin_reading(struct mounts *mounts);

const struct book *mounts_book(const struct mounts *mounts);
/* How many files there may be. */
int mounts_names(const struct mounts *mounts);
/* The name of file number `name`. */
const char *mounts_name(const struct mounts *mounts, int name);
/* What a program saw that must not be, or NULL. */
const char *mounts_breach(const struct mounts *mounts);

/* What they did. */
struct mounts_counts {
    uint64_t commits, renames, siblings, abandoned, deaths, suspensions;
    uint64_t reads, read_blocks;
    uint64_t marked, blocks_deleted;
};
struct mounts_counts mounts_count(const struct mounts *mounts);

#endif
