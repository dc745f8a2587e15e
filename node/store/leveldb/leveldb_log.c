/*
 * leveldb_log.c - reads the records of a LevelDB log or manifest, and where they stop making
 * sense.
 *
 *   OUTSIDE ──first──► INSIDE ──middle──► INSIDE ──last──► OUTSIDE
 *      └──────full──────► OUTSIDE
 *
 * What does not fit ends the good part. Whole records behind it are still looked for, since
 * they tell damage in the middle from an end that was never written.
 */
#include "node/store/leveldb/leveldb_log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 32768,
    HEADER_SIZE = 7, /* checksum, length, type */
    FULL = 1,
    FIRST = 2,
    MIDDLE = 3,
    LAST = 4,
};

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0); /* Castagnoli */
        }
        crc_table[i] = crc;
    }
}

uint32_t leveldb_masked_crc(struct slice bytes)
{
    uint32_t crc = UINT32_MAX;

    (void)pthread_once(&crc_once, make_crc_table);
    for (size_t i = 0; i < bytes.size; i++) {
        crc = crc_table[(crc ^ bytes.data[i]) & 0xff] ^ crc >> 8;
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

struct reading {
    leveldb_on_record *on_record;
    void *context;
    struct buffer record;
    bool is_inside;
    bool is_stopped;
    struct leveldb_log_end end;
};

static uint32_t little_endian(const uint8_t *bytes, int size)
{
    uint32_t number = 0;

    for (int i = size - 1; i >= 0; i--) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static void note_bad(struct reading *reading)
{
    reading->end.is_bad = true;
    reading->is_inside = false;
}

/* A record is whole; it ends at `offset` of the file. */
static void take_record(struct reading *reading, uint64_t offset)
{
    if (reading->end.is_bad) {
        reading->end.has_more = true;
        return;
    }
    reading->end.good_size = offset;
    if (reading->on_record && !reading->is_stopped) {
        reading->is_stopped =
            !reading->on_record(reading->context, buffer_slice(&reading->record));
    }
}

/* One fragment with a good checksum, which ends at `offset` of the file. */
static void take_fragment(struct reading *reading, uint8_t type, struct slice data,
                          uint64_t offset)
{
    bool begins = type == FULL || type == FIRST;
    bool ends = type == FULL || type == LAST;

    if (type < FULL || type > LAST) {
        note_bad(reading);
        return;
    }
    if (begins == reading->is_inside) {
        /* A record that was begun is not finished, or one is that was not begun. */
        note_bad(reading);
        if (!begins) {
            return;
        }
    }
    if (begins) {
        buffer_reset(&reading->record);
    }
    if (reading->on_record && !reading->end.is_bad) {
        buffer_append_slice(&reading->record, data);
    }
    reading->is_inside = !ends;
    if (ends) {
        take_record(reading, offset);
    }
}

static bool is_nothing(struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The fragments of one block, which begins at `offset` of the file. */
static void read_block(struct reading *reading, struct slice block, uint64_t offset)
{
    size_t at = 0;

    while (block.size - at >= HEADER_SIZE) {
        const uint8_t *header = block.data + at;
        size_t size = little_endian(header + 4, 2);

        if (is_nothing(slice_of(header, HEADER_SIZE))) {
            /* Never written. Nothing may follow but more of it. */
            note_bad(reading);
            return;
        }
        if (size > block.size - at - HEADER_SIZE ||
            leveldb_masked_crc(slice_of(header + 6, size + 1)) != little_endian(header, 4)) {
            note_bad(reading);
            return;
        }
        at += HEADER_SIZE + size;
        take_fragment(reading, header[6], slice_of(header + HEADER_SIZE, size), offset + at);
    }
    /* What is too short for a header is filled with zeros at the end of a block, and is a
       torn header at the end of the file. */
    if (at < block.size && block.size < BLOCK_SIZE) {
        note_bad(reading);
    }
}

static ssize_t read_whole(int file, uint8_t *bytes, uint64_t offset)
{
    size_t done = 0;

    while (done < BLOCK_SIZE) {
        ssize_t size = pread(file, bytes + done, BLOCK_SIZE - done, (off_t)(offset + done));
        if (size < 0) {
            return -1;
        }
        if (size == 0) {
            break;
        }
        done += (size_t)size;
    }
    return (ssize_t)done;
}

static enum status read_blocks(struct reading *reading, int file)
{
    uint8_t *block = malloc(BLOCK_SIZE);
    enum status status = !block ? STATUS_NO_MEMORY : STATUS_OK;
    uint64_t offset = 0;

    while (status == STATUS_OK) {
        ssize_t size = read_whole(file, block, offset);
        if (size == 0) {
            break;
        }
        if (size < 0) {
            /* A block that the disk cannot read is lost like one that it reads wrongly. */
            status = errno == EIO && offset < reading->end.file_size ? STATUS_OK : STATUS_IO;
            note_bad(reading);
        } else {
            read_block(reading, slice_of(block, (size_t)size), offset);
        }
        offset += BLOCK_SIZE;
        status = reading->record.failed ? STATUS_NO_MEMORY : status;
    }
    free(block);
    /* A record that was begun and not finished. */
    reading->end.is_bad = reading->end.is_bad || reading->is_inside;
    return status;
}

enum status leveldb_log_read(int directory, const char *name, leveldb_on_record *on_record,
                             void *context, struct leveldb_log_end *ret_end)
{
    assert(name && ret_end);

    struct reading reading = {.on_record = on_record, .context = context};
    struct stat information;
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    enum status status = fstat(file, &information) == 0 ? STATUS_OK : STATUS_IO;
    if (status == STATUS_OK) {
        reading.end.file_size = (uint64_t)information.st_size;
        status = read_blocks(&reading, file);
    }
    int reason = errno;
    close(file);
    buffer_release(&reading.record);
    errno = reason;
    if (status == STATUS_OK) {
        *ret_end = reading.end;
    }
    return status;
}
