/*
 * reader.h - taking checked fields out of msgpack bytes.
 *
 * Shape:    a tree is opened over borrowed bytes; readers go through its arrays. The first
 *           failure sticks: what is read after it is zero, so that a decoder checks once.
 * Memory:   a tree borrows the bytes and owns the rest; slices lie inside the bytes.
 * Never:    a value that is used before its kind, size and range are checked.
 */
#ifndef NODE_WIRE_READER_H
#define NODE_WIRE_READER_H

#include <msgpack.h>

#include "ring/object.h"

struct tree {
    msgpack_zone zone;
    msgpack_object root;
};

/* STATUS_BAD_MESSAGE if bounds.h refuses the bytes, or STATUS_NO_MEMORY: then nothing is to be
 * closed. */
MUST_CHECK enum status tree_open(struct slice bytes, struct tree *ret_tree);
void tree_close(struct tree *tree);

/* A place in an array. */
struct reader {
    const msgpack_object *next;
    uint32_t left;
    enum status *status; /* shared with the readers of all arrays around it */
};

/* Over the root, which must be an array of at least one element. `status` is STATUS_OK. */
struct reader reader_over(const struct tree *tree, enum status *status);
/* Keeps the first failure. */
void reader_fail(struct reader *reader, enum status status);
/* Fails with STATUS_BAD_MESSAGE unless `condition`. */
void reader_require(struct reader *reader, bool condition);
bool reader_failed(const struct reader *reader);
/* Fails unless exactly `count` elements are left. */
void reader_expect(struct reader *reader, uint32_t count);

/* Takes a nil if one is next. */
bool reader_skip_nil(struct reader *reader);
bool reader_bool(struct reader *reader);
/* An integer in [min, max]. */
uint64_t reader_uint(struct reader *reader, uint64_t min, uint64_t max);
int64_t reader_int(struct reader *reader);
/* A byte string of min to max bytes; inside the tree's bytes. */
struct slice reader_bytes(struct reader *reader, size_t min, size_t max);
/* A byte string of exactly `size` bytes. */
void reader_copy(struct reader *reader, uint8_t *ret_bytes, size_t size);
/* The same in a new blob, which the caller owns; NULL after a failure. */
struct blob *reader_blob(struct reader *reader, size_t min, size_t max);
/* A string, as opposed to bytes, of min to max bytes. */
struct slice reader_string(struct reader *reader, size_t min, size_t max);
/* HOST:PORT in printable bytes; the empty string too if `may_be_empty`. */
void reader_address(struct reader *reader, bool may_be_empty, char ret_address[ADDRESS_SIZE]);
/* An array of min to max elements; its length is ret.left, 0 after a failure. */
struct reader reader_array(struct reader *reader, uint32_t min, uint32_t max);
/* [node, birth, counter] */
struct dot reader_dot(struct reader *reader);
/* As many elements as writer_attributes writes. */
void reader_attributes(struct reader *reader, struct attributes *ret_attributes);

#endif
