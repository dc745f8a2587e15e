/*
 * test_frame.c - the rules of frame.h:
 *   1. frames come out as they went in, in whatever pieces the bytes arrive
 *   2. a length over the limit, a foreign magic or version is refused as soon as it can be
 *      told, before anything is waited for or allocated
 *   3. `wanted` never reaches beyond the frame at hand
 *   4. a frame that cannot be made leaves the buffer as it was
 *   5. memory for one long frame is given back
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "node/wire/frame.h"
#include "tests/wire/allocate.h"
#include "tests/wire/sample.h"

enum { STREAM_FRAMES = 60 };

static struct sample sample;

static int seed(void **state)
{
    (void)state;
    sample = sample_seeded();
    return 0;
}

/* Many frames in one buffer; where each ends. */
struct stream {
    struct buffer bytes;
    size_t end[STREAM_FRAMES];
};

static struct stream stream_new(void)
{
    struct stream stream = {0};

    for (unsigned i = 0; i < STREAM_FRAMES; i++) {
        enum message_type type = sample_types[sample_below(&sample, SAMPLE_TYPES)];
        struct message message;

        sample_message(&sample, type, &message);
        assert_int_equal(frame_append(&message, &stream.bytes), STATUS_OK);
        stream.end[i] = stream.bytes.size;
        message_release(&message);
    }
    return stream;
}

static void feed(struct frame_splitter *splitter, struct slice bytes)
{
    size_t size = 0;
    uint8_t *space = frame_splitter_space(splitter, bytes.size, &size);

    assert_non_null(space);
    assert_true(size >= bytes.size);
    memcpy(space, bytes.data, bytes.size);
    frame_splitter_received(splitter, bytes.size);
}

/* Takes all whole frames and compares them with the stream. Returns how many there are by now.
 */
static unsigned drain(struct frame_splitter *splitter, const struct stream *stream,
                      unsigned done)
{
    struct slice payload;

    while (frame_splitter_next(splitter, &payload) == STATUS_OK) {
        size_t start = done == 0 ? 0 : stream->end[done - 1];
        struct slice expected = slice_of(stream->bytes.data + start + FRAME_HEADER_SIZE,
                                         stream->end[done] - start - FRAME_HEADER_SIZE);

        assert_true(slice_equal(payload, expected));
        done++;
    }
    assert_int_equal(frame_splitter_next(splitter, &payload), STATUS_NOT_FOUND);
    return done;
}

static unsigned frames_within(const struct stream *stream, size_t size)
{
    unsigned count = 0;

    while (count < STREAM_FRAMES && stream->end[count] <= size) {
        count++;
    }
    return count;
}

/* Pieces of 1 to piece_max bytes; each frame comes out as soon as its last byte is there. */
static void check_pieces(size_t piece_max)
{
    struct stream stream = stream_new();
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
    unsigned done = 0;

    for (size_t at = 0; at < stream.bytes.size;) {
        size_t size = 1 + sample_below(&sample, piece_max);

        size = size < stream.bytes.size - at ? size : stream.bytes.size - at;
        feed(&splitter, slice_of(stream.bytes.data + at, size));
        at += size;
        done = drain(&splitter, &stream, done);
        assert_int_equal(done, frames_within(&stream, at));
    }
    assert_int_equal(done, STREAM_FRAMES);
    frame_splitter_release(&splitter);
    buffer_release(&stream.bytes);
}

static void test_frame_splitter__bytes_one_by_one__gives_each_frame(void **state)
{
    (void)state;
    check_pieces(1);
}

static void test_frame_splitter__random_pieces__gives_each_frame(void **state)
{
    (void)state;
    for (size_t piece_max = 2; piece_max < 100000; piece_max *= 3) {
        check_pieces(piece_max);
    }
}

/* Reading just what is wanted meets every border between frames. */
static void test_frame_splitter__reading_what_is_wanted__stops_at_each_frame(void **state)
{
    struct stream stream = stream_new();
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
    size_t at = 0;

    (void)state;
    for (unsigned done = 0; done < STREAM_FRAMES; done++) {
        while (at < stream.end[done]) {
            size_t size = frame_splitter_wanted(&splitter);

            assert_in_range(size, 1, stream.end[done] - at);
            feed(&splitter, slice_of(stream.bytes.data + at, size));
            at += size;
        }
        assert_int_equal(frame_splitter_wanted(&splitter), 1); /* it is whole */
        assert_int_equal(drain(&splitter, &stream, done), done + 1);
        assert_int_equal(frame_splitter_wanted(&splitter), FRAME_HEADER_SIZE);
    }
    frame_splitter_release(&splitter);
    buffer_release(&stream.bytes);
}

/* Frames are left in the splitter, as by an owner that has no room for them yet. */
static void test_frame_splitter__taken_one_at_a_time__keeps_the_rest(void **state)
{
    struct stream stream = stream_new();
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
    struct slice payload;

    (void)state;
    for (unsigned i = 0; i < STREAM_FRAMES; i++) {
        size_t start = i == 0 ? 0 : stream.end[i - 1];

        feed(&splitter, slice_of(stream.bytes.data + start, stream.end[i] - start));
        if (i % 3 != 0) {
            assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_OK);
        }
    }
    assert_int_equal(drain(&splitter, &stream, STREAM_FRAMES - STREAM_FRAMES / 3),
                     STREAM_FRAMES);
    frame_splitter_release(&splitter);
    buffer_release(&stream.bytes);
}

/* What a splitter says after each byte of a header that claims `length`. */
static void check_header(uint32_t size_max, uint32_t length, enum status expected)
{
    const uint8_t header[FRAME_HEADER_SIZE] = {'D',
                                               'y',
                                               'n',
                                               PROTOCOL_VERSION,
                                               (uint8_t)(length >> 24),
                                               (uint8_t)(length >> 16),
                                               (uint8_t)(length >> 8),
                                               (uint8_t)length};
    struct frame_splitter splitter = {.size_max = size_max};
    struct slice payload;

    for (size_t i = 0; i < sizeof header; i++) {
        assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_NOT_FOUND);
        feed(&splitter, slice_of(&header[i], 1));
    }
    assert_int_equal(frame_splitter_next(&splitter, &payload), expected);
    /* Nothing was allocated for what the header claims. */
    assert_true(splitter.input.capacity < 4096);
    frame_splitter_release(&splitter);
}

static void test_frame_splitter__length_over_the_limit__is_refused_at_the_header(void **state)
{
    (void)state;
    check_header(FRAME_SIZE_MAX_GREETING, FRAME_SIZE_MAX_GREETING, STATUS_NOT_FOUND);
    check_header(FRAME_SIZE_MAX_GREETING, FRAME_SIZE_MAX_GREETING + 1, STATUS_BAD_MESSAGE);
    check_header(FRAME_SIZE_MAX, FRAME_SIZE_MAX, STATUS_NOT_FOUND);
    check_header(FRAME_SIZE_MAX, FRAME_SIZE_MAX + 1, STATUS_BAD_MESSAGE);
    check_header(FRAME_SIZE_MAX, UINT32_MAX, STATUS_BAD_MESSAGE);
    check_header(FRAME_SIZE_MAX, 0, STATUS_BAD_MESSAGE);
    check_header(FRAME_SIZE_MAX, 1, STATUS_NOT_FOUND);
}

/* A greeting and the first long frame may come in one piece: the limit holds when the frame is
 * asked for. */
static void test_frame_splitter__limit_raised_between_frames__lets_a_long_one_pass(void **state)
{
    struct message message = {.type = MESSAGE_STATUS};
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX_GREETING};
    struct buffer bytes = {0};
    struct slice payload;
    struct object *object;
    struct dot pair = {.actor = {.node = 1}, .counter = 1};
    struct clock clock = {.count = 1, .pair = &pair};
    struct version version = {.dot = pair};

    (void)state;
    assert_int_equal(frame_append(&message, &bytes), STATUS_OK);
    version.attributes.type = VERSION_FILE;
    version.attributes.size = FRAME_SIZE_MAX_GREETING;
    version.content = sample_bytes(&sample, FRAME_SIZE_MAX_GREETING);
    assert_int_equal(object_new(&clock, &version, 1, (struct actor){0}, &object), STATUS_OK);
    blob_unref(version.content);
    message = (struct message){.type = MESSAGE_GET_REPLY, .get_reply.object = object};
    assert_int_equal(frame_append(&message, &bytes), STATUS_OK);
    message_release(&message);
    feed(&splitter, buffer_slice(&bytes));

    assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_OK);
    assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_BAD_MESSAGE);
    splitter.size_max = FRAME_SIZE_MAX;
    assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_OK);
    assert_true(payload.size > FRAME_SIZE_MAX_GREETING);

    /* Its memory is given back once it was read. */
    assert_true(splitter.input.size == splitter.taken);
    buffer_release(&bytes);
    frame_splitter_release(&splitter);
}

static void test_frame_splitter__after_a_long_frame__gives_its_memory_back(void **state)
{
    const uint8_t header[FRAME_HEADER_SIZE] = {'D', 'y', 'n', 4, 0, 0x40, 0, 0};
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
    struct blob *body = sample_bytes(&sample, 0x400000);
    struct slice payload;
    size_t size;

    (void)state;
    feed(&splitter, slice_of(header, sizeof header));
    feed(&splitter, blob_slice(body));
    assert_int_equal(frame_splitter_next(&splitter, &payload), STATUS_OK);
    assert_true(slice_equal(payload, blob_slice(body)));
    assert_true(splitter.input.capacity >= body->size);

    assert_non_null(frame_splitter_space(&splitter, 4096, &size));
    assert_true(splitter.input.capacity < 65536);
    blob_unref(body);
    frame_splitter_release(&splitter);
}

static void test_frame_splitter__foreign_streams__are_refused_at_the_first_byte(void **state)
{
    static const struct {
        const char *bytes;
        enum status expected;
    } cases[] = {
        {"G", STATUS_BAD_MESSAGE},           {"DG", STATUS_BAD_MESSAGE},
        {"Dyx", STATUS_BAD_MESSAGE},         {"Dyn\001", STATUS_BAD_VERSION},
        {"Dyn\377....", STATUS_BAD_VERSION}, {"Dyn\004", STATUS_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
        struct slice payload;

        feed(&splitter, slice_of_string(cases[i].bytes));
        assert_int_equal(frame_splitter_next(&splitter, &payload), cases[i].expected);
        frame_splitter_release(&splitter);
    }
}

static void test_frame_splitter__memory_is_short__can_go_on_later(void **state)
{
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX};
    struct stream stream = stream_new();
    size_t half = stream.bytes.size / 2;
    size_t size = 0;
    uint8_t *space;

    (void)state;
    feed(&splitter, slice_of(stream.bytes.data, half));
    allocate_fail_after(0);
    space = frame_splitter_space(&splitter, 1 << 20, &size);
    assert_true(allocate_did_fail());
    allocate_never_fail();
    assert_null(space);

    feed(&splitter, slice_of(stream.bytes.data + half, stream.bytes.size - half));
    assert_int_equal(drain(&splitter, &stream, 0), STREAM_FRAMES);
    frame_splitter_release(&splitter);
    buffer_release(&stream.bytes);
}

static void test_frame_append__a_frame__has_the_documented_header(void **state)
{
    struct message message = {.type = MESSAGE_STATUS, .request_id = 5};
    struct buffer bytes = {0};
    const uint8_t expected[] = {'D', 'y', 'n', 4, 0, 0, 0, 4, 0x93, 16, 5, 0};

    (void)state;
    assert_int_equal(frame_append(&message, &bytes), STATUS_OK);
    assert_int_equal(bytes.size, sizeof expected);
    assert_memory_equal(bytes.data, expected, sizeof expected);
    buffer_release(&bytes);
}

static void test_frame_append__memory_is_short__leaves_the_buffer_as_it_was(void **state)
{
    struct buffer bytes = {0};
    struct message message;
    unsigned failures = 0;

    (void)state;
    sample_message(&sample, MESSAGE_STATUS_REPLY, &message);
    buffer_append(&bytes, "before", 6);
    for (enum status status = STATUS_NO_MEMORY; status != STATUS_OK;) {
        allocate_fail_after(0);
        status = frame_append(&message, &bytes);
        if (!allocate_did_fail()) {
            allocate_never_fail();
            assert_int_equal(status, STATUS_OK);
            continue;
        }
        allocate_never_fail();
        failures++;
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(bytes.size, 6);
        assert_false(bytes.failed);
        assert_memory_equal(bytes.data, "before", 6);
        assert_non_null(buffer_reserve(&bytes, bytes.capacity)); /* room for the next try */
        bytes.size = 6;
    }
    assert_true(failures > 0);
    buffer_release(&bytes);
    message_release(&message);
}

/* 65 versions of the greatest size, whose content is one blob many times. */
static struct object *object_over_the_limit(void)
{
    enum { COUNT = 65 };
    struct dot pairs[COUNT];
    struct version versions[COUNT] = {0};
    struct clock clock = {.count = COUNT, .pair = pairs};
    struct blob *content = sample_bytes(&sample, VALUE_SIZE_MAX);
    struct object *object = NULL;

    for (uint32_t i = 0; i < COUNT; i++) {
        pairs[i] = (struct dot){.actor = {.node = i + 1}, .counter = i + 1};
        versions[i].dot = pairs[i];
        versions[i].attributes.type = VERSION_FILE;
        versions[i].attributes.size = VALUE_SIZE_MAX;
        versions[i].content = content;
    }
    assert_int_equal(object_new(&clock, versions, COUNT, (struct actor){0}, &object),
                     STATUS_OK);
    blob_unref(content);
    return object;
}

static void test_frame_append__over_the_limit__leaves_the_buffer_as_it_was(void **state)
{
    struct message message = {.type = MESSAGE_GET_REPLY};
    struct buffer bytes = {0};

    (void)state;
    buffer_append(&bytes, "before", 6);
    message.get_reply.object = object_over_the_limit();

    assert_int_equal(frame_append(&message, &bytes), STATUS_TOO_LARGE);
    assert_int_equal(bytes.size, 6);
    assert_false(bytes.failed);
    assert_memory_equal(bytes.data, "before", 6);
    message_release(&message);
    buffer_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_splitter__bytes_one_by_one__gives_each_frame),
        cmocka_unit_test(test_frame_splitter__random_pieces__gives_each_frame),
        cmocka_unit_test(test_frame_splitter__reading_what_is_wanted__stops_at_each_frame),
        cmocka_unit_test(test_frame_splitter__taken_one_at_a_time__keeps_the_rest),
        cmocka_unit_test(test_frame_splitter__length_over_the_limit__is_refused_at_the_header),
        cmocka_unit_test(
            test_frame_splitter__limit_raised_between_frames__lets_a_long_one_pass),
        cmocka_unit_test(test_frame_splitter__after_a_long_frame__gives_its_memory_back),
        cmocka_unit_test(test_frame_splitter__foreign_streams__are_refused_at_the_first_byte),
        cmocka_unit_test(test_frame_splitter__memory_is_short__can_go_on_later),
        cmocka_unit_test(test_frame_append__a_frame__has_the_documented_header),
        cmocka_unit_test(test_frame_append__memory_is_short__leaves_the_buffer_as_it_was),
        cmocka_unit_test(test_frame_append__over_the_limit__leaves_the_buffer_as_it_was),
    };

    return cmocka_run_group_tests_name("frame", tests, seed, NULL);
}
