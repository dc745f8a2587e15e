/*
 * test_codec_limits_repair.c - every limit and every rule of the messages by which replicas are
 * repaired, at it and over it. See limit.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/wire/limit.h"

static struct message hints_reply(uint16_t count)
{
    struct message message = {.type = MESSAGE_HINTS_REPLY};

    message.hints_reply.owners = calloc(count, sizeof(struct hint_owner));
    assert_non_null(message.hints_reply.owners);
    message.hints_reply.count = count;
    for (uint16_t i = 0; i < count; i++) {
        /* Even, so that there is room before the first one. */
        message.hints_reply.owners[i].owner = 2 * (node_id)i + 2;
    }
    return message;
}

static struct message tree_keys(void)
{
    struct message message = {.type = MESSAGE_TREE_KEYS, .tree_keys.limit = 1};

    message.tree_keys.after_part = MERKLE_ROW;
    message.tree_keys.after_key = blob_of("a/b");
    return message;
}

/* Objects, of which the last one is made a row. */
static struct message tree_keys_reply(uint16_t count)
{
    struct message message = {.type = MESSAGE_TREE_KEYS_REPLY};
    struct tree_entry *entries = calloc((size_t)count + 1, sizeof *entries);

    assert_non_null(entries);
    message.tree_keys_reply.entries = entries;
    message.tree_keys_reply.count = count;
    for (uint16_t i = 0; i < count; i++) {
        char key[16];

        snprintf(key, sizeof key, "key%04d", i);
        entries[i].part = i + 1 < count ? MERKLE_OBJECT : MERKLE_ROW;
        entries[i].key = blob_of(key);
    }
    return message;
}

/* Two entries, and whether they may follow one another. */
static bool follow(enum merkle_part first_part, const char *first, enum merkle_part second_part,
                   const char *second)
{
    struct message message = tree_keys_reply(2);
    struct tree_entry *entries = message.tree_keys_reply.entries;

    blob_unref(entries[0].key);
    blob_unref(entries[1].key);
    entries[0].part = first_part;
    entries[0].key = blob_of(first);
    entries[1].part = second_part;
    entries[1].key = blob_of(second);
    return plain(message);
}

static struct message reap(enum merkle_part part, const char *key)
{
    struct message message = {.type = MESSAGE_REAP, .reap.part = part};

    message.reap.key = blob_of(key);
    return message;
}

/* [owner, 0, 0, 0] */
static struct slice owner_of(node_id owner)
{
    struct writer writer = limit_writer();

    writer_array(&writer, 4);
    writer_uint(&writer, owner);
    for (unsigned i = 0; i < 3; i++) {
        writer_uint(&writer, 0);
    }
    return limit_element();
}

/* [part, key, digest] */
static struct slice entry_of(enum merkle_part part, const char *key)
{
    static const uint8_t digest[DIGEST_SIZE];
    struct writer writer = limit_writer();

    writer_array(&writer, 3);
    writer_uint(&writer, part);
    writer_bytes(&writer, slice_of_string(key));
    writer_bytes(&writer, slice_of(digest, sizeof digest));
    return limit_element();
}

static void test_codec_hints_reply__owners__ascend_and_are_limited(void **state)
{
    (void)state;
    assert_true(plain((struct message){.type = MESSAGE_HINTS_REPLY}));
    assert_true(with(hints_reply(2), "5.0.0", number(3)));
    assert_false(with(hints_reply(2), "5.0.0", number(0)));
    assert_false(with(hints_reply(2), "5.0.0", number(4))); /* the second one's */
    assert_false(with(hints_reply(2), "5.0.0", number(5))); /* descending */
    assert_true(with(hints_reply(1), "5.0.1", number(UINT64_MAX)));
    assert_true(with(hints_reply(1), "5.0.2", number(UINT64_MAX)));
    assert_true(with(hints_reply(1), "5.0.3", number(UINT64_MAX)));
    assert_false(with(hints_reply(1), "5.0.3", nil()));
    assert_true(with_more(hints_reply(MEMBERS_MAX - 1), "5", owner_of(1)));
    assert_false(with_more(hints_reply(MEMBERS_MAX), "5", owner_of(1)));
    assert_false(with_more(hints_reply(1), "5.0", number(1)));
}

static void test_codec_repair__fields__are_checked(void **state)
{
    struct message repair = {.type = MESSAGE_REPAIR};
    struct message reply = {.type = MESSAGE_REPAIR_REPLY};
    static const char *const numbers[] = {"7", "8", "9", "10", "11"};

    (void)state;
    assert_true(with(repair, "3", yes()));
    assert_false(with(repair, "3", number(1)));
    assert_true(with(reply, "5", yes()));
    assert_false(with(reply, "5", number(1)));
    assert_true(with(reply, "6", yes()));
    assert_false(with(reply, "6", nil()));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(with(reply, numbers[i], number(UINT64_MAX)));
        assert_false(with(reply, numbers[i], nil()));
    }
}

static void test_codec_tree__partition_and_bucket__are_limited(void **state)
{
    struct message tree = {.type = MESSAGE_TREE};

    (void)state;
    assert_true(with(tree, "3", number(PARTITIONS_MAX - 1)));
    assert_false(with(tree, "3", number(PARTITIONS_MAX)));
    assert_true(with(tree, "4", number(MERKLE_BUCKETS)));
    assert_false(with(tree, "4", number(MERKLE_BUCKETS + 1)));
}

static void test_codec_tree_reply__hashes__are_just_so_many(void **state)
{
    struct message reply = {.type = MESSAGE_TREE_REPLY};
    struct writer writer;

    (void)state;
    assert_true(with(reply, "5.0", number(UINT64_MAX)));
    assert_true(with(reply, "5.31", number(UINT64_MAX)));
    assert_false(with(reply, "5.31", nil()));
    assert_false(with_more(reply, "5", number(1)));
    writer = limit_writer();
    writer_array(&writer, MERKLE_FANOUT - 1);
    for (unsigned i = 0; i < MERKLE_FANOUT - 1; i++) {
        writer_uint(&writer, 1);
    }
    assert_false(with(reply, "5", limit_element()));
    assert_false(with(reply, "6", number(1)));
}

static void test_codec_tree_keys__fields__are_checked(void **state)
{
    (void)state;
    assert_true(with(tree_keys(), "3", number(PARTITIONS_MAX - 1)));
    assert_false(with(tree_keys(), "3", number(PARTITIONS_MAX)));
    assert_true(with(tree_keys(), "4.31", number(UINT32_MAX)));
    assert_false(with(tree_keys(), "4.31", number(UINT64_C(1) << 32)));
    assert_false(with_more(tree_keys(), "4", number(1)));
    assert_true(with(tree_keys(), "5", nil()));
    assert_true(with(tree_keys(), "5.0", number(MERKLE_OBJECT)));
    assert_false(with(tree_keys(), "5.0", number(0)));
    assert_false(with(tree_keys(), "5.0", number(MERKLE_ROW + 1)));
    assert_true(with(tree_keys(), "5.1", bytes_of("a/")));
    assert_false(with(tree_keys(), "5.1", bytes_of("/"))); /* the root has no row */
    assert_false(with(tree_keys(), "5.1", bytes_of("/a")));
    assert_false(with(tree_keys(), "5.1", nil()));
    assert_false(with_more(tree_keys(), "5", number(1)));
    assert_true(with(tree_keys(), "6", number(TREE_ENTRIES_MAX)));
    assert_false(with(tree_keys(), "6", number(TREE_ENTRIES_MAX + 1)));
    assert_false(with(tree_keys(), "6", number(0)));
}

static void test_codec_tree_keys_reply__entries__are_checked(void **state)
{
    (void)state;
    assert_true(with(tree_keys_reply(1), "5.0.1", bytes_of("a/b")));
    assert_false(with(tree_keys_reply(1), "5.0.1", bytes_of("/"))); /* the root has no row */
    assert_true(with(tree_keys_reply(2), "5.0.1", bytes_of("/")));
    assert_false(with(tree_keys_reply(1), "5.0.1", bytes_of("")));
    assert_false(with(tree_keys_reply(1), "5.0.1", bytes_of("a//b")));
    assert_false(with(tree_keys_reply(1), "5.0.0", number(0)));
    assert_false(with(tree_keys_reply(1), "5.0.0", number(MERKLE_ROW + 1)));
    assert_false(with(tree_keys_reply(1), "5.0.2", filler(DIGEST_SIZE - 1, false)));
    assert_true(with(tree_keys_reply(1), "5.0.2", filler(DIGEST_SIZE, false)));
    assert_false(with(tree_keys_reply(1), "5.0.2", filler(DIGEST_SIZE + 1, false)));
    assert_false(with_more(tree_keys_reply(1), "5.0", number(1)));
}

static void test_codec_tree_keys_reply__counts__are_limited(void **state)
{
    (void)state;
    assert_true(
        with_more(tree_keys_reply(TREE_ENTRIES_MAX - 1), "5", entry_of(MERKLE_OBJECT, "key")));
    assert_false(
        with_more(tree_keys_reply(TREE_ENTRIES_MAX), "5", entry_of(MERKLE_OBJECT, "key")));
    assert_true(with(tree_keys_reply(1), "6", yes()));
    assert_false(with(tree_keys_reply(0), "6", yes())); /* more, but behind what? */
}

static void test_codec_tree_keys_reply__entries__ascend_as_a_store_lists_them(void **state)
{
    (void)state;
    assert_true(follow(MERKLE_OBJECT, "a", MERKLE_OBJECT, "b"));
    assert_false(follow(MERKLE_OBJECT, "b", MERKLE_OBJECT, "a"));
    assert_false(follow(MERKLE_OBJECT, "a", MERKLE_OBJECT, "a"));
    assert_true(follow(MERKLE_OBJECT, "a", MERKLE_ROW, "a"));
    assert_true(follow(MERKLE_OBJECT, "b", MERKLE_ROW, "a"));
    assert_false(follow(MERKLE_ROW, "a", MERKLE_OBJECT, "a"));
    assert_false(follow(MERKLE_ROW, "a", MERKLE_OBJECT, "b"));
    assert_false(follow(MERKLE_ROW, "a", MERKLE_ROW, "a"));
    assert_true(follow(MERKLE_ROW, "a/", MERKLE_ROW, "a")); /* the directory first */
    assert_false(follow(MERKLE_ROW, "a", MERKLE_ROW, "a/"));
    assert_true(follow(MERKLE_OBJECT, "a", MERKLE_OBJECT, "a/"));
}

static void test_codec_reap__fields__are_checked(void **state)
{
    (void)state;
    assert_true(plain(reap(MERKLE_OBJECT, "/")));
    assert_true(plain(reap(MERKLE_ROW, "a/")));
    assert_false(plain(reap(MERKLE_ROW, "/")));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "3", number(0)));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "3", number(MERKLE_ROW + 1)));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "4", bytes_of("a/../b")));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "5", filler(DIGEST_SIZE - 1, false)));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "5", filler(DIGEST_SIZE + 1, false)));
    assert_true(with(reap(MERKLE_OBJECT, "a"), "6", number(UINT64_MAX)));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "6", yes()));
    assert_true(with(reap(MERKLE_OBJECT, "a"), "7", yes()));
    assert_false(with(reap(MERKLE_OBJECT, "a"), "7", number(1)));
}

static struct message vouch(void)
{
    struct message message = {.type = MESSAGE_VOUCH};

    message.vouch.node = 1;
    message.vouch.incarnation = 1;
    return message;
}

static void test_codec_vouch__fields__are_checked(void **state)
{
    struct message reply = {.type = MESSAGE_VOUCH_REPLY};

    (void)state;
    assert_false(with(vouch(), "3", number(0)));
    assert_false(with(vouch(), "4", number(0)));
    assert_true(with(vouch(), "4", number(UINT64_MAX - 1)));
    assert_false(with(vouch(), "4", number(UINT64_MAX)));
    assert_false(with(reply, "5", number(UINT64_MAX)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_hints_reply__owners__ascend_and_are_limited),
        cmocka_unit_test(test_codec_repair__fields__are_checked),
        cmocka_unit_test(test_codec_tree__partition_and_bucket__are_limited),
        cmocka_unit_test(test_codec_tree_reply__hashes__are_just_so_many),
        cmocka_unit_test(test_codec_tree_keys__fields__are_checked),
        cmocka_unit_test(test_codec_tree_keys_reply__entries__are_checked),
        cmocka_unit_test(test_codec_tree_keys_reply__counts__are_limited),
        cmocka_unit_test(test_codec_tree_keys_reply__entries__ascend_as_a_store_lists_them),
        cmocka_unit_test(test_codec_reap__fields__are_checked),
        cmocka_unit_test(test_codec_vouch__fields__are_checked),
    };

    return cmocka_run_group_tests_name("codec_limits_repair", tests, NULL, limit_release);
}
