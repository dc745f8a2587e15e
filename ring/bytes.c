/*
 * bytes.c - slices, counted blobs, and the growing buffer.
 */
#include "ring/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_CAPACITY_FIRST = 64 };

struct slice slice_of(const void *data, size_t size)
{
    assert(data || size == 0);

    return (struct slice){.data = data, .size = size};
}

struct slice slice_of_string(const char *text)
{
    assert(text);

    return (struct slice){.data = (const uint8_t *)text, .size = strlen(text)};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool slice_has_prefix(struct slice whole, struct slice prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

struct blob *blob_new_uninitialised(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct blob)) {
        return NULL;
    }
    struct blob *blob = malloc(sizeof(struct blob) + size);
    if (!blob) {
        return NULL;
    }
    atomic_init(&blob->references, 1);
    blob->size = size;
    return blob;
}

struct blob *blob_new(struct slice bytes)
{
    assert(bytes.data || bytes.size == 0);

    struct blob *blob = blob_new_uninitialised(bytes.size);
    if (blob && bytes.size > 0) {
        memcpy(blob->data, bytes.data, bytes.size);
    }
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob) {
        uint_fast32_t before =
            atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
        assert(before > 0);
    }
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (!blob) {
        return;
    }
    uint_fast32_t before =
        atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        free(blob);
    }
}

struct slice blob_slice(const struct blob *blob)
{
    if (!blob) {
        return (struct slice){0};
    }
    return (struct slice){.data = blob->data, .size = blob->size};
}

/* Makes room for `size` more bytes behind the present ones. */
static bool buffer_grow(struct buffer *buffer, size_t size)
{
    if (size > SIZE_MAX / 2 || buffer->size > SIZE_MAX / 2 - size) {
        return false;
    }
    size_t wanted = buffer->size + size;
    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_FIRST ? BUFFER_CAPACITY_FIRST : buffer->capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) {
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    assert(buffer);
    assert(buffer->size <= buffer->capacity);

    if (buffer->failed) {
        return NULL;
    }
    bool fits = buffer->data && size <= buffer->capacity - buffer->size;
    if (!fits && !buffer_grow(buffer, size)) {
        buffer->failed = true;
        return NULL;
    }
    uint8_t *place = buffer->data + buffer->size;
    buffer->size += size;
    return place;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    assert(data || size == 0);

    uint8_t *place = buffer_reserve(buffer, size);
    if (place && size > 0) {
        memcpy(place, data, size);
    }
}

void buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    uint8_t *place = buffer_reserve(buffer, 1);
    if (place) {
        *place = byte;
    }
}

void buffer_reset(struct buffer *buffer)
{
    assert(buffer);

    buffer->size = 0;
    buffer->failed = false;
}

void buffer_release(struct buffer *buffer)
{
    if (!buffer) {
        return;
    }
    free(buffer->data);
    *buffer = (struct buffer){0};
}

struct slice buffer_slice(const struct buffer *buffer)
{
    assert(buffer);

    return (struct slice){.data = buffer->data, .size = buffer->size};
}
