/*
 * layout.c - the keys of the store.
 */
#include "node/store/layout.h"

#include <assert.h>

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
    append_partition(buffer, partition_count, key);
    buffer_append_slice(buffer, key);
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
