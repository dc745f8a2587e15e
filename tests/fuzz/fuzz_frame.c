/*
 * fuzz_frame.c - any bytes as a stream: split into the same frames in whatever pieces they
 * arrive. The first byte of the input chooses the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/codec.h"
#include "node/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What became of a stream. */
struct outcome {
    size_t frames;
    size_t bytes; /* of all payloads */
    uint32_t sum; /* of their bytes, by place */
    enum status status;
};

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void note(struct outcome *outcome, struct slice payload)
{
    struct message message;

    outcome->frames++;
    outcome->bytes += payload.size;
    for (size_t i = 0; i < payload.size; i++) {
        outcome->sum = outcome->sum * 31 + payload.data[i];
    }
    if (codec_decode(payload, &message) == STATUS_OK) {
        message_release(&message);
    }
}

static void feed(struct frame_splitter *splitter, struct slice bytes)
{
    size_t room = 0;
    uint8_t *space = frame_splitter_space(splitter, bytes.size, &room);

    check(space && room >= bytes.size);
    memcpy(space, bytes.data, bytes.size);
    frame_splitter_received(splitter, bytes.size);
}

/* Pieces of 1 to piece_max bytes; 0 for all in one. */
static struct outcome split(struct slice stream, size_t piece_max)
{
    struct frame_splitter splitter = {.size_max = FRAME_SIZE_MAX_GREETING};
    struct outcome outcome = {.status = STATUS_NOT_FOUND};
    struct slice payload;

    for (size_t at = 0; at < stream.size && outcome.status == STATUS_NOT_FOUND;) {
        size_t piece = piece_max == 0 ? stream.size : 1 + (at * 7 + 3) % piece_max;

        piece = piece < stream.size - at ? piece : stream.size - at;
        feed(&splitter, slice_of(stream.data + at, piece));
        at += piece;
        while ((outcome.status = frame_splitter_next(&splitter, &payload)) == STATUS_OK) {
            note(&outcome, payload);
        }
        check(frame_splitter_wanted(&splitter) >= 1);
    }
    frame_splitter_release(&splitter);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole;
    struct outcome pieces;
    struct slice stream;

    if (size == 0) {
        return 0;
    }
    stream = slice_of(data + 1, size - 1);
    whole = split(stream, 0);
    pieces = split(stream, 1 + (size_t)data[0]);
    check(whole.status == pieces.status);
    check(whole.frames == pieces.frames && whole.bytes == pieces.bytes);
    check(whole.sum == pieces.sum);
    return 0;
}
