/*
 * sweep.c - drops records of the engine that are not good.
 */
#include "node/store/sweep.h"

#include <assert.h>
#include <stdlib.h>

enum {
    DROPPED_KEYS_MAX = 1024, /* in one batch */
};

struct pass {
    sweep_is_good *is_good;
    void *context;
    struct buffer keys; /* of those to be dropped, one behind the other */
    size_t ends[DROPPED_KEYS_MAX];
    size_t count;
    bool is_full;
};

static bool on_record(void *context, struct slice key, struct slice value)
{
    struct pass *pass = context;

    assert(pass->count <= DROPPED_KEYS_MAX);
    if (pass->is_good(pass->context, key, value)) {
        return true;
    }
    if (pass->count == DROPPED_KEYS_MAX) {
        pass->is_full = true;
        return false;
    }
    buffer_append_slice(&pass->keys, key);
    pass->ends[pass->count++] = pass->keys.size;
    return !pass->keys.failed;
}

static enum status drop(struct engine *engine, const struct pass *pass)
{
    assert(pass->count <= DROPPED_KEYS_MAX);

    struct engine_write *writes = NULL;
    size_t start = 0;

    if (pass->keys.failed) {
        return STATUS_NO_MEMORY;
    }
    if (pass->count == 0) {
        return STATUS_OK;
    }
    writes = calloc(pass->count, sizeof *writes);
    if (!writes) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < pass->count; i++) {
        writes[i] = (struct engine_write){
            .key = slice_of(pass->keys.data + start, pass->ends[i] - start),
            .is_delete = true,
        };
        start = pass->ends[i];
    }
    enum status status = engine->operations->write(engine, writes, pass->count, false);
    free(writes);
    return status;
}

enum status sweep(struct engine *engine, char kind, sweep_is_good *is_good, void *context,
                  uint64_t *ret_dropped)
{
    assert(kind != 0 && is_good && ret_dropped);

    struct pass *pass = calloc(1, sizeof *pass);
    uint8_t end = (uint8_t)(kind + 1);
    struct buffer start = {0};
    enum status status = STATUS_OK;
    enum status scanned = STATUS_OK;

    if (!pass) {
        return STATUS_NO_MEMORY;
    }
    *pass = (struct pass){.is_good = is_good, .context = context};
    buffer_append_byte(&start, (uint8_t)kind);
    do {
        pass->is_full = false;
        pass->count = 0;
        buffer_reset(&pass->keys);
        if (start.failed) {
            status = STATUS_NO_MEMORY;
            break;
        }
        scanned = engine->operations->scan(engine, buffer_slice(&start),
                                           slice_of(&end, sizeof end), true, on_record, pass);
        if (scanned != STATUS_OK && scanned != STATUS_CORRUPT) {
            status = scanned;
            break;
        }
        status = drop(engine, pass);
        if (status == STATUS_OK && pass->count > 0) {
            *ret_dropped += pass->count;
            /* On behind the last one that went. */
            size_t begin = pass->count > 1 ? pass->ends[pass->count - 2] : 0;
            buffer_reset(&start);
            buffer_append(&start, pass->keys.data + begin, pass->ends[pass->count - 1] - begin);
        }
    } while (status == STATUS_OK && pass->is_full);
    buffer_release(&start);
    buffer_release(&pass->keys);
    free(pass);
    return status == STATUS_OK ? scanned : status;
}
