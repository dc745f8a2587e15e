/*
 * writer.h - putting fields into a buffer as msgpack, each in its shortest form.
 *
 * Shape:    the counterpart of reader.h. A failed append is told by buffer->failed.
 */
#ifndef NODE_WIRE_WRITER_H
#define NODE_WIRE_WRITER_H

#include <msgpack.h>

#include "ring/object.h"

struct writer {
    msgpack_packer packer;
    struct buffer *buffer; /* borrowed */
};

struct writer writer_over(struct buffer *buffer);
void writer_nil(struct writer *writer);
void writer_bool(struct writer *writer, bool value);
void writer_uint(struct writer *writer, uint64_t value);
void writer_int(struct writer *writer, int64_t value);
void writer_bytes(struct writer *writer, struct slice bytes);
/* nil for NULL */
void writer_blob(struct writer *writer, const struct blob *blob);
void writer_string(struct writer *writer, struct slice text);
void writer_array(struct writer *writer, size_t count);
void writer_dot(struct writer *writer, struct dot dot);

enum { ATTRIBUTES_FIELDS = 13 };
/* ATTRIBUTES_FIELDS elements of the array around them. */
void writer_attributes(struct writer *writer, const struct attributes *attributes);

/* A byte string whose bytes are appended to the buffer between the two calls; `begin` is what
 * the first returned. */
size_t writer_bytes_begin(struct writer *writer);
void writer_bytes_end(struct writer *writer, size_t begin);

#endif
