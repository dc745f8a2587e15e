/*
 * settings.h - the node's settings in its database: numbers and rings, by name.
 *
 * Shape:    settings are gathered and written as one batch, synced.
 *
 * Threads:  pure, but for the engine.
 */
#ifndef NODE_STORE_SETTINGS_H
#define NODE_STORE_SETTINGS_H

#include "node/store/engine.h"
#include "node/store/number.h"
#include "ring/ring.h"

#define SETTING_FORMAT        "format"
#define SETTING_NODE          "node"
#define SETTING_CLEAN         "clean"
#define SETTING_LEASE         "counter_lease"
#define SETTING_TRUSTED_SINCE "trusted_since"
#define SETTING_INCARNATION   "incarnation"
/* The one that the ring followed, for people to go back to (decision 23). */
#define SETTING_RING_BEFORE "ring_before"
/* 0 while the node refills after a lost disk; none: 1. */
#define SETTING_COMPLETE "complete"
/* 1 while a damaged database is being salvaged; none: 0. */
#define SETTING_SALVAGING "salvaging"
/* 1 while nobody has judged how old the hints are that a salvage gave back; none: 0. */
#define SETTING_HINTS_UNJUDGED "hints_unjudged"

enum { SETTINGS_MAX = 8, SETTING_RINGS_MAX = 2 };

/* Settings to be written as one batch: numbers and rings. Zeroed is empty. */
struct settings {
    size_t count;
    struct buffer keys[SETTINGS_MAX];
    uint8_t numbers[SETTINGS_MAX][NUMBER_SIZE];
    size_t ring_count;
    struct buffer ring_keys[SETTING_RINGS_MAX];
    struct buffer rings[SETTING_RINGS_MAX];
};

void settings_add(struct settings *settings, const char *name, uint64_t number);
void settings_add_ring(struct settings *settings, const char *name, const struct ring *ring);
/* Writes the settings, synced, and releases them. */
MUST_CHECK enum status settings_write(struct settings *settings, struct engine *engine);

/* STATUS_NOT_FOUND if there is none. */
MUST_CHECK enum status settings_read(struct engine *engine, const char *name,
                                     struct buffer *ret_value);
MUST_CHECK enum status settings_read_number(struct engine *engine, const char *name,
                                            uint64_t *ret_number);

#endif
