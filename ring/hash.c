/*
 * hash.c - MD5 positions and SHA-256 checksums through libcrypto.
 *
 * One-shot digests: a fetched EVP_MD kept for later would be a mutable global, and saves less
 * than the hashing of a key costs.
 */
#include "ring/hash.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static_assert(POSITION_SIZE == 16, "an MD5 digest has 128 bits");
static_assert(DIGEST_SIZE <= CONTENT_HASH_SIZE, "a digest is the head of a SHA-256");

/* Without its digests libcrypto is broken, and no key could be placed: nothing can go on. */
static void hash(struct slice bytes, const EVP_MD *algorithm, uint8_t *ret_hash)
{
    assert(bytes.data || bytes.size == 0);

    const void *data = bytes.size == 0 ? "" : (const void *)bytes.data;
    int hashed = EVP_Digest(data, bytes.size, ret_hash, NULL, algorithm, NULL);
    assert(hashed == 1);
}

struct position position_of(struct slice key)
{
    struct position position;
    hash(key, EVP_md5(), position.byte);
    return position;
}

uint16_t position_partition(const struct position *position, uint16_t partition_count)
{
    assert(position);
    assert(partition_count > 0 && (partition_count & (partition_count - 1)) == 0);

    /* The top 16 bits, scaled to the count: its top log2(count) bits. */
    uint32_t top = (uint32_t)position->byte[0] << 8 | position->byte[1];
    return (uint16_t)(top * partition_count >> 16);
}

void content_hash(struct slice content, uint8_t ret_hash[CONTENT_HASH_SIZE])
{
    hash(content, EVP_sha256(), ret_hash);
}

void digest_of(struct slice bytes, uint8_t ret_digest[DIGEST_SIZE])
{
    uint8_t whole[CONTENT_HASH_SIZE];
    hash(bytes, EVP_sha256(), whole);
    memcpy(ret_digest, whole, DIGEST_SIZE);
}
