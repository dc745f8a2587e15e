/*
 * test_ring.c - ring states, claims and preference lists.
 *
 * Rules: a ring is made and accepted only when every rule of ring.h holds; equal members give
 * equal bytes; N consecutive partitions have N distinct owners, across the wrap too, and every
 * member owns floor(Q/S) or ceil(Q/S); a preference list names every member once, the owners
 * clockwise first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/claim.h"
#include "ring/preference_list.h"
#include "ring/ring.h"

static struct member member_of(node_id id)
{
    struct member member = {.id = id};
    snprintf(member.address, sizeof member.address, "host%lu:7450", id);
    return member;
}

/* Members with ids that descend and have gaps, so that sorting matters. */
static void members_of(uint16_t count, struct member *ret_members)
{
    for (uint16_t i = 0; i < count; i++) {
        ret_members[i] = member_of((node_id)(count - i) * 1000 + 7);
    }
}

static struct ring ring_of(uint16_t partitions, uint16_t replicas, uint16_t count)
{
    struct member members[MEMBERS_MAX];
    struct ring ring;
    members_of(count, members);
    assert_int_equal(ring_create(42, partitions, replicas, members, count, &ring), STATUS_OK);
    return ring;
}

static void test_ring_create__members_in_any_order__gives_equal_bytes(void **state)
{
    (void)state;
    struct member forward[] = {member_of(3), member_of(1), member_of(2)};
    struct member backward[] = {member_of(2), member_of(1), member_of(3)};
    /* Bytes behind the NUL must not tell rings apart. */
    memset(forward[0].address + ADDRESS_SIZE - 8, 'x', 8);
    struct ring a;
    struct ring b;
    memset(&a, 0xaa, sizeof a);
    memset(&b, 0x55, sizeof b);

    assert_int_equal(ring_create(9, 256, 3, forward, 3, &a), STATUS_OK);
    assert_int_equal(ring_create(9, 256, 3, backward, 3, &b), STATUS_OK);

    assert_int_equal(a.epoch, 1);
    assert_int_equal(a.cluster_id, 9);
    assert_int_equal(a.members[0].id, 1);
    assert_int_equal(a.members[2].id, 3);
    assert_true(ring_is_valid(&a));
    assert_memory_equal(a.members, b.members, 3 * sizeof a.members[0]);
    assert_memory_equal(a.owner, b.owner, sizeof a.owner);
}

static void test_ring_create__bad_counts__are_refused_and_leave_the_output(void **state)
{
    (void)state;
    static const uint16_t bad[][3] = {
        {0, 3, 3},   {3, 3, 3},   {255, 3, 3}, {2048, 3, 3},
        {256, 0, 3}, {256, 9, 3}, {256, 3, 0}, {256, 3, MEMBERS_MAX + 1},
    };
    struct member members[MEMBERS_MAX + 1];
    members_of(MEMBERS_MAX + 1, members);
    struct ring ring = {.epoch = 77};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ring_create(9, bad[i][0], bad[i][1], members, bad[i][2], &ring),
                         STATUS_REFUSED);
    }
    assert_int_equal(ring_create(0, 256, 3, members, 3, &ring), STATUS_REFUSED);
    assert_int_equal(ring.epoch, 77);
    assert_int_equal(ring.member_count, 0);
}

static void test_ring_create__bad_members__are_refused(void **state)
{
    (void)state;
    struct member no_id = member_of(0);
    struct member same_id = member_of(1);
    struct member same_address = member_of(2);
    struct member no_address = {.id = 2};
    struct member endless = {.id = 2};
    snprintf(same_id.address, sizeof same_id.address, "other:1");
    snprintf(same_address.address, sizeof same_address.address, "host1:7450");
    memset(endless.address, 'a', sizeof endless.address);
    const struct member *const bad[] = {&no_id, &same_id, &same_address, &no_address, &endless};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct member members[] = {member_of(1), *bad[i]};
        struct ring ring;
        assert_int_equal(ring_create(9, 256, 3, members, 2, &ring), STATUS_REFUSED);
        struct member one = member_of(1);
        assert_int_equal(ring_create(9, 256, 3, &one, 1, &ring), STATUS_OK);
        struct ring next = {.epoch = 77};
        assert_int_equal(ring_add_member(&ring, bad[i], &next), STATUS_REFUSED);
        assert_int_equal(next.epoch, 77);
    }
}

static void test_ring_add_member__one_by_one__equals_made_at_once(void **state)
{
    (void)state;
    struct member first = member_of(50 * 1000 + 7);
    struct ring grown;
    assert_int_equal(ring_create(42, 256, 3, &first, 1, &grown), STATUS_OK);

    for (uint16_t count = 2; count <= 12; count++) {
        struct member next = member_of((node_id)(count % 2 == 0 ? count : 100 - count));
        struct ring before = grown;
        assert_int_equal(ring_add_member(&before, &next, &grown), STATUS_OK);
        assert_int_equal(grown.epoch, before.epoch + 1);
        assert_int_equal(grown.member_count, count);
        assert_true(ring_is_valid(&grown));
        assert_true(ring_find(&grown, next.id) >= 0);

        struct ring made;
        assert_int_equal(ring_create(42, 256, 3, grown.members, count, &made), STATUS_OK);
        assert_memory_equal(made.owner, grown.owner, sizeof made.owner);
    }
}

static bool is_zero(const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;
    size_t i = 0;
    while (i < size && byte[i] == 0) {
        i++;
    }
    return i == size;
}

/* The bytes of a member that moved up do not shine through, nor do any behind the last. */
static void test_ring_members__short_address_before_a_long_one__no_bytes_behind(void **state)
{
    (void)state;
    struct member large = {.id = 9, .address = "a-host-with-a-long-name:7450"};
    struct member small = {.id = 2, .address = "h:1"};
    struct ring ring;
    struct ring both;
    struct ring replaced;

    assert_int_equal(ring_create(42, 8, 3, &large, 1, &ring), STATUS_OK);
    assert_int_equal(ring_add_member(&ring, &small, &both), STATUS_OK);
    assert_string_equal(both.members[0].address, "h:1");
    assert_true(is_zero(both.members[0].address + 3, ADDRESS_SIZE - 3));
    assert_int_equal(ring_replace_member(&both, 2, 10, &replaced), STATUS_OK);
    assert_string_equal(replaced.members[1].address, "h:1");
    assert_true(is_zero(replaced.members[1].address + 3, ADDRESS_SIZE - 3));
    assert_true(is_zero(&replaced.members[2], (MEMBERS_MAX - 2) * sizeof(struct member)));
    assert_true(is_zero(&replaced.owner[8], (PARTITIONS_MAX - 8) * sizeof replaced.owner[0]));
}

static void test_ring_add_member__full_ring__is_refused(void **state)
{
    (void)state;
    struct ring ring = ring_of(256, 3, MEMBERS_MAX);
    struct member another = member_of(1);
    struct ring next;

    assert_int_equal(ring_add_member(&ring, &another, &next), STATUS_REFUSED);
}

static void test_ring_is_valid__each_broken_rule__is_found(void **state)
{
    (void)state;
    const struct ring good = ring_of(64, 3, 5);
    struct ring bad[16];
    size_t count = 0;
    assert_true(ring_is_valid(&good));

    for (size_t i = 0; i < 16; i++) {
        bad[i] = good;
    }
    bad[count++].cluster_id = 0;
    bad[count++].epoch = 0;
    bad[count++].partition_count = 0;
    bad[count++].partition_count = 63;
    bad[count++].partition_count = 2048;
    bad[count++].replica_count = 0;
    bad[count++].replica_count = REPLICAS_MAX + 1;
    bad[count++].member_count = 0;
    bad[count++].member_count = MEMBERS_MAX + 1;
    bad[count++].members[0].id = 0;
    bad[count++].members[1].id = good.members[0].id;
    bad[count++].members[1].id = good.members[4].id + 1;
    bad[count++].members[2].address[0] = '\0';
    memcpy(bad[count++].members[2].address, good.members[4].address, ADDRESS_SIZE);
    memset(bad[count++].members[2].address, 'a', ADDRESS_SIZE);
    bad[count++].owner[63] = 5;

    for (size_t i = 0; i < count; i++) {
        assert_false(ring_is_valid(&bad[i]));
    }
}

static void test_ring_is_valid__first_and_last_of_each__are_looked_at(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct ring ring = ring_of(8, 3, 3);
        memcpy(ring.members[2].address, ring.members[first].address, ADDRESS_SIZE);
        assert_false(ring_is_valid(&ring));
    }
    for (int i = 0; i < 9; i++) {
        struct ring ring = ring_of(8, 3, 3);
        ring.owner[i] = 3;
        assert_int_equal(ring_is_valid(&ring), i == 8);
    }
}

static void test_ring_find__members_and_strangers__are_told_apart(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 7);

    for (int i = 0; i < 7; i++) {
        assert_int_equal(ring_find(&ring, ring.members[i].id), i);
        assert_int_equal(ring_find(&ring, ring.members[i].id + 1), -1);
        assert_int_equal(ring_find_address(&ring, ring.members[i].address), i);
    }
    assert_int_equal(ring_find(&ring, 0), -1);
    assert_int_equal(ring_find_address(&ring, "host1007:745"), -1);
    assert_int_equal(ring_find_address(&ring, ""), -1);
}

static void test_ring_partition__key__is_where_its_position_says(void **state)
{
    (void)state;
    struct ring ring = ring_of(256, 3, 3);

    /* MD5 of "abc" begins with 0x90. */
    assert_int_equal(ring_partition(&ring, slice_of_string("abc")), 0x90);
}

static void test_ring_replicas__few_members__are_all(void **state)
{
    (void)state;

    for (uint16_t count = 1; count <= 6; count++) {
        struct ring ring = ring_of(64, 3, count);
        assert_int_equal(ring_replicas(&ring), count < 3 ? count : 3);
    }
}

/* Places where fewer than `distinct` of as many consecutive partitions have owners of their
 * own; `ret_last` is the first partition of the last such place. */
static unsigned count_repeats(const struct ring *ring, uint16_t distinct, uint16_t *ret_first)
{
    unsigned repeats = 0;
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        for (uint16_t j = 1; j < distinct; j++) {
            uint16_t other = (uint16_t)((i + j) % ring->partition_count);
            if (ring->owner[i] == ring->owner[other]) {
                *ret_first = repeats == 0 ? i : *ret_first;
                repeats++;
            }
        }
    }
    return repeats;
}

static void assert_balanced(const struct ring *ring)
{
    unsigned owned[MEMBERS_MAX] = {0};
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        assert_true(ring->owner[i] < ring->member_count);
        owned[ring->owner[i]]++;
    }
    unsigned least = ring->partition_count / ring->member_count;
    unsigned most = least + (ring->partition_count % ring->member_count != 0);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        assert_in_range(owned[i], least, most);
    }
}

static void test_claim_all__more_members_than_replicas__is_distinct_and_balanced(void **state)
{
    (void)state;

    for (uint16_t partitions = 64; partitions <= 1024;
         partitions = (uint16_t)(2 * partitions)) {
        for (uint16_t replicas = 1; replicas <= 5; replicas++) {
            for (uint16_t count = (uint16_t)(replicas + 1); count <= 40; count++) {
                struct ring ring = ring_of(partitions, replicas, count);
                uint16_t first = 0;
                assert_int_equal(count_repeats(&ring, replicas, &first), 0);
                assert_balanced(&ring);
            }
        }
    }
}

static void test_claim_all__turns_left_out__are_spread_and_one_member_each(void **state)
{
    (void)state;
    static const uint16_t eight[] = {0, 1, 0, 1, 2, 0, 1, 2};
    static const uint16_t sixteen[] = {0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 3, 4, 0, 2, 3, 4};
    struct ring small = ring_of(8, 2, 3);
    struct ring large = ring_of(16, 3, 5);

    assert_memory_equal(small.owner, eight, sizeof eight);
    assert_memory_equal(large.owner, sixteen, sizeof sixteen);
    /* Nothing behind them, so that equal rings are equal bytes. */
    for (size_t i = 16; i < PARTITIONS_MAX; i++) {
        assert_int_equal(large.owner[i], 0);
    }
}

static void test_claim_all__greatest_rings__are_distinct_and_balanced(void **state)
{
    (void)state;
    static const uint16_t counts[] = {REPLICAS_MAX + 1, REPLICAS_MAX + 2, 63, 65, 100, 127,
                                      MEMBERS_MAX};

    for (uint16_t partitions = 64; partitions <= 1024;
         partitions = (uint16_t)(2 * partitions)) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            struct ring ring = ring_of(partitions, REPLICAS_MAX, counts[i]);
            uint16_t first = 0;
            assert_int_equal(count_repeats(&ring, REPLICAS_MAX, &first), 0);
            assert_balanced(&ring);
        }
    }
}

static void
test_claim_all__no_more_members_than_replicas__repeats_at_the_wrap_only(void **state)
{
    (void)state;

    for (uint16_t partitions = 64; partitions <= 1024;
         partitions = (uint16_t)(2 * partitions)) {
        for (uint16_t count = 1; count <= 5; count++) {
            struct ring ring = ring_of(partitions, 5, count);
            uint16_t first = 0;
            unsigned repeats = count_repeats(&ring, count, &first);
            assert_balanced(&ring);
            if (partitions % count == 0) {
                assert_int_equal(repeats, 0);
            } else {
                assert_in_range(first, partitions - count + 1, partitions - 1);
            }
        }
    }
}

static void assert_list_is_clockwise(const struct ring *ring, uint16_t partition)
{
    struct preference_list list;
    preference_list_build(ring, partition, &list);
    assert_int_equal(list.count, ring->member_count);
    assert_int_equal(list.primary, ring_replicas(ring));
    assert_int_equal(list.member[0], ring->owner[partition]);

    bool seen[MEMBERS_MAX] = {false};
    for (uint16_t i = 0; i < list.count; i++) {
        assert_true(list.member[i] < ring->member_count);
        assert_false(seen[list.member[i]]);
        seen[list.member[i]] = true;
        assert_int_equal(preference_list_primary_index(&list, list.member[i]),
                         i < list.primary ? i : -1);
    }
    /* First met clockwise, first in the list. */
    uint16_t next = 0;
    bool met[MEMBERS_MAX] = {false};
    for (uint16_t i = 0; i < ring->partition_count; i++) {
        uint16_t owner = ring->owner[(partition + i) % ring->partition_count];
        if (!met[owner]) {
            met[owner] = true;
            assert_int_equal(list.member[next++], owner);
        }
    }
    /* Who owns nothing comes last, by id. */
    for (uint16_t i = 0; i < ring->member_count; i++) {
        if (!met[i]) {
            assert_int_equal(list.member[next++], i);
        }
    }
    assert_int_equal(next, ring->member_count);
}

static void test_preference_list__every_partition__is_clockwise_and_whole(void **state)
{
    (void)state;
    static const uint16_t counts[] = {1, 2, 3, 4, 5, 7, 16, 40, 100, MEMBERS_MAX};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct ring ring = ring_of(64, 3, counts[i]);
        for (uint16_t partition = 0; partition < 64; partition++) {
            assert_list_is_clockwise(&ring, partition);
        }
    }
}

static void test_preference_list__any_valid_ring__is_clockwise_and_whole(void **state)
{
    (void)state;
    struct ring ring = ring_of(16, 3, 6);
    /* Not what claim_all would give: one owner twice in a row, and one member without any. */
    static const uint16_t owners[16] = {0, 0, 0, 1, 1, 0, 2, 4, 4, 4, 4, 2, 1, 0, 0, 5};
    memcpy(ring.owner, owners, sizeof owners);
    assert_true(ring_is_valid(&ring));

    for (uint16_t partition = 0; partition < 16; partition++) {
        assert_list_is_clockwise(&ring, partition);
    }
}

/* Whoever owns nothing comes behind, in the order of ids: the first of them too. */
static void test_preference_list__one_owns_all__the_others_follow(void **state)
{
    (void)state;
    struct ring ring = ring_of(4, 2, 3);
    struct preference_list list;
    static const uint16_t expected[] = {1, 0, 2};

    for (int i = 0; i < 4; i++) {
        ring.owner[i] = 1;
    }
    preference_list_build(&ring, 2, &list);
    assert_int_equal(list.count, 3);
    assert_memory_equal(list.member, expected, sizeof expected);
}

static void test_preference_list_primary_index__no_member__is_none(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 2);
    struct preference_list list;
    preference_list_build(&ring, 5, &list);

    assert_int_equal(preference_list_primary_index(&list, -1), -1);
    assert_int_equal(preference_list_primary_index(&list, 2), -1);
}

static void test_ring_replace_member__known_member__hands_over_its_partitions(void **state)
{
    (void)state;
    struct ring ring = ring_of(256, 3, 5);
    static const node_id ids[] = {1, 2500, 99999};
    for (int lost = 0; lost < 5; lost++) {
        for (int i = 0; i < 3; i++) {
            struct ring next;
            node_id lost_id = ring.members[lost].id;
            memset(&next, 0xaa, sizeof next);

            assert_int_equal(ring_replace_member(&ring, lost_id, ids[i], &next), STATUS_OK);

            assert_true(ring_is_valid(&next));
            assert_int_equal(next.epoch, ring.epoch + 1);
            assert_int_equal(next.cluster_id, ring.cluster_id);
            assert_int_equal(next.member_count, ring.member_count);
            assert_int_equal(ring_find(&next, lost_id), -1);
            int found = ring_find(&next, ids[i]);
            assert_int_equal(ring_find_address(&next, ring.members[lost].address), found);
            for (int partition = 0; partition < 256; partition++) {
                node_id before = ring.members[ring.owner[partition]].id;
                node_id after = next.members[next.owner[partition]].id;
                assert_int_equal(after, before == lost_id ? ids[i] : before);
            }
        }
    }
}

/* `ring` with so many of its members replaced by new ones, and that much later. */
static struct ring changed(const struct ring *ring, uint16_t count, uint64_t epochs)
{
    struct ring next = *ring;
    for (uint16_t i = 0; i < count; i++) {
        struct ring before = next;
        assert_int_equal(ring_replace_member(&before, ring->members[i].id, 900000 + i, &next),
                         STATUS_OK);
    }
    next.epoch = ring->epoch + epochs;
    return next;
}

static void test_ring_follows__overlap_and_epoch__decide(void **state)
{
    (void)state;
    struct ring three = ring_of(64, 3, 3);
    struct ring one = ring_of(64, 3, 1);
    struct ring next = changed(&three, 1, 1);
    assert_true(ring_follows(&three, &next));
    next = changed(&three, 1, 0);
    assert_false(ring_follows(&three, &next));
    next = changed(&three, 2, 2);
    assert_true(ring_follows(&three, &next));
    next = changed(&three, 2, 1); /* no two changes in one epoch */
    assert_false(ring_follows(&three, &next));
    struct ring two = ring_of(64, 2, 2);
    assert_int_equal(ring_replace_member(&two, two.members[1].id, 900000, &next), STATUS_OK);
    assert_true(ring_follows(&two, &next)); /* the first is known */

    struct ring four = ring_of(64, 3, 4);
    next = changed(&four, 2, 1);
    assert_false(ring_follows(&four, &next)); /* as many as stayed */
    next = changed(&four, 2, 2);
    assert_true(ring_follows(&four, &next));
    next = changed(&three, 3, 100); /* nobody is known */
    assert_false(ring_follows(&three, &next));
    next = changed(&one, 1, 1); /* nobody there to overlap with */
    assert_true(ring_follows(&one, &next));
}

static void test_ring_follows__another_cluster_q_or_n__does_not(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 3);
    struct ring next = changed(&ring, 1, 1);
    next.cluster_id++;
    assert_false(ring_follows(&ring, &next));
    next = changed(&ring, 1, 1);
    next.replica_count = 2;
    assert_false(ring_follows(&ring, &next));
    next = ring_of(128, 3, 3);
    next.epoch = ring.epoch + 1;
    assert_false(ring_follows(&ring, &next));
}

static void test_ring_mark__other_ring_of_the_epoch__clashes(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 3);
    struct ring same = ring_of(64, 3, 3);
    struct ring other = ring;
    other.owner[0] = (uint16_t)((other.owner[0] + 1) % 3);
    struct ring later = changed(&ring, 1, 1);

    assert_true(ring_mark(&ring) != 0);
    assert_true(ring_mark(&ring) == ring_mark(&same));
    assert_false(ring_marks_clash(ring_mark(&ring), ring_mark(&same)));
    assert_true(ring_marks_clash(ring_mark(&ring), ring_mark(&other)));
    assert_false(ring_marks_clash(ring_mark(&ring), ring_mark(&later)));
}

static void test_ring_replace_member__broken_rule__is_refused(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 4);
    struct ring next;
    struct ring untouched;
    memset(&next, 0x55, sizeof next);
    memset(&untouched, 0x55, sizeof untouched);
    node_id member = ring.members[1].id;

    assert_int_equal(ring_replace_member(&ring, 12345, 6, &next), STATUS_REFUSED);
    assert_int_equal(ring_replace_member(&ring, member, 0, &next), STATUS_REFUSED);
    assert_int_equal(ring_replace_member(&ring, member, member, &next), STATUS_REFUSED);
    assert_int_equal(ring_replace_member(&ring, member, ring.members[0].id, &next),
                     STATUS_REFUSED);
    ring.epoch = UINT64_MAX;
    assert_int_equal(ring_replace_member(&ring, member, 6, &next), STATUS_REFUSED);
    assert_memory_equal(&next, &untouched, sizeof next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_create__members_in_any_order__gives_equal_bytes),
        cmocka_unit_test(test_ring_create__bad_counts__are_refused_and_leave_the_output),
        cmocka_unit_test(test_ring_create__bad_members__are_refused),
        cmocka_unit_test(test_ring_add_member__one_by_one__equals_made_at_once),
        cmocka_unit_test(test_ring_members__short_address_before_a_long_one__no_bytes_behind),
        cmocka_unit_test(test_ring_add_member__full_ring__is_refused),
        cmocka_unit_test(test_ring_is_valid__each_broken_rule__is_found),
        cmocka_unit_test(test_ring_is_valid__first_and_last_of_each__are_looked_at),
        cmocka_unit_test(test_ring_find__members_and_strangers__are_told_apart),
        cmocka_unit_test(test_ring_partition__key__is_where_its_position_says),
        cmocka_unit_test(test_ring_replicas__few_members__are_all),
        cmocka_unit_test(test_claim_all__more_members_than_replicas__is_distinct_and_balanced),
        cmocka_unit_test(test_ring_replace_member__known_member__hands_over_its_partitions),
        cmocka_unit_test(test_ring_follows__overlap_and_epoch__decide),
        cmocka_unit_test(test_ring_follows__another_cluster_q_or_n__does_not),
        cmocka_unit_test(test_ring_mark__other_ring_of_the_epoch__clashes),
        cmocka_unit_test(test_ring_replace_member__broken_rule__is_refused),
        cmocka_unit_test(test_claim_all__turns_left_out__are_spread_and_one_member_each),
        cmocka_unit_test(test_claim_all__greatest_rings__are_distinct_and_balanced),
        cmocka_unit_test(
            test_claim_all__no_more_members_than_replicas__repeats_at_the_wrap_only),
        cmocka_unit_test(test_preference_list__every_partition__is_clockwise_and_whole),
        cmocka_unit_test(test_preference_list__any_valid_ring__is_clockwise_and_whole),
        cmocka_unit_test(test_preference_list__one_owns_all__the_others_follow),
        cmocka_unit_test(test_preference_list_primary_index__no_member__is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
