/*
 * frame.c - see frame.h.
 */
#include "node/wire/frame.h"

#include <assert.h>
#include <string.h>

#include "node/wire/codec.h"

enum {
    /* Input that grew beyond this for one long frame gives its memory back once it is read. */
    INPUT_KEPT_MAX = 256 << 10,
};

static const uint8_t magic[] = {'D', 'y', 'n'};

static_assert(FRAME_HEADER_SIZE == sizeof magic + 1 + 4, "magic, version, length");

enum status frame_append(const struct message *message, struct buffer *buffer)
{
    static const uint8_t room[FRAME_HEADER_SIZE];
    size_t start = buffer->size;
    size_t payload_size;
    uint8_t *header;

    if (buffer->failed) {
        return STATUS_NO_MEMORY;
    }
    buffer_append(buffer, room, sizeof room);
    codec_encode(message, buffer);
    if (buffer->failed) {
        buffer->size = start;
        buffer->failed = false;
        return STATUS_NO_MEMORY;
    }
    payload_size = buffer->size - start - FRAME_HEADER_SIZE;
    assert(payload_size > 0);
    if (payload_size > FRAME_SIZE_MAX) {
        buffer->size = start;
        return STATUS_TOO_LARGE;
    }
    header = buffer->data + start;
    memcpy(header, magic, sizeof magic);
    header[3] = PROTOCOL_VERSION;
    for (size_t i = 0; i < 4; i++) {
        header[4 + i] = (uint8_t)(payload_size >> (24 - 8 * i));
    }
    return STATUS_OK;
}

/* Bytes that are not handed out yet. */
static struct slice rest(const struct frame_splitter *splitter)
{
    struct slice input = buffer_slice(&splitter->input);

    assert(splitter->taken <= input.size);
    return (struct slice){
        .data = !input.data ? NULL : input.data + splitter->taken,
        .size = input.size - splitter->taken,
    };
}

/* Payload length that a whole header tells. */
static uint32_t payload_length(struct slice header)
{
    assert(header.size >= FRAME_HEADER_SIZE);
    return (uint32_t)header.data[4] << 24 | (uint32_t)header.data[5] << 16 |
           (uint32_t)header.data[6] << 8 | header.data[7];
}

/* Moves what is not handed out to the front. Only when that at least halves the input, so that
 * each byte is moved a bounded number of times. */
static void drop_taken(struct frame_splitter *splitter)
{
    struct slice left = rest(splitter);

    if (left.size == 0 && splitter->input.capacity > INPUT_KEPT_MAX) {
        buffer_release(&splitter->input);
        splitter->taken = 0;
    } else if (splitter->taken > 0 && splitter->taken >= left.size) {
        memmove(splitter->input.data, left.data, left.size);
        splitter->input.size = left.size;
        splitter->taken = 0;
    }
}

uint8_t *frame_splitter_space(struct frame_splitter *splitter, size_t size_min,
                              size_t *ret_size)
{
    uint8_t *space;

    assert(size_min > 0);
    drop_taken(splitter);
    space = buffer_reserve(&splitter->input, size_min);
    if (!space) {
        splitter->input.failed = false;
        return NULL;
    }
    splitter->input.size -= size_min; /* they count once they are received */
    *ret_size = splitter->input.capacity - splitter->input.size;
    return space;
}

void frame_splitter_received(struct frame_splitter *splitter, size_t size)
{
    assert(size <= splitter->input.capacity - splitter->input.size);
    splitter->input.size += size;
}

/* What can be told of the header's bytes that are there. */
static enum status check_header(const struct frame_splitter *splitter, struct slice left)
{
    size_t size = left.size < sizeof magic ? left.size : sizeof magic;
    uint32_t length;

    if (size > 0 && memcmp(left.data, magic, size) != 0) {
        return STATUS_BAD_MESSAGE;
    }
    if (left.size > sizeof magic && left.data[sizeof magic] != PROTOCOL_VERSION) {
        return STATUS_BAD_VERSION;
    }
    if (left.size < FRAME_HEADER_SIZE) {
        return STATUS_NOT_FOUND;
    }
    length = payload_length(left);
    return length > 0 && length <= splitter->size_max ? STATUS_OK : STATUS_BAD_MESSAGE;
}

enum status frame_splitter_next(struct frame_splitter *splitter, struct slice *ret_payload)
{
    struct slice left = rest(splitter);
    enum status status;
    uint32_t length;

    assert(splitter->size_max > 0 && splitter->size_max <= FRAME_SIZE_MAX);
    status = check_header(splitter, left);
    if (status != STATUS_OK) {
        return status;
    }
    length = payload_length(left);
    if (left.size - FRAME_HEADER_SIZE < length) {
        return STATUS_NOT_FOUND;
    }
    *ret_payload = slice_of(left.data + FRAME_HEADER_SIZE, length);
    splitter->taken += FRAME_HEADER_SIZE + (size_t)length;
    return STATUS_OK;
}

size_t frame_splitter_wanted(const struct frame_splitter *splitter)
{
    struct slice left = rest(splitter);
    size_t whole = FRAME_HEADER_SIZE;

    if (left.size >= FRAME_HEADER_SIZE) {
        whole += payload_length(left);
    }
    return whole > left.size ? whole - left.size : 1;
}

size_t frame_splitter_begun(const struct frame_splitter *splitter)
{
    struct slice left = rest(splitter);
    size_t whole = FRAME_HEADER_SIZE;

    if (left.size == 0) {
        return 0;
    }
    if (left.size >= FRAME_HEADER_SIZE && check_header(splitter, left) == STATUS_OK) {
        whole += payload_length(left);
    }
    return whole > left.size ? whole : left.size;
}

void frame_splitter_trim(struct frame_splitter *splitter)
{
    if (rest(splitter).size == 0) {
        drop_taken(splitter);
    }
}

void frame_splitter_release(struct frame_splitter *splitter)
{
    buffer_release(&splitter->input);
    splitter->taken = 0;
}
