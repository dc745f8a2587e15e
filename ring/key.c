/*
 * key.c - the rules for keys, and the split into directory and name.
 */
#include "ring/key.h"

#include <assert.h>
#include <string.h>

bool key_name_is_valid(struct slice name)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX) {
        return false;
    }
    if (name.data[0] == '.' && (name.size == 1 || (name.size == 2 && name.data[1] == '.'))) {
        return false;
    }
    return !memchr(name.data, '/', name.size) && !memchr(name.data, '\0', name.size);
}

bool key_is_root(struct slice key)
{
    return key.size == 1 && key.data[0] == '/';
}

bool key_is_directory(struct slice key)
{
    return key.size > 0 && key.data[key.size - 1] == '/';
}

bool key_is_valid(struct slice key)
{
    if (key.size == 0 || key.size > KEY_SIZE_MAX) {
        return false;
    }
    if (key_is_root(key)) {
        return true;
    }
    size_t start = key_is_internal(key) ? 1 : 0;
    if (start == 1 && !memchr(key.data + 1, '/', key.size - 1)) {
        return false;
    }
    while (start < key.size) {
        const uint8_t *slash = memchr(key.data + start, '/', key.size - start);
        size_t end = !slash ? key.size : (size_t)(slash - key.data);
        if (!key_name_is_valid(slice_of(key.data + start, end - start))) {
            return false;
        }
        start = end + 1;
    }
    return true;
}

bool key_is_internal(struct slice key)
{
    return key.size > 1 && key.data[0] == '/';
}

struct slice key_placed_by(struct slice key)
{
    return key_is_internal(key) && !key_is_directory(key) ? key_directory(key) : key;
}

/* Where the last name of `key` starts; `ret_end` is set to its end. */
static size_t last_name(struct slice key, size_t *ret_end)
{
    assert(key.size > 0 && !key_is_root(key));

    size_t end = key_is_directory(key) ? key.size - 1 : key.size;
    size_t start = end;
    while (start > 0 && key.data[start - 1] != '/') {
        start--;
    }
    *ret_end = end;
    return start;
}

struct slice key_directory(struct slice key)
{
    size_t end;
    size_t start = last_name(key, &end);
    if (start == 0) {
        return slice_of_string("/");
    }
    return slice_of(key.data, start);
}

struct slice key_name(struct slice key)
{
    size_t end;
    size_t start = last_name(key, &end);
    return slice_of(key.data + start, end - start);
}

enum row_kind key_row_kind(struct slice key)
{
    return key_is_directory(key) ? ROW_DIRECTORY : ROW_FILE;
}

void key_append_child(struct buffer *buffer, struct slice directory, struct slice name,
                      enum row_kind kind)
{
    assert(key_is_directory(directory));
    assert(kind == ROW_DIRECTORY || kind == ROW_FILE);

    if (!key_is_root(directory)) {
        buffer_append_slice(buffer, directory);
    }
    buffer_append_slice(buffer, name);
    if (kind == ROW_DIRECTORY) {
        buffer_append_byte(buffer, '/');
    }
}
