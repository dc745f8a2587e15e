/*
 * history.h - what clients did and were told, and what may be demanded of the cluster for it.
 *
 * The promise (docs/design.md, Requests): an acknowledged write is live unless a later put or
 * delete was handed it in its context; nothing is live that nobody wrote; what an acknowledged
 * put or delete was handed is live no more.
 */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/object.h"

enum {
    HISTORY_KEYS_MAX = 16,
    HISTORY_WRITES_MAX = 4096,
    HISTORY_COVERED_MAX = 16384,
    HISTORY_CONTENT_MAX = 4096,
};

/* How much was asked of a put or delete that was acknowledged. */
struct pledge {
    bool acknowledged;
    bool synced;    /* asked to survive a power cut */
    uint8_t copies; /* acknowledged by so many (W) */
    uint32_t place; /* in the order of acknowledgements, from 1 on */
};

/* One put of one value; its content is made of its number, and its time of change is that, so
 * that it can be told wherever it turns up. */
struct written {
    int key;
    uint32_t begun; /* in the order in which puts and deletes were sent, from 1 on */
    struct pledge pledge;
    bool superseded; /* some put or delete that was sent had it in its context */
};

/* A version that some put or delete had in its context. */
struct covered {
    int key;
    uint32_t number; /* of its write; UINT32_MAX if that cannot be told */
    struct dot dot;
    struct pledge pledge; /* of that put or delete */
};

struct history {
    uint32_t count;
    struct written write[HISTORY_WRITES_MAX];
    uint32_t covered_count;
    struct covered covered[HISTORY_COVERED_MAX];
    uint32_t acknowledged;              /* so far, puts and deletes */
    uint32_t begun;                     /* so far, puts and deletes */
    uint32_t removed[HISTORY_KEYS_MAX]; /* the last delete that was sent, in that order */
    uint32_t pairs[HISTORY_KEYS_MAX];   /* the longest clock that a client was shown */
};

/* What the run did to the disks, and so what may be demanded. */
struct demand {
    uint8_t victims;     /* at most so many nodes lost data for good */
    bool power_failed;   /* ... what was not synced */
    bool power_anywhere; /* ... and each node of the cluster may have lost that */
    bool disk_lost;      /* ... everything, or some of what was synced */
};

/* A new write to `key`; its number. */
uint32_t history_write(struct history *history, int key);
/* A delete of `key`, or of a version of it, is about to be sent. */
void history_remove(struct history *history, int key);
/* The content of write `number`, a few bytes or some hundred; its size. */
size_t history_content(uint32_t number, uint8_t ret_content[HISTORY_CONTENT_MAX]);
/* The number of a version or a row's, or UINT32_MAX: of none, or the content is not whole. */
uint32_t history_number(const struct version *version);
/* A client was shown this. */
void history_see(struct history *history, int key, const struct object *object);
/* The version is handed to a put or delete that is about to be sent. */
void history_supersede(struct history *history, const struct version *version);
/* All versions of `seen` are. The number of the first of the entries that were made in
 * `covered`, one for each version. */
uint32_t history_cover(struct history *history, int key, const struct object *seen);
/* One version of them is. The number of its entry. */
uint32_t history_cover_one(struct history *history, int key, const struct version *version);
/* True if each version was written to this key by somebody. */
bool history_is_written(const struct history *history, int key, const struct object *object);
/* True if no version is shown that a put or delete had in its context which was among the first
 * `before` that were acknowledged. What truncation may bring back is let pass. */
bool history_check_superseded(const struct history *history, int key,
                              const struct object *object, uint32_t before);
/* True if the name must show in a listing that began when `before` had been acknowledged: its
 * write had been, and no delete was sent since that write began. */
bool history_is_name_due(const struct history *history, int key, uint32_t before);

/*
 * A get that began when `before` puts and deletes had been acknowledged answered with `object`.
 * True if that shows each write acknowledged by then that nothing superseded since: what R + W
 * > N promises as long as no fallback ever stands in.
 */
bool history_check_read(const struct history *history, int key, const struct object *object,
                        uint32_t before);

/*
 * Compares the merged state of a key with what was promised. On a breach fills `why` and
 * returns false.
 */
bool history_check(const struct history *history, int key, const struct object *state,
                   const struct demand *demand, char *why, size_t size);

#endif
