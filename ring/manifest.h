/*
 * manifest.h - the content of a version whose file is kept in blocks.
 *
 * Shape:    the bytes of a file in blocks of BLOCK_SIZE, each stored once under an id of its
 *           own in the file's block set, and never changed. A manifest lists them in order; a
 *           file of more than MAP_BLOCKS blocks has a manifest of maps, each of which is stored
 *           as a block and lists MAP_BLOCKS of them.
 * Bytes:    "DFM" 1, depth (0: blocks, 1: maps), set, size (8 bytes, most significant first),
 *           then for each block or map its id and the head of its content's SHA-256. An id of
 *           zeroes is a hole: nothing is stored. A map is entries alone.
 * Source:   docs/design.md, Large files.
 */
#ifndef RING_MANIFEST_H
#define RING_MANIFEST_H

#include "ring/bytes.h"

enum {
    BLOCK_SIZE_LOG2 = 18,
    BLOCK_SIZE = 1 << BLOCK_SIZE_LOG2, /* the last block of a file may be shorter, and any one
                                          may leave out zeroes at its end */
    MAP_BLOCKS = 1024,                 /* entries of one map */
    STRIPE_BLOCKS = 256,               /* blocks that lie together on the ring */
    BLOCK_SET_SIZE = 16,
    BLOCK_ID_SIZE = 16,
    BLOCK_HASH_SIZE = 16,
    BLOCK_ENTRY_SIZE = BLOCK_ID_SIZE + BLOCK_HASH_SIZE,
};
/* Of a file: what one manifest of maps can hold, and more than anybody has. */
#define FILE_SIZE_MAX (UINT64_C(1) << 40)

struct block_set {
    uint8_t byte[BLOCK_SET_SIZE]; /* random */
};

/* One block, or the map of some. All zeroes: a hole. */
struct block_entry {
    uint8_t id[BLOCK_ID_SIZE]; /* random */
    uint8_t hash[BLOCK_HASH_SIZE];
};

struct manifest {
    struct block_set set;
    uint64_t size;  /* of the file, bytes */
    bool has_maps;  /* the entries are of maps */
    uint32_t count; /* entries */
    struct slice entries;
};

/* Blocks of a file of `size` bytes, at most FILE_SIZE_MAX. */
uint32_t manifest_block_count(uint64_t size);
/* Maps of so many blocks; 0 if the manifest lists them itself. */
uint32_t manifest_map_count(uint32_t block_count);
/* Appends a manifest whose `entries` are just those that its size asks for; `has_maps` and `count`
 * follow from the size, and are not looked at. */
void manifest_append(struct buffer *buffer, const struct manifest *manifest);
/* STATUS_BAD_MESSAGE unless the bytes are just a manifest. Borrows them. */
MUST_CHECK enum status manifest_parse(struct slice bytes, struct manifest *ret_manifest);
/* True if the bytes are a manifest of a file of that size. */
bool manifest_has_size(struct slice bytes, uint64_t size);
/* An entry of a manifest or a map; `index` is below its number of entries. */
struct block_entry manifest_entry(struct slice entries, uint32_t index);
bool block_entry_is_hole(const struct block_entry *entry);
bool block_entry_equal(const struct block_entry *a, const struct block_entry *b);
/* The head of the content's SHA-256. */
void block_hash(struct slice content, uint8_t ret_hash[BLOCK_HASH_SIZE]);

#endif
