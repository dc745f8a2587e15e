/*
 * base64.h - bytes as text.
 *
 * Source:   RFC 4648, sections 4 (base64, padded) and 5 (the alphabet for names, here without
 *           padding).
 */
#ifndef NODE_CLIENT_BASE64_H
#define NODE_CLIENT_BASE64_H

#include "ring/bytes.h"

/* Append `bytes` as text; buffer->failed when memory is short. */
void base64_encode(struct slice bytes, struct buffer *ret_text);
void base64_name_encode(struct slice bytes, struct buffer *ret_text);

/* Appends the bytes that `text` is the name encoding of. False, with the buffer as it was, for
 * foreign characters, an impossible length, or bits that encode nothing: each byte string has
 * one text only. False also when memory is short (buffer->failed). */
bool base64_name_decode(struct slice text, struct buffer *ret_bytes);

#endif
