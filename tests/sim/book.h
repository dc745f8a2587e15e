/*
 * book.h - what mounts wrote into files that are kept in blocks, and whether a version has it.
 *
 * Each content has a number, which is the version's time of change, wherever it is moved to. A
 * file has a few blocks of a few bytes, in two places far apart if it is long: then its
 * manifest is one of maps.
 */
#ifndef TESTS_SIM_BOOK_H
#define TESTS_SIM_BOOK_H

#include "node/client/block_set.h"

enum {
    BOOK_SLOTS = 5, /* blocks of a file */
    BOOK_CONTENTS_MAX = 2048,
    BOOK_SETS_MAX = 512,
    BOOK_BLOCK_SIZE = 16,
};

struct book_content {
    bool is_long;
    uint32_t stamps[BOOK_SLOTS]; /* of what was written last; 0: it is a hole */
};

struct book {
    uint32_t stamp; /* the last one */
    uint32_t count;
    struct book_content contents[BOOK_CONTENTS_MAX];
    uint32_t set_count;
    struct block_set sets[BOOK_SETS_MAX]; /* that ever were */
};

/* Where a slot is in the file. */
uint32_t book_index(const struct book_content *content, int slot);
/* The size of the file. */
uint64_t book_size(const struct book_content *content);
/* What a block holds. */
void book_block(uint32_t stamp, uint8_t ret_bytes[BOOK_BLOCK_SIZE]);
/* The number of a content. */
uint32_t book_add(struct book *book, const struct book_content *content);
/* NULL for a version that nobody wrote. */
const struct book_content *book_find(const struct book *book, const struct version *version);
/* A set that is about to be used. */
void book_note_set(struct book *book, const struct block_set *set);
bool book_has_shard(const struct book *book, uint8_t shard);

/* Where blocks come from. As block_get; the caller unrefs. */
struct book_source {
    enum status (*fetch)(void *context, const struct block_place *place,
                         const struct block_entry *entry, struct blob **ret_content);
    void *context;
};

/* STATUS_OK if the version has what was written; STATUS_BAD_MESSAGE if it has something else;
 * else what a block could not be fetched for. */
enum status book_verify(const struct book *book, const struct version *version,
                        const struct book_source *source);

#endif
