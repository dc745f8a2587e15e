/*
 * collector_fixture.h - a store with a block set, its writers, and a collector at work on it.
 */
#ifndef COLLECTOR_FIXTURE_H
#define COLLECTOR_FIXTURE_H

#include "node/client/block_set.h"
#include "node/client/collector.h"

#define GRACE_US UINT64_C(1000)

enum { ENTRIES_MAX = 4 };

/* A store that can fail at any call, and in which something can happen before one. */
struct probe {
    struct kv kv;
    struct kv *inner;
    int calls; /* that concern the set, since a pass began */
    int fail_at;
    struct slice fails_always; /* a key */
    enum status failure;
    int puts; /* that were let through */
    void (*before)(struct probe *probe, struct slice key, bool is_list);
    int step;                       /* of what `before` does */
    enum status unsettled;          /* unless STATUS_OK: a member is away, or keeps hints */
    void (*settle)(struct probe *); /* ... but first this happens; may be NULL */
    int asked;                      /* times, since a pass began */
};

struct fixture {
    struct probe probe;
    struct kv *kv; /* below the probe */
    struct collector *collector;
    struct block_set set;
    struct block_entry entries[ENTRIES_MAX];
};

extern uint64_t clock_us; /* of the collector */
extern struct fixture *current;

/* Setup and teardown of a test. */
int begin(void **state);
int end(void **state);
/* Anew: it has no marks. */
void start_collector(struct fixture *fixture, size_t marks_max);
/* Stores a block as a mount does, announced first. */
struct block_entry store(struct fixture *fixture, uint32_t index, struct slice content);
/* Blocks 0 to count - 1. */
void store_blocks(struct fixture *fixture, uint32_t count);
struct blob *manifest_of(struct fixture *fixture, const struct block_entry *entries,
                         uint32_t count, uint64_t size);
/* As a mount does it that works with the set. */
void hold(struct fixture *fixture);
void note_path(struct fixture *fixture, const char *path);
/* Puts a version over all that is there, or beside it. Takes the content. */
void put_content(struct fixture *fixture, const char *path, struct blob *content, uint64_t size,
                 bool beside);
void put_blocks(struct fixture *fixture, const char *path, const struct block_entry *entries,
                uint32_t count, bool beside);
/* As a mount does it: the note first. */
void write_file(struct fixture *fixture, const char *path, const struct block_entry *entries,
                uint32_t count);
void remove_key(struct fixture *fixture, struct slice key);
void remove_file(struct fixture *fixture, const char *path);
bool has_key(struct fixture *fixture, const struct buffer *key);
bool has_block_at(struct fixture *fixture, uint32_t index, struct block_entry entry);
bool has_block(struct fixture *fixture, uint32_t index);
bool has_note(struct fixture *fixture, const char *path);
bool has_head(struct fixture *fixture);
/* A file of two maps of which only the second has a block. *ret_block is that, at index
 * MAP_BLOCKS + 1; the map is returned. */
struct block_entry write_mapped(struct fixture *fixture, const char *path,
                                struct block_entry *ret_block);
/* Returns how many steps of it failed. */
unsigned pass(struct fixture *fixture);
void good_pass(struct fixture *fixture);
void grace_passes(void);
/* Two passes, a grace time apart. */
void collect(struct fixture *fixture);
const struct collector_stats *stats(const struct fixture *fixture);

#endif
