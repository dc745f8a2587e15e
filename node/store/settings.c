/*
 * settings.c - see settings.h.
 */
#include "node/store/settings.h"

#include <assert.h>

#include "node/store/layout.h"
#include "node/wire/codec.h"

void settings_add(struct settings *settings, const char *name, uint64_t number)
{
    assert(settings->count < SETTINGS_MAX);

    size_t i = settings->count++;
    layout_setting(&settings->keys[i], name);
    number_encode(number, settings->numbers[i]);
}

void settings_add_ring(struct settings *settings, const char *name, const struct ring *ring)
{
    assert(settings->ring_count < SETTING_RINGS_MAX);
    struct ring copy = *ring;
    struct message message = {.type = MESSAGE_RING_REPLY, .ring = &copy};

    size_t i = settings->ring_count++;
    layout_setting(&settings->ring_keys[i], name);
    codec_encode(&message, &settings->rings[i]);
}

/* Writes the settings, synced, and releases them. */
enum status settings_write(struct settings *settings, struct engine *engine)
{
    struct engine_write writes[SETTINGS_MAX + SETTING_RINGS_MAX] = {0};
    size_t count = settings->count;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < settings->count; i++) {
        writes[i].key = buffer_slice(&settings->keys[i]);
        writes[i].value = slice_of(settings->numbers[i], NUMBER_SIZE);
        if (settings->keys[i].failed) {
            status = STATUS_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < settings->ring_count; i++) {
        writes[count].key = buffer_slice(&settings->ring_keys[i]);
        writes[count++].value = buffer_slice(&settings->rings[i]);
        if (settings->ring_keys[i].failed || settings->rings[i].failed) {
            status = STATUS_NO_MEMORY;
        }
    }
    if (status == STATUS_OK) {
        status = engine->operations->write(engine, writes, count, true);
    }
    for (size_t i = 0; i < settings->count; i++) {
        buffer_release(&settings->keys[i]);
    }
    for (size_t i = 0; i < settings->ring_count; i++) {
        buffer_release(&settings->ring_keys[i]);
        buffer_release(&settings->rings[i]);
    }
    settings->count = 0;
    settings->ring_count = 0;
    return status;
}

enum status settings_read(struct engine *engine, const char *name, struct buffer *ret_value)
{
    struct buffer key = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_setting(&key, name);
    if (!key.failed) {
        status = engine->operations->get(engine, buffer_slice(&key), ret_value);
    }
    buffer_release(&key);
    return status;
}

enum status settings_read_number(struct engine *engine, const char *name, uint64_t *ret_number)
{
    struct buffer value = {0};
    enum status status = settings_read(engine, name, &value);

    if (status == STATUS_OK && !number_decode(buffer_slice(&value), ret_number)) {
        status = STATUS_CORRUPT;
    }
    buffer_release(&value);
    return status;
}
