/*
 * mounts_internal.h - what mounts.c and program.c share.
 */
#ifndef TESTS_SIM_MOUNTS_INTERNAL_H
#define TESTS_SIM_MOUNTS_INTERNAL_H

#include "fs/model/large.h"
#include "tests/sim/mounts.h"
#include "tests/sim/process.h"
#include "tests/sim/shard_kv.h"

enum { PROGRAMS_MAX = 3, DEADLINE_MS = 2000 };

struct program {
    struct mount *mount;
    int index;
};

enum mount_role { MOUNT_WORKS, MOUNT_COLLECTS, MOUNT_READS };

struct mount {
    struct mounts *mounts;
    int index;
    enum mount_role role;
    struct process *process;
    struct kv *kv;
    struct shard_kv shard_kv; /* for the collector */
    struct kv_options options;
    struct blocks blocks;
    struct program programs[PROGRAMS_MAX];
    int programs_left;
    uint64_t dies_us; /* 0: nobody knows */
    uint64_t wakes_us;
};

struct mounts {
    struct world *world;
    struct mounts_options options;
    struct book book;
    char names[MOUNTS_NAMES_MAX][24];
    struct mount *mount[MOUNTS_MAX];
    uint32_t operations; /* begun */
    bool is_ending;
    uint64_t passes;
    struct mounts_counts counts;
    char breach[200];
};

uint32_t mounts_pick(struct mounts *mounts, uint32_t count);
void mounts_note_breach(struct mounts *mounts, const char *name, const char *what);

/* program.c: the life of a program; and of one that reads everything once. */
void program_main(struct program *program);
void program_read_all(struct program *program);

#endif
