/*
 * reader.c - see reader.h.
 */
#include "node/wire/reader.h"

#include <assert.h>
#include <string.h>

#include "node/wire/bounds.h"

/* The last number of all stands for nobody: the kernel takes it for an overflow, and not even
 * root may touch such a file. */
static const uint32_t USER_MAX = UINT32_MAX - 1;

enum { PORT_DIGITS_MAX = 5, PORT_MAX = 65535, MODE_MAX = 07777 };

enum status tree_open(struct slice bytes, struct tree *ret_tree)
{
    struct tree tree;
    uint32_t count;
    msgpack_unpack_return result;

    if (!bounds_check(bytes, &count)) {
        return STATUS_BAD_MESSAGE;
    }
    /* One chunk that just fits: no second allocation, and none larger than the value needs. */
    if (!msgpack_zone_init(&tree.zone, count * sizeof(msgpack_object))) {
        return STATUS_NO_MEMORY;
    }
    result = msgpack_unpack((const char *)bytes.data, bytes.size, NULL, &tree.zone, &tree.root);
    if (result != MSGPACK_UNPACK_SUCCESS) {
        msgpack_zone_destroy(&tree.zone);
        return result == MSGPACK_UNPACK_NOMEM_ERROR ? STATUS_NO_MEMORY : STATUS_BAD_MESSAGE;
    }
    *ret_tree = tree;
    return STATUS_OK;
}

void tree_close(struct tree *tree)
{
    msgpack_zone_destroy(&tree->zone);
}

struct reader reader_over(const struct tree *tree, enum status *status)
{
    struct reader reader = {.status = status};

    assert(*status == STATUS_OK);
    if (tree->root.type != MSGPACK_OBJECT_ARRAY || tree->root.via.array.size == 0) {
        *status = STATUS_BAD_MESSAGE;
        return reader;
    }
    reader.next = tree->root.via.array.ptr;
    reader.left = tree->root.via.array.size;
    return reader;
}

void reader_fail(struct reader *reader, enum status status)
{
    assert(status != STATUS_OK);
    if (*reader->status == STATUS_OK) {
        *reader->status = status;
    }
    reader->left = 0;
}

void reader_require(struct reader *reader, bool condition)
{
    if (!condition) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
    }
}

bool reader_failed(const struct reader *reader)
{
    return *reader->status != STATUS_OK;
}

void reader_expect(struct reader *reader, uint32_t count)
{
    reader_require(reader, reader->left == count);
}

/* The next element if it is of `type`, or NULL after failing. */
static const msgpack_object *take(struct reader *reader, msgpack_object_type type)
{
    if (reader->left == 0 || *reader->status != STATUS_OK || reader->next->type != type) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return NULL;
    }
    reader->left--;
    return reader->next++;
}

bool reader_skip_nil(struct reader *reader)
{
    if (reader->left == 0 || reader->next->type != MSGPACK_OBJECT_NIL) {
        return false;
    }
    return take(reader, MSGPACK_OBJECT_NIL);
}

bool reader_bool(struct reader *reader)
{
    const msgpack_object *element = take(reader, MSGPACK_OBJECT_BOOLEAN);

    return element && element->via.boolean;
}

uint64_t reader_uint(struct reader *reader, uint64_t min, uint64_t max)
{
    const msgpack_object *element = take(reader, MSGPACK_OBJECT_POSITIVE_INTEGER);

    if (!element) {
        return 0;
    }
    if (element->via.u64 < min || element->via.u64 > max) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return 0;
    }
    return element->via.u64;
}

int64_t reader_int(struct reader *reader)
{
    const msgpack_object *element;

    if (reader->left > 0 && reader->next->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        element = take(reader, MSGPACK_OBJECT_NEGATIVE_INTEGER);
        return element ? element->via.i64 : 0;
    }
    return (int64_t)reader_uint(reader, 0, INT64_MAX);
}

struct slice reader_bytes(struct reader *reader, size_t min, size_t max)
{
    const msgpack_object *element = take(reader, MSGPACK_OBJECT_BIN);

    if (!element) {
        return (struct slice){0};
    }
    if (element->via.bin.size < min || element->via.bin.size > max) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return (struct slice){0};
    }
    return slice_of(element->via.bin.ptr, element->via.bin.size);
}

void reader_copy(struct reader *reader, uint8_t *ret_bytes, size_t size)
{
    struct slice bytes = reader_bytes(reader, size, size);

    if (bytes.size == size && size > 0) {
        memcpy(ret_bytes, bytes.data, size);
    }
}

struct blob *reader_blob(struct reader *reader, size_t min, size_t max)
{
    struct slice bytes = reader_bytes(reader, min, max);
    struct blob *blob;

    if (reader_failed(reader)) {
        return NULL;
    }
    blob = blob_new(bytes);
    if (!blob) {
        reader_fail(reader, STATUS_NO_MEMORY);
    }
    return blob;
}

struct slice reader_string(struct reader *reader, size_t min, size_t max)
{
    const msgpack_object *element = take(reader, MSGPACK_OBJECT_STR);

    if (!element) {
        return (struct slice){0};
    }
    if (element->via.str.size < min || element->via.str.size > max) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return (struct slice){0};
    }
    return slice_of(element->via.str.ptr, element->via.str.size);
}

/* One to five digits, 1 to 65535, no leading zero: one spelling for each port. */
static bool is_port(const uint8_t *digits, size_t size)
{
    uint32_t port = 0;

    if (size == 0 || size > PORT_DIGITS_MAX || digits[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(digits[i] - '0');
    }
    return port <= PORT_MAX;
}

/* A host of at least one byte, a colon (the last one: hosts may hold colons), a port. */
static bool is_address(struct slice text)
{
    size_t colon = text.size;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
        if (text.data[i] == ':') {
            colon = i;
        }
    }
    return colon > 0 && colon < text.size &&
           is_port(text.data + colon + 1, text.size - colon - 1);
}

void reader_address(struct reader *reader, bool may_be_empty, char ret_address[ADDRESS_SIZE])
{
    struct slice text = reader_string(reader, may_be_empty ? 0 : 1, ADDRESS_SIZE - 1);

    if (text.size == 0) {
        return;
    }
    if (!is_address(text)) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return;
    }
    memcpy(ret_address, text.data, text.size);
    memset(ret_address + text.size, 0, ADDRESS_SIZE - text.size);
}

struct reader reader_array(struct reader *reader, uint32_t min, uint32_t max)
{
    const msgpack_object *element = take(reader, MSGPACK_OBJECT_ARRAY);
    struct reader inner = {.status = reader->status};

    if (!element) {
        return inner;
    }
    if (element->via.array.size < min || element->via.array.size > max) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return inner;
    }
    inner.next = element->via.array.ptr;
    inner.left = element->via.array.size;
    return inner;
}

struct dot reader_dot(struct reader *reader)
{
    struct reader fields = reader_array(reader, 3, 3);
    struct dot dot;

    dot.actor.node = reader_uint(&fields, 1, UINT64_MAX);
    dot.actor.birth = reader_uint(&fields, 0, UINT64_MAX);
    dot.counter = reader_uint(&fields, 1, UINT64_MAX);
    return dot;
}

void reader_attributes(struct reader *reader, struct attributes *ret_attributes)
{
    struct attributes *ret = ret_attributes;

    ret->type = (enum version_type)reader_uint(reader, VERSION_FILE, VERSION_BLOCK_DEVICE);
    ret->mode = (uint32_t)reader_uint(reader, 0, MODE_MAX);
    ret->user = (uint32_t)reader_uint(reader, 0, USER_MAX);
    ret->group = (uint32_t)reader_uint(reader, 0, USER_MAX);
    ret->accessed_ns = reader_int(reader);
    ret->modified_ns = reader_int(reader);
    ret->changed_ns = reader_int(reader);
    /* Sizes travel on to the kernel as signed numbers. */
    ret->size = reader_uint(reader, 0, INT64_MAX);
    ret->file_id = reader_uint(reader, 0, UINT64_MAX);
    ret->named_ns = reader_int(reader);
    ret->modified_set_ns = reader_int(reader);
    ret->mode_set_ns = reader_int(reader);
    ret->owner_set_ns = reader_int(reader);
}
