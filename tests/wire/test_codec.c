/*
 * test_codec.c - the rules of codec.h and message.h that hold for every type:
 *   1. what was encoded is decoded to the same message
 *   2. a message has one encoding: whatever is accepted encodes to the same bytes again
 *   3. every prefix, every extension, every other arity is refused
 *   4. no bytes whatever crash it
 *   5. memory that is short is told, and nothing leaks
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "tests/wire/allocate.h"
#include "tests/wire/edit.h"
#include "tests/wire/sample.h"

static struct sample sample;

static int seed(void **state)
{
    (void)state;
    sample = sample_seeded();
    return 0;
}

static struct buffer encoded(const struct message *message)
{
    struct buffer buffer = {0};

    codec_encode(message, &buffer);
    assert_false(buffer.failed);
    return buffer;
}

/* Rule 2 and rule 4. Returns whether the bytes were accepted. */
static bool check_bytes(struct slice bytes)
{
    struct message message;
    enum status status = codec_decode(bytes, &message);
    struct buffer again;

    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_BAD_MESSAGE);
        return false;
    }
    again = encoded(&message);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    buffer_release(&again);
    message_release(&message);
    return true;
}

/* In a block of just its size, so that a sanitizer sees each byte read beyond it. */
static bool check_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.size + 1);
    bool accepted;

    assert_non_null(copy);
    memcpy(copy + 1, bytes.data, bytes.size);
    accepted = check_bytes(slice_of(copy + 1, bytes.size));
    free(copy);
    return accepted;
}

static void test_codec__every_type__comes_back_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200 * SAMPLE_TYPES; i++) {
        struct message message;
        struct message back;
        struct buffer buffer;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        buffer = encoded(&message);
        assert_int_equal(codec_decode(buffer_slice(&buffer), &back), STATUS_OK);
        assert_true(sample_same_message(&message, &back));
        assert_true(check_bytes(buffer_slice(&buffer)));
        buffer_release(&buffer);
        message_release(&back);
        message_release(&message);
    }
}

/* A comparison that cannot tell messages apart would prove nothing. */
static void test_sample__two_messages__differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLE_TYPES; i++) {
        struct message a;
        struct message b;

        sample_message(&sample, sample_types[i], &a);
        sample_message(&sample, sample_types[i], &b);
        b.request_id = a.request_id + 1;
        assert_true(sample_same_message(&a, &a));
        assert_false(sample_same_message(&a, &b));
        message_release(&a);
        message_release(&b);
    }
}

static void test_codec__every_prefix__is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4 * SAMPLE_TYPES; i++) {
        struct message message;
        struct buffer buffer;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        buffer = encoded(&message);
        for (size_t size = 0; size < buffer.size; size++) {
            assert_false(check_copy(slice_of(buffer.data, size)));
        }
        buffer_append_byte(&buffer, 0xc0);
        assert_false(check_copy(buffer_slice(&buffer)));
        buffer_release(&buffer);
        message_release(&message);
    }
}

/* The head of the outermost array counts its elements: 0x90 + count, or 0xdc and two bytes. */
static void set_arity(struct buffer *buffer, int change)
{
    assert_int_equal(buffer->data[0] & 0xf0, 0x90);
    assert_in_range((buffer->data[0] & 0x0f) + change, 0, 15);
    buffer->data[0] = (uint8_t)(buffer->data[0] + change);
}

static void test_codec__one_element_more_or_less__is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLE_TYPES; i++) {
        static const uint8_t extra[] = {0xc0, 0x00, 0x01, 0xc2, 0xc3, 0x90, 0xa0};
        struct message message;
        struct buffer buffer;

        sample_message(&sample, sample_types[i], &message);
        buffer = encoded(&message);
        buffer_append_byte(&buffer, 0);
        for (size_t k = 0; k < sizeof extra && (buffer.data[0] & 0x0f) < 15; k++) {
            buffer.data[buffer.size - 1] = extra[k];
            set_arity(&buffer, 1);
            assert_false(check_copy(buffer_slice(&buffer)));
            set_arity(&buffer, -1);
        }
        buffer_release(&buffer);
        message_release(&message);
    }
}

static void test_codec__one_byte_changed__never_crashes(void **state)
{
    unsigned accepted = 0;
    unsigned refused = 0;

    (void)state;
    for (unsigned i = 0; i < 6 * SAMPLE_TYPES; i++) {
        struct message message;
        struct buffer buffer;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        buffer = encoded(&message);
        for (size_t place = 0; place < buffer.size; place++) {
            uint8_t before = buffer.data[place];

            buffer.data[place] ^= (uint8_t)(1 + sample_below(&sample, 255));
            if (check_copy(buffer_slice(&buffer))) {
                accepted++;
            } else {
                refused++;
            }
            buffer.data[place] = before;
        }
        buffer_release(&buffer);
        message_release(&message);
    }
    assert_true(accepted > 0 && refused > 0);
}

/* Each element in turn gives way to one of every kind. */
static void test_codec__one_element_of_another_kind__never_crashes(void **state)
{
    static const char *const kinds[] = {
        "\xc0",     "\xc2",      "\xc3",         "\x01",
        "\xff",     "\xa1x",     "\xa0",         "\x90",
        "\x91\x01", "\xc4\x01x", "\xcd\x01\x01", "\xcf\x80\x01\x01\x01\x01\x01\x01\x01"};
    unsigned refused = 0;

    (void)state;
    for (unsigned i = 0; i < 2 * SAMPLE_TYPES; i++) {
        struct message message;
        struct buffer buffer;
        struct buffer edited = {0};

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        buffer = encoded(&message);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            for (uint32_t nth = 0;
                 edit_nth(buffer_slice(&buffer), nth, slice_of_string(kinds[k]), &edited);
                 nth++) {
                refused += !check_copy(buffer_slice(&edited));
                buffer_reset(&edited);
            }
            buffer_reset(&edited);
        }
        buffer_release(&edited);
        buffer_release(&buffer);
        message_release(&message);
    }
    assert_true(refused > 0);
}

static void test_codec__pieces_of_messages_mixed__never_crash(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        struct message messages[2];
        struct buffer buffer;
        struct buffer other;
        size_t from;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &messages[0]);
        sample_message(&sample, sample_types[sample_below(&sample, SAMPLE_TYPES)],
                       &messages[1]);
        buffer = encoded(&messages[0]);
        other = encoded(&messages[1]);
        from = sample_below(&sample, other.size);
        buffer.size = sample_below(&sample, buffer.size);
        buffer_append(&buffer, other.data + from, other.size - from);
        (void)check_copy(buffer_slice(&buffer));
        buffer_release(&buffer);
        buffer_release(&other);
        message_release(&messages[0]);
        message_release(&messages[1]);
    }
}

static void test_codec__foreign_types__are_refused(void **state)
{
    unsigned known = 0;

    (void)state;
    for (unsigned type = 0; type < 128; type++) {
        const uint8_t request[] = {0x93, (uint8_t)type, 0, 0};
        const uint8_t reply[] = {0x95, (uint8_t)type, 0, 0, 0, 0xc0};
        bool is_known = strcmp(message_type_name((enum message_type)type), "unknown") != 0;

        known += is_known;
        if (!is_known) {
            assert_false(message_type_is_request((enum message_type)type));
            assert_false(check_bytes(slice_of(request, sizeof request)));
            assert_false(check_bytes(slice_of(reply, sizeof reply)));
        }
    }
    assert_int_equal(known, SAMPLE_TYPES);
}

static void test_message__names__are_distinct_and_replies_follow_requests(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLE_TYPES; i++) {
        enum message_type type = sample_types[i];
        const char *name = message_type_name(type);

        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(name, message_type_name(sample_types[k]));
        }
        if (message_type_is_request(type)) {
            const char *reply = message_type_name(type + 1);

            assert_false(message_type_is_request(type + 1));
            assert_memory_equal(reply, name, strlen(name));
            assert_string_equal(reply + strlen(name), "_reply");
        }
    }
}

static void test_message__zeroed_or_released_twice__is_fine(void **state)
{
    struct message message;
    static const struct message empty;

    (void)state;
    memset(&message, 0, sizeof message);
    message_release(&message);
    sample_message(&sample, MESSAGE_PUT, &message);
    message_release(&message);
    assert_memory_equal(&message, &empty, sizeof message);
    message_release(&message);
}

static void test_codec__text__is_cut_and_made_printable(void **state)
{
    struct message message = {.type = MESSAGE_REPLICA_PUT_REPLY, .status = STATUS_IO};
    struct message back;
    struct buffer buffer;

    (void)state;
    message.text = sample_bytes(&sample, TEXT_SIZE_MAX + 1);
    memset(message.text->data, 'x', message.text->size);
    memcpy(message.text->data, "a\n\033\177\303\244", 6);
    buffer = encoded(&message);
    assert_int_equal(codec_decode(buffer_slice(&buffer), &back), STATUS_OK);

    assert_int_equal(back.text->size, TEXT_SIZE_MAX);
    assert_memory_equal(back.text->data, "a???\303\244x", 7);
    buffer_release(&buffer);
    message_release(&message);
    message_release(&back);
}

static void test_codec__empty_text__is_none(void **state)
{
    struct message message = {.type = MESSAGE_REPLICA_PUT_REPLY};
    struct message back;
    struct buffer buffer;

    (void)state;
    message.text = sample_bytes(&sample, 0);
    buffer = encoded(&message);
    assert_int_equal(codec_decode(buffer_slice(&buffer), &back), STATUS_OK);

    assert_null(back.text);
    buffer_release(&buffer);
    message_release(&message);
    message_release(&back);
}

/* The n-th allocation fails, for each n until none does. A sanitizer tells of leaks. */
static void test_codec__memory_is_short__is_reported_at_each_allocation(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4 * SAMPLE_TYPES; i++) {
        struct message message;
        struct message back;
        struct buffer buffer;
        enum status status = STATUS_NO_MEMORY;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        buffer = encoded(&message);
        for (unsigned nth = 0; status != STATUS_OK; nth++) {
            allocate_fail_after(nth);
            status = codec_decode(buffer_slice(&buffer), &back);
            if (allocate_did_fail()) {
                assert_int_equal(status, STATUS_NO_MEMORY);
            } else {
                assert_int_equal(status, STATUS_OK);
            }
        }
        allocate_never_fail();
        assert_true(sample_same_message(&message, &back));
        buffer_release(&buffer);
        message_release(&message);
        message_release(&back);
    }
}

static void test_codec_encode__memory_is_short__fails_the_buffer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLE_TYPES; i++) {
        struct message message;

        sample_message(&sample, sample_types[i], &message);
        for (unsigned nth = 0;; nth++) {
            struct buffer buffer = {0};
            bool failed;

            allocate_fail_after(nth);
            codec_encode(&message, &buffer);
            failed = allocate_did_fail();
            allocate_never_fail();
            assert_int_equal(buffer.failed, failed);
            buffer_release(&buffer);
            if (!failed) {
                break;
            }
        }
        message_release(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__every_type__comes_back_the_same),
        cmocka_unit_test(test_sample__two_messages__differ),
        cmocka_unit_test(test_codec__every_prefix__is_refused),
        cmocka_unit_test(test_codec__one_element_more_or_less__is_refused),
        cmocka_unit_test(test_codec__one_byte_changed__never_crashes),
        cmocka_unit_test(test_codec__one_element_of_another_kind__never_crashes),
        cmocka_unit_test(test_codec__pieces_of_messages_mixed__never_crash),
        cmocka_unit_test(test_codec__foreign_types__are_refused),
        cmocka_unit_test(test_message__names__are_distinct_and_replies_follow_requests),
        cmocka_unit_test(test_message__zeroed_or_released_twice__is_fine),
        cmocka_unit_test(test_codec__text__is_cut_and_made_printable),
        cmocka_unit_test(test_codec__empty_text__is_none),
        cmocka_unit_test(test_codec__memory_is_short__is_reported_at_each_allocation),
        cmocka_unit_test(test_codec_encode__memory_is_short__fails_the_buffer),
    };

    return cmocka_run_group_tests_name("codec", tests, seed, NULL);
}
