/*
 * block_key.h - under which keys the blocks of large files lie, and what is noted of them.
 *
 * Shape:    all of them are internal keys (ring/key.h), in lower-case hexadecimal:
 *
 *             /SS/SET               the set exists; SS are the first two digits of SET
 *             /SET/hHASH            its content is a path whose versions may name the set
 *             /SET/oHOLDER          somebody works with the set, and says so again and again
 *             /SET/sSTRIPE          the stripe may have blocks; stripe 0 always may
 *             /SET/STRIPE/ID        a block
 *
 *           What is in one directory lies on the same nodes: heads in 256 places, the blocks of
 *           a stripe together.
 * Source:   docs/design.md, Large files.
 */
#ifndef RING_BLOCK_KEY_H
#define RING_BLOCK_KEY_H

#include "ring/key.h"
#include "ring/manifest.h"

enum { BLOCK_SHARDS = 256 };

/* Each appends a key to the buffer, which keeps in mind if it failed. */
void block_key_shard(struct buffer *buffer, uint8_t shard); /* a directory */
void block_key_head(struct buffer *buffer, const struct block_set *set);
void block_key_set(struct buffer *buffer, const struct block_set *set); /* a directory */
void block_key_path(struct buffer *buffer, const struct block_set *set, struct slice path);
void block_key_hold(struct buffer *buffer, const struct block_set *set,
                    const uint8_t holder[BLOCK_ID_SIZE]);
void block_key_mark(struct buffer *buffer, const struct block_set *set, uint32_t stripe);
/* A directory. */
void block_key_stripe(struct buffer *buffer, const struct block_set *set, uint32_t stripe);
void block_key_block(struct buffer *buffer, const struct block_set *set, uint32_t index,
                     const struct block_entry *entry);

/* Reads names back: of a head, a holder, a stripe's mark, a block. False for any other name; what
 * is to be returned is undefined then. */
bool block_key_parse_set(struct slice name, struct block_set *ret_set);
bool block_key_parse_hold(struct slice name, uint8_t ret_holder[BLOCK_ID_SIZE]);
bool block_key_parse_mark(struct slice name, uint32_t *ret_stripe);
bool block_key_parse_id(struct slice name, uint8_t ret_id[BLOCK_ID_SIZE]);

#endif
