/*
 * history.h - what clients did and were told, and what may be demanded of the cluster for it.
 *
 * The promise (design.md section 5): an acknowledged write is live unless a later put or delete
 * was handed it in its context; nothing is live that nobody wrote.
 */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/object.h"

enum { HISTORY_KEYS_MAX = 16, HISTORY_WRITES_MAX = 4096 };

/* One put of one value; its content is its number, so that it can be told wherever it turns up.
 */
struct written {
    int key;
    bool acknowledged;
    bool synced;     /* asked to survive a power cut */
    uint8_t copies;  /* acknowledged by so many (W) */
    bool superseded; /* some put or delete that was sent had it in its context */
};

struct history {
    uint32_t count;
    struct written write[HISTORY_WRITES_MAX];
};

/* A new write to `key`; its number, which is also its content (8 bytes). */
uint32_t history_write(struct history *history, int key);
/* The number in a content, or UINT32_MAX. */
uint32_t history_number(const struct version *version);
/* All versions of `seen` were handed to a put or delete of the key that is about to be sent. */
void history_supersede(struct history *history, const struct object *seen);
/* What the run did to the disks, and so what may be demanded. */
struct demand {
    bool one_disk_failed;   /* one node lost what was not synced: W = 1 is not promised then */
    bool every_disk_failed; /* just what was synced is */
};

/*
 * Compares the merged state of a key with what was promised. On a breach fills `why` and
 * returns false.
 */
bool history_check(const struct history *history, int key, const struct object *state,
                   const struct demand *demand, char *why, size_t size);

#endif
