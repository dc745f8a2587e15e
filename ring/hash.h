/*
 * hash.h - positions on the ring, and checksums of content.
 *
 * Source:   DeCandia et al., "Dynamo", SOSP 2007, section 4.1: MD5 of the key, 128 bits.
 *           MD5 places keys, it protects nothing; content is checked by SHA-256.
 */
#ifndef RING_HASH_H
#define RING_HASH_H

#include <stdint.h>

#include "ring/bytes.h"

enum { POSITION_SIZE = 16, CONTENT_HASH_SIZE = 32, DIGEST_SIZE = 16 };

/* A place on the ring: 128 bits, most significant byte first. */
struct position {
    uint8_t byte[POSITION_SIZE];
};

/* The MD5 position of `key`. Aborts only if libcrypto has no MD5 at all (a broken install). */
struct position position_of(struct slice key);

/* The partition that holds `position` among `partition_count` (a power of two) equal ones: its
 * top bits. */
uint16_t position_partition(const struct position *position, uint16_t partition_count);

/* SHA-256 of `content`. */
void content_hash(struct slice content, uint8_t ret_hash[CONTENT_HASH_SIZE]);

/* 128-bit digest of canonical bytes, for comparing replicas: the head of SHA-256. */
void digest_of(struct slice bytes, uint8_t ret_digest[DIGEST_SIZE]);

#endif
