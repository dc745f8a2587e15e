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
    assert(first + seen->version_count <= HISTORY_COVERED_MAX);
    for (uint32_t i = 0; i < seen->version_count; i++) {
        history_supersede(history, &seen->versions[i]);
        history->covered[history->covered_count++] =
            (struct covered){.key = key, .dot = seen->versions[i].dot};
    }
    return first;
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
static bool is_any_back(const struct history *history, int key, const struct object *state,
                        const struct demand *demand)
{
    bool is_truncated = history->pairs[key] >= CLOCK_PAIRS_KEPT ||
                        (state && state->clock.count >= CLOCK_PAIRS_KEPT);
    for (uint32_t i = 0; !is_truncated && i < history->covered_count; i++) {
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
