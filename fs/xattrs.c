/*
 * xattrs.c - user attributes as the bytes kept in version.xattrs.
 */
#include "fs/xattrs.h"

#include <assert.h>
#include <errno.h>

static uint32_t load_little_endian(const uint8_t *bytes, size_t size)
{
    uint32_t value = 0;

    for (size_t i = size; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

int xattrs_next(struct slice encoded, size_t *offset, struct slice *ret_name,
                struct slice *ret_value)
{
    size_t left = encoded.size - *offset;

    if (left == 0) {
        return ENODATA;
    }
    if (left < XATTR_HEADER_SIZE) {
        return EIO;
    }
    const uint8_t *header = encoded.data + *offset;
    size_t name_size = load_little_endian(header, 2);
    size_t value_size = load_little_endian(header + 2, 4);
    left -= XATTR_HEADER_SIZE;
    if (name_size == 0 || name_size > XATTR_NAME_MAX_SIZE || name_size > left ||
        value_size > left - name_size) {
        return EIO;
    }
    *ret_name = slice_of(header + XATTR_HEADER_SIZE, name_size);
    *ret_value = slice_of(header + XATTR_HEADER_SIZE + name_size, value_size);
    *offset += XATTR_HEADER_SIZE + name_size + value_size;
    return 0;
}

int xattrs_get(struct slice encoded, struct slice name, struct slice *ret_value)
{
    struct slice found;
    struct slice value;
    size_t offset = 0;
    int failed;

    while ((failed = xattrs_next(encoded, &offset, &found, &value)) == 0) {
        if (slice_equal(found, name)) {
            *ret_value = value;
            return 0;
        }
    }
    return failed;
}

static void append(struct buffer *buffer, struct slice name, struct slice value)
{
    buffer_append_byte(buffer, (uint8_t)(name.size & 0xff));
    buffer_append_byte(buffer, (uint8_t)(name.size >> 8));
    for (int shift = 0; shift < 32; shift += 8) {
        buffer_append_byte(buffer, (uint8_t)(value.size >> shift & 0xff));
    }
    buffer_append_slice(buffer, name);
    buffer_append_slice(buffer, value);
}

int xattrs_change(const struct blob *old, const struct fs_xattr_change *change,
                  struct blob **ret_new)
{
    struct slice encoded = blob_slice(old);
    struct slice name = slice_of_string(change->name);
    struct buffer buffer = {0};
    struct slice found;
    struct slice value;
    size_t offset = 0;
    bool exists = false;
    int failed;

    assert(name.size > 0 && name.size <= XATTR_NAME_MAX_SIZE);
    while ((failed = xattrs_next(encoded, &offset, &found, &value)) == 0) {
        if (slice_equal(found, name)) {
            exists = true;
        } else {
            append(&buffer, found, value);
        }
    }
    failed = failed == ENODATA ? 0 : failed;
    if (failed == 0 && !exists && (change->remove || change->must_exist)) {
        failed = ENODATA;
    } else if (failed == 0 && exists && change->must_create) {
        failed = EEXIST;
    } else if (failed == 0 && !change->remove) {
        append(&buffer, name, change->value);
    }
    if (failed == 0 && buffer.size > XATTRS_SIZE_MAX) {
        failed = ENOSPC;
    }
    struct blob *blob = NULL;
    if (failed == 0 && buffer.size > 0) {
        blob = buffer.failed ? NULL : blob_new(buffer_slice(&buffer));
        failed = blob == NULL ? ENOMEM : 0;
    }
    buffer_release(&buffer);
    if (failed == 0) {
        *ret_new = blob;
    }
    return failed;
}
