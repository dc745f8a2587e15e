/*
 * layout.c - the keys of the store.
 */
#include "node/store/layout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { HINT_OWNER_SIZE = 8 };

static void append_partition(struct buffer *buffer, uint16_t partition_count,
                             struct slice placed)
{
    struct position position = position_of(placed);
    uint16_t partition = position_partition(&position, partition_count);

    buffer_append_byte(buffer, (uint8_t)(partition >> 8));
    buffer_append_byte(buffer, (uint8_t)(partition & 0xff));
}

void layout_object(struct buffer *buffer, uint16_t partition_count, struct slice key)
{
    assert(partition_count > 0);
    assert(key.size > 0);

    buffer_append_byte(buffer, 'o');
    append_partition(buffer, partition_count, key_placed_by(key));
    buffer_append_slice(buffer, key);
}

void layout_incarnation(struct buffer *buffer, node_id member)
{
    buffer_append_byte(buffer, LAYOUT_INCARNATION);
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        buffer_append_byte(buffer, (uint8_t)(member >> (shift - 8)));
    }
}

void layout_rows(struct buffer *buffer, uint16_t partition_count, struct slice directory)
{
    assert(partition_count > 0);
    assert(key_is_directory(directory));

    buffer_append_byte(buffer, 'r');
    append_partition(buffer, partition_count, directory);
    buffer_append_slice(buffer, directory);
    buffer_append_byte(buffer, 0);
}

void layout_row_of(struct buffer *buffer, uint16_t partition_count, struct slice key)
{
    assert(!key_is_root(key));

    layout_rows(buffer, partition_count, key_directory(key));
    buffer_append_slice(buffer, key_name(key));
    buffer_append_byte(buffer, 0);
    buffer_append_byte(buffer, (uint8_t)key_row_kind(key));
}

bool layout_parse_row(struct slice row_key, size_t prefix_size, struct slice *ret_name,
                      enum row_kind *ret_kind)
{
    enum { TAIL_SIZE = 2 }; /* 00 KIND */

    if (row_key.size < prefix_size + 1 + TAIL_SIZE) {
        return false;
    }
    struct slice name =
        slice_of(row_key.data + prefix_size, row_key.size - prefix_size - TAIL_SIZE);
    uint8_t terminator = row_key.data[row_key.size - TAIL_SIZE];
    uint8_t kind = row_key.data[row_key.size - 1];

    if (terminator != 0 || !key_name_is_valid(name)) {
        return false;
    }
    if (kind != ROW_DIRECTORY && kind != ROW_FILE) {
        return false;
    }
    *ret_name = name;
    *ret_kind = kind == ROW_DIRECTORY ? ROW_DIRECTORY : ROW_FILE;
    return true;
}

void layout_names(struct buffer *buffer, uint16_t partition_count, struct slice directory)
{
    assert(partition_count > 0);
    assert(key_is_directory(directory));

    buffer_append_byte(buffer, 'n');
    append_partition(buffer, partition_count, directory);
    buffer_append_slice(buffer, directory);
}

void layout_intent(struct buffer *buffer, char kind, struct slice key)
{
    assert(kind == 'i' || kind == 'v');

    buffer_append_byte(buffer, (uint8_t)kind);
    buffer_append_slice(buffer, key);
}

void layout_setting(struct buffer *buffer, const char *name)
{
    assert(name[0] != '\0');

    buffer_append_byte(buffer, 'm');
    buffer_append_slice(buffer, slice_of_string(name));
}

void layout_partition(struct buffer *buffer, enum merkle_part part, uint16_t partition)
{
    assert(part == MERKLE_OBJECT || part == MERKLE_ROW);

    buffer_append_byte(buffer, part == MERKLE_OBJECT ? 'o' : 'r');
    buffer_append_byte(buffer, (uint8_t)(partition >> 8));
    buffer_append_byte(buffer, (uint8_t)(partition & 0xff));
}

/* Appends the key of the object that `row_key`, the key of a row, is the row of. */
static bool append_object_key(struct buffer *buffer, struct slice row_key, size_t head_size)
{
    enum row_kind kind = ROW_FILE;
    struct slice name;
    const uint8_t *end = memchr(row_key.data + head_size, 0, row_key.size - head_size);

    if (!end) {
        return false;
    }
    size_t prefix_size = (size_t)(end - row_key.data) + 1;
    struct slice directory = slice_of(row_key.data + head_size, prefix_size - 1 - head_size);
    if (!key_is_valid(directory) || !key_is_directory(directory) ||
        !layout_parse_row(row_key, prefix_size, &name, &kind)) {
        return false;
    }
    key_append_child(buffer, directory, name, kind);
    return true;
}

enum status layout_parse_entry(struct slice key, struct buffer *scratch,
                               struct layout_entry *ret_entry)
{
    enum { HEAD_SIZE = 3 }; /* o or r, PARTITION */

    if (key.size <= HEAD_SIZE || (key.data[0] != 'o' && key.data[0] != 'r')) {
        return STATUS_CORRUPT;
    }
    bool is_row = key.data[0] == 'r';
    buffer_reset(scratch);
    scratch->failed = false;
    if (!is_row) {
        buffer_append(scratch, key.data + HEAD_SIZE, key.size - HEAD_SIZE);
    } else if (!append_object_key(scratch, key, HEAD_SIZE)) {
        return STATUS_CORRUPT;
    }
    if (scratch->failed) {
        return STATUS_NO_MEMORY;
    }
    if (!key_is_valid(buffer_slice(scratch))) {
        return STATUS_CORRUPT;
    }
    ret_entry->part = is_row ? MERKLE_ROW : MERKLE_OBJECT;
    ret_entry->partition = (uint16_t)(key.data[1] << 8 | key.data[2]);
    ret_entry->object_key = buffer_slice(scratch);
    return STATUS_OK;
}

void layout_describe(struct slice key, const char *what, char ret_text[DAMAGE_TEXT_SIZE])
{
    struct buffer scratch = {0};
    struct layout_entry entry;
    char name[DAMAGE_TEXT_SIZE / 2];
    size_t size = 0;

    if (layout_parse_entry(key, &scratch, &entry) != STATUS_OK) {
        (void)snprintf(ret_text, DAMAGE_TEXT_SIZE, "a record with a key of %zu bytes: %s",
                       key.size, what);
        buffer_release(&scratch);
        return;
    }
    while (size < entry.object_key.size && size < sizeof name - 1) {
        uint8_t byte = entry.object_key.data[size];
        name[size++] = (char)(byte < ' ' || byte == 0x7f ? '?' : byte);
    }
    name[size] = '\0';
    (void)snprintf(ret_text, DAMAGE_TEXT_SIZE, "%s %s%s: %s",
                   entry.part == MERKLE_OBJECT ? "object" : "row", name,
                   size < entry.object_key.size ? "..." : "", what);
    buffer_release(&scratch);
}

void layout_leaf(uint16_t partition, uint16_t leaf, uint8_t ret_key[LEAF_KEY_SIZE])
{
    assert(leaf < MERKLE_LEAVES);

    ret_key[0] = 't';
    ret_key[1] = (uint8_t)(partition >> 8);
    ret_key[2] = (uint8_t)(partition & 0xff);
    ret_key[3] = (uint8_t)(leaf >> 8);
    ret_key[4] = (uint8_t)(leaf & 0xff);
}

bool layout_parse_leaf(struct slice key, uint16_t *ret_partition, uint16_t *ret_leaf)
{
    if (key.size != LEAF_KEY_SIZE || key.data[0] != 't') {
        return false;
    }
    *ret_partition = (uint16_t)(key.data[1] << 8 | key.data[2]);
    *ret_leaf = (uint16_t)(key.data[3] << 8 | key.data[4]);
    return *ret_leaf < MERKLE_LEAVES;
}

static void append_number(struct buffer *buffer, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8) {
        buffer_append_byte(buffer, (uint8_t)(number >> shift & 0xff));
    }
}

void layout_hint_owner(struct buffer *buffer, node_id owner)
{
    append_number(buffer, owner);
}

void layout_hint(struct buffer *buffer, node_id owner, char kind, struct slice key)
{
    assert(owner != 0);
    assert(kind == 'o' || kind == 'm');

    append_number(buffer, owner);
    buffer_append_byte(buffer, (uint8_t)kind);
    buffer_append_slice(buffer, key);
}

void layout_hint_ages(struct buffer *buffer, node_id owner)
{
    assert(owner != 0);

    append_number(buffer, owner);
    buffer_append_byte(buffer, HINT_AGE);
}

void layout_hint_age(struct buffer *buffer, node_id owner, uint64_t created_us, char kind,
                     struct slice key)
{
    layout_hint_ages(buffer, owner);
    append_number(buffer, created_us);
    buffer_append_byte(buffer, (uint8_t)kind);
    buffer_append_slice(buffer, key);
}

bool layout_parse_hint(struct slice hint_key, node_id *ret_owner, char *ret_kind,
                       struct slice *ret_rest)
{
    node_id owner = 0;

    if (hint_key.size < HINT_OWNER_SIZE + 2) {
        return false;
    }
    for (size_t i = 0; i < HINT_OWNER_SIZE; i++) {
        owner = owner << 8 | hint_key.data[i];
    }
    *ret_owner = owner;
    *ret_kind = (char)hint_key.data[HINT_OWNER_SIZE];
    *ret_rest =
        slice_of(hint_key.data + HINT_OWNER_SIZE + 1, hint_key.size - HINT_OWNER_SIZE - 1);
    return true;
}
