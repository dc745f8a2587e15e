/*
 * history.c - the checker's memory.
 */
#include "tests/sim/history.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

uint32_t history_write(struct history *history, int key)
{
    assert(history->count < HISTORY_WRITES_MAX);
    history->write[history->count] = (struct written){.key = key};
    return history->count++;
}

uint32_t history_number(const struct version *version)
{
    struct slice content = blob_slice(version->content);
    uint32_t number = UINT32_MAX;
    if (content.size == sizeof number) {
        memcpy(&number, content.data, sizeof number);
    }
    return number;
}

void history_supersede(struct history *history, const struct object *seen)
{
    for (uint32_t i = 0; seen && i < seen->version_count; i++) {
        uint32_t number = history_number(&seen->versions[i]);
        if (number < history->count) {
            history->write[number].superseded = true;
        }
    }
}

bool history_check(const struct history *history, int key, const struct object *state,
                   const struct demand *demand, char *why, size_t size)
{
    static_assert(HISTORY_WRITES_MAX <= 1 << 16, "the set below is on the stack");
    bool live[HISTORY_WRITES_MAX] = {false};
    for (uint32_t i = 0; state && i < state->version_count; i++) {
        uint32_t number = history_number(&state->versions[i]);
        if (number >= history->count || history->write[number].key != key) {
            (void)snprintf(why, size, "key %d holds a value that nobody wrote to it", key);
            return false;
        }
        live[number] = true;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct written *write = &history->write[i];
        bool is_promised = write->acknowledged &&
                           (write->copies > 1 || !demand->one_disk_failed) &&
                           (write->synced || !demand->every_disk_failed);
        if (write->key == key && is_promised && !write->superseded && !live[i]) {
            (void)snprintf(why, size, "key %d lost acknowledged write %u", key, i);
            return false;
        }
    }
    return true;
}
