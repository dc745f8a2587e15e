/*
 * bytes.h - byte ranges: borrowed, shared, and growing.
 *
 * Threads:  a slice and a buffer belong to one thread; a blob is immutable once published and
 *           its count is atomic, so that references may be dropped on any thread.
 */
#ifndef RING_BYTES_H
#define RING_BYTES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/status.h"

/* A borrowed view; never owns. `data` may be NULL when `size` is 0. */
struct slice {
    const uint8_t *data;
    size_t size;
};

struct slice slice_of(const void *data, size_t size);
struct slice slice_of_string(const char *text);
bool slice_equal(struct slice a, struct slice b);
/* Bytewise order, a shorter prefix first: the order of the store. Negative, 0 or positive. */
int slice_compare(struct slice a, struct slice b);
bool slice_has_prefix(struct slice whole, struct slice prefix);

/* Immutable, counted bytes. */
struct blob {
    atomic_uint_fast32_t references;
    size_t size;
    uint8_t data[];
};

/* A new blob with one reference and a copy of `bytes`; NULL when memory is short. */
struct blob *blob_new(struct slice bytes);
/* A new blob of `size` bytes to be filled before it is shared; NULL when memory is short. */
struct blob *blob_new_uninitialised(size_t size);
/* One more reference; NULL gives NULL. Returns its argument. */
struct blob *blob_ref(struct blob *blob);
/* One reference less; the last one frees. NULL is allowed. */
void blob_unref(struct blob *blob);
/* The bytes, inside the blob; the empty slice for NULL. */
struct slice blob_slice(const struct blob *blob);

/*
 * A growing byte buffer. Zeroed is empty and valid. An append that fails sets `failed` and
 * leaves the bytes as they were, so that a sequence of appends is checked once at its end.
 */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_slice(struct buffer *buffer, struct slice bytes);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
/* Appends `size` bytes for the caller to fill in. Returns where they are, or NULL (and sets
 * failed). */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
/* Forgets the content, keeps the memory. */
void buffer_reset(struct buffer *buffer);
/* Frees the memory; the buffer is empty and usable again. */
void buffer_release(struct buffer *buffer);
struct slice buffer_slice(const struct buffer *buffer);

#endif
