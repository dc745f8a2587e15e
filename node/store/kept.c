/*
 * kept.c - the node's settings once more, in a small file beside the database.
 *
 * The file:  for each setting its key and value, each behind its size (a number as in batch.h).
 * The engine adds a checksum.
 */
#include "node/store/kept.h"

#include <assert.h>
#include <string.h>

#include "node/store/batch.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/wire/codec.h"

enum { SETTINGS_MAX = 64, KEPT_SIZE_MAX = 1 << 20 };

static void append_sized(struct buffer *buffer, struct slice bytes)
{
    uint8_t number[NUMBER_SIZE];

    number_encode(bytes.size, number);
    buffer_append(buffer, number, sizeof number);
    buffer_append_slice(buffer, bytes);
}

static bool take_sized(struct slice *bytes, struct slice *ret_part)
{
    assert(bytes && ret_part);

    uint64_t size = 0;

    if (bytes->size < NUMBER_SIZE ||
        !number_decode(slice_of(bytes->data, NUMBER_SIZE), &size) ||
        size > bytes->size - NUMBER_SIZE) {
        return false;
    }
    *ret_part = slice_of(bytes->data + NUMBER_SIZE, (size_t)size);
    bytes->data += NUMBER_SIZE + size;
    bytes->size -= NUMBER_SIZE + (size_t)size;
    return true;
}

static bool on_setting(void *context, struct slice key, struct slice value)
{
    struct buffer *kept = context;

    append_sized(kept, key);
    append_sized(kept, value);
    return !kept->failed && kept->size < KEPT_SIZE_MAX;
}

enum status settings_keep(struct engine *engine)
{
    assert(engine);

    struct buffer kept = {0};

    if (!engine->operations->keep) {
        return STATUS_OK;
    }
    enum status status = engine->operations->scan(
        engine, slice_of_string("m"), slice_of_string("n"), true, on_setting, &kept);
    if (status == STATUS_OK && kept.failed) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) {
        status = engine->operations->keep(engine, buffer_slice(&kept));
    }
    buffer_release(&kept);
    return status;
}

enum status settings_restore(struct engine *engine)
{
    assert(engine);

    struct engine_write writes[SETTINGS_MAX] = {0};
    struct buffer kept = {0};
    size_t count = 0;

    if (!engine->operations->kept) {
        return STATUS_NOT_FOUND;
    }
    enum status status = engine->operations->kept(engine, &kept);
    struct slice left = buffer_slice(&kept);
    while (status == STATUS_OK && left.size > 0) {
        bool is_good = count < SETTINGS_MAX && take_sized(&left, &writes[count].key) &&
                       take_sized(&left, &writes[count].value);
        status = is_good ? STATUS_OK : STATUS_CORRUPT;
        count++;
    }
    if (status == STATUS_OK && count == 0) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        status = engine->operations->write(engine, writes, count, true);
    }
    buffer_release(&kept);
    return status;
}

bool settings_kept_ring(struct slice kept, struct ring *ret_ring)
{
    assert(ret_ring);

    struct buffer wanted = {0};
    struct message message = {0};
    struct slice key;
    struct slice value;
    bool has_ring = false;

    layout_setting(&wanted, SETTING_RING);
    while (!has_ring && !wanted.failed && take_sized(&kept, &key) &&
           take_sized(&kept, &value)) {
        if (!slice_equal(key, buffer_slice(&wanted)) ||
            codec_decode(value, &message) != STATUS_OK) {
            continue;
        }
        has_ring =
            message.type == MESSAGE_RING_REPLY && message.ring && ring_is_valid(message.ring);
        if (has_ring) {
            *ret_ring = *message.ring;
        }
        message_release(&message);
    }
    buffer_release(&wanted);
    return has_ring;
}
