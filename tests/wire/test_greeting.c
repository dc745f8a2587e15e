/*
 * test_greeting.c - proofs of the secret.
 *
 *  - What one side notes as it sends, the other notes as it receives: the proof holds.
 *  - A proof serves for its side, its secret and what was said in just this greeting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "node/wire/greeting.h"

static struct secret secret = {.bytes = {1, 2, 3}};

static struct message hello_of(enum message_type type, const char *address)
{
    struct message message = {.type = type, .request_id = 7};

    message.hello.protocol = PROTOCOL_VERSION;
    message.hello.role = ROLE_NODE;
    message.hello.node = 17;
    message.hello.cluster_id = 4;
    message.hello.nonce[5] = 99;
    snprintf(message.hello.address, ADDRESS_SIZE, "%s", address);
    return message;
}

static struct greeting said(const struct message *hello, const struct message *reply)
{
    struct greeting greeting;

    assert_int_equal(greeting_note_hello(&greeting, hello), STATUS_OK);
    assert_int_equal(greeting_note_reply(&greeting, reply), STATUS_OK);
    return greeting;
}

/* The message as it is after its way over the wire. */
static struct message sent(const struct message *message)
{
    struct buffer bytes = {.data = NULL};
    struct message received;

    codec_encode(message, &bytes);
    assert_false(bytes.failed);
    assert_int_equal(codec_decode(buffer_slice(&bytes), &received), STATUS_OK);
    buffer_release(&bytes);
    return received;
}

static void test_greeting__sent_and_received__is_proved(void **state)
{
    struct message hello = hello_of(MESSAGE_HELLO, "a:1");
    struct message reply = hello_of(MESSAGE_HELLO_REPLY, "b:1");
    uint8_t proof[PROOF_SIZE];

    (void)state;
    reply.text = blob_new(slice_of_string("a bell \a and all"));
    struct greeting near_side = said(&hello, &reply);
    greeting_prove(&near_side, &secret, GREETING_OTHER_END, reply.hello.proof);
    reply.hello.has_proof = true;
    struct message far_hello = sent(&hello);
    struct message far_reply = sent(&reply);
    struct greeting far_side = said(&far_hello, &far_reply);

    assert_true(
        greeting_is_proved(&far_side, &secret, GREETING_OTHER_END, far_reply.hello.proof));
    greeting_prove(&far_side, &secret, GREETING_OPENER, proof);
    assert_true(greeting_is_proved(&near_side, &secret, GREETING_OPENER, proof));
    message_release(&reply);
    message_release(&far_hello);
    message_release(&far_reply);
}

static void test_greeting__other_side_or_secret__is_not_proved(void **state)
{
    struct message hello = hello_of(MESSAGE_HELLO, "a:1");
    struct message reply = hello_of(MESSAGE_HELLO_REPLY, "b:1");
    struct greeting greeting = said(&hello, &reply);
    struct secret other = secret;
    uint8_t proof[PROOF_SIZE];

    (void)state;
    greeting_prove(&greeting, &secret, GREETING_OTHER_END, proof);
    assert_false(greeting_is_proved(&greeting, &secret, GREETING_OPENER, proof));
    other.bytes[31] ^= 1;
    assert_false(greeting_is_proved(&greeting, &other, GREETING_OTHER_END, proof));
    proof[0] ^= 1;
    assert_false(greeting_is_proved(&greeting, &secret, GREETING_OTHER_END, proof));
}

/* Whatever either side says is under the proof; `change` is done to a copy of what was said. */
static void assert_bound(void (*change)(struct message *hello, struct message *reply))
{
    struct message hello = hello_of(MESSAGE_HELLO, "a:1");
    struct message reply = hello_of(MESSAGE_HELLO_REPLY, "b:1");
    struct greeting before = said(&hello, &reply);
    uint8_t proof[PROOF_SIZE];

    greeting_prove(&before, &secret, GREETING_OPENER, proof);
    change(&hello, &reply);
    struct greeting after = said(&hello, &reply);
    assert_false(greeting_is_proved(&after, &secret, GREETING_OPENER, proof));
}

static void other_nonce(struct message *hello, struct message *reply)
{
    (void)reply;
    hello->hello.nonce[31] ^= 1;
}

static void other_reply_nonce(struct message *hello, struct message *reply)
{
    (void)hello;
    reply->hello.nonce[0] ^= 1;
}

static void other_role(struct message *hello, struct message *reply)
{
    (void)reply;
    hello->hello.role = ROLE_CLIENT;
}

static void other_node(struct message *hello, struct message *reply)
{
    (void)hello;
    reply->hello.node++;
}

static void other_address(struct message *hello, struct message *reply)
{
    (void)hello;
    reply->hello.address[0]++;
}

static void other_cluster(struct message *hello, struct message *reply)
{
    (void)hello;
    reply->hello.cluster_id++;
}

static void test_greeting__anything_else_was_said__is_not_proved(void **state)
{
    (void)state;
    assert_bound(other_nonce);
    assert_bound(other_reply_nonce);
    assert_bound(other_role);
    assert_bound(other_node);
    assert_bound(other_address);
    assert_bound(other_cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting__sent_and_received__is_proved),
        cmocka_unit_test(test_greeting__other_side_or_secret__is_not_proved),
        cmocka_unit_test(test_greeting__anything_else_was_said__is_not_proved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
