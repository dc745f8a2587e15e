/*
 * ring.c - making, checking and asking the ring state.
 */
#include "ring/ring.h"

#include <assert.h>
#include <string.h>

#include "ring/claim.h"
#include "ring/fnv.h"
#include "ring/key.h"

static_assert(MEMBERS_MAX <= UINT16_MAX && PARTITIONS_MAX <= UINT16_MAX, "16-bit indexes");

static bool counts_are_valid(uint16_t partition_count, uint16_t replica_count,
                             uint16_t member_count)
{
    return partition_count > 0 && partition_count <= PARTITIONS_MAX &&
           (partition_count & (partition_count - 1)) == 0 && replica_count > 0 &&
           replica_count <= REPLICAS_MAX && member_count > 0 && member_count <= MEMBERS_MAX;
}

static bool member_is_valid(const struct member *member)
{
    return member->id != 0 && member->address[0] != '\0' &&
           memchr(member->address, '\0', ADDRESS_SIZE);
}

bool address_equal(const char *a, const char *b)
{
    return address_compare(a, b) == 0;
}

int address_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

int ring_find_address(const struct ring *ring, const char *address)
{
    assert(ring);
    assert(address);

    for (int i = 0; i < ring->member_count; i++) {
        if (address_equal(ring->members[i].address, address)) {
            return i;
        }
    }
    return -1;
}

int ring_find(const struct ring *ring, node_id id)
{
    assert(ring);

    int low = 0;
    int high = ring->member_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ring->members[middle].id == id) {
            return middle;
        }
        if (ring->members[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

/* Puts a member at its place by id. False if it is malformed or clashes with another. */
static bool insert_member(struct ring *ring, const struct member *member)
{
    assert(ring->member_count < MEMBERS_MAX);

    if (!member_is_valid(member) || ring_find(ring, member->id) >= 0 ||
        ring_find_address(ring, member->address) >= 0) {
        return false;
    }
    uint16_t place = ring->member_count;
    while (place > 0 && ring->members[place - 1].id > member->id) {
        ring->members[place] = ring->members[place - 1];
        place--;
    }
    /* Zeroes behind the address, so that equal rings are equal bytes. */
    memset(&ring->members[place], 0, sizeof ring->members[place]);
    ring->members[place].id = member->id;
    memcpy(ring->members[place].address, member->address, strlen(member->address));
    ring->member_count++;
    return true;
}

enum status ring_create(uint64_t cluster_id, uint16_t partition_count, uint16_t replica_count,
                        const struct member *members, uint16_t member_count,
                        struct ring *ret_ring)
{
    assert(members || member_count == 0);
    assert(ret_ring);

    if (cluster_id == 0 || !counts_are_valid(partition_count, replica_count, member_count)) {
        return STATUS_REFUSED;
    }
    struct ring ring;
    memset(&ring, 0, sizeof ring);
    ring.cluster_id = cluster_id;
    ring.epoch = 1;
    ring.partition_count = partition_count;
    ring.replica_count = replica_count;
    for (uint16_t i = 0; i < member_count; i++) {
        if (!insert_member(&ring, &members[i])) {
            return STATUS_REFUSED;
        }
    }
    claim_all(&ring);
    *ret_ring = ring;
    return STATUS_OK;
}

enum status ring_add_member(const struct ring *ring, const struct member *member,
                            struct ring *ret_ring)
{
    assert(ring_is_valid(ring));
    assert(member && ret_ring);

    if (ring->member_count == MEMBERS_MAX || ring->epoch == UINT64_MAX) {
        return STATUS_REFUSED;
    }
    struct ring next = *ring;
    if (!insert_member(&next, member)) {
        return STATUS_REFUSED;
    }
    next.epoch++;
    claim_all(&next);
    *ret_ring = next;
    return STATUS_OK;
}

/* The index in `next` of each member of `ring`, of which `lost` is `id` there. */
static void map_members(const struct ring *ring, const struct ring *next, node_id lost,
                        node_id id, uint16_t ret_index[MEMBERS_MAX])
{
    for (uint16_t i = 0; i < ring->member_count; i++) {
        node_id member = ring->members[i].id;
        int index = ring_find(next, member == lost ? id : member);
        assert(index >= 0);
        ret_index[i] = (uint16_t)index;
    }
}

enum status ring_replace_member(const struct ring *ring, node_id lost, node_id id,
                                struct ring *ret_ring)
{
    assert(ring_is_valid(ring));
    assert(ret_ring);

    uint16_t index[MEMBERS_MAX];
    if (ring_find(ring, lost) < 0 || id == 0 || ring_find(ring, id) >= 0 ||
        ring->epoch == UINT64_MAX) {
        return STATUS_REFUSED;
    }
    struct ring next = *ring;
    memset(next.members, 0, sizeof next.members);
    next.member_count = 0;
    for (uint16_t i = 0; i < ring->member_count; i++) {
        struct member member = ring->members[i];
        member.id = member.id == lost ? id : member.id;
        bool inserted = insert_member(&next, &member);
        assert(inserted);
    }
    map_members(ring, &next, lost, id, index);
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        next.owner[i] = index[ring->owner[i]];
    }
    next.epoch++;
    *ret_ring = next;
    return STATUS_OK;
}

/* True if member `index` is well formed, and follows and differs from those before it. */
static bool member_fits(const struct ring *ring, int index)
{
    const struct member *member = &ring->members[index];
    if (!member_is_valid(member) || (index > 0 && ring->members[index - 1].id >= member->id)) {
        return false;
    }
    for (int i = 0; i < index; i++) {
        if (address_equal(ring->members[i].address, member->address)) {
            return false;
        }
    }
    return true;
}

bool ring_is_valid(const struct ring *ring)
{
    assert(ring);

    if (ring->cluster_id == 0 || ring->epoch == 0 ||
        !counts_are_valid(ring->partition_count, ring->replica_count, ring->member_count)) {
        return false;
    }
    for (int i = 0; i < ring->member_count; i++) {
        if (!member_fits(ring, i)) {
            return false;
        }
    }
    for (int i = 0; i < ring->partition_count; i++) {
        if (ring->owner[i] >= ring->member_count) {
            return false;
        }
    }
    return true;
}

bool ring_follows(const struct ring *ring, const struct ring *next)
{
    assert(ring && next);

    if (next->cluster_id != ring->cluster_id || next->epoch <= ring->epoch ||
        next->partition_count != ring->partition_count ||
        next->replica_count != ring->replica_count) {
        return false;
    }
    uint16_t kept = 0;
    for (uint16_t i = 0; i < ring->member_count; i++) {
        kept = (uint16_t)(kept + (ring_find(next, ring->members[i].id) >= 0));
    }
    uint16_t gone = (uint16_t)(ring->member_count - kept);
    /* A cluster of one node that moved, or was replaced, has nobody to overlap with. */
    bool overlaps = kept > 0 || ring->member_count == 1;
    return overlaps && (kept > gone || gone <= next->epoch - ring->epoch);
}

/* The hash goes on over `number`, the lowest byte first. */
static uint64_t mix(uint64_t hash, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    return fnv64_add(hash, slice_of(bytes, sizeof bytes));
}

uint64_t ring_mark(const struct ring *ring)
{
    assert(ring);

    uint64_t hash = mix(FNV64_BASIS, ring->cluster_id);
    hash = mix(hash, (uint64_t)ring->partition_count << 16 | ring->replica_count);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        hash = mix(hash, ring->members[i].id);
        for (const char *at = ring->members[i].address; *at != '\0'; at++) {
            hash = mix(hash, (unsigned char)*at);
        }
    }
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        hash = mix(hash, ring->owner[i]);
    }
    uint64_t mark = (hash ^ hash << 32) & ~UINT64_C(0xffffffff);
    mark |= ring->epoch & UINT32_MAX;
    return mark != 0 ? mark : 1;
}

bool ring_marks_clash(uint64_t a, uint64_t b)
{
    return a != b && (a & UINT32_MAX) == (b & UINT32_MAX);
}

uint16_t ring_partition(const struct ring *ring, struct slice key)
{
    assert(ring && ring->partition_count > 0);

    struct position position = position_of(key_placed_by(key));
    return position_partition(&position, ring->partition_count);
}

uint16_t ring_replicas(const struct ring *ring)
{
    assert(ring);

    return ring->replica_count < ring->member_count ? ring->replica_count : ring->member_count;
}
