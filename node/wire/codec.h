/*
 * codec.h - messages to msgpack bytes and back.
 *
 * Shape:    one array a message: [type, request_id, ring_epoch, fields...] for a request,
 *           [type, request_id, ring_epoch, status, text, fields...] for a reply. See
 *           docs/protocol.md.
 * Never:    a byte is believed before its kind, length and limit are checked; nesting and
 *           element counts are bounded (bounds.h) before msgpack-c may allocate for them; a
 *           message has two encodings.
 */
#ifndef NODE_WIRE_CODEC_H
#define NODE_WIRE_CODEC_H

#include "node/wire/message.h"

/*
 * Appends the message's payload bytes (without frame header). buffer->failed when memory is
 * short. The message keeps the limits of message.h; only its text is cut to TEXT_SIZE_MAX, and
 * control bytes in it become '?', for it may quote anything.
 */
void codec_encode(const struct message *message, struct buffer *buffer);

/* Reads exactly `bytes` as one message. STATUS_BAD_MESSAGE, STATUS_NO_MEMORY. ret is untouched
 * on failure. */
MUST_CHECK enum status codec_decode(struct slice bytes, struct message *ret_message);

#endif
