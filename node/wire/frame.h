/*
 * frame.h - cutting a byte stream into messages.
 *
 * A frame is 8 bytes of header and the payload: 'D' 'y' 'n', protocol version (1 byte), payload
 * length (4 bytes, big-endian, 1 to FRAME_SIZE_MAX).
 */
#ifndef NODE_WIRE_FRAME_H
#define NODE_WIRE_FRAME_H

#include "node/wire/message.h"

enum {
    FRAME_HEADER_SIZE = 8,
    /* Room for an object at its sibling limit on every replica of a split cluster, merged. */
    FRAME_SIZE_MAX = 64 << 20,
    /* A put of the largest value and user attributes under the longest key, with a context and
     * siblings to spare: clients send nothing longer. */
    FRAME_SIZE_MAX_CLIENT = VALUE_SIZE_MAX + (1 << 20),
    /* Before HELLO was accepted nothing long is believed. */
    FRAME_SIZE_MAX_GREETING = 64 << 10,
};

/* Appends the message as a whole frame: encodes it and fills in the header. STATUS_TOO_LARGE or
 * STATUS_NO_MEMORY leave the buffer as it was. */
MUST_CHECK enum status frame_append(const struct message *message, struct buffer *buffer);

/*
 * Splits input that arrives in pieces. Zeroed is ready (with size_max set).
 * `size_max` is FRAME_SIZE_MAX_GREETING until the owner raises it.
 */
struct frame_splitter {
    struct buffer input; /* bytes not yet taken */
    size_t taken;        /* bytes at the head of input that were handed out */
    uint32_t size_max;
};

/*
 * Room for at least `size_min` bytes to receive into; call frame_splitter_received with how
 * many arrived. NULL when memory is short. ret_size may exceed size_min.
 */
uint8_t *frame_splitter_space(struct frame_splitter *splitter, size_t size_min,
                              size_t *ret_size);
void frame_splitter_received(struct frame_splitter *splitter, size_t size);

/*
 * The next whole payload: STATUS_OK with ret_payload (borrowed until the next call of
 * frame_splitter_space), STATUS_NOT_FOUND when more bytes are needed, STATUS_BAD_MESSAGE for a
 * bad magic or length, STATUS_BAD_VERSION for another protocol version. After an error the
 * stream is unusable.
 */
MUST_CHECK enum status frame_splitter_next(struct frame_splitter *splitter,
                                           struct slice *ret_payload);
/* How many more bytes complete the frame at hand, at least 1: what a blocking reader may wait
 * for. */
size_t frame_splitter_wanted(const struct frame_splitter *splitter);
/* The size of the frame at hand as its header tells it, header included, with what has arrived
 * behind it; 0 if none has begun. */
size_t frame_splitter_begun(const struct frame_splitter *splitter);
/* Gives memory back that a long frame took, once all input is handed out. */
void frame_splitter_trim(struct frame_splitter *splitter);
void frame_splitter_release(struct frame_splitter *splitter);

#endif
