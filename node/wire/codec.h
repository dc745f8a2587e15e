/*
 * codec.h - messages to msgpack bytes and back. The only file of wire/ besides record.c that
 * includes msgpack.
 *
 * Never: a byte is believed before its kind, length and limit are checked; nesting and element
 *        counts are bounded before msgpack-c may allocate for them.
 */
#ifndef NODE_WIRE_CODEC_H
#define NODE_WIRE_CODEC_H

#include "node/wire/message.h"

/* Appends the message's payload bytes (without frame header). buffer->failed when memory is
 * short. */
void codec_encode(const struct message *message, struct buffer *buffer);

/* Reads exactly `bytes` as one message. STATUS_BAD_MESSAGE, STATUS_NO_MEMORY. ret is untouched
 * on failure. */
MUST_CHECK enum status codec_decode(struct slice bytes, struct message *ret_message);

#endif
