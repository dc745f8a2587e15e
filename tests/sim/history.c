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
    history->write[history->count] = (struct written){.key = key, .begun = ++history->begun};
    return history->count++;
}

void history_remove(struct history *history, int key)
{
    history->removed[key] = ++history->begun;
}

size_t history_content(uint32_t number, uint8_t ret_content[HISTORY_CONTENT_MAX])
{
    /* Mostly a few bytes; one in sixteen has up to the maximum. */
    size_t size =
        number % 16 == 7 ? number * UINT32_C(2654435761) % HISTORY_CONTENT_MAX : number % 13;
    size = size < sizeof number ? sizeof number : size;
    memcpy(ret_content, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++) {
        ret_content[i] = (uint8_t)(number + i);
    }
    return size;
}

uint32_t history_number(const struct version *version)
{
    uint8_t content[HISTORY_CONTENT_MAX];
    uint32_t number = (uint32_t)version->attributes.modified_ns;
    size_t size = history_content(number, content);
    struct slice held = blob_slice(version->content);
    bool is_whole =
        !version->content || (held.size == size && memcmp(held.data, content, size) == 0);
    return is_whole && version->attributes.size == size ? number : UINT32_MAX;
}

void history_see(struct history *history, int key, const struct object *object)
{
    if (object && object->clock.count > history->pairs[key]) {
        history->pairs[key] = object->clock.count;
    }
}

void history_supersede(struct history *history, const struct version *version)
{
    uint32_t number = history_number(version);
    if (number < history->count) {
        history->write[number].superseded = true;
    }
}

uint32_t history_cover(struct history *history, int key, const struct object *seen)
{
    uint32_t first = history->covered_count;
    for (uint32_t i = 0; i < seen->version_count; i++) {
        (void)history_cover_one(history, key, &seen->versions[i]);
    }
    return first;
}

uint32_t history_cover_one(struct history *history, int key, const struct version *version)
{
    assert(history->covered_count < HISTORY_COVERED_MAX);
    history_supersede(history, version);
    history->covered[history->covered_count] =
        (struct covered){.key = key, .number = history_number(version), .dot = version->dot};
    return history->covered_count++;
}

/* Budget: what more copies than victims acknowledged is safe; what was synced is safe from
 * power cuts wherever. */
static bool is_promised(const struct pledge *pledge, const struct demand *demand)
{
    bool survives_power = !demand->power_failed || pledge->synced ||
                          (pledge->copies > demand->victims && !demand->power_anywhere);
    bool survives_loss = !demand->disk_lost || pledge->copies > demand->victims;
    return pledge->acknowledged && survives_power && survives_loss;
}

static bool is_live(const struct object *state, struct dot dot)
{
    for (uint32_t i = 0; state && i < state->version_count; i++) {
        if (dot_equal(state->versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

/* Truncation may bring back what was superseded: a clock as long as is kept tells nothing. */
static bool may_be_truncated(const struct history *history, int key, const struct object *state)
{
    return history->pairs[key] >= CLOCK_PAIRS_KEPT ||
           (state && state->clock.count >= CLOCK_PAIRS_KEPT);
}

static bool is_any_back(const struct history *history, int key, const struct object *state,
                        const struct demand *demand)
{
    for (uint32_t i = 0; !may_be_truncated(history, key, state) && i < history->covered_count;
         i++) {
        const struct covered *covered = &history->covered[i];
        if (covered->key == key && is_promised(&covered->pledge, demand) &&
            is_live(state, covered->dot)) {
            return true;
        }
    }
    return false;
}

bool history_check_read(const struct history *history, int key, const struct object *object,
                        uint32_t before)
{
    bool shown[HISTORY_WRITES_MAX] = {false};
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        uint32_t number = history_number(&object->versions[i]);
        if (number < history->count) {
            shown[number] = true;
        }
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct written *write = &history->write[i];
        bool is_due = write->key == key && write->pledge.acknowledged &&
                      write->pledge.place <= before && !write->superseded;
        if (is_due && !shown[i]) {
            return false;
        }
    }
    return true;
}

bool history_is_written(const struct history *history, int key, const struct object *object)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        uint32_t number = history_number(&object->versions[i]);
        if (number >= history->count || history->write[number].key != key) {
            return false;
        }
    }
    return true;
}

bool history_check_superseded(const struct history *history, int key,
                              const struct object *object, uint32_t before)
{
    for (uint32_t i = 0; !may_be_truncated(history, key, object) && i < history->covered_count;
         i++) {
        const struct covered *covered = &history->covered[i];
        if (covered->key == key && covered->pledge.acknowledged &&
            covered->pledge.place <= before && is_live(object, covered->dot)) {
            return false;
        }
    }
    return true;
}

bool history_is_name_due(const struct history *history, int key, uint32_t before)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct written *write = &history->write[i];
        if (write->key == key && write->pledge.acknowledged && write->pledge.place <= before &&
            write->begun > history->removed[key]) {
            return true;
        }
    }
    return false;
}

bool history_check(const struct history *history, int key, const struct object *state,
                   const struct demand *demand, char *why, size_t size)
{
    static_assert(HISTORY_WRITES_MAX <= 1 << 16, "the set below is on the stack");
    bool live[HISTORY_WRITES_MAX] = {false};
    if (!history_is_written(history, key, state)) {
        (void)snprintf(why, size, "key %d holds a value that nobody wrote to it", key);
        return false;
    }
    for (uint32_t i = 0; state && i < state->version_count; i++) {
        live[history_number(&state->versions[i])] = true;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct written *write = &history->write[i];
        if (write->key == key && is_promised(&write->pledge, demand) && !write->superseded &&
            !live[i]) {
            (void)snprintf(why, size, "key %d lost acknowledged write %u", key, i);
            return false;
        }
    }
    if (is_any_back(history, key, state, demand)) {
        (void)snprintf(why, size, "key %d: a version is back that was superseded", key);
        return false;
    }
    return true;
}
