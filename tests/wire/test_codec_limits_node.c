/*
 * test_codec_limits_node.c - every limit and every rule of the messages between nodes: the
 * greeting, members, replicas.
 *
 * Shape:    see limit.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "node/wire/record.h"
#include "node/wire/writer.h"
#include "tests/wire/edit.h"
#include "tests/wire/limit.h"

static struct message hello(enum role role, uint16_t seed_count)
{
    struct message message = {.type = MESSAGE_HELLO, .hello.role = role};

    if (role == ROLE_NODE) {
        message.hello.node = 5;
        snprintf(message.hello.address, ADDRESS_SIZE, "here:7450");
    }
    message.hello.seeds = calloc((size_t)seed_count + 1, ADDRESS_SIZE);
    message.hello.seed_count = seed_count;
    for (uint16_t i = 0; i < seed_count; i++) {
        snprintf(message.hello.seeds[i], ADDRESS_SIZE, "seed%03d:7450", i);
    }
    return message;
}

static struct message ring_reply(uint16_t partitions, uint16_t member_count)
{
    struct message message = {.type = MESSAGE_RING_REPLY};
    struct member members[MEMBERS_MAX];

    for (uint16_t i = 0; i < member_count; i++) {
        members[i].id = 2 * (uint64_t)i + 2;
        snprintf(members[i].address, ADDRESS_SIZE, "member%d:7450", i);
    }
    message.ring = calloc(1, sizeof *message.ring);
    assert_non_null(message.ring);
    assert_int_equal(ring_create(1, partitions, 3, members, member_count, message.ring),
                     STATUS_OK);
    return message;
}

static struct message join(void)
{
    struct message message = {.type = MESSAGE_JOIN, .join.member.id = 1};

    snprintf(message.join.member.address, ADDRESS_SIZE, "here:7450");
    return message;
}

static struct message replica_put(const char *key, uint8_t parts)
{
    struct message message = {.type = MESSAGE_REPLICA_PUT};

    message.replica_put.key = blob_of(key);
    message.replica_put.parts = parts;
    message.replica_put.object = object_of(
        key_row_kind(slice_of_string(key)) == ROW_DIRECTORY ? VERSION_DIRECTORY : VERSION_FILE,
        parts != REPLICA_ROW, 5);
    return message;
}

static void test_codec_hello__who_and_where__fit_the_role(void **state)
{
    (void)state;
    assert_true(plain(hello(ROLE_CLIENT, 0)));
    assert_true(plain(hello(ROLE_NODE, MEMBERS_MAX)));
    assert_false(with(hello(ROLE_CLIENT, 0), "4", number(0)));
    assert_false(with(hello(ROLE_CLIENT, 0), "4", number(3)));
    assert_false(with(hello(ROLE_CLIENT, 0), "6", number(5)));
    assert_false(with(hello(ROLE_CLIENT, 0), "7", string_of("here:7450")));
    assert_false(with(hello(ROLE_NODE, 0), "6", number(0)));
    assert_false(with(hello(ROLE_NODE, 0), "7", string_of("")));
    assert_true(with(hello(ROLE_NODE, 0), "3", number(UINT32_MAX)));
    assert_false(with(hello(ROLE_NODE, 0), "3", number(UINT64_C(1) << 32)));
    assert_false(with(hello(ROLE_NODE, 0), "8", number(1)));
    assert_false(with(hello(ROLE_NODE, 2), "9.0", string_of("")));
    assert_false(with(hello(ROLE_NODE, 2), "9.0", string_of("seed001:7450"))); /* twice */
    assert_false(with(hello(ROLE_NODE, 2), "9.0", string_of("seed002:7450"))); /* descending */
    assert_false(with_more(hello(ROLE_NODE, MEMBERS_MAX), "9", string_of("a:1")));
    assert_true(with_more(hello(ROLE_NODE, MEMBERS_MAX - 1), "9", string_of("a:1")));
}

/* Only the reply to a greeting that was accepted proves anything. */
static void test_codec_hello__nonce_and_proof__where_they_belong(void **state)
{
    struct message reply = {.type = MESSAGE_HELLO_REPLY, .hello = {.role = ROLE_CLIENT}};

    (void)state;
    assert_false(with(hello(ROLE_CLIENT, 0), "10", filler(NONCE_SIZE - 1, false)));
    assert_true(with(hello(ROLE_CLIENT, 0), "10", filler(NONCE_SIZE, false)));
    assert_false(with(hello(ROLE_CLIENT, 0), "10", nil()));
    assert_false(with(hello(ROLE_CLIENT, 0), "11", filler(PROOF_SIZE, false)));
    assert_true(with(reply, "13", filler(PROOF_SIZE, false)));
    assert_false(with(reply, "13", filler(PROOF_SIZE + 1, false)));
    reply.status = STATUS_REFUSED;
    assert_false(with(reply, "13", filler(PROOF_SIZE, false)));
}

static void test_codec_proof__is_of_its_size(void **state)
{
    struct message proof = {.type = MESSAGE_PROOF};

    (void)state;
    assert_true(plain(proof));
    assert_false(with(proof, "3", filler(PROOF_SIZE - 1, false)));
    assert_false(with(proof, "3", nil()));
}

static void test_codec_hello_reply__only_a_refusal__may_say_nothing(void **state)
{
    struct message message = {.type = MESSAGE_HELLO_REPLY};

    (void)state;
    assert_false(plain(message));
    message.status = STATUS_REFUSED;
    assert_true(plain(message));
}

static void test_codec_join__addresses__are_host_and_port(void **state)
{
    static const char *const good[] = {"a:1", "127.0.0.1:7450", "[::1]:65535",
                                       "node.example:80"};
    static const char *const bad[] = {"",        "host",     "host:",      ":1",
                                      "host:0",  "host:01",  "host:65536", "host:123456",
                                      "ho st:1", "host:1\n", "host:1x",    "h\303\244st:1",
                                      "host:-1"};
    char longest[ADDRESS_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(with(join(), "4", string_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(with(join(), "4", string_of(bad[i])));
    }
    assert_false(with(join(), "4", bytes_of("a:1")));
    assert_false(with(join(), "4", slice_of("\244a\0:1", 5)));
    assert_false(with(join(), "3", number(0)));
    /* With its NUL it just fits, or just does not. */
    snprintf(longest, sizeof longest, "%062d:1", 0);
    assert_false(with(join(), "4", string_of(longest)));
    assert_true(with(join(), "4", string_of(longest + 1)));
}

static void test_codec_prepare__proposer__is_a_node(void **state)
{
    struct message message = {.type = MESSAGE_PREPARE, .prepare.proposer = 1};

    (void)state;
    assert_true(with(message, "4", number(UINT64_MAX)));
    assert_false(with(message, "4", number(0)));
}

static void test_codec_prepare__replaced__is_any_node_or_none(void **state)
{
    struct message message = {.type = MESSAGE_PREPARE, .prepare.proposer = 1};

    (void)state;
    assert_true(with(message, "5", number(0)));
    assert_true(with(message, "5", number(UINT64_MAX)));
    assert_false(with(message, "5", nil()));
}

static void test_codec_by_hand__members_and_owners__are_nodes(void **state)
{
    struct message push = {.type = MESSAGE_RING_PUSH, .ring_push = {.epoch = 1, .node = 1}};
    struct message replace = {.type = MESSAGE_REPLACE, .replace.member = 1};
    struct message drop = {.type = MESSAGE_DROP_HINTS, .drop_hints.owner = 1};
    struct message prepare = {.type = MESSAGE_PREPARE, .prepare.proposer = 1};

    (void)state;
    assert_true(plain(push));
    assert_false(with(push, "3", number(0)));
    assert_false(with(push, "4", number(0)));
    assert_true(with(replace, "3", number(UINT64_MAX)));
    assert_false(with(replace, "3", number(0)));
    assert_true(with(drop, "3", number(UINT64_MAX)));
    assert_false(with(drop, "3", number(0)));
    assert_false(with(prepare, "6", number(1)));
}

static void test_codec_ring__rules_of_rings__are_checked(void **state)
{
    struct message empty_reply = {.type = MESSAGE_RING_REPLY};

    (void)state;
    assert_true(plain(ring_reply(PARTITIONS_MAX, MEMBERS_MAX)));
    assert_true(plain(empty_reply));
    assert_true(with(ring_reply(8, 3), "5", nil()));
    assert_false(with(ring_reply(8, 3), "5.0", number(0)));
    assert_false(with(ring_reply(8, 3), "5.2", number(16))); /* more than owners */
    assert_false(with(ring_reply(8, 3), "5.2", number(0)));
    assert_false(with(ring_reply(8, 3), "5.3", number(0)));
    assert_false(with(ring_reply(8, 3), "5.3", number(REPLICAS_MAX + 1)));
    assert_false(with(ring_reply(8, 3), "5.4.0.0", number(0)));
    assert_false(with(ring_reply(8, 3), "5.4.0.0", number(4))); /* the second one's id */
    assert_false(with(ring_reply(8, 3), "5.4.0.1", string_of("member1:7450")));
    assert_false(with(ring_reply(8, 3), "5.5.7", number(3))); /* no such member */
    assert_false(with_more(ring_reply(8, 3), "5.5", number(0)));
    assert_false(with_more(ring_reply(PARTITIONS_MAX, MEMBERS_MAX), "5.4",
                           slice_of("\222\001\243a:1", 6)));
}

static void test_codec_replica_get_reply__digest_or_object__never_both(void **state)
{
    struct message digest = {.type = MESSAGE_REPLICA_GET_REPLY,
                             .replica_get_reply.has_digest = true};
    struct message neither = {.type = MESSAGE_REPLICA_GET_REPLY};

    (void)state;
    assert_false(with(digest, "5", filler(DIGEST_SIZE - 1, false)));
    assert_false(with(digest, "5", filler(DIGEST_SIZE + 1, false)));
    assert_false(with(digest, "6", record_of(VERSION_FILE, true, 5, false)));
    assert_true(with(neither, "6", record_of(VERSION_FILE, true, 5, false)));
    assert_false(with(neither, "6", record_of(VERSION_FILE, false, 5, false)));
    assert_false(with(neither, "6", record_of(VERSION_FILE, true, 5, true)));
}

static void test_codec_replica_put__object_fits_key_and_parts(void **state)
{
    const uint8_t both = REPLICA_OBJECT | REPLICA_ROW;

    (void)state;
    assert_true(plain(replica_put("a", both)));
    assert_true(plain(replica_put("a/", both)));
    assert_true(plain(replica_put("a", REPLICA_ROW)));
    assert_true(plain(replica_put("/", REPLICA_OBJECT)));
    assert_false(plain(replica_put("/", REPLICA_ROW))); /* the root is in no directory */
    assert_false(plain(replica_put("/", both)));
    assert_false(with(replica_put("a", both), "3", bytes_of("a/")));
    assert_false(with(replica_put("a", both), "4", nil()));
    assert_false(
        with(replica_put("a", both), "4", record_of(VERSION_DIRECTORY, true, 0, false)));
    assert_false(with(replica_put("a", both), "4", record_of(VERSION_FILE, false, 5, false)));
    assert_false(with(replica_put("a", both), "4", record_of(VERSION_FILE, true, 5, true)));
    assert_false(
        with(replica_put("a", REPLICA_ROW), "4", record_of(VERSION_FILE, true, 5, false)));
    assert_false(with(replica_put("a", both), "5", number(0)));
    assert_false(with(replica_put("a", both), "5", number(both + 1)));
    assert_false(with(replica_put("a", both), "6", number(1)));
}

static void test_codec_replica_put__a_hint__is_of_an_object_alone(void **state)
{
    struct message hint = replica_put("a", REPLICA_OBJECT);

    (void)state;
    hint.replica_put.hint_for = 5;
    assert_false(with(hint, "8", yes()));
    assert_true(with(replica_put("a", REPLICA_OBJECT), "7", number(UINT64_MAX)));
    assert_true(with(replica_put("/", REPLICA_OBJECT), "7", number(1)));
    assert_false(with(replica_put("a", REPLICA_ROW), "7", number(1)));
    assert_false(with(replica_put("a", REPLICA_OBJECT | REPLICA_ROW), "7", number(1)));
    assert_false(with(replica_put("a", REPLICA_OBJECT), "7", nil()));
}

static void test_codec_replica_put__leave_intent__comes_with_an_object(void **state)
{
    (void)state;
    assert_true(with(replica_put("a", REPLICA_OBJECT), "8", yes()));
    assert_true(with(replica_put("a", REPLICA_OBJECT | REPLICA_ROW), "8", yes()));
    assert_false(with(replica_put("a", REPLICA_ROW), "8", yes()));
    assert_false(with(replica_put("a", REPLICA_OBJECT), "8", number(1)));
}

static void test_codec_replica_get__flags__are_booleans(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const flags[] = {"4", "5", "6"};
        struct message message = {.type = MESSAGE_REPLICA_GET};

        message.replica_get.key = blob_of("a");
        assert_true(with(message, flags[i], yes()));
        message.replica_get.key = blob_of("a");
        assert_false(with(message, flags[i], number(1)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_hello__who_and_where__fit_the_role),
        cmocka_unit_test(test_codec_hello__nonce_and_proof__where_they_belong),
        cmocka_unit_test(test_codec_proof__is_of_its_size),
        cmocka_unit_test(test_codec_hello_reply__only_a_refusal__may_say_nothing),
        cmocka_unit_test(test_codec_join__addresses__are_host_and_port),
        cmocka_unit_test(test_codec_prepare__proposer__is_a_node),
        cmocka_unit_test(test_codec_prepare__replaced__is_any_node_or_none),
        cmocka_unit_test(test_codec_by_hand__members_and_owners__are_nodes),
        cmocka_unit_test(test_codec_ring__rules_of_rings__are_checked),
        cmocka_unit_test(test_codec_replica_get_reply__digest_or_object__never_both),
        cmocka_unit_test(test_codec_replica_put__object_fits_key_and_parts),
        cmocka_unit_test(test_codec_replica_put__a_hint__is_of_an_object_alone),
        cmocka_unit_test(test_codec_replica_put__leave_intent__comes_with_an_object),
        cmocka_unit_test(test_codec_replica_get__flags__are_booleans),
    };

    return cmocka_run_group_tests_name("codec_limits_node", tests, NULL, limit_release);
}
