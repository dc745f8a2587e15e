/*
 * ring.h - the ring state: members, and who owns each of Q equal partitions.
 *
 * Shape:    a plain struct, copied whole. Equal ring states place every key equally.
 * Source:   DeCandia et al., "Dynamo", SOSP 2007, section 6.2, strategy 3: Q equal partitions,
 *           Q/S tokens a node.
 * Never:    two members of one id or address; an owner that is no member.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/hash.h"
#include "ring/status.h"

typedef uint64_t node_id; /* random, made with the node's database; 0 is none */

enum {
    PARTITIONS_DEFAULT = 256,
    PARTITIONS_MAX = 1024,
    MEMBERS_MAX = 128,
    REPLICAS_MAX = 8, /* greatest N */
    REPLICAS_DEFAULT = 3,
    ADDRESS_SIZE = 64, /* HOST:PORT with its terminating NUL */
};

/* True if both are the same text: another spelling of an address is another address. */
bool address_equal(const char *a, const char *b);
/* The order in which all nodes list addresses, for qsort. */
int address_compare(const void *a, const void *b);

struct member {
    node_id id;
    char address[ADDRESS_SIZE]; /* NUL-terminated HOST:PORT */
};

struct ring {
    uint64_t cluster_id;      /* random, made with the cluster; 0: no ring yet */
    uint64_t epoch;           /* grows by one with every change */
    uint16_t partition_count; /* Q, a power of two */
    uint16_t replica_count;   /* N; with fewer members N' = members */
    uint16_t member_count;
    struct member members[MEMBERS_MAX]; /* ascending by id */
    uint16_t owner[PARTITIONS_MAX];     /* index into members, for each partition */
};

/*
 * Makes the first ring of a cluster. `members` (borrowed, any order) are sorted; partitions are
 * claimed. STATUS_REFUSED if a count is out of range, Q is no power of two, or two members
 * share an id or an address.
 */
MUST_CHECK enum status ring_create(uint64_t cluster_id, uint16_t partition_count,
                                   uint16_t replica_count, const struct member *members,
                                   uint16_t member_count, struct ring *ret_ring);

/*
 * The ring that follows `ring` when `member` is added: epoch + 1, partitions claimed anew
 * (legal only while the cluster holds no data). STATUS_REFUSED as for ring_create.
 */
MUST_CHECK enum status ring_add_member(const struct ring *ring, const struct member *member,
                                       struct ring *ret_ring);

/*
 * The ring that follows when the member `lost`, whose disk is gone, is replaced by `id` at the
 * same address: epoch + 1, the new id owns what the old one did. STATUS_REFUSED if `lost` is no
 * member, or `id` is 0 or already one.
 */
MUST_CHECK enum status ring_replace_member(const struct ring *ring, node_id lost, node_id id,
                                           struct ring *ret_ring);

/*
 * True if `next` may follow `ring`: of the same cluster, with the same Q and N and a greater
 * epoch, and overlapping it. Each change replaces one member at most, so that members may be
 * missing from `next` only as epochs lie between, or as long as most are there; one that shares
 * none with `ring` never follows.
 */
bool ring_follows(const struct ring *ring, const struct ring *next);

/*
 * What tells a ring from all others, of its own epoch too: a digest of the whole ring above the
 * epoch's 32 bits. Requests between nodes carry it, so that two rings of one epoch are never
 * mixed. Never 0.
 */
uint64_t ring_mark(const struct ring *ring);
/* True if both marks are of one epoch and of different rings. */
bool ring_marks_clash(uint64_t a, uint64_t b);

/* True if every rule of this file holds; for rings that came from the network or a disk. */
bool ring_is_valid(const struct ring *ring);

/* Index of the member with `id`, or -1. */
int ring_find(const struct ring *ring, node_id id);
int ring_find_address(const struct ring *ring, const char *address);

/* The partition of `key`. */
uint16_t ring_partition(const struct ring *ring, struct slice key);

/* N' = min(N, members): "a cluster of fewer than N members uses N' = members" (design, section
 * 1). */
uint16_t ring_replicas(const struct ring *ring);

#endif
