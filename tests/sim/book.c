/*
 * book.c - see book.h.
 */
#include "tests/sim/book.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Slots of a long file before the rest, which is beyond its first map. */
enum { NEAR_SLOTS = 2 };

uint32_t book_index(const struct book_content *content, int slot)
{
    bool is_near = !content->is_long || slot < NEAR_SLOTS;
    return (uint32_t)slot + (is_near ? 0 : MAP_BLOCKS - NEAR_SLOTS);
}

uint64_t book_size(const struct book_content *content)
{
    return (uint64_t)(book_index(content, BOOK_SLOTS - 1) + 1) * BLOCK_SIZE;
}

void book_block(uint32_t stamp, uint8_t ret_bytes[BOOK_BLOCK_SIZE])
{
    char text[BOOK_BLOCK_SIZE + 1];
    (void)snprintf(text, sizeof text, "stamp %010u", stamp);
    memcpy(ret_bytes, text, BOOK_BLOCK_SIZE);
}

uint32_t book_add(struct book *book, const struct book_content *content)
{
    assert(book->count < BOOK_CONTENTS_MAX);
    book->contents[book->count] = *content;
    return ++book->count;
}

const struct book_content *book_find(const struct book *book, const struct version *version)
{
    int64_t number = version->attributes.modified_ns;
    bool is_known = number >= 1 && number <= (int64_t)book->count;
    return is_known ? &book->contents[number - 1] : NULL;
}

void book_note_set(struct book *book, const struct block_set *set)
{
    assert(book->set_count < BOOK_SETS_MAX);
    book->sets[book->set_count++] = *set;
}

bool book_has_shard(const struct book *book, uint8_t shard)
{
    for (uint32_t i = 0; i < book->set_count; i++) {
        if (book->sets[i].byte[0] == shard) {
            return true;
        }
    }
    return false;
}

/* A version that is being looked at. */
struct reading {
    const struct book_content *content;
    const struct book_source *source;
    struct manifest manifest;
};

/* The entry of a block in the map that holds it. */
static enum status entry_of_map(const struct reading *reading, uint32_t index,
                                struct block_entry *ret_entry)
{
    uint32_t number = index / MAP_BLOCKS;
    struct block_entry map = manifest_entry(reading->manifest.entries, number);
    struct block_place place = {.set = reading->manifest.set, .index = number * MAP_BLOCKS};
    struct blob *content = NULL;
    *ret_entry = (struct block_entry){{0}, {0}};
    if (block_entry_is_hole(&map)) {
        return STATUS_OK;
    }
    enum status status =
        reading->source->fetch(reading->source->context, &place, &map, &content);
    if (status == STATUS_OK && content->size / BLOCK_ENTRY_SIZE > index % MAP_BLOCKS) {
        *ret_entry = manifest_entry(blob_slice(content), index % MAP_BLOCKS);
    }
    blob_unref(content);
    return status;
}

static enum status verify_slot(const struct reading *reading, int slot)
{
    uint8_t wanted[BOOK_BLOCK_SIZE];
    uint32_t stamp = reading->content->stamps[slot];
    struct block_place place = {.set = reading->manifest.set,
                                .index = book_index(reading->content, slot)};
    struct block_entry entry;
    struct blob *content = NULL;
    enum status status = STATUS_OK;
    if (reading->manifest.has_maps) {
        status = entry_of_map(reading, place.index, &entry);
    } else {
        entry = manifest_entry(reading->manifest.entries, place.index);
    }
    if (status != STATUS_OK || block_entry_is_hole(&entry)) {
        return status == STATUS_OK && stamp != 0 ? STATUS_BAD_MESSAGE : status;
    }
    status = reading->source->fetch(reading->source->context, &place, &entry, &content);
    if (status == STATUS_OK) {
        book_block(stamp, wanted);
        bool is_right =
            stamp != 0 && slice_equal(blob_slice(content), slice_of(wanted, sizeof wanted));
        status = is_right ? STATUS_OK : STATUS_BAD_MESSAGE;
    }
    blob_unref(content);
    return status;
}

enum status book_verify(const struct book *book, const struct version *version,
                        const struct book_source *source)
{
    struct reading reading = {.content = book_find(book, version), .source = source};
    if (!reading.content || version->attributes.type != VERSION_LARGE_FILE ||
        manifest_parse(blob_slice(version->content), &reading.manifest) != STATUS_OK ||
        reading.manifest.size != book_size(reading.content)) {
        return STATUS_BAD_MESSAGE;
    }
    enum status status = STATUS_OK;
    for (int slot = 0; status == STATUS_OK && slot < BOOK_SLOTS; slot++) {
        status = verify_slot(&reading, slot);
    }
    return status;
}
