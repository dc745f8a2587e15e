/*
 * test_merkle.c - leaves, entry hashes, and the order of entries.
 *
 * Rules: the leaf of a key is part of the protocol and never changes; an entry toggled twice is
 * as one never added, in any order; bucket hashes differ where a leaf does, and only there; the
 * order of entries is that of the keys in the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/key.h"
#include "ring/merkle.h"

enum { KEYS = 4096 };

static struct slice text_of(char text[32], int number)
{
    (void)snprintf(text, 32, "d%d/k%d", number % 7, number);
    return slice_of_string(text);
}

static uint64_t hash_of(enum merkle_part part, int number, uint64_t state)
{
    char text[32];
    uint8_t digest[DIGEST_SIZE];
    digest_of(slice_of(&state, sizeof state), digest);
    return merkle_entry_hash(part, text_of(text, number), digest);
}

static void test_merkle_leaf_of__known_keys__never_changes(void **state)
{
    (void)state;
    /* FNV-1a of "" is 0x811c9dc5, of "a" 0xe40c292c, of "foobar" 0xbf9cf968. */
    assert_int_equal(merkle_leaf_of(slice_of_string("")), 0x811c % 1024);
    assert_int_equal(merkle_leaf_of(slice_of_string("a")), 0xe40c % 1024);
    assert_int_equal(merkle_leaf_of(slice_of_string("foobar")), 0xbf9c % 1024);
}

static void test_merkle_leaf_of__many_keys__use_every_leaf_about_equally(void **state)
{
    (void)state;
    int count[MERKLE_LEAVES] = {0};
    for (int i = 0; i < MERKLE_LEAVES * 64; i++) {
        char text[32];
        count[merkle_leaf_of(text_of(text, i))]++;
    }
    for (int i = 0; i < MERKLE_LEAVES; i++) {
        assert_in_range(count[i], 16, 160);
    }
}

static void test_merkle_entry_hash__part_key_or_digest_differs__differs(void **state)
{
    (void)state;
    assert_true(hash_of(MERKLE_OBJECT, 1, 1) == hash_of(MERKLE_OBJECT, 1, 1));
    assert_true(hash_of(MERKLE_OBJECT, 1, 1) != hash_of(MERKLE_ROW, 1, 1));
    assert_true(hash_of(MERKLE_OBJECT, 1, 1) != hash_of(MERKLE_OBJECT, 2, 1));
    assert_true(hash_of(MERKLE_OBJECT, 1, 1) != hash_of(MERKLE_OBJECT, 1, 2));
}

/* If hashes cancelled out in families, sums over small sets would collide. */
static void test_merkle_entry_hash__sums_of_pairs__are_all_different(void **state)
{
    (void)state;
    enum { SIDE = 48 };
    static uint64_t sums[SIDE * (SIDE - 1) / 2];
    int count = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < i; j++) {
            sums[count] = hash_of(MERKLE_OBJECT, i, 9) ^ hash_of(MERKLE_OBJECT, j, 9);
            assert_true(sums[count] != 0);
            for (int k = 0; k < count; k++) {
                assert_true(sums[k] != sums[count]);
            }
            count++;
        }
    }
}

static void test_merkle_bucket_hashes__toggled_in_and_out__are_as_before(void **state)
{
    (void)state;
    static struct merkle_tree tree;
    static struct merkle_tree other;
    uint64_t hash[MERKLE_BUCKETS];
    uint64_t other_hash[MERKLE_BUCKETS];
    memset(&tree, 0, sizeof tree);
    memset(&other, 0, sizeof other);
    for (int i = 0; i < KEYS; i++) {
        char text[32];
        tree.leaf[merkle_leaf_of(text_of(text, i))] ^= hash_of(MERKLE_ROW, i, 1);
        tree.leaf[merkle_leaf_of(text_of(text, i))] ^= hash_of(MERKLE_ROW, i, 2);
    }
    for (int i = KEYS - 1; i >= 0; i--) {
        char text[32];
        tree.leaf[merkle_leaf_of(text_of(text, i))] ^= hash_of(MERKLE_ROW, i, 1);
        other.leaf[merkle_leaf_of(text_of(text, i))] ^= hash_of(MERKLE_ROW, i, 2);
    }
    merkle_bucket_hashes(&tree, hash);
    merkle_bucket_hashes(&other, other_hash);
    assert_memory_equal(hash, other_hash, sizeof hash);

    for (int i = 0; i < KEYS; i++) {
        char text[32];
        tree.leaf[merkle_leaf_of(text_of(text, i))] ^= hash_of(MERKLE_ROW, i, 2);
    }
    merkle_bucket_hashes(&tree, hash);
    for (int i = 0; i < MERKLE_BUCKETS; i++) {
        assert_true(hash[i] == 0);
    }
}

static void test_merkle_bucket_hashes__one_leaf_differs__only_its_bucket_does(void **state)
{
    (void)state;
    static struct merkle_tree tree;
    memset(&tree, 0, sizeof tree);
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        tree.leaf[leaf] = hash_of(MERKLE_OBJECT, leaf, 3);
    }
    uint64_t before[MERKLE_BUCKETS];
    merkle_bucket_hashes(&tree, before);
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf += 5) {
        uint64_t after[MERKLE_BUCKETS];
        tree.leaf[leaf] ^= 1;
        merkle_bucket_hashes(&tree, after);
        for (int i = 0; i < MERKLE_BUCKETS; i++) {
            assert_int_equal(before[i] != after[i], i == leaf / MERKLE_FANOUT);
        }
        tree.leaf[leaf] ^= 1;
    }
    uint64_t leaves[MERKLE_FANOUT];
    merkle_bucket_leaves(&tree, 3, leaves);
    assert_memory_equal(leaves, &tree.leaf[(size_t)3 * MERKLE_FANOUT], sizeof leaves);
}

static void test_merkle_bucket_hashes__two_leaves_change_places__differ(void **state)
{
    (void)state;
    static struct merkle_tree tree;
    uint64_t before[MERKLE_BUCKETS];
    uint64_t after[MERKLE_BUCKETS];
    memset(&tree, 0, sizeof tree);
    tree.leaf[4] = 77;
    tree.leaf[5] = 78;
    merkle_bucket_hashes(&tree, before);
    tree.leaf[4] = 78;
    tree.leaf[5] = 77;
    merkle_bucket_hashes(&tree, after);
    assert_true(before[0] != after[0]);
}

static void test_merkle_leaves__added__are_those_that_are_in_it(void **state)
{
    (void)state;
    struct merkle_leaves a = {0};
    struct merkle_leaves b = {0};
    assert_true(merkle_leaves_are_empty(&a));
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        if (leaf % 3 == 0) {
            merkle_leaves_add(&a, leaf);
        }
        if (leaf % 5 == 0) {
            merkle_leaves_add(&b, leaf);
        }
    }
    struct merkle_leaves common = merkle_leaves_common(&a, &b);
    assert_false(merkle_leaves_are_empty(&a));
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        assert_int_equal(merkle_leaves_has(&a, leaf), leaf % 3 == 0);
        assert_int_equal(merkle_leaves_has(&common, leaf), leaf % 15 == 0);
    }
}

static void test_merkle_leaves__one_leaf__is_not_empty_wherever_it_is(void **state)
{
    (void)state;
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        struct merkle_leaves one = {0};
        merkle_leaves_add(&one, leaf);
        struct merkle_leaves common = merkle_leaves_common(&one, &one);
        assert_false(merkle_leaves_are_empty(&one));
        assert_true(merkle_leaves_has(&common, leaf));
    }
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void test_merkle_entry_compare__any_two__is_the_order_of_the_store(void **state)
{
    (void)state;
    static const struct {
        enum merkle_part part;
        const char *key;
    } ordered[] = {
        {MERKLE_OBJECT, "/"},    {MERKLE_OBJECT, "a"},  {MERKLE_OBJECT, "a/"},
        {MERKLE_OBJECT, "a/b"},  {MERKLE_OBJECT, "b"},  {MERKLE_ROW, "a/"},
        {MERKLE_ROW, "a"},       {MERKLE_ROW, "a\x01"}, {MERKLE_ROW, "ab"},
        {MERKLE_ROW, "z"},       {MERKLE_ROW, "a/b/"},  {MERKLE_ROW, "a/b"},
        {MERKLE_ROW, "a/b\x01"}, {MERKLE_ROW, "a/bb"},  {MERKLE_ROW, "a/b/c"},
        {MERKLE_ROW, "a-/b"},
    };
    /* By directory first: "/" (of the top-level names) before "a-/" before "a/" before "a/b/".
     */
    static const int place[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 10};
    enum { COUNT = sizeof ordered / sizeof ordered[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            int order = merkle_entry_compare(ordered[i].part, slice_of_string(ordered[i].key),
                                             ordered[j].part, slice_of_string(ordered[j].key));
            assert_int_equal(sign(order), sign(place[i] - place[j]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merkle_leaf_of__known_keys__never_changes),
        cmocka_unit_test(test_merkle_leaf_of__many_keys__use_every_leaf_about_equally),
        cmocka_unit_test(test_merkle_entry_hash__part_key_or_digest_differs__differs),
        cmocka_unit_test(test_merkle_entry_hash__sums_of_pairs__are_all_different),
        cmocka_unit_test(test_merkle_bucket_hashes__toggled_in_and_out__are_as_before),
        cmocka_unit_test(test_merkle_bucket_hashes__one_leaf_differs__only_its_bucket_does),
        cmocka_unit_test(test_merkle_bucket_hashes__two_leaves_change_places__differ),
        cmocka_unit_test(test_merkle_leaves__added__are_those_that_are_in_it),
        cmocka_unit_test(test_merkle_leaves__one_leaf__is_not_empty_wherever_it_is),
        cmocka_unit_test(test_merkle_entry_compare__any_two__is_the_order_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
