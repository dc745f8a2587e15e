/*
 * leveldb_tables.c - finds damage in LevelDB's tables.
 *
 * A table:  data blocks, filter, index block, footer. The footer leads to the index, which has
 *           for each data block its place and a key at or above its last one. A block is
 *           followed by its kind (plain or snappy) and a masked CRC-32C of both.
 */
#include "node/store/leveldb/leveldb_tables.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_log.h"

enum {
    FOOTER_SIZE = 48,
    TRAILER_SIZE = 5, /* of a block: kind, checksum */
    KIND_SNAPPY = 1,
    INTERNAL_SIZE = 8, /* sequence number and type behind each key of a table */
    /* No index of a table of the usual size is near it; a damaged length may be anything. */
    BLOCK_SIZE_MAX = 64 << 20,
};
#define TABLE_MAGIC UINT64_C(0xdb4775248b80fb57)

/* What one search needs. */
struct search {
    struct slice start;
    struct slice end;
    uint64_t bytes_left;
    char *text;
    size_t text_size;
};

/* A file under examination. */
struct file {
    const char *name;
    int descriptor;
    uint64_t size;
};

struct handle {
    uint64_t offset;
    uint64_t size;
};

static uint64_t little_endian(const uint8_t *bytes, int size)
{
    uint64_t number = 0;

    for (int i = size - 1; i >= 0; i--) {
        number = number << 8 | bytes[i];
    }
    return number;
}

bool leveldb_take_varint(struct slice *bytes, uint64_t *ret_number)
{
    assert(bytes && ret_number);

    uint64_t number = 0;

    for (int shift = 0; shift < 64 && bytes->size > 0; shift += 7) {
        uint8_t byte = *bytes->data;
        bytes->data++;
        bytes->size--;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

static bool take_handle(struct slice *bytes, struct handle *ret_handle)
{
    return leveldb_take_varint(bytes, &ret_handle->offset) &&
           leveldb_take_varint(bytes, &ret_handle->size);
}

/* Reads exactly `size` bytes; false at the end of the file or for want of anything. */
static bool read_at(const struct file *file, uint64_t offset, uint8_t *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t result =
            pread(file->descriptor, bytes + done, size - done, (off_t)(offset + done));
        if (result <= 0) {
            return false;
        }
        done += (size_t)result;
    }
    return true;
}

static bool report(const struct search *search, const struct file *file, const char *what,
                   uint64_t offset)
{
    (void)snprintf(search->text, search->text_size, "%s: %s at %llu", file->name, what,
                   (unsigned long long)offset);
    return true;
}

/* One element of snappy's format; false if it is none, or does not fit into `limit` bytes. */
static bool expand_element(struct slice *bytes, struct buffer *buffer, size_t limit)
{
    uint8_t tag = *bytes->data;
    int kind = tag & 3;
    uint32_t literal = tag >> 2;
    int head = kind == 0 ? (literal < 60 ? 0 : (int)literal - 59) : kind == 3 ? 4 : kind;
    size_t size = 0;
    size_t distance = 0;

    bytes->data++;
    bytes->size--;
    if (bytes->size < (size_t)head) {
        return false;
    }
    uint64_t number = little_endian(bytes->data, head);
    bytes->data += head;
    bytes->size -= (size_t)head;
    if (kind == 0) {
        size = 1 + (head == 0 ? literal : (size_t)number);
        if (size > bytes->size || size > limit - buffer->size) {
            return false;
        }
        buffer_append(buffer, bytes->data, size);
        bytes->data += size;
        bytes->size -= size;
        return !buffer->failed;
    }
    size = kind == 1 ? 4U + (literal & 7) : 1U + literal;
    distance = kind == 1 ? (size_t)((literal >> 3) << 8 | number) : (size_t)number;
    if (distance == 0 || distance > buffer->size || size > limit - buffer->size) {
        return false;
    }
    for (size_t i = 0; i < size && !buffer->failed; i++) {
        buffer_append_byte(buffer, buffer->data[buffer->size - distance]);
    }
    return !buffer->failed;
}

static bool expand_snappy(struct slice bytes, struct buffer *ret_buffer)
{
    uint64_t size = 0;

    if (!leveldb_take_varint(&bytes, &size) || size > BLOCK_SIZE_MAX) {
        return false;
    }
    while (bytes.size > 0) {
        if (!expand_element(&bytes, ret_buffer, (size_t)size)) {
            return false;
        }
    }
    return ret_buffer->size == size;
}

enum block { BLOCK_GOOD, BLOCK_DAMAGED, BLOCK_UNKNOWN };

/* Reads a block and compares its checksum; its bytes and its kind go to `ret_bytes`. UNKNOWN
 * where it could not be read for another reason. */
static enum block read_block(struct search *search, const struct file *file,
                             struct handle handle, struct buffer *ret_bytes)
{
    buffer_reset(ret_bytes);
    ret_bytes->failed = false;
    if (handle.size > BLOCK_SIZE_MAX || handle.offset > file->size ||
        handle.size + TRAILER_SIZE > file->size - handle.offset) {
        return BLOCK_DAMAGED;
    }
    size_t size = (size_t)handle.size;
    uint8_t *bytes = buffer_reserve(ret_bytes, size + TRAILER_SIZE);
    if (!bytes || search->bytes_left < size ||
        !read_at(file, handle.offset, bytes, size + TRAILER_SIZE)) {
        return BLOCK_UNKNOWN;
    }
    search->bytes_left -= size;
    uint32_t stored = (uint32_t)little_endian(bytes + size + 1, 4);
    return leveldb_masked_crc(slice_of(bytes, size + 1)) == stored ? BLOCK_GOOD : BLOCK_DAMAGED;
}

static struct slice user_key(const struct buffer *key)
{
    return slice_of(key->data, key->size < INTERNAL_SIZE ? 0 : key->size - INTERNAL_SIZE);
}

/* The next entry of the index: `key` is the one before it and becomes its own. */
static bool next_entry(struct slice *entries, struct buffer *key, struct handle *ret_handle)
{
    uint64_t shared = 0;
    uint64_t unshared = 0;
    uint64_t value_size = 0;

    if (!leveldb_take_varint(entries, &shared) || !leveldb_take_varint(entries, &unshared) ||
        !leveldb_take_varint(entries, &value_size) || shared > key->size ||
        unshared > entries->size || value_size > entries->size - unshared) {
        return false;
    }
    key->size = (size_t)shared;
    buffer_append(key, entries->data, (size_t)unshared);
    struct slice value = slice_of(entries->data + unshared, (size_t)value_size);
    entries->data += unshared + value_size;
    entries->size -= (size_t)(unshared + value_size);
    return !key->failed && take_handle(&value, ret_handle);
}

/* The data blocks of a table that may hold keys of the range. */
static bool check_blocks(struct search *search, const struct file *file, struct slice index)
{
    struct buffer key = {0};
    struct buffer block = {0};
    struct handle handle = {0};
    bool is_damaged = false;
    bool is_behind = false; /* all keys from here on are behind the range */

    if (index.size < 4) {
        return false;
    }
    uint64_t restarts = little_endian(index.data + index.size - 4, 4);
    if (restarts > (index.size - 4) / 4) {
        return false;
    }
    index.size -= (size_t)(4 + 4 * restarts);
    while (!is_damaged && !is_behind && search->bytes_left > 0 &&
           next_entry(&index, &key, &handle)) {
        is_behind = search->end.size > 0 && slice_compare(user_key(&key), search->end) >= 0;
        if (slice_compare(user_key(&key), search->start) >= 0 &&
            read_block(search, file, handle, &block) == BLOCK_DAMAGED) {
            is_damaged = report(search, file, "block checksum mismatch", handle.offset);
        }
    }
    buffer_release(&key);
    buffer_release(&block);
    return is_damaged;
}

/* The index of a table, checked and expanded, then the blocks that it leads to. */
static bool check_index(struct search *search, const struct file *file, struct handle handle)
{
    struct buffer block = {0};
    struct buffer expanded = {0};
    bool is_damaged = false;
    enum block outcome = read_block(search, file, handle, &block);

    if (outcome == BLOCK_DAMAGED) {
        is_damaged = report(search, file, "index checksum mismatch", handle.offset);
    } else if (outcome == BLOCK_GOOD) {
        struct slice index = slice_of(block.data, (size_t)handle.size);
        if (block.data[handle.size] == KIND_SNAPPY) {
            bool is_expanded = expand_snappy(index, &expanded);
            index = is_expanded ? buffer_slice(&expanded) : slice_of(NULL, 0);
        }
        is_damaged = check_blocks(search, file, index);
    }
    buffer_release(&block);
    buffer_release(&expanded);
    return is_damaged;
}

static bool check_table(struct search *search, const struct file *file)
{
    uint8_t footer[FOOTER_SIZE] = {0};
    struct slice handles = slice_of(footer, FOOTER_SIZE - 8);
    struct handle filter;
    struct handle index;

    if (file->size < FOOTER_SIZE) {
        return report(search, file, "too short for a table, it ends", file->size);
    }
    uint64_t offset = file->size - FOOTER_SIZE;
    if (!read_at(file, offset, footer, sizeof footer)) {
        return false;
    }
    if (little_endian(footer + FOOTER_SIZE - 8, 8) != TABLE_MAGIC ||
        !take_handle(&handles, &filter) || !take_handle(&handles, &index)) {
        return report(search, file, "bad footer", offset);
    }
    return check_index(search, file, index);
}

/* Opens the file and checks it. One that is gone by now was not needed any more. */
static bool check_named(struct search *search, int directory, const char *name)
{
    struct stat information;
    struct file file = {.name = name};
    bool is_damaged = false;

    file.descriptor = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file.descriptor < 0) {
        return false;
    }
    if (fstat(file.descriptor, &information) == 0) {
        file.size = (uint64_t)information.st_size;
        is_damaged = check_table(search, &file);
    }
    close(file.descriptor);
    return is_damaged;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t size = strlen(name);
    size_t suffix_size = strlen(suffix);

    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

static int is_table(const struct dirent *entry)
{
    return has_suffix(entry->d_name, ".ldb") || has_suffix(entry->d_name, ".sst");
}

/* The oldest first: a compaction that met the damage leaves a newer table unfinished. */
static bool search_files(struct search *search, const char *path)
{
    struct dirent **tables = NULL;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_damaged = false;

    if (directory < 0) {
        return false;
    }
    int count = scandir(path, &tables, is_table, versionsort);
    for (int i = 0; i < count; i++) {
        is_damaged = is_damaged || (search->bytes_left > 0 &&
                                    check_named(search, directory, tables[i]->d_name));
        free(tables[i]);
    }
    free(tables);
    close(directory);
    return is_damaged;
}

bool leveldb_tables_find_damage(const char *path, struct slice start, struct slice end,
                                uint64_t bytes_max, char *ret_text, size_t size)
{
    assert(path && ret_text && size > 0);

    struct search search = {
        .start = start,
        .end = end,
        .bytes_left = bytes_max,
        .text = ret_text,
        .text_size = size,
    };

    return search_files(&search, path);
}
