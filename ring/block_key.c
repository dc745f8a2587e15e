/*
 * block_key.c - the keys of block sets.
 */
#include "ring/block_key.h"

#include <assert.h>
#include <string.h>

#include "ring/hash.h"

static const char digits[] = "0123456789abcdef";

static void append_hex(struct buffer *buffer, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buffer_append_byte(buffer, (uint8_t)digits[bytes[i] >> 4]);
        buffer_append_byte(buffer, (uint8_t)digits[bytes[i] & 15]);
    }
}

static void append_stripe(struct buffer *buffer, uint32_t stripe)
{
    uint8_t bytes[4] = {(uint8_t)(stripe >> 24), (uint8_t)(stripe >> 16 & 0xff),
                        (uint8_t)(stripe >> 8 & 0xff), (uint8_t)(stripe & 0xff)};

    append_hex(buffer, bytes, sizeof bytes);
}

void block_key_shard(struct buffer *buffer, uint8_t shard)
{
    assert(buffer);
    buffer_append_byte(buffer, '/');
    append_hex(buffer, &shard, 1);
    buffer_append_byte(buffer, '/');
}

void block_key_head(struct buffer *buffer, const struct block_set *set)
{
    assert(buffer && set);
    block_key_shard(buffer, set->byte[0]);
    append_hex(buffer, set->byte, BLOCK_SET_SIZE);
}

void block_key_set(struct buffer *buffer, const struct block_set *set)
{
    assert(buffer && set);
    buffer_append_byte(buffer, '/');
    append_hex(buffer, set->byte, BLOCK_SET_SIZE);
    buffer_append_byte(buffer, '/');
}

void block_key_path(struct buffer *buffer, const struct block_set *set, struct slice path)
{
    assert(path.size > 0);

    uint8_t hash[CONTENT_HASH_SIZE];

    content_hash(path, hash);
    block_key_set(buffer, set);
    buffer_append_byte(buffer, 'h');
    append_hex(buffer, hash, sizeof hash);
}

void block_key_hold(struct buffer *buffer, const struct block_set *set,
                    const uint8_t holder[BLOCK_ID_SIZE])
{
    assert(holder);
    block_key_set(buffer, set);
    buffer_append_byte(buffer, 'o');
    append_hex(buffer, holder, BLOCK_ID_SIZE);
}

void block_key_mark(struct buffer *buffer, const struct block_set *set, uint32_t stripe)
{
    block_key_set(buffer, set);
    buffer_append_byte(buffer, 's');
    append_stripe(buffer, stripe);
}

void block_key_stripe(struct buffer *buffer, const struct block_set *set, uint32_t stripe)
{
    block_key_set(buffer, set);
    append_stripe(buffer, stripe);
    buffer_append_byte(buffer, '/');
}

void block_key_block(struct buffer *buffer, const struct block_set *set, uint32_t index,
                     const struct block_entry *entry)
{
    assert(!block_entry_is_hole(entry));

    block_key_stripe(buffer, set, index / STRIPE_BLOCKS);
    append_hex(buffer, entry->id, BLOCK_ID_SIZE);
}

static bool parse_hex(struct slice text, uint8_t *ret_bytes, size_t size)
{
    if (text.size != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = memchr(digits, text.data[i], sizeof digits - 1);
        if (!digit) {
            return false;
        }
        uint8_t before = i % 2 == 0 ? 0 : ret_bytes[i / 2];
        ret_bytes[i / 2] = (uint8_t)(before * 16 + (digit - digits));
    }
    return true;
}

bool block_key_parse_set(struct slice name, struct block_set *ret_set)
{
    assert(ret_set);
    return parse_hex(name, ret_set->byte, BLOCK_SET_SIZE);
}

bool block_key_parse_hold(struct slice name, uint8_t ret_holder[BLOCK_ID_SIZE])
{
    assert(ret_holder);
    return name.size > 0 && name.data[0] == 'o' &&
           parse_hex(slice_of(name.data + 1, name.size - 1), ret_holder, BLOCK_ID_SIZE);
}

bool block_key_parse_mark(struct slice name, uint32_t *ret_stripe)
{
    assert(ret_stripe);

    uint8_t bytes[4];

    if (name.size == 0 || name.data[0] != 's' ||
        !parse_hex(slice_of(name.data + 1, name.size - 1), bytes, sizeof bytes)) {
        return false;
    }
    *ret_stripe = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                  (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

bool block_key_parse_id(struct slice name, uint8_t ret_id[BLOCK_ID_SIZE])
{
    assert(ret_id);
    return parse_hex(name, ret_id, BLOCK_ID_SIZE);
}
