/*
 * test_digest.c - what nodes compare instead of copies, and what a copy is checked by.
 *
 * Nodes of different builds compare digests, tree hashes and marks of rings, so that these must
 * stay what they are. The expected values were computed from the definitions by another program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/merkle.h"
#include "ring/ring.h"
#include "tests/ring/make.h"

static void assert_digest(const struct object *object, const char *expected)
{
    uint8_t digest[DIGEST_SIZE];
    char text[2 * DIGEST_SIZE + 1] = "";
    object_digest(object, digest);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(text, expected);
}

static void test_object_digest__small_object__never_changes(void **state)
{
    struct object *object = make_object("1.10:20 2.5:9 | 1.10:20", NULL);

    (void)state;
    object_set_deleted(object, 7);
    assert_digest(object, "081a765c1b09b638ac8f87be0ad006a0");
    object_unref(object);
}

/* More than is hashed in one call. */
static void test_object_digest__large_clock__never_changes(void **state)
{
    enum { PAIRS = 60 };
    struct dot pairs[PAIRS];
    struct clock clock = {.count = PAIRS, .pair = pairs};
    struct object *object = NULL;

    (void)state;
    for (uint32_t i = 0; i < PAIRS; i++) {
        pairs[i] = (struct dot){{i + 1, 1}, i + 1};
    }
    assert_int_equal(object_new(&clock, NULL, 0, (struct actor){0}, &object), STATUS_OK);
    assert_digest(object, "000cdc7ca0c0602c86643f388450cc84");
    object_set_deleted(object, 60);
    assert_digest(object, "ff286633045aab3d982c68f117398cc1");
    object_unref(object);
}

static void test_merkle_entry_hash__known_entries__never_change(void **state)
{
    uint8_t digest[DIGEST_SIZE];
    struct slice key = slice_of_string("carts/alice");

    (void)state;
    for (uint8_t i = 0; i < DIGEST_SIZE; i++) {
        digest[i] = i;
    }
    assert_true(merkle_entry_hash(MERKLE_OBJECT, key, digest) == UINT64_C(0x146bc68131fb0c8b));
    assert_true(merkle_entry_hash(MERKLE_ROW, key, digest) == UINT64_C(0x910c922764238d0d));
}

static void test_merkle_bucket_hashes__known_leaves__never_change(void **state)
{
    static struct merkle_tree tree;
    uint64_t hash[MERKLE_BUCKETS];

    (void)state;
    memset(&tree, 0, sizeof tree);
    tree.leaf[4] = 77;
    tree.leaf[5] = 78;
    tree.leaf[33] = 5;
    merkle_bucket_hashes(&tree, hash);
    assert_true(hash[0] == UINT64_C(0x24c22b03eb7a5524));
    assert_true(hash[1] == UINT64_C(0xe81ffdab3fcb505d));
    assert_true(hash[2] == 0);
}

static void test_object_is_sound__any_content_changed__is_seen(void **state)
{
    struct object *object = make_object("1.1:5 2.1:7 3.1:9 | 1.1:5 2.1:7 3.1:9", NULL);
    struct object *tombstone = make_object("1.1:5 |", NULL);

    (void)state;
    assert_true(object_is_sound(object));
    assert_true(object_is_sound(tombstone));
    for (uint32_t i = 0; i < object->version_count; i++) {
        for (size_t byte = 0; byte < CONTENT_HASH_SIZE; byte += CONTENT_HASH_SIZE - 1) {
            struct version *version = &object->versions[i];
            version->content_hash[byte] ^= 0x80;
            assert_false(object_is_sound(object));
            version->content_hash[byte] ^= 0x80;
        }
    }
    assert_true(object_is_sound(object));
    object_unref(object);
    object_unref(tombstone);
}

/* A row has hashes and no contents. */
static void test_object_is_sound__row__is_not_judged(void **state)
{
    struct object *object = make_object("1.1:5 2.1:7 | 1.1:5 2.1:7", NULL);
    struct object *row = object_project(object);

    (void)state;
    assert_non_null(row);
    row->versions[0].content_hash[0] ^= 1;
    assert_true(object_is_sound(row));
    object_unref(object);
    object_unref(row);
}

static struct ring ring_of(uint16_t partitions, uint16_t replicas, uint16_t count)
{
    struct member members[3];
    struct ring ring;
    for (uint16_t i = 0; i < count; i++) {
        members[i] = (struct member){.id = (node_id)(count - i) * 1000 + 7};
        (void)snprintf(members[i].address, ADDRESS_SIZE, "host%lu:7450", members[i].id);
    }
    assert_int_equal(ring_create(42, partitions, replicas, members, count, &ring), STATUS_OK);
    return ring;
}

static void test_ring_mark__known_ring__never_changes(void **state)
{
    (void)state;
    struct ring ring = ring_of(1, 1, 1);

    assert_true(ring_is_valid(&ring));
    assert_true(ring_mark(&ring) == UINT64_C(0x6381fcc900000001));
}

static void test_ring_mark__any_part_differs__differs(void **state)
{
    (void)state;
    struct ring ring = ring_of(64, 3, 3);
    struct ring other[5] = {ring, ring, ring, ring, ring};
    other[0].cluster_id++;
    other[1].partition_count = 32;
    other[2].replica_count = 2;
    other[3].members[1].id++;
    other[4].members[1].address[4] = 'x';

    for (size_t i = 0; i < 5; i++) {
        assert_true(ring_marks_clash(ring_mark(&ring), ring_mark(&other[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_digest__small_object__never_changes),
        cmocka_unit_test(test_object_digest__large_clock__never_changes),
        cmocka_unit_test(test_merkle_entry_hash__known_entries__never_change),
        cmocka_unit_test(test_merkle_bucket_hashes__known_leaves__never_change),
        cmocka_unit_test(test_ring_mark__known_ring__never_changes),
        cmocka_unit_test(test_ring_mark__any_part_differs__differs),
        cmocka_unit_test(test_object_is_sound__any_content_changed__is_seen),
        cmocka_unit_test(test_object_is_sound__row__is_not_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
